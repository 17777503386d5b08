package simulator

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
)

// JumpCloud is one application of a JumpCloud organisation that provisions to BaseURL. Make it with NewJumpCloud. What it
// does and in which order is documented. Its bodies are not, but for the removal of members: they are assumed to be
// plain SCIM.
type JumpCloud struct {
	Client
}

// No User-Agent of JumpCloud's is on record, so that none is sent. The other headers are assumed.
var inJumpCloud = dialect{
	name:        "JumpCloud",
	headers:     map[string]string{"User-Agent": "", "Accept": mediaType},
	contentType: mediaType,
}

// The test user and the test group of an activation. In JumpCloud an admin chooses the address.
const (
	testUser  = "jumpcloud.test.user@acme.test"
	testGroup = "JumpCloud Test Group"
)

// NewJumpCloud joins a JumpCloud application to a SCIM server. Plain http is allowed.
func NewJumpCloud(baseURL, token string) (*JumpCloud, error) {
	client, err := newClient(baseURL, token, inJumpCloud)
	if err != nil {
		return nil, err
	}
	return &JumpCloud{Client: client}, nil
}

// Run plays a plan, as Okta's Run does. Who leaves is taken out of the group and deactivated, as JumpCloud does with the
// members of a user group that is taken off the application. A group without members is not created.
func (j *JumpCloud) Run(ctx context.Context, plan Plan, observe Observer) (Report, error) {
	measured := *j
	return measured.play(ctx, measured.script(), plan, observe)
}

func (j *JumpCloud) script() script {
	return script{
		provider:   "JumpCloud",
		externalID: jumpCloudID,
		test:       j.TestConnection,
		assign:     j.Assign, update: j.UpdateProfile, deactivate: j.Deactivate, reactivate: j.UpdateProfile,
		push: j.PushGroup, add: j.AddMembers, remove: j.RemoveMembers, batch: MemberBatch,
	}
}

// jumpCloudID is 24 hexadecimal digits, as the ids of JumpCloud's users are.
func jumpCloudID(email string) string {
	sum := sha256.Sum256([]byte(email))
	return fmt.Sprintf("%x", sum[:12])
}

// TestConnection does what an activation in JumpCloud does: it creates a test user and a test group and deletes both again.
// A server that refuses to delete the user gets them deactivated instead. What was deleted must be gone. The error tells
// an admin what to do.
func (j *JumpCloud) TestConnection(ctx context.Context) error {
	p := Person{UserName: testUser, GivenName: "Test", FamilyName: "User", Email: testUser, ExternalID: jumpCloudID(testUser)}
	if err := j.Assign(ctx, &p); err != nil {
		return j.explain(err)
	}
	err := j.testGroup(ctx, p)
	if failed := j.withdraw(ctx, &p); err == nil {
		err = failed
	}
	return err
}

func (j *JumpCloud) testGroup(ctx context.Context, p Person) error {
	g, err := j.PushGroup(ctx, testGroup)
	if err != nil {
		return err
	}
	if err := j.AddMembers(ctx, g, []Person{p}); err != nil {
		return err
	}
	return j.DeleteGroup(ctx, g)
}

// withdraw deletes the test user, or deactivates them where that is refused.
func (j *JumpCloud) withdraw(ctx context.Context, p *Person) error {
	err := j.remove(ctx, plainUsers, p.ID)
	if err == nil {
		return j.gone(ctx, plainUsers, p.ID)
	}
	var failed *Error
	if !errors.As(err, &failed) || failed.Status == 0 {
		return err
	}
	return j.Deactivate(ctx, p)
}

// Assign gives a person the application and sets p.ID. JumpCloud looks the person up by userName, and creates or replaces.
func (j *JumpCloud) Assign(ctx context.Context, p *Person) error {
	found, created, err := j.findOrCreate(ctx, plainUsers, p.UserName, plain(p, true), plainUsers.shows(p.UserName, true))
	if err != nil {
		return err
	}
	if !created {
		if err := j.replaceUser(ctx, found.id(), p, true); err != nil {
			return err
		}
	}
	p.ID = found.id()
	return nil
}

// UpdateProfile pushes the profile of a person who was assigned before, and activates them.
func (j *JumpCloud) UpdateProfile(ctx context.Context, p *Person) error { return j.put(ctx, p, true) }

// Deactivate takes the application away from a person.
func (j *JumpCloud) Deactivate(ctx context.Context, p *Person) error { return j.put(ctx, p, false) }

func (j *JumpCloud) put(ctx context.Context, p *Person, active bool) error {
	if p.ID == "" {
		return j.notAssigned(p)
	}
	return j.replaceUser(ctx, p.ID, p, active)
}

func (j *JumpCloud) replaceUser(ctx context.Context, id string, p *Person, active bool) error {
	return j.replace(ctx, plainUsers, id, plain(p, active), plainUsers.shows(p.UserName, active))
}

// PushGroup looks for a group and adopts the one that has its name. Where there is none, it is created with its first
// members: JumpCloud creates no group that is empty.
func (j *JumpCloud) PushGroup(ctx context.Context, name string) (*Group, error) {
	found, err := j.find(ctx, plainGroups, name)
	if err != nil {
		return nil, err
	}
	return &Group{ID: found.id(), Name: name}, nil
}

// AddMembers adds people to a pushed group, at most 100 a request: a POST if there is no group yet, then by PATCH.
func (j *JumpCloud) AddMembers(ctx context.Context, g *Group, people []Person) error {
	added := g.lacks(people)
	if len(added) > 0 && g.ID == "" {
		first := added[:min(len(added), MemberBatch)]
		body := plainGroup{Schemas: []string{coreGroup}, DisplayName: g.Name, Members: references(first)}
		group, created, err := j.createOrFind(ctx, plainGroups, g.Name, body, plainGroups.shows(g.Name, nil))
		if err != nil {
			return err
		}
		g.ID = group.id()
		if created {
			g.Members, added = append(g.Members, first...), added[len(first):]
		}
	}
	return j.addMembers(ctx, plainGroups, g, added, additionByValue)
}

// RemoveMembers takes people out of a pushed group: the members to remove are the value, as Entra writes them.
func (j *JumpCloud) RemoveMembers(ctx context.Context, g *Group, people []Person) error {
	removed, _ := g.without(people)
	return j.removeMembers(ctx, plainGroups, g, removed, func(batch []Member) []operation {
		return []operation{{Op: "remove", Path: "members", Value: references(batch)}}
	})
}

// RenameGroup gives a pushed group another name.
func (j *JumpCloud) RenameGroup(ctx context.Context, g *Group, name string) error {
	if err := j.patch(ctx, plainGroups, g.ID, plainGroups.shows(name, nil), operation{Op: "replace", Path: "displayName", Value: name}); err != nil {
		return err
	}
	g.Name = name
	return nil
}

// DeleteGroup deletes a pushed group. A group that can still be read afterwards is an error.
func (j *JumpCloud) DeleteGroup(ctx context.Context, g *Group) error {
	if err := j.remove(ctx, plainGroups, g.ID); err != nil {
		return err
	}
	return j.gone(ctx, plainGroups, g.ID)
}
