package dashboard_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
	"outpost/scim"
	"outpost/workspace"
)

var invitationIn = regexp.MustCompile(`/invite/[A-Za-z0-9_-]{43}`)

// invited waits for the n-th mail to an address, counted from 1, and takes its link.
func invited(t testing.TB, box *mail.Mailbox, to string, n int) string {
	t.Helper()
	var links []string
	testkit.Eventually(t, patience, "the invitation is mailed", func() bool {
		links = nil
		for _, m := range box.Messages() { // newest first
			if link := invitationIn.FindString(m.Text); m.To == to && link != "" {
				links = append(links, link)
			}
		}
		return len(links) >= n
	})
	if len(links) > n {
		t.Fatalf("%d mails to %s", len(links), to)
	}
	return links[0]
}

// hand is an owner who acts.
func hand(w *fixture.World) workspace.By {
	return workspace.By{WorkspaceID: w.Workspace.ID, Actor: "Nadia Verhoeven", Role: models.RoleOwner, RequestID: "by-hand"}
}

// guest invites ada by the directory, in two teams.
func guest(t testing.TB, w *fixture.World) (u models.User, link string) {
	t.Helper()
	box := w.Mailbox(nil)
	u = w.User("ada")
	w.Group("Engineering", u.ID)
	w.Group("Platform", u.ID)
	w.Settled(patience)
	return u, invited(t, box, "ada@acme.test", 1)
}

func TestInvitedPersonJoinsByTheLinkAndIsSignedIn(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		_, link := guest(t, w)
		s := serve(t, w, nil)
		v := s.stranger(t)
		a := v.get(link)
		if a.status != 200 || !a.has("Join <bdi>Acme</bdi>") || !a.has("Your IT team</bdi> invites") || !a.has("ada@") || !a.has("as a member, in the teams <bdi>Engineering and Platform</bdi>") || !a.has("Accept the invitation") || a.has("Continue with") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if got := a.header.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("Referrer-Policy: %q", got)
		}
		if got := a.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control: %q", got)
		}
		if m, _ := w.Member("ada@acme.test"); m.Status != models.MemberInvited || m.AcceptedAt != nil {
			t.Fatalf("looking made them %+v", m)
		}
		a = v.post(link, nil)
		if a.status != 303 || a.header.Get("Location") != "/" || len(v.http.Jar.Cookies(mustParse(t, s.URL))) == 0 {
			t.Fatalf("%d %v %s", a.status, a.header, a.body)
		}
		m, _ := w.Member("ada@acme.test")
		if m.Status != models.MemberActive || m.AcceptedAt == nil || !m.AcceptedAt.Equal(w.Clock.Now()) || !slices.Equal(m.Teams, []string{"Engineering", "Platform"}) {
			t.Errorf("%+v", m)
		}
		sessions, err := w.Store.Sessions(t.Context(), m.ID, w.Clock.Now().Add(-time.Hour))
		if err != nil || len(sessions) != 1 || !sessions[0].Living(m.Member, w.Workspace, w.Clock.Now()) {
			t.Errorf("%+v %v", sessions, err)
		}
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil || entries[0].Method != "accept invitation" || entries[0].Actor != "ada Test" || entries[0].TargetID != m.ID || entries[0].Detail != "joined by the e-mailed link" || entries[0].IP != "127.0.0.1" {
			t.Errorf("%+v %v", entries, err)
		}
		// Again, in the same browser and in another one.
		if a := v.get(link); a.status != 303 || a.header.Get("Location") != "/" {
			t.Errorf("opened again: %d", a.status)
		}
		if a := v.post(link, nil); a.status != 303 || a.header.Get("Location") != "/" {
			t.Errorf("a second click: %d %s", a.status, a.body)
		}
		other := s.stranger(t)
		if a := other.post(link, nil); a.status != 410 || !a.has("You have joined already") || !a.has(`action="/signin"`) || len(a.header["Set-Cookie"]) > 0 {
			t.Errorf("in another browser: %d %v %s", a.status, a.header, a.body)
		}
		// What the directory says goes on as before.
		w.Group("Later", *m.DirectoryUserID)
		w.Settled(patience)
		if m, _ := w.Member("ada@acme.test"); !slices.Contains(m.Teams, "Later") || m.Status != models.MemberActive {
			t.Errorf("%+v", m)
		}
	})
}

func TestOfTwoWhoAcceptAtOnceOneJoins(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		_, link := guest(t, w)
		s := serve(t, w, nil)
		answers := make([]answer, 6)
		var wg sync.WaitGroup
		for i := range answers {
			v := s.stranger(t)
			wg.Go(func() { answers[i] = v.post(link, nil) })
		}
		wg.Wait()
		in, late := 0, 0
		for _, a := range answers {
			switch {
			case a.status == http.StatusSeeOther && a.header.Get("Location") == "/":
				in++
			case a.status == http.StatusGone && a.has("You have joined already"):
				late++
			default:
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		if in != 1 || late != len(answers)-1 {
			t.Errorf("%d came in, %d were late", in, late)
		}
		m, _ := w.Member("ada@acme.test")
		if sessions, err := w.Store.Sessions(t.Context(), m.ID, w.Clock.Now().Add(-time.Hour)); err != nil || len(sessions) != 1 {
			t.Errorf("%d sessions, %v", len(sessions), err)
		}
	})
}

func TestJoiningBeginsASessionOfItsOwn(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		_, link := guest(t, w)
		s := serve(t, w, nil)
		// An attacker's cookie is in the browser: it is not the one that gets in.
		planted := strings.Repeat("a", 43)
		a := s.stranger(t).do("POST", link, nil, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "outpost-session", Value: planted}) })
		if a.status != 303 || strings.Contains(strings.Join(a.header["Set-Cookie"], " "), planted) || !strings.Contains(strings.Join(a.header["Set-Cookie"], " "), "outpost-session=") {
			t.Fatalf("%d %v", a.status, a.header)
		}
		// The same person in another workspace: the session there ends.
		second, err := workspace.Create(t.Context(), w.Store, "Second", "boss@second.test", models.PlanEnterprise, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		elsewhere := joined(t, w, second.ID, "bo@acme.test", models.RoleAdmin)
		if _, err := w.Hands.Invite(t.Context(), hand(w), "Bo@acme.test", "Bo Lindahl", models.RoleAdmin); err != nil {
			t.Fatal(err)
		}
		v := s.signIn(t, elsewhere)
		m, _ := w.Member("Bo@acme.test")
		bo := link
		testkit.Eventually(t, patience, "Bo is invited", func() bool { bo = s.linkOf(t, m.Member); return bo != "" })
		if a := v.get(bo); a.status != 200 || !a.has("as an admin") || !a.has("<bdi>Acme</bdi> invites") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := v.post(bo, nil); a.status != 303 || a.header.Get("Location") != "/" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if left, err := w.Store.Sessions(t.Context(), elsewhere.ID, w.Clock.Now().Add(-time.Hour)); err != nil || len(left) != 0 {
			t.Errorf("%d sessions left, %v", len(left), err)
		}
		if a := v.get("/settings/members"); a.status != 200 || !a.has("Bo Lindahl") {
			t.Errorf("%d", a.status)
		}
	})
}

// linkOf is the path of the link of a member's newest invitation, "" for none.
func (s *site) linkOf(t testing.TB, m models.Member) string {
	t.Helper()
	p, err := s.Store.Person(t.Context(), m.WorkspaceID, m.ID)
	if err != nil {
		t.Fatal(err)
	}
	if p.Invitation == nil {
		return ""
	}
	return "/invite/" + s.Converge.InvitationToken(p.Invitation.ID)
}

func TestEveryLinkOfAnInvitationSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		u, link := guest(t, w)
		s := serve(t, w, nil)
		v := s.stranger(t)
		shows := func(what, link string, status int, words ...string) {
			t.Helper()
			for _, method := range []string{"GET", "POST"} {
				a := v.do(method, link, nil, nil)
				if a.status != status {
					t.Errorf("%s: %s: %d, want %d", what, method, a.status, status)
				}
				for _, word := range words {
					if !a.has(word) {
						t.Errorf("%s: %s: %q is not there: %s", what, method, word, a.body)
					}
				}
				if a.has(`action="`+link+`"`) || len(a.header["Set-Cookie"]) > 0 {
					t.Errorf("%s: %s lets them in: %s", what, method, a.body)
				}
			}
			if m, _ := w.Member("ada@acme.test"); m.Status == models.MemberActive {
				t.Fatalf("%s: they joined", what)
			}
		}
		shows("cut off", link[:len(link)-3], 404, "This is not the whole link", "copy the whole of it")
		shows("unknown", "/invite/"+strings.Repeat("x", 43), 404, "This is not the whole link")

		m, _ := w.Member("ada@acme.test")
		if err := w.Hands.VoidInvitation(t.Context(), hand(w), m.ID); err != nil {
			t.Fatal(err)
		}
		shows("withdrawn", link, 410, "This invitation was withdrawn", "ask them to invite you again")
		if a := v.post(link+"/again", nil); a.status != 303 {
			t.Errorf("%d", a.status)
		}
		shows("withdrawn, and asked for", link, 410, "This invitation was withdrawn")

		if err := w.Hands.ResendInvitation(t.Context(), hand(w), m.ID); err != nil {
			t.Fatal(err)
		}
		w.Settled(patience)
		shows("another was sent", link, 410, "A new invitation is on its way", "the one in this mail does nothing any more")
		before := w.Clock.Now()
		w.Clock.Advance(16 * time.Minute)
		shows("another was sent a while ago", link, 410, "There is a newer invitation", "counts")
		w.Clock.Set(before)
		link = s.linkOf(t, m.Member)
		if a := v.get(link); a.status != 200 {
			t.Errorf("the new one: %d", a.status)
		}

		owner := s.signIn(t, s.owner(t))
		for _, method := range []string{"GET", "POST"} {
			if a := owner.do(method, link, nil, nil); a.status != 403 || !a.has("This invitation is for somebody else") || !a.has("owner@") || !a.has("Sign out and continue") {
				t.Errorf("signed in as somebody else: %d %s", a.status, a.body)
			}
		}
		if a := owner.post(link+"/signout", nil); a.status != 303 || a.header.Get("Location") != link {
			t.Errorf("%d %v", a.status, a.header)
		}
		if a := owner.get(link); a.status != 200 || !a.has("Accept the invitation") {
			t.Errorf("signed out: %d %s", a.status, a.body)
		}

		w.Patch(u.ID, `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"ada.new@acme.test"}]`)
		w.Settled(patience)
		shows("another address", link, 410, "This invitation went to an old address", "newest mail counts")
		if m, _ := w.Member("ada.new@acme.test"); m.Status != models.MemberInvited {
			t.Errorf("%+v", m)
		}
		if a := v.get(link); a.has("ada.new") {
			t.Errorf("the new address is told to the holder of an old link")
		}
		moved, _ := w.Member("ada.new@acme.test")
		link = s.linkOf(t, moved.Member)
		w.SetActive(u.ID, false)
		shows("without access", link, 403, "You have no access at present")
		w.Settled(patience)
		shows("without access, tidied up", link, 403, "You have no access at present")
		w.SetActive(u.ID, true)
		w.Settled(patience)
		shows("another period", link, 410, "A new invitation is on its way")
		moved, _ = w.Member("ada.new@acme.test")
		if a := v.post(s.linkOf(t, moved.Member), nil); a.status != 303 {
			t.Errorf("the invitation of the new period: %d %s", a.status, a.body)
		}
	})
}

func TestWhoHoldsAnExpiredLinkAsksForAnotherMail(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box := w.Mailbox(nil)
		w.User("ada")
		w.Settled(patience)
		link := invited(t, box, "ada@acme.test", 1)
		s := serve(t, w, nil)
		v := s.stranger(t)
		w.Clock.Advance(workspace.DefaultLife)
		if a := v.get(link); a.status != 410 || !a.has("This invitation has expired") || !a.has("Ask for a new invitation") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := v.post(link, nil); a.status != 410 {
			t.Errorf("%d", a.status)
		}
		var wg sync.WaitGroup // a click too many sends no mail too many
		for range 4 {
			v := s.stranger(t)
			wg.Go(func() {
				if a := v.post(link+"/again", nil); a.status != 303 && a.status != 429 {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		wg.Wait()
		if a := v.get(link); a.status != 410 || !a.has("A new invitation is on its way") || !a.has("ada@") {
			t.Errorf("%d %s", a.status, a.body)
		}
		second := invited(t, box, "ada@acme.test", 2)
		if second == link {
			t.Fatal("the old link works again")
		}
		w.Clock.Advance(14 * time.Minute)
		if a := v.post(link+"/again", nil); a.status != 429 || !a.has("One mail is sent in 15 minutes") {
			t.Errorf("%d %s", a.status, a.body)
		}
		w.Clock.Advance(2 * time.Minute)
		if a := v.post(link+"/again", nil); a.status != 303 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if third := invited(t, box, "ada@acme.test", 3); third != second {
			t.Error("the open invitation was not mailed again")
		}
		m, _ := w.Member("ada@acme.test")
		if a := s.signIn(t, s.owner(t)).get("/people/" + m.ID); a.status != 200 || !a.has("ada Test asked for another invitation") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := v.post(second, nil); a.status != 303 || a.header.Get("Location") != "/" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := s.stranger(t).get(link); a.status != 410 || !a.has("You have joined already") {
			t.Errorf("%d %s", a.status, a.body)
		}
		w.Clock.Advance(time.Hour)
		s.stranger(t).post(link+"/again", nil)
		w.Settled(patience)
		if n := len(box.Messages()); n != 3 {
			t.Errorf("%d mails", n)
		}
	})
}

// attack is markup that must stay text.
const attack = `<img src=x onerror=alert(1)>"'`

func TestNamesOnAnInvitationAreOnlyEverText(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	space, err := workspace.Create(t.Context(), w.Store, attack, "boss@evil.test", models.PlanEnterprise, w.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	by := hand(w)
	by.WorkspaceID = space.ID
	m, err := w.Hands.Invite(t.Context(), by, "ada@acme.test", attack, models.RoleMember)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, w, nil)
	link := s.linkOf(t, m)
	p := testkit.Browser(t)
	p.Allow("410|403|404")
	for _, path := range []string{link, link + attack, "/invite/" + attack} {
		if a := s.stranger(t).get(strings.ReplaceAll(path, " ", "%20")); strings.Contains(a.body, "<img") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	p.Open(s.URL + link)
	p.WaitText("h1", "Join <img src=x")
	p.Inert()
	p.Click("main button")
	p.Wait("body")
	p.Inert()
	if got, err := w.Store.MemberAt(t.Context(), space.ID, scim.Fold(m.Email)); err != nil || got.Status != models.MemberActive {
		t.Errorf("%+v %v", got, err)
	}
	p.Open(s.URL + link)
	p.Inert()
}
