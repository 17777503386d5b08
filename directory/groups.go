package directory

import (
	"context"
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/store"
)

// Group reads a group that SCIM shows.
func (d *Directory) Group(ctx context.Context, c Caller, id string) (models.Group, error) {
	if !IsID(id) {
		return models.Group{}, missing(models.ResourceGroup, id)
	}
	g, err := d.store.Group(ctx, c.ConnectionID, id)
	return g, notFound(err, "Group", id)
}

// Groups lists groups.
func (d *Directory) Groups(ctx context.Context, c Caller, q scim.Query) (page store.Page[models.Group], err error) {
	list, err := listingOf(scim.GroupType, c, q)
	if err != nil {
		return page, err
	}
	err = d.searched(ctx, c, list.Where, q.SortBy != "", func(ctx context.Context) (err error) {
		page, err = d.store.Groups(ctx, list)
		return err
	})
	return counted(page, q, err)
}

// GroupMembers lists, by group, the people in each of groups. Waiting values are not among them.
func (d *Directory) GroupMembers(ctx context.Context, groups ...models.Group) (map[string][]scim.Member, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	ids := make([]string, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	rows, err := d.store.GroupMembers(ctx, ids...)
	members := make(map[string][]scim.Member, len(groups))
	for _, r := range rows {
		members[r.GroupID] = append(members[r.GroupID], scim.Member{Value: r.UserID, Display: r.UserName})
	}
	return members, err
}

// CreateGroup records a group that the provider wants. A group of the same name, in any case, is a uniqueness error.
func (d *Directory) CreateGroup(ctx context.Context, c Caller, in *scim.Group) (models.Group, error) {
	now := d.now()
	g := models.Group{ID: outbox.ID(), WorkspaceID: c.WorkspaceID, ConnectionID: c.ConnectionID, Version: 1, ExternalID: in.ExternalID, CreatedAt: now, UpdatedAt: now}
	rename(&g, in.DisplayName)
	err := d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		op := groupOperation(c, g, now)
		if len(in.Members) == 0 {
			tx.Add(&g)
		} else {
			if err := tx.CreateGroup(g); err != nil {
				return nil, err
			}
			if err := d.addMembers(tx, g, in.Members, now, &touched{}); err != nil {
				return nil, err
			}
		}
		tx.Add(c.audit(now, models.ResourceGroup, g.ID, 201, "", &op))
		return []models.Operation{op}, nil
	})
	return g, d.explainGroupConflict(ctx, c, g, err)
}

// ReplaceGroup makes a group what a PUT says. Members that the PUT does not mention at all stay as they are: an empty
// list is the way to empty a group.
func (d *Directory) ReplaceGroup(ctx context.Context, c Caller, id string, in *scim.Group) (models.Group, error) {
	changes := []scim.GroupChange{{Kind: scim.SetDisplayName, Text: in.DisplayName}, {Kind: scim.SetExternalID, Text: in.ExternalID}}
	if in.MembersGiven {
		changes = append(changes, scim.GroupChange{Kind: scim.ReplaceMembers, Members: in.Members})
	}
	return d.PatchGroup(ctx, c, id, changes)
}

// PatchGroup applies changes in their order, all or none, under the group's row lock: parallel changes lose nobody.
// The cost grows with what changes, never with the group.
func (d *Directory) PatchGroup(ctx context.Context, c Caller, id string, changes []scim.GroupChange) (g models.Group, err error) {
	if !IsID(id) {
		return g, missing(models.ResourceGroup, id)
	}
	now := d.now()
	err = d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		old, err := tx.LockGroup(c.ConnectionID, id)
		if err != nil {
			return nil, err
		}
		if err := checkGroup(c, old); err != nil {
			return nil, err
		}
		g = old
		g.Version++
		changed := false
		var members touched
		for _, change := range changes {
			did, err := d.applyChange(tx, &g, change, now, &members)
			if err != nil {
				return nil, err
			}
			changed = changed || did
		}
		came, err := groupChanges(tx, old, g, members)
		if err != nil {
			return nil, err
		}
		if !changed {
			g = old
			entry := c.audit(now, models.ResourceGroup, id, 200, "no change", nil)
			entry.Changes = told(came)
			tx.Add(entry)
			return nil, nil
		}
		g.UpdatedAt = now
		op := groupOperation(c, g, now)
		entry := c.audit(now, models.ResourceGroup, id, 200, "", &op)
		entry.Changes = told(came)
		tx.Add(entry)
		return []models.Operation{op}, tx.SaveGroup(g)
	})
	return g, notFound(d.explainGroupConflict(ctx, c, g, err), "Group", id)
}

// applyChange applies one change to a locked group whose Version is the new one, and tells whether it changed anything.
// What it does to the members it adds to t.
func (d *Directory) applyChange(tx *store.Tx, g *models.Group, change scim.GroupChange, now time.Time, t *touched) (bool, error) {
	before := *t
	switch change.Kind {
	case scim.SetDisplayName:
		old := g.DisplayName
		rename(g, change.Text)
		return g.DisplayName != old, nil
	case scim.SetExternalID:
		old := g.ExternalID
		g.ExternalID = change.Text
		return g.ExternalID != old, nil
	case scim.AddMembers:
		err := d.addMembers(tx, *g, change.Members, now, t)
		return t.more(before), err
	case scim.RemoveMembers:
		people, waiting, err := d.resolve(tx, *g, change.Members, true, now)
		if err != nil {
			return false, err
		}
		values := make([]string, len(waiting))
		for i, w := range waiting {
			values[i] = w.Value
		}
		stopped, err := tx.TakeWaiting(g.ID, values)
		if err != nil {
			return false, err
		}
		// Whoever has arrived and is not joined yet waits by another name.
		waited, err := tx.StopWaitingFor(g.ID, people)
		if err != nil {
			return false, err
		}
		n, err := tx.RemoveMemberships(g.ID, g.Version, people)
		t.people, t.left = t.people+n, append(t.left, stopped...)
		return n+waited > 0, err
	case scim.ReplaceMembers, scim.RemoveAllMembers:
		people, waiting, err := d.resolve(tx, *g, change.Members, false, now)
		if err != nil {
			return false, err
		}
		left, err := tx.KeepMemberships(g.ID, g.Version, people)
		if err != nil {
			return false, err
		}
		if err := tx.StopWaiting(g.ID, nil); err != nil {
			return false, err
		}
		waits, err := tx.Wait(*g, waiting)
		if err != nil {
			return false, err
		}
		joined, err := tx.AddMemberships(*g, g.Version, people)
		t.people, t.waits = t.people+left+joined, append(t.waits, waits...)
		return t.more(before), err
	}
	return false, nil
}

// DeleteGroup hides a group from SCIM; its team goes with the operation.
func (d *Directory) DeleteGroup(ctx context.Context, c Caller, id string) error {
	if !IsID(id) {
		return missing(models.ResourceGroup, id)
	}
	now := d.now()
	err := d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		g, err := tx.LockGroup(c.ConnectionID, id)
		if err != nil {
			return nil, err
		}
		if err := checkGroup(c, g); err != nil {
			return nil, err
		}
		g.Version++
		g.RemovedAt, g.UpdatedAt = &now, now
		op := groupOperation(c, g, now)
		entry := c.audit(now, models.ResourceGroup, id, 204, "", &op)
		entry.Changes = told([]models.Change{{Attribute: "displayName", Before: cut(g.DisplayName, maxValue)}})
		tx.Add(entry)
		return []models.Operation{op}, tx.SaveGroup(g)
	})
	return notFound(err, "Group", id)
}

// addMembers puts the people named into the group, as of its Version; a value that is nobody yet waits.
func (d *Directory) addMembers(tx *store.Tx, g models.Group, named []scim.Member, now time.Time, t *touched) error {
	people, waiting, err := d.resolve(tx, g, named, false, now)
	if err != nil {
		return err
	}
	waits, err := tx.Wait(g, waiting)
	if err != nil {
		return err
	}
	n, err := tx.AddMemberships(g, g.Version, people)
	t.people, t.waits = t.people+n, append(t.waits, waits...)
	return err
}

// resolve tells which people of the group's connection the values mean, by id or externalId, and which are nobody yet.
// A group among them is an error, unless they are leaving.
func (d *Directory) resolve(tx *store.Tx, g models.Group, named []scim.Member, leaving bool, now time.Time) (people []string, waiting []models.WaitingMember, err error) {
	var ids []string
	for _, m := range named {
		if IsID(m.Value) {
			ids = append(ids, m.Value)
		}
	}
	if people, err = tx.ResolveByID(g.ConnectionID, ids); err != nil || len(people) == len(named) {
		return people, nil, err
	}
	known := make(map[string]bool, len(named))
	for _, id := range people {
		known[id] = true
	}
	var rest []string
	for _, m := range named {
		if !known[m.Value] {
			rest = append(rest, m.Value)
		}
	}
	for at := 0; at < len(rest); at += 1000 {
		found, err := tx.ResolveByExternalID(g.ConnectionID, rest[at:min(at+1000, len(rest))])
		if err != nil {
			return nil, nil, err
		}
		for _, f := range found {
			known[f.Value] = true
			people = append(people, f.UserID)
		}
	}
	var strangers []string // who may be groups
	for _, m := range named {
		if known[m.Value] {
			continue
		}
		waiting = append(waiting, models.WaitingMember{GroupID: g.ID, Value: m.Value, ConnectionID: g.ConnectionID, Display: m.Display, CreatedAt: now})
		if !leaving && IsID(m.Value) {
			strangers = append(strangers, m.Value)
		}
	}
	nested, err := tx.GroupAmong(g.ConnectionID, strangers)
	if err == nil && nested != "" {
		err = scim.NestedGroup(nested)
	}
	if err != nil {
		return nil, nil, err
	}
	return people, waiting, nil
}

// Join turns waiting values into memberships, now that there are people for them. It is part of the operation that
// noticed, and returns the operations for the groups it changed.
func Join(tx *store.Tx, connectionID string, arrived []store.Arrived, now time.Time) ([]models.Operation, error) {
	byGroup := map[string][]store.Arrived{}
	var order []string // of group ids, as they are locked
	for _, a := range arrived {
		if byGroup[a.GroupID] == nil {
			order = append(order, a.GroupID)
		}
		byGroup[a.GroupID] = append(byGroup[a.GroupID], a)
	}
	var ops []models.Operation
	for _, id := range order {
		g, err := tx.LockGroup(connectionID, id)
		if isNotFound(err) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		var values, people []string
		person := map[string]string{}
		for _, a := range byGroup[id] {
			values = append(values, a.Value)
			person[a.Value] = a.UserID
		}
		still, err := tx.TakeWaiting(id, values) // a request may have removed some meanwhile
		if err != nil {
			return nil, err
		}
		for _, v := range still {
			people = append(people, person[v])
		}
		g.Version++
		n, err := tx.AddMemberships(g, g.Version, people)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		g.UpdatedAt = now
		if err := tx.SaveGroup(g); err != nil {
			return nil, err
		}
		ops = append(ops, groupOperation(Caller{}, g, now))
	}
	return ops, nil
}

func (d *Directory) explainGroupConflict(ctx context.Context, c Caller, g models.Group, err error) error {
	if !store.Violates(err, store.UniqueGroupName) {
		return err
	}
	w := store.GroupNameIs(g.NameKey)
	if others, lookErr := d.store.Groups(ctx, store.Listing{ConnectionID: c.ConnectionID, Where: &w, Limit: 1}); lookErr == nil && len(others.Rows) > 0 {
		return scim.Uniqueness("displayName %q is already used by another group of this connection (id %s): link to that group, or choose another name", g.DisplayName, others.Rows[0].ID)
	}
	return scim.Uniqueness("displayName %q is already used by another group of this connection", g.DisplayName)
}

func groupOperation(c Caller, g models.Group, now time.Time) models.Operation {
	op := outbox.Operation(models.KindGroupSync, g.WorkspaceID, g.ConnectionID, models.ResourceGroup, g.ID, g.Version, now)
	op.RequestID = c.RequestID
	return op
}

func rename(g *models.Group, name string) { g.DisplayName, g.NameKey = name, scim.Fold(name) }
