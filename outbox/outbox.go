// Package outbox keeps the one idea: an operation is written in the same transaction as the change that made it
// necessary, and settled in the transaction of its effect. It never knows what an operation means.
package outbox

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"outpost/jobs"
	"outpost/models"
	"outpost/store"
)

// Outbox writes changes together with their operations and sees to it that each operation reaches a worker.
type Outbox struct {
	store *store.Store
	queue *jobs.Client // nil where there is no Redis: workers poll the database
	log   *slog.Logger

	offers chan *models.Operation // pointers: the room for a burst costs little while there is none
	marks  chan store.Published
	// publishes is set while Run is at work.
	publishes atomic.Bool
	bulk      atomic.Pointer[map[store.Backlog]bool] // workspace and class with a long backlog, Open left 0
}

// New makes an Outbox. queue may be nil. Run has to run for operations to be published at once; without it they wait
// for a relay.
func New(s *store.Store, queue *jobs.Client, log *slog.Logger) *Outbox {
	return &Outbox{store: s, queue: queue, log: log, offers: make(chan *models.Operation, 1<<15), marks: make(chan store.Published, 1<<12)}
}

// ID makes a new time-ordered id (UUIDv7).
func ID() string { return uuid.Must(uuid.NewV7()).String() }

// IsID reports whether s has the form of our ids, so that it may be asked for: a UUID in lower-case text.
func IsID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
		default:
			return false
		}
	}
	return true
}

// Operation makes an operation that is due at once: pending, of the version of the resource it is about.
func Operation(kind models.Kind, workspaceID, connectionID, resourceType, resourceID string, version int64, now time.Time) models.Operation {
	op := models.Operation{
		ID: ID(), WorkspaceID: workspaceID, Kind: kind, Class: string(jobs.Of(kind).Class), ResourceType: resourceType, ResourceID: resourceID,
		Version: version, State: models.OperationPending, CreatedAt: now,
	}
	if connectionID != "" {
		op.ConnectionID = &connectionID
	}
	return op
}

// Write runs fn and writes the operations it returns in one transaction; after the commit they are offered to the
// queue, off the caller's path. fn may run more than once (see store.Write) and must not use the Store.
func (o *Outbox) Write(ctx context.Context, fn func(tx *store.Tx) ([]models.Operation, error)) error {
	var ops []models.Operation
	err := o.store.Write(ctx, func(tx *store.Tx) (err error) {
		if ops, err = fn(tx); err != nil {
			return err
		}
		for i := range ops {
			if o.publishes.Load() && ops[i].State == models.OperationPending {
				until := time.Now().Add(store.Publishing)
				ops[i].LeaseUntil = &until // by then a relay does it
			}
			tx.Add(&ops[i])
		}
		return nil
	})
	if err == nil {
		o.Offer(ops...)
	}
	return err
}

// Outcome is how an operation ends, and what must follow from it.
type Outcome struct {
	State     models.OperationState // done when empty
	Note      string                // for people, on the operation
	Next      []models.Operation    // written in the same transaction
	NotBefore time.Time             // when set, the operation is not settled but due again then
	Delay     time.Duration         // likewise, after a while by the database's clock
	Continue  bool                  // when set, the operation goes on running under the same claim
}

// Apply runs the effect of a claimed operation and settles it in the same transaction. It fails with models.Stale, and
// the effect does not take place, when the claim is lost.
func (o *Outbox) Apply(ctx context.Context, op models.Operation, effect func(tx *store.Tx) (Outcome, error)) error {
	claim := store.Claimed{ID: op.ID, ClaimNo: op.ClaimNo}
	return o.Write(ctx, func(tx *store.Tx) ([]models.Operation, error) {
		out, err := effect(tx)
		if err != nil {
			return nil, err
		}
		if out.Continue {
			return out.Next, tx.Holds(claim)
		}
		if !out.NotBefore.IsZero() {
			return out.Next, tx.Postpone(claim, out.NotBefore)
		}
		if out.Delay > 0 {
			return out.Next, tx.Defer(claim, out.Delay)
		}
		if out.State == "" {
			out.State = models.OperationDone
		}
		tx.Settle(claim, out.State, out.Note)
		return out.Next, nil
	})
}

// Offer hands committed operations to the publisher. Held ones are nobody's work yet. When the publisher is behind or
// does not run, the relay publishes them.
func (o *Outbox) Offer(ops ...models.Operation) {
	if o.queue == nil {
		return
	}
	for _, op := range ops {
		if op.State != models.OperationPending {
			continue
		}
		select {
		case o.offers <- &op:
		default:
			return
		}
	}
}

// publishers is how many tasks are being enqueued at once.
const publishers = 8

// Run publishes what is offered, until ctx ends; then it publishes what is left, for up to two seconds.
func (o *Outbox) Run(ctx context.Context) {
	if o.queue == nil {
		o.keepStatistics(ctx)
		return
	}
	o.publishes.Store(true)
	defer o.publishes.Store(false)
	var enqueuing, rest sync.WaitGroup
	rest.Go(func() { o.keepStatistics(ctx) })
	rest.Go(func() { o.mark() })
	rest.Go(func() { o.watchBacklogs(ctx) })
	for range publishers {
		enqueuing.Go(func() {
			for {
				select {
				case op := <-o.offers:
					o.enqueue(context.WithoutCancel(ctx), *op)
				case <-ctx.Done():
					for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
						select {
						case op := <-o.offers:
							o.enqueue(context.WithoutCancel(ctx), *op)
						default:
							return
						}
					}
					return
				}
			}
		})
	}
	enqueuing.Wait()
	close(o.marks)
	rest.Wait()
}

// enqueue publishes one task, and has it marked as published. Without Redis it leaves the operation to the relay.
func (o *Outbox) enqueue(ctx context.Context, op models.Operation) bool {
	if o.queue.Away() > 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	queue, err := o.queue.Enqueue(ctx, op, o.isBulk(op))
	if err != nil {
		o.log.Debug("publish", "operation_id", op.ID, "error", err)
		return false
	}
	o.marks <- store.Published{ID: op.ID, Dispatch: op.Dispatches + 1, Queue: queue}
	return true
}

// markAfter is how long a published task waits for its mark: most operations are done by then and need none.
const markAfter = time.Second

// mark records published tasks in batches.
func (o *Outbox) mark() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	type published struct {
		store.Published
		at time.Time
	}
	var waiting []published
	flush := func(due time.Time) {
		n := 0
		var batch []store.Published
		for ; n < len(waiting) && n < 2000 && !waiting[n].at.After(due); n++ {
			batch = append(batch, waiting[n].Published)
		}
		waiting = waiting[n:]
		if len(batch) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := o.store.MarkPublished(ctx, batch); err != nil {
			o.log.Warn("mark published", "tasks", len(batch), "error", err) // the relay publishes them again, to no effect
		}
	}
	for {
		select {
		case p, ok := <-o.marks:
			if !ok {
				flush(time.Now())
				return
			}
			waiting = append(waiting, published{p, time.Now()})
		case <-tick.C:
			flush(time.Now().Add(-markAfter))
		}
	}
}

// keepStatistics keeps the database's plans fit for what a bulk run has made of its tables, until ctx ends.
func (o *Outbox) keepStatistics(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := o.store.KeepStatistics(ctx); err != nil && ctx.Err() == nil {
			o.log.Debug("statistics", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (o *Outbox) isBulk(op models.Operation) bool {
	m := o.bulk.Load()
	return m != nil && !jobs.Of(op.Kind).Prompt && (*m)[store.Backlog{WorkspaceID: op.WorkspaceID, Class: op.Class}]
}

// watchBacklogs keeps the estimate of which workspaces have a long backlog.
func (o *Outbox) watchBacklogs(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		backlogs, err := o.store.Backlogs(ctx, jobs.BulkFrom)
		if err == nil {
			m := make(map[store.Backlog]bool, len(backlogs))
			for _, b := range backlogs {
				b.Open = 0
				m[b] = true
			}
			o.bulk.Store(&m)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
