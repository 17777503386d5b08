package scim

import "strings"

// object is the assigned attributes of one complex value. vals runs parallel to attrs and
// holds nil (unassigned), string, bool, *object (complex) or []*object (multi-valued).
type object struct {
	attrs []attribute
	vals  []any
}

func newObject(attrs []attribute) *object {
	return &object{attrs: attrs, vals: make([]any, len(attrs))}
}

func (o *object) empty() bool {
	for _, v := range o.vals {
		if v != nil {
			return false
		}
	}
	return true
}

func (o *object) clone() *object {
	c := newObject(o.attrs)
	for i, v := range o.vals {
		switch v := v.(type) {
		case *object:
			c.vals[i] = v.clone()
		case []*object:
			list := make([]*object, len(v))
			for j, e := range v {
				list[j] = e.clone()
			}
			c.vals[i] = list
		default:
			c.vals[i] = v
		}
	}
	return c
}

// text returns a string attribute, "" where it is unassigned or there is no object.
func (o *object) text(name string) string {
	if o == nil {
		return ""
	}
	if i := find(o.attrs, name); i >= 0 {
		s, _ := o.vals[i].(string)
		return s
	}
	return ""
}

func (o *object) child(name string) *object {
	c, _ := o.vals[find(o.attrs, name)].(*object)
	return c
}

func (o *object) list(name string) []*object {
	l, _ := o.vals[find(o.attrs, name)].([]*object)
	return l
}

func (o *object) set(name string, v any) { o.vals[find(o.attrs, name)] = v }

func (o *object) primary() bool {
	i := find(o.attrs, "primary")
	return i >= 0 && o.vals[i] == true
}

// significant tells whether an element says more than its label: `{"type":"work"}` is what
// remains of an address that Entra cleared, and no value.
func (o *object) significant() bool {
	for i, v := range o.vals {
		if v != nil && o.attrs[i].name != "type" && o.attrs[i].name != "primary" {
			return true
		}
	}
	return false
}

// covers tells whether o has every value that e has; strings compare exactly, the type
// label without regard to case.
func (o *object) covers(e *object) bool {
	for i, v := range e.vals {
		if v == nil || o.vals[i] == v {
			continue
		}
		mine, ok := o.vals[i].(string)
		if theirs, _ := v.(string); !ok || o.attrs[i].name != "type" || !strings.EqualFold(mine, theirs) {
			return false
		}
	}
	return true
}

// onePrimary leaves at most one element primary (RFC 7643 section 2.4): the one at keep, or
// the first where keep is -1. The others are flipped to false.
func onePrimary(list []*object, keep int) {
	for i, e := range list {
		if !e.primary() {
			continue
		}
		if keep < 0 {
			keep = i
		}
		if i != keep {
			e.set("primary", false)
		}
	}
}

// append appends the object as JSON, with the sub-attributes that wants selects (nil: all);
// one of which nothing is wanted stays out. With open it leaves out the braces and begins
// with a comma, for a caller that has begun.
func (o *object) append(dst []byte, open bool, prefix string, wants func(string) bool) []byte {
	if !open {
		dst = append(dst, '{')
	}
	first := len(dst)
	for i, v := range o.vals {
		if v == nil {
			continue
		}
		name, inner := o.attrs[i].name, ""
		if wants != nil {
			if !wants(prefix + name) {
				continue
			}
			inner = prefix + name + "."
		}
		undo := len(dst)
		if open || undo > first {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, name...)
		dst = append(dst, '"', ':')
		start := len(dst)
		switch v := v.(type) {
		case string:
			dst = appendString(dst, v)
		case bool:
			dst = appendBool(dst, v)
		case *object:
			dst = v.append(dst, false, inner, wants)
		case []*object:
			dst = appendElements(dst, v, inner, wants)
		}
		if end := string(dst[start:]); end == "{}" || end == "[]" {
			dst = dst[:undo]
		}
	}
	if !open {
		dst = append(dst, '}')
	}
	return dst
}

func appendElements(dst []byte, list []*object, prefix string, wants func(string) bool) []byte {
	dst = append(dst, '[')
	first := len(dst)
	for _, e := range list {
		undo := len(dst)
		if undo > first {
			dst = append(dst, ',')
		}
		start := len(dst)
		if dst = e.append(dst, false, prefix, wants); string(dst[start:]) == "{}" {
			dst = dst[:undo]
		}
	}
	return append(dst, ']')
}

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}
