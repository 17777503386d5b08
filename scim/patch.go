package scim

import (
	"io"
	"strings"
)

// MaxOperations is how many operations one PATCH may have.
const MaxOperations = 1000

// Patch is a decoded PATCH request (RFC 7644 section 3.5.2), not yet tied to a resource.
type Patch struct{ ops []operation }

type verb uint8

const (
	add verb = iota + 1
	replace
	remove
)

func (v verb) String() string { return [...]string{"", "add", "replace", "remove"}[v] }

// operation is one entry of Operations. value is nil where none was sent.
type operation struct {
	verb  verb
	path  string
	value []byte
}

// DecodePatch reads the body of a PATCH. The schemas attribute may be missing; names and the
// verbs may be in any case (Entra sends "Add", "Replace", "Remove"). What the operations mean
// is decided by ApplyUser and GroupChanges.
func DecodePatch(r io.Reader) (*Patch, error) {
	data, err := readObject(r)
	if err != nil {
		return nil, err
	}
	var list []byte
	for key, value := range members(data) {
		if strings.EqualFold(key, "Operations") {
			if list != nil {
				return nil, duplicate("Operations")
			}
			list = value
		}
	}
	if isNull(list) || list[0] != '[' {
		return nil, InvalidSyntax(`A PATCH needs an array named Operations, such as {"Operations":[{"op":"replace","value":{"active":false}}]}`)
	}
	p := &Patch{}
	for raw := range elements(list) {
		if len(p.ops) == MaxOperations {
			return nil, TooMany("The PATCH has more than %d operations; split it", MaxOperations)
		}
		op, err := decodeOperation(raw)
		if err != nil {
			return nil, inOperation(len(p.ops), err)
		}
		p.ops = append(p.ops, op)
	}
	return p, nil
}

func decodeOperation(raw []byte) (operation, error) {
	var op operation
	if raw[0] != '{' {
		return op, InvalidSyntax("an operation must be an object, but %s was sent", describe(raw))
	}
	var word, path []byte
	for key, value := range members(raw) {
		var field *[]byte
		switch {
		case strings.EqualFold(key, "op"):
			field = &word
		case strings.EqualFold(key, "path"):
			field = &path
		case strings.EqualFold(key, "value"):
			field = &op.value
		default:
			continue
		}
		if *field != nil {
			return op, duplicate(strings.ToLower(key))
		}
		*field = value
	}
	if op.verb = lenientVerb(word); op.verb == 0 {
		return op, InvalidSyntax("op must be add, replace or remove, but it is %s", describe(word))
	}
	if !isNull(path) {
		if path[0] != '"' {
			return op, InvalidPath("path must be a string, but %s was sent", describe(path))
		}
		op.path = strings.TrimSpace(unquote(path))
	}
	return op, nil
}

// lenientVerb takes the verbs in any case: Entra sends "Add", "Replace" and "Remove".
func lenientVerb(word []byte) verb {
	if len(word) == 0 || word[0] != '"' {
		return 0
	}
	for v := add; v <= remove; v++ {
		if strings.EqualFold(unquote(word), v.String()) {
			return v
		}
	}
	return 0
}

// inOperation says in which operation an error arose.
func inOperation(i int, err error) error {
	if e, ok := err.(*Error); ok {
		return NewError(e.Status, e.Type, "PATCH operation %d: %s", i+1, e.Detail)
	}
	return err
}

// target is the parsed path of an operation: `attr`, `attr.sub`, `attr[of]` or `attr[of].sub`.
type target struct {
	Path
	of Filter
}

// parseTarget parses a path (RFC 7644 section 3.5.2, figure 7).
func parseTarget(s string) (target, error) {
	err := checkFilter("The path", s)
	p := parser{s: s, what: "The path"}
	var t target
	if err == nil {
		t.Path, err = p.path()
	}
	if err == nil && p.pos < len(s) && s[p.pos] == '[' {
		if t.of, err = p.brackets(t.Path); err == nil && p.pos < len(s) && s[p.pos] == '.' {
			t.Sub, err = p.sub()
		}
	}
	if err == nil && p.pos < len(s) {
		err = p.fail(`a path is attr, attr.sub, attr[type eq "work"] or attr[type eq "work"].sub`)
	}
	if e, ok := err.(*Error); ok {
		e.Type = TypeInvalidPath
	}
	return t, err
}

// lenientKey tells a name in an object that is a path: "name.givenName", "urn:…:enterprise:2.0:User:department". Entra
// sends them with aadOptscim062020; for the RFC they would be unknown names.
func lenientKey(name string) bool { return strings.ContainsAny(name, ".:[") }

// lenientObject returns the object of an operation without path. Some clients wrap it in an array of one.
func lenientObject(op operation) ([]byte, error) {
	value := op.value
	if len(value) > 0 && value[0] == '[' {
		if one, n := only(value); n == 1 {
			value = one
		}
	}
	if len(value) == 0 || value[0] != '{' {
		return nil, InvalidValue(`%s without a path needs an object of attributes as its value, but %s was sent; send {"attribute":value} or add a path`, op.verb, describe(op.value))
	}
	return value, nil
}

// needsPath refuses a remove that names nothing (RFC 7644 section 3.5.2.2).
func needsPath() error {
	return NoTarget("remove needs a path that names what to remove")
}

// lenientEcho tells an id that repeats the id of the resource: Okta sends it in every group rename.
func lenientEcho(raw []byte, id string) bool {
	return len(raw) > 0 && raw[0] == '"' && unquote(raw) == id
}
