// Package scheduler is the clock: relay, re-dispatch, runs, reminders, expiry and pruning.
// It never does the work itself, and any number of them may run: each pass takes rows that nobody else has, or claims
// its moment with a unique row.
package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
	"outpost/workspace"
)

// Scheduler runs the passes.
type Scheduler struct {
	store  *store.Store
	outbox *outbox.Outbox
	log    *slog.Logger
	now    func() time.Time

	// RemindAfter is how long after its last mail people are reminded of an invitation, once; 0 is never. Set it before Run.
	RemindAfter time.Duration

	followed time.Time // how far runs have been followed
}

// New makes a Scheduler; now is the clock.
func New(s *store.Store, o *outbox.Outbox, log *slog.Logger, now func() time.Time) *Scheduler {
	return &Scheduler{store: s, outbox: o, log: log, now: now}
}

// waitingLife is how long a value that a group names may wait for a person.
const waitingLife = 30 * 24 * time.Hour

// sessionsKept is how long a session or a sign-in link stays for the record: longer than any of them can be used.
const sessionsKept = 30 * 24 * time.Hour

// samlKept is how long requests to providers, which anybody can begin, and used assertions stay after their end: longer than
// clocks differ.
const samlKept = time.Hour

// Run runs every pass at its pace until ctx ends.
func (s *Scheduler) Run(ctx context.Context) {
	passes := []struct {
		name  string
		every time.Duration
		once  bool // only one scheduler runs it in each window of that length
		run   func(context.Context) error
	}{
		{"relay", 200 * time.Millisecond, false, func(ctx context.Context) error { _, err := s.outbox.Relay(ctx); return err }},
		{"epoch", time.Second, false, func(ctx context.Context) error { _, err := s.outbox.CheckEpoch(ctx); return err }},
		{"sweep", 2 * time.Second, false, func(ctx context.Context) error { _, err := s.outbox.Sweep(ctx); return err }},
		{"runs", 2 * time.Second, false, s.followRuns},
		{"archive", time.Minute, true, s.outbox.ForgetArchived},
		{"expiry", time.Minute, true, s.expire},
		{"reminders", time.Minute, true, s.remind},
		{"certificates", time.Hour, true, s.warnOfCertificates},
		{"prune", time.Hour, true, s.prune},
		{"refold", time.Minute, false, func(ctx context.Context) error { return directory.Refold(ctx, s.store) }},
	}
	var wg sync.WaitGroup
	for _, p := range passes {
		wg.Go(func() {
			tick := time.NewTicker(p.every)
			defer tick.Stop()
			for {
				if err := s.pass(ctx, p.name, p.every, p.once, p.run); err != nil && ctx.Err() == nil {
					s.log.Warn("scheduler pass", "pass", p.name, "error", err)
				}
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	wg.Wait()
}

func (s *Scheduler) pass(ctx context.Context, name string, every time.Duration, once bool, run func(context.Context) error) error {
	if once {
		mine := false
		err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
			mine, err = tx.Tick(name, s.now().UTC().Truncate(every))
			return err
		})
		if err != nil || !mine {
			return err
		}
	}
	return run(ctx)
}

// atOnce bounds the invitations that one transaction closes or reminds of.
const atOnce = 500

// expire closes invitations whose time is over.
func (s *Scheduler) expire(ctx context.Context) error {
	for n := int64(atOnce); n == atOnce; {
		err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = tx.ExpireInvitations(s.now(), atOnce)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remind mails people once more who were invited a while ago and have not joined.
func (s *Scheduler) remind(ctx context.Context) error {
	if s.RemindAfter == 0 {
		return nil
	}
	for n := atOnce; n == atOnce; {
		err := s.outbox.Write(ctx, func(tx *store.Tx) (ops []models.Operation, err error) {
			ops, n, err = workspace.Remind(tx, s.RemindAfter, s.now(), atOnce)
			return ops, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// warnOfCertificates tells owners of certificates of single sign-on that end soon.
func (s *Scheduler) warnOfCertificates(ctx context.Context) error {
	setups, err := s.store.SAMLSetups(ctx)
	if err != nil {
		return err
	}
	var failed []error // one workspace's trouble is not the others'
	for _, setup := range setups {
		failed = append(failed, s.outbox.Write(ctx, func(tx *store.Tx) ([]models.Operation, error) {
			return workspace.WarnOfCertificate(tx, setup.ConnectionID, s.now())
		}))
	}
	return errors.Join(failed...)
}

// prune forgets what has no use any more: values that waited too long, old sessions and links, and old ticks.
func (s *Scheduler) prune(ctx context.Context) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.PruneWaiting(s.now().Add(-waitingLife)); err != nil {
			return err
		}
		if err := tx.PruneSessions(s.now().Add(-sessionsKept), s.now().Add(-samlKept)); err != nil {
			return err
		}
		return tx.PruneTicks(s.now().Add(-24 * time.Hour))
	})
}
