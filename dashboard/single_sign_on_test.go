package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"outpost/dashboard"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

// company is a site whose workspace signs in at an identity provider.
type company struct {
	*site
	idp  *testkit.IdP
	path string // of the connection's SAML
}

// newCompany configures single sign-on, and people at the provider.
func newCompany(t *testing.T, w *fixture.World, people ...string) company {
	t.Helper()
	c := company{site: serve(t, w, nil), path: "/saml/" + w.Connection.ID}
	c.idp = testkit.NewIdP(t, w.Clock.Now)
	c.configure(t)
	for _, email := range people {
		c.idp.Person(email)
	}
	return c
}

// configure gives each the other's metadata.
func (c company) configure(t *testing.T) {
	t.Helper()
	provider, err := sso.ReadMetadata(c.idp.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Gate.Configure(t.Context(), sso.By{WorkspaceID: c.Workspace.ID, Actor: "test"}, c.Connection, provider); err != nil {
		t.Fatal(err)
	}
	metadata := c.stranger(t).get(c.path + "/metadata")
	if metadata.status != http.StatusOK {
		t.Fatalf("our metadata: %d %s", metadata.status, metadata.body)
	}
	c.idp.Trust([]byte(metadata.body))
}

// assigned brings somebody by Directory Sync.
func (c company) assigned(t *testing.T, name string) models.User {
	t.Helper()
	u := c.User(name)
	c.converge(t)
	return u
}

// converge runs what is to be done.
func (c company) converge(t *testing.T) {
	t.Helper()
	stop := c.Serve(c.Worker(nil), fixture.Everything())
	defer stop()
	testkit.Eventually(t, patience, "everything is applied", func() bool {
		for _, op := range c.Operations() {
			if op.State.Open() && (op.Kind == models.KindUserUpsert || op.Kind == models.KindUserDeactivate || op.Kind == models.KindMemberMirror) {
				return false
			}
		}
		return true
	})
}

// begin asks for single sign-on and tells where the browser is sent.
func (v *visitor) begin(path string) string {
	v.t.Helper()
	a := v.get(path)
	if a.status != http.StatusSeeOther {
		v.t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	return a.header.Get("Location")
}

// bring sends a provider's answer from the provider's page.
func (v *visitor) bring(acs string, answer url.Values) answer {
	v.t.Helper()
	return v.do("POST", mustParse(v.t, acs).Path, answer, func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://idp.example")
	})
}

// signInWith goes to the provider as somebody and comes back.
func (c company) signInWith(t *testing.T, v *visitor, email, query string) answer {
	t.Helper()
	acs, form := c.idp.Answer(v.begin(c.path+"/login"+query), email)
	return v.bring(acs, form)
}

func TestAssignedPersonJoinsAndSignsInWithTheProvider(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w, "ada@acme.test")
		c.assigned(t, "ada")
		v := c.stranger(t)
		a := c.signInWith(t, v, "ada@acme.test", "?next=%2Faccount%2Fsessions")
		if a.status != http.StatusSeeOther || a.header.Get("Location") != "/account/sessions" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		m, _ := c.Member("ada@acme.test")
		if m.Status != models.MemberActive || m.AcceptedAt == nil {
			t.Errorf("the member is %s", m.Status)
		}
		if a := v.get("/"); a.status != http.StatusOK {
			t.Errorf("the first page: %d", a.status)
		}
		// The same person, in another browser, in other letters.
		c.idp.Person("ADA@acme.test")
		if a := c.signInWith(t, c.stranger(t), "ADA@acme.test", ""); a.status != http.StatusSeeOther {
			t.Errorf("userName in other case: %d %s", a.status, a.body)
		}
		// Out, inside the request that says so.
		c.SetActive(*m.DirectoryUserID, false)
		if a := v.get("/"); a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/signin") {
			t.Errorf("after the directory has taken access away: %d %s", a.status, a.body)
		}
		if a := c.signInWith(t, c.stranger(t), "ada@acme.test", ""); a.status != http.StatusForbidden || !a.has("Ask your admin to assign you to Outpost again.") {
			t.Errorf("signing in after that: %d %s", a.status, a.body)
		}
		// Who signed in, who was refused and why.
		if a := c.signIn(t, c.owner(t)).get("/people/" + m.ID); !a.has("Signed in with Okta") || !a.has("the directory has taken their access away") {
			t.Errorf("the person's page does not tell: %s", plainText(a.body))
		}
	})
}

func TestSomebodyUnknownIsTurnedAway(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w, "ada@acme.test", "ada2@acme.test", "owner@acme.test")
		c.assigned(t, "ada")
		for _, test := range []struct{ what, email, want string }{
			{"nobody here", "ada2@acme.test", "Directory Sync has brought nobody of that name into Acme"},
			{"a member whom no directory brought", "owner@acme.test", "Directory Sync has brought nobody of that name into Acme"},
		} {
			v := c.stranger(t)
			if a := c.signInWith(t, v, test.email, ""); a.status != http.StatusForbidden || !a.has(test.want) {
				t.Errorf("%s: %d %s", test.what, a.status, plainText(a.body))
			}
			if a := v.get("/account/sessions"); a.status != http.StatusSeeOther {
				t.Errorf("%s is signed in: %d", test.what, a.status)
			}
		}
	})
}

// TestNameThatOnlyLooksLikeSomebodysIsNobodys: the letters of userName count, not what they look like and not the
// e-mail address.
func TestNameThatOnlyLooksLikeSomebodysIsNobodys(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		// kai's e-mail address is not their userName.
		u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"kai","emails":[{"primary":true,"value":"kai.lee@acme.test"}],"displayName":"Kai","externalId":"00u-kai","active":true}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"kai.lee@acme.test", "KAI.LEE@acme.test", "\u212aai", "kai ", " kai", "k\u0430i", "ka\u0131", "kai\u200b", "ｋai", "kai@acme.test", "00U-KAI", "kai\x00"} {
			if found := whom(t, w, name); found.ID != "" {
				t.Errorf("%q is taken for %s", name, found.UserName)
			}
		}
		for _, name := range []string{"kai", "KAI", "Kai", "00u-kai"} {
			if found := whom(t, w, name); found.ID != u.ID {
				t.Errorf("%q is not taken for kai", name)
			}
		}
	})
}

// whom finds whom the provider means by a name.
func whom(t *testing.T, w *fixture.World, name string) (found models.User) {
	t.Helper()
	err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
		who, err := sso.Whom(tx, w.Connection.ID, name)
		if len(who) > 0 {
			found = who[0]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAnswerIsTakenOnceByTheBrowserThatAsked(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := newCompany(t, w, "ada@acme.test")
		s.assigned(t, "ada")
		v := s.stranger(t)
		acs, form := s.idp.Answer(v.begin(s.path+"/login"), "ada@acme.test")
		if a := s.stranger(t).bring(acs, form); a.status != http.StatusForbidden {
			t.Errorf("another browser's answer: %d", a.status)
		}
		other := s.stranger(t)
		other.begin(s.path + "/login") // has a request of its own
		if a := other.bring(acs, form); a.status != http.StatusForbidden {
			t.Errorf("another browser with a request: %d", a.status)
		}

		// Twenty at once: one gets in.
		var in atomic.Int32
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 20 {
			all.Go(func() {
				<-start
				if a := v.bring(acs, form); a.status == http.StatusSeeOther {
					in.Add(1)
				} else if a.status != http.StatusForbidden && a.status != http.StatusConflict {
					t.Errorf("%d %s", a.status, plainText(a.body))
				}
			})
		}
		close(start)
		all.Wait()
		if in.Load() != 1 {
			t.Errorf("%d of 20 got in", in.Load())
		}
		if a := v.bring(acs, form); a.status == http.StatusSeeOther {
			t.Error("a replay got in")
		}

		// Too late.
		late := s.stranger(t)
		acs, form = s.idp.Answer(late.begin(s.path+"/login"), "ada@acme.test")
		s.Clock.Advance(sso.RequestLife)
		if a := late.bring(acs, form); a.status != http.StatusForbidden {
			t.Errorf("an answer after ten minutes: %d", a.status)
		}
	})
}

func TestNoAnswerLeadsElsewhere(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	c := newCompany(t, w, "ada@acme.test")
	c.assigned(t, "ada")
	elsewhere := []string{
		"https://evil.test/", "//evil.test", "/\\evil.test", "\\\\evil.test", "/\tevil", "javascript:alert(1)", "data:text/html,x", "http:evil.test", "///evil.test", "/%0d%0aSet-Cookie:a=b/../..",
		"https:/evil.test", "//evil.test@acme.test", "/..//evil.test", "\x01//evil.test", " //evil.test", "/\r\n//evil.test", "//", "////evil.test/%2f..", "mailto:a@b.c", "ftp://evil.test",
	}
	for _, to := range elsewhere {
		v := c.stranger(t)
		acs, form := c.idp.Answer(v.begin(c.path+"/login?next="+url.QueryEscape(to)), "ada@acme.test")
		form.Set("RelayState", to)
		a := v.bring(acs, form)
		location := a.header.Get("Location")
		u, err := url.Parse(location)
		if a.status != http.StatusSeeOther || err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") || strings.HasPrefix(location, "/\\") {
			t.Errorf("%q leads to %d %q", to, a.status, location)
		}
	}
}

// TestAnotherTenantsAnswerIsNobodysHere: each connection believes its own provider about its own people.
func TestAnotherTenantsAnswerIsNobodysHere(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w, "ada@acme.test")
		c.assigned(t, "ada")
		// Another workspace with a provider that calls somebody ada@acme.test too.
		other, err := workspace.Create(t.Context(), w.Store, "Globex", "owner@globex.test", models.PlanEnterprise, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		issued, err := w.Directory.CreateConnection(t.Context(), other, models.ProviderOkta, "test")
		if err != nil {
			t.Fatal(err)
		}
		evil := c
		globex := *w
		globex.Workspace, globex.Connection = other, issued.Connection
		evil.idp, evil.path = testkit.NewIdP(t, w.Clock.Now), "/saml/"+issued.Connection.ID
		evil.site = &site{World: &globex, URL: c.URL, handler: c.handler}
		evil.configure(t)
		evil.idp.Person("ada@acme.test")
		v := c.stranger(t)
		if a := evil.signInWith(t, v, "ada@acme.test", ""); a.status != http.StatusForbidden {
			t.Errorf("a tenant's provider signs in another's person: %d", a.status)
		}
		// Its answer at our door.
		_, form := evil.idp.Answer(v.begin(evil.path+"/login"), "ada@acme.test")
		v.begin(c.path + "/login")
		if a := v.bring(c.URL+c.path+"/acs", form); a.status != http.StatusForbidden {
			t.Errorf("another tenant's answer: %d", a.status)
		}
		for _, closing := range []struct {
			what string
			do   func() error
		}{
			{"the plan", func() error {
				return w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetPlan(w.Workspace.ID, models.PlanTeam) })
			}},
			{"the connection", func() error {
				return w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test")
			}},
		} {
			if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetPlan(w.Workspace.ID, models.PlanEnterprise) }); err != nil {
				t.Fatal(err)
			}
			v := c.stranger(t)
			acs, form := c.idp.Answer(v.begin(c.path+"/login"), "ada@acme.test")
			in := c.stranger(t)
			if a := c.signInWith(t, in, "ada@acme.test", ""); a.status != http.StatusSeeOther {
				t.Fatalf("before %s has ended: %d", closing.what, a.status)
			}
			if err := closing.do(); err != nil {
				t.Fatal(err)
			}
			if a := v.bring(acs, form); a.status == http.StatusSeeOther {
				t.Errorf("signed in after %s has ended", closing.what)
			}
			if a := in.get("/"); a.status != http.StatusSeeOther {
				t.Errorf("still in after %s has ended: %d", closing.what, a.status)
			}
		}
	})
}

func TestPersonWhoLeavesBetweenTheQuestionAndTheAnswerIsOut(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w, "ada@acme.test")
		u := c.assigned(t, "ada")
		v := c.stranger(t)
		acs, form := c.idp.Answer(v.begin(c.path+"/login"), "ada@acme.test")
		c.SetActive(u.ID, false)
		if a := v.bring(acs, form); a.status != http.StatusForbidden {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestAnswerNobodyAskedForIsRefusedUnlessAllowed(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w, "ada@acme.test")
		c.assigned(t, "ada")
		unasked := func() (string, url.Values) { return c.idp.Unasked(c.URL+c.path, "ada@acme.test") }
		v := c.stranger(t)
		acs, form := unasked()
		if a := v.bring(acs, form); a.status != http.StatusForbidden {
			t.Fatalf("not allowed: %d %s", a.status, plainText(a.body))
		}
		if err := c.Gate.SetOptions(t.Context(), sso.By{WorkspaceID: w.Workspace.ID, Actor: "test"}, w.Connection.ID, false, true); err != nil {
			t.Fatal(err)
		}
		acs, form = unasked()
		form.Set("RelayState", "https://evil.test")
		a := v.bring(acs, form)
		if a.status != http.StatusSeeOther || a.header.Get("Location") != "/" {
			t.Fatalf("allowed: %d %s", a.status, plainText(a.body))
		}
		if a := v.get("/"); !a.has("You came from Okta’s page as") {
			t.Error("the page does not say where they came from")
		}
		if a := c.stranger(t).bring(acs, form); a.status == http.StatusSeeOther {
			t.Error("the same answer again")
		}
		acs, form = unasked()
		c.Clock.Advance(2*time.Minute + sso.Skew + time.Second)
		if a := c.stranger(t).bring(acs, form); a.status == http.StatusSeeOther {
			t.Error("an old answer")
		}
	})
}

func TestWorkspaceIsFoundByShortNameAndByMail(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	c := newCompany(t, w, "ada@acme.test")
	c.assigned(t, "ada")
	find := func(text string) answer { return c.stranger(t).post("/signin/sso", url.Values{"find": {text}}) }
	if a := find("Acme"); !a.has(`href="`+c.path+`/login"`) || !a.has("Continue with Okta") {
		t.Errorf("by its short name: %d %s", a.status, plainText(a.body))
	}
	for _, text := range []string{"globex", "", "acme%", "bob@"} {
		if a := find(text); a.status != http.StatusUnprocessableEntity || a.has("Continue with Okta") {
			t.Errorf("%q: %d %s", text, a.status, plainText(a.body))
		}
	}
	c.signInWith(t, c.stranger(t), "ada@acme.test", "")
	for _, text := range []string{"ada@acme.test", "nobody-at-all@acme.test"} { // the same answer for both
		if a := find(text); a.status != http.StatusSeeOther || a.header.Get("Location") != "/signin/sent" {
			t.Errorf("%q: %d %s", text, a.status, plainText(a.body))
		}
	}
	box := w.Mailbox(nil)
	signIns := func() (all []mail.Stored) {
		for _, m := range box.Messages() {
			if strings.Contains(m.Subject, "sign-in link") {
				all = append(all, m)
			}
		}
		return all
	}
	testkit.Eventually(t, patience, "the way in is mailed", func() bool { return len(signIns()) > 0 })
	if m := signIns()[0]; len(signIns()) != 1 || m.To != "ada@acme.test" || !strings.Contains(m.Text, "Or sign in with Okta:") || !strings.Contains(m.Text, c.path+"/login") {
		t.Errorf("the mails: %+v", signIns())
	}
}

// TestInvitedPersonContinuesWithTheProvider goes from the invitation's page to the provider and back.
func TestInvitedPersonContinuesWithTheProvider(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := newCompany(t, w, "ada@acme.test", "bob@acme.test")
		c.assigned(t, "ada")
		c.assigned(t, "bob")
		link := func(email string) string {
			m := mustMember(t, w, email)
			var inv models.Invitation
			if err := w.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
				inv, _, err = tx.LastInvitation(m)
				return err
			}); err != nil || inv.ID == "" {
				t.Fatalf("the invitation of %s: %v", email, err)
			}
			return "/invite/" + w.Converge.InvitationToken(inv.ID)
		}
		v := c.stranger(t)
		if a := v.get(link("ada@acme.test")); !a.has("Continue with Okta") || !a.has("Accept without Okta") {
			t.Errorf("the page: %s", plainText(a.body))
		}
		first := v.get(link("ada@acme.test") + "/sso")
		if first.status != http.StatusSeeOther || first.header.Get("Referrer-Policy") != "no-referrer" || strings.Contains(first.header.Get("Location"), link("ada@acme.test")[8:]) {
			t.Fatalf("on the way: %d %v", first.status, first.header)
		}
		acs, form := c.idp.Answer(first.header.Get("Location"), "ada@acme.test")
		if a := v.bring(acs, form); a.status != http.StatusSeeOther || a.header.Get("Location") != "/" {
			t.Fatalf("back: %d %s", a.status, plainText(a.body))
		}
		if m := mustMember(t, w, "ada@acme.test"); m.Status != models.MemberActive {
			t.Errorf("ada is %s", m.Status)
		}
		if a := c.stranger(t).get(link("bob@acme.test") + "x/sso"); a.status != http.StatusNotFound {
			t.Errorf("a link that is none: %d", a.status)
		}

		// Where it is required there is no other way to join.
		by := sso.By{WorkspaceID: w.Workspace.ID, Actor: "test", Terminal: true}
		if err := c.Gate.Require(t.Context(), by, w.Connection.ID, c.owner(t).ID); err != nil {
			t.Fatal(err)
		}
		v = c.stranger(t)
		if a := v.get(link("bob@acme.test")); !a.has("Continue with Okta") || a.has("Accept without Okta") {
			t.Errorf("the page where it is required: %s", plainText(a.body))
		}
		if a := v.post(link("bob@acme.test"), nil); a.status != http.StatusForbidden || mustMember(t, w, "bob@acme.test").Status != models.MemberInvited {
			t.Errorf("accepted without it: %d", a.status)
		}
		acs, form = c.idp.Answer(v.begin(link("bob@acme.test")+"/sso"), "bob@acme.test")
		if a := v.bring(acs, form); a.status != http.StatusSeeOther || mustMember(t, w, "bob@acme.test").Status != models.MemberActive {
			t.Errorf("with it: %d %s", a.status, plainText(a.body))
		}
	})
}

// TestCookieOfSingleSignOnComesBackFromTheProvidersSite: the form that needs it is sent by another site, so it is the one
// cookie that has to be None; on https alone, where it is Secure and this host's.
func TestCookieOfSingleSignOnComesBackFromTheProvidersSite(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	plain := newCompany(t, w, "ada@acme.test")
	secure := serve(t, w, func(c *dashboard.Config) { c.PublicURL = "https://outpost.example.com" })
	for _, test := range []struct {
		site *site
		want string
	}{{plain.site, "outpost-saml=%; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"}, {secure, "__Host-outpost-saml=%; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=None"}} {
		a := test.site.stranger(t).get(plain.path + "/login")
		before, after, _ := strings.Cut(test.want, "%")
		if cookie := a.header.Get("Set-Cookie"); a.status != http.StatusSeeOther || !strings.HasPrefix(cookie, before) || !strings.HasSuffix(cookie, after) {
			t.Errorf("%d %q, want %q", a.status, cookie, test.want)
		}
	}
}
