package scim

import "strings"

// GroupChangeKind says what a GroupChange does.
type GroupChangeKind uint8

// The changes that a PATCH can make to a group.
const (
	SetDisplayName   GroupChangeKind = iota + 1 // to Text, never empty
	SetExternalID                               // to Text; "" clears it
	AddMembers                                  // those named, where they are not members yet
	RemoveMembers                               // those named and no others
	ReplaceMembers                              // the group has exactly those named
	RemoveAllMembers                            // asked for outright: remove members without a filter or value
)

// String returns the kind in words.
func (k GroupChangeKind) String() string {
	names := [...]string{"nothing", "set displayName", "set externalId", "add members", "remove members", "replace members", "remove all members"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// GroupChange is one step of a PATCH of a group. Members is set for AddMembers, RemoveMembers
// (never empty) and ReplaceMembers (may be empty); no member is named twice.
type GroupChange struct {
	Kind    GroupChangeKind
	Text    string
	Members []Member
}

// GroupChanges returns what the operations ask of the group whose id is id, in order. They
// name what changes and never the whole group, so that the cost does not grow with it.
// Either all operations are understood or the error names the first that is not.
func (p *Patch) GroupChanges(id string, d Dialect) ([]GroupChange, error) {
	g := groupEdit{id: id, dialect: d}
	for i, op := range p.ops {
		if err := g.apply(op); err != nil {
			return nil, inOperation(i, err)
		}
	}
	return g.changes, nil
}

type groupEdit struct {
	id      string
	dialect Dialect
	changes []GroupChange
}

func (g *groupEdit) apply(op operation) error {
	if op.path != "" {
		t, err := parseTarget(op.path)
		if err != nil {
			return err
		}
		return g.applyTarget(op.verb, t, op.value, true)
	}
	if op.verb == remove {
		return needsPath()
	}
	object, err := lenientObject(op)
	if err != nil {
		return err
	}
	seen := 0
	for key, value := range members(object) {
		t := target{Path: Path{Attr: key}}
		if lenientKey(key) {
			if t, err = parseTarget(key); err != nil {
				continue // not a path, so an unknown name
			}
		}
		if at := find(groupAttributes, t.Attr); at >= 0 && t.of == nil && t.Sub == "" && (t.URN == "" || isCoreURN(t.URN)) {
			if seen&(1<<at) != 0 {
				return duplicate(groupAttributes[at].name)
			}
			seen |= 1 << at
		}
		if err := g.applyTarget(op.verb, t, value, false); err != nil {
			return err
		}
	}
	return nil
}

func (g *groupEdit) applyTarget(v verb, t target, raw []byte, explicit bool) error {
	at := find(groupAttributes, t.Attr)
	if at < 0 || t.URN != "" && !strings.EqualFold(t.URN, GroupURN) {
		if explicit && !g.dialect.IgnoreUnknownPaths {
			return InvalidPath("The path %q names no attribute of a Group; use displayName, externalId or members", t.Path)
		}
		return nil
	}
	a := &groupAttributes[at]
	if a.name == "members" {
		return g.members(v, t, raw, explicit)
	}
	if t.of != nil || t.Sub != "" {
		return InvalidPath("%s is a single text, so the path must be just %s", a.name, a.name)
	}
	if a.owner != client {
		e := edit{id: g.id}
		return e.refuse(a, raw, explicit)
	}
	return g.text(v, a, raw)
}

func (g *groupEdit) text(v verb, a *attribute, raw []byte) error {
	if v == remove {
		if a.required {
			return Mutability("%s is required and cannot be removed; replace it instead", a.name)
		}
		g.changes = append(g.changes, GroupChange{Kind: SetExternalID})
		return nil
	}
	if raw == nil {
		return InvalidValue("%s of %s needs a value", v, a.name)
	}
	value, err := a.decode(a.name, raw, true)
	if err != nil {
		return err
	}
	s, _ := value.(string)
	c := GroupChange{Kind: SetExternalID, Text: s}
	if a.required {
		if c = (GroupChange{Kind: SetDisplayName, Text: strings.TrimSpace(s)}); c.Text == "" {
			return requiredGroupName()
		}
	}
	g.changes = append(g.changes, c)
	return nil
}

// members turns an operation on members into a change. Whatever names members changes those
// and no others; nothing but `remove members` without value, and a list that replaces, ever
// empties a group.
func (g *groupEdit) members(v verb, t target, raw []byte, explicit bool) error {
	if t.Sub != "" && (!strings.EqualFold(t.Sub, "value") || t.of != nil || v == replace) {
		return g.memberDetail(t)
	}
	if t.of != nil {
		return g.filtered(v, t.of)
	}
	set := memberSet{leaving: v == remove}
	switch {
	case v == remove && raw == nil && t.Sub == "":
		g.changes = append(g.changes, GroupChange{Kind: RemoveAllMembers})
		return nil
	case isNull(raw) && !explicit, isNull(raw) && v == add && raw != nil:
		return nil
	case isNull(raw):
		return InvalidValue(`%s of members with a null value names nobody; name the members, or replace members with [] to remove all`, v)
	}
	if err := set.addAll(raw); err != nil {
		return err
	}
	c := GroupChange{Members: set.list}
	switch v {
	case add:
		c.Kind = AddMembers
	case remove: // those that are listed: see lenientRemove
		c.Kind = RemoveMembers
	case replace:
		c.Kind = ReplaceMembers
	}
	if len(set.list) == 0 {
		if v != replace {
			return nil
		}
		if raw[0] != '[' {
			return InvalidValue("members must be an array, but %s was sent; send [] to remove all members", describe(raw))
		}
		c.Members = []Member{}
	}
	g.changes = append(g.changes, c)
	return nil
}

// memberDetail answers a path to one detail of a member. What we show of a member is the
// user's own; its value is immutable (RFC 7643 section 4.2).
func (g *groupEdit) memberDetail(t target) error {
	switch {
	case strings.EqualFold(t.Sub, "value"):
		return Mutability("The value of a member cannot be changed; remove the member and add the other one")
	case strings.EqualFold(t.Sub, "display"), strings.EqualFold(t.Sub, "type"), strings.EqualFold(t.Sub, "$ref"):
		return nil
	}
	return InvalidPath("members has no sub-attribute %q; use members or members[value eq \"…\"]", t.Sub)
}

// lenientAdd adds those whom the filter of the path names, though there is no value: OneLogin is said to send that.
func (g *groupEdit) lenientAdd(set memberSet) {
	g.changes = append(g.changes, GroupChange{Kind: AddMembers, Members: set.list})
}

// filtered is `members[value eq "x"]`, or several joined by or.
func (g *groupEdit) filtered(v verb, of Filter) error {
	var set memberSet
	if err := namedBy(of, &set); err != nil {
		return err
	}
	switch v {
	case remove:
		g.changes = append(g.changes, GroupChange{Kind: RemoveMembers, Members: set.list})
	case add:
		g.lenientAdd(set)
	default:
		return InvalidPath(`A member cannot be replaced by a filter; remove members[value eq "…"] and add the other one to members`)
	}
	return nil
}

func namedBy(f Filter, set *memberSet) error {
	switch f := f.(type) {
	case Or:
		if err := namedBy(f.Left, set); err != nil {
			return err
		}
		return namedBy(f.Right, set)
	case Compare:
		if value, ok := f.Value.(string); ok && f.Op == Eq && f.Path.Key() == "value" && !isBlank(value) {
			if err := idText.check("members.value", value); err != nil {
				return err
			}
			set.add(Member{Value: value})
			return nil
		}
	}
	return InvalidFilter(`Members can be chosen by value only; use members[value eq "the id of the user"]`)
}
