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
	"outpost/sso"
	"outpost/store"
)

// TestInBrowserEveryPageOfSingleSignOn looks at each of its pages in every state that somebody can meet it in.
func TestInBrowserEveryPageOfSingleSignOn(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	idp := testkit.NewIdP(t, w.Clock.Now)
	for _, email := range []string{"ada@acme.test", "nobody@acme.test", "wren@acme.test"} {
		idp.Person(email)
	}
	c := company{site: s, idp: idp, path: "/saml/" + w.Connection.ID}
	owner := s.owner(t)
	o, p := s.signIn(t, owner), s.browse(t, owner)
	p.Allow("status of 4\\d\\d") // forms that come back with what is wrong
	const settings = "/settings/security/sso"

	look(t, p, s.URL, seen{"sso-empty", settings, nil}, seen{"sso-metadata-wrong", settings, func(p *testkit.Page) {
		p.Fill("#text", "<html><body>Sign in to Okta</body></html>")
		p.Click("#metadata button[type=submit]")
		p.Wait("#metadata [role=alert]")
	}})
	c.configure(t)
	look(t, p, s.URL, seen{"sso-configured", settings, nil}, seen{"sso-replace", settings + "?replace", nil}, seen{"sso-certificate", settings + "?certificate", nil},
		seen{"sso-disable", settings + "?confirm=disable", nil}, seen{"security-sso-untested", "/settings/security", nil})

	c.assigned(t, "ada")
	test := func(email string) {
		acs, form := idp.Answer(o.begin(settings+"/test?connection="+w.Connection.ID), email)
		if a := o.bring(acs, form); a.status != http.StatusSeeOther {
			t.Fatalf("the test: %d %s", a.status, plainText(a.body))
		}
	}
	test("nobody@acme.test")
	look(t, p, s.URL, seen{"sso-failed", settings, nil})
	test("ada@acme.test")
	look(t, p, s.URL, seen{"sso-passed", settings, nil})
	if a := o.post(settings+"/require", url.Values{"connection": {w.Connection.ID}, "require": {"on"}, "glass": {owner.ID}}); a.status != http.StatusSeeOther {
		t.Fatalf("require: %d", a.status)
	}
	look(t, p, s.URL, seen{"sso-required", settings, nil}, seen{"security-sso-required", "/settings/security", nil})
	provider, err := sso.ReadMetadata(idp.Metadata())
	if err != nil {
		t.Fatal(err)
	}

	// At the door.
	alone := testkit.Browser(t)
	alone.Allow("status of 4\\d\\d")
	find := func(text, then string) func(*testkit.Page) {
		return func(p *testkit.Page) {
			p.Fill("#find", text)
			p.Click("form button[type=submit]")
			p.Wait(then)
		}
	}
	look(t, alone, s.URL, seen{"sign-in-sso", "/signin/sso", nil}, seen{"sign-in-sso-unknown", "/signin/sso", find("globex", "#find-error")}, seen{"sign-in-sso-found", "/signin/sso", find("acme", ".avatar-ws")})
	v := c.stranger(t)
	acs, form := idp.Answer(v.begin(c.path+"/login"), "nobody@acme.test")
	refused := v.bring(acs, form)
	if refused.status != http.StatusForbidden {
		t.Fatalf("%d", refused.status)
	}
	w.User("wren") // invited, and not joined yet
	c.converge(t)
	link, token := sso.PrintedLink(models.Member{ID: mustMember(t, w, "ada@acme.test").ID, EmailKey: "ada@acme.test"}, w.Clock.Now())
	if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&link); return nil }); err != nil {
		t.Fatal(err)
	}
	acs, form = idp.Answer(v.begin(c.path+"/login"), "ada@acme.test") // she joins
	v.bring(acs, form)
	look(t, alone, s.URL, seen{"not-in", "/signin", func(p *testkit.Page) { write(p, refused.body) }}, seen{"sign-in-required", "/signin/" + token, func(p *testkit.Page) {
		if p.Has("#email") {
			p.Fill("#email", "ada@acme.test")
		}
		p.Click("main button[type=submit]")
		p.WaitText("main", "Continue with Okta")
	}})

	// Close to the end of the only certificate.
	w.Clock.Set(provider.Certificates[0].NotAfter.Add(-6 * 24 * time.Hour))
	p = s.browse(t, owner)
	look(t, p, s.URL, seen{"sso-certificate-ends", settings, nil}, seen{"security-certificate-ends", "/settings/security", nil})
}

// write shows the body of an answer that a browser without script got.
func write(p *testkit.Page, body string) {
	_, main, _ := strings.Cut(body, `<main id="main" tabindex="-1">`)
	main, _, _ = strings.Cut(main, "</main>")
	quoted := strings.NewReplacer("\\", "\\\\", "`", "\\`", "$", "\\$").Replace(main)
	p.Eval("document.getElementById('main').innerHTML = `"+quoted+"`", nil)
}

func mustMember(t *testing.T, w *fixture.World, email string) models.Member {
	t.Helper()
	m, ok := w.Member(email)
	if !ok {
		t.Fatalf("%s is no member", email)
	}
	return m.Member
}
