package simulator

import (
	"context"
	"fmt"
	"slices"
)

const coreGroup = "urn:ietf:params:scim:schemas:core:2.0:Group"

// Group is a group as the provider knows it: its own list of members is what counts, not the server's. It must not be used
// by two goroutines at once.
type Group struct {
	ID      string // empty for a group that JumpCloud has not created yet
	Name    string
	Members []Member
}

// Member is one member of a group, as Okta writes it in a request.
type Member struct {
	Value   string `json:"value"`
	Display string `json:"display"`
}

func members(people []Person) []Member {
	all := make([]Member, 0, len(people))
	for _, p := range people {
		if p.ID != "" { // only those who are provisioned in the app are sent
			all = append(all, Member{Value: p.ID, Display: p.UserName})
		}
	}
	return all
}

// lacks are those of the people who are no members yet.
func (g *Group) lacks(people []Person) []Member {
	known := make(map[string]bool, len(g.Members))
	for _, member := range g.Members {
		known[member.Value] = true
	}
	var lacking []Member
	for _, member := range members(people) {
		if !known[member.Value] {
			known[member.Value] = true
			lacking = append(lacking, member)
		}
	}
	return lacking
}

// without tells the members who are among the people from the others.
func (g *Group) without(people []Person) (removed, left []Member) {
	gone := make(map[string]bool, len(people))
	for _, member := range members(people) {
		gone[member.Value] = true
	}
	for _, member := range g.Members {
		if gone[member.Value] {
			removed = append(removed, member)
		} else {
			left = append(left, member)
		}
	}
	return removed, left
}

// addMembers adds members to a group, each batch of them by one PATCH with the operations that written makes of it.
func (c *Client) addMembers(ctx context.Context, in collection, g *Group, added []Member, written func([]Member) []operation) error {
	for batch := range slices.Chunk(added, MemberBatch) {
		if err := c.patch(ctx, in, g.ID, in.shows(g.Name, nil), written(batch)...); err != nil {
			return err
		}
		g.Members = append(g.Members, batch...)
	}
	return nil
}

// removeMembers takes members out of a group, as addMembers adds them.
func (c *Client) removeMembers(ctx context.Context, in collection, g *Group, removed []Member, written func([]Member) []operation) error {
	for batch := range slices.Chunk(removed, MemberBatch) {
		if err := c.patch(ctx, in, g.ID, in.shows(g.Name, nil), written(batch)...); err != nil {
			return err
		}
		g.Members = slices.DeleteFunc(g.Members, func(m Member) bool {
			return slices.ContainsFunc(batch, func(b Member) bool { return b.Value == m.Value })
		})
	}
	return nil
}

// removalByPath names each member in the path of an operation of its own.
func removalByPath(batch []Member) []operation {
	operations := make([]operation, 0, len(batch))
	for _, member := range batch {
		operations = append(operations, operation{Op: "remove", Path: fmt.Sprintf(`members[value eq "%s"]`, member.Value)})
	}
	return operations
}

// additionByValue adds members in one operation.
func additionByValue(batch []Member) []operation {
	return []operation{{Op: "add", Path: "members", Value: references(batch)}}
}

// references are members as most providers write them, by value alone.
func references(members []Member) []map[string]string {
	all := make([]map[string]string, 0, len(members))
	for _, member := range members {
		all = append(all, map[string]string{"value": member.Value})
	}
	return all
}
