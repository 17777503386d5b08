package scim

import "strings"

// predicate turns the filter in brackets of a PATCH path into a test of one value of the attribute, which counts its work.
// What the filter cannot ask is an error, whatever values there are.
func (c *change) predicate(f Filter) (func(*object) bool, error) {
	switch f := f.(type) {
	case And:
		l, r, err := c.both(f.Left, f.Right)
		return func(e *object) bool { return l(e) && r(e) }, err
	case Or:
		l, r, err := c.both(f.Left, f.Right)
		return func(e *object) bool { return l(e) || r(e) }, err
	case Not:
		of, err := c.predicate(f.Of)
		return func(e *object) bool { return !of(e) }, err
	case Present:
		at, err := c.locate(f.Path)
		return func(e *object) bool { *c.work++; return e.vals[at] != nil }, err
	case Compare:
		at, err := c.locate(f.Path)
		if err != nil {
			return nil, err
		}
		if c.attr.sub[at].kind == booleanKind {
			return c.compareBool(f, at)
		}
		return c.compareMaybe(f, at)
	}
	return nil, InvalidFilter("The filter of the path is not supported; use one such as [type eq \"work\"]")
}

func (c *change) both(l, r Filter) (left, right func(*object) bool, err error) {
	if left, err = c.predicate(l); err == nil {
		right, err = c.predicate(r)
	}
	return left, right, err
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
func (c *change) compareBool(f Compare, at int) (func(*object) bool, error) {
	want, ok := lenientTruth(f.Value)
	if !ok && f.Value != nil || f.Op != Eq && f.Op != Ne {
		return nil, InvalidFilter("%s is true or false; compare it by eq or ne with true or false", f.Path)
	}
	return func(e *object) bool {
		*c.work++
		value, _ := e.vals[at].(bool)
		equal := ok && value == want || f.Value == nil && e.vals[at] == nil
		return equal == (f.Op == Eq)
	}, nil
}

// compareMaybe compares a text that may be unassigned: that equals null alone.
func (c *change) compareMaybe(f Compare, at int) (func(*object) bool, error) {
	exact := c.attr.sub[at].caseExact
	want, ok := asText(f.Value)
	if !ok && f.Value != nil {
		return nil, InvalidFilter("%s is a text; compare it with a string in quotes", f.Path)
	}
	if !exact {
		want = FoldCase(want)
	}
	return func(e *object) bool {
		have, assigned := e.vals[at].(string)
		*c.work += effort(have, exact)
		switch {
		case f.Value == nil:
			return assigned != (f.Op == Eq)
		case !assigned:
			return f.Op == Ne
		case *c.work > maxWork:
			return false // it is refused anyway
		case !exact:
			have = FoldCase(have)
		}
		return compareFolded(f.Op, have, want)
	}, nil
}

// effort is the work of comparing a text: that of a short one is 1, and folding makes up for nearly all of it.
func effort(s string, exact bool) int {
	if exact || foldsInASCII(s) {
		return 1 + len(s)/64
	}
	return 1 + 2*len(s)
}

// compareText compares a text that is there. A value that is no text equals none.
func compareText(op Op, have string, want any, exact bool) bool {
	text, ok := asText(want)
	if !ok {
		return op == Ne
	}
	if !exact {
		have, text = FoldCase(have), FoldCase(text)
	}
	return compareFolded(op, have, text)
}

func compareFolded(op Op, have, text string) bool {
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
