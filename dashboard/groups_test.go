package dashboard_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"outpost/directory"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/workspace"
)

func TestGroupsAreComparedWithTheirTeams(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		v.get("/groups").says(t, "the list without a group", "Okta has pushed no group yet", "Show the steps in Okta")

		box, err := mail.OpenMailbox("")
		if err != nil {
			t.Fatal(err)
		}
		stop := w.MailBy(box)
		ada, grace, leaver := w.User("ada"), w.User("grace"), w.User("leaver")
		w.SetActive(leaver.ID, false)
		post := w.Caller()
		post.Method = "POST"
		engineering, err := w.Directory.CreateGroup(t.Context(), post, &scim.Group{DisplayName: "Engineering", Members: fixture.Members(ada.ID, grace.ID, leaver.ID)})
		if err != nil {
			t.Fatal(err)
		}
		waiting := w.Group("Waiting room", ada.ID)
		w.Change(waiting.ID, scim.GroupChange{Kind: scim.AddMembers, Members: []scim.Member{{Value: "00u-later", Display: "Later Person"}}})
		w.Group("Empty")
		if err := w.Directory.MapRole(t.Context(), directory.Caller{WorkspaceID: w.Workspace.ID, ConnectionID: w.Connection.ID, Actor: "Owner", Method: "map"}, engineering.ID, models.RoleAdmin); err != nil {
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		stop()

		page := v.get("/groups")
		page.says(t, "the list", "3 groups pushed by Okta.", "In sync, empty", `<span class="chip">admin</span>`)
		row := func(name string) string {
			_, after, _ := strings.Cut(page.body, ">"+name+"</a>")
			text, _, _ := strings.Cut(after, "</tr>")
			return text
		}
		if got := row("Engineering"); !strings.Contains(got, `data-label="People">3<`) || !strings.Contains(got, `data-label="Team">Engineering<`) {
			t.Errorf("the row of a group: %s", got)
		}
		if got := row("Waiting room"); !strings.Contains(got, `data-label="Waiting">1<`) {
			t.Errorf("the row of a group that waits: %s", got)
		}
		if got := v.get("/groups?q=ENGIN"); !got.has(">Engineering</a>") || got.has(">Empty</a>") {
			t.Error("the search does not find by a part of the name")
		}
		v.get("/groups?state=failed").says(t, "the list of failures", "Nothing matches")

		path := "/groups/" + engineering.ID
		v.get(path).says(t, "the page of a group", "In sync. 3 people in Okta, 2 in the team.", "1 person is not in the team", "Pushed by Okta since", "Feeds the team Engineering.", "Gives the role admin", ">ada Test</a>", ">leaver Test</a>",
			"Okta created the group Engineering", "Owner changed the role that Engineering gives", "Team brought up to date", "group.sync · ", `href="/people?group=`+engineering.ID, "not sent", "Today, ")
		if got := v.get(path + "?q=GRACE"); !got.has(">grace Test</a>") || got.has(">ada Test</a>") {
			t.Error("the search in a group does not narrow it")
		}
		v.get(path+"?q=nobody").says(t, "a search that finds nobody", "Nothing matches")
		v.get("/groups/"+waiting.ID).says(t, "the page of a group that waits", "1 value that Okta sent is nobody yet.", "Later Person", "00u-later", "within 30 days", "members: Later Person in")

		// A change that nobody applies yet.
		w.Change(engineering.ID, scim.GroupChange{Kind: scim.RemoveMembers, Members: fixture.Members(grace.ID)}, scim.GroupChange{Kind: scim.SetDisplayName, Text: "Engineers"})
		v.get(path).says(t, "the page of a group that is behind", "Working. 2 people in Okta, 2 in the team so far.", "displayName: Engineering → Engineers", "members: grace Test out")
		v.get("/groups?state=working").says(t, "the list of what is to be done", ">Engineers</a>", ">Working</span>")

		if err := w.Directory.DeleteGroup(t.Context(), w.Caller(), engineering.ID); err != nil {
			t.Fatal(err)
		}
		v.get(path).says(t, "the page of a deleted group", "Okta deleted this group today at")
		if got := v.get("/groups"); got.has(">Engineers</a>") {
			t.Error("a deleted group is listed")
		}

		other, err := workspace.Create(t.Context(), w.Store, "Other", "boss@other.test", models.PlanEnterprise, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		foreign, err := w.Directory.CreateConnection(t.Context(), other, models.ProviderOkta, "test")
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := w.Directory.CreateGroup(t.Context(), directory.Caller{WorkspaceID: other.ID, ConnectionID: foreign.Connection.ID, Actor: "token", Method: "POST"}, &scim.Group{DisplayName: "Theirs"})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{outbox.ID(), "nonsense", theirs.ID} {
			if got := v.get("/groups/" + id); got.status != http.StatusNotFound {
				t.Errorf("/groups/%s is %d", id, got.status)
			}
		}
	})
}

func TestPeopleOfAGroupArePaged(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	w.Mailbox(nil)
	var ids []string
	for i := range 60 {
		ids = append(ids, w.User(fmt.Sprintf("p%02d", i)).ID)
	}
	g := w.Group("Everybody", ids...)
	v := s.signIn(t, s.owner(t))
	path := "/groups/" + g.ID
	w.Settled(20 * time.Second)
	v.get(path).says(t, "the page of a group", "In sync. 60 people in Okta, the same 60 in the team.")
	first, second := v.get(path), v.get(path+"?page=2")
	first.says(t, "the first page", "1–50 of 60", ">p59 Test</a>")
	second.says(t, "the second page", "51–60 of 60", ">p00 Test</a>")
	if second.has(`rel="next"`) || !second.has(`rel="prev"`) {
		t.Error("the last page leads on, or not back")
	}
	v.get("/people?group="+g.ID).says(t, "the people of the group", `<span class="num">1–50</span> of <span class="num">60</span> people`, "Everybody</b>")
}
