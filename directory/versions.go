package directory

import (
	"slices"

	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// Preconditions say which versions of a resource a request may change, as a client read them; "*" is any. Their zero
// value lets every change through.
type Preconditions struct {
	Match     []string // If-Match: one of these, where there are any
	NoneMatch []string // If-None-Match: none of these
}

// Allow reports whether a resource of that version may be changed.
func (p Preconditions) Allow(version string) bool {
	is := func(tags []string) bool { return slices.Contains(tags, version) || slices.Contains(tags, "*") }
	return (len(p.Match) == 0 || is(p.Match)) && !is(p.NoneMatch)
}

func (p Preconditions) none() bool { return len(p.Match) == 0 && len(p.NoneMatch) == 0 }

// check refuses a change of a version that the client does not mean.
func (p Preconditions) check(resource, version string) error {
	if p.Allow(version) {
		return nil
	}
	return scim.NewError(412, "", "the %s has changed since it was read, and is at version %s now: read it again and repeat the change", resource, scim.ETag(version))
}

// checkUser holds a person that the transaction has locked against the caller's preconditions.
func checkUser(tx *store.Tx, c Caller, u models.User) error {
	if c.If.none() {
		return nil
	}
	rows, err := tx.UserGroups(u.ID)
	if err != nil {
		return err
	}
	return c.If.check("user", scim.Version(u.Version, groupRefs(rows)[u.ID]))
}

// checkGroup is checkUser for a group.
func checkGroup(c Caller, g models.Group) error {
	return c.If.check("group", scim.GroupVersion(g.Version, g.Departures))
}

func groupRefs(rows []store.UserGroup) map[string][]scim.GroupRef {
	groups := make(map[string][]scim.GroupRef, len(rows))
	for _, r := range rows {
		groups[r.UserID] = append(groups[r.UserID], scim.GroupRef{Value: r.GroupID, Display: r.DisplayName})
	}
	return groups
}
