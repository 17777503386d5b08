package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// conflict fails the test unless err is a uniqueness error that names each of words.
func conflict(t *testing.T, err error, words ...string) {
	t.Helper()
	var e *scim.Error
	if !errors.As(err, &e) || e.Status != 409 || e.Type != scim.TypeUniqueness {
		t.Fatalf("error %v, want 409 uniqueness", err)
	}
	for _, w := range words {
		if !strings.Contains(e.Detail, w) {
			t.Errorf("%q does not name %q", e.Detail, w)
		}
	}
}

func TestChangeAndItsOperationAreOneTransaction(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		u := w.User("ada")
		ops := w.Operations()
		if len(ops) != 1 || ops[0].Kind != models.KindUserUpsert || ops[0].ResourceID != u.ID || ops[0].Version != 1 || ops[0].State != models.OperationPending {
			t.Fatalf("operations %+v", ops)
		}
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil || len(entries) != 1 || entries[0].OperationID == nil || *entries[0].OperationID != ops[0].ID || entries[0].TargetID != u.ID {
			t.Errorf("audit %+v %v", entries, err)
		}
	})
}

func TestAnIdenticalChangeChangesNothing(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		u := w.User("ada")
		again, err := w.Directory.ReplaceUser(t.Context(), w.Caller(), u.ID, w.Person("ada"))
		if err != nil || again.Version != u.Version || !again.UpdatedAt.Equal(u.UpdatedAt) {
			t.Errorf("%+v %v", again, err)
		}
		w.SetActive(u.ID, true)
		g := w.Group("Ops", u.ID)
		if same := w.Change(g.ID, scim.GroupChange{Kind: scim.AddMembers, Members: fixture.Members(u.ID)}, scim.GroupChange{Kind: scim.SetDisplayName, Text: "Ops"}); same.Version != g.Version {
			t.Errorf("group %+v", same)
		}
		if n := len(w.Operations()); n != 2 {
			t.Errorf("%d operations, want one for the person and one for the group", n)
		}
	})
}

func TestTakenNamesAreExplained(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		ada, bob := w.User("ada"), w.User("bob")
		_, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"ADA@acme.test"}`))
		conflict(t, err, "userName", ada.ID)
		_, err = w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"new@acme.test","externalId":"00u-ada"}`))
		conflict(t, err, "externalId", ada.ID)
		_, err = w.Directory.ReplaceUser(t.Context(), w.Caller(), bob.ID, w.Resource(`{"userName":"ada@acme.test"}`))
		conflict(t, err, "userName", ada.ID)
		g := w.Group("Ops")
		_, err = w.Directory.CreateGroup(t.Context(), w.Caller(), &scim.Group{DisplayName: " ops "})
		conflict(t, err, "displayName", g.ID)
		other := w.Group("Platform")
		_, err = w.Directory.PatchGroup(t.Context(), w.Caller(), other.ID, []scim.GroupChange{{Kind: scim.SetDisplayName, Text: "OPS"}})
		conflict(t, err, "displayName", g.ID)
		if n := len(w.Operations()); n != 4 {
			t.Errorf("%d operations: a refused change left one behind", n)
		}
	})
}

func TestPutWithoutActiveOrMembersKeepsThem(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		u := w.User("ada")
		w.SetActive(u.ID, false)
		kept, err := w.Directory.ReplaceUser(t.Context(), w.Caller(), u.ID, w.Resource(`{"userName":"ada@acme.test","displayName":"Ada"}`))
		if err != nil || kept.Active || kept.DisplayName != "Ada" {
			t.Errorf("%+v %v", kept, err)
		}
		g := w.Group("Ops", u.ID)
		if _, err := w.Directory.ReplaceGroup(t.Context(), w.Caller(), g.ID, &scim.Group{DisplayName: "Renamed"}); err != nil {
			t.Fatal(err)
		}
		members, err := w.Directory.GroupMembers(t.Context(), g)
		if err != nil || len(members[g.ID]) != 1 {
			t.Errorf("members %v %v", members, err)
		}
		if _, err := w.Directory.ReplaceGroup(t.Context(), w.Caller(), g.ID, &scim.Group{DisplayName: "Renamed", MembersGiven: true}); err != nil {
			t.Fatal(err)
		}
		if members, err := w.Directory.GroupMembers(t.Context(), g); err != nil || len(members[g.ID]) != 0 {
			t.Errorf("members %v %v", members, err)
		}
	})
}

func TestMemberWhoJoinedByHandIsFoundAndLinkedAndKeepsTheirRole(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"put", "post"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			fixture.Each(t, func(t *testing.T, w *fixture.World) {
				box := w.Mailbox(nil)
				f, err := scim.ParseFilter(`userName eq "OWNER@acme.test"`)
				if err != nil {
					t.Fatal(err)
				}
				page, err := w.Directory.Users(t.Context(), w.Caller(), scim.Query{Filter: f, Page: scim.Page{StartIndex: 1, Count: 100}})
				if err != nil || page.Total != 1 {
					t.Fatal(page.Total, err)
				}
				found := page.Rows
				var u models.User
				if how == "put" {
					u, err = w.Directory.ReplaceUser(t.Context(), w.Caller(), found[0].ID, w.Person("owner"))
				} else {
					u, err = w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("owner"))
				}
				if err != nil || u.ID != found[0].ID || !u.Linked || u.Version != 1 {
					t.Fatalf("%+v %v", u, err)
				}
				w.Settled(20 * time.Second)
				m, _ := w.Member("owner@acme.test")
				if m.Role != models.RoleOwner || m.Status != models.MemberActive || m.DirectoryUserID == nil || *m.DirectoryUserID != u.ID || m.Name != "owner Test" {
					t.Errorf("member %+v", m)
				}
				if n := len(box.Messages()); n != 0 {
					t.Errorf("%d mails to somebody who is in", n)
				}
			})
		})
	}
}

func TestAddressOfAnOwnerIsHeldAndNothingOfTheVersionIsApplied(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("owner"))
		if err != nil {
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		moved, err := w.Directory.ReplaceUser(t.Context(), w.Caller(), u.ID, w.Resource(`{"userName":"owner@acme.test","displayName":"Somebody","emails":[{"value":"thief@evil.test","primary":true}]}`))
		if err != nil || moved.Email != "thief@evil.test" {
			t.Fatalf("SCIM does not show what was asked: %+v %v", moved, err)
		}
		if c := w.Settled(20 * time.Second); c.Held != 1 {
			t.Errorf("held %d", c.Held)
		}
		if m, ok := w.Member("owner@acme.test"); !ok || m.Name != "owner Test" {
			t.Errorf("member %+v", m)
		}
		// A later change does not let the address through, and takes the place of the held one.
		w.Patch(u.ID, `[{"op":"replace","path":"title","value":"Chief"}]`)
		if _, ok := w.Member("owner@acme.test"); !ok {
			t.Error("the owner has moved")
		}
		if op := w.Operations()[0]; op.State != models.OperationHeld || op.Error == "" {
			t.Errorf("operation %+v", op)
		}
	})
}

func TestTwoOwnersRemovedAtOnceLeaveOne(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		ada := w.User("ada")
		w.Settled(20 * time.Second)
		row, _ := w.Member("ada@acme.test")
		row.Role, row.Status = models.RoleOwner, models.MemberActive
		now := w.Clock.Now()
		row.AcceptedAt = &now
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(row.Member) }); err != nil {
			t.Fatal(err)
		}
		owner, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("owner"))
		if err != nil {
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		for round := range 10 {
			var wg sync.WaitGroup
			for _, id := range []string{ada.ID, owner.ID} {
				wg.Go(func() {
					p, err := scim.DecodePatch(strings.NewReader(`{"Operations":[{"op":"replace","path":"active","value":false}]}`))
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := w.Directory.PatchUser(context.Background(), w.Caller(), id, p); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			active := 0
			for _, address := range []string{"ada@acme.test", "owner@acme.test"} {
				if m, _ := w.Member(address); m.Status == models.MemberActive {
					active++
				}
			}
			if active != 1 {
				t.Fatalf("round %d: %d active owners", round, active)
			}
			w.SetActive(ada.ID, true)
			w.SetActive(owner.ID, true)
			w.Settled(20 * time.Second)
		}
	})
}

func TestParallelChangesOfAGroupLoseNobody(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		var ids []string
		for i := range 60 {
			ids = append(ids, w.User(fmt.Sprintf("p%02d", i)).ID)
		}
		g := w.Group("Ops", ids[0])
		var wg sync.WaitGroup
		for _, id := range ids[1:] {
			wg.Go(func() {
				if _, err := w.Directory.PatchGroup(context.Background(), w.Caller(), g.ID, []scim.GroupChange{{Kind: scim.AddMembers, Members: fixture.Members(id)}}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		members, err := w.Directory.GroupMembers(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range members[g.ID] {
			got = append(got, m.Value)
		}
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(got, ids) {
			t.Errorf("%d members, want %d", len(got), len(ids))
		}
	})
}

func TestConnectionsAreWalls(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		ada := w.User("ada")
		second, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderEntra, "test")
		if err != nil {
			t.Fatal(err)
		}
		foreign := directory.Caller{WorkspaceID: w.Workspace.ID, ConnectionID: second.Connection.ID}
		var e *scim.Error
		if _, err := w.Directory.User(t.Context(), foreign, ada.ID); !errors.As(err, &e) || e.Status != 404 {
			t.Errorf("read: %v", err)
		}
		if err := w.Directory.DeleteUser(t.Context(), foreign, ada.ID); !errors.As(err, &e) || e.Status != 404 {
			t.Errorf("delete: %v", err)
		}
		g, err := w.Directory.CreateGroup(t.Context(), foreign, &scim.Group{DisplayName: "Ops", Members: fixture.Members(ada.ID)})
		if err != nil {
			t.Fatal(err)
		}
		if members, err := w.Directory.GroupMembers(t.Context(), g); err != nil || len(members[g.ID]) != 0 {
			t.Errorf("a person of another connection is a member: %v %v", members, err)
		}
		if _, err := w.Directory.Authenticate(t.Context(), second.Connection.ID, w.Token); !models.Is(err, models.Unknown) {
			t.Errorf("a token opened another connection: %v", err)
		}
	})
}

func TestPersonOfOneConnectionIsRefusedToAnother(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		second, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderEntra, "test")
		if err != nil {
			t.Fatal(err)
		}
		w.User("ada") // by the first; member.mirror shows her to the second
		testkit.Eventually(t, 20*time.Second, "ada is mirrored", func() bool {
			page, err := w.Store.Users(context.Background(), store.Listing{ConnectionID: second.Connection.ID, Limit: 10})
			return err == nil && page.Total == 2
		})
		foreign := directory.Caller{WorkspaceID: w.Workspace.ID, ConnectionID: second.Connection.ID}
		_, err = w.Directory.CreateUser(t.Context(), foreign, w.Person("ada"))
		conflict(t, err, w.Connection.ID)
	})
}

func TestPlanAndPauseAreDenied(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		denied := func(word string) {
			t.Helper()
			if _, err := w.Directory.Authenticate(t.Context(), w.Connection.ID, w.Token); !models.Is(err, models.Denied) || !strings.Contains(err.Error(), word) {
				t.Errorf("error %v, want one about %q", err, word)
			}
			if _, err := w.Directory.Authenticate(t.Context(), w.Connection.ID, w.Token+"x"); !models.Is(err, models.Unknown) {
				t.Errorf("a wrong token learns something: %v", err)
			}
		}
		if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionPaused, "test"); err != nil {
			t.Fatal(err)
		}
		denied("paused")
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetPlan(w.Workspace.ID, models.PlanTeam) }); err != nil {
			t.Fatal(err)
		}
		denied("Enterprise")
		w.Workspace.Plan = models.PlanTeam
		if _, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderOkta, "test"); !models.Is(err, models.Denied) {
			t.Errorf("a connection on the team plan: %v", err)
		}
		if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Directory.Authenticate(t.Context(), w.Connection.ID, w.Token); !models.Is(err, models.Unknown) {
			t.Errorf("a deleted connection: %v", err)
		}
	})
}

func TestFilters(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		ada := w.User("ada")
		eve, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"eve","externalId":"00u-eve","title":"Ärztin","name":{"familyName":"Åström"},"emails":[
			{"value":"Eve@acme.test","type":"work","primary":true},{"value":"eve@home.test","type":"home"}],"addresses":[{"type":"work","locality":"Malmö"}],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Research","manager":{"value":"`+ada.ID+`"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		w.SetActive(eve.ID, false)
		g := w.Group("Ops", ada.ID)
		// Beside ada and eve there is the mirror of the owner.
		for filter, want := range map[string]int{
			`userName eq "ADA@acme.test"`: 1, `userName eq "nobody"`: 0, `userName co "ACME"`: 2, `userName sw "ev"`: 1, `userName ew "@acme.test"`: 2, `userName pr`: 3, `userName ne "eve"`: 2,
			`userName gt "ada@acme.test"`: 2, `userName ge "ADA@acme.test"`: 3, `userName lt "eve"`: 1, `userName le "eve"`: 2,
			`externalId eq "00u-ada"`: 1, `externalId eq "00U-ADA"`: 0, `externalId sw "00u"`: 2, `externalId eq null`: 1, `not (externalId pr)`: 1,
			`id eq "` + ada.ID + `"`: 1, `id eq "1"`: 0, `id sw "` + ada.ID + `"`: 1, `id pr`: 3, `active eq true`: 2, `active eq "False"`: 1, `active ne true`: 1, `not (active eq true)`: 1, `active pr`: 3,
			`title eq "ärztin"`: 1, `title co "ÄRZT"`: 1, `title ne "x"`: 3, `title pr`: 1, `title eq null`: 2, `name.familyName eq "ÅSTRÖM"`: 1, `name.familyName eq "Åström"`: 1, `name pr`: 3, `nickName pr`: 0,
			`emails.value eq "ada@acme.test"`: 1, `emails eq "EVE@home.test"`: 1, `emails co "acme"`: 3, `emails[type eq "work"].value eq "ada@acme.test"`: 1, `emails[type eq "home"].value eq "eve@acme.test"`: 0,
			`emails[type eq "Home"].value eq "eve@home.test"`: 1, `emails[type eq "home" and value co "@home"]`: 1, `emails[type eq "home" and value co "@acme"]`: 0, `emails[primary eq true].value sw "eve"`: 1,
			`emails[not (type eq "work")]`: 1, `emails.type eq "home"`: 1, `emails pr`: 3, `emails ne "ada@acme.test"`: 2, `phoneNumbers pr`: 0, `phoneNumbers eq null`: 3, `phoneNumbers ne "1"`: 3,
			`addresses.locality eq "malmö"`: 1, `addresses[type eq "work"].locality pr`: 1, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "research"`: 1,
			`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "` + ada.ID + `"`: 1, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value pr`: 1,
			`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "eve"`: 1, `schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`: 1, `schemas eq "urn:ietf:params:scim:schemas:core:2.0:User"`: 3,
			`groups eq "` + g.ID + `"`: 1, `groups.display eq "OPS"`: 1, `groups[display sw "o" and type eq "direct"]`: 1, `groups pr`: 1, `not (groups pr)`: 2, `groups.type eq "indirect"`: 0, `groups eq "x"`: 0,
			`meta.created gt "2000-01-01T00:00:00Z"`: 3, `meta.lastModified lt "2000-01-01"`: 0, `meta.created pr`: 3, `meta.resourceType eq "User"`: 3, `meta.resourceType eq "Group"`: 0,
			`meta.created eq "` + eve.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z") + `" and userName eq "eve"`: 1,
			`userName eq "ada@acme.test" and active eq true`:                                                         1, `userName eq "ada@acme.test" or userName eq "eve"`: 2, `userName eq "x" or active eq false and title pr`: 1, `(userName eq "eve" or title pr) and active eq true`: 0,
			`password eq "x"`: -1, `nothing eq "x"`: -1, `name eq "x"`: -1, `active eq "x"`: -1, `meta.created eq "x"`: -1, `meta.created co "2"`: -1, `meta.location eq "x"`: -1, `title eq true`: -1,
			`displayName[value eq "x"]`: -1, `emails[nothing eq "x"]`: -1, `urn:x:nothing eq "x"`: -1, `urn:ietf:params:scim:schemas:core:2.0:Group:displayName eq "x"`: -1, `addresses eq "x"`: -1, `members eq "x"`: -1,
		} {
			f, err := scim.ParseFilter(filter)
			if err != nil {
				t.Errorf("%s: %v", filter, err)
				continue
			}
			us, err := w.Directory.Users(t.Context(), w.Caller(), scim.Query{Filter: f, Page: scim.Page{StartIndex: 1, Count: 100}})
			var e *scim.Error
			switch {
			case want < 0 && (!errors.As(err, &e) || e.Type != scim.TypeInvalidFilter):
				t.Errorf("%s: %d people, %v", filter, us.Total, err)
			case want >= 0 && (err != nil || us.Total != want || len(us.Rows) != want):
				t.Errorf("%s: %d people, %v, want %d", filter, us.Total, err, want)
			}
		}
		for filter, want := range map[string]int{
			`displayName eq "OPS"`: 1, `displayName sw "O"`: 1, `displayName co "x"`: 0, `id eq "` + g.ID + `" and members eq "` + ada.ID + `"`: 1, `members.value eq "x"`: 0, `members[value eq "` + ada.ID + `"]`: 1,
			`members[value eq "` + ada.ID + `" and type eq "User"]`: 1, `members.display co "ADA"`: 1, `members pr`: 1, `members ne "x"`: 1, `externalId pr`: 0, `externalId eq null`: 1, `meta.resourceType eq "group"`: 0, `userName eq "x"`: -1, `members.$ref pr`: -1,
		} {
			f, err := scim.ParseFilter(filter)
			if err != nil {
				t.Errorf("%s: %v", filter, err)
				continue
			}
			gs, err := w.Directory.Groups(t.Context(), w.Caller(), scim.Query{Filter: f, Page: scim.Page{StartIndex: 1, Count: 100}})
			if (want < 0) != (err != nil) || want >= 0 && gs.Total != want {
				t.Errorf("%s: %d groups, %v, want %d", filter, gs.Total, err, want)
			}
		}
	})
}

func TestTokenThatEndsBetweenItsCheckAndTheWriteIsRefused(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		ada, g := w.User("ada"), w.Group("Ops")
		enter := func() directory.Caller {
			t.Helper()
			a, err := w.Directory.Authenticate(t.Context(), w.Connection.ID, w.Token)
			if err != nil {
				t.Fatal(err)
			}
			c := w.Caller()
			c.Access = a
			return c
		}
		c := enter() // and then the body is long in coming
		if _, err := w.Directory.ReplaceUser(t.Context(), c, ada.ID, w.Resource(`{"userName":"ada@acme.test","displayName":"Before"}`)); err != nil {
			t.Fatal(err)
		}
		issued, err := w.Directory.RotateToken(t.Context(), w.Connection, true, "test")
		if err != nil {
			t.Fatal(err)
		}
		denied := func(what string, err error) {
			t.Helper()
			if !models.Is(err, models.Unknown) {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err = w.Directory.ReplaceUser(t.Context(), c, ada.ID, w.Resource(`{"userName":"ada@acme.test","displayName":"After"}`))
		denied("replace a user", err)
		_, err = w.Directory.CreateUser(t.Context(), c, w.Person("bob"))
		denied("create a user", err)
		_, err = w.Directory.PatchGroup(t.Context(), c, g.ID, []scim.GroupChange{{Kind: scim.SetDisplayName, Text: "After"}})
		denied("patch a group", err)
		denied("delete a user", w.Directory.DeleteUser(t.Context(), c, ada.ID))
		w.Token = issued.Token
		if _, err := w.Directory.ReplaceUser(t.Context(), enter(), ada.ID, w.Resource(`{"userName":"ada@acme.test","displayName":"New token"}`)); err != nil {
			t.Errorf("the new token: %v", err)
		}
	})
}
