package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"outpost/models"
)

// Operation finds an operation by its id.
func (s *Store) Operation(ctx context.Context, id string) (models.Operation, error) {
	var op models.Operation
	err := s.r(ctx).Where("id = ?", id).Take(&op).Error
	return op, translate(err, "the operation "+id)
}

// Operations lists operations of a workspace, newest first; state "" takes every state, limit 0 all of them.
func (s *Store) Operations(ctx context.Context, workspaceID string, state models.OperationState, limit int) ([]models.Operation, error) {
	q := s.r(ctx).Where("workspace_id = ?", workspaceID).Order("id DESC")
	if state != "" {
		q = q.Where("state = ?", state)
		switch state { // always so, and what the indexes are by
		case models.OperationFailed:
			q = q.Where("error <> '' AND attempts > 0")
		case models.OperationHeld:
			q = q.Where("error LIKE 'held:%'")
		}
	}
	if limit > 0 {
		q = q.Limit(limit)
	}
	var ops []models.Operation
	err := q.Find(&ops).Error
	return ops, translate(err, "operations")
}

// OpenCounts are a workspace's operations that are not at rest.
type OpenCounts struct{ Open, Held int }

// Backlog is how many operations of a workspace are open in a queue class.
type Backlog struct {
	WorkspaceID string
	Class       string
	Open        int
}

// Backlogs counts open operations by workspace and class, those with more than over alone.
func (s *Store) Backlogs(ctx context.Context, over int) ([]Backlog, error) {
	var bs []Backlog
	err := s.r(ctx).Raw("SELECT workspace_id, class, count(*) AS open FROM operations WHERE finished_at IS NULL AND state IN ('pending', 'running') GROUP BY workspace_id, class HAVING count(*) > ?", over).Scan(&bs).Error
	return bs, translate(err, "operations")
}

// Lease is how long a claim lasts unless it is renewed, by the database's clock.
const Lease = 8 * time.Second

// Claim takes an operation for the caller: it is running from now on, and only the holder of the returned ClaimNo can
// settle it. dispatch and queue are the number
// of the task that asks and where it came from, 0 and "" for none. ok is false when there is nothing to do: it is
// settled, held, or another's until the lease ends. An operation that is not due yet is not claimed: early is when it is.
func (s *Store) Claim(ctx context.Context, id string, dispatch int, queue string) (op models.Operation, ok bool, early time.Time, err error) {
	r := s.book(ctx, func(db *gorm.DB) *gorm.DB {
		return db.Raw("UPDATE operations SET state = 'running', claim_no = claim_no + 1, lease_until = "+s.now(Lease)+`,
		lapses = lapses + CASE WHEN state = 'running' THEN 1 ELSE 0 END,
		dispatches = CASE WHEN dispatches < ? THEN ? ELSE dispatches END, queue = CASE WHEN ? <> '' THEN ? ELSE queue END, dispatched_at = coalesce(dispatched_at, `+s.now(0)+`)
		WHERE id = ? AND (state = 'pending' OR (state = 'running' AND lapses < `+maxLapses+` AND lease_until < `+s.now(0)+`)) AND not_before <= `+s.now(slack)+" RETURNING *", dispatch, dispatch, queue, queue, id).Scan(&op)
	})
	if r.Error != nil {
		return op, false, early, translate(r.Error, "claim")
	}
	if r.RowsAffected > 0 {
		return op, true, early, nil
	}
	var due []time.Time
	if err := s.book(ctx, func(db *gorm.DB) *gorm.DB {
		return db.Model(&models.Operation{}).Where("id = ? AND state = 'pending'", id).Pluck("not_before", &due)
	}).Error; err != nil {
		return op, false, early, translate(err, "claim")
	}
	if len(due) > 0 {
		early = due[0]
	}
	return op, false, early, nil
}

// slack forgives a task that comes a little early: Asynq keeps whole seconds.
const slack = time.Second

// ClaimDue takes up to n due operations of a class without any queue: the way of working while Redis is away.
func (s *Store) ClaimDue(ctx context.Context, class string, n int) ([]models.Operation, error) {
	var ops []models.Operation
	err := s.book(ctx, func(db *gorm.DB) *gorm.DB {
		return db.Raw("UPDATE operations SET state = 'running', claim_no = claim_no + 1, lapses = lapses + CASE WHEN state = 'running' THEN 1 ELSE 0 END, lease_until = "+s.now(Lease)+`
		WHERE id IN (SELECT id FROM operations WHERE finished_at IS NULL AND class = ? AND not_before <= `+s.now(0)+" AND (state = 'pending' OR (state = 'running' AND lapses < "+maxLapses+" AND lease_until < "+s.now(0)+`))
		ORDER BY dispatched_at NULLS FIRST, not_before LIMIT ?`+s.dialect.skipLocked+") RETURNING *", class, n).Scan(&ops)
	}).Error
	return ops, translate(err, "claim")
}

// MaxLapses is how many workers may vanish under an operation before it is failed instead of tried again.
const MaxLapses = 10

var maxLapses = strconv.Itoa(MaxLapses)

// Claimed names one claim on one operation.
type Claimed struct {
	ID      string
	ClaimNo int64
}

// Renew lengthens the lease of every claim that still holds. It returns the ids it renewed.
func (s *Store) Renew(ctx context.Context, claims []Claimed) ([]string, error) {
	byNo := map[int64][]string{} // nearly all are a first claim: one statement
	for _, c := range claims {
		byNo[c.ClaimNo] = append(byNo[c.ClaimNo], c.ID)
	}
	var renewed []string
	for no, ids := range byNo {
		var got []string
		err := s.book(ctx, func(db *gorm.DB) *gorm.DB {
			return db.Raw("UPDATE operations SET lease_until = "+s.now(Lease)+" WHERE state = 'running' AND claim_no = ? AND id "+s.dialect.in+" RETURNING id", no, s.dialect.list(ids)).Scan(&got)
		}).Error
		if err != nil {
			return renewed, translate(err, "renew leases")
		}
		renewed = append(renewed, got...)
	}
	return renewed, nil
}

// Settle ends a claimed operation together with the effect: its statement is the last of the transaction, and what was
// added is written with it. Write returns Stale, and nothing has happened, when the claim is lost.
func (tx *Tx) Settle(c Claimed, state models.OperationState, note string) {
	failures := 0
	if state == models.OperationFailed {
		failures = 1
	}
	tx.last = &gate{
		sql:  "UPDATE operations SET state = ?, error = ?, attempts = attempts + ?, finished_at = " + tx.store.now(0) + ", lease_until = NULL WHERE id = ? AND state = 'running' AND claim_no = ?",
		args: []any{state, note, failures, c.ID, c.ClaimNo}, returning: " RETURNING 1", closed: errClaim,
	}
	if state == models.OperationHeld {
		tx.last.sql = strings.Replace(tx.last.sql, "finished_at = "+tx.store.now(0), "finished_at = NULL", 1)
	}
}

var errClaim = &models.Error{Code: models.Stale, Detail: "the claim was lost"}

// Holds fails with Stale when the claim is lost, and keeps it from being lost until the transaction ends.
func (tx *Tx) Holds(c Claimed) error {
	var n int64
	_, err := tx.query(&n, "claim", "SELECT claim_no FROM operations WHERE id = ? AND state = 'running' AND claim_no = ?"+tx.store.dialect.forUpdate, c.ID, c.ClaimNo)
	return affected(n, err, "the claim")
}

// Postpone gives a claimed operation back until at, inside a transaction. It owes a new task.
func (tx *Tx) Postpone(c Claimed, at time.Time) error {
	n, err := tx.exec("postpone", "UPDATE operations SET state = 'pending', not_before = ?, lease_until = NULL, dispatched_at = NULL WHERE id = ? AND state = 'running' AND claim_no = ?",
		at.UTC(), c.ID, c.ClaimNo)
	return affected(n, err, "the claim")
}

// Defer is Postpone by the database's clock.
func (tx *Tx) Defer(c Claimed, after time.Duration) error {
	n, err := tx.exec("postpone", "UPDATE operations SET state = 'pending', not_before = "+tx.store.now(after)+", lease_until = NULL, dispatched_at = NULL WHERE id = ? AND state = 'running' AND claim_no = ?", c.ID, c.ClaimNo)
	return affected(n, err, "the claim")
}

// RecordFailure counts a failed attempt of a claimed operation and makes it due again after delay. owed says that
// no task of the queue will come for it, so that a new one has to be published.
func (s *Store) RecordFailure(ctx context.Context, c Claimed, reason string, delay time.Duration, owed bool) error {
	dispatched := s.now(0)
	if owed {
		dispatched = "NULL"
	}
	r := s.book(ctx, func(db *gorm.DB) *gorm.DB {
		return db.Exec("UPDATE operations SET state = 'pending', attempts = attempts + 1, error = ?, not_before = "+s.now(delay)+", lease_until = NULL, dispatched_at = "+dispatched+
			" WHERE id = ? AND state = 'running' AND claim_no = ?", reason, c.ID, c.ClaimNo)
	})
	return affected(r.RowsAffected, translate(r.Error, "record the failure"), "the claim")
}

// Fail ends a claimed operation as failed, with the reason in plain words.
func (s *Store) Fail(ctx context.Context, c Claimed, reason string) error {
	r := s.book(ctx, func(db *gorm.DB) *gorm.DB {
		return db.Exec("UPDATE operations SET state = 'failed', attempts = attempts + 1, error = ?, finished_at = "+s.now(0)+", lease_until = NULL WHERE id = ? AND state = 'running' AND claim_no = ?",
			reason, c.ID, c.ClaimNo)
	})
	return affected(r.RowsAffected, translate(r.Error, "record the failure"), "the claim")
}

// GiveBack returns a claim that was not worked on: another worker may have it at once. It owes a new task.
func (s *Store) GiveBack(ctx context.Context, c Claimed) error {
	r := s.book(ctx, func(db *gorm.DB) *gorm.DB {
		return db.Exec("UPDATE operations SET state = 'pending', lease_until = NULL, dispatched_at = NULL WHERE id = ? AND state = 'running' AND claim_no = ?", c.ID, c.ClaimNo)
	})
	return translate(r.Error, "give back the claim")
}

// Supersede ends every operation of kinds on the resource, up to version and but for one, that has not run: a newer
// state is applied.
func (tx *Tx) Supersede(but, resourceID string, version int64, kinds ...models.Kind) (int64, error) {
	return tx.exec("supersede", "UPDATE operations SET state = 'superseded', finished_at = "+tx.store.now(0)+" WHERE resource_id = ? AND kind IN ? AND version <= ? AND id <> ? AND state IN ('pending', 'failed', 'held')",
		resourceID, kinds, version, but)
}

// SupersedeHeld ends the held operations on the resource but for one (which may be ""): something newer waits in their place.
func (tx *Tx) SupersedeHeld(resourceID, but string) error {
	sql, args := "UPDATE operations SET state = 'superseded', error = 'a newer change waits in its place', finished_at = "+tx.store.now(0)+" WHERE resource_id = ? AND state = 'held'", []any{resourceID}
	if but != "" {
		sql, args = sql+" AND id <> ?", append(args, but)
	}
	_, err := tx.exec("supersede", sql, args...)
	return err
}

// Operation finds an operation of a workspace inside the transaction, without locking.
func (tx *Tx) Operation(workspaceID, id string) (models.Operation, error) {
	return one[models.Operation](tx, "the operation "+id, "SELECT * FROM operations WHERE id = ? AND workspace_id = ?", id, workspaceID)
}

// Release lets a held operation go on, as if new, and says who decided so. It fails with Stale when it is not held.
func (tx *Tx) Release(id, approvedBy string) (models.Operation, error) {
	var op models.Operation
	n, err := tx.query(&op, "approve", "UPDATE operations SET state = 'pending', approved_by = ?, error = '', attempts = 0, lapses = 0, not_before = "+tx.store.now(0)+
		", lease_until = NULL, dispatched_at = NULL WHERE id = ? AND state = 'held' RETURNING *", approvedBy, id)
	return op, affected(n, err, "the operation")
}

// Dismiss ends a held operation without its effect; note says why. It fails with Stale when it is not held.
func (tx *Tx) Dismiss(id, note string) (models.Operation, error) {
	var op models.Operation
	n, err := tx.query(&op, "discard", "UPDATE operations SET state = 'superseded', error = ?, finished_at = "+tx.store.now(0)+" WHERE id = ? AND state = 'held' RETURNING *", note, id)
	return op, affected(n, err, "the operation")
}

// Approving reports whether an approved operation for the person that the member is has not run yet.
func (tx *Tx) Approving(memberID string) (bool, error) {
	var n int
	_, err := tx.query(&n, "approved operations", `SELECT count(*) FROM directory_users u JOIN operations o ON o.resource_id = u.id AND o.approved_by <> '' AND o.state IN ('pending', 'running')
		WHERE u.mirror_of = ? OR u.id = (SELECT m.directory_user_id FROM members m WHERE m.id = ?)`, memberID, memberID)
	return n > 0, err
}

// HeldAt reports whether the operation for a version of the resource is held.
func (tx *Tx) HeldAt(resourceID string, version int64) (bool, error) {
	var n int
	_, err := tx.query(&n, "held operation", "SELECT count(*) FROM operations WHERE resource_id = ? AND version = ? AND state = 'held'", resourceID, version)
	return n > 0, err
}

// Retry makes failed operations due again, as if new; ids narrows it, nil takes all failed ones of the workspace. A
// mail that ended failed or unknown is ready again. It returns what was made due.
func (tx *Tx) Retry(workspaceID string, ids []string) ([]models.Operation, error) {
	sql, args := "workspace_id = ? AND error <> '' AND attempts > 0 AND state = 'failed'", []any{workspaceID}
	if ids != nil {
		sql, args = sql+" AND id IN ?", append(args, ids)
	}
	var ops []models.Operation
	if _, err := tx.query(&ops, "retry", "UPDATE operations SET state = 'pending', attempts = 0, lapses = 0, error = '', not_before = "+tx.store.now(0)+", finished_at = NULL, dispatched_at = NULL WHERE "+sql+" RETURNING *", args...); err != nil {
		return nil, err
	}
	if len(ops) == 0 {
		return nil, nil
	}
	_, err := tx.exec("retry mails", "UPDATE mails SET state = 'ready', slot_at = NULL WHERE state IN ('failed', 'unknown') AND workspace_id = ? AND operation_id IN (SELECT id FROM operations WHERE workspace_id = ? AND state = 'pending')", workspaceID, workspaceID)
	return ops, err
}

// FailedCount counts the failed operations of a workspace.
func (s *Store) FailedCount(ctx context.Context, workspaceID string) (int, error) {
	var n int
	err := s.r(ctx).Raw("SELECT count(*) FROM operations WHERE workspace_id = ? AND error <> '' AND attempts > 0 AND state = 'failed'", workspaceID).Scan(&n).Error
	return n, translate(err, "failed operations")
}

// HeldFigures are the operations of a workspace that wait for a decision. Oldest is zero when there are none.
type HeldFigures struct {
	Count  int
	Oldest time.Time
}

// HeldFigures counts the held operations of a workspace.
func (s *Store) HeldFigures(ctx context.Context, workspaceID string) (HeldFigures, error) {
	var row struct {
		Count  int
		Oldest *time.Time
	}
	err := s.r(ctx).Raw(`SELECT (SELECT count(*) FROM operations WHERE workspace_id = ? AND error LIKE 'held:%' AND state = 'held') AS count,
		(SELECT created_at FROM operations WHERE workspace_id = ? AND error LIKE 'held:%' AND state = 'held' ORDER BY id LIMIT 1) AS oldest`, workspaceID, workspaceID).Scan(&row).Error
	f := HeldFigures{Count: row.Count}
	if row.Oldest != nil {
		f.Oldest = *row.Oldest
	}
	return f, translate(err, "held operations")
}
