package directory_test

import (
	"testing"
	"time"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// role fails the test unless the member has the role, from the group ("" for by hand).
func role(t *testing.T, w *fixture.World, name string, want models.Role, groupID string) {
	t.Helper()
	m, ok := w.Member(name + "@acme.test")
	from := ""
	if m.RoleGroupID != nil {
		from = *m.RoleGroupID
	}
	if !ok || m.Role != want || from != groupID {
		t.Errorf("%s is %s from %q, want %s from %q", name, m.Role, from, want, groupID)
	}
}

func mapRole(t *testing.T, w *fixture.World, groupID string, r models.Role) {
	t.Helper()
	if err := w.Directory.MapRole(t.Context(), w.Caller(), groupID, r); err != nil {
		t.Fatal(err)
	}
}

func TestGroupsGiveRolesAndTakeThemBack(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		ada, bob := w.User("ada"), w.User("bob")
		admins, staff := w.Group("Admins", ada.ID), w.Group("Staff", ada.ID, bob.ID)
		w.Settled(20 * time.Second)
		mapRole(t, w, admins.ID, models.RoleAdmin)
		mapRole(t, w, staff.ID, models.RoleMember)
		w.Settled(20 * time.Second)
		role(t, w, "ada", models.RoleAdmin, admins.ID) // the higher of two
		role(t, w, "bob", models.RoleMember, staff.ID)

		// changes of membership
		w.Change(admins.ID, scim.GroupChange{Kind: scim.AddMembers, Members: fixture.Members(bob.ID)})
		w.Settled(20 * time.Second)
		role(t, w, "bob", models.RoleAdmin, admins.ID)
		w.Change(admins.ID, scim.GroupChange{Kind: scim.RemoveMembers, Members: fixture.Members(ada.ID)})
		w.Settled(20 * time.Second)
		role(t, w, "ada", models.RoleMember, staff.ID)

		// somebody who comes into groups that are there already
		w.Change(admins.ID, scim.GroupChange{Kind: scim.AddMembers, Members: fixture.Members("00u-cyd")})
		w.User("cyd")
		w.Settled(20 * time.Second)
		role(t, w, "cyd", models.RoleAdmin, admins.ID)

		// what a group gives changes, and ends
		mapRole(t, w, admins.ID, models.RoleMember)
		w.Settled(20 * time.Second)
		role(t, w, "cyd", models.RoleMember, admins.ID)
		mapRole(t, w, admins.ID, models.RoleAdmin)
		mapRole(t, w, admins.ID, "")
		w.Settled(20 * time.Second)
		role(t, w, "cyd", models.RoleMember, "")
		role(t, w, "bob", models.RoleMember, staff.ID)
		if rows, err := w.Store.RoleMappings(t.Context(), w.Connection.ID); err != nil || len(rows) != 1 || rows[0].GroupID != staff.ID || rows[0].GroupName != "Staff" || rows[0].People != 2 || rows[0].CreatedBy != "token" {
			t.Errorf("%+v %v", rows, err)
		}

		// a group that goes takes its role along
		if err := w.Directory.DeleteGroup(t.Context(), w.Caller(), staff.ID); err != nil {
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		role(t, w, "ada", models.RoleMember, "")
		if rows, err := w.Store.RoleMappings(t.Context(), w.Connection.ID); err != nil || len(rows) != 0 {
			t.Errorf("%+v %v", rows, err)
		}
	})
}

func TestRoleGivenByHandReturnsWhenNoGroupGivesOne(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		ada := w.User("ada")
		g := w.Group("Staff", ada.ID)
		w.Settled(20 * time.Second)
		m, _ := w.Member("ada@acme.test")
		m.Role, m.HandRole = models.RoleAdmin, models.RoleAdmin
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(m.Member) }); err != nil {
			t.Fatal(err)
		}
		mapRole(t, w, g.ID, models.RoleMember)
		w.Settled(20 * time.Second)
		role(t, w, "ada", models.RoleMember, g.ID)
		w.SetActive(ada.ID, false)
		w.SetActive(ada.ID, true)
		w.Settled(20 * time.Second)
		role(t, w, "ada", models.RoleMember, g.ID)
		if err := w.Directory.DeleteUser(t.Context(), w.Caller(), ada.ID); err != nil { // is in no group any more
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		role(t, w, "ada", models.RoleAdmin, "")
	})
}

func TestNoGroupMakesOrUnmakesAnOwner(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := linkedOwner(t, w)
		g := w.Group("Staff", u.ID)
		if err := w.Directory.MapRole(t.Context(), w.Caller(), g.ID, models.RoleOwner); !models.Is(err, models.Invalid) {
			t.Errorf("%v", err)
		}
		if err := w.Directory.MapRole(t.Context(), w.Caller(), g.ID, "boss"); !models.Is(err, models.Invalid) {
			t.Errorf("%v", err)
		}
		mapRole(t, w, g.ID, models.RoleMember)
		w.Settled(20 * time.Second)
		w.Patch(u.ID, `[{"op":"replace","path":"title","value":"Chief"}]`)
		w.Settled(20 * time.Second)
		role(t, w, "owner", models.RoleOwner, "")
	})
}

func TestOnlyLivingGroupsOfTheConnectionGiveRoles(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		g, gone := w.Group("Staff"), w.Group("Gone")
		if err := w.Directory.DeleteGroup(t.Context(), w.Caller(), gone.ID); err != nil {
			t.Fatal(err)
		}
		other, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderEntra, "test")
		if err != nil {
			t.Fatal(err)
		}
		there := w.Caller()
		there.ConnectionID = other.Connection.ID
		for what, err := range map[string]error{
			"deleted":            w.Directory.MapRole(t.Context(), w.Caller(), gone.ID, models.RoleAdmin),
			"another connection": w.Directory.MapRole(t.Context(), there, g.ID, models.RoleAdmin),
			"no id":              w.Directory.MapRole(t.Context(), w.Caller(), "staff", models.RoleAdmin),
		} {
			if !models.Is(err, models.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		mapRole(t, w, g.ID, models.RoleAdmin)
		before := len(w.Operations())
		mapRole(t, w, g.ID, models.RoleAdmin)
		if len(w.Operations()) != before {
			t.Error("the same again made an operation")
		}
	})
}

func TestVerifySeesARoleThatNoGroupGives(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		ada := w.User("ada")
		g := w.Group("Staff", ada.ID)
		mapRole(t, w, g.ID, models.RoleMember)
		w.Settled(20 * time.Second)
		m, _ := w.Member("ada@acme.test")
		m.Role = models.RoleAdmin
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(m.Member) }); err != nil {
			t.Fatal(err)
		}
		c, err := w.Store.Compare(t.Context(), w.Workspace.ID)
		if err != nil || len(c.Differences) != 1 || c.Differences[0].Kind != "person.role" || c.Differences[0].Want != "member" || c.Differences[0].Have != "admin" {
			t.Errorf("%+v %v", c, err)
		}
	})
}
