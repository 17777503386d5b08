package directory

import (
	"strings"

	"outpost/scim"
	"outpost/store"
)

// userWhere turns a filter on Users into a condition of the store. What the store has no index or column for is an
// invalidFilter error: never an unfiltered list.
func userWhere(f scim.Filter) (*store.Where, error) { return compile(f, userCompare, userValuePath) }

// groupWhere is userWhere for Groups.
func groupWhere(f scim.Filter) (*store.Where, error) {
	return compile(f, groupCompare, func(v scim.ValuePath) (store.Where, error) {
		if v.Sub == "" && v.Path.Is("members") {
			if c, ok := v.Of.(scim.Compare); ok && c.Path.Is("value") && c.Op == scim.Eq {
				return member(c)
			}
		}
		return store.Where{}, unsupported("Groups", v.Path.String()+"[…]", groupFilters)
	})
}

const (
	userFilters  = `userName, externalId, id, active, displayName, emails.value and emails[type eq "work"].value`
	groupFilters = "displayName, externalId, id and members.value"
)

func compile(f scim.Filter, compare func(scim.Compare) (store.Where, error), valuePath func(scim.ValuePath) (store.Where, error)) (*store.Where, error) {
	if f == nil {
		return nil, nil
	}
	var walk func(scim.Filter) (store.Where, error)
	walk = func(f scim.Filter) (store.Where, error) {
		switch f := f.(type) {
		case scim.And:
			left, err := walk(f.Left)
			if err != nil {
				return store.Where{}, err
			}
			right, err := walk(f.Right)
			return store.All(left, right), err
		case scim.Compare:
			return compare(f)
		case scim.ValuePath:
			return valuePath(f)
		default:
			return store.Where{}, scim.InvalidFilter("filters with or, not and pr are not supported here: use eq, and combine several with and")
		}
	}
	w, err := walk(f)
	return &w, err
}

func userCompare(c scim.Compare) (store.Where, error) {
	if c.Op != scim.Eq {
		return store.Where{}, scim.InvalidFilter("the operator %s is not supported for %s: use eq", c.Op, c.Path)
	}
	if c.Path.Is("active") {
		b, ok := c.Value.(bool)
		if !ok {
			if s, isText := c.Value.(string); isText && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false")) {
				return store.ActiveIs(strings.EqualFold(s, "true")), nil // Entra quotes its booleans
			}
			return store.Where{}, scim.InvalidFilter("active is compared with true or false")
		}
		return store.ActiveIs(b), nil
	}
	s, err := text(c)
	if err != nil {
		return store.Where{}, err
	}
	switch {
	case c.Path.Is("userName"):
		return store.UserNameIs(scim.Fold(s)), nil
	case c.Path.Is("externalId"):
		return store.ExternalIDIs(s), nil
	case c.Path.Is("id"):
		return id(s), nil
	case c.Path.Is("emails"), c.Path.Is("emails.value"):
		return store.EmailIs(scim.Fold(s), ""), nil
	case c.Path.Is("displayName"):
		return store.DisplayNameIs(s), nil
	}
	return store.Where{}, unsupported("Users", c.Path.String(), userFilters)
}

// userValuePath knows emails[type eq "work"].value eq "x" (Entra's look-up) and emails[type eq "work" and value eq "x"].
func userValuePath(v scim.ValuePath) (store.Where, error) {
	if v.Path.Is("emails") {
		var kind, value string
		var haveKind, haveValue bool
		ok := true
		var walk func(scim.Filter)
		walk = func(f scim.Filter) {
			switch f := f.(type) {
			case scim.And:
				walk(f.Left)
				walk(f.Right)
			case scim.Compare:
				s, isText := f.Value.(string)
				switch {
				case !isText || f.Op != scim.Eq:
					ok = false
				case f.Path.Is("type") && !haveKind:
					kind, haveKind = s, true
				case f.Path.Is("value") && !haveValue:
					value, haveValue = s, true
				default:
					ok = false
				}
			default:
				ok = false
			}
		}
		walk(v.Of)
		if v.Sub != "" {
			s, isText := v.Value.(string)
			if ok = ok && strings.EqualFold(v.Sub, "value") && v.Op == scim.Eq && isText && !haveValue; ok {
				value, haveValue = s, true
			}
		}
		if ok && haveValue {
			return store.EmailIs(scim.Fold(value), kind), nil
		}
	}
	return store.Where{}, unsupported("Users", v.Path.String()+"[…]", userFilters)
}

func groupCompare(c scim.Compare) (store.Where, error) {
	if c.Op != scim.Eq {
		return store.Where{}, scim.InvalidFilter("the operator %s is not supported for %s: use eq", c.Op, c.Path)
	}
	s, err := text(c)
	if err != nil {
		return store.Where{}, err
	}
	switch {
	case c.Path.Is("displayName"):
		return store.GroupNameIs(scim.Fold(s)), nil
	case c.Path.Is("externalId"):
		return store.ExternalIDIs(s), nil
	case c.Path.Is("id"):
		return id(s), nil
	case c.Path.Is("members"), c.Path.Is("members.value"):
		return member(c)
	}
	return store.Where{}, unsupported("Groups", c.Path.String(), groupFilters)
}

func member(c scim.Compare) (store.Where, error) {
	s, err := text(c)
	if err != nil || !IsID(s) {
		return store.Nothing(), err
	}
	return store.HasMember(s), nil
}

func id(s string) store.Where {
	if !IsID(s) {
		return store.Nothing()
	}
	return store.IDIs(s)
}

func text(c scim.Compare) (string, error) {
	s, ok := c.Value.(string)
	if !ok {
		return "", scim.InvalidFilter(`%s is compared with a text in double quotes, as in %s eq "…"`, c.Path, c.Path)
	}
	return s, nil
}

func unsupported(where, what, supported string) error {
	return scim.InvalidFilter("filtering %s by %s is not supported: use %s", where, what, supported)
}
