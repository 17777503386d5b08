package directory_test

import (
	"slices"
	"strings"
	"time"
)

// refFilter is a filter: and, or, not, pr, a comparison of path with value, or "[]": a value path, whose of is left, and
// which with a path.sub also compares that by sub, an operator.
type refFilter struct {
	op          string
	left, right *refFilter
	path        refPath
	sub         string
	value       any
}

func (f *refFilter) String() string {
	side := func(c *refFilter) string {
		if c.op == "and" || c.op == "or" {
			return "(" + c.String() + ")"
		}
		return c.String()
	}
	compare := func(left, op string) string {
		if op == "pr" {
			return left + " pr"
		}
		return left + " " + op + " " + refJSON(f.value)
	}
	switch f.op {
	case "and", "or":
		return side(f.left) + " " + f.op + " " + side(f.right)
	case "not":
		return "not (" + f.left.String() + ")"
	case "[]":
		s := refPath{urn: f.path.urn, attr: f.path.attr}.String() + "[" + f.left.String() + "]"
		if f.path.sub == "" {
			return s
		}
		return compare(s+"."+f.path.sub, f.sub)
	}
	return compare(f.path.String(), f.op)
}

// refType is a kind of resource.
type refType struct {
	urn   string
	attrs refAttrs
	other *refType // searched together with it, where a filter may name what only one of them has
}

// at is an attribute of a resource that a filter names.
type refAt struct {
	attr   refAttr // of the values to compare
	whole  refAttr
	absent bool // of the other type
	values []any
	list   bool
	there  bool // the whole attribute has a value
}

func refuseFilter() { panic(refRefused("invalidFilter")) }

// find looks an attribute up: its values in the resource, as shown; in a list nil for an element without the part.
func (t refType) find(p refPath, resource map[string]any) refAt {
	table, holder := t.attrs, resource
	switch {
	case p.urn == "" || strings.EqualFold(p.urn, t.urn):
	case strings.EqualFold(p.urn, enterprise) && t.urn == coreUser:
		table = refEnterprise
		holder, _ = resource[enterprise].(map[string]any)
	default:
		return t.unknown(p)
	}
	name, a, ok := table.find(p.attr)
	if !ok || name == "password" {
		return t.unknown(p)
	}
	if name == "schemas" {
		if p.sub != "" {
			return t.unknown(p)
		}
		list, _ := holder[name].([]any)
		return refAt{attr: refAttr{}, values: list, list: true, there: true}
	}
	at := refAt{attr: a, whole: a, list: a.kind == refList, there: holder[name] != nil && !refUnassigned(holder[name])}
	if p.sub == "" {
		if at.values = []any{holder[name]}; at.list {
			at.values, _ = holder[name].([]any)
		}
		return at
	}
	sub, part, ok := a.sub.find(p.sub)
	if a.kind == refComplex && name == "meta" && (strings.EqualFold(p.sub, "location") || strings.EqualFold(p.sub, "version")) || strings.EqualFold(p.sub, "$ref") && (name == "groups" || name == "members") {
		refuseFilter()
	}
	if !ok {
		return t.unknown(p)
	}
	at.attr = part
	if !at.list {
		o, _ := holder[name].(map[string]any)
		at.values = []any{o[sub]}
		return at
	}
	list, _ := holder[name].([]any)
	for _, e := range list {
		at.values = append(at.values, part.of(e, sub))
	}
	return at
}

// of is the part of an element.
func (a refAttr) of(element any, sub string) any {
	if a.fixed != "" {
		return a.fixed
	}
	return element.(map[string]any)[sub]
}

func (t refType) unknown(p refPath) refAt {
	if t.other == nil {
		refuseFilter()
	}
	alone := *t.other
	alone.other = nil
	at := alone.find(p, map[string]any{})
	at.absent, at.values = true, nil
	return at
}

// meets evaluates a filter on a resource as SCIM shows it.
func (t refType) meets(f *refFilter, resource map[string]any) bool {
	switch f.op {
	case "and":
		l, r := t.meets(f.left, resource), t.meets(f.right, resource)
		return l && r
	case "or":
		l, r := t.meets(f.left, resource), t.meets(f.right, resource)
		return l || r
	case "not":
		return !t.meets(f.left, resource)
	case "[]":
		return t.some(f, resource)
	}
	at := t.find(f.path, resource)
	value := at.attr.kind != refComplex && at.attr.kind != refList
	if f.op == "pr" || f.value == nil {
		if f.op != "pr" && f.op != "eq" && f.op != "ne" {
			refuseFilter()
		}
		present := slices.ContainsFunc(at.values, func(v any) bool { return v != nil && !refUnassigned(v) })
		if !value {
			present = at.there
		}
		if at.absent {
			present = false
		}
		return present == (f.op != "eq")
	}
	if !value { // a list stands for its values
		part, ok := at.attr.sub["value"]
		if !ok {
			refuseFilter()
		}
		at.values = slices.Clone(at.values)
		for i, e := range at.values {
			if at.list {
				at.values[i] = part.of(e, "value")
			} else {
				o, _ := e.(map[string]any)
				at.values[i] = o["value"]
			}
		}
		at.attr = part
	}
	compare := func(have any) bool { return at.attr.meets(f.op, have, f.value) }
	compare(nil) // what cannot be asked is refused whatever there is
	if at.absent || at.list && len(at.values) == 0 {
		return f.op == "ne"
	}
	return slices.ContainsFunc(at.values, compare)
}

// some is a value path.
func (t refType) some(f *refFilter, resource map[string]any) bool {
	at := t.find(refPath{urn: f.path.urn, attr: f.path.attr}, resource)
	if at.absent {
		return false // whatever is asked of it
	}
	if !at.list || at.whole.sub == nil {
		refuseFilter()
	}
	inner := f.left
	if f.path.sub != "" {
		inner = &refFilter{op: "and", left: f.left, right: &refFilter{op: f.sub, path: refPath{attr: f.path.sub}, value: f.value}}
	}
	at.whole.element(inner, map[string]any{})
	return slices.ContainsFunc(at.values, func(e any) bool { return at.whole.element(inner, e.(map[string]any)) })
}

// element evaluates a filter on one element of a list.
func (a refAttr) element(f *refFilter, e map[string]any) bool {
	switch f.op {
	case "and":
		l, r := a.element(f.left, e), a.element(f.right, e)
		return l && r
	case "or":
		l, r := a.element(f.left, e), a.element(f.right, e)
		return l || r
	case "not":
		return !a.element(f.left, e)
	}
	name, part, ok := a.sub.find(f.path.attr)
	if !ok || f.path.urn != "" || f.path.sub != "" {
		refuseFilter()
	}
	have := part.of(e, name)
	switch {
	case f.op == "pr":
		return have != nil
	case f.value == nil && f.op != "eq" && f.op != "ne":
		refuseFilter()
	}
	return part.meets(f.op, have, f.value)
}

// meets compares one value, nil where there is none.
func (a refAttr) meets(op string, have, want any) bool {
	if a.kind != refMoment || want == nil {
		if (op == "co" || op == "sw" || op == "ew") && a.kind == refText {
			if _, ok := want.(string); !ok {
				refuseFilter()
			}
		}
		return a.compares(op, have, want)
	}
	text, _ := want.(string)
	when, ok := refTime(text)
	if !ok || op == "co" || op == "sw" || op == "ew" {
		refuseFilter()
	}
	shown, _ := have.(string)
	is, ok := refTime(shown)
	if !ok {
		return op == "ne"
	}
	c := is.Compare(when)
	return map[string]bool{"eq": c == 0, "ne": c != 0, "gt": c > 0, "ge": c >= 0, "lt": c < 0, "le": c <= 0}[op]
}

func refTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// key is what a resource is sorted by: of a list its primary value, else its first. nil is none.
func (t refType) key(p refPath, resource map[string]any) any {
	at := t.find(p, resource)
	if at.absent {
		return nil
	}
	invalid := func() { panic(refRefused("invalidValue")) }
	part := p.sub
	if at.attr.kind == refList || at.attr.kind == refComplex {
		value, ok := at.attr.sub["value"]
		if !ok {
			invalid()
		}
		part, at.attr = "value", value
	}
	if at.attr.fixed != "" || strings.EqualFold(p.sub, "resourceType") { // the same everywhere
		invalid()
	}
	var v any
	if !at.list {
		v = at.values[0]
		if o, ok := v.(map[string]any); ok {
			v = o[part]
		}
	} else {
		holder := resource
		if p.urn != "" && strings.EqualFold(p.urn, enterprise) {
			holder, _ = resource[enterprise].(map[string]any)
		}
		name, _, _ := t.attrs.find(p.attr)
		list, _ := holder[name].([]any)
		if len(list) == 0 {
			return nil
		}
		best := list[0]
		for _, e := range list {
			if e.(map[string]any)["primary"] == true {
				best = e
			}
		}
		name, _, _ = at.whole.sub.find(part)
		if v = best.(map[string]any)[name]; at.attr.kind == refTruth {
			v = v == true
		}
	}
	switch text := v.(type) {
	case bool:
		if text {
			return "1"
		}
		return "0"
	case string:
		if at.attr.kind == refText {
			return at.attr.folded(text)
		}
	}
	return v
}

// sorted is the order of a list: without a value last, or first where it is descending; equal ones as they were. Where t
// is no type, of tells that of each resource.
func (t refType) sorted(p refPath, descending bool, resources []map[string]any, of func(map[string]any) refType) []string {
	list := slices.Clone(resources)
	slices.SortStableFunc(list, func(a, b map[string]any) int {
		ofA, ofB := t, t
		if t.urn == "" {
			ofA, ofB = of(a), of(b)
		}
		x, xOK := ofA.key(p, a).(string)
		y, yOK := ofB.key(p, b).(string)
		c := 0
		switch {
		case xOK && yOK:
			c = strings.Compare(x, y)
		case xOK:
			c = -1
		case yOK:
			c = 1
		}
		if descending {
			c = -c
		}
		return c
	})
	ids := make([]string, len(list))
	for i, r := range list {
		ids[i] = r["id"].(string)
	}
	return ids
}
