package dashboard_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"outpost/dashboard"
	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/sso"
	"outpost/store"
)

// browse opens a page in a real browser, signed in as m.
func (s *site) browse(t testing.TB, m models.Member) *testkit.Page {
	t.Helper()
	v := s.signIn(t, m)
	p := testkit.Browser(t)
	for _, c := range v.http.Jar.Cookies(mustParse(t, s.URL)) {
		p.SetCookie(s.URL, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", HttpOnly: true})
	}
	return p
}

// seen is a page in a state that somebody can meet it in.
type seen struct {
	name, path string
	as         func(*testkit.Page) // what to do before looking, nil for nothing
}

// look checks a page in light, dark and at phone width: it breaks no rule of accessibility, nothing of it is wider than
// the phone, and its picture goes to $SCREENSHOTS, if that is set. A page is opened once, and follows the screen.
func look(t *testing.T, p *testkit.Page, base string, pages ...seen) {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	for _, page := range pages {
		p.Emulate(1280, 900, false, 1)
		p.Open(base + page.path)
		if page.as != nil {
			page.as(p)
		}
		for _, at := range []struct {
			suffix string
			width  int
			dark   bool
		}{{"", 1280, false}, {"-dark", 1280, true}, {"-390", 390, false}} {
			p.Emulate(at.width, 900, at.dark, 1)
			for _, v := range p.Axe() {
				t.Errorf("%s%s: %s (%s): %v", page.name, at.suffix, v.Help, v.ID, v.Nodes)
			}
			var wide int
			p.Eval("document.documentElement.scrollWidth", &wide)
			if wide > at.width {
				var who []string
				p.Eval(`[...document.querySelectorAll('main *, dialog *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.table-scroll, .tabs')).slice(0, 4).map(e => e.outerHTML.slice(0, 100))`, &who)
				t.Errorf("%s%s is %d px wide: %q", page.name, at.suffix, wide, who)
			}
			if folder != "" {
				p.Screenshot(filepath.Join(folder, page.name+at.suffix+".png"))
			}
		}
	}
}

// people are those of the full workspace, one of them with a name that no line holds.
var people = []string{
	"Nadia Verhoeven", "Hana Sato", "Mateo Rivas", "Leila Haddad", "Tomas Brandl", "Jonas Lindgren", "Priya Nair", "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschafers Keller", "Elif Demir", "Samuel Achterberg",
	"Ama Boateng", "Oskar Wendt", "Yuki Mori", "Chidi Obi", "Ines Moreau", "Bo Lindahl", "Wren Castell", "Rosa Alvarez", "Kofi Mensah", "Greta Nilsson",
	"Anna-Maria Wolkenstein-Rodenegg von Trostburg", "李小龍", "محمد العربي", "Zoë O’Hara", "Łukasz Żółć",
}

// address is a person's e-mail address.
func address(i int) string { return fmt.Sprintf("person%02d@larkfield.example", i) }

// full makes a workspace in which everything has happened: people who joined, are invited, left, whose mail was refused,
// groups, a role from a group, a held removal, refused requests.
func full(t *testing.T, w *fixture.World) map[string]string {
	t.Helper()
	ids := map[string]string{}
	sink := testkit.NewSMTP(t)
	sink.Reject(func(to string) *gosmtp.SMTPError {
		if to == address(7) || to == address(11) {
			return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
		}
		return nil
	})
	sender, err := mail.NewSMTP(sink.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sender.Close() })
	w.MailBy(sender)
	w.Schedule()
	var users []models.User
	post := w.Caller()
	post.Actor, post.Method, post.IP, post.UserAgent, post.ProviderRequestID = "token …"+w.Token[len(w.Token)-4:], "POST", "203.0.113.40", "Okta SCIM Client 1.0.0", "ZzR4kQw1-0000-lark"
	for i, name := range people {
		given, family, _ := strings.Cut(name, " ")
		u, err := w.Directory.CreateUser(t.Context(), post, w.Resource(fmt.Sprintf(`{"userName":%q,"externalId":"00u%d","name":{"givenName":%q,"familyName":%q},"displayName":%q,"title":"Engineer","emails":[{"value":%q,"primary":true,"type":"work"}],"active":true}`, address(i), i, given, family, name, address(i))))
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, u)
	}
	id := func(from, to int) (all []string) {
		for _, u := range users[from:to] {
			all = append(all, u.ID)
		}
		return all
	}
	engineering := w.Group("Engineering", append(id(0, 15), "00u-not-yet")...)
	w.Group("Platform", id(0, 4)...)
	admins := w.Group("Outpost admins", id(0, 1)...)
	w.Group("Larkfield summer conference volunteers", id(9, 12)...)
	w.Settled(30 * time.Second)
	if err := w.Directory.MapRole(t.Context(), directory.Caller{WorkspaceID: w.Workspace.ID, ConnectionID: w.Connection.ID, Actor: "Owner", Method: "map"}, admins.ID, models.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	// Two of them joined.
	for _, i := range []int{0, 4} {
		m, _ := w.Member(address(i))
		now := w.Clock.Now()
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
			m.Status, m.AcceptedAt = models.MemberActive, &now
			return tx.SaveMember(m.Member)
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.Patch(users[0].ID, `[{"op":"replace","value":{"title":"Staff engineer"}}]`)
	w.SetActive(users[4].ID, false)
	// The owner's removal is held.
	mirror, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("owner"))
	if err != nil {
		t.Fatal(err)
	}
	w.SetActive(mirror.ID, false)
	w.Directory.Refused(t.Context(), w.Caller(), models.ResourceUser, "", 400, "the filter names nickName, which cannot be filtered by: use userName")
	w.Settled(30 * time.Second)
	w.Clock.Advance(14 * time.Minute)
	for name, i := range map[string]int{"person": 0, "invited": 1, "left": 4, "refused": 7} {
		m, _ := w.Member(address(i))
		ids[name] = m.ID
	}
	ids["group"] = engineering.ID
	entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Changes != nil && e.TargetType == models.ResourceUser {
			ids["audit"] = e.ID
		}
	}
	testkit.Eventually(t, 20*time.Second, "so many people are a run", func() bool {
		runs, _, err := w.Store.Runs(t.Context(), w.Workspace.ID, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) > 0 {
			ids["run"] = runs[0].ID
		}
		return len(runs) > 0
	})
	return ids
}

func TestInBrowserEveryPageIsAccessibleInLightDarkAndOnAPhone(t *testing.T) {
	t.Parallel()
	t.Run("nobody signed in", func(t *testing.T) {
		t.Parallel()
		s := serve(t, fixture.New(t, fixture.SQLite(t), nil), nil)
		p := testkit.Browser(t)
		p.Allow("404|422|410")
		look(t, p, s.URL,
			seen{"sign-in", "/signin", nil},
			seen{"sign-in-error", "/signin", func(p *testkit.Page) {
				p.Eval(`document.querySelector('form').noValidate = true`, nil)
				p.Fill("#email", "nobody")
				p.Click("main button")
				p.WaitText("#email-error", "not an e-mail address")
			}},
			seen{"link-gone", "/signin/" + strings.Repeat("x", 43), nil},
		)
	})
	t.Run("invitations", func(t *testing.T) {
		t.Parallel()
		w := fixture.New(t, fixture.SQLite(t), nil)
		s := serve(t, w, nil)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(w.Directory.SetInvitations(t.Context(), w.Caller(), w.Connection.ID, directory.InvitationSettings{Send: true, SenderName: "Larkfield IT"}))
		w.Mailbox(nil)
		invited := func(name string) (models.User, models.Member, string) {
			t.Helper()
			u := w.User(name)
			w.Settled(patience)
			m, _ := w.Member(name + "@acme.test")
			return u, m.Member, s.linkOf(t, m.Member)
		}
		_, _, expired := invited("expired")
		_, _, asked := invited("asked")
		must(w.Store.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.ExpireInvitations(w.Clock.Now().Add(30*24*time.Hour), 10)
			return err
		}))
		_, withdrawnMember, withdrawn := invited("withdrawn")
		must(w.Hands.VoidInvitation(t.Context(), hand(w), withdrawnMember.ID))
		_, resentMember, newer := invited("newer")
		must(w.Hands.VoidInvitation(t.Context(), hand(w), resentMember.ID))
		must(w.Hands.ResendInvitation(t.Context(), hand(w), resentMember.ID))
		u, _, moved := invited("moved")
		w.Patch(u.ID, `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"elsewhere@acme.test"}]`)
		w.Settled(patience)
		u, _, barred := invited("barred")
		w.SetActive(u.ID, false)
		_, _, used := invited("used")
		if a := s.stranger(t).post(used, nil); a.status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.status, a.body)
		}
		u, _, open := invited("hana.sato")
		w.Group("Engineering", u.ID)
		w.Group("Platform", u.ID)
		w.Settled(patience)
		w.Clock.Advance(time.Hour)
		if a := s.stranger(t).post(asked+"/again", nil); a.status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.status, a.body)
		}
		p := testkit.Browser(t)
		p.Allow("404|410|403")
		look(t, p, s.URL,
			seen{"invitation", open, nil},
			seen{"invitation-expired", expired, nil},
			seen{"invitation-asked", asked, nil},
			seen{"invitation-withdrawn", withdrawn, nil},
			seen{"invitation-newer", newer, nil},
			seen{"invitation-moved", moved, nil},
			seen{"invitation-barred", barred, nil},
			seen{"invitation-used", used, nil},
			seen{"invitation-unknown", open[:30], nil},
		)
		p = s.browse(t, s.owner(t))
		p.Allow("403")
		look(t, p, s.URL, seen{"invitation-wrong-account", open, nil})
	})
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		w := fixture.New(t, fixture.SQLite(t), nil)
		if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test"); err != nil {
			t.Fatal(err)
		}
		s := serve(t, w, func(c *dashboard.Config) { c.OwnersOperate = true })
		p := s.browse(t, s.owner(t))
		p.Allow("404")
		look(t, p, s.URL,
			seen{"security-empty", "/settings/security", nil},
			seen{"configure-provider", "/settings/security/directory-sync/new", nil},
			seen{"members-alone", "/settings/members", nil},
			seen{"people-empty", "/people", nil},
			seen{"groups-empty", "/groups", nil},
			seen{"runs-empty", "/runs", nil},
			seen{"activity-empty", "/activity", nil},
			seen{"failures-empty", "/activity/failures", nil},
			seen{"held-empty", "/activity/held", nil},
			seen{"error-404", "/people/" + outbox.ID(), nil},
		)
	})
	t.Run("states of a connection", func(t *testing.T) {
		t.Parallel()
		w := fixture.New(t, fixture.SQLite(t), nil)
		s := serve(t, w, nil)
		p := s.browse(t, s.owner(t))
		p.Allow("403|SSE|Event")
		connection := "/settings/security/directory-sync/" + w.Connection.ID
		look(t, p, s.URL, seen{"people-empty-connected", "/people", nil}, seen{"groups-empty-connected", "/groups", nil}, seen{"connection-new", connection, nil})
		w.Knock(w.Token[:len(w.Token)-4] + "k2Pa")
		w.Directory.Flush(t.Context())
		look(t, p, s.URL, seen{"setup-wrong-token", connection + "/setup", nil}, seen{"connection-wrong-token", connection, nil})
		w.Clock.Advance(time.Second)
		w.Knock(w.Token)
		w.Directory.Flush(t.Context())
		look(t, p, s.URL, seen{"setup-connected", connection + "/setup", nil}, seen{"connection-healthy", connection, nil})
		if _, err := w.Directory.RotateToken(t.Context(), w.Connection, false, "Owner"); err != nil {
			t.Fatal(err)
		}
		if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionPaused, "Owner"); err != nil {
			t.Fatal(err)
		}
		look(t, p, s.URL, seen{"connection-paused", connection, nil})
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetPlan(w.Workspace.ID, models.PlanTeam) }); err != nil {
			t.Fatal(err)
		}
		look(t, p, s.URL, seen{"security-plan-lost", "/settings/security", nil}, seen{"connection-plan", connection, nil})
		if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "Owner"); err != nil {
			t.Fatal(err)
		}
		look(t, p, s.URL, seen{"security-plan", "/settings/security", nil}, seen{"configure-plan", "/settings/security/directory-sync/new", nil})
	})
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		w := fixture.New(t, fixture.SQLite(t), nil)
		ids := full(t, w)
		s := serve(t, w, func(c *dashboard.Config) { c.OwnersOperate = true })
		signIns(t, s)
		p := s.browse(t, s.owner(t))
		connection := "/settings/security/directory-sync/" + w.Connection.ID
		look(t, p, s.URL,
			seen{"security", "/settings/security", nil},
			seen{"setup", connection + "/setup", nil},
			seen{"connection", connection, nil},
			seen{"connection-delete", connection + "?confirm=delete", nil},
			seen{"members", "/settings/members", nil},
			seen{"people", "/people", nil},
			seen{"people-no-match", "/people?q=nobody-at-all", nil},
			seen{"person", "/people/" + ids["person"], nil},
			seen{"person-invited", "/people/" + ids["invited"], nil},
			seen{"person-left", "/people/" + ids["left"], nil},
			seen{"person-refused", "/people/" + ids["refused"], nil},
			seen{"person-deactivate", "/people/" + ids["person"] + "?confirm=deactivate", nil},
			seen{"groups", "/groups", nil},
			seen{"group", "/groups/" + ids["group"], nil},
			seen{"runs", "/runs", nil},
			seen{"run", "/runs/" + ids["run"], nil},
			seen{"queues", "/operator/queues", nil},
			seen{"activity", "/activity", nil},
			seen{"activity-no-match", "/activity?q=nobody-at-all", nil},
			seen{"activity-sign-ins", "/activity?tab=signins", nil},
			seen{"request", "/activity/requests/" + ids["audit"], nil},
			seen{"failures", "/activity/failures", nil},
			seen{"held", "/activity/held", nil},
			seen{"sessions-alone", "/account/sessions", nil},
		)
	})
	t.Run("a plain member", func(t *testing.T) {
		t.Parallel()
		w := fixture.New(t, fixture.SQLite(t), nil)
		full(t, w)
		s := serve(t, w, nil)
		hana := signIns(t, s)
		p := s.browse(t, hana)
		p.Allow("403|404")
		look(t, p, s.URL,
			seen{"home", "/", nil},
			seen{"sessions", "/account/sessions", nil},
			seen{"error-403-member", "/people", nil},
			seen{"error-404-member", "/nowhere", nil},
		)
		alone := s.browse(t, joined(t, w, w.Workspace.ID, "guest@acme.test", models.RoleMember))
		look(t, alone, s.URL, seen{"home-no-team", "/", nil})
	})
}

// signIns lets the first two people of the full workspace sign in here and there, and refuses some of it. It returns the
// second, who is a plain member.
func signIns(t *testing.T, s *site) models.Member {
	t.Helper()
	now := s.Clock.Now()
	hana := s.save(t, address(1), func(m *models.Member) { m.Status, m.AcceptedAt = models.MemberActive, &now })
	nadia, _ := s.World.Member(address(0))
	for _, m := range []models.Member{nadia.Member, hana} {
		for _, agent := range []string{windows, iphone, "curl/8.5.0"} {
			s.signInWith(t, m, agent)
			s.Clock.Advance(7 * time.Minute)
		}
		link, token := sso.PrintedLink(m, s.Clock.Now().Add(-time.Hour))
		if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&link); return nil }); err != nil {
			t.Fatal(err)
		}
		s.stranger(t).do("POST", "/signin/"+token, url.Values{}, func(r *http.Request) { r.Header.Set("User-Agent", ubuntu) })
	}
	return hana
}
