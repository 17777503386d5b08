package store

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"

	"outpost/models"
)

// Listing asks for a page of the people or groups of a connection that SCIM shows.
type Listing struct {
	ConnectionID string
	Where        *Where // nil takes all
	Order        Order
	Limit        int // 0 only counts
	Offset       int
	// ByCursor asks for the Mark of the page. After is the id of the row that the page before ended with, and Mark that
	// page's: what comes after it, whatever was added or left meanwhile. "" begins at Offset.
	ByCursor    bool
	After, Mark string
}

// Page is what a listing found.
type Page[T any] struct {
	Rows  []T
	Total int    // rows on all pages; 0 where the listing asked for what comes after a row
	More  bool   // there are more rows after these; unknown where only the count was asked for
	Mark  string // of the last row's place in the order, where there are more and pages go by cursor
}

// ErrAfter says that the row which a listing is to go on after is not there any more, or has another place in the order.
var ErrAfter = &models.Error{Code: models.NotFound, Detail: "the row that the page before ended with is not where it was"}

// place is where a row stands in an order.
type place struct {
	None    bool    // it has no key
	Text    *string // the key as text
	Version int64   // of the row
}

// moved is the mark of a row that changed while its page was read: no place has it, so that the list ends there.
const moved = "moved"

// mark tells a place from others, and tells nothing about whose it is.
func (p place) mark() string {
	if p.Text == nil {
		return "none"
	}
	h := fnv.New64a()
	h.Write([]byte(*p.Text))
	return strconv.FormatUint(h.Sum64(), 36)
}

// placeOf reads the place of a row, by a statement that begins with a WITH or is empty.
func (s *Store) placeOf(ctx context.Context, with, key, of string, args []any) (place, error) {
	var p place
	r := s.r(ctx).Raw(with+"SELECT "+key+" IS NULL AS none, CAST("+key+" AS text) AS text, version"+of, args...).Scan(&p)
	if r.Error == nil && r.RowsAffected == 0 {
		return p, ErrAfter
	}
	return p, translate(r.Error, "the place")
}

// markOf is the mark of a row that a page ended with, as it was read at that version.
func (s *Store) markOf(ctx context.Context, with, key, of string, args []any, version int64) (string, error) {
	p, err := s.placeOf(ctx, with, key, of, args)
	switch {
	case errors.Is(err, ErrAfter) || err == nil && p.Version != version:
		return moved, nil
	case err != nil:
		return "", err
	}
	return p.mark(), nil
}

// resume finds the row to go on after, which has to be where it was.
func (s *Store) resume(ctx context.Context, with, key, of string, args []any, mark string) (place, error) {
	if key == "" { // ids do not move
		return place{}, nil
	}
	p, err := s.placeOf(ctx, with, key, of, args)
	if err == nil && p.mark() != mark {
		err = ErrAfter
	}
	return p, err
}

// living is the condition for the rows of a connection that SCIM shows, narrowed by w.
func (s *Store) living(table, connectionID string, w *Where) (string, []any) {
	in := scope{table, connectionID}
	sql, args := in.living()
	if w != nil {
		more, moreArgs := w.make(s.dialect, in)
		sql, args = sql+" AND "+more, append(args, moreArgs...)
	}
	return sql, args
}

// sorted is the ORDER BY of rows with a key, "" for none; id ends it, so that it is total.
func sorted(key string, descending bool) string {
	switch {
	case key == "":
		return " ORDER BY id"
	case descending:
		return " ORDER BY " + key + " IS NULL DESC, " + key + " DESC, id"
	}
	return " ORDER BY " + key + " IS NULL, " + key + ", id"
}

// after is the condition for rows that come after the one with the id in that order. ofRow is a subquery for that row's
// key, which is NULL if none says so.
func after(key string, descending bool, id, ofRow string, args []any, none bool) (string, []any) {
	switch {
	case key == "":
		return "id > ?", []any{id}
	case none && descending:
		return "(" + key + " IS NOT NULL OR id > ?)", []any{id}
	case none:
		return "(" + key + " IS NULL AND id > ?)", []any{id}
	}
	by, rest := " > ", " OR "+key+" IS NULL"
	if descending {
		by, rest = " < ", ""
	}
	all := append([]any{}, args...)
	all = append(append(all, args...), id)
	return "(" + key + by + ofRow + " OR (" + key + " = " + ofRow + " AND id > ?)" + rest + ")", all
}

// page reads one page of a table, and counts the whole if the page does not show it.
func page[T any](ctx context.Context, s *Store, table string, q Listing) (Page[T], error) {
	var p Page[T]
	key := q.Order.key(s.dialect)
	sql, args := s.living(table, q.ConnectionID, q.Where)
	if q.Limit > 0 {
		from, more := "SELECT * FROM "+table+" WHERE "+sql, append([]any{}, args...)
		if q.After != "" {
			next, nextArgs, err := s.afterRow(ctx, table, key, q)
			if err != nil {
				return p, err
			}
			from, more = from+" AND "+next, append(more, nextArgs...)
		}
		if q.Where != nil && q.Where.few {
			// Left alone, the planner walks the list in its order until it has met the few: all of it.
			from = "WITH found AS MATERIALIZED (" + from + ") SELECT * FROM found AS " + table
		}
		err := s.r(ctx).Raw(from+sorted(key, q.Order.Descending)+" LIMIT ? OFFSET ?", append(more, q.Limit+1, q.Offset)...).Scan(&p.Rows).Error
		if err != nil {
			return p, translate(err, table)
		}
		if p.More = len(p.Rows) > q.Limit; p.More {
			p.Rows = p.Rows[:q.Limit]
		}
		if p.More && q.ByCursor && key != "" {
			id, version := idOf(p.Rows[q.Limit-1])
			if p.Mark, err = s.markOf(ctx, "", key, ofRow(table), []any{id, q.ConnectionID}, version); err != nil {
				return p, err
			}
		}
		if n := len(p.Rows); q.After != "" || !p.More && (n > 0 || q.Offset == 0) {
			p.Total = q.Offset + n
			return p, nil
		}
	}
	err := s.r(ctx).Raw("SELECT count(*) FROM "+table+" WHERE "+sql, args...).Scan(&p.Total).Error
	return p, translate(err, table)
}

// afterRow is the condition for the rows that come after the one where the page before ended.
func (s *Store) afterRow(ctx context.Context, table, key string, q Listing) (string, []any, error) {
	args := []any{q.After, q.ConnectionID}
	at, err := s.resume(ctx, "", key, ofRow(table), args, q.Mark)
	if err != nil {
		return "", nil, err
	}
	sql, args := after(key, q.Order.Descending, q.After, "(SELECT "+key+ofRow(table)+")", args, at.None)
	return sql, args, nil
}

func ofRow(table string) string { return " FROM " + table + " WHERE id = ? AND connection_id = ?" }

// idOf is the id and the version of a person or a group.
func idOf(row any) (id string, version int64) {
	switch r := row.(type) {
	case models.User:
		return r.ID, r.Version
	case models.Group:
		return r.ID, r.Version
	}
	return "", 0
}

// byID reads rows of a connection that SCIM shows by their ids, in the order of those.
func byID[T any](ctx context.Context, s *Store, table, connectionID string, ids []string) ([]T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []T
	living, args := scope{table, connectionID}.living()
	err := s.r(ctx).Raw("SELECT * FROM "+table+" WHERE "+living+" AND id "+s.dialect.in+" ORDER BY id", append(args, s.dialect.list(ids))...).Scan(&rows).Error
	return rows, translate(err, table)
}

// Resource is a person or a group: one of the two is there.
type Resource struct {
	User  *models.User
	Group *models.Group
}

func (r Resource) id() (id string, version int64) {
	if r.User != nil {
		return idOf(*r.User)
	}
	return idOf(*r.Group)
}

// Everything asks for a page of the people and groups of a connection together.
type Everything struct {
	Listing             // but for Where and Order
	Users, Groups Where // Always(true) takes all
	// UserOrder and GroupOrder are by one attribute, which has a value of the same type in both or is missing in one.
	UserOrder, GroupOrder Order
}

// Everything lists living people and groups of a connection in one list.
func (s *Store) Everything(ctx context.Context, q Everything) (Page[Resource], error) {
	var p Page[Resource]
	userKey, groupKey := q.UserOrder.key(s.dialect), q.GroupOrder.key(s.dialect)
	descending, key := q.UserOrder.Descending, ""
	if userKey != "" || groupKey != "" {
		key = "sorted_by"
	}
	part := func(kind, table, key string, w Where) (string, []any) {
		if key == "" {
			key = "NULL"
		}
		sql, args := s.living(table, q.ConnectionID, &w)
		return "SELECT '" + kind + "' AS kind, id, version, " + key + " AS sorted_by FROM " + table + " WHERE " + sql, args
	}
	users, args := part("user", "directory_users", userKey, q.Users)
	groups, more := part("group", "directory_groups", groupKey, q.Groups)
	args = append(args, more...)
	found := "WITH found AS (" + users + " UNION ALL " + groups + ") "
	if q.Limit > 0 {
		where, all := "", append([]any{}, args...)
		if q.After != "" {
			at, err := s.resume(ctx, found, key, ofFound, append(append([]any{}, args...), q.After), q.Mark)
			if err != nil {
				return p, err
			}
			sql, nextArgs := after(key, descending, q.After, "(SELECT sorted_by"+ofFound+")", []any{q.After}, at.None)
			where, all = "WHERE "+sql, append(all, nextArgs...)
		}
		var rows []struct{ Kind, ID string }
		err := s.r(ctx).Raw(found+"SELECT kind, id FROM found "+where+sorted(key, descending)+" LIMIT ? OFFSET ?", append(all, q.Limit+1, q.Offset)...).Scan(&rows).Error
		if err != nil {
			return p, translate(err, "resources")
		}
		if p.More = len(rows) > q.Limit; p.More {
			rows = rows[:q.Limit]
		}
		ids := map[string][]string{}
		for _, r := range rows {
			ids[r.Kind] = append(ids[r.Kind], r.ID)
		}
		people, err := byID[models.User](ctx, s, "directory_users", q.ConnectionID, ids["user"])
		if err != nil {
			return p, err
		}
		teams, err := byID[models.Group](ctx, s, "directory_groups", q.ConnectionID, ids["group"])
		if err != nil {
			return p, err
		}
		p.Rows = inOrder(len(rows), func(i int) string { return rows[i].ID }, people, teams)
		if n := len(p.Rows); p.More && q.ByCursor && key != "" && n > 0 {
			id, version := p.Rows[n-1].id()
			if p.Mark, err = s.markOf(ctx, found, key, ofFound, append(append([]any{}, args...), id), version); err != nil {
				return p, err
			}
		}
		if n := len(rows); q.After != "" || !p.More && (n > 0 || q.Offset == 0) {
			p.Total = q.Offset + n
			return p, nil
		}
	}
	err := s.r(ctx).Raw(found+"SELECT count(*) FROM found", args...).Scan(&p.Total).Error
	return p, translate(err, "resources")
}

const ofFound = " FROM found WHERE id = ?"

// inOrder puts people and groups into the order of n ids; one that has gone meanwhile is left out.
func inOrder(n int, id func(i int) string, users []models.User, groups []models.Group) []Resource {
	byID := make(map[string]Resource, n)
	for i := range users {
		byID[users[i].ID] = Resource{User: &users[i]}
	}
	for i := range groups {
		byID[groups[i].ID] = Resource{Group: &groups[i]}
	}
	rows := make([]Resource, 0, n)
	for i := range n {
		if r, ok := byID[id(i)]; ok {
			rows = append(rows, r)
		}
	}
	return rows
}
