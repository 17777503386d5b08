package scim

import "strings"

// memberSet gathers members and drops repetitions. Up to a few it compares, then it maps.
type memberSet struct {
	leaving bool // they are to be removed: a group among them may go
	list    []Member
	have    map[string]struct{}
}

func (s *memberSet) add(m Member) {
	const few = 16
	if s.have == nil && len(s.list) < few {
		for i := range s.list {
			if s.list[i].Value == m.Value {
				return
			}
		}
		s.list = append(s.list, m)
		return
	}
	if s.have == nil {
		s.have = make(map[string]struct{}, 8*few)
		for i := range s.list {
			s.have[s.list[i].Value] = struct{}{}
		}
	}
	if _, ok := s.have[m.Value]; !ok {
		s.have[m.Value] = struct{}{}
		s.list = append(s.list, m)
	}
}

// addRaw adds one element of a members array: an object, or a plain string for its value.
func (s *memberSet) addRaw(raw []byte) error {
	var b memberBuilder
	switch raw[0] {
	case '{':
		for key, value := range members(raw) {
			if err := b.set(key, value); err != nil {
				return err
			}
		}
	case '"':
		if err := b.set("value", raw); err != nil {
			return err
		}
	default:
		return InvalidValue(`A member must be an object such as {"value":"…"}, but %s was sent`, describe(raw))
	}
	return s.addBuilt(&b)
}

func (s *memberSet) addBuilt(b *memberBuilder) error {
	if isBlank(b.member.Value) {
		return InvalidValue("A member has no value; send the id of the user as its value")
	}
	if b.nested && !s.leaving {
		return NestedGroup(b.member.Value)
	}
	s.add(b.member)
	return nil
}

// addAll adds the members of a PATCH value: an array, one object or one string.
func (s *memberSet) addAll(raw []byte) error {
	if isUnassigned(raw) && raw[0] != '{' {
		return nil
	}
	if raw[0] != '[' {
		return s.addRaw(raw)
	}
	for value := range elements(raw) {
		if err := s.addRaw(value); err != nil {
			return err
		}
	}
	return nil
}

// memberBuilder gathers the sub-attributes of one member.
type memberBuilder struct {
	member Member
	seen   bool
	nested bool
}

// set takes value, display, type and $ref; anything else is dropped.
// A display that is not a short text is dropped too, for ours is the user's own name.
func (b *memberBuilder) set(key string, raw []byte) error {
	switch {
	case strings.EqualFold(key, "value"):
		if b.seen {
			return duplicate("members.value")
		}
		b.seen = true
		if isUnassigned(raw) {
			return nil
		}
		if raw[0] != '"' {
			return InvalidValue("The value of a member must be a string, but %s was sent; send the id of the user", describe(raw))
		}
		b.member.Value = unquote(raw)
		return idText.check("members.value", b.member.Value)
	case strings.EqualFold(key, "display"):
		if raw[0] == '"' {
			if s := unquote(raw); nameText.check("", s) == nil {
				b.member.Display = s
			}
		}
	case strings.EqualFold(key, "type"):
		b.nested = b.nested || raw[0] == '"' && strings.EqualFold(unquote(raw), "Group")
	case strings.EqualFold(key, "$ref"):
		b.nested = b.nested || raw[0] == '"' && strings.Contains(unquote(raw), "/Groups/")
	case strings.EqualFold(key, "operation"):
		return InvalidValue("A member carries operation, which is SCIM 1.1; send PATCH operations of SCIM 2.0, such as %s", `{"op":"remove","path":"members[value eq \"…\"]"}`)
	}
	return nil
}

// NestedGroup is 400: a member of a group is a group.
func NestedGroup(value string) *Error {
	return InvalidValue("The member %q is a group. Nested groups are not supported; push the users of that group instead", value)
}
