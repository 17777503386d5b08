package scim

import "strings"

// change is one operation on one complex attribute.
type change struct {
	verb    verb
	name    string
	attr    *attribute
	sub     int    // index of the sub-attribute, -1 where the path names none
	of      Filter // the filter in brackets, or nil
	raw     []byte // nil where none was sent
	body    bool
	dialect Dialect
	work    *int
}

// maxWork bounds the comparisons of one request: many operations, each with a long filter on a
// long list or on long texts, would hold the lock of the user's row for minutes.
const maxWork = 200_000

func (c *change) spend(n int) error {
	if *c.work += n; *c.work > maxWork {
		return TooMany("The request searches %s too often; send fewer operations at a time", c.name)
	}
	return nil
}

// single changes a complex attribute that has one value: name or manager.
func (c *change) single(o *object) (*object, error) {
	if o == nil {
		o = newObject(c.attr.sub)
	}
	switch {
	case c.sub < 0 && (c.verb == remove || c.clears()):
		return nil, nil
	case c.verb == remove:
		o.vals[c.sub] = nil
	case c.sub >= 0:
		return c.manager(o, func(o *object) error { return c.assign(o) })
	default:
		return c.manager(o, func(o *object) error {
			raw := c.raw
			if raw[0] == '[' {
				one, err := lenientSingle(c.name, raw)
				if err != nil {
					return err
				}
				raw = one
			}
			return c.merge(o, raw)
		})
	}
	return o, nil
}

// clears tells a value that unassigns. An empty object gives no sub-attribute and so changes none.
func (c *change) clears() bool { return isUnassigned(c.raw) && (len(c.raw) == 0 || c.raw[0] != '{') }

// manager runs a change, and where it names another manager runs it on nothing instead: often
// only `value` is sent, and the rest would describe the predecessor. Entra clears the manager
// by {"value":""}, which leaves nothing.
func (c *change) manager(o *object, run func(*object) error) (*object, error) {
	before := o.text("value")
	if err := run(o); err != nil {
		return nil, err
	}
	if c.name == "manager" && o.text("value") != before {
		o = newObject(o.attrs)
		return o, run(o)
	}
	return o, nil
}

// merge sets what raw, an object or a plain value, gives, and leaves the rest.
func (c *change) merge(o *object, raw []byte) error {
	if isUnassigned(raw) {
		return nil
	}
	if raw[0] == '{' {
		return o.merge(c.name+".", raw, true)
	}
	return o.lenientValue(c.attr, c.name, raw, true)
}

// assign sets the sub-attribute that the path names.
func (c *change) assign(o *object) error {
	a := &c.attr.sub[c.sub]
	v, err := a.decode(c.name+"."+a.name, c.raw, true)
	if err == nil {
		o.vals[c.sub] = v
	}
	return err
}

// list changes a multi-valued attribute and returns its new values.
func (c *change) list(list []*object) ([]*object, error) {
	switch {
	case c.of != nil:
		return c.filtered(list)
	case c.sub >= 0:
		return c.unfiltered(list)
	case c.verb == remove && isNull(c.raw):
		return nil, nil
	}
	given, err := c.attr.decodeList(c.name, orNull(c.raw), true)
	if err != nil {
		return nil, err
	}
	labels := 0
	for _, e := range given {
		labels += len(e.text("type"))
	}
	if err := c.spend((16*len(given) + labels) * (len(list) + len(given)) / 256); err != nil { // cheap ones, but for long labels
		return nil, err
	}
	switch c.verb {
	case remove:
		return lenientRemove(list, given), nil
	case replace:
		list = nil
	}
	keep, value := -1, find(c.attr.sub, "value")
	if c.verb == replace || c.body {
		value = -1 // the list is the client's: only true repetitions collapse
	}
	for _, e := range given {
		at := indexOf(list, e, value)
		if at < 0 {
			at = len(list)
			list = append(list, e)
		} else {
			overlay(list[at], e)
		}
		if e.primary() && (keep < 0 || !c.body) { // the first of a body, the last set of a PATCH
			keep = at
		}
	}
	if len(list) > MaxValues {
		return nil, InvalidValue("%s would have more than %d values; remove some first", c.name, MaxValues)
	}
	onePrimary(list, keep)
	return list, nil
}

// lenientRemove removes the values that a remove lists beside a path without a filter, as Entra and JumpCloud send it:
// {"op":"Remove","path":"members","value":[{"value":"U"}]}. For the RFC it would remove all of them.
func lenientRemove(list, listed []*object) []*object {
	kept := list[:0]
	for _, e := range list {
		if !coveredBy(e, listed) {
			kept = append(kept, e)
		}
	}
	return kept
}

func orNull(raw []byte) []byte {
	if isUnassigned(raw) {
		return []byte("[]")
	}
	return raw
}

// indexOf finds the element that an add repeats: the same value under the same or no label,
// or all that was given where values have no `value` (addresses). Entra adds again what is
// there; that must double nothing. value is the index of `value`, -1 to compare all that was given.
func indexOf(list []*object, e *object, value int) int {
	label := e.text("type")
	for i, old := range list {
		if value < 0 || e.vals[value] == nil {
			if old.covers(e) {
				return i
			}
			continue
		}
		if old.vals[value] == e.vals[value] && (label == "" || strings.EqualFold(old.text("type"), label)) {
			return i
		}
	}
	return -1
}

// overlay sets what is given; a label that differs in case only stays, for it is the same.
func overlay(o, with *object) {
	for i, v := range with.vals {
		if v != nil && (o.attrs[i].name != "type" || o.vals[i] == nil) {
			o.vals[i] = v
		}
	}
}

func coveredBy(e *object, given []*object) bool {
	for _, g := range given {
		if e.covers(g) {
			return true
		}
	}
	return false
}

// unfiltered changes a sub-attribute of a list without saying of which value. One value, or
// none yet, leaves no doubt.
func (c *change) unfiltered(list []*object) ([]*object, error) {
	if c.verb == remove {
		for _, e := range list {
			e.vals[c.sub] = nil
		}
		return list, nil
	}
	if len(list) > 1 {
		sub := c.attr.sub[c.sub].name
		return nil, InvalidPath(`%s has several values; say which: %s[type eq "work"].%s`, c.name, c.name, sub)
	}
	if len(list) == 0 {
		if isUnassigned(c.raw) {
			return nil, nil
		}
		list = append(list, newObject(c.attr.sub))
	}
	return list, c.assign(list[0])
}

// filtered changes the values that the filter matches.
func (c *change) filtered(list []*object) ([]*object, error) {
	matches, err := c.predicate(c.of)
	if err != nil {
		return nil, err
	}
	var hit []int
	for i, e := range list {
		if matches(e) {
			hit = append(hit, i)
		}
		if err := c.spend(0); err != nil {
			return nil, err
		}
	}
	if c.verb == remove {
		return c.removed(list, hit)
	}
	if len(hit) == 0 {
		if isUnassigned(c.raw) {
			return list, nil // clearing what is not there
		}
		e, ok := c.lenientCreate()
		if !ok {
			return nil, NoTarget("No value of %s matches the filter of the path; add the value first", c.name)
		}
		if len(list) >= MaxValues {
			return nil, InvalidValue("%s would have more than %d values; remove some first", c.name, MaxValues)
		}
		list, hit = append(list, e), []int{len(list)}
	}
	if c.sub < 0 && c.clears() {
		return c.removed(list, hit)
	}
	if c.sub < 0 && c.raw[0] == '[' {
		one, err := lenientSingle(c.name, c.raw)
		if err != nil {
			return nil, err
		}
		c.raw = one
	}
	keep := -1
	for _, i := range hit {
		was := list[i].primary()
		var err error
		if c.sub >= 0 {
			err = c.assign(list[i])
		} else {
			err = c.merge(list[i], c.raw)
		}
		if err != nil {
			return nil, err
		}
		if list[i].primary() && (!was || keep < 0) {
			keep = i
		}
	}
	onePrimary(list, keep)
	return list, nil
}

func (c *change) removed(list []*object, hit []int) ([]*object, error) {
	if c.sub >= 0 {
		for _, i := range hit {
			list[i].vals[c.sub] = nil
		}
		return list, nil
	}
	var kept []*object
	for i, e := range list {
		if len(hit) > 0 && hit[0] == i {
			hit = hit[1:]
			continue
		}
		kept = append(kept, e)
	}
	return kept, nil
}

// lenientCreate makes the value that a path such as `emails[type eq "work"].value` names and
// that is not there: Entra adds and replaces by such paths and expects it to appear. The
// filter has to say plainly what to create; a replace that looks for a value creates nothing, nor does one outside
// Dialect.CreateOnAbsent.
func (c *change) lenientCreate() (*object, bool) {
	e := newObject(c.attr.sub)
	if c.verb == replace && (c.sub < 0 || !c.dialect.CreateOnAbsent) || !c.fill(e, c.of) {
		return nil, false
	}
	if c.verb == replace && e.text("value") != "" {
		return nil, false
	}
	return e, true
}

func (c *change) fill(e *object, f Filter) bool {
	switch f := f.(type) {
	case And:
		return c.fill(e, f.Left) && c.fill(e, f.Right)
	case Compare:
		at := find(c.attr.sub, f.Path.Attr)
		if f.Op != Eq || f.Value == nil {
			return false
		}
		if c.attr.sub[at].kind == booleanKind {
			v, ok := lenientTruth(f.Value)
			e.vals[at] = v
			return ok
		}
		s, ok := f.Value.(string)
		if !ok || s == "" || c.attr.sub[at].text.check("", s) != nil {
			return false
		}
		e.vals[at] = s
		return true
	}
	return false
}
