package scim

import "strings"

// The bounds of a filter, checked before it is parsed.
const (
	MaxFilterBytes = 2048 // length of the text
	MaxFilterDepth = 16   // nesting of ( and [
	MaxFilterTerms = 20   // comparisons
)

// Filter is a node of a parsed filter (RFC 7644 section 3.4.2.2): And, Or, Not,
// Compare, Present or ValuePath, always as a value, never as a pointer.
type Filter interface{ isFilter() }

// Op is a comparison operator in lower case.
type Op string

// The operators of RFC 7644 section 3.4.2.2, table 3.
const (
	Eq Op = "eq" // equal
	Ne Op = "ne" // not equal
	Co Op = "co" // contains
	Sw Op = "sw" // starts with
	Ew Op = "ew" // ends with
	Gt Op = "gt" // greater than
	Ge Op = "ge" // greater than or equal
	Lt Op = "lt" // less than
	Le Op = "le" // less than or equal
	Pr Op = "pr" // present; only ValuePath.Op ever holds it
)

// And holds where both sides hold.
type And struct{ Left, Right Filter }

// Or holds where either side holds. It binds more weakly than And.
type Or struct{ Left, Right Filter }

// Not holds where Of does not.
type Not struct{ Of Filter }

// Compare is `path op value`. Value is a string, a bool, a float64 or nil (null);
// Gt, Ge, Lt and Le come with strings and numbers only, Co, Sw and Ew with strings only.
type Compare struct {
	Path  Path
	Op    Op
	Value any
}

// Present is `path pr`: the attribute has a value.
type Present struct{ Path Path }

// ValuePath is `path[of]`: one element of a multi-valued attribute satisfies Of,
// whose paths name sub-attributes. With Sub set it is Entra's `path[of].sub op value`:
// the same element also satisfies `sub op value` (Op may be Pr; Value is then nil).
type ValuePath struct {
	Path  Path
	Of    Filter
	Sub   string
	Op    Op
	Value any
}

func (And) isFilter()       {}
func (Or) isFilter()        {}
func (Not) isFilter()       {}
func (Compare) isFilter()   {}
func (Present) isFilter()   {}
func (ValuePath) isFilter() {}

// Path names an attribute as the client spelled it: `urn:…:User:name.givenName` is
// {URN: "urn:…:User", Attr: "name", Sub: "givenName"}.
type Path struct{ URN, Attr, Sub string }

// Key returns the path in lower case, without the URN of the core User and Group schemas
// (names are case-insensitive, RFC 7643 section 2.1): "name.givenname",
// "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:department".
func (p Path) Key() string {
	s := p.Attr
	if p.Sub != "" {
		s += "." + p.Sub
	}
	if p.URN != "" && !isCoreURN(p.URN) {
		s = p.URN + ":" + s
	}
	return strings.ToLower(s)
}

// Is tells whether the path names what name names, in any case.
func (p Path) Is(name string) bool {
	if p.URN == "" && p.Sub == "" {
		return strings.EqualFold(p.Attr, name)
	}
	return p.Key() == splitPath(name).Key()
}

// String returns the path as it was spelled.
func (p Path) String() string {
	s := p.Attr
	if p.Sub != "" {
		s += "." + p.Sub
	}
	if p.URN != "" {
		s = p.URN + ":" + s
	}
	return s
}

// splitPath takes a bare attribute path apart. The URN ends at the last colon, for a
// URN may contain dots ("2.0") and an attribute name no colon.
func splitPath(s string) Path {
	var p Path
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		p.URN, s = s[:i], s[i+1:]
	}
	p.Attr, p.Sub, _ = strings.Cut(s, ".")
	return p
}

func isCoreURN(urn string) bool {
	return strings.EqualFold(urn, UserURN) || strings.EqualFold(urn, GroupURN)
}
