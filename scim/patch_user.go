package scim

import (
	"bytes"
	"strings"
)

// ApplyUser applies the operations to u, whose id is id, as the dialect means them. It is all or nothing: on an error u
// is as before. changed is false where the result equals what was there, so that a repeated
// PATCH moves no version. Only an operation that names active ever changes or gives it.
func (p *Patch) ApplyUser(u *User, id string, d Dialect) (changed bool, err error) {
	work := &User{core: u.core.clone(), enterprise: u.enterprise.clone(), active: u.active, given: u.given}
	e := edit{user: work, id: id, dialect: d}
	for i, op := range p.ops {
		if err := e.apply(op); err != nil {
			return false, inOperation(i, err)
		}
	}
	e.tidy()
	stored := work.Stored()
	if err := work.valid(stored); err != nil {
		return false, err
	}
	changed = work.active != u.active || work.given != u.given || !bytes.Equal(stored, u.Stored())
	*u = *work
	return changed, nil
}

// edit is the change of one user: the operations of a PATCH, or a whole body, which is an
// add without path to nothing.
type edit struct {
	user    *User
	id      string
	dialect Dialect
	body    bool // POST or PUT: what the server owns is ignored, not refused
	work    int  // comparisons so far, see maxWork
}

func (e *edit) apply(op operation) error {
	if op.path != "" {
		return e.applyPath(op.verb, op.path, op.value, true)
	}
	if op.verb == remove {
		return needsPath()
	}
	object, err := lenientObject(op)
	if err != nil {
		return err
	}
	return e.mergeKeys(op.verb, "", object)
}

// mergeUser reads a whole body: plain names first, so that a dotted name refines them.
func (e *edit) mergeUser(object []byte) error {
	return e.mergeKeys(add, "", object)
}

// mergeKeys applies each member of an object without path. The names may be paths, see lenientKey.
// An unknown name is dropped, and so is one that cannot be read as a path.
func (e *edit) mergeKeys(v verb, prefix string, object []byte) error {
	type pair struct {
		path  string
		value []byte
	}
	attrs := userAttributes
	if prefix != "" && !strings.EqualFold(prefix, UserURN+":") {
		attrs = enterpriseAttributes
	}
	var later []pair
	var plain uint64
	var dotted map[string]bool
	for key, value := range members(object) {
		if prefix != "" && !lenientKey(key) && find(attrs, key) < 0 {
			continue
		}
		if prefix == "" && !lenientKey(key) {
			at := find(userAttributes, key)
			if at < 0 {
				continue
			}
			if plain&(1<<at) != 0 {
				return duplicate(userAttributes[at].name)
			}
			plain |= 1 << at
			if err := e.applyTarget(v, key, target{Path: Path{Attr: key}}, value, false); err != nil {
				return err
			}
			continue
		}
		name := strings.ToLower(key)
		if dotted[name] {
			return duplicate(key)
		}
		if dotted == nil {
			dotted = make(map[string]bool)
		}
		dotted[name] = true
		later = append(later, pair{prefix + key, value})
	}
	for _, l := range later {
		if err := e.applyPath(v, l.path, l.value, false); err != nil {
			return err
		}
	}
	return nil
}

// applyPath applies one change; an attribute that we do not know is dropped. With explicit the
// path was sent as a path, so it has to be one; otherwise it was a name in an object.
func (e *edit) applyPath(v verb, path string, raw []byte, explicit bool) error {
	if strings.EqualFold(path, UserURN) || strings.EqualFold(path, EnterpriseURN) {
		return e.applySchema(v, path, raw)
	}
	t, err := parseTarget(path)
	if err != nil {
		if explicit {
			return err
		}
		return nil
	}
	return e.applyTarget(v, path, t, raw, explicit)
}

func (e *edit) applyTarget(v verb, path string, t target, raw []byte, explicit bool) error {
	o := e.user.core
	switch {
	case t.URN == "" || strings.EqualFold(t.URN, UserURN):
	case strings.EqualFold(t.URN, EnterpriseURN):
		o = e.user.enterprise
	default:
		return e.lenientPath(t, explicit)
	}
	at := find(o.attrs, t.Attr)
	if at < 0 {
		return e.lenientPath(t, explicit)
	}
	a := &o.attrs[at]
	if a.owner != client {
		return e.refuse(a, raw, explicit)
	}
	if t.of != nil && !a.multi {
		return InvalidPath("%s is not multi-valued, so [ ] cannot follow it; use %s without a filter", a.name, a.name)
	}
	sub := -1
	if t.Sub != "" {
		if sub = find(a.sub, t.Sub); sub < 0 {
			return e.lenientPath(t, explicit)
		}
	}
	if raw == nil && v != remove {
		return InvalidValue("%s of %s needs a value", v, path)
	}
	c := change{verb: v, name: a.name, attr: a, sub: sub, of: t.of, raw: raw, body: e.body, dialect: e.dialect, work: &e.work}
	switch {
	case a.name == "active" && o == e.user.core:
		return e.setActive(v, raw)
	case a.multi:
		list, _ := o.vals[at].([]*object)
		list, err := c.list(list)
		if err == nil {
			o.vals[at] = nil
			if len(list) > 0 {
				o.vals[at] = list
			}
		}
		return err
	case v == remove && a.required:
		return Mutability("%s is required and cannot be removed; replace it instead", a.name)
	case a.kind == complexKind:
		child, _ := o.vals[at].(*object)
		child, err := c.single(child)
		if err == nil {
			o.vals[at] = nil
			if child != nil {
				o.vals[at] = child
			}
		}
		return err
	case v == remove:
		o.vals[at] = nil
		return nil
	}
	value, err := a.decode(a.name, raw, true)
	if err == nil {
		o.vals[at] = value
	}
	return err
}

// lenientPath drops a change of what is not in the schema, see Dialect.IgnoreUnknownPaths. A name in an object, as a
// body has them, is dropped in every dialect (RFC 7644 section 3.3).
func (e *edit) lenientPath(t target, explicit bool) error {
	if !explicit || e.dialect.IgnoreUnknownPaths {
		return nil
	}
	if hint := misplaced(t.Path); hint != "" {
		return InvalidPath("%s", hint)
	}
	return InvalidPath("The path %q names no attribute of a User; use one listed in /Schemas", t.Path)
}

// applySchema applies a change of all attributes of a schema, named by its URN.
func (e *edit) applySchema(v verb, urn string, raw []byte) error {
	core := strings.EqualFold(urn, UserURN)
	switch {
	case v == remove && core:
		return Mutability("The core attributes cannot be removed together; name one in the path")
	case v == remove, !core && isNull(raw):
		e.user.enterprise = newObject(enterpriseAttributes)
		return nil
	case isUnassigned(raw):
		return nil
	case raw[0] != '{':
		return InvalidValue("%s must be an object of attributes, but %s was sent", urn, describe(raw))
	}
	return e.mergeKeys(v, urn+":", raw)
}

// refuse answers a change of what the server owns. A body may carry it (RFC 7644 section
// 3.5.1); in a PATCH only what is an echo, or asks for nothing, passes.
func (e *edit) refuse(a *attribute, raw []byte, explicit bool) error {
	switch {
	case e.body, a.owner == nobody:
		return nil
	case a.name == "id" && lenientEcho(raw, e.id):
		return nil
	case !explicit && (a.name == "meta" || isUnassigned(raw)): // Okta: "groups": []
		return nil
	}
	if a.name == "groups" {
		return Mutability("groups is read-only; change the members of the group instead")
	}
	return Mutability("%s is set by the server and cannot be changed; remove it from the request", a.name)
}

// setActive takes every spelling of a boolean. No value leaves active as it is: nobody may
// lose or gain access by a value that was not sent.
func (e *edit) setActive(v verb, raw []byte) error {
	if v == remove {
		return Mutability("active cannot be removed; replace it with true or false")
	}
	at := find(userAttributes, "active")
	value, err := userAttributes[at].decode("active", raw, true)
	if b, ok := value.(bool); ok {
		e.user.SetActive(b)
	}
	return err
}

// tidy drops what the operations left without meaning: values that are only a label, objects
// without attributes.
func (e *edit) tidy() {
	for _, o := range []*object{e.user.core, e.user.enterprise} {
		for i, v := range o.vals {
			switch v := v.(type) {
			case *object:
				if v.empty() {
					o.vals[i] = nil
				}
			case []*object:
				kept := v[:0]
				for _, el := range v {
					if el.significant() {
						kept = append(kept, el)
					}
				}
				o.vals[i] = kept
				if len(kept) == 0 {
					o.vals[i] = nil
				}
			}
		}
	}
}
