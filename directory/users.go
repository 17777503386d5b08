package directory

import (
	"context"
	"errors"
	"slices"
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
		return models.User{}, missing(models.ResourceUser, id)
	}
	u, err := d.store.User(ctx, c.ConnectionID, id)
	return u, notFound(err, "User", id)
}

// Users lists people.
func (d *Directory) Users(ctx context.Context, c Caller, q scim.Query) (page store.Page[models.User], err error) {
	list, err := listingOf(scim.UserType, c, q)
	if err != nil {
		return page, err
	}
	unchecked := c.Access.hasty
	err = d.admitted(ctx, c, func(door store.Door) (err error) {
		if unchecked {
			unchecked = false
			if !list.Where.Few() || q.SortBy != "" || q.ByCursor {
				return store.ErrDoor // to be checked first
			}
			page, err = d.store.LookUp(ctx, door, list)
			return err
		}
		return d.searched(ctx, c, list.Where, q.SortBy != "", func(ctx context.Context) (err error) {
			page, err = d.store.Users(ctx, list)
			return err
		})
	})
	return counted(page, q, err)
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
	return groupRefs(rows), err
}

// CreateUser records a person that the provider wants. Who was there before comes back under the id they had: the mirror
// of a member, whom this links, and a person who was deactivated or deleted, with the same userName or externalId. Anybody
// else with one of the two is a uniqueness error that says who.
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
		tx.UnlessGone(u)
		return d.addUser(tx, c, u, now)
	})
	if store.Violates(err, store.UniqueUserName) || store.Violates(err, store.UniqueExternalID) || errors.Is(err, store.ErrGone) {
		return d.bringBack(ctx, c, in, u)
	}
	return u, err
}

// addUser writes a person who is new.
func (d *Directory) addUser(tx *store.Tx, c Caller, u models.User, now time.Time) ([]models.Operation, error) {
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
	for _, key := range u.OtherEmails {
		tx.Add(&models.DirectoryEmail{ConnectionID: u.ConnectionID, EmailKey: key, UserID: u.ID})
	}
	return []models.Operation{op}, nil
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
		changed, err := p.ApplyUser(u, id, scim.DialectOf(string(c.Access.Provider)))
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
		return missing(models.ResourceUser, id)
	}
	err := d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		old, err := tx.LockUser(c.ConnectionID, id)
		if err != nil {
			return nil, err
		}
		if err := checkUser(tx, c, old); err != nil {
			return nil, err
		}
		next := old
		next.Active, next.RemovedAt = false, &now
		ops, err := d.save(tx, c, old, &next, now, 204)
		if err != nil {
			return nil, err
		}
		return ops, tx.LeaveGroups(id, now)
	})
	return notFound(err, "User", id)
}

// change locks a person, lets edit say what they become, and saves that.
func (d *Directory) change(ctx context.Context, c Caller, id string, edit func(old models.User, next *models.User) error) (u models.User, err error) {
	if !IsID(id) {
		return u, missing(models.ResourceUser, id)
	}
	now := d.now()
	err = d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		old, err := tx.LockUser(c.ConnectionID, id)
		if err != nil {
			return nil, err
		}
		if err := checkUser(tx, c, old); err != nil {
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
	if err := saveEmails(tx, old, *next); err != nil {
		return nil, err
	}
	entry := c.audit(now, models.ResourceUser, next.ID, status, g.held, &op)
	if status != 201 || old.Linked {
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
		if other, ok := d.other(ctx, c, store.UserNameIs(u.UserNameKey)); ok {
			return scim.Uniqueness("userName %q already belongs to %s: give one of the two another userName", u.UserName, whois(other))
		}
		return scim.Uniqueness("userName %q is already used by another user of this connection", u.UserName)
	case store.Violates(err, store.UniqueExternalID) && u.ExternalID != nil:
		if other, ok := d.other(ctx, c, store.ExternalIDIs(*u.ExternalID)); ok {
			return scim.Uniqueness("externalId %q already belongs to %s: give one of the two another externalId", *u.ExternalID, whois(other))
		}
		return scim.Uniqueness("externalId %q already belongs to another user of this connection", *u.ExternalID)
	}
	return err
}

// other finds the person who has a name already.
func (d *Directory) other(ctx context.Context, c Caller, w store.Where) (models.User, bool) {
	page, err := d.store.Users(ctx, store.Listing{ConnectionID: c.ConnectionID, Where: &w, Limit: 1})
	if err != nil || len(page.Rows) == 0 {
		return models.User{}, false
	}
	return page.Rows[0], true
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
	row.Resource, row.Searched = string(u.Stored()), searched(u)
	row.OtherEmails = otherEmails(u, row.EmailKey)
}

// searched is a person as filters compare them, nil where the resource will do.
func searched(u *scim.User) *string {
	folded := u.Searched()
	if folded == nil {
		return nil
	}
	text := string(folded)
	return &text
}

// otherEmails are a person's addresses that the column of the first one does not hold.
func otherEmails(u *scim.User, key string) []string {
	others := slices.DeleteFunc(u.EmailKeys(), func(k string) bool { return k == key })
	if len(others) == 0 {
		return nil
	}
	return others
}

// saveEmails writes a person's other addresses where they have changed.
func saveEmails(tx *store.Tx, old, next models.User) error {
	if old.Resource == next.Resource {
		return nil
	}
	u, err := scim.LoadUser([]byte(old.Resource), old.Active)
	if err == nil && slices.Equal(otherEmails(u, old.EmailKey), next.OtherEmails) {
		return nil
	}
	return tx.SetEmails(next)
}

// same reports whether a person is what they were. The first write to a mirror is a change: it links.
func same(old, next models.User) bool {
	return old.Linked && old.Active == next.Active && old.Resource == next.Resource && (old.RemovedAt == nil) == (next.RemovedAt == nil)
}
