package directory

import (
	"fmt"

	"outpost/scim"
	"outpost/store"
)

// compile turns a filter on resources of a type into a condition of the store, nil for none. What cannot be asked is an
// invalidFilter error: never an unfiltered list.
func compile(t scim.Type, f scim.Filter, resolve func(scim.Type, scim.Filter) (scim.Filter, error)) (*store.Where, error) {
	if f == nil {
		return nil, nil
	}
	condition, err := resolve(t, f)
	if err != nil {
		return nil, err
	}
	w := rows(t).where(condition)
	return &w, nil
}

// rows are the rows of a type of resource.
type rows scim.Type

// where turns a resolved condition into one of the store.
func (r rows) where(f scim.Filter) store.Where {
	switch f := f.(type) {
	case scim.And:
		return store.All(r.where(f.Left), r.where(f.Right))
	case scim.Or:
		return store.Any(r.where(f.Left), r.where(f.Right))
	case scim.Not:
		return store.Not(r.where(f.Of))
	case scim.Always:
		return store.Always(bool(f))
	case scim.Has:
		return r.has(f.Attr)
	case scim.Test:
		if w, ok := r.indexed(f); ok {
			return w
		}
		if l := r.list(f.Attr); l != nil && f.Op == scim.Eq && f.Sub == "value" {
			if !IsID(f.Text) {
				return store.Always(false)
			}
			return l.Is(f.Text)
		}
		return compare(r.field(f.Attr), f)
	case scim.Some:
		return r.some(f)
	}
	panic(fmt.Sprintf("directory: %T is not a resolved condition", f))
}

func (r rows) has(a scim.Attr) store.Where {
	if a.List && a.Sub == "" && r.list(a) != nil {
		return r.list(a).Filled()
	}
	if a.List && a.Sub != "" { // a part of the element that is looked at
		return store.Present(r.elements(a).Text(true, a.Sub))
	}
	return store.Present(r.field(a))
}

// indexed is a comparison that an index answers.
func (r rows) indexed(t scim.Test) (store.Where, bool) {
	if t.Op != scim.Eq || t.URN != "" || t.Sub != "" {
		return store.Where{}, false
	}
	switch t.Name {
	case "id":
		if !IsID(t.Text) {
			return store.Always(false), true
		}
		return store.IDIs(t.Text), true
	case "userName":
		return store.UserNameIs(t.Text), true
	case "externalId":
		return store.ExternalIDIs(t.Text), t.Text != ""
	case "displayName":
		return store.GroupNameIs(t.Text), scim.Type(r) == scim.GroupType
	}
	return store.Where{}, false
}

// some looks for an element of a list. An index narrows the rows first where the element's value is asked for.
func (r rows) some(s scim.Some) store.Where {
	w := r.elements(s.Attr).Some(r.where(s.Of))
	value, ok := valueOf(s.Of)
	if !ok || s.URN != "" {
		return w
	}
	_, alone := s.Of.(scim.Test)
	switch {
	case s.Name == "emails" && scim.Fold(value) != "": // one of spaces alone is in no index
		return store.All(store.MayHaveEmail(scim.Fold(value)), w)
	case r.list(s.Attr) == nil:
		return w
	case !IsID(value):
		return store.Always(false)
	case alone && s.Name == "groups":
		return store.InGroup(value)
	case alone:
		return store.HasMember(value)
	case s.Name == "members":
		return store.All(store.HasMember(value), w)
	}
	return w
}

// valueOf is the value that an element must have to meet a condition, where there is only one.
func valueOf(f scim.Filter) (string, bool) {
	switch f := f.(type) {
	case scim.Test:
		return f.Text, f.Op == scim.Eq && f.Sub == "value"
	case scim.And:
		if v, ok := valueOf(f.Left); ok {
			return v, true
		}
		return valueOf(f.Right)
	}
	return "", false
}

// list is a list of rows of their own, nil for one within the resource.
func (r rows) list(a scim.Attr) *store.List {
	switch {
	case scim.Type(r) == scim.GroupType && a.Name == "members":
		return &store.MembersOfGroup
	case scim.Type(r) == scim.UserType && a.URN == "" && a.Name == "groups":
		return &store.GroupsOfUser
	}
	return nil
}

func (r rows) elements(a scim.Attr) store.List {
	if l := r.list(a); l != nil {
		return *l
	}
	return store.ListOf(a.Name)
}

// field is where the values of an attribute are.
func (r rows) field(a scim.Attr) store.Field {
	switch {
	case a.List && a.Sub == "":
		return store.Part(a.Name)
	case a.List && a.Kind == scim.Truth:
		return r.elements(a).Truth(a.Sub)
	case a.List:
		return r.elements(a).Text(a.Exact, a.Sub)
	case a.URN == "":
		if f, ok := r.column(a); ok {
			return f
		}
	}
	path := make([]string, 0, 3)
	for _, name := range [...]string{a.URN, a.Name, a.Sub} {
		if name != "" {
			path = append(path, name)
		}
	}
	if a.Kind == scim.Whole {
		return store.Part(path...)
	}
	return store.Text(a.Exact, path...)
}

// column is the column of an attribute of the core schema that has one.
func (r rows) column(a scim.Attr) (store.Field, bool) {
	switch a.Name {
	case "id":
		return store.ID, true
	case "userName":
		return store.UserName, true
	case "externalId":
		return store.ExternalID, true
	case "active":
		return store.Active, true
	case "displayName":
		return store.GroupName, scim.Type(r) == scim.GroupType
	case "meta":
		if a.Sub == "created" {
			return store.Created, true
		}
		return store.LastModified, true
	}
	return store.Field{}, false
}

var comparisons = map[scim.Op]string{scim.Eq: store.Equal, scim.Gt: store.Greater, scim.Ge: store.GreaterEqual, scim.Lt: store.Less, scim.Le: store.LessEqual}

func compare(f store.Field, t scim.Test) store.Where {
	switch {
	case t.Kind == scim.Truth && t.True:
		return store.True(f)
	case t.Kind == scim.Truth:
		return store.Not(store.True(f))
	case t.Kind == scim.Moment:
		return store.Compare(f, comparisons[t.Op], t.Time)
	case t.Op == scim.Co:
		return store.Contains(f, t.Text)
	case t.Op == scim.Sw:
		return store.StartsWith(f, t.Text)
	case t.Op == scim.Ew:
		return store.EndsWith(f, t.Text)
	}
	return store.Compare(f, comparisons[t.Op], t.Text)
}

// orderOf is how a list of a type is sorted; the empty name is the order in which the resources were made.
func orderOf(t scim.Type, by string, descending bool) (store.Order, error) {
	if by == "" {
		return store.Order{}, nil
	}
	a, err := scim.OrderBy(t, by)
	if err != nil {
		return store.Order{}, err
	}
	return store.Order{By: rows(t).field(a), Descending: descending}, nil
}
