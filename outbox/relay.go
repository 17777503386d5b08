package outbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"outpost/jobs"
	"outpost/models"
	"outpost/store"
)

// Relay publishes operations that owe a task: what the process that wrote them did not get to, and what a sweep asks
// for again. It needs Run for the marks. It tells how many it published; any number of relays may run.
func (o *Outbox) Relay(ctx context.Context) (int, error) {
	if o.queue == nil || o.queue.Away() > 0 {
		return 0, nil
	}
	classes := make([]string, len(jobs.Classes))
	for i, c := range jobs.Classes {
		classes[i] = string(c.Class)
	}
	total := 0
	for {
		const batch = 1000
		ops, err := o.store.TakeUnpublished(ctx, classes, batch)
		if err != nil {
			return total, err
		}
		var wg sync.WaitGroup
		each := (len(ops) + publishers - 1) / publishers
		for at := 0; at < len(ops); at += each {
			part := ops[at:min(at+each, len(ops))]
			wg.Go(func() {
				for _, op := range part {
					o.enqueue(ctx, op)
				}
			})
		}
		wg.Wait()
		total += len(ops)
		if len(ops) < batch {
			return total, nil
		}
	}
}

// Sweep finds operations that nobody works on and that no task will come for, and lets the relay publish them again:
// those whose worker stopped renewing its lease, and those that their queue has passed. It gives the recovery time.
func (o *Outbox) Sweep(ctx context.Context) (redispatched int64, err error) {
	lapsed, err := o.store.SweepLeases(ctx, 1000)
	if err != nil {
		return 0, err
	}
	for _, op := range lapsed {
		o.log.Warn("worker lost", "operation_id", op.ID, "kind", op.Kind, "claim", op.ClaimNo, "state", op.State)
	}
	redispatched = int64(len(lapsed))
	if o.queue == nil || o.queue.Away() > 0 {
		return redispatched, nil
	}
	for _, c := range jobs.Classes {
		for _, bulk := range []bool{false, true} {
			n, err := o.sweepQueue(ctx, string(c.Class), c.Class.Queue(bulk))
			if err != nil {
				return redispatched, err
			}
			redispatched += n
		}
	}
	return redispatched, nil
}

// sweepQueue looks at the head of one queue. A healthy backlog is left alone, however long it is: only what was
// dispatched well before the head did must have been passed.
func (o *Outbox) sweepQueue(ctx context.Context, class, queue string) (int64, error) {
	head, err := o.queue.Head(ctx, queue)
	if err != nil || head.Paused {
		return 0, nil // Redis went away, or an operator stopped the queue: nothing has been passed
	}
	var before time.Time
	if !head.Empty {
		id, _, ok := jobs.ParseTaskID(head.TaskID)
		if !ok {
			return 0, nil
		}
		at, err := o.store.DispatchedAt(ctx, id)
		if err != nil || at.IsZero() {
			return 0, err
		}
		before = at.Add(-10 * time.Second)
	}
	n, err := o.store.SweepQueue(ctx, class, queue, before, 1000)
	if n > 0 {
		o.log.Warn("queue passed operations: dispatched again", "queue", queue, "operations", n)
	}
	return n, err
}

const epochSetting = "redis.epoch"

// CheckEpoch notices a Redis that was emptied or exchanged: its mark is not the one we left. Every open operation then
// owes a new task. It tells how many.
func (o *Outbox) CheckEpoch(ctx context.Context) (int64, error) {
	if o.queue == nil {
		return 0, nil
	}
	there, err := o.queue.Epoch(ctx)
	if err != nil {
		return 0, nil // away, which is not emptied
	}
	ours, err := o.store.Setting(ctx, epochSetting)
	if err != nil || (there != "" && there == ours) {
		return 0, err
	}
	fresh := ID()
	first := false
	err = o.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.Lock(epochSetting); err != nil {
			return err
		}
		now, err := tx.Setting(epochSetting)
		if err != nil || now != ours {
			return err // another scheduler was faster
		}
		first = true
		return tx.SetSetting(epochSetting, fresh)
	})
	if err != nil || !first {
		return 0, err
	}
	n, err := o.store.OweAll(ctx)
	if err != nil {
		return n, err
	}
	if ours != "" {
		level := slog.LevelInfo
		if n > 0 {
			level = slog.LevelWarn
		}
		o.log.Log(ctx, level, "Redis was emptied: every open operation is dispatched again", "operations", n)
	}
	if still, err := o.store.Setting(ctx, epochSetting); err != nil || still != fresh {
		return n, err // another scheduler found it emptied again meanwhile, and leaves its own mark
	}
	return n, o.queue.SetEpoch(ctx, fresh)
}

// ForgetArchived deletes archived tasks whose operation is no longer failed, so that Asynqmon shows what is true.
func (o *Outbox) ForgetArchived(ctx context.Context) error {
	if o.queue == nil || o.queue.Away() > 0 {
		return nil
	}
	for _, c := range jobs.Classes {
		for _, bulk := range []bool{false, true} {
			queue := c.Class.Queue(bulk)
			tasks, err := o.queue.Archived(queue, 1000)
			if err != nil {
				return err
			}
			byOperation := map[string][]string{}
			var ids []string
			for _, t := range tasks {
				if id, _, ok := jobs.ParseTaskID(t); ok {
					byOperation[id] = append(byOperation[id], t)
					ids = append(ids, id)
				}
			}
			settled, err := o.store.NotFailed(ctx, ids)
			if err != nil {
				return err
			}
			for _, id := range settled {
				for _, t := range byOperation[id] {
					if err := o.queue.DeleteTask(queue, t); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// Retry makes failed operations of a workspace due again: those with ids, or all when ids is nil. The audit entries of
// whoever asks are written with it, unless there was nothing to retry.
func (o *Outbox) Retry(ctx context.Context, workspaceID string, ids []string, entries ...models.AuditEntry) ([]models.Operation, error) {
	var ops []models.Operation
	err := o.store.Write(ctx, func(tx *store.Tx) (err error) {
		if ops, err = tx.Retry(workspaceID, ids); err != nil || len(ops) == 0 {
			return err
		}
		for i := range entries {
			tx.Add(&entries[i])
		}
		return nil
	})
	if err == nil {
		o.Offer(ops...)
	}
	return ops, err
}
