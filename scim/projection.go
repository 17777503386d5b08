package scim

import "strings"

// Projection is the choice of attributes of an answer (RFC 7644 sections 3.4.2.5 and 3.9).
// The zero value chooses all.
type Projection struct {
	only      map[string]bool // nil: all; key: true where named itself, false where a part of it is
	without   map[string]bool // named ones
	narrowed  bool
	excluding bool
}

// knownPaths holds every attribute that an answer can have, by Path.Key. A name outside it
// selects nothing, so what a client sends never makes a projection large.
var knownPaths = func() map[string]bool {
	known := map[string]bool{strings.ToLower(EnterpriseURN): true}
	var note func(prefix string, attrs []attribute)
	note = func(prefix string, attrs []attribute) {
		for _, a := range attrs {
			key := prefix + strings.ToLower(a.name)
			known[key] = true
			note(key+".", a.sub)
		}
	}
	note("", userAttributes)
	note("", groupAttributes)
	note(strings.ToLower(EnterpriseURN)+":", enterpriseAttributes)
	return known
}()

// ParseProjection reads the query parameters attributes and excludedAttributes: names in any
// case, dotted or with the URN of their schema, separated by commas. The RFC lets a client
// send one of them; where both come, both narrow the answer.
func ParseProjection(attributes, excluded string) Projection {
	var p Projection
	for name := range strings.SplitSeq(attributes, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		p.narrowed = true
		if isCoreURN(name) { // all of the core schema
			if p.only == nil {
				p.only = make(map[string]bool)
			}
			for _, a := range append(userAttributes[:len(userAttributes):len(userAttributes)], groupAttributes...) {
				p.only[strings.ToLower(a.name)] = true
			}
			continue
		}
		key := pathKey(name)
		if !knownPaths[key] {
			continue
		}
		if p.only == nil {
			p.only = make(map[string]bool)
		}
		p.only[key] = true
		if parent := parentKey(key); parent != "" && !p.only[parent] {
			p.only[parent] = false
			if top := parentKey(parent); top != "" && !p.only[top] {
				p.only[top] = false
			}
		}
	}
	for name := range strings.SplitSeq(excluded, ",") {
		if key := pathKey(strings.TrimSpace(name)); knownPaths[key] {
			if p.without == nil {
				p.without = make(map[string]bool)
			}
			p.without[key] = true
			p.excluding = true
		}
	}
	return p
}

// All tells that nothing was chosen or excluded.
func (p Projection) All() bool { return !p.narrowed && !p.excluding }

// Wants tells whether the answer has the attribute: "emails", "name.givenName",
// EnterpriseURN, EnterpriseURN+":department". Where only a part of an attribute was chosen,
// both the attribute and the part are wanted. id and schemas always are.
func (p Projection) Wants(attr string) bool {
	if p.All() {
		return true
	}
	key := pathKey(attr)
	if key == "id" || key == "schemas" {
		return true
	}
	parent := parentKey(key)
	top := parentKey(parent)
	if p.excluding && (p.without[key] || parent != "" && p.without[parent] || top != "" && p.without[top]) {
		return false
	}
	if !p.narrowed {
		return true
	}
	if _, named := p.only[key]; named {
		return true
	}
	return parent != "" && p.only[parent] || top != "" && p.only[top]
}

// Asks tells whether the attribute was chosen by its own name: what is shown on request only.
func (p Projection) Asks(attr string) bool { return p.only[pathKey(attr)] && p.Wants(attr) }

// pathKey is Path.Key of a name, and the URN itself where the name is one.
func pathKey(name string) string {
	if strings.EqualFold(name, EnterpriseURN) {
		return strings.ToLower(name)
	}
	if strings.IndexByte(name, ':') < 0 {
		return strings.ToLower(name)
	}
	return splitPath(name).Key()
}

// parentKey returns what contains the attribute: "name" of "name.givenname", the URN of an
// attribute of the extension, "" of the rest.
func parentKey(key string) string {
	from := strings.LastIndexByte(key, ':') + 1
	if i := strings.IndexByte(key[from:], '.'); i >= 0 {
		return key[:from+i]
	}
	if from > 0 && key != strings.ToLower(EnterpriseURN) {
		return key[:from-1]
	}
	return ""
}
