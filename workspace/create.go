package workspace

import (
	"context"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/store"
)

// Create makes a workspace with its first owner, who is active at once.
func Create(ctx context.Context, s *store.Store, name, ownerEmail string, plan models.Plan, now time.Time) (models.Workspace, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > 100 {
		return models.Workspace{}, &models.Error{Code: models.Invalid, Detail: "a workspace needs a name of 1 to 100 characters"}
	}
	address, err := netmail.ParseAddress(ownerEmail)
	if err != nil || address.Name != "" || address.Address != ownerEmail {
		return models.Workspace{}, &models.Error{Code: models.Invalid, Detail: fmt.Sprintf("the owner's e-mail address %q is not one: give a bare address such as ada@example.com", ownerEmail)}
	}
	if !plan.Valid() {
		return models.Workspace{}, &models.Error{Code: models.Invalid, Detail: fmt.Sprintf("there is no plan %q: choose team or enterprise", plan)}
	}
	base := slug(name)
	for n := 1; ; n++ {
		w := models.Workspace{ID: outbox.ID(), Slug: base, Name: name, Plan: plan, CreatedAt: now}
		if n > 1 {
			w.Slug = fmt.Sprintf("%s-%d", base, n)
		}
		owner := models.Member{
			ID: outbox.ID(), WorkspaceID: w.ID, Email: ownerEmail, EmailKey: scim.Fold(ownerEmail), Name: nameOf(ownerEmail), Role: models.RoleOwner, HandRole: models.RoleOwner, Status: models.MemberActive,
			AcceptedAt: &now, CreatedAt: now, UpdatedAt: now,
		}
		err := s.Write(ctx, func(tx *store.Tx) error {
			tx.Add(&w, &owner)
			return nil
		})
		if store.Violates(err, store.UniqueSlug) && n < 100 {
			continue
		}
		return w, err
	}
}

// slug is a name as it stands in URLs and commands: lower-case letters, digits and dashes.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 40 {
			break
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "workspace"
}

// nameOf makes a name to call somebody by from their address, until they give one.
func nameOf(address string) string {
	local, _, _ := strings.Cut(address, "@")
	words := strings.FieldsFunc(local, func(r rune) bool { return r == '.' || r == '_' || r == '-' || r == '+' })
	for i, w := range words {
		r, n := utf8.DecodeRuneInString(w)
		words[i] = strings.ToUpper(string(r)) + w[n:]
	}
	if len(words) == 0 {
		return local
	}
	return strings.Join(words, " ")
}
