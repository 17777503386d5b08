package scheduler_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scheduler"
	"outpost/scim"
	"outpost/store"
)

// burst writes operations at moments of its own, without directory or worker, and follows runs.
type burst struct {
	*fixture.World
	t    *testing.T
	runs *scheduler.Scheduler
	n    int
}

func newBurst(t *testing.T, w *fixture.World) *burst {
	return &burst{World: w, t: t, runs: scheduler.New(w.Store, w.Outbox, w.Log, w.Clock.Now)}
}

// id is an id of the clock's time; later calls have larger ones.
func (b *burst) id() string {
	b.n++
	return store.FirstID(b.Clock.Now())[:24] + fmt.Sprintf("%012x", b.n)
}

// person is the id of the person of that number.
func person(n int) string { return fmt.Sprintf("01900000-0000-7000-8000-%012x", n) }

// operation writes one about a person, at the clock's time; whatever is not open ended half a second later.
func (b *burst) operation(n int, kind models.Kind, state models.OperationState) models.Operation {
	b.t.Helper()
	class := map[models.Kind]string{models.KindUserUpsert: "provision", models.KindUserDeactivate: "revoke", models.KindInvitationEmail: "mail"}[kind]
	op := models.Operation{ID: b.id(), WorkspaceID: b.Workspace.ID, ConnectionID: &b.Connection.ID, Kind: kind, Class: class, ResourceType: models.ResourceUser, ResourceID: person(n),
		Version: 1, State: state, CreatedAt: b.Clock.Now()}
	if !state.Open() && state != models.OperationHeld {
		end := b.Clock.Now().Add(500 * time.Millisecond)
		op.FinishedAt = &end
	}
	if err := b.Store.Write(b.t.Context(), func(tx *store.Tx) error { tx.Add(&op); return nil }); err != nil {
		b.t.Fatal(err)
	}
	return op
}

// people brings people of those numbers, step apart, all applied.
func (b *burst) people(from, to int, step time.Duration) {
	b.t.Helper()
	for n := from; n <= to; n++ {
		b.operation(n, models.KindUserUpsert, models.OperationDone)
		b.Clock.Advance(step)
	}
}

// follow runs the pass and lists the runs, newest first.
func (b *burst) follow() []models.Run {
	b.t.Helper()
	if err := b.runs.FollowRuns(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	runs, total, err := b.Store.Runs(b.t.Context(), b.Workspace.ID, 0, 10)
	if err != nil || total != len(runs) {
		b.t.Fatal(total, len(runs), err)
	}
	return runs
}

func TestTheTwentiethPersonOfAMinuteStartsARun(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		b := newBurst(t, w)
		began := b.Clock.Now()
		b.people(1, 19, 3*time.Second)
		for range 5 { // somebody who comes again is nobody new
			b.operation(7, models.KindUserUpsert, models.OperationDone)
		}
		if runs := b.follow(); len(runs) != 0 {
			t.Fatalf("19 people are a run: %+v", runs)
		}
		b.operation(20, models.KindUserUpsert, models.OperationPending)
		runs := b.follow()
		if len(runs) != 1 || !runs[0].StartedAt.Equal(began) || !runs[0].LastAt.Equal(b.Clock.Now()) || runs[0].EndedAt != nil {
			t.Fatalf("20 people: %+v", runs)
		}
		if r := runs[0]; r.Received != 20 || r.Applied != 19 || r.Waiting != 1 || r.Title != "Assignment of 20 people" {
			t.Errorf("20 people: %+v", r)
		}
		b.people(21, 25, time.Second)
		if runs := b.follow(); len(runs) != 1 || runs[0].Received != 25 {
			t.Errorf("more people: %+v", runs)
		}
	})
}

func TestAMinuteAndMoreIsNoBurst(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		b := newBurst(t, w)
		for n := 1; n <= 40; n++ {
			b.people(n, n, 3200*time.Millisecond)
			if runs := b.follow(); len(runs) != 0 {
				t.Fatalf("19 people in a minute are a run: %+v", runs)
			}
		}
	})
}

func TestARunEndsWhenNothingIsLeftAndReopensForMore(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		b := newBurst(t, w)
		b.people(1, 29, 100*time.Millisecond)
		mail := b.operation(3, models.KindInvitationEmail, models.OperationPending)
		b.Clock.Advance(100 * time.Millisecond)
		b.people(30, 30, 0)
		last := b.Clock.Now()
		if runs := b.follow(); len(runs) != 1 {
			t.Fatalf("%+v", runs)
		}
		b.Clock.Advance(59 * time.Second)
		if runs := b.follow(); runs[0].EndedAt != nil {
			t.Errorf("ended before a quiet minute: %+v", runs[0])
		}
		b.Clock.Advance(time.Minute)
		if runs := b.follow(); runs[0].EndedAt != nil || runs[0].Applied != 30 {
			t.Errorf("ended with a mail to come: %+v", runs[0])
		}
		b.Store.SetClockOffset(time.Until(b.Clock.Now())) // as late as the test
		claimed, ok, _, err := b.Store.Claim(t.Context(), mail.ID, 0, "")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := b.Store.Write(t.Context(), func(tx *store.Tx) error {
			tx.Settle(store.Claimed{ID: claimed.ID, ClaimNo: claimed.ClaimNo}, models.OperationDone, "")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		settled, err := b.Store.Operation(t.Context(), mail.ID)
		if err != nil {
			t.Fatal(err)
		}
		first := b.follow()[0]
		if first.EndedAt == nil || first.EndedAt.Sub(*settled.FinishedAt).Abs() > time.Millisecond || !first.LastAt.Equal(last) {
			t.Fatalf("not ended with its last operation, at %v: %+v", settled.FinishedAt, first)
		}
		b.people(50, 50, 0) // one is no burst
		if runs := b.follow(); len(runs) != 1 || runs[0].EndedAt == nil || runs[0].Received != 30 {
			t.Errorf("one more person: %+v", runs[0])
		}

		b.Clock.Set(first.EndedAt.Add(9 * time.Minute).Truncate(time.Millisecond))
		b.people(101, 119, time.Second)
		if runs := b.follow(); runs[0].EndedAt == nil {
			t.Errorf("reopened by 19: %+v", runs)
		}
		b.people(120, 120, 0)
		again := b.follow()
		if len(again) != 1 || again[0].ID != first.ID || again[0].EndedAt != nil || !again[0].StartedAt.Equal(first.StartedAt) || again[0].Received != 51 {
			t.Fatalf("not reopened: %+v", again)
		}
		b.Clock.Advance(61 * time.Second)
		ended := b.follow()[0]
		if ended.EndedAt == nil || ended.Received != 51 {
			t.Fatalf("not ended again: %+v", ended)
		}

		b.Clock.Set(ended.EndedAt.Add(10*time.Minute + time.Second).Truncate(time.Millisecond))
		b.people(1, 20, 0)
		other := b.follow()
		if len(other) != 2 || other[0].ID == first.ID || other[0].Received != 20 || other[1].Received != 51 || other[1].EndedAt == nil {
			t.Errorf("after ten minutes: %+v", other)
		}
	})
}

func TestWhatNeverEndsDoesNotTakeInTheNextBurst(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		b := newBurst(t, w)
		b.people(1, 20, 0)
		b.operation(1, models.KindInvitationEmail, models.OperationPending)
		b.follow()
		b.Clock.Advance(11 * time.Minute)
		if runs := b.follow(); len(runs) != 1 || runs[0].EndedAt != nil {
			t.Fatalf("%+v", runs)
		}
		b.people(101, 130, 0)
		runs := b.follow()
		if len(runs) != 2 || runs[0].Received != 30 || runs[0].EndedAt != nil || runs[1].Received != 20 || runs[1].EndedAt == nil {
			t.Errorf("%+v", runs)
		}
	})
}

func TestALeaversRunSaysSo(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		b := newBurst(t, w)
		for n := range 38 {
			b.operation(n, models.KindUserDeactivate, models.OperationDone)
		}
		if runs := b.follow(); len(runs) != 1 || runs[0].Title != "Removal of 38 people" {
			t.Errorf("%+v", runs)
		}
	})
}

func TestManySchedulersMakeOneRun(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		b := newBurst(t, w)
		var schedulers []*scheduler.Scheduler
		for range 4 {
			schedulers = append(schedulers, scheduler.New(w.Store, w.Outbox, w.Log, w.Clock.Now))
		}
		together := func() {
			t.Helper()
			var wg sync.WaitGroup
			for _, s := range schedulers {
				wg.Go(func() {
					if err := s.FollowRuns(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		b.people(1, 20, 0)
		for n := 21; n <= 40; n++ {
			together()
			b.people(n, n, 500*time.Millisecond)
		}
		together()
		b.Clock.Advance(2 * time.Minute)
		together()
		if runs := b.follow(); len(runs) != 1 || runs[0].Received != 40 || runs[0].Applied != 40 || runs[0].EndedAt == nil {
			t.Errorf("%+v", runs)
		}
		b.people(41, 60, 0)
		together()
		if runs := b.follow(); len(runs) != 1 || runs[0].Received != 60 || runs[0].EndedAt != nil {
			t.Errorf("%+v", runs)
		}
	})
}

func TestFiguresOfARunAreExact(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		b := newBurst(t, w)
		caller := w.Caller()
		caller.Actor = "token …wZr1"
		var ids []string
		made := time.Now()
		testkit.Eventually(t, time.Second, "the ids of the world are older than those of the run", func() bool { return time.Since(made) > 100*time.Millisecond })
		create := func(in *scim.User) models.User {
			t.Helper()
			u, err := w.Directory.CreateUser(t.Context(), caller, in)
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		for n := range 20 {
			ids = append(ids, create(w.Person(fmt.Sprintf("p%02d", n))).ID)
		}
		create(w.Resource(`{"userName":"twin@acme.test","displayName":"Twin","emails":[{"primary":true,"value":"p00@acme.test"}],"active":true}`))
		owner := create(w.Person("owner"))
		w.Group("Engineering", ids[:5]...)
		w.Group("Platform", ids[3:6]...)
		runs := b.follow()
		if len(runs) != 1 {
			t.Fatalf("%+v", runs)
		}
		run := runs[0]
		figures := func() store.RunFigures {
			t.Helper()
			f, err := w.Store.RunFigures(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		if f := figures(); f.Received != 22 || f.Waiting != 22 || f.Applied != 0 || f.HereAlready != 1 || f.NewPeople != 21 || f.ReceivedRate == 0 {
			t.Errorf("before a worker: %+v", f)
		}
		w.Mailbox(nil)
		testkit.Eventually(t, 20*time.Second, "all but the twin are there and have their mail", func() bool { f := figures(); return f.Waiting == 0 && f.Invitations.Waiting == 0 })
		w.SetActive(owner.ID, false) // the last owner: held
		f := figures()
		if f.Received != 22 || f.Applied != 20 || f.Failed != 1 || f.Held != 1 || f.Waiting != 0 || f.Removed != 0 {
			t.Errorf("people: %+v", f)
		}
		if f.HereAlready != 1 || f.NewPeople != 21 || f.Joined != 0 || f.Invitations != (store.Invitations{Sent: 20}) || f.TokenLastFour != "wZr1" {
			t.Errorf("what it did: %+v", f)
		}
		if f.GroupCount != 2 || len(f.Groups) != 2 || f.Groups[0].Name != "Engineering" || f.Groups[0].People != 5 || f.Groups[1].Name != "Platform" || f.Groups[1].People != 3 {
			t.Errorf("groups: %+v", f.Groups)
		}
		if f.OldestWaiting != 0 || f.Slowest <= 0 || f.Slowest > 30*time.Second || f.AppliedRate <= 0 || f.AppliedRate > 2 {
			t.Errorf("times: %+v", f)
		}
		run = b.follow()[0]
		if run.Title != "Assignment of Engineering and 1 more group" || run.Received != 22 || run.Failed != 1 || run.Held != 1 {
			t.Errorf("the row: %+v", run)
		}
		latest, err := w.Store.RunLatest(t.Context(), run, 30)
		if err != nil || len(latest) != 22 {
			t.Fatalf("%d latest %v", len(latest), err)
		}
		said := map[string]string{}
		failed := 0
		for _, p := range latest {
			said[p.Name] = string(p.Badge()) + ": " + p.What()
			if twin := strings.HasPrefix(said[p.Name], "failed: The e-mail address p00@acme.test already belongs"); twin {
				failed++
			} else if p.MemberID == nil || p.Known != (p.Name == "owner Test") || p.Took <= 0 && p.State != models.OperationHeld {
				t.Errorf("%+v", p)
			}
		}
		if failed != 1 || said["p01 Test"] != "done: Invitation sent" || !strings.HasPrefix(said["owner Test"], "held: Held: ") {
			t.Errorf("%q", said)
		}
	})
}

func TestAFailedMailMakesAPersonFailed(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		b := newBurst(t, w)
		b.operation(999, models.KindUserUpsert, models.OperationDone) // came before, though their mail comes in it
		b.Clock.Advance(2 * time.Minute)
		b.people(1, 20, time.Millisecond)
		for n, state := range map[int]models.OperationState{1: models.OperationDone, 2: models.OperationPending, 3: models.OperationRunning, 4: models.OperationFailed, 5: models.OperationHeld, 6: models.OperationSuperseded, 999: models.OperationFailed} {
			b.operation(n, models.KindInvitationEmail, state)
		}
		b.operation(4, models.KindUserUpsert, models.OperationPending) // failed comes before waiting
		b.operation(5, models.KindUserUpsert, models.OperationPending) // and held as well
		b.operation(7, models.KindUserUpsert, models.OperationRunning)
		other, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderEntra, "test")
		if err != nil {
			t.Fatal(err)
		}
		mine := b.Connection
		b.Connection = other.Connection
		b.people(301, 310, 0) // another connection's
		b.Connection = mine
		runs := b.follow()
		if len(runs) != 1 {
			t.Fatalf("%+v", runs)
		}
		if r := runs[0]; r.Received != 20 || r.Applied != 17 || r.Failed != 1 || r.Held != 1 || r.Waiting != 1 {
			t.Errorf("%+v", r)
		}
		f, err := w.Store.RunFigures(t.Context(), runs[0])
		if err != nil || f.Invitations != (store.Invitations{Sent: 1, Waiting: 2, Failed: 1, Held: 1}) {
			t.Errorf("%+v %v", f, err)
		}
		if left, ok := (store.RunFigures{Waiting: 90, AppliedRate: 30}).TimeLeft(); left != 3*time.Second || !ok {
			t.Error(left, ok)
		}
		if _, ok := (store.RunFigures{Waiting: 90}).TimeLeft(); ok {
			t.Error("nothing moves, and there is an end")
		}
	})
}

func TestThePaceOfARunAddsUp(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		b := newBurst(t, w)
		b.people(1, 20, 500*time.Millisecond)
		b.follow()
		b.Clock.Advance(2 * time.Minute)
		run := b.follow()[0]
		if run.EndedAt == nil || run.EndedAt.Sub(run.StartedAt) != 10*time.Second {
			t.Fatalf("%+v", run)
		}
		points, err := w.Store.RunSeries(t.Context(), run, 5)
		if err != nil || len(points) != 5 {
			t.Fatal(points, err)
		}
		for i, p := range points {
			if want := []float64{1.5, 2, 2, 2, 2.5}[i]; p.Received != 2 || p.Applied != want || !p.At.Equal(run.StartedAt.Add(time.Duration(i)*2*time.Second)) {
				t.Errorf("%d: %+v", i, p)
			}
		}
		if points, err := w.Store.RunSeries(t.Context(), run, 600); err != nil || len(points) != 10 {
			t.Errorf("%d stretches of less than a second %v", len(points), err)
		}
		again, err := w.Store.Run(t.Context(), w.Workspace.ID, run.ID)
		if err != nil || again.Received != 20 {
			t.Errorf("%+v %v", again, err)
		}
		if _, err := w.Store.Run(t.Context(), person(1), run.ID); !models.Is(err, models.NotFound) {
			t.Errorf("another workspace has it: %v", err)
		}
	})
}
