package api

import (
	"net/http"

	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// listed is what a list says about itself.
func listed[T any](q scim.Query, page store.Page[T], id func(T) string) scim.List {
	l := scim.List{Total: page.Total, StartIndex: q.Page.StartIndex}
	if q.ByCursor {
		l.StartIndex = 0
		if n := len(page.Rows); page.More && n > 0 {
			l.NextCursor = q.Next(id(page.Rows[n-1]), page.Mark, page.Total)
		}
	}
	return l
}

// searching reads a SearchRequest in the place of a query, and lets list answer it (RFC 7644 section 3.4.3).
func (s *server) searching(list handler) handler {
	return func(r *request) error {
		r.caller.Method = models.MethodSearch
		search, err := decode(r, scim.DecodeSearch)
		if err != nil {
			return err
		}
		r.search = *search
		return list(r)
	}
}

// searchByPost answers a GET of a search, which would be taken for the resource of that id.
func searchByPost(r *request) error {
	r.Writer.Header()["Allow"] = []string{http.MethodPost}
	return noMethod(r)
}

// listEverything lists people and groups together: a query or a search at the root.
func (s *server) listEverything(r *request) error {
	q, err := r.list()
	if err != nil {
		return err
	}
	page, err := s.directory.Everything(r.ctx, r.caller, q)
	if err != nil {
		return err
	}
	var users []models.User
	var groups []models.Group
	for _, row := range page.Rows {
		if row.User != nil {
			users = append(users, *row.User)
		} else {
			groups = append(groups, *row.Group)
		}
	}
	p := r.search.Projection()
	groupsOf, err := s.groupsShown(r, p, users...)
	if err != nil {
		return err
	}
	members, err := s.membersOf(r, p, groups...)
	if err != nil {
		return err
	}
	id := func(row store.Resource) string {
		if row.User != nil {
			return row.User.ID
		}
		return row.Group.ID
	}
	r.renderList(listed(q, page, id), len(page.Rows), func(dst []byte, i int) []byte {
		if u := page.Rows[i].User; u != nil {
			return s.appendUser(dst, r, u, groupsOf, p)
		}
		return s.appendGroup(dst, r, page.Rows[i].Group, members, p)
	})
	return nil
}
