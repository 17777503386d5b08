package workspace

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/store"
)

// Hands is what owners and admins do to members themselves. Each act is one transaction with its audit entry; its errors
// are Denied, Stale, Conflict or Invalid with the sentence for the page, and NotFound for a member of another workspace.
type Hands struct {
	outbox    *outbox.Outbox
	store     *store.Store
	workspace *Workspace
}

// NewHands makes Hands that act on the workspaces of w.
func NewHands(s *store.Store, o *outbox.Outbox, w *Workspace) *Hands {
	return &Hands{outbox: o, store: s, workspace: w}
}

// By is who acts, and the request they made.
type By struct {
	WorkspaceID string
	Actor       string // for people
	Role        models.Role
	MemberID    string // "" for who is no member, as on the command line
	IP          string
	UserAgent   string
	RequestID   string
}

// audit is the entry for an act on a member.
func (b By) audit(now time.Time, method, memberID, detail string, changes ...models.Change) *models.AuditEntry {
	e := &models.AuditEntry{
		ID: outbox.ID(), WorkspaceID: b.WorkspaceID, Actor: b.Actor, IP: b.IP, Method: method, TargetType: models.ResourceMember, TargetID: memberID,
		Status: 200, Detail: detail, RequestID: b.RequestID, UserAgent: b.UserAgent, At: now,
	}
	if len(changes) > 0 {
		list, _ := json.Marshal(changes) // strings alone
		text := string(list)
		e.Changes = &text
	}
	return e
}

// may is the error for whoever is neither owner nor admin.
func (b By) may() error {
	if b.Role != models.RoleOwner && b.Role != models.RoleAdmin {
		return denied("only owners and admins manage members: ask one")
	}
	return nil
}

func denied(format string, args ...any) error {
	return &models.Error{Code: models.Denied, Detail: fmt.Sprintf(format, args...)}
}

func stale(format string, args ...any) error {
	return &models.Error{Code: models.Stale, Detail: fmt.Sprintf(format, args...)}
}

// act changes one member under the lock of the row. what is for the audit; do changes the
// member and tells what must follow.
func (h *Hands) act(ctx context.Context, by By, what, memberID string, do func(tx *store.Tx, m *models.Member, now time.Time) ([]models.Operation, error)) error {
	if err := by.may(); err != nil {
		return err
	}
	missing := &models.Error{Code: models.NotFound, Detail: "there is no such member in this workspace"}
	if !outbox.IsID(memberID) {
		return missing
	}
	return h.outbox.Write(ctx, func(tx *store.Tx) ([]models.Operation, error) {
		before, err := tx.LockMember(by.WorkspaceID, memberID)
		if models.Is(err, models.NotFound) {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		m, now := before, h.workspace.now()
		ops, err := do(tx, &m, now)
		if err != nil {
			return nil, err
		}
		var changes []models.Change
		if before.Role != m.Role {
			changes = append(changes, models.Change{Attribute: "role", Before: string(before.Role), After: string(m.Role)})
		}
		if before.Status != m.Status {
			changes = append(changes, models.Change{Attribute: "status", Before: string(before.Status), After: string(m.Status)})
		}
		for i := range ops {
			ops[i].RequestID = by.RequestID
		}
		tx.Add(by.audit(now, what, m.ID, "", changes...))
		if m == before {
			return ops, nil
		}
		m.UpdatedAt = now
		return ops, tx.SaveMember(m)
	})
}

// ChangeRole gives a member a role by hand. Only an owner makes or unmakes one, and the last active owner stays. A role
// that a group gives is changed where it comes from; making an owner overrules it.
func (h *Hands) ChangeRole(ctx context.Context, by By, memberID string, role models.Role) error {
	if err := knownRole(role); err != nil {
		return err
	}
	return h.act(ctx, by, "role", memberID, func(tx *store.Tx, m *models.Member, now time.Time) ([]models.Operation, error) {
		wasOwner := m.Role == models.RoleOwner
		switch {
		case (wasOwner || role == models.RoleOwner) && by.Role != models.RoleOwner:
			return nil, denied("only an owner makes somebody an owner or takes that back: ask one")
		case m.Status == models.MemberDeactivated:
			return nil, stale("%s has no access: bring them back first, then change their role", m.Name)
		case m.Role == role && m.RoleGroupID == nil:
			return nil, nil
		}
		if role == models.RoleOwner {
			// Who is about to be moved to another address may be somebody else tomorrow.
			if moving, err := tx.Approving(m.ID); err != nil || moving {
				return nil, orStale(err, "a change of %s was approved and is being applied: try again in a moment", m.Name)
			}
			m.Role, m.HandRole, m.RoleGroupID = role, role, nil
			return nil, nil
		}
		if wasOwner {
			if err := keepsLink(tx, *m); err != nil {
				return nil, err
			}
			if last, err := LastOwner(tx, *m); err != nil || last {
				return nil, orDenied(err, "%s is the last active owner of this workspace: make somebody else an owner first", m.Name)
			}
		}
		if m.RoleGroupID != nil {
			source, ok, err := tx.RoleSource(*m.RoleGroupID)
			if err != nil {
				return nil, err
			}
			if ok {
				return nil, denied("the group %q gives %s the role %s: change who is in the group in %s, or what the group gives under Roles from groups on the connection's page", source.Name, m.Name, m.Role, source.Provider.Title())
			}
		}
		m.Role, m.HandRole, m.RoleGroupID = role, role, nil
		if wasOwner { // from now on their groups have a say again
			return h.lookAgain(tx, models.KindUserUpsert, *m, now)
		}
		return nil, nil
	})
}

func orStale(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return stale(format, args...)
}

func orDenied(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return denied(format, args...)
}

// Deactivate ends a member's access in its transaction. It stands against the directory until that begins a new period of
// the person, or BringBack takes it back.
func (h *Hands) Deactivate(ctx context.Context, by By, memberID string) error {
	return h.act(ctx, by, "deactivate", memberID, func(tx *store.Tx, m *models.Member, now time.Time) ([]models.Operation, error) {
		switch {
		case m.ID == by.MemberID:
			return nil, denied("nobody deactivates themselves: ask another owner or admin")
		case m.Status == models.MemberDeactivated:
			return nil, stale("%s has no access already", m.Name)
		case m.Role == models.RoleOwner && by.Role != models.RoleOwner:
			return nil, denied("only an owner deactivates an owner: ask one")
		}
		if err := keepsLink(tx, *m); err != nil {
			return nil, err
		}
		if last, err := LastOwner(tx, *m); err != nil || last {
			return nil, orDenied(err, "%s is the last active owner of this workspace: make somebody else an owner first", m.Name)
		}
		block(m, now)
		m.RemovedBy = by.Actor
		if m.RemovedBy == "" {
			m.RemovedBy = "somebody"
		}
		if _, err := tx.VoidInvitations(m.ID, ""); err != nil {
			return nil, err
		}
		if m.DirectoryUserID == nil {
			return nil, nil
		}
		u, err := tx.Desired(*m.DirectoryUserID)
		if err != nil {
			return nil, err
		}
		m.Period = u.Period // what the directory has begun by now ends with it
		return h.lookAgain(tx, models.KindUserDeactivate, *m, now)
	})
}

// keepsLink is the error for the owner who may sign in by an e-mailed link while single sign-on is required.
func keepsLink(tx *store.Tx, m models.Member) error {
	w, err := tx.WorkspaceByID(m.WorkspaceID)
	if err == nil && w.RequireSSO != nil && w.BreakGlass != nil && *w.BreakGlass == m.ID {
		err = denied("%s is the owner who may still use an e-mail link when single sign-on is down: choose another one under Single sign-on first", m.Name)
	}
	return err
}

// BringBack gives access back to a member from whom it was taken by hand: they are active if they had joined, else invited
// anew. A person whom a directory manages comes back only if that wants them; their teams follow.
func (h *Hands) BringBack(ctx context.Context, by By, memberID string) error {
	return h.act(ctx, by, "bring back", memberID, func(tx *store.Tx, m *models.Member, now time.Time) ([]models.Operation, error) {
		if m.Status != models.MemberDeactivated {
			return nil, stale("%s has access already", m.Name)
		}
		u, manager, err := managerOf(tx, *m)
		if err != nil {
			return nil, err
		}
		switch managed := manager != ""; {
		case managed && !wants(u):
			return nil, denied("%s does not want %s to have access: assign them there again, and they come back by themselves", manager, m.Name)
		case managed && m.RemovedBy == "":
			return nil, stale("%s was not removed by hand, and %s wants them back: see on their page what became of that", m.Name, manager)
		}
		m.RemovedBy, m.DeactivatedAt = "", nil
		var ops []models.Operation
		m.Status = models.MemberActive
		if m.AcceptedAt == nil {
			m.Status = models.MemberInvited
			if m.EmailKey != "" {
				if ops, err = h.mailInvitation(tx, *m, now); err != nil {
					return nil, err
				}
			}
		}
		if manager != "" {
			again, err := h.lookAgain(tx, models.KindUserUpsert, *m, now)
			return append(ops, again...), err
		}
		return ops, nil
	})
}

// SignOutEverywhere ends every session of a member.
func (h *Hands) SignOutEverywhere(ctx context.Context, by By, memberID string) error {
	return h.act(ctx, by, "sign out", memberID, func(_ *store.Tx, m *models.Member, _ time.Time) ([]models.Operation, error) {
		if m.Role == models.RoleOwner && by.Role != models.RoleOwner {
			return nil, denied("only an owner signs an owner out: ask one")
		}
		m.SessionEpoch++
		return nil, nil
	})
}

// knownRole is the error for a role that does not exist.
func knownRole(role models.Role) error {
	switch role {
	case models.RoleOwner, models.RoleAdmin, models.RoleMember:
		return nil
	}
	return &models.Error{Code: models.Invalid, Detail: fmt.Sprintf("there is no role %q: choose owner, admin or member", role)}
}

// managerOf tells what the directory wants of the member now, and the name of its provider: "" when none manages them.
func managerOf(tx *store.Tx, m models.Member) (u models.User, provider string, err error) {
	if m.DirectoryUserID == nil {
		return u, "", nil
	}
	if u, err = tx.Desired(*m.DirectoryUserID); err != nil {
		return u, "", err
	}
	c, err := tx.Connection(u.ConnectionID)
	if err != nil || c.Status == models.ConnectionDeleted {
		return u, "", err
	}
	return u, c.Provider.Title(), nil
}

// lookAgain makes the operation that converges the member to their directory, though nothing has changed there.
func (h *Hands) lookAgain(tx *store.Tx, kind models.Kind, m models.Member, now time.Time) ([]models.Operation, error) {
	if m.DirectoryUserID == nil {
		return nil, nil
	}
	u, err := tx.Desired(*m.DirectoryUserID)
	if err != nil {
		return nil, err
	}
	return []models.Operation{outbox.Operation(kind, u.WorkspaceID, u.ConnectionID, models.ResourceUser, u.ID, 0, now)}, nil
}
