package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// person is a living person of the world's connection, not written yet.
func person(w *fixture.World, name, externalID string) *models.User {
	now := w.Clock.Now()
	u := &models.User{
		ID: uuid.Must(uuid.NewV7()).String(), WorkspaceID: w.Workspace.ID, ConnectionID: w.Connection.ID, UserName: name, UserNameKey: strings.ToLower(name), Email: name, EmailKey: strings.ToLower(name),
		DisplayName: name, Active: true, Linked: true, Version: 1, Period: 1, Resource: `{"userName":"` + name + `","emails":[{"value":"` + name + `","type":"work"}]}`, CreatedAt: now, UpdatedAt: now,
	}
	if externalID != "" {
		u.ExternalID = &externalID
	}
	return u
}

func add(w *fixture.World, rows ...any) error {
	return w.Store.Write(context.Background(), func(tx *store.Tx) error {
		tx.Add(rows...)
		return nil
	})
}

func TestUniqueAmongTheLiving(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		ada := person(w, "ada@acme.test", "00u1")
		if err := add(w, ada); err != nil {
			t.Fatal(err)
		}
		if err := add(w, person(w, "ADA@acme.test", "00u2")); !store.Violates(err, store.UniqueUserName) || !models.Is(err, models.Conflict) {
			t.Errorf("same userName in another case: %v", err)
		}
		if err := add(w, person(w, "bob@acme.test", "00u1")); !store.Violates(err, store.UniqueExternalID) {
			t.Errorf("same externalId: %v", err)
		}
		for _, name := range []string{"c@acme.test", "d@acme.test"} {
			if err := add(w, person(w, name, "")); err != nil {
				t.Errorf("no externalId is no conflict: %v", err)
			}
		}
		now := w.Clock.Now()
		ada.RemovedAt = &now
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveUser(*ada) }); err != nil {
			t.Fatal(err)
		}
		if err := add(w, person(w, "ada@acme.test", "00u1")); err != nil {
			t.Errorf("the deleted block their names: %v", err)
		}
		other, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderEntra, "test")
		if err != nil {
			t.Fatal(err)
		}
		there := person(w, "c@acme.test", "")
		there.ConnectionID = other.Connection.ID
		if err := add(w, there); err != nil {
			t.Errorf("another connection has its own names: %v", err)
		}
	})
}

func TestAddedRowsAreAllWrittenOrNone(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		if err := add(w, person(w, "ada@acme.test", "")); err != nil {
			t.Fatal(err)
		}
		rows := []any{}
		for _, name := range []string{"n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n11", "n12", "n13", "ada@acme.test"} {
			rows = append(rows, person(w, name, ""))
		}
		for _, part := range [][]any{rows, rows[10:]} { // in several statements, and in one
			if err := add(w, part...); !store.Violates(err, store.UniqueUserName) {
				t.Errorf("error %v", err)
			}
		}
		if page, err := w.Store.Users(t.Context(), store.Listing{ConnectionID: w.Connection.ID, Limit: 100}); err != nil || page.Total != 2 {
			t.Errorf("%d people (the mirrored owner and ada) %v", page.Total, err)
		}
	})
}

func TestAReadInsideATransactionSeesItsWrites(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
			if err := tx.SetSetting("a", "1"); err != nil {
				return err
			}
			if v, err := tx.Setting("a"); err != nil || v != "1" {
				t.Errorf("%q %v", v, err)
			}
			if v, err := w.Store.Setting(context.Background(), "a"); err != nil || v != "" {
				t.Errorf("seen before the commit: %q %v", v, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := w.Store.Setting(t.Context(), "a"); err != nil || v != "1" {
			t.Errorf("%q %v", v, err)
		}
	})
}

func TestAPanicRollsBack(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		func() {
			defer func() { recover() }()
			_ = w.Store.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.SetSetting("a", "1"); err != nil {
					return err
				}
				panic("stop")
			})
		}()
		if v, err := w.Store.Setting(t.Context(), "a"); err != nil || v != "" {
			t.Errorf("%q %v", v, err)
		}
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting("b", "1") }); err != nil {
			t.Errorf("the connection is lost: %v", err)
		}
	})
}

func TestDeadlockIsRunAgain(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		var meet sync.WaitGroup
		meet.Add(2)
		var once [2]sync.Once
		var wg sync.WaitGroup
		for i, order := range [][2]string{{"x", "y"}, {"y", "x"}} {
			wg.Go(func() {
				err := w.Store.Write(context.Background(), func(tx *store.Tx) error {
					if err := tx.SetSetting(order[0], "v"); err != nil {
						return err
					}
					if !w.Store.Embedded() { // SQLite has one writer: the two never meet
						once[i].Do(func() { meet.Done(); meet.Wait() })
					}
					return tx.SetSetting(order[1], "v")
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestPagesAreStableAndCountTheWhole(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		for _, n := range []string{"a", "b", "c", "d"} {
			w.User(n)
		}
		for _, test := range []struct {
			offset, limit int
			want          string
		}{{0, 2, "owner a"}, {2, 2, "b c"}, {4, 2, "d"}, {4, 1, "d"}, {5, 2, ""}, {0, 0, ""}, {0, 100, "owner a b c d"}} {
			page, err := w.Store.Users(t.Context(), store.Listing{ConnectionID: w.Connection.ID, Offset: test.offset, Limit: test.limit})
			var names []string
			for _, u := range page.Rows {
				name, _, _ := strings.Cut(u.UserName, "@")
				names = append(names, name)
			}
			if got := strings.Join(names, " "); err != nil || got != test.want || page.Total != 5 {
				t.Errorf("offset %d limit %d: %q of %d, %v", test.offset, test.limit, got, page.Total, err)
			}
		}
	})
}

func TestSchemaIsCheckedAndNotApplied(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "new.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), url, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for range 2 {
				if err := s.CheckSchema(t.Context()); err == nil || !strings.Contains(err.Error(), "outpost migrate") {
					t.Fatalf("an empty database: %v", err)
				}
			}
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if err := s.Migrate(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := s.CheckSchema(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.CheckDurability(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDatabaseThatForgetsIsRefused(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), testkit.Postgres(t)+"&synchronous_commit=off", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CheckDurability(t.Context()); err == nil || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("error %v", err)
	}
}

func TestDatabaseThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	server := testkit.NewPostgres(t)
	s, err := store.Open(t.Context(), server.URL(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if _, err := s.Workspaces(t.Context()); !models.Is(err, models.Unavailable) {
		t.Errorf("read: %v", err)
	}
	if err := s.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting("a", "b") }); !models.Is(err, models.Unavailable) {
		t.Errorf("write: %v", err)
	}
	server.Restart()
	testkit.Eventually(t, 20*time.Second, "it is back", func() bool {
		return s.Write(context.Background(), func(tx *store.Tx) error { return tx.SetSetting("a", "b") }) == nil
	})
	if _, err := store.Open(t.Context(), "mysql://x", store.Options{}); !models.Is(err, models.Invalid) {
		t.Errorf("another database: %v", err)
	}
	var known *models.Error
	if _, err := store.Open(t.Context(), "postgres://secret:pa ss@/x", store.Options{}); !errors.As(err, &known) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a broken URL: %v", err)
	}
}

func TestCompareFindsEveryKindOfDifference(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		ada, bob := w.User("ada"), w.User("bob")
		w.Group("Ops", ada.ID)
		w.Settled(20 * time.Second)
		change := func(name string, change func(m *models.Member)) {
			row, _ := w.Member(name + "@acme.test")
			change(&row.Member)
			if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(row.Member) }); err != nil {
				t.Fatal(err)
			}
		}
		change("bob", func(m *models.Member) { m.Name, m.Status = "Robert", models.MemberDeactivated })
		row, _ := w.Member("ada@acme.test")
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
			teams, err := tx.TeamsFollowed(row.ID)
			if err != nil {
				return err
			}
			return tx.LeaveTeams(row.ID, teams)
		}); err != nil {
			t.Fatal(err)
		}
		// A person and a group that no operation has been written for.
		lost, now := person(w, "lost@acme.test", ""), w.Clock.Now()
		group := &models.Group{ID: uuid.Must(uuid.NewV7()).String(), WorkspaceID: w.Workspace.ID, ConnectionID: w.Connection.ID, DisplayName: "Lost", NameKey: "lost", Version: 1, CreatedAt: now, UpdatedAt: now}
		if err := add(w, lost, group); err != nil {
			t.Fatal(err)
		}
		c, err := w.Store.Compare(t.Context(), w.Workspace.ID)
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]string{}
		for _, d := range c.Differences {
			kinds[d.Kind] = d.ResourceID
		}
		for kind, id := range map[string]string{"person.name": bob.ID, "person.status": bob.ID, "person.missing": lost.ID, "team.missing": group.ID} {
			if kinds[kind] != id {
				t.Errorf("%s: %q, want %s", kind, kinds[kind], id)
			}
		}
		if _, ok := kinds["team.member.missing"]; !ok || len(c.Differences) != 5 {
			t.Errorf("differences %+v", c.Differences)
		}
	})
}

func TestTokensOverlapAndEnd(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		ok := w.Knock
		second, err := w.Directory.RotateToken(t.Context(), w.Connection, false, "test")
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(100 * time.Hour) // the new one is not used yet: the old one stays
		if !ok(w.Token) {
			t.Error("the old token ended before the new one was used")
		}
		if !ok(second.Token) {
			t.Error("the new token is refused")
		}
		w.Directory.Flush(t.Context())
		w.Clock.Advance(23 * time.Hour)
		if !ok(w.Token) {
			t.Error("the old token ended within a day")
		}
		w.Clock.Advance(2 * time.Hour)
		if ok(w.Token) || !ok(second.Token) {
			t.Error("a day after the first use the old token is good, or the new one is not")
		}
		third, err := w.Directory.RotateToken(t.Context(), w.Connection, false, "test")
		if err != nil {
			t.Fatal(err)
		}
		fourth, err := w.Directory.RotateToken(t.Context(), w.Connection, false, "test")
		if err != nil {
			t.Fatal(err)
		}
		if ok(second.Token) || !ok(third.Token) || !ok(fourth.Token) {
			t.Error("after a third rotation two tokens live: the newest two")
		}
		if _, err := w.Directory.RotateToken(t.Context(), w.Connection, true, "test"); err != nil {
			t.Fatal(err)
		}
		if ok(third.Token) || ok(fourth.Token) {
			t.Error("--now left an old token alive")
		}
	})
}
