package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/sso"
	"outpost/store"
)

const (
	windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
	ubuntu  = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
)

// signInWith is signIn in a browser that calls itself agent.
func (s *site) signInWith(t testing.TB, m models.Member, agent string) *visitor {
	t.Helper()
	v := s.stranger(t)
	link, token := sso.PrintedLink(m, s.Clock.Now())
	if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&link); return nil }); err != nil {
		t.Fatal(err)
	}
	if a := v.do("POST", "/signin/"+token, url.Values{}, func(r *http.Request) { r.Header.Set("User-Agent", agent) }); a.status != http.StatusSeeOther {
		t.Fatalf("sign in as %s: %d %s", m.Email, a.status, a.body)
	}
	return v
}

var endForm = regexp.MustCompile(`action="(/account/sessions/[0-9a-f-]{36}/end)"><button class="btn btn-s" type="submit">Sign out<span class="sr"> of ([^<]+)</span>`)

// ends are the forms of the sessions page that end one session, by the words for its browser.
func ends(a answer) map[string]string {
	forms := map[string]string{}
	for _, m := range endForm.FindAllStringSubmatch(a.body, -1) {
		forms[m[2]] = m[1]
	}
	return forms
}

func TestWhoIsSignedInSomewhereElseEndsThatThemselves(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		m := joined(t, w, w.Workspace.ID, "ada@acme.test", models.RoleMember)
		desk, phone, cafe, tool := s.signInWith(t, m, windows), s.signInWith(t, m, iphone), s.signInWith(t, m, ubuntu), s.signInWith(t, m, "curl/8.5.0")
		in := func(v *visitor) bool { return v.get("/account/sessions").status == http.StatusOK }
		page := desk.get("/account/sessions")
		page.says(t, "the sessions page", "Chrome on Windows", "Safari on iPhone", "Firefox on Linux", "curl/8.5.0", "127.0.0.1", "e-mail link", "This device", "Sign out everywhere else")
		forms := ends(page)
		if len(forms) != 3 || forms["Chrome on Windows"] != "" || strings.Count(page.body, "This device") != 1 {
			t.Fatalf("sessions to end: %v", forms)
		}

		if a := desk.post(forms["Safari on iPhone"], nil); a.status != http.StatusSeeOther || a.header.Get("Location") != "/account/sessions" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		desk.get("/account/sessions").says(t, "the page after that", "You are signed out of Safari on iPhone.")
		if in(phone) || !in(cafe) || !in(tool) || !in(desk) {
			t.Error("not the one session has ended")
		}
		if a := desk.post(forms["Safari on iPhone"], nil); a.status != http.StatusSeeOther {
			t.Errorf("a second time: %d", a.status)
		}

		// Nobody ends what is another's, not even an owner here.
		other := s.signIn(t, s.owner(t))
		for _, id := range []string{forms["Firefox on Linux"], "/account/sessions/nonsense/end"} {
			if a := other.post(id, nil); a.status != http.StatusNotFound {
				t.Errorf("somebody else ends %s: %d", id, a.status)
			}
		}
		if !in(cafe) {
			t.Error("somebody else ended it")
		}

		desk.post("/account/sessions/end-others", nil)
		if page = desk.get("/account/sessions"); in(cafe) || in(tool) || !in(desk) || page.has("Sign out everywhere else") {
			t.Error("everywhere else is not everywhere else")
		}
		phone = s.signInWith(t, m, iphone)
		if a := desk.post("/account/sessions/end-all", nil); a.header.Get("Location") != "/signin" {
			t.Errorf("%d %v", a.status, a.header)
		}
		if in(phone) || in(desk) {
			t.Error("everywhere is not everywhere")
		}
		if !in(other) {
			t.Error("somebody else was signed out with it")
		}

		var said []string
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Method == "signout" && e.TargetID == m.ID && e.Actor == m.Name {
				said = append(said, e.Detail)
			}
		}
		want := []string{"signed out everywhere: Chrome on Windows and Safari on iPhone", "signed out everywhere else: curl/8.5.0 and Firefox on Linux", "signed out of Safari on iPhone"}
		if strings.Join(said, "; ") != strings.Join(want, "; ") {
			t.Errorf("the audit says %q", said)
		}
		other.get("/activity?tab=signins").says(t, "the sign-ins", "Some member</a> signed out", "Signed out of Safari on iPhone; done in Go-http-client/1.1 from 127.0.0.1.", "Some member</a> signed in", "Refused")
		if other.get("/activity?tab=hand").has("signed out") {
			t.Error("signing out is told as an act on others")
		}
	})
}

func TestAnAdminSeesWhereSomebodyIsSignedInAndWhoWasRefused(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		m := joined(t, w, w.Workspace.ID, "ada@acme.test", models.RoleMember)
		used, token := sso.PrintedLink(m, w.Clock.Now())
		old, oldToken := sso.PrintedLink(m, w.Clock.Now().Add(-time.Hour))
		late, lateToken := sso.PrintedLink(m, w.Clock.Now())
		asked := w.Gate.NewLink(sso.Ask{EmailKey: m.EmailKey, Member: &m, Browser: sso.Secret()})
		nobody := w.Gate.NewLink(sso.Ask{EmailKey: "nobody@acme.test", Browser: sso.Secret()})
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&used, &old, &late, &asked, &nobody); return nil }); err != nil {
			t.Fatal(err)
		}
		ada := s.stranger(t)
		ada.do("POST", "/signin/"+token, url.Values{}, func(r *http.Request) { r.Header.Set("User-Agent", windows) })
		v := s.signIn(t, s.owner(t))
		path := "/people/" + m.ID
		v.get(path).says(t, "the person's page", "Sessions</h2>", "<b>Chrome on Windows</b>", "127.0.0.1, e-mail link", "Sign out everywhere", "Last sign-ins", "Signed in by e-mailed link.")

		thief := s.stranger(t)
		refuse := func(token string, form url.Values, status int) {
			t.Helper()
			if a := thief.do("POST", "/signin/"+token, form, func(r *http.Request) { r.Header.Set("User-Agent", ubuntu) }); a.status != status {
				t.Errorf("%d, want %d: %s", a.status, status, a.body)
			}
		}
		refused := func() (details []string) {
			entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Status != http.StatusOK && e.Method == "signin" {
					if e.Status != http.StatusForbidden || e.TargetID != m.ID || e.TargetType != models.ResourceMember || e.IP == "" || e.UserAgent != ubuntu || e.Actor != "somebody" {
						t.Errorf("%+v", e)
					}
					details = append(details, e.Detail)
				}
			}
			return details
		}
		refuse(sso.Secret(), nil, http.StatusNotFound)
		refuse(w.Gate.Token(nobody.ID), url.Values{"email": {"nobody@acme.test"}}, http.StatusNotFound)
		if got := refused(); len(got) != 0 {
			t.Errorf("what names nobody is recorded: %q", got)
		}
		refuse(token, nil, http.StatusGone)
		refuse(oldToken, nil, http.StatusGone)
		refuse(w.Gate.Token(asked.ID), url.Values{"email": {"thief@evil.test"}}, http.StatusUnprocessableEntity)
		m.Status = models.MemberDeactivated
		s.save(t, "ada@acme.test", func(n *models.Member) { n.Status = models.MemberDeactivated })
		refuse(lateToken, nil, http.StatusForbidden)
		want := []string{"there is no access to the workspace any more", "the sign-in link was opened in another browser, with another address", "this sign-in link has expired", "this sign-in link was used already"}
		if got := refused(); strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("recorded: %q", got)
		}

		page := v.get(path)
		page.says(t, "the person's page", "Last sign-ins", "badge-refused", "This sign-in link was used already.", "Firefox on Linux from 127.0.0.1", "The sign-in of Some member was refused")
		if page.has("Sessions</h2>") {
			t.Error("sessions are shown of somebody without access")
		}
		list := v.get("/activity?tab=signins&state=refused")
		list.says(t, "the refused sign-ins", "The sign-in of <a", "was refused", "Refused: this sign-in link has expired")
		if list.has("signed in") && list.has("Owner</a> signed in") {
			t.Error("the refused sign-ins have others among them")
		}
		v.get("/activity?q="+m.ID+"&tab=signins").says(t, "the sign-ins of one person", "signed in", "was refused")
		entries, err := w.Store.SignIns(t.Context(), w.Workspace.ID, m.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		v.get("/activity/requests/"+entries[0].ID).says(t, "the page of a refused sign-in", "Refused. Nobody was signed in.", "Sign-ins</a>")

		for range 40 { // whoever has an old link cannot fill the audit with it
			refuse(token, nil, http.StatusGone)
		}
		if got := refused(); len(got) != 10 {
			t.Errorf("%d refused sign-ins are recorded", len(got))
		}
	})
}
