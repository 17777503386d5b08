// Package workspace holds actual state: it is the only writer of members, teams and invitations.
// It makes true what the directory wants, by a pure plan and its application, and what owners and admins do by hand; it
// never decides about the directory.
package workspace

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"outpost/models"
	"outpost/store"
)

// Workspace converges workspaces to their directories.
type Workspace struct {
	invitations Invitations
	now         func() time.Time
}

// Invitations says how people are invited.
type Invitations struct {
	Key  []byte        // link tokens are derived from it, so that none is stored
	Hold time.Duration // how long a mail waits: a person who is removed at once gets none
	Life time.Duration // how long a link is good
}

// DefaultHold, DefaultLife and DefaultReminder are the settings of a new installation. The last is how long after its mail
// people are reminded of an invitation.
const (
	DefaultHold     = 10 * time.Second
	DefaultLife     = 7 * 24 * time.Hour
	DefaultReminder = 3 * 24 * time.Hour
)

// InvitationKey derives the key of Invitations from the installation's secret.
func InvitationKey(secret string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(secret), nil, "outpost invitation links", 32)
}

// New makes a Workspace; now is the clock.
func New(i Invitations, now func() time.Time) *Workspace { return &Workspace{invitations: i, now: now} }

// Token is the 256-bit secret in an invitation's link. It is the same each time it is asked for, and stored nowhere.
func (i Invitations) Token(invitationID string) string {
	mac := hmac.New(sha256.New, i.Key)
	mac.Write([]byte(invitationID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// InvitationToken is the secret in the link of an invitation.
func (w *Workspace) InvitationToken(id string) string { return w.invitations.Token(id) }

// TokenHash is what an invitation is found by.
func TokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// PersonLock names the lock under which one person's access changes: a convergence holds it, and so does the request
// that ends access. Whoever has it may wait for the member's row, never for the directory's.
func PersonLock(userID string) string { return "person " + userID }

// teamsLock names the lock that orders who changes team memberships of a connection: people share it, a group has it
// alone. Without it a person who joins and a group that is synced could each miss the other's uncommitted rows.
func teamsLock(connectionID string) string { return "teams " + connectionID }

// Block ends a member's access inside the caller's transaction, which has the member's row locked: from the commit on
// nothing is possible any more, whatever the queue does.
func Block(tx *store.Tx, m models.Member, now time.Time) error {
	if m.Status == models.MemberDeactivated {
		return nil
	}
	block(&m, now)
	return tx.SaveMember(m)
}

// HeldLastOwner is why the removal of a last owner waits for an admin.
const HeldLastOwner = "held: this would leave the workspace without an active owner; make somebody else an owner, then approve it, or discard it"

// LastOwner reports whether the workspace would have no active owner without m. Such decisions wait for one another.
func LastOwner(tx *store.Tx, m models.Member) (bool, error) {
	if m.Role != models.RoleOwner || m.Status != models.MemberActive {
		return false, nil
	}
	if err := tx.Lock("owners " + m.WorkspaceID); err != nil {
		return false, err
	}
	n, err := tx.OtherActiveOwners(m.WorkspaceID, m.ID)
	return n == 0, err
}

// GuardEmail returns why a change of m's address to u's must wait for an admin, or "": an owner's address is the key to
// the workspace, and whoever is met for the first time must not be moved to an address of the provider's choice.
func GuardEmail(m models.Member, u models.User) string {
	switch {
	case u.EmailKey == m.EmailKey:
		return ""
	case m.Role == models.RoleOwner:
		return "held: the directory changes the e-mail address of an owner, from " + m.Email + " to " + orNone(u.Email) + "; an owner who was signed in before has to approve it"
	case m.DirectoryUserID == nil || *m.DirectoryUserID != u.ID:
		return "held: the first contact with " + m.Email + " changes the e-mail address to " + orNone(u.Email) + "; approve it if that is the same person, or discard it"
	}
	return ""
}

func orNone(address string) string {
	if address == "" {
		return "none"
	}
	return address
}
