package directory

import (
	"context"

	"outpost/scim"
	"outpost/store"
)

// Everything lists people and groups together, as a search at the root of SCIM asks for (RFC 7644 section 3.4.2.1). A
// filter may name what only one of them has; a sort order too.
func (d *Directory) Everything(ctx context.Context, c Caller, q scim.Query) (page store.Page[store.Resource], err error) {
	list, err := listing(c, q)
	if err != nil {
		return page, err
	}
	all := store.Everything{Listing: list, Users: store.Always(true), Groups: store.Always(true)}
	if q.Filter != nil {
		users, err := compile(scim.UserType, q.Filter, scim.ResolveAny)
		if err != nil {
			return page, err
		}
		groups, err := compile(scim.GroupType, q.Filter, scim.ResolveAny)
		if err != nil {
			return page, err
		}
		all.Users, all.Groups = *users, *groups
	}
	var usersErr, groupsErr error
	all.UserOrder, usersErr = orderOf(scim.UserType, q.SortBy, q.Descending)
	all.GroupOrder, groupsErr = orderOf(scim.GroupType, q.SortBy, q.Descending)
	if usersErr != nil && groupsErr != nil {
		return page, usersErr
	}
	all.UserOrder.Descending = q.Descending
	err = d.searched(ctx, c, nil, q.Filter != nil || q.SortBy != "", func(ctx context.Context) (err error) {
		page, err = d.store.Everything(ctx, all)
		return err
	})
	return counted(page, q, err)
}
