package scheduler_test

import (
	"context"
	"errors"
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

// TestQuestionsToProvidersAreForgottenSoon: anybody can begin one.
func TestQuestionsToProvidersAreForgottenSoon(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		now, browser := w.Clock.Now(), []byte("browser")
		q := models.SAMLRequest{ID: "_q", ConnectionID: w.Connection.ID, BrowserHash: browser, Purpose: models.PurposeSignIn, IP: "203.0.113.1", CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute)}
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
			tx.Add(&q)
			return tx.UseAssertion(w.Connection.ID, []byte("assertion"), q.ExpiresAt)
		}); err != nil {
			t.Fatal(err)
		}
		s := scheduler.New(w.Store, w.Outbox, w.Log, w.Clock.Now)
		for _, test := range []struct {
			after                     time.Duration
			counted                   int
			requestKnown, replayKnown bool
		}{
			{0, 1, true, true},
			{10 * time.Minute, 0, true, true},
			{time.Hour - time.Second, 0, true, true},
			{2 * time.Second, 0, false, false},
		} {
			w.Clock.Advance(test.after)
			if n, err := w.Store.SAMLRequestsFrom(t.Context(), q.IP, w.Clock.Now().Add(-10*time.Minute)); err != nil || n != test.counted {
				t.Errorf("%s later: %d are counted, %v", test.after, n, err)
			}
			if err := s.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Store.LastSAMLRequest(t.Context(), w.Connection.ID, browser); models.Is(err, models.NotFound) == test.requestKnown {
				t.Errorf("%s later: the request: %v", test.after, err)
			}
			err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.UseAssertion(w.Connection.ID, []byte("assertion"), q.ExpiresAt); err != nil {
					return err
				}
				return errors.New("only asked")
			})
			if models.Is(err, models.Stale) != test.replayKnown {
				t.Errorf("%s later: the assertion: %v", test.after, err)
			}
		}
	})
}
