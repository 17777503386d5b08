package scim

import (
	"bytes"
	"time"
)

// Meta is what the server knows of a resource (RFC 7643 section 3.1). Location is absolute.
type Meta struct {
	ID, Location          string
	Created, LastModified time.Time
	Version               string // shown as the weak ETag W/"…"; "" is not shown
}

// GroupRef is one group of a user, as shown in the user's groups.
type GroupRef struct{ Value, Display, Ref string }

// GroupView is a Group resource as it is shown. Members is the page of members to show.
type GroupView struct {
	DisplayName, ExternalID string
	Members                 []Member
	Users                   string // the address of every user, but for the id at its end
}

// AppendUser appends a User resource. stored is what User.Stored returned. Without a
// projection it goes out as it is, undecoded. An attribute without a value is absent, never null.
func AppendUser(dst, stored []byte, active bool, m Meta, groups []GroupRef, p Projection) []byte {
	head := bytes.IndexByte(stored, ']') + 1
	whole := p.All() && head > 0 && bytes.HasPrefix(stored, []byte(`{"schemas":["`)) && stored[len(stored)-1] == '}'
	if whole {
		dst = append(dst, stored[:head]...)
		dst = appendText(dst, "id", m.ID)
		dst = append(dst, stored[head:len(stored)-1]...)
	} else {
		dst = appendSelected(dst, stored, m.ID, p)
	}
	if p.Wants("active") {
		dst = append(dst, `,"active":`...)
		dst = appendBool(dst, active)
	}
	if len(groups) > 0 && p.Wants("groups") {
		dst = append(dst, `,"groups":[`...)
		as := element{p.Wants("groups.value"), p.Wants("groups.$ref"), p.Wants("groups.display"), p.Wants("groups.type"), "direct"}
		for i, g := range groups {
			dst = as.append(dst, i, g.Value, g.Ref, "", g.Display)
		}
		dst = append(dst, ']')
	}
	return append(appendMeta(dst, "User", m, p), '}')
}

// appendSelected decodes the stored user and appends what the projection wants of it.
// A stored user that cannot be read shows as one without attributes.
func appendSelected(dst, stored []byte, id string, p Projection) []byte {
	u, err := LoadUser(stored, false)
	if err != nil {
		u = emptyUser()
	}
	dst = append(dst, `{"schemas":["`+UserURN+`"`...)
	extended := false
	var extension []byte
	if p.Wants(EnterpriseURN) {
		extension = u.enterprise.append(nil, false, EnterpriseURN+":", p.Wants)
		if extended = len(extension) > len("{}"); extended {
			dst = append(dst, `,"`+EnterpriseURN+`"`...)
		}
	}
	dst = appendText(append(dst, ']'), "id", id)
	dst = u.core.append(dst, true, "", p.Wants)
	if extended {
		dst = append(dst, `,"`+EnterpriseURN+`":`...)
		dst = append(dst, extension...)
	}
	return dst
}

// AppendGroup appends a Group resource. members is an array also when empty, unless the
// projection leaves it out, as Entra asks.
func AppendGroup(dst []byte, g GroupView, m Meta, p Projection) []byte {
	dst = append(dst, `{"schemas":["`+GroupURN+`"]`...)
	dst = appendText(dst, "id", m.ID)
	if g.ExternalID != "" && p.Wants("externalId") {
		dst = appendText(dst, "externalId", g.ExternalID)
	}
	if p.Wants("displayName") {
		dst = appendText(dst, "displayName", g.DisplayName)
	}
	if p.Wants("members") {
		dst = append(dst, `,"members":[`...)
		as := element{p.Wants("members.value"), p.Asks("members.$ref"), p.Wants("members.display"), p.Asks("members.type"), "User"}
		for i, member := range g.Members {
			dst = as.append(dst, i, member.Value, g.Users, member.Value, member.Display)
		}
		dst = append(dst, ']')
	}
	return append(appendMeta(dst, "Group", m, p), '}')
}

// appendText appends `,"name":"text"`.
func appendText(dst []byte, name, text string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return appendString(dst, text)
}

// element says what of the elements of groups or members is shown.
type element struct {
	value, ref, display, kind bool
	as                        string // their type
}

// append appends one, after a comma unless it is the first. The address is in two parts.
func (e element) append(dst []byte, i int, value, ref, refEnd, display string) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, '{')
	first := len(dst)
	name := func(s string) {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), s...), '"', ':')
	}
	if e.value {
		name("value")
		dst = appendString(dst, value)
	}
	if e.ref {
		name("$ref")
		dst = appendString(dst, ref)
		dst = append(append(dst[:len(dst)-1], refEnd...), '"') // ids need no escaping
	}
	if e.display && display != "" {
		name("display")
		dst = appendString(dst, display)
	}
	if e.kind {
		name("type")
		dst = appendString(dst, e.as)
	}
	return append(dst, '}')
}

// appendMeta appends meta with its times in RFC 3339, UTC, milliseconds.
func appendMeta(dst []byte, resourceType string, m Meta, p Projection) []byte {
	if !p.Wants("meta") {
		return dst
	}
	dst = append(dst, `,"meta":{`...)
	start := len(dst)
	name := func(s string) bool {
		if !p.Wants("meta." + s) {
			return false
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), s...), '"', ':')
		return true
	}
	if name("resourceType") {
		dst = appendString(dst, resourceType)
	}
	if !m.Created.IsZero() && name("created") {
		dst = appendTime(dst, m.Created)
	}
	if !m.LastModified.IsZero() && name("lastModified") {
		dst = appendTime(dst, m.LastModified)
	}
	if m.Location != "" && name("location") {
		dst = appendString(dst, m.Location)
	}
	if m.Version != "" && name("version") {
		dst = appendString(dst, ETag(m.Version))
	}
	return append(dst, '}')
}

func appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, '"')
}
