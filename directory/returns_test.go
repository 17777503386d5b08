package directory_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/scim"
	"outpost/store"
)

// waitingFor waits until so many statements of the database wait for a lock.
func waitingFor(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	testkit.Eventually(t, 20*time.Second, fmt.Sprint(n, " statements wait for a lock"), func() bool {
		var waiting int
		err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&waiting)
		return err == nil && waiting == n
	})
}

// hold begins a transaction with a lock that others have to wait for, and returns how it is let go.
func hold(t *testing.T, db *sql.DB, lock string, args ...any) (release func()) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), lock, args...); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func onPostgres(t *testing.T) (*fixture.World, *sql.DB) {
	t.Helper()
	url := fixture.Postgres(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return fixture.New(t, url, nil), db
}

func TestOneOfTwoWhoReturnAtOnceIsAConflict(t *testing.T) {
	t.Parallel()
	w, db := onPostgres(t)
	ada, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"ada@acme.test"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Directory.DeleteUser(t.Context(), w.Caller(), ada.ID); err != nil {
		t.Fatal(err)
	}
	release := hold(t, db, "SELECT 1 FROM directory_users WHERE id = $1 FOR NO KEY UPDATE", ada.ID)
	results := make(chan error, 2)
	for i := range 2 {
		in := w.Resource(fmt.Sprintf(`{"userName":"ada@acme.test","title":"%d"}`, i))
		go func() {
			_, err := w.Directory.CreateUser(t.Context(), w.Caller(), in)
			results <- err
		}()
	}
	waitingFor(t, db, 2)
	release()
	back, conflicts := 0, 0
	for range 2 {
		var e *scim.Error
		switch err := <-results; {
		case err == nil:
			back++
		case errors.As(err, &e) && e.Type == scim.TypeUniqueness:
			conflicts++
		default:
			t.Error(err)
		}
	}
	if u, err := w.Directory.User(t.Context(), w.Caller(), ada.ID); err != nil || back != 1 || conflicts != 1 || u.Version != 3 {
		t.Errorf("%d came back, %d conflicts, version %d, %v", back, conflicts, u.Version, err)
	}
}

func TestWhoReturnsIsInNoGroupThatChangedWhileTheyWereDeleted(t *testing.T) {
	t.Parallel()
	w, db := onPostgres(t)
	ada, admins := w.User("ada"), w.Group("Admins")
	release := hold(t, db, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "person "+ada.ID)
	deleted := make(chan error, 1)
	go func() { deleted <- w.Directory.DeleteUser(t.Context(), w.Caller(), ada.ID) }()
	waitingFor(t, db, 1)
	w.Change(admins.ID, scim.GroupChange{Kind: scim.AddMembers, Members: fixture.Members(ada.ID)})
	release()
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	if back := w.User("ada"); back.ID != ada.ID {
		t.Fatal("somebody else came back")
	}
	if in, err := w.Directory.GroupMembers(t.Context(), admins); err != nil || len(in[admins.ID]) != 0 {
		t.Errorf("who was deleted is in %v, %v", in, err)
	}
}

func TestNobodysDeletionWaitsForAGroup(t *testing.T) {
	t.Parallel()
	w, db := onPostgres(t)
	ada := w.User("ada")
	everyone := w.Group("Everyone", ada.ID)
	release := hold(t, db, "SELECT 1 FROM directory_groups WHERE id = $1 FOR NO KEY UPDATE", everyone.ID)
	defer release()
	if err := w.Directory.DeleteUser(t.Context(), w.Caller(), ada.ID); err != nil {
		t.Fatal(err)
	}
}

func TestACursorWhoseResourceHasMovedExpires(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		for _, name := range []string{"a", "b", "c", "d"} {
			w.User(name)
		}
		for _, everything := range []bool{false, true} {
			ask := func(cursor string) (next string, err error) {
				t.Helper()
				s := scim.Search{SortBy: "userName", Count: "2", Paged: true, Cursor: cursor}
				q, err := s.Query("Users")
				if err != nil {
					return "", err
				}
				if everything {
					page, err := w.Directory.Everything(t.Context(), w.Caller(), q)
					if err != nil {
						return "", err
					}
					return q.Next(page.Rows[1].User.ID, page.Mark, page.Total), nil
				}
				page, err := w.Directory.Users(t.Context(), w.Caller(), q)
				if err != nil {
					return "", err
				}
				return q.Next(page.Rows[1].ID, page.Mark, page.Total), nil
			}
			next, err := ask("")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ask(next); err != nil {
				t.Errorf("nothing has moved: %v", err)
			}
			f, err := scim.ParseFilter(`userName sw "b"`)
			if err != nil {
				t.Fatal(err)
			}
			b, err := w.Directory.Users(t.Context(), w.Caller(), scim.Query{Filter: f, Page: scim.Page{StartIndex: 1, Count: 1}})
			if err != nil {
				t.Fatal(err)
			}
			w.Patch(b.Rows[0].ID, `[{"op":"replace","path":"userName","value":"zz@acme.test"}]`)
			var e *scim.Error
			if _, err := ask(next); !errors.As(err, &e) || e.Type != scim.TypeExpiredCursor {
				t.Errorf("the cursor goes on after somebody who has moved: %v", err)
			}
			w.Patch(b.Rows[0].ID, `[{"op":"replace","path":"userName","value":"b@acme.test"}]`)
		}
		s := scim.Search{Paged: true}
		q, err := s.Query("Users")
		if err != nil {
			t.Fatal(err)
		}
		s.Cursor = q.Next("nonsense", "", 3)
		if q, err = s.Query("Users"); err != nil {
			t.Fatal(err)
		}
		var e *scim.Error
		if _, err := w.Directory.Users(t.Context(), w.Caller(), q); !errors.As(err, &e) || e.Type != scim.TypeInvalidCursor {
			t.Errorf("a cursor of somebody's making: %v", err)
		}
	})
}

func TestAMirrorIsLinkedBeforeTheDeletedComeBack(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		ada := w.User("ada")
		w.Mailbox(nil)
		w.Settled(20 * time.Second)
		if err := w.Directory.DeleteUser(t.Context(), w.Caller(), ada.ID); err != nil {
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		m, ok := w.Member("ada@acme.test")
		if !ok {
			t.Fatal("no member")
		}
		err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return directory.Mirror(tx, w.Connection, m.Member, w.Clock.Now()) })
		if err != nil {
			t.Fatal(err)
		}
		back := w.User("ada")
		if back.ID == ada.ID || !back.Linked || back.MirrorOf == nil || *back.MirrorOf != m.ID {
			t.Errorf("%+v", back)
		}
	})
}
