package dashboard_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"outpost/directory"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/outbox"
	"outpost/workspace"
)

// says fails the test for each text that a page does not have.
func (a answer) says(t *testing.T, about string, texts ...string) {
	t.Helper()
	missing := false
	for _, text := range texts {
		if !a.has(text) {
			missing = true
			t.Errorf("%s does not say %q", about, text)
		}
	}
	if missing {
		t.Logf("%d %s", a.status, a.body[max(strings.Index(a.body, "<main"), 0):])
	}
}

func TestAPersonsPageTellsTheirStory(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		w.Mailbox(nil)
		create := func(body string) models.User {
			caller := w.Caller()
			caller.Method = "POST"
			u, err := w.Directory.CreateUser(t.Context(), caller, w.Resource(body))
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		nadia := create(`{"userName":"nadia@acme.test","externalId":"00u8f2k1","displayName":"Nadia Verhoeven","title":"Senior engineer","emails":[{"primary":true,"value":"nadia@acme.test"}],"active":true,"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Platform"}}`)
		w.Settled(20 * time.Second)
		admins := w.Group("Outpost admins", nadia.ID)
		w.Group("Platform", nadia.ID)
		w.Settled(20 * time.Second)
		if err := w.Directory.MapRole(t.Context(), directory.Caller{WorkspaceID: w.Workspace.ID, ConnectionID: w.Connection.ID, Actor: "Ines Calloway", Method: "map"}, admins.ID, models.RoleAdmin); err != nil {
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		v := s.signIn(t, s.owner(t))
		m, _ := s.Member("nadia@acme.test")
		path := "/people/" + m.ID

		v.get(path).says(t, "the page of somebody invited", "Invited today at", "The mail was accepted; they have not joined yet.", "accepted by the mail server", "Send again", "Void the invitation…",
			"Okta created Nadia Verhoeven", "Invitation mailed", "Okta added Nadia Verhoeven to the group <a href=\"/groups/"+admins.ID+"\">Outpost admins</a>", "Why admin", "Mapping made by Ines Calloway",
			"Outside the group they are a member.", "Okta group, since", "Senior engineer, Platform", "00u8f2k1", `<h3 class="day">Today, `, "none yet")

		now := w.Clock.Now()
		s.save(t, "nadia@acme.test", func(m *models.Member) { m.Status, m.AcceptedAt = models.MemberActive, &now })
		w.Patch(nadia.ID, `[{"op":"replace","value":{"title":"Staff engineer"}}]`)
		w.Settled(20 * time.Second)
		page := v.get(path)
		page.says(t, "the page of somebody active", "An active admin in 2 teams, just as Okta wants it.", "No job is open and none has failed.", "title: Senior engineer → Staff engineer", "Okta updated Nadia Verhoeven", "user.upsert · ", "1st try",
			"Staff engineer, Platform", "Deactivate by hand…", "Sign out everywhere")
		if newest, oldest := strings.Index(page.body, "Okta updated"), strings.Index(page.body, "Okta created"); newest > oldest {
			t.Error("the story does not begin with the newest")
		}
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		page.says(t, "the story", `href="/activity/requests/`+entries[0].ID+`"`)

		w.SetActive(nadia.ID, false)
		w.Settled(20 * time.Second)
		v.get(path).says(t, "the page of somebody gone", "Access ended today at", "Okta removed them.", "Offboarding clock", "Okta’s request arrived", "Tidied up", "Okta removed Nadia Verhoeven", "If they come back", "they are a member at once, without an invitation, in the teams of their groups: Outpost admins and Platform.")
		if got := v.get(path); got.has("Bring back…") || got.has("Deactivate by hand") {
			t.Error("whom Okta removed can be brought back by hand, or removed again")
		}

		for _, id := range []string{outbox.ID(), "nonsense", w.Connection.ID} {
			if got := v.get("/people/" + id); got.status != http.StatusNotFound {
				t.Errorf("/people/%s is %d", id, got.status)
			}
		}
	})
}

func TestThePageOfAPersonSaysWhatKeepsThem(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	refusing(t, w, "mara@acme.test")
	w.User("mara")
	mirror, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("owner"))
	if err != nil {
		t.Fatal(err)
	}
	w.Settled(20 * time.Second)
	w.SetActive(mirror.ID, false)
	v := s.signIn(t, s.owner(t))
	mara, _ := s.Member("mara@acme.test")
	v.get("/people/"+mara.ID).says(t, "the page of somebody whose mail was refused", "Invited, but the mail to mara@acme.test was refused.", "550 5.1.1 no such mailbox here", "Mail refused", `href="/activity/failures"`)
	v.get("/people/"+s.owner(t).ID).says(t, "the page of the last owner", "A change that Okta asked for waits for a decision.", `href="/activity/held">Decide`, ">Held</span>", "No group can make an owner")
}

func TestWhatIsDoneByHandIsDoneOnThePersonsPage(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		box := w.Mailbox(nil)
		w.User("ada")
		w.Settled(20 * time.Second)
		owner := s.owner(t)
		v := s.signIn(t, owner)
		ada, _ := s.Member("ada@acme.test")
		path := "/people/" + ada.ID
		done := func(act, note string) {
			t.Helper()
			if got := v.post(path+"/"+act, nil); got.status != http.StatusSeeOther || got.header.Get("Location") != path {
				t.Fatalf("%s: %d %s", act, got.status, got.body)
			}
			w.Settled(20 * time.Second)
			v.get(path).says(t, "the page after "+act, note)
		}
		before := len(box.Messages())
		done("resend", "The invitation is on its way again.")
		if n := len(box.Messages()) - before; n != 1 {
			t.Errorf("sending again sent %d mails", n)
		}
		v.get(path+"?confirm=void").says(t, "the question", "Void the invitation of ada Test?", `action="`+path+`/void"`)
		done("void", "Their invitation was withdrawn")
		if got := v.post(path+"/void", nil); got.status != http.StatusUnprocessableEntity || !got.has("Ada Test has no open invitation") {
			t.Errorf("voiding nothing: %d %s", got.status, got.body)
		}
		now := w.Clock.Now()
		s.save(t, "ada@acme.test", func(m *models.Member) { m.Status, m.AcceptedAt = models.MemberActive, &now })
		done("sign-out", "Owner ended the sessions of ada Test")
		v.get(path+"?confirm=deactivate").says(t, "the question", "Deactivate ada Test?", "it brings them back only when it assigns them anew")
		done("deactivate", "Taken by hand, by Owner.")
		v.get(path).says(t, "the page after that", "Access ended today at", "in the same moment as it was decided", "Owner removed ada Test", "Bring back…", "status: active → deactivated")
		v.get(path+"?confirm=restore").says(t, "the question", "Bring ada Test back?")
		done("restore", "An active member in no team, just as Okta wants it.")

		if got := v.post("/people/"+owner.ID+"/deactivate", nil); got.status != http.StatusUnprocessableEntity || !got.has("Nobody deactivates themselves") {
			t.Errorf("deactivating oneself: %d", got.status)
		}
		if got := v.get("/people/" + owner.ID); got.has("Deactivate by hand") {
			t.Error("the page of oneself offers to deactivate oneself")
		}
		other, err := workspace.Create(t.Context(), w.Store, "Other", "boss@other.test", models.PlanTeam, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		boss, err := w.Store.FirstOwner(t.Context(), other.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, act := range []string{"resend", "void", "deactivate", "restore", "sign-out"} {
			if got := v.post("/people/"+boss.ID+"/"+act, nil); got.status != http.StatusNotFound {
				t.Errorf("%s for a member of another workspace: %d", act, got.status)
			}
		}
		if got := v.get("/people/" + boss.ID); got.status != http.StatusNotFound || got.has("boss@other.test") {
			t.Errorf("a member of another workspace: %d", got.status)
		}
	})
}

func TestAStoryIsPaged(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	w.Mailbox(nil)
	caller := w.Caller()
	caller.Method = "POST"
	ada, err := w.Directory.CreateUser(t.Context(), caller, w.Person("ada"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		w.Patch(ada.ID, `[{"op":"replace","value":{"title":"Title `+strings.Repeat("x", i+1)+`"}}]`)
	}
	w.Settled(30 * time.Second)
	v := s.signIn(t, s.owner(t))
	m, _ := s.Member("ada@acme.test")
	page := v.get("/people/" + m.ID)
	if n := strings.Count(page.body, `class="event"`); n != 50 {
		t.Errorf("the first page has %d events", n)
	}
	at := strings.Index(page.body, "?before=")
	if at < 0 {
		t.Fatal("nothing leads to what is older")
	}
	older, _, _ := strings.Cut(page.body[at:], "#")
	page = v.get("/people/" + m.ID + older)
	if n := strings.Count(page.body, `class="event"`); n != 11 || !page.has("Okta created ada Test") || !page.has("Invitation mailed") || page.has("Older</a>") {
		t.Errorf("the second page has %d events: %s", n, page.body)
	}
}
