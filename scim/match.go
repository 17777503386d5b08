package scim

import "strings"

// matches evaluates the filter in brackets of a PATCH path on one value of the attribute.
func (c *change) matches(f Filter, e *object) (bool, error) {
	switch f := f.(type) {
	case And:
		return c.both(f.Left, f.Right, e, func(l, r bool) bool { return l && r })
	case Or:
		return c.both(f.Left, f.Right, e, func(l, r bool) bool { return l || r })
	case Not:
		ok, err := c.matches(f.Of, e)
		return !ok, err
	case Present:
		at, err := c.locate(f.Path)
		return err == nil && e.vals[at] != nil, err
	case Compare:
		at, err := c.locate(f.Path)
		if err != nil {
			return false, err
		}
		if c.attr.sub[at].kind == booleanKind {
			return compareBool(f, e.vals[at])
		}
		return compareMaybe(f, e.vals[at], c.attr.sub[at].caseExact)
	}
	return false, InvalidFilter("The filter of the path is not supported; use one such as [type eq \"work\"]")
}

// comparisons counts what matches evaluates.
func comparisons(f Filter) int {
	switch f := f.(type) {
	case And:
		return comparisons(f.Left) + comparisons(f.Right)
	case Or:
		return comparisons(f.Left) + comparisons(f.Right)
	case Not:
		return comparisons(f.Of)
	}
	return 1
}

func (c *change) both(l, r Filter, e *object, join func(l, r bool) bool) (bool, error) {
	left, err := c.matches(l, e)
	if err != nil {
		return false, err
	}
	right, err := c.matches(r, e)
	return join(left, right), err
}

func (c *change) locate(p Path) (int, error) {
	if at := find(c.attr.sub, p.Attr); at >= 0 && p.URN == "" && p.Sub == "" {
		return at, nil
	}
	return 0, InvalidFilter("%s has no sub-attribute %q to filter by; use one listed in /Schemas, such as type", c.name, p)
}

// lenientTruth takes a quoted boolean in a filter as one: Entra sends roles[primary eq "True"].
func lenientTruth(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		return strings.EqualFold(v, "true"), strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
	}
	return false, false
}

// compareBool counts an unassigned boolean as false.
func compareBool(f Compare, have any) (bool, error) {
	want, ok := lenientTruth(f.Value)
	if !ok && f.Value != nil || f.Op != Eq && f.Op != Ne {
		return false, InvalidFilter("%s is true or false; compare it by eq or ne with true or false", f.Path)
	}
	value, _ := have.(bool)
	equal := ok && value == want || f.Value == nil && have == nil
	return equal == (f.Op == Eq), nil
}

// compareText compares a text that is there. A value that is no text equals none.
func compareText(op Op, have string, want any, exact bool) bool {
	text, ok := asText(want)
	if !ok {
		return op == Ne
	}
	if !exact {
		have, text = Fold(have), Fold(text)
	}
	switch op {
	case Eq:
		return have == text
	case Ne:
		return have != text
	case Co:
		return strings.Contains(have, text)
	case Sw:
		return strings.HasPrefix(have, text)
	case Ew:
		return strings.HasSuffix(have, text)
	case Gt:
		return have > text
	case Ge:
		return have >= text
	case Lt:
		return have < text
	}
	return have <= text
}

// compareMaybe is compareText for a text that may be unassigned: that equals null alone.
func compareMaybe(f Compare, have any, exact bool) (bool, error) {
	value, assigned := have.(string)
	if f.Value == nil {
		return assigned != (f.Op == Eq), nil
	}
	if _, ok := asText(f.Value); !ok {
		return false, InvalidFilter("%s is a text; compare it with a string in quotes", f.Path)
	}
	if !assigned {
		return f.Op == Ne, nil
	}
	return compareText(f.Op, value, f.Value, exact), nil
}
