package directory_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
)

// lastChanges is what the newest audit entry tells of a change.
func lastChanges(w *fixture.World) []models.Change {
	w.T.Helper()
	entries, err := w.Store.Audit(w.T.Context(), w.Workspace.ID, 1)
	if err != nil {
		w.T.Fatal(err)
	}
	if entries[0].Changes == nil {
		return nil
	}
	var changes []models.Change
	if err := json.Unmarshal([]byte(*entries[0].Changes), &changes); err != nil || len(changes) == 0 {
		w.T.Fatalf("%s: %v", *entries[0].Changes, err)
	}
	return changes
}

// changed fails the test unless the newest audit entry tells of exactly these changes.
func changed(w *fixture.World, what string, want ...models.Change) {
	w.T.Helper()
	if got := lastChanges(w); !reflect.DeepEqual(got, want) {
		w.T.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func TestTheAuditTellsWhatBecameOfAPerson(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		u := w.User("ada")
		changed(w, "a new person")
		w.Patch(u.ID, `[{"op":"replace","value":{"title":"Engineer","name.familyName":"Lovelace","password":"Secret-9317","emails[type eq \"work\"].value":"ada@new.test",
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Engines","active":false}}]`)
		changed(w, "a PATCH",
			models.Change{Attribute: "active", Before: "true", After: "false"},
			models.Change{Attribute: "department", After: "Engines"},
			models.Change{Attribute: "emails[work]", Before: "ada@acme.test", After: "ada@new.test"},
			models.Change{Attribute: "name.familyName", Before: "Test", After: "Lovelace"},
			models.Change{Attribute: "title", After: "Engineer"})
		w.Patch(u.ID, `[{"op":"replace","path":"title","value":"Engineer"}]`)
		changed(w, "a PATCH that changes nothing")

		w.Patch(u.ID, `[{"op":"add","path":"roles","value":[{"value":"a"},{"value":"b"},{"value":"c"}]},{"op":"replace","path":"title","value":"`+strings.Repeat("é", 300)+`"}]`)
		changed(w, "several values", models.Change{Attribute: "roles", Added: []string{"a", "b", "c"}},
			models.Change{Attribute: "title", Before: "Engineer", After: strings.Repeat("é", 200) + "…"})
		if _, err := w.Directory.ReplaceUser(t.Context(), w.Caller(), u.ID, w.Resource(`{"userName":"ada@acme.test","password":"Secret-9317","active":true,"roles":[{"value":"b"},{"value":"d"}]}`)); err != nil {
			t.Fatal(err)
		}
		all := map[string]models.Change{}
		for _, c := range lastChanges(w) {
			all[c.Attribute] = c
		}
		if c := all["roles"]; !reflect.DeepEqual(c.Added, []string{"d"}) || !reflect.DeepEqual(c.Removed, []string{"a", "c"}) || c.More != 0 {
			t.Errorf("roles: %+v", c)
		}
		if c := all["department"]; c.Before != "Engines" || c.After != "" {
			t.Errorf("department: %+v", c)
		}
		if text := fmt.Sprint(all); strings.Contains(text, "Secret") || strings.Contains(text, "schemas") {
			t.Errorf("a PUT: %s", text)
		}
		if err := w.Directory.DeleteUser(t.Context(), w.Caller(), u.ID); err != nil {
			t.Fatal(err)
		}
		changed(w, "a DELETE", models.Change{Attribute: "active", Before: "true", After: "false"})
	})
}

func TestAPersonWithTooManyChangesIsToldInPart(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		u := w.User("ada")
		var roles, kinds []string
		for i := range 150 {
			roles = append(roles, fmt.Sprintf(`{"value":"role-%03d"}`, i))
			kinds = append(kinds, fmt.Sprintf(`{"type":"t%03d","value":"v"}`, i))
		}
		w.Patch(u.ID, `[{"op":"add","path":"roles","value":[`+strings.Join(roles, ",")+`]}]`)
		if c := lastChanges(w); len(c) != 1 || len(c[0].Added) != 20 || c[0].Added[19] != "role-019" || c[0].More != 130 {
			t.Errorf("%+v", c)
		}
		w.Patch(u.ID, `[{"op":"add","path":"entitlements","value":[`+strings.Join(kinds, ",")+`]}]`)
		if c := lastChanges(w); len(c) != 101 || c[0].Attribute != "entitlements[t000]" || c[100].Attribute != "…" || c[100].More != 50 {
			t.Errorf("%d, the last %+v", len(c), c[len(c)-1])
		}
	})
}

func TestTheAuditTellsWhatBecameOfAGroup(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		ada, bob, cyd := w.User("ada").ID, w.User("bob").ID, w.User("cyd").ID
		g := w.Group("Ops", ada)
		changed(w, "a new group")
		w.Change(g.ID, scim.GroupChange{Kind: scim.AddMembers, Members: append(fixture.Members(ada, bob, "00u-later"), scim.Member{Value: "00u-named", Display: "Nora"})})
		changed(w, "who was there already is not told", models.Change{Attribute: "members", Added: []string{"bob Test", "00u-later", "Nora"}})
		w.Change(g.ID, scim.GroupChange{Kind: scim.AddMembers, Members: fixture.Members(ada, bob, "00u-later")})
		changed(w, "a change of nothing")
		w.Change(g.ID, scim.GroupChange{Kind: scim.RemoveMembers, Members: fixture.Members("00u-later")})
		changed(w, "one who is nobody yet", models.Change{Attribute: "members", Removed: []string{"00u-later"}})
		w.Change(g.ID, scim.GroupChange{Kind: scim.SetDisplayName, Text: "Operations"}, scim.GroupChange{Kind: scim.SetExternalID, Text: "g-1"},
			scim.GroupChange{Kind: scim.ReplaceMembers, Members: fixture.Members(bob, cyd)})
		changed(w, "all at once", models.Change{Attribute: "displayName", Before: "Ops", After: "Operations"}, models.Change{Attribute: "externalId", After: "g-1"},
			models.Change{Attribute: "members", Added: []string{"cyd Test"}, Removed: []string{"ada Test"}})

		var many []string
		for i := range 25 {
			many = append(many, w.User(fmt.Sprintf("p%02d", i)).ID)
		}
		w.Change(g.ID, scim.GroupChange{Kind: scim.AddMembers, Members: fixture.Members(many...)}, scim.GroupChange{Kind: scim.RemoveMembers, Members: fixture.Members(bob)})
		if c := lastChanges(w); len(c) != 1 || len(c[0].Added) != 20 || c[0].Added[0] != "p00 Test" || len(c[0].Removed) != 1 || c[0].Removed[0] != "bob Test" || c[0].More != 5 {
			t.Errorf("many at once: %+v", c)
		}
		if err := w.Directory.DeleteGroup(t.Context(), w.Caller(), g.ID); err != nil {
			t.Fatal(err)
		}
		changed(w, "a DELETE", models.Change{Attribute: "displayName", Before: "Operations"})
	})
}

func TestALinkedMirrorTellsNothingLikeACreate(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("owner")); err != nil {
			t.Fatal(err)
		}
		changed(w, "a POST of who was there by hand")
	})
}
