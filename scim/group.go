package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Member is one member of a group: the id of a user, and the name the client showed for it.
type Member struct{ Value, Display string }

// Group is the client-owned attributes of a Group resource (RFC 7643 section 4.2).
// MembersGiven tells an empty list, which empties the group, from none at all.
type Group struct {
	DisplayName, ExternalID string
	Members                 []Member
	MembersGiven            bool
}

// DecodeGroup reads the body of a POST or PUT. displayName is required, and trimmed. Members
// are read one after the other, so that the body of a large group is never held as a whole;
// a member named twice counts once. Unknown attributes and schema URNs are dropped.
// An error of the reader comes back wrapped; every other one is an *Error.
func DecodeGroup(r io.Reader) (*Group, error) {
	d := groupDecoder{json: json.NewDecoder(r), group: &Group{}}
	d.json.UseNumber() // a number is never looked at, so none may be too large
	if err := d.decode(); err != nil {
		return nil, err
	}
	return d.group, nil
}

type groupDecoder struct {
	json  *json.Decoder
	group *Group
	raw   json.RawMessage // reused
	seen  [8]bool         // by index in groupAttributes
	named bool
}

func (d *groupDecoder) decode() error {
	open, err := d.json.Token()
	if err != nil {
		return d.failed(err)
	}
	if open != json.Delim('{') {
		return InvalidSyntax("The body must be one JSON object")
	}
	for d.json.More() {
		key, err := d.json.Token()
		if err != nil {
			return d.failed(err)
		}
		if err := d.attribute(key.(string)); err != nil {
			return err
		}
	}
	if _, err := d.json.Token(); err != nil {
		return d.failed(err)
	}
	if _, err := d.json.Token(); err == nil {
		return InvalidSyntax("The body has more after the JSON object; send one object")
	} else if err != io.EOF {
		return d.failed(err)
	}
	if !d.named {
		return requiredGroupName()
	}
	return nil
}

func requiredGroupName() error {
	return InvalidValue("displayName is required; give the group a name")
}

// failed tells a body that is not JSON from a reader that failed.
func (d *groupDecoder) failed(err error) error {
	_, syntax := errors.AsType[*json.SyntaxError](err)
	switch {
	case syntax:
		return syntaxError(err)
	case err == io.EOF && d.json.InputOffset() == 0:
		return InvalidSyntax("The request has no body; send a JSON object")
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return InvalidSyntax("The body ends before its JSON does; send all of it")
	}
	return fmt.Errorf("read body: %w", err)
}

// next reads the next value whole.
func (d *groupDecoder) next() error {
	if err := d.json.Decode(&d.raw); err != nil {
		return d.failed(err)
	}
	return checkJSON(d.raw)
}

func (d *groupDecoder) attribute(key string) error {
	at := find(groupAttributes, withoutURN(key, GroupURN))
	if at < 0 {
		return d.next() // unknown: dropped
	}
	a := &groupAttributes[at]
	if d.seen[at] {
		return duplicate(a.name)
	}
	d.seen[at] = true
	if a.name == "members" {
		return d.members()
	}
	if err := d.next(); err != nil || a.owner != client {
		return err
	}
	value, err := a.decode(a.name, d.raw, true)
	if err != nil {
		return err
	}
	s, _ := value.(string)
	switch a.name {
	case "displayName":
		d.group.DisplayName = strings.TrimSpace(s)
		d.named = d.group.DisplayName != ""
	case "externalId":
		d.group.ExternalID = s
	}
	return nil
}

// withoutURN cuts the URN of the core schema from a qualified name (Entra).
func withoutURN(name, urn string) string {
	if n := len(urn); len(name) > n+1 && name[n] == ':' && strings.EqualFold(name[:n], urn) {
		return name[n+1:]
	}
	return name
}

func (d *groupDecoder) members() error {
	token, err := d.json.Token()
	if err != nil {
		return d.failed(err)
	}
	var set memberSet
	switch token {
	case json.Delim('['):
		for d.json.More() {
			if err := d.next(); err != nil {
				return err
			}
			if err := set.addRaw(d.raw); err != nil {
				return err
			}
		}
	case json.Delim('{'): // one object instead of an array, as for other lists
		var b memberBuilder
		for d.json.More() {
			key, err := d.json.Token()
			if err != nil {
				return d.failed(err)
			}
			if err := d.next(); err != nil {
				return err
			}
			if err := b.set(key.(string), d.raw); err != nil {
				return err
			}
		}
		if err := set.addBuilt(&b); err != nil {
			return err
		}
	case nil: // null says nothing about the members
		return nil
	default:
		return InvalidValue(`members must be an array, but %v was sent; send an array such as [{"value":"…"}]`, token)
	}
	if _, err := d.json.Token(); err != nil { // the closing bracket
		return d.failed(err)
	}
	d.group.Members, d.group.MembersGiven = set.list, true
	if set.list == nil {
		d.group.Members = []Member{}
	}
	return nil
}
