package simulator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
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

// explain says what the admin should do about a connection test that failed.
func (o *Okta) explain(err error) error {
	var failed *Error
	if !errors.As(err, &failed) {
		return err
	}
	said := ""
	if failed.Detail != "" {
		said = "; the server says: " + failed.Detail
	}
	switch {
	case failed.Status == http.StatusUnauthorized:
		failed.Problem = "authorization failure (401): the token is not accepted. Paste the whole token, without the word Bearer " +
			"before it, and check that it was not replaced by a newer one" + said
	case failed.Status == http.StatusForbidden:
		failed.Problem = "the token is known but may not be used (403): check that directory sync is part of the plan and that " +
			"the connection is not paused" + said
	case failed.Status == http.StatusNotFound:
		failed.Problem = fmt.Sprintf("there is no SCIM service at %s/Users (404): copy the base URL again from the directory sync settings, "+
			"to its end and without /Users", o.BaseURL) + said
	case strings.Contains(failed.Reason(), "web page"):
		failed.Problem = fmt.Sprintf("%s answers with a web page (%d), not with SCIM: the base URL is that of the website; copy it from the "+
			"directory sync settings", o.BaseURL, failed.Status)
	case failed.Status == 0:
		failed.Problem = fmt.Sprintf("no server answers at %s: %v. Check the host, the port and that the server runs", o.BaseURL, failed.Err)
	}
	return err
}

// Assign gives a person the app and sets p.ID. Okta looks the person up by userName and creates whoever is not there.
// Whoever is there gets the current profile, and is reactivated where needed: in the same PUT by a wizard app, by a
// PATCH before it by an integration network app.
func (o *Okta) Assign(ctx context.Context, p *Person) error {
	found, err := o.lookUpUser(ctx, p)
	if err != nil {
		return err
	}
	if found == nil {
		adopt, err := o.createUser(ctx, p)
		if err != nil || !adopt {
			return err
		}
		// An earlier attempt did create the person, only its answer was lost. Looking up again is what an admin's retry
		// does in Okta.
		if found, err = o.lookUpUser(ctx, p); err != nil {
			return err
		}
		if found == nil {
			return &Error{Kind: "create user", Method: http.MethodPost, Path: "/Users", Status: http.StatusConflict, Attempts: 1,
				Problem: fmt.Sprintf("the server says that userName %s is taken (409) but does not find anyone by it", p.UserName)}
		}
	}
	id := found.id()
	if o.Style == Patch && found["active"] == false {
		if err := o.patchActive(ctx, id, true); err != nil {
			return err
		}
	}
	if err := o.replaceUser(ctx, id, func(user resource) resource { return merged(user, p, true) }); err != nil {
		return err
	}
	p.ID = id
	return nil
}

// UpdateProfile pushes the profile of an active person who was assigned before: GET and PUT in both styles.
func (o *Okta) UpdateProfile(ctx context.Context, p *Person) error {
	if p.ID == "" {
		return notAssigned(p)
	}
	return o.replaceUser(ctx, p.ID, func(user resource) resource { return merged(user, p, true) })
}

// Deactivate takes the app away from a person. Okta never deletes.
func (o *Okta) Deactivate(ctx context.Context, p *Person) error { return o.setActive(ctx, p, false) }

// Reactivate gives the app back to a person whom Okta still knows.
func (o *Okta) Reactivate(ctx context.Context, p *Person) error { return o.setActive(ctx, p, true) }

func (o *Okta) setActive(ctx context.Context, p *Person, active bool) error {
	if p.ID == "" {
		return notAssigned(p)
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

func notAssigned(p *Person) error {
	return fmt.Errorf("%s was never assigned: Okta has no id to write to", p.UserName)
}

// lookUpUser answers nil where nobody has the userName. Okta also takes a 404 for that.
func (o *Okta) lookUpUser(ctx context.Context, p *Person) (resource, error) {
	var found resource
	_, err := o.send(ctx, request{
		kind: "look up user", method: http.MethodGet, path: "/Users", query: lookup("userName", p.UserName),
		want:     []int{http.StatusOK},
		tolerate: func(a *answer) bool { return a.status == http.StatusNotFound },
		check: func(a *answer) error {
			users, err := a.listing()
			if err != nil {
				return err
			}
			if users.total > 1 {
				return fmt.Errorf("%d users answer to one userName", users.total)
			}
			for _, user := range users.resources {
				if err := checkUser(user); err != nil {
					return err
				}
				if !sameName(user.text("userName"), p.UserName) {
					return fmt.Errorf("the filter asked for %s and the answer is %s", p.UserName, user.text("userName"))
				}
				found = user
			}
			return nil
		},
	})
	return found, err
}

// createUser sets p.ID, or says that the person must be adopted because a repeated POST met its own first attempt.
func (o *Okta) createUser(ctx context.Context, p *Person) (adopt bool, err error) {
	a, err := o.send(ctx, request{
		kind: "create user", method: http.MethodPost, path: "/Users", body: o.newUser(p),
		want:     []int{http.StatusCreated},
		tolerate: metItself,
		check: func(a *answer) error {
			user, err := a.object()
			if err != nil {
				return err
			}
			if err := checkWritten(user, p.UserName, true); err != nil {
				return err
			}
			p.ID = user.id()
			return nil
		},
	})
	return err == nil && a.status == http.StatusConflict, err
}

// metItself recognises the conflict of a repeated POST with its own first attempt.
func metItself(a *answer) bool {
	if a.status != http.StatusConflict || a.attempts < 2 {
		return false
	}
	kind := a.refused(&Error{}).SCIMType
	return kind == "" || kind == "uniqueness"
}

// replaceUser reads a user and writes back what change makes of it.
func (o *Okta) replaceUser(ctx context.Context, id string, change func(resource) resource) error {
	user, err := o.readUser(ctx, id)
	if err != nil {
		return err
	}
	body := change(user)
	_, err = o.send(ctx, request{
		kind: "replace user", method: http.MethodPut, path: "/Users/" + url.PathEscape(id), body: body,
		want: []int{http.StatusOK},
		check: func(a *answer) error {
			user, err := a.object()
			if err != nil {
				return err
			}
			return checkSame(user, id, body.text("userName"), body["active"])
		},
	})
	return err
}

func (o *Okta) readUser(ctx context.Context, id string) (resource, error) {
	var user resource
	_, err := o.send(ctx, request{
		kind: "read user", method: http.MethodGet, path: "/Users/" + url.PathEscape(id),
		want: []int{http.StatusOK},
		check: func(a *answer) error {
			var err error
			if user, err = a.object(); err != nil {
				return err
			}
			if err := checkUser(user); err != nil {
				return err
			}
			return checkSameID(user, id)
		},
	})
	return user, err
}

func (o *Okta) patchActive(ctx context.Context, id string, active bool) error {
	_, err := o.send(ctx, request{
		kind: "patch user", method: http.MethodPatch, path: "/Users/" + url.PathEscape(id),
		body: patchOf(operation{Op: "replace", Value: map[string]any{"active": active}}),
		want: []int{http.StatusOK, http.StatusNoContent},
		check: func(a *answer) error {
			if a.status == http.StatusNoContent {
				return nil
			}
			user, err := a.object()
			if err != nil {
				return err
			}
			return checkSame(user, id, "", active)
		},
	})
	return err
}

// checkSame checks that the answer to a write shows the same user with what was written.
func checkSame(user resource, id, userName string, active any) error {
	if err := checkWritten(user, userName, active); err != nil {
		return err
	}
	return checkSameID(user, id)
}

func checkSameID(r resource, id string) error {
	if r.id() != id {
		return fmt.Errorf("the answer has id %q where the request was for %q", r.id(), id)
	}
	return nil
}

func checkWritten(user resource, userName string, active any) error {
	if err := checkUser(user); err != nil {
		return err
	}
	if userName != "" && !sameName(user.text("userName"), userName) {
		return fmt.Errorf("userName was written as %s and answered as %s", userName, user.text("userName"))
	}
	if user["active"] != active {
		return fmt.Errorf("active was written as %v and answered as %v", active, user["active"])
	}
	return nil
}
