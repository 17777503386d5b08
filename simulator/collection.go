package simulator

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// A collection is /Users or /Groups as one provider uses it.
type collection struct {
	noun   string // in the names of requests: "look up user"
	path   string
	key    string // the attribute by which a resource is found
	nobody string // what is not found where nothing is: "anyone"
	absent bool   // a 404 to a search is taken for nobody, too
	search func(attribute, value string) string
	check  func(resource) error // what the provider demands of every resource it is shown
}

func (in collection) at(id string) string { return in.path + "/" + url.PathEscape(id) }

// find looks a resource up by its name. It answers nil where there is none.
func (c *Client) find(ctx context.Context, in collection, name string) (resource, error) {
	var found resource
	_, err := c.send(ctx, request{
		kind: "look up " + in.noun, method: http.MethodGet, path: in.path, query: in.search(in.key, name),
		want:     []int{http.StatusOK},
		tolerate: func(a *answer) bool { return in.absent && a.status == http.StatusNotFound },
		check: func(a *answer) error {
			all, err := a.listing()
			if err != nil {
				return err
			}
			if all.total > 1 {
				return fmt.Errorf("%d %ss answer to one %s", all.total, in.noun, in.key)
			}
			for _, one := range all.resources {
				if err := in.check(one); err != nil {
					return err
				}
				if !sameName(one.text(in.key), name) {
					return fmt.Errorf("the filter asked for %s and the answer is %s", name, one.text(in.key))
				}
				found = one
			}
			return nil
		},
	})
	return found, err
}

// findOrCreate finds the resource of a name, or creates it with a body.
func (c *Client) findOrCreate(ctx context.Context, in collection, name string, body any, check func(resource) error) (r resource, created bool, err error) {
	if r, err = c.find(ctx, in, name); r != nil || err != nil {
		return r, false, err
	}
	return c.createOrFind(ctx, in, name, body, check)
}

// createOrFind creates the resource of a name. Where the answer to an earlier attempt was lost, the repeated POST meets
// what that one created, and finds it: looking up again is what an admin's retry does.
func (c *Client) createOrFind(ctx context.Context, in collection, name string, body any, check func(resource) error) (r resource, created bool, err error) {
	if r, err = c.create(ctx, in, body, check); r != nil || err != nil {
		return r, err == nil, err
	}
	if r, err = c.find(ctx, in, name); r == nil && err == nil {
		err = &Error{Kind: "create " + in.noun, Method: http.MethodPost, Path: in.path, Status: http.StatusConflict, Attempts: 1,
			Problem: fmt.Sprintf("the server says that %s %s is taken (409) but does not find %s by it", in.key, name, in.nobody)}
	}
	return r, false, err
}

// create answers nil where a repeated POST met its own first attempt.
func (c *Client) create(ctx context.Context, in collection, body any, check func(resource) error) (resource, error) {
	var created resource
	_, err := c.send(ctx, request{
		kind: "create " + in.noun, method: http.MethodPost, path: in.path, body: body,
		want:     []int{http.StatusCreated},
		tolerate: metItself,
		check: func(a *answer) error {
			made, err := in.read(a, check)
			if err == nil {
				created = made
			}
			return err
		},
	})
	return created, err
}

// metItself recognises the conflict of a repeated POST with its own first attempt.
func metItself(a *answer) bool {
	if a.status != http.StatusConflict || a.attempts < 2 {
		return false
	}
	kind := a.refused(&Error{}).SCIMType
	return kind == "" || kind == "uniqueness"
}

// read reads a resource by its id. The query may be empty.
func (c *Client) read(ctx context.Context, in collection, id, query string) (resource, error) {
	var found resource
	_, err := c.send(ctx, request{
		kind: "read " + in.noun, method: http.MethodGet, path: in.at(id), query: query,
		want: []int{http.StatusOK},
		check: func(a *answer) (err error) {
			found, err = in.read(a, sameID(id))
			return err
		},
	})
	return found, err
}

// replace sends a PUT. The answer must show the resource, and pass the check.
func (c *Client) replace(ctx context.Context, in collection, id string, body any, check func(resource) error) error {
	return c.write(ctx, in, id, request{kind: "replace " + in.noun, method: http.MethodPut, body: body, want: []int{http.StatusOK}}, check)
}

// patch sends a PATCH. The answer must be empty (204), or as that to a PUT.
func (c *Client) patch(ctx context.Context, in collection, id string, check func(resource) error, operations ...operation) error {
	return c.write(ctx, in, id, request{kind: "patch " + in.noun, method: http.MethodPatch, body: patchOf(operations...),
		want: []int{http.StatusOK, http.StatusNoContent}}, check)
}

func (c *Client) write(ctx context.Context, in collection, id string, r request, check func(resource) error) error {
	r.path = in.at(id)
	r.check = func(a *answer) error {
		if a.status == http.StatusNoContent {
			return nil
		}
		_, err := in.read(a, sameID(id), check)
		return err
	}
	_, err := c.send(ctx, r)
	return err
}

// remove sends a DELETE.
func (c *Client) remove(ctx context.Context, in collection, id string) error {
	_, err := c.send(ctx, request{
		kind: "delete " + in.noun, method: http.MethodDelete, path: in.at(id),
		want: []int{http.StatusNoContent},
		// A repeated DELETE does not find what its first attempt deleted.
		tolerate: func(a *answer) bool { return a.status == http.StatusNotFound && a.attempts > 1 },
	})
	return err
}

// gone checks that what was deleted is not there any more.
func (c *Client) gone(ctx context.Context, in collection, id string) error {
	_, err := c.send(ctx, request{
		kind: "read deleted " + in.noun, method: http.MethodGet, path: in.at(id),
		want: []int{http.StatusNotFound},
	})
	return err
}

// read reads the answer that shows one resource, and checks it.
func (in collection) read(a *answer, checks ...func(resource) error) (resource, error) {
	r, err := a.object()
	if err != nil {
		return nil, err
	}
	for _, check := range slices.Insert(checks, 0, in.check) {
		if err := check(r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// shows checks that an answer shows what was written: the name, unless it is empty, and active, unless it is nil.
func (in collection) shows(name string, active any) func(resource) error {
	return func(r resource) error {
		if name != "" && !sameName(r.text(in.key), name) {
			return fmt.Errorf("%s was written as %s and answered as %s", in.key, name, r.text(in.key))
		}
		if active != nil && r["active"] != active {
			return fmt.Errorf("active was written as %v and answered as %v", active, r["active"])
		}
		return nil
	}
}

func sameID(id string) func(resource) error {
	return func(r resource) error {
		if r.id() != id {
			return fmt.Errorf("the answer has id %q where the request was for %q", r.id(), id)
		}
		return nil
	}
}

// plainUsers and plainGroups are as RFC 7644 has them, without any demand of a provider's own.
var (
	plainUsers  = collection{noun: "user", path: "/Users", key: "userName", nobody: "anyone", search: exactly, check: checkPlainUser}
	plainGroups = collection{noun: "group", path: "/Groups", key: "displayName", nobody: "any group", search: exactly, check: checkGroup}
)
