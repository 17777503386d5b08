package scim

import (
	"strconv"
	"strings"
)

// MaxValues is how many values a multi-valued attribute of a user may have.
const MaxValues = 500

// decode reads the value of an attribute: nil (unassigned), string, bool, *object or
// []*object. It accepts what the lenient functions below name, and else says what it expects.
// Without checks it takes texts as they are: they were checked when they were stored.
func (a *attribute) decode(name string, raw []byte, checks bool) (any, error) {
	if isUnassigned(raw) {
		return nil, nil // null, "", [] and {}: RFC 7643 section 2.5, Okta, Entra
	}
	if a.multi {
		list, err := a.decodeList(name, raw, checks)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		return list, nil
	}
	if raw[0] == '[' {
		one, err := lenientSingle(name, raw)
		if err != nil {
			return nil, err
		}
		return a.decode(name, one, checks)
	}
	switch a.kind {
	case booleanKind:
		return decodeBool(name, raw)
	case complexKind:
		o, err := a.decodeObject(name, raw, checks)
		if err != nil || o.empty() {
			return nil, err
		}
		return o, nil
	}
	return a.decodeText(name, raw, checks)
}

// lenientSingle unwraps a single value sent as an array of one: `"active": [true]`, which
// SCIM libraries that know no single-valued attributes send.
func lenientSingle(name string, raw []byte) ([]byte, error) {
	one, n := only(raw)
	if n > 1 {
		return nil, InvalidValue("%s has one value, but an array of several was sent; send one value", name)
	}
	return one, nil
}

func (a *attribute) decodeText(name string, raw []byte, checks bool) (any, error) {
	var s string
	switch c := raw[0]; {
	case c == '"':
		s = unquote(raw)
	case a.text.lenientNumber(raw):
		s = string(raw)
	default:
		return nil, InvalidValue("%s must be a string, but %s was sent; send a string", name, describe(raw))
	}
	if checks {
		if err := a.text.check(name, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func decodeBool(name string, raw []byte) (any, error) {
	switch word := lenientBool(raw); {
	case strings.EqualFold(word, "true"):
		return true, nil
	case strings.EqualFold(word, "false"):
		return false, nil
	}
	return nil, InvalidValue("%s must be true or false, but %s was sent; send true or false", name, describe(raw))
}

// lenientBool takes the strings "True" and "False", in any case, for booleans: Entra sends them for active and primary
// unless its tenant URL carries aadOptscim062020.
func lenientBool(raw []byte) string {
	if raw[0] == '"' && len(raw) <= len(`" false "`) {
		return strings.TrimSpace(unquote(raw))
	}
	return string(raw)
}

func (a *attribute) decodeObject(name string, raw []byte, checks bool) (*object, error) {
	o := newObject(a.sub)
	if raw[0] != '{' {
		return o, o.lenientValue(a, name, raw, checks)
	}
	return o, o.merge(name+".", raw, checks)
}

// lenientValue takes a plain string where an object with a value belongs: Entra sends
// `"manager": "id"`, hand-written templates `"emails": ["a@b"]`.
func (o *object) lenientValue(a *attribute, name string, raw []byte, checks bool) error {
	at := find(a.sub, "value")
	if at < 0 || raw[0] == 't' || raw[0] == 'f' {
		if a.multi {
			name = "A value of " + name
		}
		return InvalidValue("%s must be an object, but %s was sent; send an object such as %s", name, describe(raw), a.example())
	}
	v, err := a.sub[at].decode(name+".value", raw, checks)
	o.vals[at] = v
	return err
}

// merge sets the sub-attributes that raw, an object, gives; null and the like unassign.
// Names that are unknown or not the client's are dropped, a name given twice is refused (RFC 8259 section 4 leaves open
// which one counts).
func (o *object) merge(prefix string, raw []byte, checks bool) error {
	var seen uint64
	for key, value := range members(raw) {
		i := find(o.attrs, key)
		if i < 0 || o.attrs[i].owner != client {
			continue
		}
		a := &o.attrs[i]
		if seen&(1<<i) != 0 {
			return duplicate(prefix + a.name)
		}
		seen |= 1 << i
		v, err := a.decode(prefix+a.name, value, checks)
		if err != nil {
			return err
		}
		o.vals[i] = v
	}
	return nil
}

func duplicate(name string) error {
	return InvalidSyntax("%s is given twice; names are compared without regard to case; send it once", name)
}

// decodeList reads a multi-valued attribute. Null elements and elements that carry only a type or primary are no values.
func (a *attribute) decodeList(name string, raw []byte, checks bool) ([]*object, error) {
	switch raw[0] {
	case '[':
	case '{', '"':
		return a.lenientOne(name, raw, checks)
	default:
		return nil, InvalidValue("%s must be an array, but %s was sent; send an array such as [%s]", name, describe(raw), a.example())
	}
	var list []*object
	for value := range elements(raw) {
		if isUnassigned(value) {
			continue
		}
		if len(list) == MaxValues {
			return nil, InvalidValue("%s has more than %d values; send fewer", name, MaxValues)
		}
		e, err := a.decodeObject(name, value, checks)
		if err == nil && checks && !e.significant() {
			err = a.misspelt(name, value)
		}
		if err != nil {
			return nil, err
		}
		if e.significant() {
			list = append(list, e)
		}
	}
	return list, nil
}

// lenientOne takes one object or one string for a list of one, which templates written by hand send.
func (a *attribute) lenientOne(name string, raw []byte, checks bool) ([]*object, error) {
	e, err := a.decodeObject(name, raw, checks)
	if err == nil && checks && !e.significant() {
		err = a.misspelt(name, raw)
	}
	if err != nil || !e.significant() {
		return nil, err
	}
	return []*object{e}, nil
}

// misspelt refuses an element whose only value has an unknown name: taken for no value, it would empty the list.
func (a *attribute) misspelt(name string, raw []byte) error {
	if raw[0] != '{' {
		return nil
	}
	for key, value := range members(raw) {
		if find(a.sub, key) < 0 && !isUnassigned(value) {
			return InvalidValue("A value of %s has no part %s; send an object such as %s", name, describe([]byte(strconv.Quote(key))), a.example())
		}
	}
	return nil
}

// example is a short value of the attribute, for an error.
func (a *attribute) example() string {
	if find(a.sub, "value") >= 0 {
		return `{"value":"…"}`
	}
	return `{"` + a.sub[0].name + `":"…"}`
}
