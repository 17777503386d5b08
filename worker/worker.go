// Package worker claims operations and runs them: one function per kind, each converging and settling in one transaction.
// It never trusts the queue: a task is a hint, and the operation's row decides what happens.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"outpost/jobs"
	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

// Config is everything a Worker needs.
type Config struct {
	Store     *store.Store
	Outbox    *outbox.Outbox
	Workspace *workspace.Workspace
	Gate      *sso.Gate    // words sign-in links
	Queue     *jobs.Client // nil where there is no Redis: the worker polls the database
	Sender    mail.Sender
	From      mail.Address
	PublicURL string        // links in mails lead there
	MailPace  time.Duration // between two mails of one workspace; 0 for no pacing
	Log       *slog.Logger
	Now       func() time.Time
}

// Worker runs operations.
type Worker struct {
	Config
	host  string // of PublicURL
	kinds map[models.Kind]func(context.Context, models.Operation) error

	complained atomic.Int64 // when it was last said that the database is away

	mu     sync.Mutex
	claims map[string]*claim // by operation id
}

// claim is an operation that this process is working on.
type claim struct {
	store.Claimed
	since  time.Time
	cancel context.CancelCauseFunc
}

// New makes a Worker.
func New(c Config) *Worker {
	w := &Worker{Config: c, claims: map[string]*claim{}}
	if u, err := url.Parse(c.PublicURL); err == nil {
		w.host = u.Host
	}
	w.kinds = map[models.Kind]func(context.Context, models.Operation) error{
		models.KindUserUpsert:         w.userUpsert,
		models.KindUserDeactivate:     w.userDeactivate,
		models.KindGroupSync:          w.groupSync,
		models.KindInvitationEmail:    w.sendMail,
		models.KindInvitationReminder: w.sendMail,
		models.KindNoticeEmail:        w.sendMail,
		models.KindSignInEmail:        w.sendMail,
		models.KindMemberMirror:       w.memberMirror,
	}
	return w
}

// Run serves the classes, each with as many operations at once as concurrency says, until ctx ends. Then it takes no
// new ones and waits for those that run, up to jobs.ShutdownTimeout.
func (w *Worker) Run(ctx context.Context, concurrency map[jobs.Class]int) error {
	var servers []*jobs.Server
	var background, pollers sync.WaitGroup
	defer background.Wait()
	renewing, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRenewing()
	background.Go(func() { w.renew(renewing) })

	for class, n := range concurrency {
		pool := make(chan struct{}, n)
		if w.Queue != nil {
			s, err := w.Queue.Serve(class, n, w.Log, func(ctx context.Context, t jobs.Task) error { return w.serve(ctx, pool, t) })
			if err != nil {
				for _, s := range servers {
					s.Stop()
				}
				return err
			}
			servers = append(servers, s)
		}
		pollers.Go(func() { w.poll(ctx, class, pool) })
	}
	<-ctx.Done()
	var stopping sync.WaitGroup
	for _, s := range servers {
		stopping.Go(s.Stop)
	}
	stopping.Wait()
	pollers.Wait()
	return nil
}

// serve runs the operation that a task of the queue names.
func (w *Worker) serve(ctx context.Context, pool chan struct{}, t jobs.Task) error {
	select {
	case pool <- struct{}{}:
		defer func() { <-pool }()
	case <-ctx.Done():
		return &jobs.RetryError{Delay: time.Second, Err: ctx.Err()}
	}
	op, ok, early, err := w.Store.Claim(ctx, t.OperationID, t.Dispatch, t.Queue)
	switch {
	case err != nil:
		w.complain(err)
		return &jobs.RetryError{Delay: 2 * time.Second, Err: errNotRecorded}
	case ok:
		return w.run(ctx, op, false)
	case !early.IsZero():
		return &jobs.RetryError{Delay: time.Until(early) + time.Second, Err: errors.New("not due yet")}
	}
	return nil // settled, held, or another's
}

// awayFor is how long Redis has to be away before a worker asks the database for work.
const awayFor = 3 * time.Second

// poll works from the database alone while Redis is away.
func (w *Worker) poll(ctx context.Context, class jobs.Class, pool chan struct{}) {
	wait := 100 * time.Millisecond
	if w.Queue != nil {
		wait = 250 * time.Millisecond
	}
	tick := time.NewTicker(wait)
	defer tick.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for {
		for w.Queue == nil || w.Queue.Away() > awayFor {
			n := 0
			for ; n < cap(pool); n++ { // take the places that are free
				select {
				case pool <- struct{}{}:
					continue
				default:
				}
				break
			}
			if n == 0 || ctx.Err() != nil {
				release(pool, n)
				break
			}
			ops, err := w.Store.ClaimDue(ctx, string(class), n)
			if err != nil && ctx.Err() == nil {
				w.complain(err)
			}
			release(pool, n-len(ops))
			for _, op := range ops {
				running.Go(func() {
					defer release(pool, 1)
					_ = w.run(context.WithoutCancel(ctx), op, true) // the row says how it went
				})
			}
			if len(ops) == 0 {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// complain says that the database gives no work: once in ten seconds, not once a task.
func (w *Worker) complain(err error) {
	now := time.Now().Unix()
	if last := w.complained.Load(); now-last >= 10 && w.complained.CompareAndSwap(last, now) {
		w.Log.Warn("the database gives no work", "error", err)
	}
}

func release(pool chan struct{}, n int) {
	for range n {
		<-pool
	}
}

// run works on a claimed operation and records a failure. owed says that no task of the queue stands behind the claim,
// so that a retry has to be published anew.
func (w *Worker) run(ctx context.Context, op models.Operation, owed bool) error {
	policy := jobs.Of(op.Kind)
	started := time.Now()
	ctx, stop := context.WithTimeout(ctx, policy.Timeout)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &claim{Claimed: store.Claimed{ID: op.ID, ClaimNo: op.ClaimNo}, since: started, cancel: cancel}
	w.mu.Lock()
	w.claims[op.ID] = c
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		if w.claims[op.ID] == c {
			delete(w.claims, op.ID)
		}
		w.mu.Unlock()
	}()

	err := w.call(ctx, op)
	log := w.Log.With("operation_id", op.ID, "kind", string(op.Kind), "attempt", op.Attempts+1, "request_id", op.RequestID, "ms", time.Since(started).Milliseconds())
	var failed *jobs.StopError
	switch {
	case err == nil:
		log.Info("operation")
		return nil
	case errors.As(err, &failed):
		log.Warn("operation failed for good", "error", err)
		return err
	case models.Is(err, models.Stale):
		log.Warn("operation was another's by the time it ended: its effect was dropped", "claim", op.ClaimNo)
		return nil
	}
	return w.failed(context.WithoutCancel(ctx), log, op, policy, err, owed)
}

// call runs the function of the operation's kind. A panic in it is an error like another.
func (w *Worker) call(ctx context.Context, op models.Operation) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error("panic", "operation_id", op.ID, "kind", string(op.Kind), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errors.New("a fault in Outpost stopped this: the log of the worker has the details")
		}
	}()
	do, ok := w.kinds[op.Kind]
	if !ok {
		return &models.Error{Code: models.Invalid, Detail: "this version of the worker does not know operations of kind " + string(op.Kind)}
	}
	return do(ctx, op)
}

// failed records a failed attempt: for good when it can never succeed or has used its attempts, else to be tried again.
func (w *Worker) failed(ctx context.Context, log *slog.Logger, op models.Operation, policy jobs.Policy, cause error, owed bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c := store.Claimed{ID: op.ID, ClaimNo: op.ClaimNo}
	reason := sentence(cause)
	if permanent(cause) || op.Attempts+1 >= policy.Attempts {
		if err := w.Store.Fail(ctx, c, reason); err != nil {
			log.Warn("operation failed, and that could not be recorded", "cause", kindOf(cause), "error", err)
			return &jobs.RetryError{Delay: time.Second, Err: errNotRecorded}
		}
		log.Warn("operation failed for good", "cause", kindOf(cause))
		return &jobs.StopError{Err: errors.New(string(op.Kind) + " failed")}
	}
	delay := policy.Delay(op.Attempts + 1)
	if err := w.Store.RecordFailure(ctx, c, reason, delay, owed); err != nil {
		log.Warn("attempt failed, and that could not be recorded", "cause", kindOf(cause), "error", err)
		return &jobs.RetryError{Delay: time.Second, Err: errNotRecorded}
	}
	log.Warn("attempt failed", "cause", kindOf(cause), "again_in", delay.String())
	return &jobs.RetryError{Delay: delay, Err: errors.New(string(op.Kind) + " will be tried again")}
}

// permanent reports whether an error can never go away by trying again.
func permanent(err error) bool {
	var taken *store.Violation
	if errors.As(err, &taken) {
		return false // two operations met at a unique value: the next try sees the other
	}
	for _, code := range []models.Code{models.Invalid, models.Conflict, models.Denied, models.NotFound} {
		if models.Is(err, code) {
			return true
		}
	}
	return false
}

// kindOf is a cause for the log: what is said to admins may name people, and is on the operation.
func kindOf(err error) string {
	var known *models.Error
	var sent *mail.Error
	switch {
	case errors.As(err, &sent):
		return fmt.Sprintf("mail: %s %d %s at %s", sent.Class, sent.Code, sent.Enhanced, sent.Phase)
	case errors.As(err, &known) && known.Err == nil:
		return string(known.Code)
	}
	return err.Error()
}

// sentence is an error in words for an admin. What only we understand is in the log.
func sentence(err error) string {
	var known *models.Error
	var sent *mail.Error
	switch {
	case errors.As(err, &sent):
		return sent.Text
	case errors.As(err, &known):
		return known.Detail
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long and was stopped"
	}
	return "a fault in Outpost stopped this: the log of the worker has the details"
}

// renew keeps the leases of what runs for longer, in one statement per pass, until ctx ends. Work whose claim was lost
// is told to stop; whatever it still does is refused by the fence.
func (w *Worker) renew(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.mu.Lock()
		var long []store.Claimed
		for _, c := range w.claims {
			if time.Since(c.since) > time.Second {
				long = append(long, c.Claimed)
			}
		}
		w.mu.Unlock()
		if len(long) == 0 {
			continue
		}
		renewed, err := w.Store.Renew(ctx, long)
		if err != nil {
			if ctx.Err() == nil {
				w.Log.Warn("renew leases", "claims", len(long), "error", err)
			}
			continue
		}
		held := make(map[string]bool, len(renewed))
		for _, id := range renewed {
			held[id] = true
		}
		w.mu.Lock()
		for _, l := range long {
			if c := w.claims[l.ID]; c != nil && c.ClaimNo == l.ClaimNo && !held[l.ID] {
				c.cancel(errLost)
			}
		}
		w.mu.Unlock()
	}
}

// errNotRecorded is what Redis gets to see of a failure that the database could not take: no error's own words, which
// may name people.
var errNotRecorded = errors.New("the database is away: see the log of the worker")

var errLost = &models.Error{Code: models.Stale, Detail: "the claim was lost"}
