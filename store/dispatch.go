package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"outpost/models"
)

// Publishing is how long whoever writes an operation has to publish it; until then no relay takes it.
const Publishing = 3 * time.Second

// TakeUnpublished takes up to limit pending operations of classes that owe a task and that nobody is publishing, for one
// relay: for a while no other gets them. It selects by state, never by "newer than the last": transactions commit out of
// order.
func (s *Store) TakeUnpublished(ctx context.Context, classes []string, limit int) ([]models.Operation, error) {
	var ops []models.Operation
	err := s.book(ctx, func(db *gorm.DB) *gorm.DB {
		return db.Raw("UPDATE operations SET lease_until = "+s.now(Publishing)+` WHERE id IN (SELECT id FROM operations
		WHERE finished_at IS NULL AND class IN ? AND state = 'pending' AND dispatched_at IS NULL AND (lease_until IS NULL OR lease_until < `+s.now(0)+`)
		LIMIT ?`+s.dialect.skipLocked+") RETURNING *", classes, limit).Scan(&ops)
	}).Error
	return ops, translate(err, "relay")
}

// Published is one task that is in the queue now.
type Published struct {
	ID       string
	Dispatch int
	Queue    string
}

// MarkPublished records tasks as published: after the fact, so that a crash in between costs a duplicate and never a
// loss. An operation that was claimed or published again meanwhile is left as it is.
func (s *Store) MarkPublished(ctx context.Context, tasks []Published) error {
	type alike struct {
		queue    string
		dispatch int
	}
	groups := map[alike][]string{} // nearly all are the first task for one of two queues
	for _, t := range tasks {
		k := alike{t.Queue, t.Dispatch}
		groups[k] = append(groups[k], t.ID)
	}
	for k, ids := range groups {
		err := s.book(ctx, func(db *gorm.DB) *gorm.DB {
			return db.Exec("UPDATE operations SET dispatched_at = "+s.now(0)+", dispatches = ?, queue = ?, lease_until = NULL WHERE state = 'pending' AND dispatched_at IS NULL AND dispatches = ? AND id "+s.dialect.in,
				k.dispatch, k.queue, k.dispatch-1, s.dialect.list(ids))
		}).Error
		if err != nil {
			return translate(err, "mark published")
		}
	}
	return nil
}

// SweepLeases makes running operations pending whose worker stopped renewing, at most limit, and returns them. An
// operation under which MaxLapses workers vanished fails: it is what kills them.
func (s *Store) SweepLeases(ctx context.Context, limit int) ([]models.Operation, error) {
	var ops []models.Operation
	err := s.book(ctx, func(db *gorm.DB) *gorm.DB {
		return db.Raw(`UPDATE operations SET lapses = lapses + 1, state = CASE WHEN lapses >= ? THEN 'failed' ELSE 'pending' END,
		error = CASE WHEN lapses >= ? THEN 'every worker that ran this stopped before it could report: look for crashes in the worker logs, then retry' ELSE error END,
		finished_at = CASE WHEN lapses >= ? THEN `+s.now(0)+` END,
		lease_until = NULL, dispatched_at = NULL WHERE id IN (SELECT id FROM operations WHERE finished_at IS NULL AND state = 'running' AND lease_until < `+s.now(0)+" LIMIT ?"+s.dialect.skipLocked+`)
		AND state = 'running' AND lease_until < `+s.now(0)+" RETURNING *", MaxLapses, MaxLapses, MaxLapses, limit).Scan(&ops)
	}).Error
	return ops, translate(err, "sweep leases")
}

// SweepQueue lets pending operations owe a new task when the queue has passed them: they were dispatched to it, are due,
// and more than 10, 20, 40 … 300 s have gone by since, longer with each task. before narrows it to those dispatched and
// due before then, which is where the head of the queue stands; zero takes all. At most limit; it tells how many.
func (s *Store) SweepQueue(ctx context.Context, class, queue string, before time.Time, limit int) (int64, error) {
	var due []string
	for n, wait := 1, 10*time.Second; ; n, wait = n+1, wait*2 {
		last := wait >= 300*time.Second
		wait = min(wait, 300*time.Second)
		compare := map[bool]string{true: ">=", false: "="}[last]
		if n == 1 {
			compare = "<="
		}
		due = append(due, fmt.Sprintf("(dispatches %s %d AND dispatched_at < %s AND not_before < %s)", compare, n, s.now(-wait), s.now(-wait)))
		if last {
			break
		}
	}
	sql, args := "finished_at IS NULL AND class = ? AND queue IN (?, '') AND state = 'pending' AND dispatched_at IS NOT NULL AND ("+strings.Join(due, " OR ")+")", []any{class, queue}
	if !before.IsZero() {
		sql, args = sql+" AND dispatched_at < ? AND not_before < ?", append(args, before.UTC(), before.UTC())
	}
	r := s.book(ctx, func(db *gorm.DB) *gorm.DB {
		return db.Exec("UPDATE operations SET dispatched_at = NULL WHERE id IN (SELECT id FROM operations WHERE "+sql+" ORDER BY not_before LIMIT ?"+s.dialect.skipLocked+") AND state = 'pending'", append(args, limit)...)
	})
	return r.RowsAffected, translate(r.Error, "sweep the queue")
}

// DispatchedAt tells when an operation's last task was published; zero when it is unknown.
func (s *Store) DispatchedAt(ctx context.Context, id string) (time.Time, error) {
	var op models.Operation
	err := s.r(ctx).Where("id = ?", id).Limit(1).Find(&op).Error
	if err != nil || op.DispatchedAt == nil {
		return time.Time{}, translate(err, "the operation")
	}
	return *op.DispatchedAt, nil
}

// OweAll lets every pending operation owe a new task: the queue has been emptied. It works in batches and tells how many.
func (s *Store) OweAll(ctx context.Context) (int64, error) {
	var total int64
	for {
		r := s.book(ctx, func(db *gorm.DB) *gorm.DB {
			return db.Exec("UPDATE operations SET dispatched_at = NULL WHERE id IN (SELECT id FROM operations WHERE finished_at IS NULL AND state = 'pending' AND dispatched_at IS NOT NULL LIMIT 5000" + s.dialect.skipLocked + ") AND state = 'pending'")
		})
		if r.Error != nil {
			return total, translate(r.Error, "dispatch again")
		}
		if total += r.RowsAffected; r.RowsAffected < 5000 {
			return total, nil
		}
	}
}

// NotFailed tells which of the operations are not failed (any more), the unknown included.
func (s *Store) NotFailed(ctx context.Context, ids []string) ([]string, error) {
	var failed []string
	if err := s.r(ctx).Raw("SELECT id FROM operations WHERE state = 'failed' AND id "+s.dialect.in, s.dialect.list(ids)).Scan(&failed).Error; err != nil {
		return nil, translate(err, "operations")
	}
	still := map[string]bool{}
	for _, id := range failed {
		still[id] = true
	}
	var out []string
	for _, id := range ids {
		if !still[id] {
			out = append(out, id)
		}
	}
	return out, nil
}
