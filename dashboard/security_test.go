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
	"outpost/models"
	"outpost/workspace"
)

var clearToken = regexp.MustCompile(`outp_scim_[0-9a-f-]{36}_[0-9A-Za-z]{38}`)

// works reports whether a request with the token would be let in.
func works(w *fixture.World, token string) bool {
	_, err := w.Directory.Authenticate(w.T.Context(), token[len("outp_scim_"):len("outp_scim_")+36], token)
	return err == nil
}

func TestATokenIsShownOnceAndWorks(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		a := v.post("/settings/security/directory-sync", url.Values{"provider": {"entra"}})
		token := clearToken.FindString(a.body)
		if a.status != http.StatusCreated || token == "" || !a.has("Connect Microsoft Entra ID") || !a.has("aadOptscim062020") || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if !works(w, token) {
			t.Error("the token does not work")
		}
		all, err := w.Store.Connections(t.Context(), w.Workspace.ID)
		if err != nil || len(all) != 2 || all[0].Provider != models.ProviderEntra || all[0].CreatedBy != "Owner" {
			t.Fatalf("%+v %v", all, err)
		}
		for _, path := range []string{"/settings/security", "/settings/security/directory-sync/" + all[0].ID, "/settings/security/directory-sync/" + all[0].ID + "/setup", "/activity"} {
			if page := v.get(path); page.status != http.StatusOK || page.has(token) || clearToken.MatchString(page.body) {
				t.Errorf("%s: %d, or it shows the token again", path, page.status)
			}
		}
		if a := v.post("/settings/security/directory-sync", url.Values{"provider": {"okto"}}); a.status != http.StatusUnprocessableEntity || !a.has("Choose one of the providers") {
			t.Errorf("no such provider: %d", a.status)
		}
		if !v.get("/settings/security/directory-sync/" + all[0].ID + "/setup").has("mailto:?subject=Connect%20Outpost") {
			t.Error("the steps cannot be sent to a colleague")
		}
	})
}

func TestWithoutEnterpriseNothingIsMade(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		team, err := workspace.Create(t.Context(), w.Store, "Small", "small@acme.test", models.PlanTeam, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		m, err := w.Store.FirstOwner(t.Context(), team.ID)
		if err != nil {
			t.Fatal(err)
		}
		s := serve(t, w, nil)
		v := s.signIn(t, m)
		if a := v.get("/settings/security"); a.status != http.StatusOK || !a.has("It is part of the Enterprise plan") || a.has("directory-sync/new") {
			t.Errorf("%d %s", a.status, a.body)
		}
		for _, a := range []answer{v.get("/settings/security/directory-sync/new"), v.post("/settings/security/directory-sync", url.Values{"provider": {"okta"}})} {
			if a.status != http.StatusForbidden || !a.has("It is part of the Enterprise plan") {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		if all, err := w.Store.Connections(t.Context(), team.ID); err != nil || len(all) > 0 {
			t.Errorf("%+v %v", all, err)
		}
	})
}

func TestASensitiveActAsksWhoItIsAndGoesOn(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s, box := serve(t, w, nil), w.Mailbox(nil)
		v := s.signIn(t, s.owner(t))
		page := "/settings/security/directory-sync/" + w.Connection.ID
		began, err := w.Store.Sessions(t.Context(), s.owner(t).ID, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(11 * time.Minute)
		other := joined(t, w, w.Workspace.ID, "second@acme.test", models.RoleAdmin)
		for path, form := range map[string]url.Values{
			page + "/tokens": {}, page: {"status": {"delete"}, "slug": {"acme"}}, "/settings/members/" + other.ID + "/role": {"role": {"owner"}},
		} {
			if a := v.post(path, form); a.status != http.StatusForbidden || !a.has("Is it still you?") || clearToken.MatchString(a.body) {
				t.Fatalf("%s: %d %s", path, a.status, a.body)
			}
		}
		if tokens, err := w.Store.Tokens(t.Context(), w.Connection.ID); err != nil || len(tokens) != 1 {
			t.Fatalf("%+v %v", tokens, err)
		}
		n := len(box.Messages())
		if a := v.post("/signin/again", url.Values{"back": {page}}); a.status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.status, a.body)
		}
		testkit.Eventually(t, patience, "the link is mailed", func() bool { return len(box.Messages()) > n })
		if a := v.post(linkIn.FindString(box.Messages()[0].Text), nil); a.status != http.StatusSeeOther || a.header.Get("Location") != page {
			t.Fatalf("%d %v", a.status, a.header)
		}
		a := v.post(page+"/tokens", nil)
		token := clearToken.FindString(a.body)
		if a.status != http.StatusCreated || !works(w, token) || !works(w, w.Token) {
			t.Errorf("%d: both tokens work", a.status)
		}
		// Whoever proves again who they are has been signed in all the time: that counts in some decisions.
		now, err := w.Store.Sessions(t.Context(), s.owner(t).ID, time.Time{})
		if err != nil || len(now) != 1 || now[0].ID == began[0].ID || !now[0].CreatedAt.Equal(began[0].CreatedAt) {
			t.Errorf("%+v, then %+v %v", began, now, err)
		}
	})
}

func TestAConnectionIsPausedResumedAndDeletedWithItsSlug(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		w.Mailbox(nil)
		ada := w.User("ada")
		w.Settled(patience)
		v := s.signIn(t, s.owner(t))
		page := "/settings/security/directory-sync/" + w.Connection.ID
		if a := v.post(page, url.Values{"status": {"pause"}}); a.status != http.StatusSeeOther || works(w, w.Token) {
			t.Errorf("paused: %d", a.status)
		}
		if a := v.get(page); !a.has("Paused. Requests are refused until you resume it.") {
			t.Errorf("%s", a.body)
		}
		if a := v.post(page, url.Values{"status": {"resume"}}); a.status != http.StatusSeeOther || !works(w, w.Token) {
			t.Errorf("resumed: %d", a.status)
		}
		if a := v.post(page, url.Values{"status": {"delete"}, "slug": {"other"}}); a.status != http.StatusUnprocessableEntity || !a.has("Type acme to delete the connection") {
			t.Errorf("a wrong slug: %d", a.status)
		}
		if a := v.get(page + "?confirm=delete"); !a.has("1 person stays in the workspace") {
			t.Errorf("%s", a.body)
		}
		if a := v.post(page, url.Values{"status": {"delete"}, "slug": {"acme"}}); a.status != http.StatusSeeOther || works(w, w.Token) {
			t.Errorf("deleted: %d", a.status)
		}
		if a := v.get(page); a.status != http.StatusNotFound {
			t.Errorf("a deleted connection: %d", a.status)
		}
		if m, ok := w.Member("ada@acme.test"); !ok || m.Status != models.MemberInvited {
			t.Errorf("%s: %+v", ada.ID, m)
		}
	})
}

func TestAGroupGivesARoleAndTakesItBack(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		w.Mailbox(nil)
		ada := w.User("ada")
		g := w.Group("Admins", ada.ID)
		w.Settled(patience)
		v := s.signIn(t, s.owner(t))
		page := "/settings/security/directory-sync/" + w.Connection.ID
		if a := v.post(page+"/roles", url.Values{"group": {""}, "role": {"admin"}}); a.status != http.StatusUnprocessableEntity || !a.has("Choose a group.") {
			t.Errorf("no group: %d", a.status)
		}
		if a := v.post(page+"/roles", url.Values{"group": {g.ID}, "role": {"owner"}}); a.status != http.StatusUnprocessableEntity || !a.has("no group can make an owner") && !a.has("No group can make an owner") {
			t.Errorf("owner by a group: %d %s", a.status, a.body)
		}
		if a := v.post(page+"/roles", url.Values{"group": {g.ID}, "role": {"admin"}}); a.status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.status, a.body)
		}
		w.Settled(patience)
		if m, _ := w.Member("ada@acme.test"); m.Role != models.RoleAdmin {
			t.Errorf("%s", m.Role)
		}
		if a := v.get("/settings/members"); !a.has("the group Admins") {
			t.Error("the page does not say why")
		}
		v.post(page+"/roles", url.Values{"group": {g.ID}, "role": {""}})
		w.Settled(patience)
		if m, _ := w.Member("ada@acme.test"); m.Role != models.RoleMember {
			t.Errorf("%s", m.Role)
		}
	})
}

func TestInvitationsWaitUntilTheyAreSent(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s, box := serve(t, w, nil), w.Mailbox(nil)
		v := s.signIn(t, s.owner(t))
		page := "/settings/security/directory-sync/" + w.Connection.ID
		if a := v.post(page+"/invitations", url.Values{"from": {"Acme IT"}, "hold": {"0"}}); a.status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.status, a.body)
		}
		w.User("ada")
		w.User("bob")
		w.Settled(patience)
		if n := len(box.Messages()); n != 0 {
			t.Fatalf("%d mails before anybody sent them", n)
		}
		if a := v.get(page); !a.has("2 people wait") || !a.has("Send 2 invitations") || !a.has("Acme IT via Outpost") {
			t.Errorf("%s", a.body)
		}
		if a := v.post(page+"/invitations/send", nil); a.status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.status, a.body)
		}
		w.Settled(patience)
		if n := len(box.Messages()); n != 2 || !strings.Contains(box.Messages()[0].Text, "Acme") {
			t.Errorf("%d mails", n)
		}
		if a := v.post(page+"/invitations", url.Values{"send": {"on"}, "from": {strings.Repeat("x", 61)}}); a.status != http.StatusUnprocessableEntity || !a.has(strings.Repeat("x", 61)) {
			t.Errorf("a long name: %d", a.status)
		}
	})
}

func TestAnOwnerOfTwoWorkspacesGoesFromOneToTheOther(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		second, err := workspace.Create(t.Context(), w.Store, "Globex", "owner@acme.test", models.PlanEnterprise, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		third, err := workspace.Create(t.Context(), w.Store, "Initech", "other@acme.test", models.PlanEnterprise, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		before := v.http.Jar.Cookies(mustParse(t, s.URL))[0].Value
		if a := v.post("/workspace", url.Values{"workspace": {third.ID}}); a.status != http.StatusNotFound {
			t.Errorf("somebody else's workspace: %d", a.status)
		}
		if a := v.post("/workspace", url.Values{"workspace": {second.ID}}); a.status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if v.http.Jar.Cookies(mustParse(t, s.URL))[0].Value == before {
			t.Error("the cookie stayed the same")
		}
		if a := v.get("/settings/members"); a.status != http.StatusOK || !a.has("Globex") {
			t.Errorf("%d", a.status)
		}
		if a := v.get("/settings/security/directory-sync/" + w.Connection.ID); a.status != http.StatusNotFound {
			t.Errorf("the first one's connection: %d", a.status)
		}
		var sessions []models.Session
		if sessions, err = w.Store.Sessions(t.Context(), s.owner(t).ID, time.Time{}); err != nil || len(sessions) != 0 {
			t.Errorf("the session in the first one goes on: %+v %v", sessions, err)
		}
	})
}
