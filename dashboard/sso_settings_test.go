package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
)

// TestRequiredSingleSignOnLeavesOneOtherWayIn: links of everybody but one owner end, and sessions begun by one too.
func TestRequiredSingleSignOnLeavesOneOtherWayIn(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w, "ada@acme.test")
		c.assigned(t, "ada")
		owner := c.owner(t)
		admin := joined(t, w, w.Workspace.ID, "admin@acme.test", models.RoleAdmin)
		o, v := c.signIn(t, owner), c.signIn(t, admin)
		require := url.Values{"connection": {w.Connection.ID}, "require": {"on"}, "glass": {owner.ID}}
		if a := o.post("/settings/security/sso/require", require); a.status != http.StatusUnprocessableEntity || !a.has("A test sign-in has to pass first") {
			t.Fatalf("before a test: %d %s", a.status, plainText(a.body))
		}
		test := func(email string) answer {
			acs, form := c.idp.Answer(o.begin("/settings/security/sso/test?connection="+w.Connection.ID), email)
			back := o.bring(acs, form)
			if back.status != http.StatusSeeOther {
				t.Fatalf("the test: %d %s", back.status, plainText(back.body))
			}
			to, _, _ := strings.Cut(back.header.Get("Location"), "#")
			return o.get(to)
		}
		c.idp.Person("nobody@acme.test")
		if a := test("nobody@acme.test"); !a.has("Sign-in failed at point 8, Person.") {
			t.Errorf("a test as nobody: %s", plainText(a.body))
		}
		if a := test("ada@acme.test"); !a.has("The test passed") {
			t.Fatalf("a test as ada: %s", plainText(a.body))
		}
		if m, _ := c.Member("ada@acme.test"); m.Status != models.MemberInvited {
			t.Errorf("a test made ada join: %s", m.Status)
		}
		if a := o.post("/settings/security/sso/require", require); a.status != http.StatusSeeOther {
			t.Fatalf("require: %d %s", a.status, plainText(a.body))
		}
		if a := o.get("/settings/security/sso"); a.status != http.StatusOK {
			t.Errorf("the owner with the link is out: %d", a.status)
		}
		if a := v.get("/people"); a.status != http.StatusSeeOther {
			t.Errorf("who signed in by a link is still in: %d", a.status)
		}
		if a := c.as(t, c.stranger(t), admin); a.status != http.StatusForbidden || !a.has("Continue with Okta") {
			t.Errorf("a link still signs in: %d %s", a.status, plainText(a.body))
		}
		if a := c.as(t, c.stranger(t), owner); a.status != http.StatusSeeOther {
			t.Errorf("the owner's own link: %d", a.status)
		}
		if a := o.post("/settings/members/"+owner.ID+"/role", url.Values{"role": {"admin"}}); a.status == http.StatusSeeOther && !a.has("choose another one") {
			if m, _ := c.Member("owner@acme.test"); m.Role != models.RoleOwner {
				t.Error("the owner who keeps the link was unmade")
			}
		}
		if a := c.signInWith(t, c.stranger(t), "ada@acme.test", ""); a.status != http.StatusSeeOther {
			t.Errorf("by the provider: %d %s", a.status, plainText(a.body))
		}
		if a := o.upload("/settings/security/sso", url.Values{"connection": {w.Connection.ID}}, "text", string(testkit.NewIdP(t, w.Clock.Now).Metadata())); a.status != http.StatusUnprocessableEntity || !a.has("Everybody has to sign in with the present metadata") {
			t.Errorf("another provider's metadata: %d %s", a.status, plainText(a.body))
		}
		if a := o.upload("/settings/security/sso", url.Values{"connection": {w.Connection.ID}}, "text", string(c.idp.Metadata())); a.status != http.StatusSeeOther {
			t.Errorf("the same provider's metadata: %d %s", a.status, plainText(a.body))
		}
		delete(require, "require")
		if a := o.post("/settings/security/sso/require", require); a.status != http.StatusSeeOther {
			t.Fatalf("require no more: %d", a.status)
		}
		if a := c.as(t, c.stranger(t), admin); a.status != http.StatusSeeOther {
			t.Errorf("a link afterwards: %d", a.status)
		}
	})
}

func TestSensitiveActAsksTheProviderAgain(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	c := newCompany(t, w, "ada@acme.test", "bob@acme.test")
	c.assigned(t, "ada")
	c.assigned(t, "bob")
	v := c.stranger(t)
	c.signInWith(t, v, "ada@acme.test", "")
	c.save(t, "ada@acme.test", func(m *models.Member) { m.Role, m.HandRole = models.RoleOwner, models.RoleOwner })
	c.Clock.Advance(11 * time.Minute)
	disable := func() answer {
		return v.post("/settings/security/sso/disable", url.Values{"connection": {w.Connection.ID}})
	}
	a := disable()
	if a.status != http.StatusForbidden || !a.has("Continue with Okta") {
		t.Fatalf("%d %s", a.status, plainText(a.body))
	}
	acs, form := c.idp.Answer(v.begin("/signin/again?next=/settings/security/sso"), "ada@acme.test")
	if a := v.bring(acs, form); a.status != http.StatusSeeOther || a.header.Get("Location") != "/settings/security/sso" {
		t.Fatalf("%d %s", a.status, plainText(a.body))
	}
	// Somebody else's proof is none.
	c.Clock.Advance(11 * time.Minute)
	acs, form = c.idp.Answer(v.begin("/signin/again?next=/settings/security/sso"), "bob@acme.test")
	if a := v.bring(acs, form); a.status != http.StatusForbidden || !a.has("as yourself") {
		t.Fatalf("as bob: %d %s", a.status, plainText(a.body))
	}
	if a := disable(); a.status != http.StatusForbidden {
		t.Fatalf("after bob's proof: %d", a.status)
	}
	acs, form = c.idp.Answer(v.begin("/signin/again?next=/settings/security/sso"), "ada@acme.test")
	if a := v.bring(acs, form); a.status != http.StatusSeeOther {
		t.Fatalf("as ada again: %d %s", a.status, plainText(a.body))
	}
	if a := disable(); a.status != http.StatusSeeOther {
		t.Fatalf("after that: %d %s", a.status, plainText(a.body))
	}
	if a := v.get("/settings/security/sso"); a.status != http.StatusSeeOther {
		t.Errorf("signed in by what was switched off: %d", a.status)
	}
}

func TestMetadataIsTakenByFileTextAndAddress(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	idp := testkit.NewIdP(t, w.Clock.Now)
	o := s.signIn(t, s.owner(t))
	configure := func(name, value string) answer {
		return o.upload("/settings/security/sso", url.Values{"connection": {w.Connection.ID}}, name, value)
	}
	for _, test := range []struct{ what, field, value, want string }{
		{"nothing", "text", "", "Give the metadata of your identity provider"},
		{"a page", "text", "<!doctype html><html><body>Sign in</body></html>", ""},
		{"an address inside", "url", "https://127.0.0.1/metadata", ""},
		{"an address without TLS", "url", idp.URL + "/metadata", ""},
	} {
		if a := configure(test.field, test.value); a.status != http.StatusUnprocessableEntity || !a.has(test.want) {
			t.Errorf("%s: %d %s", test.what, a.status, plainText(a.body))
		}
	}
	for _, field := range []string{"text", "file"} {
		if a := configure(field, string(idp.Metadata())); a.status != http.StatusSeeOther {
			t.Errorf("by %s: %d %s", field, a.status, plainText(a.body))
		}
		if a := o.get("/settings/security/sso"); !a.has(idp.URL+"/metadata") || !a.has("Test sign-in") {
			t.Errorf("by %s: the page does not show it: %s", field, plainText(a.body))
		}
	}
	if a := o.get("/activity"); !a.has("gave the metadata for single sign-on") {
		t.Errorf("Activity does not tell: %s", strings.Join(happened(a), "\n"))
	}
}
