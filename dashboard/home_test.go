package dashboard_test

import (
	"net/http"
	"strings"
	"testing"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/workspace"
)

func TestAPlainMemberSignsInAndSeesTheirPlaceAlone(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		w.Mailbox(nil)
		u := w.User("ada")
		w.Group("Platform", u.ID)
		w.Group("Design", u.ID)
		w.Settled(patience)
		now := w.Clock.Now()
		s.save(t, "ada@acme.test", func(m *models.Member) { m.Status, m.AcceptedAt = models.MemberActive, &now })
		joined(t, w, w.Workspace.ID, "admin@acme.test", models.RoleAdmin)
		ada, _ := s.Member("ada@acme.test")
		v := s.signIn(t, ada.Member)

		home := v.get("/")
		home.says(t, "the home page", "You are a member of Acme.", ">Platform<", ">Design<", "Okta brought you in on ", "and you joined the same day.", "You are managed by Okta through Directory Sync", "Owner (owner) and Some admin (admin)", `href="/account/sessions"`, "Sign out")
		for _, hidden := range []string{`href="/people`, `href="/activity`, `href="/settings`, `href="/groups`, `href="/runs`, `href="/operator`, `action="/find"`, "data-keys-help", `id="keys"`, "change workspace"} {
			if home.has(hidden) {
				t.Errorf("the home page of a plain member has %s", hidden)
			}
		}
		for _, path := range []string{"/people", "/people/" + ada.ID, "/activity", "/settings/security", "/find?q=ada", "/activity.csv"} {
			a := v.get(path)
			if a.status != http.StatusForbidden || !a.has("only owners and admins can open this page") && !a.has("Only owners and admins can open this page") {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
			if !a.has("Go to your home page") || a.has(`href="/people`) || a.has(`href="/activity`) || !a.has("Your sessions") {
				t.Errorf("the refusal of %s leads to what they may not open: %s", path, a.body)
			}
		}
		if a := v.get("/nonsense"); a.status != http.StatusNotFound || !a.has("Go to your home page") {
			t.Errorf("what is not there: %d %s", a.status, a.body)
		}
		owner := s.signIn(t, s.owner(t))
		if a := owner.get("/"); a.status != http.StatusSeeOther || !strings.Contains(a.header.Get("Location"), w.Connection.ID) {
			t.Errorf("an owner at /: %d %v", a.status, a.header)
		}
	})
}

// TestAMemberHereMayBeTheOwnerElsewhere is one person with two roles.
func TestAMemberHereMayBeTheOwnerElsewhere(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	if _, err := workspace.Create(t.Context(), w.Store, "Globex", "both@acme.test", models.PlanTeam, w.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	v := s.signIn(t, joined(t, w, w.Workspace.ID, "both@acme.test", models.RoleMember))
	v.get("/").says(t, "the home page", "You are a member of Acme.", "change workspace", "Globex", "You were invited by hand on ")
	if a := v.get("/settings/security"); a.status != http.StatusForbidden || !a.has("Globex") {
		t.Errorf("the refusal does not lead to the other workspace: %d", a.status)
	}
}
