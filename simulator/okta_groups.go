package simulator

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

type newGroup struct {
	Schemas     []string `json:"schemas"`
	DisplayName string   `json:"displayName"`
	Members     []Member `json:"members"`
}

// PushGroup makes a group on the server, empty, or adopts the one that has its name, with the members it has. Okta reads
// the group at once and writes it again.
func (o *Okta) PushGroup(ctx context.Context, name string) (*Group, error) {
	body := newGroup{Schemas: []string{coreGroup}, DisplayName: name, Members: []Member{}}
	found, _, err := o.findOrCreate(ctx, oktaGroups, name, body, oktaGroups.shows(name, nil))
	if err != nil {
		return nil, err
	}
	group := &Group{ID: found.id(), Name: name}
	read, err := o.read(ctx, oktaGroups, group.ID, "")
	if err != nil {
		return nil, err
	}
	if !sameName(read.text("displayName"), name) {
		return nil, &Error{Kind: "read group", Method: http.MethodGet, Path: oktaGroups.at(group.ID), Status: http.StatusOK, Attempts: 1,
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
	added := g.lacks(people)
	if len(added) == 0 {
		return nil
	}
	if o.Style == Put {
		return o.replaceGroup(ctx, g, g.Name, append(slices.Clone(g.Members), added...))
	}
	if err := o.patchGroup(ctx, g, renameOf(g)); err != nil {
		return err
	}
	return o.addMembers(ctx, oktaGroups, g, added, func(batch []Member) []operation {
		return []operation{{Op: "add", Path: "members", Value: batch}}
	})
}

// RemoveMembers takes people out of a pushed group, as AddMembers adds them.
func (o *Okta) RemoveMembers(ctx context.Context, g *Group, people []Person) error {
	removed, left := g.without(people)
	if len(removed) == 0 {
		return nil
	}
	if o.Style == Put {
		return o.replaceGroup(ctx, g, g.Name, left)
	}
	if err := o.patchGroup(ctx, g, renameOf(g)); err != nil {
		return err
	}
	return o.removeMembers(ctx, oktaGroups, g, removed, removalByPath)
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
	return o.remove(ctx, oktaGroups, g.ID)
}

func renameOf(g *Group) operation {
	return operation{Op: "replace", Value: struct {
		ID          string `json:"id"`
		DisplayName string `json:"displayName"`
	}{g.ID, g.Name}}
}

// replaceGroup reads the group and writes it with another name or other members, all of them.
func (o *Okta) replaceGroup(ctx context.Context, g *Group, name string, all []Member) error {
	read, err := o.read(ctx, oktaGroups, g.ID, "")
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
	return o.replace(ctx, oktaGroups, g.ID, body, oktaGroups.shows(g.Name, nil))
}

// patchGroup sends a PATCH. Okta does not need the members in the answer.
func (o *Okta) patchGroup(ctx context.Context, g *Group, operations ...operation) error {
	return o.patch(ctx, oktaGroups, g.ID, oktaGroups.shows(g.Name, nil), operations...)
}
