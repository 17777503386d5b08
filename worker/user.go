package worker

import (
	"context"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
	"outpost/workspace"
)

// userUpsert makes the member what the directory wants of the person: there, with their name, address and status, in
// the teams of the groups that name them, invited once. Groups that waited for the person get them.
func (w *Worker) userUpsert(ctx context.Context, op models.Operation) error {
	return w.convergeUser(ctx, op)
}

// userDeactivate tidies up after access was cut in the request: sessions, invitations, teams.
func (w *Worker) userDeactivate(ctx context.Context, op models.Operation) error {
	return w.convergeUser(ctx, op)
}

func (w *Worker) convergeUser(ctx context.Context, op models.Operation) error {
	return w.Outbox.Apply(ctx, op, func(tx *store.Tx) (outbox.Outcome, error) {
		if op.ConnectionID == nil {
			return outbox.Outcome{State: models.OperationSuperseded}, nil
		}
		if free, err := workspace.LockPerson(tx, op.ResourceID, *op.ConnectionID); err != nil || !free {
			return w.soon(), err
		}
		situation, err := tx.Situation(op.ResourceID)
		if err != nil {
			return outbox.Outcome{}, err
		}
		out, err := w.Workspace.ConvergeUser(tx, op, situation)
		if err != nil || out.State != "" || !situation.WaitedFor {
			return out, err
		}
		arrived, err := tx.ArrivedForUser(op.ResourceID)
		if err != nil {
			return out, err
		}
		joined, err := directory.Join(tx, *op.ConnectionID, arrived, w.Now())
		out.Next = append(out.Next, joined...)
		return out, err
	})
}

// groupSync makes the team what the directory wants of the group: there, with its name and exactly its members, or gone.
func (w *Worker) groupSync(ctx context.Context, op models.Operation) error {
	return w.Outbox.Apply(ctx, op, func(tx *store.Tx) (outbox.Outcome, error) {
		if op.ConnectionID == nil {
			return outbox.Outcome{State: models.OperationSuperseded}, nil
		}
		if free, err := workspace.LockTeams(tx, *op.ConnectionID); err != nil || !free {
			return w.soon(), err
		}
		for {
			g, err := tx.DesiredGroup(op.ResourceID)
			if err != nil {
				return outbox.Outcome{}, err
			}
			// After the group was read, so that whoever waits by its version is seen. Those who have arrived are applied
			// right here, with the version that gives: no operation has to follow. Joining locks the group, and the second
			// look is the last.
			arrived, err := tx.ArrivedForGroup(op.ResourceID)
			if err != nil {
				return outbox.Outcome{}, err
			}
			if len(arrived) == 0 || g.RemovedAt != nil {
				return w.Workspace.ConvergeGroup(tx, op, g)
			}
			if _, err := directory.Join(tx, *op.ConnectionID, arrived, w.Now()); err != nil {
				return outbox.Outcome{}, err
			}
		}
	})
}

// soon gives an operation back for a moment, without counting an attempt: another of its connection is at work, and the
// places of a pool are for everybody.
func (w *Worker) soon() outbox.Outcome {
	return outbox.Outcome{Delay: 200 * time.Millisecond}
}

// memberMirror shows a member who joined to another connection of the workspace, so that its provider finds them.
func (w *Worker) memberMirror(ctx context.Context, op models.Operation) error {
	return w.Outbox.Apply(ctx, op, func(tx *store.Tx) (outbox.Outcome, error) {
		if op.ConnectionID == nil {
			return outbox.Outcome{State: models.OperationSuperseded}, nil
		}
		c, err := tx.Connection(*op.ConnectionID)
		if err != nil {
			return outbox.Outcome{}, err
		}
		if c.Status == models.ConnectionDeleted {
			return outbox.Outcome{State: models.OperationSuperseded, Note: "the connection was deleted"}, nil
		}
		m, err := tx.MemberByID(op.WorkspaceID, op.ResourceID)
		if err != nil {
			return outbox.Outcome{}, err
		}
		return outbox.Outcome{}, directory.Mirror(tx, c, m, w.Now())
	})
}
