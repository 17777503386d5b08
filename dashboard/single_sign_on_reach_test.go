package dashboard_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
	"time"

	"outpost/dashboard"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

// How far the word of a provider reaches: its own workspace, and no further.

// TestProvidersWordAboutAnAddressHoldsInItsWorkspaceAlone: a tenant's provider calls somebody by an address that means
// something elsewhere, an operator's, and signs in as them.
func TestProvidersWordAboutAnAddressHoldsInItsWorkspaceAlone(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w, "operator@acme.test")
		c.site = serve(t, w, func(d *dashboard.Config) { d.Operators = []string{"operator@acme.test"} })
		c.configure(t)
		globex, err := workspace.Create(t.Context(), w.Store, "Globex", "operator@acme.test", models.PlanEnterprise, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		real, err := w.Store.FirstOwner(t.Context(), globex.ID)
		if err != nil {
			t.Fatal(err)
		}
		c.assigned(t, "operator")
		v := c.stranger(t)
		if a := c.signInWith(t, v, "operator@acme.test", ""); a.status != http.StatusSeeOther {
			t.Fatalf("sign in: %d %s", a.status, plainText(a.body))
		}
		c.save(t, "operator@acme.test", func(m *models.Member) { m.Role, m.HandRole = models.RoleAdmin, models.RoleAdmin })
		if a := v.get("/operator/queues"); a.status != http.StatusNotFound {
			t.Errorf("the operators' page: %d", a.status)
		}
		if a := v.get("/people"); a.status != http.StatusOK || a.has("Globex") || a.has("/operator/queues") {
			t.Errorf("%d, and it names another tenant or the operators' page: %s", a.status, plainText(a.body))
		}
		if a := v.post("/workspace", url.Values{"workspace": {globex.ID}}); a.status != http.StatusNotFound {
			t.Errorf("into another tenant: %d", a.status)
		}
		w.Clock.Advance(time.Minute)
		o := c.signIn(t, real)
		if a := o.get("/operator/queues"); a.status != http.StatusOK {
			t.Errorf("the operator, by a link to their address: %d", a.status)
		}
		// The provider signs somebody in under their address once more: where their own link leads does not change.
		w.Clock.Advance(time.Minute)
		c.signInWith(t, c.stranger(t), "operator@acme.test", "")
		if own, err := w.Store.SignInMembers(t.Context(), "operator@acme.test"); err != nil || len(own) != 2 || own[0].ID != real.ID {
			t.Errorf("a link to the address leads to %+v %v", own, err)
		}
	})
}

// TestNobodyFillsTheAuditWithAnswers begins sign-ins at our door and makes their answers up, and brings one old answer of
// the provider again and again.
func TestNobodyFillsTheAuditWithAnswers(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	c := newCompany(t, w, "ada@acme.test")
	c.assigned(t, "ada")
	recorded := func() int {
		n, err := w.Store.RefusedSignIns(t.Context(), w.Workspace.ID, w.Connection.ID, "", w.Clock.Now().Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	v := c.stranger(t)
	acs, old := c.idp.Answer(v.begin(c.path+"/login"), "ada@acme.test")
	if a := v.bring(acs, old); a.status != http.StatusSeeOther {
		t.Fatalf("%d", a.status)
	}
	nonsense := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte("<x/>"))}}
	for range 60 {
		w.Clock.Advance(time.Millisecond)
		v.begin(c.path + "/login")
		v.bring(acs, nonsense)
	}
	if n := recorded(); n != 60 {
		t.Errorf("%d of 60 refused answers are recorded", n)
	}
	for range 60 {
		if a := v.bring(acs, old); a.status != http.StatusForbidden {
			t.Fatalf("a replay: %d", a.status)
		}
	}
	if n := recorded(); n != 100 {
		t.Errorf("%d refused answers are recorded", n)
	}
	w.Clock.Advance(sso.LinkLife + time.Second)
	v.bring(acs, old)
	if n := recorded(); n != 101 {
		t.Errorf("a quarter of an hour later: %d", n)
	}
}

// TestRequiredMeansTheOneConnection: a second connection of the workspace, with a provider of its own, is no way around.
func TestRequiredMeansTheOneConnection(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w, "ada@acme.test")
		c.assigned(t, "ada")
		issued, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderPing, "test")
		if err != nil {
			t.Fatal(err)
		}
		second := *w
		second.Connection = issued.Connection
		other := c
		other.site = &site{World: &second, URL: c.URL, handler: c.handler}
		other.path, other.idp = "/saml/"+issued.Connection.ID, testkit.NewIdP(t, w.Clock.Now)
		other.configure(t)
		other.idp.Person("bob@acme.test")
		other.assigned(t, "bob")
		before := c.stranger(t)
		if a := other.signInWith(t, before, "bob@acme.test", ""); a.status != http.StatusSeeOther {
			t.Fatalf("while nothing is required: %d %s", a.status, plainText(a.body))
		}
		require := func(connectionID string) {
			t.Helper()
			if err := c.Gate.Require(t.Context(), sso.By{WorkspaceID: w.Workspace.ID, Actor: "test", Terminal: true}, connectionID, c.owner(t).ID); err != nil {
				t.Fatal(err)
			}
		}
		require(w.Connection.ID)
		if a := before.get("/"); a.status != http.StatusSeeOther {
			t.Errorf("who signed in through the other connection is still in: %d", a.status)
		}
		if a := other.signInWith(t, c.stranger(t), "bob@acme.test", ""); a.status != http.StatusForbidden || !a.has("requires everybody to sign in with Okta") {
			t.Errorf("through the other connection: %d %s", a.status, plainText(a.body))
		}
		if a := c.signInWith(t, c.stranger(t), "ada@acme.test", ""); a.status != http.StatusSeeOther {
			t.Errorf("through the one that is required: %d %s", a.status, plainText(a.body))
		}
		require(issued.Connection.ID)
		if a := other.signInWith(t, c.stranger(t), "bob@acme.test", ""); a.status != http.StatusSeeOther {
			t.Errorf("through the other one, now required: %d %s", a.status, plainText(a.body))
		}
	})
}

// TestWhoeverTakesTheBreakGlassOwnersPlaceHasNoLink: the directory deletes the owner who keeps the link and brings somebody
// else under the address.
func TestWhoeverTakesTheBreakGlassOwnersPlaceHasNoLink(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w)
		joined(t, w, w.Workspace.ID, "second@acme.test", models.RoleOwner)
		owner := c.owner(t)
		first := c.assigned(t, "owner")
		if err := c.Gate.Require(t.Context(), sso.By{WorkspaceID: w.Workspace.ID, Actor: "test", Terminal: true}, w.Connection.ID, owner.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.Directory.DeleteUser(t.Context(), w.Caller(), first.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"owner@acme.test","emails":[{"primary":true,"value":"owner@acme.test"}],"displayName":"Somebody Else","externalId":"00u-else","active":true}`)); err != nil {
			t.Fatal(err)
		}
		c.converge(t)
		m, _ := c.Member("owner@acme.test")
		if m.ID != owner.ID || m.Role != models.RoleMember || m.Status != models.MemberInvited {
			t.Fatalf("the member is %+v", m)
		}
		invitation := "/invite/" + c.Converge.InvitationToken(c.invitationOf(t, m.ID))
		if a := c.stranger(t).post(invitation, nil); a.status != http.StatusForbidden {
			t.Errorf("the invitation's link lets them in: %d %s", a.status, plainText(a.body))
		}
	})
}

// invitationOf is the id of the open invitation of a member.
func (c company) invitationOf(t *testing.T, memberID string) (id string) {
	t.Helper()
	m, err := c.Store.Member(t.Context(), c.Workspace.ID, memberID)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Store.Write(t.Context(), func(tx *store.Tx) error {
		inv, _, err := tx.NewestInvitation(m)
		id = inv.ID
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

// TestSwitchToAWorkspaceThatRequiresSingleSignOnLeadsThere: the session here goes on.
func TestSwitchToAWorkspaceThatRequiresSingleSignOnLeadsThere(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	c := newCompany(t, w)
	globex, err := workspace.Create(t.Context(), w.Store, "Globex", "hana@acme.test", models.PlanTeam, w.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	hana, err := w.Store.FirstOwner(t.Context(), globex.ID)
	if err != nil {
		t.Fatal(err)
	}
	joined(t, w, w.Workspace.ID, "hana@acme.test", models.RoleAdmin)
	if err := c.Gate.Require(t.Context(), sso.By{WorkspaceID: w.Workspace.ID, Actor: "test", Terminal: true}, w.Connection.ID, c.owner(t).ID); err != nil {
		t.Fatal(err)
	}
	v := c.signIn(t, hana)
	if a := v.post("/workspace", url.Values{"workspace": {w.Workspace.ID}}); a.status != http.StatusForbidden || !a.has(`href="`+c.path+`/login"`) {
		t.Errorf("%d %s", a.status, plainText(a.body))
	}
	if a := v.get("/people"); a.status != http.StatusOK {
		t.Errorf("the session here has ended: %d", a.status)
	}
}
