package directory_test

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// refPath is the path of a change: attr, attr.sub, attr[of] or attr[of].sub, each perhaps below a URN. A URN alone is a
// path to all of its schema.
type refPath struct {
	urn, attr, sub string
	of             *refCond
}

// refCond is a filter in brackets: and, or, not, pr, or a comparison of attr with value.
type refCond struct {
	op          string
	left, right *refCond
	attr        string
	value       any
}

// refSet is one value for one path: an operation with a path, or a member of an object.
type refSet struct {
	path  refPath
	value any
	given bool // a value was sent
}

// refOp is an operation of a PATCH. Without a path, sets are the members of its value.
type refOp struct {
	verb     string
	pathless bool
	sets     []refSet
	other    any // pathless: what was sent instead of an object
}

// refRefused is the scimType of an error, as a panic: whatever is found wrong first ends the request.
type refRefused string

// refPatient is a user as a request changes it.
type refPatient struct {
	attrs   map[string]any // as SCIM shows them
	id      string
	create  bool // a replace by a filter makes what is not there
	lenient bool // unknown paths are ignored
	body    bool
}

// change runs a request: its scimType and the user afterwards, who is the same where it was refused.
func (p refPatient) change(run func(*refPatient)) (after map[string]any, scimType string) {
	before := p.attrs
	p.attrs = refClone(before).(map[string]any)
	defer func() {
		if r := recover(); r != nil {
			after, scimType = before, string(r.(refRefused))
		}
	}()
	run(&p)
	p.tidy()
	if name, _ := p.attrs["userName"].(string); strings.TrimSpace(name) == "" {
		panic(refRefused("invalidValue"))
	}
	return p.attrs, ""
}

// patch is RFC 7644 section 3.5.2.
func (p *refPatient) patch(ops []refOp) {
	for _, op := range ops {
		switch {
		case !op.pathless:
			p.set(op.verb, op.sets[0], true)
		case op.verb == "remove":
			panic(refRefused("noTarget"))
		case op.sets == nil:
			panic(refRefused("invalidValue"))
		default:
			p.members(op.verb, op.sets)
		}
	}
}

// put is RFC 7644 section 3.5.1: what is not sent is gone, but for active.
func (p *refPatient) put(sets []refSet) {
	p.attrs, p.body = map[string]any{"active": p.attrs["active"]}, true
	p.members("add", sets)
}

// members sets the members of an object: plain names first, so that longer ones refine them.
func (p *refPatient) members(verb string, sets []refSet) {
	seen := map[string]bool{}
	var later []refSet
	for _, s := range sets {
		key := strings.ToLower(s.path.String())
		if s.path.urn != "" || s.path.sub != "" || s.path.of != nil {
			if seen[key] {
				panic(refRefused("invalidSyntax"))
			}
			seen[key] = true
			later = append(later, s)
			continue
		}
		if _, _, known := refUsers.find(s.path.attr); known {
			if seen[key] {
				panic(refRefused("invalidSyntax"))
			}
			seen[key] = true
			p.set(verb, s, false)
		}
	}
	for _, s := range later {
		p.set(verb, s, false)
	}
}

// set changes what one path names.
func (p *refPatient) set(verb string, s refSet, explicit bool) {
	table, holder := refUsers, p.attrs
	switch {
	case s.path.urn == "" || strings.EqualFold(s.path.urn, coreUser):
	case strings.EqualFold(s.path.urn, enterprise):
		if table = refEnterprise; s.path.attr == "" && (verb == "remove" || s.value == nil) {
			delete(p.attrs, enterprise)
			return
		}
		if p.attrs[enterprise] == nil {
			p.attrs[enterprise] = map[string]any{}
		}
		holder = p.attrs[enterprise].(map[string]any)
	default:
		p.unknown(explicit)
		return
	}
	if s.path.attr == "" {
		p.schema(verb, s)
		return
	}
	name, a, ok := table.find(s.path.attr)
	switch {
	case !ok:
		p.unknown(explicit)
		return
	case a.kind == refDropped, p.body && slices.Contains(refServer, name):
		return
	case slices.Contains(refServer, name):
		if name == "id" && s.value == any(p.id) || !explicit && (name == "meta" || refUnassigned(s.value)) {
			return
		}
		panic(refRefused("mutability"))
	case s.path.of != nil && a.kind != refList:
		panic(refRefused("invalidPath"))
	}
	sub := ""
	if s.path.sub != "" {
		if sub, _, ok = a.sub.find(s.path.sub); !ok {
			p.unknown(explicit)
			return
		}
	}
	if verb != "remove" && !s.given {
		panic(refRefused("invalidValue"))
	}
	switch {
	case name == "active":
		if verb == "remove" {
			panic(refRefused("mutability"))
		}
		if v := a.take(s.value); v != nil {
			holder[name] = v
		}
	case a.kind == refList:
		list, _ := holder[name].([]any)
		if list = p.list(a, list, verb, s, sub); len(list) == 0 {
			delete(holder, name)
		} else {
			holder[name] = list
		}
	case name == "userName" && verb == "remove":
		panic(refRefused("mutability"))
	case a.kind == refComplex:
		o, _ := holder[name].(map[string]any)
		if o == nil {
			o = map[string]any{}
		}
		if o = p.complex(name, a, o, verb, s, sub); len(o) == 0 {
			delete(holder, name)
		} else {
			holder[name] = o
		}
	default:
		delete(holder, name)
		if verb != "remove" {
			if v := a.take(s.value); v != nil {
				holder[name] = v
			}
		}
	}
}

func (p *refPatient) unknown(explicit bool) {
	if explicit && !p.lenient {
		panic(refRefused("invalidPath"))
	}
}

// schema sets all attributes below a URN.
func (p *refPatient) schema(verb string, s refSet) {
	if verb == "remove" {
		panic(refRefused("mutability"))
	}
	if refUnassigned(s.value) {
		return
	}
	o, ok := s.value.(map[string]any)
	if !ok {
		panic(refRefused("invalidValue"))
	}
	seen := map[string]bool{}
	for _, key := range sortedKeys(o) {
		if seen[strings.ToLower(key)] {
			panic(refRefused("invalidSyntax"))
		}
		seen[strings.ToLower(key)] = true
		attr, sub, _ := strings.Cut(key, ".")
		p.set(verb, refSet{refPath{urn: s.path.urn, attr: attr, sub: sub}, o[key], true}, false)
	}
}

// take reads the value of an attribute that is not a list: nil where it unassigns.
func (a refAttr) take(v any) any {
	if refUnassigned(v) {
		return nil
	}
	if list, ok := v.([]any); ok { // a single value in an array
		if len(list) > 1 {
			panic(refRefused("invalidValue"))
		}
		return a.take(list[0])
	}
	switch a.kind {
	case refTruth:
		if s, ok := v.(string); ok {
			switch strings.ToLower(strings.TrimSpace(s)) {
			case "true":
				return true
			case "false":
				return false
			}
		}
		if b, ok := v.(bool); ok {
			return b
		}
		panic(refRefused("invalidValue"))
	case refText:
		s, ok := v.(string)
		if _, number := v.(int); number && !a.strict {
			s, ok = refJSON(v), true
		}
		if !ok || !a.allows(s) {
			panic(refRefused("invalidValue"))
		}
		return s
	}
	panic("not a single value")
}

func (a refAttr) allows(s string) bool {
	if utf8.RuneCountInString(s) > a.most {
		return false
	}
	for _, r := range s {
		if r == 0 || a.line && (r < 0x20 || r == '\u202e') {
			return false
		}
	}
	return true
}

// merge sets the parts that an object, or a plain value in the place of one, gives.
func (a refAttr) merge(into map[string]any, v any) {
	o, ok := v.(map[string]any)
	if !ok {
		if _, has := a.sub["value"]; !has || v == true || v == false {
			panic(refRefused("invalidValue"))
		}
		o = map[string]any{"value": v}
	}
	seen := map[string]bool{}
	for _, key := range sortedKeys(o) {
		name, part, ok := a.sub.find(key)
		if !ok {
			continue
		}
		if seen[name] {
			panic(refRefused("invalidSyntax"))
		}
		seen[name] = true
		if value := part.take(o[key]); value != nil {
			into[name] = value
		} else {
			delete(into, name)
		}
	}
}

// complex changes an attribute with parts that has one value.
func (p *refPatient) complex(name string, a refAttr, o map[string]any, verb string, s refSet, sub string) map[string]any {
	_, isObject := s.value.(map[string]any)
	switch {
	case sub == "" && (verb == "remove" || refUnassigned(s.value) && !isObject):
		return nil
	case verb == "remove":
		delete(o, sub)
		return o
	}
	given := s.value
	if list, ok := given.([]any); ok && sub == "" {
		if len(list) > 1 {
			panic(refRefused("invalidValue"))
		}
		given = list[0]
	}
	if sub != "" {
		given = map[string]any{sub: given}
	} else if refUnassigned(given) {
		return o
	}
	before := o["value"]
	a.merge(o, given)
	if name == "manager" && o["value"] != before { // what was told of the predecessor does not hold of the new one
		fresh := map[string]any{}
		a.merge(fresh, given)
		return fresh
	}
	return o
}

// list changes a multi-valued attribute.
func (p *refPatient) list(a refAttr, list []any, verb string, s refSet, sub string) []any {
	if s.path.of != nil {
		return p.filtered(a, list, verb, s, sub)
	}
	if sub != "" {
		switch {
		case verb == "remove":
			for _, e := range list {
				delete(e.(map[string]any), sub)
			}
			return list
		case len(list) > 1:
			panic(refRefused("invalidPath"))
		case len(list) == 0 && refUnassigned(s.value):
			return nil
		case len(list) == 0:
			list = []any{map[string]any{}}
		}
		a.merge(list[0].(map[string]any), map[string]any{sub: s.value})
		return list
	}
	if verb == "remove" && s.value == nil {
		return nil
	}
	given := a.elements(s.value)
	switch verb {
	case "remove": // those that are listed
		return slices.DeleteFunc(list, func(e any) bool {
			return slices.ContainsFunc(given, func(g map[string]any) bool { return covers(e, g) })
		})
	case "replace":
		list = nil
	}
	keep := -1
	for _, g := range given {
		at := slices.IndexFunc(list, func(e any) bool {
			have := e.(map[string]any)
			value, valued := g["value"]
			if verb == "replace" || p.body || !valued {
				return covers(e, g)
			}
			return have["value"] == value && (g["type"] == nil || sameType(have["type"], g["type"]))
		})
		if at < 0 {
			at = len(list)
			list = append(list, any(g))
		} else {
			for k, v := range g {
				if have := list[at].(map[string]any); k != "type" || have[k] == nil {
					have[k] = v
				}
			}
		}
		if g["primary"] == true && (keep < 0 || !p.body) {
			keep = at
		}
	}
	if len(list) > 500 {
		panic(refRefused("invalidValue"))
	}
	onlyPrimary(list, keep)
	return list
}

func sameType(a, b any) bool {
	s, ok := a.(string)
	t, _ := b.(string)
	return ok && strings.EqualFold(s, t)
}

// covers tells whether an element has all that another gives.
func covers(e any, g map[string]any) bool {
	have := e.(map[string]any)
	for k, v := range g {
		if have[k] != v && (k != "type" || !sameType(have[k], v)) {
			return false
		}
	}
	return true
}

// elements reads the values of a list; what is only a label is none.
func (a refAttr) elements(v any) []map[string]any {
	if refUnassigned(v) {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		switch v.(type) {
		case map[string]any, string:
			list = []any{v}
		default:
			panic(refRefused("invalidValue"))
		}
	}
	var all []map[string]any
	for _, v := range list {
		if refUnassigned(v) {
			continue
		}
		e := map[string]any{}
		if a.merge(e, v); significant(e) {
			all = append(all, e)
		}
		if o, ok := v.(map[string]any); ok && !significant(e) && slices.ContainsFunc(sortedKeys(o), func(name string) bool {
			_, _, known := a.sub.find(name)
			return !known && !refUnassigned(o[name])
		}) {
			panic(refRefused("invalidValue")) // misspelt
		}
	}
	if len(all) > 500 {
		panic(refRefused("invalidValue"))
	}
	return all
}

func significant(e map[string]any) bool {
	for k := range e {
		if k != "type" && k != "primary" {
			return true
		}
	}
	return false
}

// onlyPrimary leaves one value primary at most: the one at keep, or the first (RFC 7643 section 2.4).
func onlyPrimary(list []any, keep int) {
	for i, e := range list {
		if e := e.(map[string]any); e["primary"] == true {
			if keep < 0 {
				keep = i
			}
			if i != keep {
				e["primary"] = false
			}
		}
	}
}

// filtered changes the values that a filter chooses.
func (p *refPatient) filtered(a refAttr, list []any, verb string, s refSet, sub string) []any {
	a.holds(s.path.of, map[string]any{}) // a filter that cannot be asked is wrong whatever there is
	hit := make([]bool, len(list))
	for i, e := range list {
		hit[i] = a.holds(s.path.of, e.(map[string]any))
	}
	_, isObject := s.value.(map[string]any)
	clears := refUnassigned(s.value) && (sub != "" || !isObject)
	if verb != "remove" && !slices.Contains(hit, true) {
		if refUnassigned(s.value) {
			return list
		}
		e := map[string]any{}
		if verb == "replace" && (sub == "" || !p.create) || !a.describes(s.path.of, e) || verb == "replace" && e["value"] != nil {
			panic(refRefused("noTarget"))
		}
		list, hit = append(list, any(e)), append(hit, true)
	}
	if sub == "" && (verb == "remove" || clears) {
		var kept []any
		for i, e := range list {
			if !hit[i] {
				kept = append(kept, e)
			}
		}
		return kept
	}
	keep := -1
	for i, e := range list {
		if !hit[i] {
			continue
		}
		e := e.(map[string]any)
		was := e["primary"] == true
		switch {
		case verb == "remove":
			delete(e, sub)
			continue
		case sub != "":
			a.merge(e, map[string]any{sub: s.value})
		default:
			given := s.value
			if one, ok := given.([]any); ok {
				if len(one) > 1 {
					panic(refRefused("invalidValue"))
				}
				given = one[0]
			}
			if !refUnassigned(given) {
				a.merge(e, given)
			}
		}
		if e["primary"] == true && (!was || keep < 0) {
			keep = i
		}
	}
	onlyPrimary(list, keep)
	return list
}

// describes makes the element that a filter names plainly: equalities joined by and.
func (a refAttr) describes(c *refCond, e map[string]any) bool {
	switch c.op {
	case "and":
		return a.describes(c.left, e) && a.describes(c.right, e)
	case "eq":
		name, part, _ := a.sub.find(c.attr)
		if part.kind == refTruth {
			b, ok := c.value.(bool)
			if s, text := c.value.(string); text {
				b, ok = strings.EqualFold(s, "true"), true
			}
			e[name] = b
			return ok
		}
		s, ok := c.value.(string)
		e[name] = s
		return ok && s != "" && part.allows(s)
	}
	return false
}

// holds evaluates a filter on one value of a list.
func (a refAttr) holds(c *refCond, e map[string]any) bool {
	switch c.op {
	case "and":
		l, r := a.holds(c.left, e), a.holds(c.right, e)
		return l && r
	case "or":
		l, r := a.holds(c.left, e), a.holds(c.right, e)
		return l || r
	case "not":
		return !a.holds(c.left, e)
	}
	name, part, ok := a.sub.find(c.attr)
	if !ok {
		panic(refRefused("invalidFilter"))
	}
	if c.op == "pr" {
		return e[name] != nil
	}
	return part.compares(c.op, e[name], c.value)
}

// compares is `have op want` for an attribute with one value; have is nil where there is none (RFC 7644 section
// 3.4.2.2, and what scim.Resolve says of the rest).
func (a refAttr) compares(op string, have, want any) bool {
	if want == nil {
		return (have == nil) == (op == "eq")
	}
	if a.kind == refTruth {
		b, ok := want.(bool)
		if s, text := want.(string); text {
			b, ok = strings.EqualFold(s, "true"), strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
		}
		if !ok || op != "eq" && op != "ne" {
			panic(refRefused("invalidFilter"))
		}
		return (have == true) == b == (op == "eq")
	}
	s, ok := want.(string)
	if _, number := want.(int); number {
		s, ok = refJSON(want), true
	}
	if !ok {
		panic(refRefused("invalidFilter"))
	}
	t, assigned := have.(string)
	if !assigned {
		return op == "ne"
	}
	if t = a.folded(t); op == "co" || op == "sw" || op == "ew" {
		a.trim = false // what is looked for within a name may have blanks
	}
	s = a.folded(s)
	switch op {
	case "eq":
		return t == s
	case "ne":
		return t != s
	case "co":
		return strings.Contains(t, s)
	case "sw":
		return strings.HasPrefix(t, s)
	case "ew":
		return strings.HasSuffix(t, s)
	case "gt":
		return t > s
	case "ge":
		return t >= s
	case "lt":
		return t < s
	case "le":
		return t <= s
	}
	panic("no operator " + op)
}

// tidy drops what says nothing: labels without a value, objects without parts.
func (p *refPatient) tidy() {
	for _, holder := range []any{p.attrs, p.attrs[enterprise]} {
		o, _ := holder.(map[string]any)
		for name, v := range o {
			if list, ok := v.([]any); ok {
				list = slices.DeleteFunc(list, func(e any) bool { return !significant(e.(map[string]any)) })
				if o[name] = list; len(list) == 0 {
					delete(o, name)
				}
			} else if refUnassigned(v) {
				delete(o, name)
			}
		}
	}
	if refUnassigned(p.attrs[enterprise]) {
		delete(p.attrs, enterprise)
	}
}

// String is the path as a client writes it.
func (p refPath) String() string {
	s := p.attr
	if p.of != nil {
		s += "[" + p.of.String() + "]"
	}
	if p.sub != "" {
		s += "." + p.sub
	}
	switch {
	case p.urn != "" && p.attr == "":
		return p.urn
	case p.urn != "":
		return p.urn + ":" + s
	}
	return s
}

func (c *refCond) String() string {
	side := func(c *refCond) string {
		if c.op == "and" || c.op == "or" {
			return "(" + c.String() + ")"
		}
		return c.String()
	}
	switch c.op {
	case "and", "or":
		return side(c.left) + " " + c.op + " " + side(c.right)
	case "not":
		return "not (" + c.left.String() + ")"
	case "pr":
		return c.attr + " pr"
	}
	return c.attr + " " + c.op + " " + refJSON(c.value)
}
