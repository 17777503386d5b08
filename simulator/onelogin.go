package simulator

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
)

// Leaver is what a OneLogin app does about people who lose it.
type Leaver string

const (
	// Suspend sets active to false.
	Suspend Leaver = "suspend"
	// Delete sends a real DELETE.
	Delete Leaver = "delete"
)

// ParseLeaver reads a leaver option as it is written on a command line; empty means Suspend.
func ParseLeaver(s string) (Leaver, error) {
	switch leaver := Leaver(strings.ToLower(strings.TrimSpace(s))); leaver {
	case "":
		return Suspend, nil
	case Suspend, Delete:
		return leaver, nil
	}
	return "", fmt.Errorf("leaver option %q is not known: use suspend (active is set to false) or delete", s)
}

// OneLogin is one SCIM app of a OneLogin account that provisions to BaseURL. Make it with NewOneLogin. Its user is what the
// admin's JSON template makes of a person. Little of its traffic is on record: the order of the requests is, while their
// bodies are assumed to be plain SCIM, a profile is assumed to be replaced by PUT, as the template is a whole user, and
// a suspension to be a PATCH.
type OneLogin struct {
	Client
	Leaver Leaver
	// OldTemplate is a template that still declares the schema of SCIM 1.0, below a base URL of SCIM 2.0.
	OldTemplate bool
}

// No User-Agent of OneLogin's is on record, so that none is sent. The other headers are assumed.
var inOneLogin = dialect{
	name:        "OneLogin",
	headers:     map[string]string{"User-Agent": "", "Accept": mediaType},
	contentType: mediaType,
}

// NewOneLogin joins a OneLogin app to a SCIM server. Plain http is allowed.
func NewOneLogin(baseURL, token string, leaver Leaver) (*OneLogin, error) {
	client, err := newClient(baseURL, token, inOneLogin)
	if err != nil {
		return nil, err
	}
	leaver, err = ParseLeaver(string(leaver))
	if err != nil {
		return nil, err
	}
	return &OneLogin{Client: client, Leaver: leaver}, nil
}

// Run plays a plan, as Okta's Run does. Who leaves is suspended, or deleted at once.
func (o *OneLogin) Run(ctx context.Context, plan Plan, observe Observer) (Report, error) {
	measured := *o
	return measured.play(ctx, measured.script(), plan, observe)
}

func (o *OneLogin) script() script {
	s := script{
		provider:   "OneLogin, leavers are suspended",
		externalID: oneLoginID,
		test:       o.TestConnection,
		assign:     o.Assign, update: o.UpdateProfile, deactivate: o.Suspend, reactivate: o.UpdateProfile,
		push: o.PushGroup, add: o.AddMembers, batch: MemberBatch,
	}
	if o.Leaver == Delete {
		s.provider = "OneLogin, leavers are deleted"
		s.deactivate, s.delete = nil, o.Delete
	}
	if o.OldTemplate {
		s.provider += ", template of SCIM 1.0"
	}
	return s
}

// oneLoginID is a number, as the ids of OneLogin's users are.
func oneLoginID(email string) string {
	hash := fnv.New32a()
	hash.Write([]byte(email))
	return fmt.Sprint(hash.Sum32())
}

// TestConnection does what 'Enable' in OneLogin does: it asks for the base URL itself. What it makes of the answer is not known:
// whatever answers is taken for alive, but for 401, 403 and 5xx. The error tells an admin what to do.
func (o *OneLogin) TestConnection(ctx context.Context) error {
	_, err := o.send(ctx, request{
		kind: "test connection", method: http.MethodGet,
		tolerate: func(a *answer) bool {
			return a.status < 500 && a.status != http.StatusUnauthorized && a.status != http.StatusForbidden
		},
	})
	return o.explain(err)
}

// Assign gives a person the app and sets p.ID. OneLogin looks the person up by userName, and creates or replaces.
func (o *OneLogin) Assign(ctx context.Context, p *Person) error {
	found, created, err := o.findOrCreate(ctx, plainUsers, p.UserName, o.template(p), plainUsers.shows(p.UserName, true))
	if err != nil {
		return err
	}
	if !created {
		if err := o.replaceUser(ctx, found.id(), p); err != nil {
			return err
		}
	}
	p.ID = found.id()
	return nil
}

// UpdateProfile pushes the profile of a person who was assigned before, and ends a suspension.
func (o *OneLogin) UpdateProfile(ctx context.Context, p *Person) error {
	if p.ID == "" {
		return o.notAssigned(p)
	}
	return o.replaceUser(ctx, p.ID, p)
}

func (o *OneLogin) replaceUser(ctx context.Context, id string, p *Person) error {
	return o.replace(ctx, plainUsers, id, o.template(p), plainUsers.shows(p.UserName, true))
}

// template is what the admin's JSON template makes of a person.
func (o *OneLogin) template(p *Person) plainUser {
	user := plain(p, true)
	switch {
	case o.OldTemplate:
		user.Schemas = []string{"urn:scim:schemas:core:1.0"}
	case p.Department != "":
		user.Schemas = append(user.Schemas, enterpriseUser)
		user.Enterprise = &enterprise{Department: p.Department}
	}
	return user
}

// Suspend takes the app away from a person under the option 'Suspend'.
func (o *OneLogin) Suspend(ctx context.Context, p *Person) error {
	if p.ID == "" {
		return o.notAssigned(p)
	}
	return o.patch(ctx, plainUsers, p.ID, plainUsers.shows("", false), operation{Op: "replace", Path: "active", Value: false})
}

// Delete takes the app away from a person under the option 'Delete'.
func (o *OneLogin) Delete(ctx context.Context, p *Person) error {
	if p.ID == "" {
		return o.notAssigned(p)
	}
	return o.remove(ctx, plainUsers, p.ID)
}

// PushGroup makes a group on the server, empty, or adopts the one that has its name.
func (o *OneLogin) PushGroup(ctx context.Context, name string) (*Group, error) {
	body := plainGroup{Schemas: []string{coreGroup}, DisplayName: name}
	found, _, err := o.findOrCreate(ctx, plainGroups, name, body, plainGroups.shows(name, nil))
	if err != nil {
		return nil, err
	}
	return &Group{ID: found.id(), Name: name}, nil
}

// AddMembers adds people to a pushed group, at most 100 a PATCH.
func (o *OneLogin) AddMembers(ctx context.Context, g *Group, people []Person) error {
	return o.addMembers(ctx, plainGroups, g, g.lacks(people), additionByValue)
}
