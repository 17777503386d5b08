package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/store"
)

// What makes a run.
const (
	// runPeople different people within runWithin start one.
	runPeople = 20
	runWithin = time.Minute
	// runAgain is how soon after its end more people reopen a run instead of starting another.
	runAgain = 10 * time.Minute
	// runLate is how late an operation may show up: its id is made before its commit, by another machine's clock.
	runLate = 10 * time.Second
)

// followRuns makes bursts of people into runs, and keeps the figures of those that are open. It counts operations and
// keeps nothing of its own but how far it has looked, so that any number of schedulers may do it side by side: each writes
// what it found only if the run still is what it read, and a connection has one open run.
func (s *Scheduler) followRuns(ctx context.Context) error {
	now := s.now()
	since := now.Add(-runAgain) // nobody may have looked for a while
	if !s.followed.IsZero() {
		since = s.followed.Add(-runWithin - runLate)
	}
	arriving, err := s.store.Arriving(ctx, since, runPeople)
	if err != nil {
		return err
	}
	var failed error
	for _, a := range arriving {
		err := s.followRun(ctx, a, since, now)
		if err != nil && !models.Is(err, models.Stale) && !models.Is(err, models.Conflict) { // else another scheduler was faster
			failed = errors.Join(failed, err)
		}
	}
	if failed == nil {
		s.followed = now
	}
	return failed
}

// followRun brings the newest run of a connection up to date, or starts one.
func (s *Scheduler) followRun(ctx context.Context, a store.Arriving, since, now time.Time) error {
	run, found, err := s.store.LatestRun(ctx, a)
	if err != nil {
		return err
	}
	before := run
	open := found && run.EndedAt == nil
	if open {
		if run.LastAt, err = s.store.LastArrival(ctx, a, run.LastAt); err != nil {
			return err
		}
	}
	from := since
	if found && run.LastAt.After(since) {
		from = run.LastAt.Add(time.Millisecond)
	}
	var burst bool
	var began time.Time
	if !open || run.LastAt.Add(store.RunQuiet).Before(now.Add(runLate)) { // else whoever came belongs to the run already
		arrivals, err := s.store.Arrivals(ctx, a, from)
		if err != nil {
			return err
		}
		began, burst = burstIn(arrivals)
	}
	rest, ended := false, time.Time{}
	if open {
		if rest, ended, err = s.store.RunRest(ctx, run); err != nil {
			return err
		}
		ended = later(ended, run.LastAt)
	} else if found {
		ended = *run.EndedAt
	}
	switch {
	case burst && found && !began.After(ended.Add(runAgain)):
		run.EndedAt = nil
		if run.LastAt, err = s.store.LastArrival(ctx, a, began); err != nil {
			return err
		}
	case burst:
		if open { // something of it never came to an end: it must not take today's people in
			run.EndedAt = &ended
			if err := s.saveRun(ctx, run, before); err != nil {
				return err
			}
		}
		run = models.Run{ID: outbox.ID(), WorkspaceID: a.WorkspaceID, ConnectionID: a.ConnectionID, StartedAt: began}
		if run.LastAt, err = s.store.LastArrival(ctx, a, began); err != nil {
			return err
		}
		if err := s.fillRun(ctx, &run); err != nil {
			return err
		}
		return s.store.Write(ctx, func(tx *store.Tx) error {
			tx.Add(&run)
			return nil
		})
	case !open:
		return nil
	case !rest && !now.Before(run.LastAt.Add(store.RunQuiet)):
		run.EndedAt = &ended
	}
	return s.saveRun(ctx, run, before)
}

func (s *Scheduler) saveRun(ctx context.Context, run, before models.Run) error {
	if err := s.fillRun(ctx, &run); err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.SaveRun(run, before.LastAt, before.EndedAt != nil) })
}

// fillRun counts a run's people and names it.
func (s *Scheduler) fillRun(ctx context.Context, run *models.Run) error {
	f, err := s.store.RunFigures(ctx, *run)
	if err != nil {
		return err
	}
	run.Received, run.Applied, run.Waiting, run.Failed, run.Held = f.Received, f.Applied, f.Waiting, f.Failed, f.Held
	run.Title = runTitle(f)
	return nil
}

// burstIn finds the first moment from which on runPeople different people came within runWithin. Arrivals are in order.
func burstIn(arrivals []store.Arrival) (began time.Time, ok bool) {
	there := map[string]int{}
	for first, last := 0, 0; last < len(arrivals); last++ {
		there[arrivals[last].ResourceID]++
		for at := store.IDTime(arrivals[last].ID); at.Sub(store.IDTime(arrivals[first].ID)) >= runWithin; first++ {
			if there[arrivals[first].ResourceID]--; there[arrivals[first].ResourceID] == 0 {
				delete(there, arrivals[first].ResourceID)
			}
		}
		if len(there) >= runPeople {
			return store.IDTime(arrivals[first].ID), true
		}
	}
	return began, false
}

// runTitle names a run by what it does, for people.
func runTitle(f store.RunFigures) string {
	switch groups := f.GroupCount; {
	case f.Removed*10 >= f.Received*9: // nearly all
		return fmt.Sprintf("Removal of %d people", f.Received)
	case groups == 1:
		return "Assignment of " + f.Groups[0].Name
	case groups == 2:
		return "Assignment of " + f.Groups[0].Name + " and 1 more group"
	case groups > 2:
		return fmt.Sprintf("Assignment of %s and %d more groups", f.Groups[0].Name, groups-1)
	}
	return fmt.Sprintf("Assignment of %d people", f.Received)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
