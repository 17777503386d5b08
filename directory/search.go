package directory

import (
	"context"
	"errors"

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

// listingOf is the page of resources of one type that a query asks for.
func listingOf(t scim.Type, c Caller, q scim.Query) (store.Listing, error) {
	w, err := compile(t, q.Filter, scim.Resolve)
	if err != nil {
		return store.Listing{}, err
	}
	order, err := orderOf(t, q.SortBy, q.Descending)
	if err != nil {
		return store.Listing{}, err
	}
	list, err := listing(c, q)
	list.Where, list.Order = w, order
	return list, err
}

// listing is the page that a query asks for.
func listing(c Caller, q scim.Query) (store.Listing, error) {
	if q.After != "" && !IsID(q.After) {
		return store.Listing{}, scim.InvalidCursor()
	}
	return store.Listing{ConnectionID: c.ConnectionID, Limit: q.Page.Count, Offset: q.Page.StartIndex - 1, ByCursor: q.ByCursor, After: q.After, Mark: q.Mark}, nil
}

// counted puts in the total that a cursor has brought.
func counted[T any](page store.Page[T], q scim.Query, err error) (store.Page[T], error) {
	if q.After != "" {
		page.Total = q.Total
	}
	if errors.Is(err, store.ErrAfter) {
		err = scim.ExpiredCursor()
	}
	return page, err
}
