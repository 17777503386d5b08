package simulator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
)

// TestConnection does what the button in Okta does: it lists two users. Okta does not save a connection for which this
// fails. The error tells an admin what to do.
func (o *Okta) TestConnection(ctx context.Context) error {
	_, err := o.send(ctx, request{
		kind: "test connection", method: http.MethodGet, path: "/Users", query: "startIndex=1&count=2",
		want: []int{http.StatusOK},
		check: func(a *answer) error {
			users, err := a.listing()
			if err != nil {
				return err
			}
			if users.total == 0 {
				return errors.New("no results for users returned: Okta's test fails on an empty list")
			}
			if len(users.resources) > 2 {
				return fmt.Errorf("the list has %d users where 2 were asked for", len(users.resources))
			}
			for _, user := range users.resources {
				if err := checkUser(user); err != nil {
					return err
				}
			}
			return nil
		},
	})
	return o.explain(err)
}

// Assign gives a person the app and sets p.ID. Okta looks the person up by userName and creates whoever is not there.
// Whoever is there gets the current profile, and is reactivated where needed: in the same PUT by a wizard app, by a
// PATCH before it by an integration network app.
func (o *Okta) Assign(ctx context.Context, p *Person) error {
	found, created, err := o.findOrCreate(ctx, oktaUsers, p.UserName, o.newUser(p), oktaUsers.shows(p.UserName, true))
	if err != nil {
		return err
	}
	id := found.id()
	if !created {
		if o.Style == Patch && found["active"] == false {
			if err := o.patchActive(ctx, id, true); err != nil {
				return err
			}
		}
		if err := o.replaceUser(ctx, id, func(user resource) resource { return merged(user, p, true) }); err != nil {
			return err
		}
	}
	p.ID = id
	return nil
}

// UpdateProfile pushes the profile of an active person who was assigned before: GET and PUT in both styles.
func (o *Okta) UpdateProfile(ctx context.Context, p *Person) error {
	if p.ID == "" {
		return o.notAssigned(p)
	}
	return o.replaceUser(ctx, p.ID, func(user resource) resource { return merged(user, p, true) })
}

// Deactivate takes the app away from a person. Okta never deletes.
func (o *Okta) Deactivate(ctx context.Context, p *Person) error { return o.setActive(ctx, p, false) }

// Reactivate gives the app back to a person whom Okta still knows.
func (o *Okta) Reactivate(ctx context.Context, p *Person) error { return o.setActive(ctx, p, true) }

func (o *Okta) setActive(ctx context.Context, p *Person, active bool) error {
	if p.ID == "" {
		return o.notAssigned(p)
	}
	if o.Style == Patch {
		return o.patchActive(ctx, p.ID, active)
	}
	return o.replaceUser(ctx, p.ID, func(user resource) resource {
		body := maps.Clone(user)
		body["active"] = active
		return body
	})
}

// replaceUser reads a user and writes back what change makes of it.
func (o *Okta) replaceUser(ctx context.Context, id string, change func(resource) resource) error {
	user, err := o.read(ctx, oktaUsers, id, "")
	if err != nil {
		return err
	}
	body := change(user)
	return o.replace(ctx, oktaUsers, id, body, oktaUsers.shows(body.text("userName"), body["active"]))
}

func (o *Okta) patchActive(ctx context.Context, id string, active bool) error {
	return o.patch(ctx, oktaUsers, id, oktaUsers.shows("", active), operation{Op: "replace", Value: map[string]any{"active": active}})
}
