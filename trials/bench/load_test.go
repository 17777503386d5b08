//go:build bench

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	workers = 16  // requests at once, as many as Okta sends
	batch   = 100 // members that Okta puts into one PATCH
)

// client is one SCIM server under load.
type client struct {
	name  string
	conns []*conn
}

func newClient(name, base, token string) (*client, error) {
	t, err := newTarget(base, token)
	if err != nil {
		return nil, err
	}
	c := &client{name: name}
	for range workers {
		c.conns = append(c.conns, t.conn())
	}
	return c, nil
}

// person is somebody the load creates.
type person struct{ name, id string }

// people makes n names that no other call with another mark makes.
func people(mark string, n int) []person {
	all := make([]person, n)
	for i := range all {
		all[i].name = "person" + strconv.Itoa(i) + "." + mark + "@bench.test"
	}
	return all
}

// each calls do for 0 to n-1 on several connections, and tells how long that took. The first error ends it.
func (c *client) each(connections, n int, do func(k *conn, i int) error) (time.Duration, error) {
	var (
		next    atomic.Int64
		stop    atomic.Bool
		once    sync.Once
		failure error
		running sync.WaitGroup
	)
	start := time.Now()
	for _, k := range c.conns[:min(connections, n)] {
		running.Go(func() {
			for !stop.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(k, i); err != nil {
					stop.Store(true)
					once.Do(func() { failure = fmt.Errorf("%s: %w", c.name, err) })
				}
			}
		})
	}
	running.Wait()
	return time.Since(start), failure
}

const (
	lookUpHead = "/Users?filter=userName%20eq%20%22"
	lookUpTail = "%22&startIndex=1&count=100"
	patchHead  = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`
)

// absent looks a person up as Okta does before it creates one.
func absent(k *conn, p *person) error {
	status, err := k.do("GET", lookUpHead+p.name+lookUpTail, nil)
	if err == nil && (status != http.StatusOK || k.field("totalResults") != "0") {
		err = k.wrong(status, "look up %s, who is not there", p.name)
	}
	return err
}

func create(k *conn, p *person, i int) error {
	status, err := k.do("POST", "/Users", userBody(k, p, i))
	if err != nil {
		return err
	}
	if p.id = k.field("id"); status != http.StatusCreated || len(p.id) != 36 || k.field("userName") != p.name {
		return k.wrong(status, "create %s", p.name)
	}
	return nil
}

// userBody is a person as Okta sends them.
func userBody(k *conn, p *person, i int) []byte {
	b := append(k.scratch[:0], `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`...)
	b = append(b, p.name...)
	b = append(b, `","name":{"givenName":"Given`...)
	b = strconv.AppendInt(b, int64(i), 10)
	b = append(b, `","familyName":"Family"},"emails":[{"primary":true,"value":"`...)
	b = append(b, p.name...)
	b = append(b, `","type":"work"}],"displayName":"Given`...)
	b = strconv.AppendInt(b, int64(i), 10)
	b = append(b, ` Family","locale":"en-US","externalId":"00u.`...)
	b = append(b, p.name...)
	b = append(b, `","groups":[],"active":true}`...)
	k.scratch = b
	return b
}

// pairs looks everybody up and creates them.
func (c *client) pairs(all []person) (time.Duration, error) {
	return c.each(workers, len(all), func(k *conn, i int) error {
		if err := absent(k, &all[i]); err != nil {
			return err
		}
		return create(k, &all[i], i)
	})
}

// createAll creates everybody without a look-up.
func (c *client) createAll(all []person) error {
	_, err := c.each(workers, len(all), func(k *conn, i int) error { return create(k, &all[i], i) })
	return err
}

// createGroup makes an empty group and returns its id.
func (c *client) createGroup(name string) (id string, err error) {
	_, err = c.each(1, 1, func(k *conn, _ int) error {
		status, err := k.do("POST", "/Groups", []byte(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"`+name+`"}`))
		if id = k.field("id"); err == nil && (status != http.StatusCreated || len(id) != 36) {
			err = k.wrong(status, "create the group %s", name)
		}
		return err
	})
	return id, err
}

// add puts people into a group with one request.
func add(k *conn, group string, some []person) error {
	b := append(k.scratch[:0], patchHead+`{"op":"add","path":"members","value":[`...)
	for i, p := range some {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"value":"`...)
		b = append(b, p.id...)
		b = append(b, `","display":"`...)
		b = append(b, p.name...)
		b = append(b, `"}`...)
	}
	k.scratch = append(b, `]}]}`...)
	return patchGroup(k, group)
}

// remove takes one person out of a group.
func remove(k *conn, group string, p person) error {
	b := append(k.scratch[:0], patchHead+`{"op":"remove","path":"members[value eq \"`...)
	b = append(b, p.id...)
	k.scratch = append(b, `\"]"}]}`...)
	return patchGroup(k, group)
}

// patchGroup sends what is in k.scratch. Either answer of RFC 7644 will do: 204, or 200 with the group.
func patchGroup(k *conn, group string) error {
	status, err := k.do("PATCH", "/Groups/"+group, k.scratch)
	if err == nil && status != http.StatusNoContent && (status != http.StatusOK || k.field("id") != group) {
		err = k.wrong(status, "change the members of group %s", group)
	}
	return err
}

// fill puts everybody into a group, a batch at a time, one request after the other as Okta does.
func (c *client) fill(group string, all []person) (time.Duration, error) {
	batches := slices.Collect(slices.Chunk(all, batch))
	return c.each(1, len(batches), func(k *conn, i int) error { return add(k, group, batches[i]) })
}

// single is how long it took to add or remove one member: every measurement, sorted.
type single struct{ add, remove []time.Duration }

// singles adds each of some, who are not members, to each group and removes them again. The groups take turns, so that
// whatever else the machine does hits them alike.
func (c *client) singles(groups []string, some []person) ([]single, error) {
	took := make([]single, len(groups))
	_, err := c.each(1, len(some), func(k *conn, i int) error {
		for g, group := range groups {
			start := time.Now()
			if err := add(k, group, some[i:i+1]); err != nil {
				return err
			}
			added := time.Now()
			if err := remove(k, group, some[i]); err != nil {
				return err
			}
			took[g].add = append(took[g].add, added.Sub(start))
			took[g].remove = append(took[g].remove, time.Since(added))
		}
		return nil
	})
	for _, s := range took {
		slices.Sort(s.add)
		slices.Sort(s.remove)
	}
	return took, err
}

// deactivate ends the access of everybody given.
func (c *client) deactivate(all []person) (time.Duration, error) {
	content := []byte(patchHead + `{"op":"replace","value":{"active":false}}]}`)
	return c.each(workers, len(all), func(k *conn, i int) error {
		status, err := k.do("PATCH", "/Users/"+all[i].id, content)
		if err == nil && (status != http.StatusOK || k.field("id") != all[i].id || k.field("active") != "false") {
			err = k.wrong(status, "deactivate %s", all[i].name)
		}
		return err
	})
}

// total is how many people the server lists.
func (c *client) total() (n int, err error) {
	_, err = c.each(1, 1, func(k *conn, _ int) error {
		status, err := k.do("GET", "/Users?startIndex=1&count=1", nil)
		if err != nil {
			return err
		}
		if n, err = strconv.Atoi(k.field("totalResults")); err != nil || status != http.StatusOK {
			return k.wrong(status, "count the people")
		}
		return nil
	})
	return n, err
}

// check looks everybody up and reads the answers in full: each is there once, under the id that their creation
// returned, and active or not.
func (c *client) check(all []person, active bool) error {
	_, err := c.each(workers, len(all), func(k *conn, i int) error {
		status, err := k.do("GET", lookUpHead+all[i].name+lookUpTail, nil)
		if err != nil {
			return err
		}
		var list struct {
			TotalResults int
			Resources    []struct {
				ID, UserName string
				Active       *bool
			}
		}
		if err := json.Unmarshal(k.body, &list); err != nil {
			return fmt.Errorf("read the look-up of %s: %w", all[i].name, err)
		}
		if status != http.StatusOK || list.TotalResults != 1 || len(list.Resources) != 1 {
			return k.wrong(status, "look up %s, who is there", all[i].name)
		}
		if r := list.Resources[0]; r.ID != all[i].id || r.UserName != all[i].name || r.Active == nil || *r.Active != active {
			return k.wrong(status, "look up %s, who has the id %s and active %t", all[i].name, all[i].id, active)
		}
		return nil
	})
	return err
}

// checkMembers reads a group in full: its members are exactly these.
func (c *client) checkMembers(group string, want []person) error {
	_, err := c.each(1, 1, func(k *conn, _ int) error {
		status, err := k.do("GET", "/Groups/"+group, nil)
		if err != nil {
			return err
		}
		var g struct {
			ID      string
			Members []struct{ Value string }
		}
		if err := json.Unmarshal(k.body, &g); err != nil {
			return fmt.Errorf("read group %s: %w", group, err)
		}
		if status != http.StatusOK || g.ID != group {
			return k.wrong(status, "read group %s", group)
		}
		missing := make(map[string]bool, len(want))
		for _, p := range want {
			missing[p.id] = true
		}
		for _, m := range g.Members {
			if !missing[m.Value] {
				return fmt.Errorf("group %s has the member %s, who does not belong to it or is there twice", group, m.Value)
			}
			delete(missing, m.Value)
		}
		if len(missing) > 0 {
			return errors.New("group " + group + " lacks " + strconv.Itoa(len(missing)) + " of its " + strconv.Itoa(len(want)) + " members")
		}
		return nil
	})
	return err
}
