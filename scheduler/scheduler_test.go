package scheduler_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scheduler"
	"outpost/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestTwoSchedulersRunAPassOnceAWindow(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		var ran atomic.Int32
		run := func(context.Context) error { ran.Add(1); return nil }
		for round := range int32(3) {
			var wg sync.WaitGroup
			for range 4 {
				s := scheduler.New(w.Store, w.Outbox, w.Log, w.Clock.Now)
				wg.Go(func() {
					if err := s.Once(context.Background(), "expiry", time.Minute, run); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if ran.Load() != round+1 {
				t.Fatalf("%d runs in %d windows", ran.Load(), round+1)
			}
			w.Clock.Advance(time.Minute)
		}
	})
}

func TestWhatHasHadItsTimeIsClosedAndForgotten(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		w.User("ada")
		g := w.Group("Ops", "nobody-yet")
		w.Settled(20 * time.Second)
		s := scheduler.New(w.Store, w.Outbox, w.Log, w.Clock.Now)
		pass := func() {
			t.Helper()
			if err := s.Expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		state := func() (state models.InvitationState) {
			t.Helper()
			m, _ := w.Member("ada@acme.test")
			if err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
				inv, _, err := tx.InvitationFor(m.ID, *m.DirectoryUserID, 1, "ada@acme.test")
				state = inv.State
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return state
		}
		waiting := func() int {
			t.Helper()
			ws, err := w.Store.WaitingMembers(t.Context(), g.ID)
			if err != nil {
				t.Fatal(err)
			}
			return len(ws)
		}
		w.Clock.Advance(6 * 24 * time.Hour)
		pass()
		if state() != models.InvitationOpen || waiting() != 1 {
			t.Errorf("too early: invitation %s, %d waiting", state(), waiting())
		}
		w.Clock.Advance(25 * 24 * time.Hour)
		pass()
		if state() != models.InvitationExpired || waiting() != 0 {
			t.Errorf("too late: invitation %s, %d waiting", state(), waiting())
		}
	})
}
