package outbox_test

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
	"outpost/outbox"
	"outpost/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// claim takes an operation, which must be there to take.
func claim(t *testing.T, w *fixture.World, id string) models.Operation {
	t.Helper()
	op, ok, _, err := w.Store.Claim(t.Context(), id, 1, "")
	if err != nil || !ok {
		t.Fatalf("claim: %v %v", ok, err)
	}
	return op
}

func nothing(*store.Tx) (outbox.Outcome, error) { return outbox.Outcome{}, nil }

func TestAnOperationIsRunByOneWorkerAtATime(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.User("ada")
		id := w.Operations()[0].ID
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, ok, _, err := w.Store.Claim(context.Background(), id, 1, ""); err != nil {
					t.Error(err)
				} else if ok {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d workers have it", won.Load())
		}
	})
}

func TestAWorkerThatLostItsClaimCannotWrite(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.User("ada")
		late := claim(t, w, w.Operations()[0].ID)
		w.Store.SetClockOffset(store.Lease + time.Second)
		op := claim(t, w, late.ID)
		if op.ClaimNo != late.ClaimNo+1 {
			t.Fatalf("claim %d after %d", op.ClaimNo, late.ClaimNo)
		}
		wrote := false
		err := w.Outbox.Apply(t.Context(), late, func(tx *store.Tx) (outbox.Outcome, error) {
			wrote = true
			return outbox.Outcome{}, tx.SetSetting("late", "written")
		})
		if !wrote || !models.Is(err, models.Stale) {
			t.Errorf("the late worker's settle: %v", err)
		}
		if v, err := w.Store.Setting(t.Context(), "late"); err != nil || v != "" {
			t.Errorf("its effect took place: %q %v", v, err)
		}
		if err := w.Outbox.Apply(t.Context(), op, nothing); err != nil {
			t.Error(err)
		}
		if err := w.Outbox.Apply(t.Context(), op, nothing); !models.Is(err, models.Stale) {
			t.Errorf("settled twice: %v", err)
		}
	})
}

func TestARenewedLeaseIsKept(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.User("ada")
		op := claim(t, w, w.Operations()[0].ID)
		w.Store.SetClockOffset(6 * time.Second)
		mine := store.Claimed{ID: op.ID, ClaimNo: op.ClaimNo}
		if ids, err := w.Store.Renew(t.Context(), []store.Claimed{mine, {ID: op.ID, ClaimNo: 99}}); err != nil || len(ids) != 1 {
			t.Fatalf("renewed %v %v", ids, err)
		}
		w.Store.SetClockOffset(12 * time.Second)
		if n, err := w.Outbox.Sweep(t.Context()); err != nil || n != 0 {
			t.Errorf("swept %d %v", n, err)
		}
		w.Store.SetClockOffset(20 * time.Second)
		if n, err := w.Outbox.Sweep(t.Context()); err != nil || n != 1 {
			t.Errorf("swept %d %v", n, err)
		}
		if op := w.Operations()[0]; op.State != models.OperationPending || op.Attempts != 0 {
			t.Errorf("after the sweep: %+v", op)
		}
	})
}

func TestAnOperationThatKillsItsWorkersIsSetAside(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.User("ada")
		id := w.Operations()[0].ID
		for i := range 20 {
			if _, ok, _, err := w.Store.Claim(t.Context(), id, 1, ""); err != nil || !ok {
				t.Fatalf("claim %d: %v %v", i, ok, err)
			}
			w.Store.SetClockOffset(time.Duration(i+1) * (store.Lease + time.Second))
			if _, err := w.Outbox.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if op := w.Operations()[0]; op.State == models.OperationFailed {
				if op.Error == "" || op.FinishedAt == nil {
					t.Errorf("failed without a word: %+v", op)
				}
				return
			}
		}
		t.Error("it is tried for ever")
	})
}

func TestNothingIsWrittenWhenTheChangeFails(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		broken := errors.New("broken")
		op := outbox.Operation(models.KindUserUpsert, w.Workspace.ID, w.Connection.ID, models.ResourceUser, outbox.ID(), 1, w.Clock.Now())
		err := w.Outbox.Write(t.Context(), func(tx *store.Tx) ([]models.Operation, error) {
			return []models.Operation{op}, errors.Join(tx.SetSetting("x", "y"), broken)
		})
		if !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
		if v, _ := w.Store.Setting(t.Context(), "x"); v != "" || len(w.Operations()) != 0 {
			t.Errorf("setting %q, operations %v", v, w.Operations())
		}
	})
}

func TestOperationsReachTheWorkerThroughRedis(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, r *testkit.RedisServer) {
		w.Schedule()
		box := w.Mailbox(nil)
		w.User("ada")
		w.Settled(20 * time.Second)
		if op := w.Operations()[len(w.Operations())-1]; op.Dispatches != 1 || op.ClaimNo != 1 || op.DispatchedAt == nil {
			t.Errorf("not through the queue once: %+v", op)
		}
		if n := len(box.Messages()); n != 1 {
			t.Errorf("%d mails", n)
		}
	})
}

func TestTheRelayPublishesWhatTheWriterDidNot(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, r *testkit.RedisServer) {
		for range 3 {
			if err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
				op := outbox.Operation(models.KindMemberMirror, w.Workspace.ID, w.Connection.ID, "Member", outbox.ID(), 0, w.Clock.Now())
				tx.Add(&op)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		w.Background(w.Outbox.Run)
		w.Store.SetClockOffset(time.Second)
		n, err := w.Outbox.Relay(t.Context())
		if err != nil || n != 3 {
			t.Fatalf("published %d %v", n, err)
		}
		testkit.Eventually(t, 5*time.Second, "all are marked", func() bool {
			for _, op := range w.Operations() {
				if op.DispatchedAt == nil || op.Dispatches != 1 || op.Queue != "upkeep" {
					return false
				}
			}
			return true
		})
		if n, err := w.Outbox.Relay(t.Context()); err != nil || n != 0 {
			t.Errorf("published again: %d %v", n, err)
		}
	})
}

func TestAFlushedRedisLosesNothing(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, r *testkit.RedisServer) {
		w.Schedule()
		testkit.Eventually(t, 5*time.Second, "the mark is left", func() bool { e, err := w.Queue.Epoch(context.Background()); return err == nil && e != "" })
		for _, name := range []string{"ada", "bob", "cyd", "dan"} {
			w.User(name)
		}
		testkit.Eventually(t, 5*time.Second, "all are published", func() bool {
			for _, op := range w.Operations() {
				if op.DispatchedAt == nil {
					return false
				}
			}
			return true
		})
		r.Flush()
		box := w.Mailbox(nil)
		w.Settled(30 * time.Second)
		if n := len(box.Messages()); n != 4 {
			t.Errorf("%d mails", n)
		}
	})
}

func TestAHealthyBacklogIsLeftAloneAndAPassedOperationIsNot(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, r *testkit.RedisServer) {
		w.Background(w.Outbox.Run)
		for _, name := range []string{"ada", "bob", "cyd"} {
			w.User(name)
		}
		marked := func(want int) bool {
			n := 0
			for _, op := range w.Operations() {
				if op.DispatchedAt != nil {
					n++
				}
			}
			return n == want
		}
		testkit.Eventually(t, 5*time.Second, "all are published", func() bool { return marked(3) })
		w.Store.SetClockOffset(10 * time.Minute) // nobody works: a long queue, but a whole one
		if n, err := w.Outbox.Sweep(t.Context()); err != nil || n != 0 {
			t.Errorf("a healthy backlog was dispatched again: %d %v", n, err)
		}
		r.Flush() // an empty queue has passed everybody
		if n, err := w.Outbox.Sweep(t.Context()); err != nil || n != 3 {
			t.Errorf("swept %d %v", n, err)
		}
		if _, err := w.Outbox.Relay(t.Context()); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, 5*time.Second, "all are published again", func() bool { return marked(3) })
		if op := w.Operations()[0]; op.Dispatches != 2 {
			t.Errorf("dispatches %d", op.Dispatches)
		}
	})
}

func TestWorkGoesOnWithoutRedisAndThroughItsReturn(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, r *testkit.RedisServer) {
		w.Schedule()
		box := w.Mailbox(nil)
		r.Kill()
		testkit.Eventually(t, 10*time.Second, "the loss is noticed", func() bool { return w.Queue.Away() > 0 })
		w.User("ada")
		w.Settled(30 * time.Second)
		r.Restart()
		testkit.Eventually(t, 10*time.Second, "the return is noticed", func() bool { return w.Queue.Away() == 0 })
		w.User("bob")
		w.Settled(30 * time.Second)
		if n := len(box.Messages()); n != 2 {
			t.Errorf("%d mails", n)
		}
	})
}

func TestAFailedOperationIsRetriedByHand(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, r *testkit.RedisServer) {
		w.Schedule()
		w.Mailbox(nil)
		w.User("ada")
		w.Settled(20 * time.Second)
		twin, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"twin@acme.test","displayName":"Twin","emails":[{"value":"ada@acme.test"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		failed := func() bool { return w.Operations()[0].State == models.OperationFailed }
		testkit.Eventually(t, 20*time.Second, "it fails", failed)
		w.Patch(twin.ID, `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"twin@acme.test"},{"op":"remove","path":"emails[value eq \"ada@acme.test\"]"}]`)
		w.Settled(20 * time.Second)
		if _, there := w.Member("twin@acme.test"); !there {
			t.Error("the twin is no member")
		}
		for _, op := range w.Operations() {
			if op.State == models.OperationFailed {
				t.Errorf("the overtaken failure stays: %+v", op)
			}
		}
		if err := w.Outbox.ForgetArchived(t.Context()); err != nil {
			t.Fatal(err)
		}
		if tasks, err := w.Queue.Archived("provision", 10); err != nil || len(tasks) != 0 {
			t.Errorf("archived tasks of operations that are not failed: %v %v", tasks, err)
		}
	})
}
