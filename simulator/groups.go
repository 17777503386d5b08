package simulator

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

const coreGroup = "urn:ietf:params:scim:schemas:core:2.0:Group"

// Group is a group as Okta knows it: Okta's own list of members is what counts, not the server's. It must not be used
// by two goroutines at once.
type Group struct {
	ID      string
	Name    string
	Members []Member
}

// Member is one member of a group, as it is written in a request.
type Member struct {
	Value   string `json:"value"`
	Display string `json:"display"`
}

func members(people []Person) []Member {
	all := make([]Member, 0, len(people))
	for _, p := range people {
		if p.ID != "" { // Okta sends only those who are provisioned in the app
			all = append(all, Member{Value: p.ID, Display: p.UserName})
		}
	}
	return all
}

type newGroup struct {
	Schemas     []string `json:"schemas"`
	DisplayName string   `json:"displayName"`
	Members     []Member `json:"members"`
}

// PushGroup makes a group on the server, empty, or adopts the one that has its name, with the members it has. Okta reads
// the group at once and writes it again.
func (o *Okta) PushGroup(ctx context.Context, name string) (*Group, error) {
	id, err := o.lookUpGroup(ctx, name)
	if err != nil {
		return nil, err
	}
	if id == "" {
		if id, err = o.createGroup(ctx, name); err != nil {
			return nil, err
		}
	}
	if id == "" { // a repeated POST met its own first attempt
		if id, err = o.lookUpGroup(ctx, name); err != nil {
			return nil, err
		}
		if id == "" {
			return nil, &Error{Kind: "create group", Method: http.MethodPost, Path: "/Groups", Status: http.StatusConflict, Attempts: 1,
				Problem: fmt.Sprintf("the server says that displayName %s is taken (409) but does not find any group by it", name)}
		}
	}
	group := &Group{ID: id, Name: name}
	read, err := o.readGroup(ctx, id)
	if err != nil {
		return nil, err
	}
	if !sameName(read.text("displayName"), name) {
		return nil, &Error{Kind: "read group", Method: http.MethodGet, Path: "/Groups/" + id, Status: http.StatusOK, Attempts: 1,
			Problem: fmt.Sprintf("the group pushed as %s reads as %s", name, read.text("displayName"))}
	}
	there, _ := read.list("members") // checked when it was read
	for _, member := range there {
		group.Members = append(group.Members, Member{Value: member.text("value"), Display: member.text("display")})
	}
	if o.Style == Patch {
		err = o.patchGroup(ctx, group, renameOf(group))
	} else {
		err = o.putGroup(ctx, group, read)
	}
	if err != nil {
		return nil, err
	}
	return group, nil
}

// AddMembers adds people to a pushed group; who has no ID is left out. An integration network app repeats the name and
// then adds at most 100 members a PATCH. A wizard app reads the group and sends the whole list once.
func (o *Okta) AddMembers(ctx context.Context, g *Group, people []Person) error {
	known := make(map[string]bool, len(g.Members))
	for _, member := range g.Members {
		known[member.Value] = true
	}
	var added []Member
	for _, member := range members(people) {
		if !known[member.Value] {
			known[member.Value] = true
			added = append(added, member)
		}
	}
	if len(added) == 0 {
		return nil
	}
	if o.Style == Put {
		return o.replaceGroup(ctx, g, g.Name, append(slices.Clone(g.Members), added...))
	}
	if err := o.patchGroup(ctx, g, renameOf(g)); err != nil {
		return err
	}
	for batch := range slices.Chunk(added, MemberBatch) {
		if err := o.patchGroup(ctx, g, operation{Op: "add", Path: "members", Value: batch}); err != nil {
			return err
		}
		g.Members = append(g.Members, batch...)
	}
	return nil
}

// RemoveMembers takes people out of a pushed group, as AddMembers adds them.
func (o *Okta) RemoveMembers(ctx context.Context, g *Group, people []Person) error {
	gone := make(map[string]bool, len(people))
	for _, member := range members(people) {
		gone[member.Value] = true
	}
	var removed, left []Member
	for _, member := range g.Members {
		if gone[member.Value] {
			removed = append(removed, member)
		} else {
			left = append(left, member)
		}
	}
	if len(removed) == 0 {
		return nil
	}
	if o.Style == Put {
		return o.replaceGroup(ctx, g, g.Name, left)
	}
	if err := o.patchGroup(ctx, g, renameOf(g)); err != nil {
		return err
	}
	for batch := range slices.Chunk(removed, MemberBatch) {
		operations := make([]operation, 0, len(batch))
		for _, member := range batch {
			operations = append(operations, operation{Op: "remove", Path: fmt.Sprintf(`members[value eq "%s"]`, member.Value)})
		}
		if err := o.patchGroup(ctx, g, operations...); err != nil {
			return err
		}
		g.Members = slices.DeleteFunc(g.Members, func(m Member) bool {
			return slices.ContainsFunc(batch, func(b Member) bool { return b.Value == m.Value })
		})
	}
	return nil
}

// PushNow makes the given people the only members: Okta's button of that name. Nobody is an answer too.
func (o *Okta) PushNow(ctx context.Context, g *Group, people []Person) error {
	all := members(people)
	if o.Style == Put {
		return o.replaceGroup(ctx, g, g.Name, all)
	}
	if err := o.patchGroup(ctx, g, operation{Op: "replace", Path: "members", Value: all}); err != nil {
		return err
	}
	g.Members = all
	return nil
}

// RenameGroup gives a pushed group another name.
func (o *Okta) RenameGroup(ctx context.Context, g *Group, name string) error {
	if o.Style == Put {
		return o.replaceGroup(ctx, g, name, g.Members)
	}
	renamed := &Group{ID: g.ID, Name: name}
	if err := o.patchGroup(ctx, renamed, renameOf(renamed)); err != nil {
		return err
	}
	g.Name = name
	return nil
}

// DeleteGroup is unlinking a pushed group with 'delete the group in the target app'.
func (o *Okta) DeleteGroup(ctx context.Context, g *Group) error {
	_, err := o.send(ctx, request{
		kind: "delete group", method: http.MethodDelete, path: g.path(),
		want: []int{http.StatusNoContent},
		// A repeated DELETE does not find what its first attempt deleted.
		tolerate: func(a *answer) bool { return a.status == http.StatusNotFound && a.attempts > 1 },
	})
	return err
}

func (g *Group) path() string { return "/Groups/" + url.PathEscape(g.ID) }

func renameOf(g *Group) operation {
	return operation{Op: "replace", Value: struct {
		ID          string `json:"id"`
		DisplayName string `json:"displayName"`
	}{g.ID, g.Name}}
}

func (o *Okta) lookUpGroup(ctx context.Context, name string) (id string, err error) {
	_, err = o.send(ctx, request{
		kind: "look up group", method: http.MethodGet, path: "/Groups", query: lookup("displayName", name),
		want:     []int{http.StatusOK},
		tolerate: func(a *answer) bool { return a.status == http.StatusNotFound },
		check: func(a *answer) error {
			groups, err := a.listing()
			if err != nil {
				return err
			}
			if groups.total > 1 {
				return fmt.Errorf("%d groups answer to one displayName", groups.total)
			}
			for _, group := range groups.resources {
				if err := checkGroup(group); err != nil {
					return err
				}
				if !sameName(group.text("displayName"), name) {
					return fmt.Errorf("the filter asked for %s and the answer is %s", name, group.text("displayName"))
				}
				id = group.id()
			}
			return nil
		},
	})
	return id, err
}

// createGroup answers no id where the group must be adopted.
func (o *Okta) createGroup(ctx context.Context, name string) (id string, err error) {
	_, err = o.send(ctx, request{
		kind: "create group", method: http.MethodPost, path: "/Groups",
		body:     newGroup{Schemas: []string{coreGroup}, DisplayName: name, Members: []Member{}},
		want:     []int{http.StatusCreated},
		tolerate: metItself,
		check: func(a *answer) error {
			group, err := a.object()
			if err != nil {
				return err
			}
			if err := checkGroup(group); err != nil {
				return err
			}
			if !sameName(group.text("displayName"), name) {
				return fmt.Errorf("the group was created as %s and answered as %s", name, group.text("displayName"))
			}
			id = group.id()
			return nil
		},
	})
	return id, err
}

func (o *Okta) readGroup(ctx context.Context, id string) (resource, error) {
	var group resource
	_, err := o.send(ctx, request{
		kind: "read group", method: http.MethodGet, path: "/Groups/" + url.PathEscape(id),
		want: []int{http.StatusOK},
		check: func(a *answer) error {
			var err error
			if group, err = a.object(); err != nil {
				return err
			}
			if err := checkGroup(group); err != nil {
				return err
			}
			return checkSameID(group, id)
		},
	})
	return group, err
}

// replaceGroup reads the group and writes it with another name or other members, all of them.
func (o *Okta) replaceGroup(ctx context.Context, g *Group, name string, all []Member) error {
	read, err := o.readGroup(ctx, g.ID)
	if err != nil {
		return err
	}
	changed := &Group{ID: g.ID, Name: name, Members: all}
	if err := o.putGroup(ctx, changed, read); err != nil {
		return err
	}
	*g = *changed
	return nil
}

func (o *Okta) putGroup(ctx context.Context, g *Group, read resource) error {
	body := maps.Clone(read)
	body["schemas"] = withSchema(body["schemas"], coreGroup)
	body["displayName"] = g.Name
	body["members"] = append([]Member{}, g.Members...) // never null
	_, err := o.send(ctx, request{
		kind: "replace group", method: http.MethodPut, path: g.path(), body: body,
		want:  []int{http.StatusOK},
		check: func(a *answer) error { return g.checkAnswer(a) },
	})
	return err
}

func (o *Okta) patchGroup(ctx context.Context, g *Group, operations ...operation) error {
	_, err := o.send(ctx, request{
		kind: "patch group", method: http.MethodPatch, path: g.path(), body: patchOf(operations...),
		want: []int{http.StatusOK, http.StatusNoContent},
		check: func(a *answer) error {
			if a.status == http.StatusNoContent {
				return nil
			}
			return g.checkAnswer(a)
		},
	})
	return err
}

// checkAnswer checks the answer to a write. Okta does not need the members in it.
func (g *Group) checkAnswer(a *answer) error {
	group, err := a.object()
	if err != nil {
		return err
	}
	if err := checkGroup(group); err != nil {
		return err
	}
	if err := checkSameID(group, g.ID); err != nil {
		return err
	}
	if !sameName(group.text("displayName"), g.Name) {
		return fmt.Errorf("the group was written as %s and answered as %s", g.Name, group.text("displayName"))
	}
	return nil
}
