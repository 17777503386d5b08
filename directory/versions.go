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

// Known reports whether If-None-Match names the version: whoever reads has it already.
func (p Preconditions) Known(version string) bool { return names(p.NoneMatch, version) }

func names(tags []string, version string) bool {
	return slices.Contains(tags, version) || slices.Contains(tags, "*")
}

func (p Preconditions) none() bool { return len(p.Match) == 0 && len(p.NoneMatch) == 0 }

// Check refuses a request that means another version than there is, 412. A read is never refused for If-None-Match.
func (p Preconditions) Check(resource, version string, reads bool) error {
	switch {
	case len(p.Match) > 0 && !names(p.Match, version):
		return scim.NewError(412, "", "the %s has changed since it was read, and is at version %s now: read it again and repeat the change", resource, scim.ETag(version))
	case !reads && p.Known(version):
		return scim.NewError(412, "", "the %s is at version %s, and If-None-Match asks not to change it at that one: leave that header out, or use If-Match", resource, scim.ETag(version))
	}
	return nil
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
	return c.If.Check("user", scim.Version(u.Version, groupRefs(rows)[u.ID]), false)
}

// checkGroup is checkUser for a group.
func checkGroup(c Caller, g models.Group) error {
	return c.If.Check("group", scim.GroupVersion(g.Version, g.Departures), false)
}

func groupRefs(rows []store.UserGroup) map[string][]scim.GroupRef {
	groups := make(map[string][]scim.GroupRef, len(rows))
	for _, r := range rows {
		groups[r.UserID] = append(groups[r.UserID], scim.GroupRef{Value: r.GroupID, Display: r.DisplayName})
	}
	return groups
}
