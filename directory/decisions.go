package directory

import (
	"context"
	"errors"
	"strings"
	"time"

	"outpost/models"
	"outpost/store"
	"outpost/workspace"
)

// Decider is who decides about held operations.
type Decider struct {
	Actor      string // for people
	Role       models.Role
	SignedInAt time.Time // when the session in which it is decided began
}

// Decision is what became of one held operation. Err is nil when it was decided as asked; else it is NotFound, Stale
// (somebody or something was faster) or Denied, with the sentence for the page, and nothing has changed.
type Decision struct {
	OperationID string
	UserID      string // whom it is about, "" when there is no such operation
	Err         error
}

// Approve lets held operations of the caller's workspace go on, each in a transaction of its own. Where that ends a
// person's access, it has ended when Approve returns; a last active owner keeps it. The e-mail address of an owner
// changes only by an owner who was signed in before the directory asked for it. An error ends it early; the decisions
// so far stand.
func (d *Directory) Approve(ctx context.Context, c Caller, ids []string, by Decider) ([]Decision, error) {
	c.Method = "approve"
	return d.decide(ctx, c, ids, by, func(tx *store.Tx, op models.Operation, u models.User, now time.Time) (models.Operation, error) {
		if op.Version != u.Version {
			return op, &models.Error{Code: models.Stale, Detail: "the directory has changed this person again since, and this change was not applied: look at what it wants now"}
		}
		f, err := workspace.Find(tx, u)
		if err != nil {
			return op, err
		}
		if f.OK {
			if err := permitted(tx, op, u, f, by); err != nil {
				return op, err
			}
			if !wants(u) {
				if err := workspace.Block(tx, f.Member, now); err != nil {
					return op, err
				}
			}
		}
		return tx.Release(op.ID, by.Actor)
	})
}

// Discard ends held operations of the caller's workspace without their effect, each in a transaction of its own: the
// member keeps what they have until the directory changes that person again. An error ends it early; the decisions so
// far stand.
func (d *Directory) Discard(ctx context.Context, c Caller, ids []string, by Decider) ([]Decision, error) {
	c.Method = "discard"
	return d.decide(ctx, c, ids, by, func(tx *store.Tx, op models.Operation, u models.User, _ time.Time) (models.Operation, error) {
		if op.Version == u.Version {
			if err := tx.KeepVersion(u.ID, u.Version); err != nil {
				return op, err
			}
		}
		return tx.Dismiss(op.ID, discarded+by.Actor+": the member keeps what they have until the directory changes them again")
	})
}

// discarded begins the note of an operation that was discarded.
const discarded = "discarded by "

// wants reports whether the directory wants the person to have access.
func wants(u models.User) bool { return u.Active && u.RemovedAt == nil }

// permitted is the error for what no approval may do, or not this one.
func permitted(tx *store.Tx, op models.Operation, u models.User, f workspace.Found, by Decider) error {
	if !wants(u) || !f.SamePerson {
		last, err := workspace.LastOwner(tx, f.Member)
		if err != nil {
			return err
		}
		if last {
			return &models.Error{Code: models.Denied, Detail: f.Member.Name + " is the last active owner of this workspace: make somebody else an owner first, then approve this"}
		}
	}
	if u.RemovedAt != nil || f.Member.Role != models.RoleOwner || workspace.GuardEmail(f.Member, u) == "" {
		return nil
	}
	switch {
	case by.Role != models.RoleOwner:
		return &models.Error{Code: models.Denied, Detail: "this changes the e-mail address of an owner, and only an owner may approve that: ask one"}
	case !by.SignedInAt.Before(op.CreatedAt):
		return &models.Error{Code: models.Denied, Detail: "this changes the e-mail address of an owner, and you signed in after it was asked for: an owner who was signed in before has to approve it, or discard it"}
	}
	return nil
}

// decide runs a decision for each operation, under the locks under which the person changes.
func (d *Directory) decide(ctx context.Context, c Caller, ids []string, by Decider, decision func(tx *store.Tx, op models.Operation, u models.User, now time.Time) (models.Operation, error)) ([]Decision, error) {
	if by.Role != models.RoleOwner && by.Role != models.RoleAdmin {
		return nil, &models.Error{Code: models.Denied, Detail: "only owners and admins decide about what is held: ask one"}
	}
	c.Actor = by.Actor
	decisions := make([]Decision, 0, len(ids))
	for _, id := range ids {
		result := Decision{OperationID: id}
		var op models.Operation
		err := d.store.Write(ctx, func(tx *store.Tx) (err error) {
			if op, err = heldOperation(tx, c.WorkspaceID, id); err != nil {
				return err
			}
			result.UserID = op.ResourceID
			u, err := tx.LockDesired(op.ResourceID)
			if err != nil {
				return err
			}
			if err := tx.Lock(workspace.PersonLock(u.ID)); err != nil {
				return err
			}
			if op, err = heldOperation(tx, c.WorkspaceID, id); err != nil {
				return err
			}
			now, why := d.now(), op.Error
			if op, err = decision(tx, op, u, now); err != nil {
				return err
			}
			c.ConnectionID = u.ConnectionID
			tx.Add(c.audit(now, models.ResourceUser, u.ID, 200, why, &op))
			return nil
		})
		var known *models.Error
		switch {
		case err == nil:
			d.outbox.Offer(op)
		case errors.As(err, &known) && (known.Code == models.NotFound || known.Code == models.Stale || known.Code == models.Denied):
			result.Err = err
		default:
			return decisions, err
		}
		decisions = append(decisions, result)
	}
	return decisions, nil
}

// heldOperation finds an operation about a person that is held; the error says what became of another.
func heldOperation(tx *store.Tx, workspaceID, id string) (models.Operation, error) {
	missing := &models.Error{Code: models.NotFound, Detail: "there is no such operation in this workspace"}
	if !IsID(id) {
		return models.Operation{}, missing
	}
	op, err := tx.Operation(workspaceID, id)
	switch {
	case isNotFound(err) || err == nil && op.ResourceType != models.ResourceUser:
		return op, missing
	case err != nil || op.State == models.OperationHeld:
		return op, err
	}
	return op, &models.Error{Code: models.Stale, Detail: became(op)}
}

// became says what became of an operation that is not held any more.
func became(op models.Operation) string {
	switch {
	case op.ApprovedBy != "":
		return "this was approved already, by " + op.ApprovedBy
	case strings.HasPrefix(op.Error, discarded):
		return "this was decided already: " + op.Error
	case op.State == models.OperationSuperseded:
		return "a newer change of this person took its place: look at what waits now"
	}
	return "this does not wait for a decision: it is " + string(op.State)
}
