package simulator

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// CompliantFlag is what an admin appends to the tenant URL, after a question mark, to get a PATCH as RFC 7644 has it.
const CompliantFlag = "aadOptscim062020"

// Entra is one enterprise application of a Microsoft Entra ID tenant that provisions to BaseURL. Make it with NewEntra.
type Entra struct {
	Client
	// Compliant is set by the flag in the tenant URL. Without it operations are capitalised, booleans in a PATCH are strings
	// and members are removed by a list of values.
	Compliant bool
	// HardDelete deletes whoever was disabled, as Entra does later, once they are gone from the tenant for good.
	HardDelete bool
}

// The name begins as public logs have it; no version is on record. The other headers are assumed.
var inEntra = dialect{
	name:        "Entra",
	headers:     map[string]string{"User-Agent": "Microsoft Azure AD SCIM provisioning 1.0.0", "Accept": mediaType},
	contentType: mediaType + "; charset=utf-8",
}

// entraGroups are never asked for with their members.
var entraGroups = func() collection {
	groups := plainGroups
	groups.search = func(attribute, value string) string { return withoutMembers + "&" + exactly(attribute, value) }
	return groups
}()

const withoutMembers = "excludedAttributes=members"

// NewEntra joins an enterprise application to a SCIM server. The flag for compliance may also be part of the URL, as in
// Entra's own Tenant URL field. Plain http, which Entra refuses, is allowed.
func NewEntra(tenantURL, token string, compliant bool) (*Entra, error) {
	baseURL, flagged := strings.CutSuffix(strings.TrimSpace(tenantURL), "?"+CompliantFlag)
	client, err := newClient(baseURL, token, inEntra)
	if err != nil {
		return nil, err
	}
	e := &Entra{Client: client, Compliant: compliant || flagged}
	if e.Compliant {
		e.dialect.query = CompliantFlag // it reaches the server with every request
	}
	return e, nil
}

// Run plays a plan, as Okta's Run does. Who leaves is taken out of the group and disabled.
func (e *Entra) Run(ctx context.Context, plan Plan, observe Observer) (Report, error) {
	measured := *e
	return measured.play(ctx, measured.script(), plan, observe)
}

func (e *Entra) script() script {
	s := script{
		provider:   "Entra",
		externalID: mailNickname,
		test:       e.TestConnection,
		assign:     e.Assign, update: e.UpdateProfile, deactivate: e.Disable, reactivate: e.Enable,
		push: e.PushGroup, add: e.AddMembers, remove: e.RemoveMembers,
	}
	if e.Compliant {
		s.provider += ", compliant (" + CompliantFlag + ")"
	}
	if e.HardDelete {
		s.delete = e.Delete
	}
	return s
}

// mailNickname is what Entra's default mapping sends as externalId.
func mailNickname(email string) string {
	local, _, _ := strings.Cut(email, "@")
	return local
}

// TestConnection does what the button in Entra does: it looks for a user and a group that do not exist. Entra does not
// save a connection where that is answered with anything but an empty list. The error tells an admin what to do.
func (e *Entra) TestConnection(ctx context.Context) error {
	for _, in := range []collection{plainUsers, entraGroups} {
		_, err := e.send(ctx, request{
			kind: "test connection", method: http.MethodGet, path: in.path, query: in.search(in.key, guid(rand.Text())),
			want: []int{http.StatusOK},
			check: func(a *answer) error {
				found, err := a.listing()
				if err == nil && found.total > 0 {
					err = fmt.Errorf("the filter is ignored: Test Connection looks for a %s that does not exist, and %d are answered", in.noun, found.total)
				}
				return err
			},
		})
		if err != nil {
			return e.explainEmptyList(err, in)
		}
	}
	return nil
}

// explainEmptyList says what Entra expects where a server refuses to look for what does not exist.
func (e *Entra) explainEmptyList(err error, in collection) error {
	var failed *Error
	if !errors.As(err, &failed) || failed.Status != http.StatusBadRequest && failed.Status != http.StatusNotFound || strings.Contains(failed.Reason(), "web page") {
		return e.explain(err)
	}
	failed.Problem = fmt.Sprintf("Test Connection looks for a %s that does not exist, which must be answered with 200 and an empty list, not with %s. "+
		"If there is no SCIM service at %s%s, copy the base URL again", in.noun, failed.Reason(), e.BaseURL, in.path)
	return err
}

// Assign provisions a person and sets p.ID. Entra looks the person up by userName and creates whoever is not there. Whoever
// is there is read, and gets a PATCH with the differences, if there are any: enabled among them.
func (e *Entra) Assign(ctx context.Context, p *Person) error {
	found, created, err := e.findOrCreate(ctx, plainUsers, p.UserName, newEntraUser(p), agrees(p))
	if err != nil {
		return err
	}
	if !created {
		if err := e.patchDifferences(ctx, found.id(), p); err != nil {
			return err
		}
	}
	p.ID = found.id()
	return nil
}

// UpdateProfile pushes what has changed about a person who was assigned before.
func (e *Entra) UpdateProfile(ctx context.Context, p *Person) error {
	if p.ID == "" {
		return e.notAssigned(p)
	}
	return e.patchDifferences(ctx, p.ID, p)
}

func (e *Entra) patchDifferences(ctx context.Context, id string, p *Person) error {
	user, err := e.read(ctx, plainUsers, id, "")
	if err != nil {
		return err
	}
	changes := differences(user, p)
	if len(changes) == 0 {
		return nil
	}
	return e.patch(ctx, plainUsers, id, agrees(p), e.operations(changes)...)
}

// Disable is what Entra does to whoever is not in scope any more.
func (e *Entra) Disable(ctx context.Context, p *Person) error { return e.setActive(ctx, p, false) }

// Enable is what Entra does to whoever is in scope again.
func (e *Entra) Enable(ctx context.Context, p *Person) error { return e.setActive(ctx, p, true) }

func (e *Entra) setActive(ctx context.Context, p *Person, active bool) error {
	if p.ID == "" {
		return e.notAssigned(p)
	}
	change := attribute{path: "active", have: !active, want: active}
	return e.patch(ctx, plainUsers, p.ID, plainUsers.shows("", active), e.operations([]attribute{change})...)
}

// Delete deletes a person for good. A user who can still be read afterwards is an error.
func (e *Entra) Delete(ctx context.Context, p *Person) error {
	if p.ID == "" {
		return e.notAssigned(p)
	}
	if err := e.remove(ctx, plainUsers, p.ID); err != nil {
		return err
	}
	return e.gone(ctx, plainUsers, p.ID)
}

type newEntraGroup struct {
	Schemas     []string          `json:"schemas"`
	ExternalID  string            `json:"externalId"`
	DisplayName string            `json:"displayName"`
	Meta        map[string]string `json:"meta"`
}

// PushGroup makes a group on the server, always empty, or adopts the one that has its name. Entra does not ask who is in it.
func (e *Entra) PushGroup(ctx context.Context, name string) (*Group, error) {
	found, _, err := e.findOrCreate(ctx, entraGroups, name, newEntraGroup{
		Schemas:     []string{coreGroup, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"},
		ExternalID:  guid(name),
		DisplayName: name,
		Meta:        map[string]string{"resourceType": "Group"},
	}, entraGroups.shows(name, nil))
	if err != nil {
		return nil, err
	}
	return &Group{ID: found.id(), Name: name}, nil
}

// AddMembers adds people to a pushed group, at most 100 a PATCH, and reads the group once, without its members.
func (e *Entra) AddMembers(ctx context.Context, g *Group, people []Person) error {
	added := g.lacks(people)
	if len(added) == 0 {
		return nil
	}
	if err := e.addMembers(ctx, entraGroups, g, added, e.addition); err != nil {
		return err
	}
	group, err := e.read(ctx, entraGroups, g.ID, withoutMembers)
	if err != nil {
		return err
	}
	if shown, _ := group.list("members"); len(shown) > 0 { // checked when it was read
		return &Error{Kind: "read group", Method: http.MethodGet, Path: entraGroups.at(g.ID), Status: http.StatusOK, Attempts: 1,
			Problem: fmt.Sprintf("Entra asked for the group without its members (%s) and the answer shows %d", withoutMembers, len(shown))}
	}
	return nil
}

// RemoveMembers takes people out of a pushed group.
func (e *Entra) RemoveMembers(ctx context.Context, g *Group, people []Person) error {
	removed, _ := g.without(people)
	if e.Compliant {
		return e.removeMembers(ctx, entraGroups, g, removed, removalByPath)
	}
	return e.removeMembers(ctx, entraGroups, g, removed, func(batch []Member) []operation {
		return []operation{{Op: "Remove", Path: "members", Value: references(batch)}}
	})
}

func (e *Entra) addition(batch []Member) []operation {
	if e.Compliant { // the shape with the flag is assumed
		return additionByValue(batch)
	}
	value := make([]map[string]any, 0, len(batch))
	for _, member := range batch {
		value = append(value, map[string]any{"$ref": nil, "value": member.Value})
	}
	return []operation{{Op: "Add", Path: "members", Value: value}}
}

// guid has the shape of an object id in Entra, and is always the same for the same text.
func guid(of string) string {
	sum := sha256.Sum256([]byte(of))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
