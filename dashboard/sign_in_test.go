package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
)

var linkIn = regexp.MustCompile(`/signin/[A-Za-z0-9_-]{43}`)

// ask asks for a link and takes it out of the mail.
func ask(t *testing.T, v *visitor, box *mail.Mailbox, email string) string {
	t.Helper()
	n := len(box.Messages())
	if a := v.post("/signin", url.Values{"email": {email}}); a.status != http.StatusSeeOther || a.header.Get("Location") != "/signin/sent" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	testkit.Eventually(t, 10*time.Second, "the link is mailed", func() bool { return len(box.Messages()) > n })
	newest := box.Messages()[0] // newest first
	link := linkIn.FindString(newest.Text)
	if newest.To != strings.ToLower(email) || link == "" {
		t.Fatalf("%+v", newest)
	}
	return link
}

func TestOwnerSignsInByMailedLinkOnceAndInTheirBrowser(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s, box := serve(t, w, nil), w.Mailbox(nil)
		v := s.stranger(t)
		if a := v.get("/settings/security"); a.status != 303 || a.header.Get("Location") != "/signin?next=%2Fsettings%2Fsecurity" {
			t.Fatalf("%d %v", a.status, a.header)
		}
		link := ask(t, v, box, "Owner@acme.test")
		for range 3 { // a program that looks at the links of mails
			s.stranger(t).do("HEAD", link, nil, nil)
			if a := s.stranger(t).get(link); a.status != 200 || !a.has(`name="email"`) {
				t.Fatalf("in another browser: %d %s", a.status, a.body)
			}
		}
		if a := v.get(link); a.status != 200 || a.has(`name="email"`) {
			t.Fatalf("in the browser that asked: %d %s", a.status, a.body)
		}
		if a := s.stranger(t).post(link, url.Values{"email": {"thief@evil.test"}}); a.status != 422 || len(a.header["Set-Cookie"]) > 0 {
			t.Fatalf("with a wrong address: %d %v", a.status, a.header)
		}
		if a := v.post(link, nil); a.status != 303 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := v.get("/settings/security"); a.status != 200 || !a.has("How people join, sign in and leave") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := s.stranger(t).post(link, url.Values{"email": {"owner@acme.test"}}); a.status != 410 || !a.has("used already") {
			t.Errorf("a second time: %d %s", a.status, a.body)
		}
		if a := v.post("/signout", nil); a.status != 303 {
			t.Errorf("sign out: %d", a.status)
		}
		if a := v.get("/settings/security"); a.status != 303 {
			t.Errorf("after signing out: %d", a.status)
		}
	})
}

func TestAPlainMemberSignsInByMailedLink(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s, box := serve(t, w, nil), w.Mailbox(nil)
		joined(t, w, w.Workspace.ID, "ada@acme.test", models.RoleMember)
		v := s.stranger(t)
		link := ask(t, v, box, "ada@acme.test")
		if a := v.post(link, nil); a.status != 303 || a.header.Get("Location") != "/" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		v.get("/").says(t, "the first page", "You are a member of Acme.", "You are in no team yet. Ask to be taken into one.")
		// Who is invited, or was deactivated, gets no mail, and the same answer.
		for _, status := range []models.MemberStatus{models.MemberInvited, models.MemberDeactivated} {
			s.save(t, "ada@acme.test", func(m *models.Member) { m.Status = status })
			n := len(w.Operations())
			if a := s.stranger(t).post("/signin", url.Values{"email": {"ada@acme.test"}}); a.status != 303 || len(w.Operations()) != n {
				t.Errorf("%s: %d, and %d operations", status, a.status, len(w.Operations())-n)
			}
		}
	})
}

func TestLinkOpenedElsewhereAsksForTheAddress(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s, box := serve(t, w, nil), w.Mailbox(nil)
		link := ask(t, s.stranger(t), box, "owner@acme.test")
		other := s.stranger(t)
		if a := other.post(link, url.Values{"email": {" OWNER@acme.test "}}); a.status != 303 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := other.get("/settings/security"); a.status != 200 {
			t.Errorf("%d", a.status)
		}
	})
}

func TestAskingTeachesNothingAboutAnAddress(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		known, unknown := s.stranger(t), s.stranger(t)
		a, b := known.post("/signin", url.Values{"email": {"owner@acme.test"}}), unknown.post("/signin", url.Values{"email": {"other@acme.test"}})
		if a.status != b.status || a.header.Get("Location") != b.header.Get("Location") || len(a.header["Set-Cookie"]) != len(b.header["Set-Cookie"]) {
			t.Errorf("%d %v and %d %v", a.status, a.header, b.status, b.header)
		}
		pa, pb := known.get("/signin/sent"), unknown.get("/signin/sent")
		if strings.NewReplacer("owner@", "other@", "owner%40", "other%40").Replace(pa.body) != pb.body {
			t.Errorf("the pages differ:\n%s\n%s", pa.body, pb.body)
		}
		for i := range 6 {
			for v, email := range map[*visitor]string{known: "owner@acme.test", unknown: "other@acme.test"} {
				a := v.post("/signin", url.Values{"email": {email}})
				if want := map[bool]int{true: 303, false: 429}[i < 4]; a.status != want {
					t.Errorf("attempt %d for %s: %d, want %d", i+2, email, a.status, want)
				}
			}
		}
		ops := 0
		for _, op := range w.Operations() {
			if op.Kind == models.KindSignInEmail {
				ops++
			}
		}
		if ops != 5 {
			t.Errorf("%d mails for the one address that is known", ops)
		}
	})
}

func TestSessionsEndByTimeByEpochAndWithTheMember(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		w.Clock.Advance(11 * time.Hour)
		if a := v.get("/settings/security"); a.status != 200 {
			t.Fatalf("after 11 hours: %d", a.status)
		}
		w.Clock.Advance(11 * time.Hour)
		if a := v.get("/settings/security"); a.status != 200 {
			t.Fatalf("11 hours after a click: %d", a.status)
		}
		w.Clock.Advance(13 * time.Hour)
		if a := v.get("/settings/security"); a.status != 303 {
			t.Errorf("13 hours after the last click: %d", a.status)
		}
		v = s.signIn(t, s.owner(t))
		for range 20 {
			w.Clock.Advance(9 * time.Hour)
			v.get("/settings/security")
		}
		if a := v.get("/settings/security"); a.status != 303 {
			t.Errorf("after 180 hours of use: %d", a.status)
		}
	})
}

func TestALinkGoesOnToPagesOfOursAlone(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s, box := serve(t, w, nil), w.Mailbox(nil)
		for next, want := range map[string]string{"/settings/security": "/settings/security", "//evil.test/x": "/", "https://evil.test": "/", `/\evil.test`: "/"} {
			v := s.stranger(t)
			n := len(box.Messages())
			v.post("/signin", url.Values{"email": {"owner@acme.test"}, "next": {next}})
			testkit.Eventually(t, 10*time.Second, "the link is mailed", func() bool { return len(box.Messages()) > n })
			var link string
			for _, m := range box.Messages() {
				if l := linkIn.FindString(m.Text); l != "" && v.get(l).status == 200 {
					link = l
				}
			}
			if a := v.post(link, nil); a.header.Get("Location") != want {
				t.Errorf("%q leads to %q, want %q", next, a.header.Get("Location"), want)
			}
			w.Clock.Advance(20 * time.Minute)
		}
	})
}
