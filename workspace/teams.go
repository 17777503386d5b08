package workspace

import (
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
)

// LockTeams takes the lock under which a group of the connection changes who is in its team. Take it before anything
// else in the transaction. It waits for people, who hold their share for milliseconds, but not for another group: then it
// returns false.
func LockTeams(tx *store.Tx, connectionID string) (free bool, err error) {
	if free, err = tx.TryLock("group of " + connectionID); err != nil || !free {
		return false, err
	}
	return true, tx.Lock(teamsLock(connectionID))
}

// ConvergeGroup makes the team what the directory wants of the group: its name, and its members by the changes since the
// version last applied; and gives the people the role that the group gives, or takes it back. The caller has LockTeams, and read the group after it.
func (w *Workspace) ConvergeGroup(tx *store.Tx, op models.Operation, g store.GroupSituation) (outbox.Outcome, error) {
	superseded := outbox.Outcome{State: models.OperationSuperseded}
	t, found, err := tx.LockTeam(g.ID)
	if err != nil {
		return superseded, err
	}
	if found && t.AppliedVersion >= g.Version {
		return superseded, nil
	}
	now := w.now()
	after := t.AppliedVersion
	switch {
	case g.RemovedAt != nil:
		if found {
			if err := tx.DeleteTeam(t.ID); err != nil {
				return superseded, err
			}
		}
		if err := tx.EmptyGroup(g.ID); err != nil {
			return superseded, err
		}
		if err := w.giveRoles(tx, g, 0); err != nil {
			return superseded, err
		}
	default:
		if !found {
			t = models.Team{ID: outbox.ID(), WorkspaceID: g.WorkspaceID, Name: g.DisplayName, GroupID: &g.ID, AppliedVersion: g.Version, CreatedAt: now, UpdatedAt: now}
			if err := tx.CreateTeam(t); err != nil {
				return superseded, err
			}
		}
		if _, _, err := tx.SyncTeam(t, after); err != nil {
			return superseded, err
		}
		if err := w.giveRoles(tx, g, after); err != nil {
			return superseded, err
		}
		if err := tx.ForgetTombstones(g.ID, g.Version); err != nil {
			return superseded, err
		}
		if found {
			t.Name, t.AppliedVersion, t.UpdatedAt = g.DisplayName, g.Version, now
			if err := tx.SaveTeam(t); err != nil {
				return superseded, err
			}
		}
	}
	if after+1 < g.Version {
		if _, err := tx.Supersede(op.ID, g.ID, g.Version, models.KindGroupSync); err != nil {
			return superseded, err
		}
	}
	return outbox.Outcome{}, nil
}

// giveRoles gives the people whose membership of a group changed after a version their role anew, and all of its people
// where what the group gives has changed. The tombstones of memberships are still there.
func (w *Workspace) giveRoles(tx *store.Tx, g store.GroupSituation, after int64) error {
	if !g.Mapped {
		return nil
	}
	mapping, ok, err := tx.RoleMapping(g.ID)
	if err != nil || !ok {
		return err
	}
	if mapping.Version > after {
		after = 0
	}
	if _, err := tx.GiveRoles(g.ID, after, w.now()); err != nil {
		return err
	}
	return tx.ForgetRoleMapping(g.ID, g.Version, g.RemovedAt != nil)
}
