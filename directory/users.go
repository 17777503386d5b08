package directory

import (
	"context"
	"errors"
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/store"
	"outpost/workspace"
)

// User reads a person that SCIM shows.
func (d *Directory) User(ctx context.Context, c Caller, id string) (models.User, error) {
	if !IsID(id) {
		return models.User{}, scim.NotFound("User %s does not exist in this connection", id)
	}
	u, err := d.store.User(ctx, c.ConnectionID, id)
	return u, notFound(err, "User", id)
}

// Users lists people in the order they came, and tells how many the filter (nil for none) matches in all.
func (d *Directory) Users(ctx context.Context, c Caller, filter scim.Filter, page scim.Page) ([]models.User, int, error) {
	w, err := userWhere(filter)
	if err != nil {
		return nil, 0, err
	}
	var users []models.User
	var total int
	unchecked := c.Access.hasty
	err = d.admitted(ctx, c, func(door store.Door) (err error) {
		if unchecked {
			unchecked = false
			if !w.Few() {
				return store.ErrDoor // to be checked first
			}
			users, total, err = d.store.LookUp(ctx, door, w, page.StartIndex-1, page.Count)
			return err
		}
		users, total, err = d.store.Users(ctx, c.ConnectionID, w, page.StartIndex-1, page.Count)
		return err
	})
	return users, total, err
}

// UserGroups lists, by person, the groups that each of users is in.
func (d *Directory) UserGroups(ctx context.Context, users ...models.User) (map[string][]scim.GroupRef, error) {
	if len(users) == 0 {
		return nil, nil
	}
	ids := make([]string, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	rows, err := d.store.UserGroups(ctx, ids...)
	groups := make(map[string][]scim.GroupRef, len(users))
	for _, r := range rows {
		groups[r.UserID] = append(groups[r.UserID], scim.GroupRef{Value: r.GroupID, Display: r.DisplayName})
	}
	return groups, err
}

// CreateUser records a person that the provider wants. A person who is there as a mirror of a member is linked to that
// member; anybody else with the same userName or externalId is a uniqueness error.
func (d *Directory) CreateUser(ctx context.Context, c Caller, in *scim.User) (models.User, error) {
	for try := 0; ; try++ {
		u, err := d.createUser(ctx, c, in)
		if !errors.Is(err, errGone) || try == 2 { // whoever had the name is gone already: once more
			return u, err
		}
	}
}

func (d *Directory) createUser(ctx context.Context, c Caller, in *scim.User) (models.User, error) {
	now := d.now()
	u := models.User{ID: outbox.ID(), WorkspaceID: c.WorkspaceID, ConnectionID: c.ConnectionID, Active: true, Linked: true, Version: 1, CreatedAt: now, UpdatedAt: now}
	if active, given := in.Active(); given {
		u.Active = active
	}
	if u.Active {
		u.Period = 1
	}
	fill(&u, in)
	err := d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		op := operation(models.KindUserUpsert, c, u, now)
		var g guarded
		if !u.Active { // a leaver from the first: they may be a member already
			op = operation(models.KindUserDeactivate, c, u, now)
			var err error
			if g, err = d.guard(tx, u, u, now); err != nil {
				return nil, err
			}
			hold(&op, g.held)
		}
		entry := c.audit(now, models.ResourceUser, u.ID, 201, g.held, &op)
		if g.ended {
			tx.Then(func() { d.gathered.endedAccess(c, entry.ID) })
		}
		tx.Add(&u, entry)
		return []models.Operation{op}, nil
	})
	if store.Violates(err, store.UniqueUserName) || store.Violates(err, store.UniqueExternalID) {
		return d.linkMirror(ctx, c, in, u)
	}
	return u, err
}

// errGone says that whoever had the name has gone since.
var errGone = &models.Error{Code: models.Unavailable, Detail: "the user with that name changed meanwhile: try again"}

// linkMirror lets a POST take over the mirror with its userName, or explains the conflict.
func (d *Directory) linkMirror(ctx context.Context, c Caller, in *scim.User, wanted models.User) (u models.User, err error) {
	now := d.now()
	err = d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		old, err := tx.LockUserByName(c.ConnectionID, wanted.UserNameKey)
		switch {
		case isNotFound(err):
			if wanted.ExternalID != nil {
				if other, err := tx.UserByExternalID(c.ConnectionID, *wanted.ExternalID); err == nil {
					return nil, scim.Uniqueness("externalId %q already belongs to user %q (id %s): update that user, or send another externalId", *wanted.ExternalID, other.UserName, other.ID)
				}
			}
			return nil, errGone
		case err != nil:
			return nil, err
		case old.Linked:
			return nil, scim.Uniqueness("userName %q is already used by a user of this connection (id %s): look it up and update it instead of creating it", old.UserName, old.ID)
		}
		next := old
		if active, given := in.Active(); given {
			next.Active = active
		} else {
			next.Active = true
		}
		fill(&next, in)
		ops, err := d.save(tx, c, old, &next, now, 201)
		u = next
		return ops, err
	})
	return u, d.explainConflict(ctx, c, wanted, err)
}

// ReplaceUser makes a person what a PUT says. An absent active keeps what it was.
func (d *Directory) ReplaceUser(ctx context.Context, c Caller, id string, in *scim.User) (models.User, error) {
	return d.change(ctx, c, id, func(_ models.User, next *models.User) error {
		if active, given := in.Active(); given {
			next.Active = active
		}
		fill(next, in)
		return nil
	})
}

// PatchUser applies a PATCH, whole or not at all.
func (d *Directory) PatchUser(ctx context.Context, c Caller, id string, p *scim.Patch) (models.User, error) {
	return d.change(ctx, c, id, func(old models.User, next *models.User) error {
		u, err := scim.LoadUser([]byte(old.Resource), old.Active)
		if err != nil {
			return err
		}
		changed, err := p.ApplyUser(u, id)
		if err != nil || !changed {
			return err
		}
		next.Active, _ = u.Active()
		fill(next, u)
		return nil
	})
}

// DeleteUser ends a person's access and hides them from SCIM.
func (d *Directory) DeleteUser(ctx context.Context, c Caller, id string) error {
	now := d.now()
	if !IsID(id) {
		return scim.NotFound("User %s does not exist in this connection", id)
	}
	err := d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		old, err := tx.LockUser(c.ConnectionID, id)
		if err != nil {
			return nil, err
		}
		next := old
		next.Active, next.RemovedAt = false, &now
		if err := tx.LeaveGroups(id); err != nil {
			return nil, err
		}
		return d.save(tx, c, old, &next, now, 204)
	})
	return notFound(err, "User", id)
}

// change locks a person, lets edit say what they become, and saves that.
func (d *Directory) change(ctx context.Context, c Caller, id string, edit func(old models.User, next *models.User) error) (u models.User, err error) {
	if !IsID(id) {
		return u, scim.NotFound("User %s does not exist in this connection", id)
	}
	now := d.now()
	err = d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		old, err := tx.LockUser(c.ConnectionID, id)
		if err != nil {
			return nil, err
		}
		next := old
		if err := edit(old, &next); err != nil {
			return nil, err
		}
		ops, err := d.save(tx, c, old, &next, now, 200)
		u = next
		return ops, err
	})
	return u, notFound(d.explainConflict(ctx, c, u, err), "User", id)
}

// save writes a locked person's new state with the operation that it makes necessary. A leaver loses access here, in
// the same transaction, unless a rule holds the change for an admin. Where nothing changed it writes the audit alone.
func (d *Directory) save(tx *store.Tx, c Caller, old models.User, next *models.User, now time.Time, status int) ([]models.Operation, error) {
	if same(old, *next) {
		tx.Add(c.audit(now, models.ResourceUser, old.ID, status, "no change", nil))
		return nil, nil
	}
	next.Linked = true
	next.Version++
	next.UpdatedAt = now
	if next.Active && (!old.Active || next.Period == 0) {
		next.Period++
	}
	if err := unclaimed(tx, old); err != nil {
		return nil, err
	}
	kind := models.KindUserUpsert
	if !next.Active && (old.Active || !old.Linked || next.RemovedAt != nil) {
		kind = models.KindUserDeactivate
	}
	op := operation(kind, c, *next, now)
	g, err := d.guard(tx, old, *next, now)
	if err != nil {
		return nil, err
	}
	hold(&op, g.held)
	if g.held != "" { // what is wanted now is what waits for a decision
		if err := tx.SupersedeHeld(next.ID, ""); err != nil {
			return nil, err
		}
	}
	if err := tx.SaveUser(*next); err != nil {
		return nil, err
	}
	entry := c.audit(now, models.ResourceUser, next.ID, status, g.held, &op)
	if status != 201 {
		entry.Changes = told(userChanges(old, *next))
	}
	if g.ended {
		tx.Then(func() { d.gathered.endedAccess(c, entry.ID) })
	}
	tx.Add(entry)
	return []models.Operation{op}, nil
}

// unclaimed is a uniqueness error when the member behind a mirror is managed by another connection already: one person
// belongs to one connection.
func unclaimed(tx *store.Tx, u models.User) error {
	if u.Linked || u.MirrorOf == nil {
		return nil
	}
	if _, err := tx.LockMember(u.WorkspaceID, *u.MirrorOf); err != nil { // claims of one member come one after the other
		return err
	}
	other, err := tx.OtherClaim(u.WorkspaceID, *u.MirrorOf, u.ID)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return scim.Uniqueness("%q is managed by another connection of this workspace (id %s): remove the person there first", u.UserName, other.ConnectionID)
}

// guarded is what guard did about a change.
type guarded struct {
	held  string // why the change waits for an admin, "" where it does not
	ended bool   // a member who had access has none from the commit on
}

// guard ends a leaver's access, unless a rule holds the change instead. old is what tells who the member is: a change of
// address does not hide them.
func (d *Directory) guard(tx *store.Tx, old, next models.User, now time.Time) (g guarded, err error) {
	if !next.Active {
		// A convergence that is under way for this person ends first, so that nothing it does outlasts the block.
		if err := tx.Lock(workspace.PersonLock(next.ID)); err != nil {
			return g, err
		}
	}
	f, err := workspace.Find(tx, old)
	if err != nil || !f.OK {
		return g, err
	}
	if next.RemovedAt == nil {
		g.held = workspace.GuardEmail(f.Member, next)
	}
	if next.Active {
		return g, nil
	}
	last, err := workspace.LastOwner(tx, f.Member)
	if err != nil {
		return g, err
	}
	if last {
		g.held = workspace.HeldLastOwner
		return g, nil
	}
	g.ended = f.Member.Status != models.MemberDeactivated
	return g, workspace.Block(tx, f.Member, now)
}

// explainConflict says in words an admin can act on which value of u is taken.
func (d *Directory) explainConflict(ctx context.Context, c Caller, u models.User, err error) error {
	switch {
	case store.Violates(err, store.UniqueUserName):
		w := store.UserNameIs(u.UserNameKey)
		if others, _, lookErr := d.store.Users(ctx, c.ConnectionID, &w, 0, 1); lookErr == nil && len(others) > 0 {
			return scim.Uniqueness("userName %q is already used by another user of this connection (id %s)", u.UserName, others[0].ID)
		}
		return scim.Uniqueness("userName %q is already used by another user of this connection", u.UserName)
	case store.Violates(err, store.UniqueExternalID) && u.ExternalID != nil:
		w := store.ExternalIDIs(*u.ExternalID)
		if others, _, lookErr := d.store.Users(ctx, c.ConnectionID, &w, 0, 1); lookErr == nil && len(others) > 0 {
			return scim.Uniqueness("externalId %q already belongs to user %q (id %s)", *u.ExternalID, others[0].UserName, others[0].ID)
		}
		return scim.Uniqueness("externalId %q already belongs to another user of this connection", *u.ExternalID)
	}
	return err
}

// operation makes the operation of kind for a person's version.
func operation(kind models.Kind, c Caller, u models.User, now time.Time) models.Operation {
	op := outbox.Operation(kind, u.WorkspaceID, u.ConnectionID, models.ResourceUser, u.ID, u.Version, now)
	op.RequestID = c.RequestID
	return op
}

// hold lets an operation wait for an admin, where there is a reason to.
func hold(op *models.Operation, why string) {
	if why != "" {
		op.State, op.Error = models.OperationHeld, why
	}
}

// fill puts a resource's content into the row. It leaves active alone.
func fill(row *models.User, u *scim.User) {
	row.UserName, row.UserNameKey = u.UserName(), scim.Fold(u.UserName())
	row.ExternalID = nil
	if id := u.ExternalID(); id != "" {
		row.ExternalID = &id
	}
	row.Email = u.Address()
	row.EmailKey = scim.Fold(row.Email)
	row.DisplayName = u.DisplayName()
	row.EmailCount = u.EmailCount()
	row.Resource = string(u.Stored())
}

// same reports whether a person is what they were. The first write to a mirror is a change: it links.
func same(old, next models.User) bool {
	return old.Linked && old.Active == next.Active && old.Resource == next.Resource && (old.RemovedAt == nil) == (next.RemovedAt == nil)
}
