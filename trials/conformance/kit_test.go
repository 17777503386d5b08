package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The providers that a connection can be made for.
const (
	custom    = "custom"
	okta      = "okta"
	entra     = "entra"
	onelogin  = "onelogin"
	jumpcloud = "jumpcloud"
	ping      = "ping"
	google    = "google"
	rippling  = "rippling"
)

const (
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	messages      = "urn:ietf:params:scim:api:messages:2.0:"
)

// client is a SCIM client inside one test: it fails the test it belongs to.
type client struct {
	*testing.T
	whole  *testing.T // the test of which T may be a part
	server *server
	connection
	header http.Header // sent with every request
}

// each runs a test against every server, side by side, through the connection of a provider that the tests share.
func each(t *testing.T, provider string, test func(c *client)) {
	t.Helper()
	eachServer(t, func(t *testing.T, s *server) connection { return s.shared(t, provider) }, test)
}

// alone is each through a connection that no other test uses.
func alone(t *testing.T, provider string, test func(c *client)) {
	t.Helper()
	eachServer(t, func(t *testing.T, s *server) connection { return s.connect(t, provider) }, test)
}

func eachServer(t *testing.T, connect func(*testing.T, *server) connection, test func(c *client)) {
	t.Helper()
	t.Parallel()
	for name, get := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := get()
			if err != nil {
				t.Fatal(err)
			}
			test(&client{T: t, whole: t, server: s, connection: connect(t, s), header: http.Header{"Accept": {"application/scim+json"}}})
		})
	}
}

// sub runs one sentence of a test.
func (c *client) sub(name string, test func(c *client)) {
	c.Helper()
	c.Run(name, func(t *testing.T) { test(c.in(t)) })
}

func (c *client) in(t *testing.T) *client {
	inner := *c
	inner.T, inner.header = t, c.header.Clone()
	return &inner
}

// as sets what the client sends with every request from now on, as name and value in turn.
func (c *client) as(headers ...string) *client {
	for i := 0; i < len(headers); i += 2 {
		c.header.Set(headers[i], headers[i+1])
	}
	return c
}

// supports skips the test where the server does not declare a part of SCIM.
func (c *client) supports(feature string) {
	c.Helper()
	c.server.mu.Lock()
	known := c.server.supports
	c.server.mu.Unlock()
	if known == nil {
		known = map[string]bool{}
		config := c.get("/ServiceProviderConfig").is(200)
		for _, name := range []string{"patch", "bulk", "filter", "sort", "etag"} {
			known[name] = config.at(name+"/supported") == true
		}
		known["cursor"] = config.at("pagination/cursor") == true
		c.server.mu.Lock()
		c.server.supports = known
		c.server.mu.Unlock()
	}
	if !known[feature] {
		c.Skip("ServiceProviderConfig does not declare " + feature)
	}
}

func (c *client) get(path string, headers ...string) answer {
	c.Helper()
	return c.send("GET", path, "", headers...)
}
func (c *client) post(path, body string) answer { c.Helper(); return c.send("POST", path, body) }
func (c *client) put(path, body string) answer  { c.Helper(); return c.send("PUT", path, body) }
func (c *client) delete(path string) answer     { c.Helper(); return c.send("DELETE", path, "") }

// patch sends operations, each a JSON object.
func (c *client) patch(path string, operations ...string) answer {
	c.Helper()
	return c.send("PATCH", path, patchOp(operations...))
}

func patchOp(operations ...string) string {
	return `{"schemas":["` + messages + `PatchOp"],"Operations":[` + strings.Join(operations, ",") + `]}`
}

// find lists what a filter finds. more are further query parameters, as in count=1.
func (c *client) find(path, filter string, more ...string) answer {
	c.Helper()
	return c.get(path + "?" + strings.Join(append([]string{"filter=" + url.QueryEscape(filter)}, more...), "&"))
}

// finds fails the test unless a filter on Users finds exactly the people with the ids, in any order.
func (c *client) finds(filter string, ids ...string) {
	c.Helper()
	got := c.find("/Users", filter).is(200).ids()
	slices.Sort(got)
	want := slices.Sorted(slices.Values(ids))
	if !slices.Equal(got, want) {
		c.Errorf("%s finds %q, not %q", filter, got, want)
	}
}

var browser = &http.Client{
	Timeout:       30 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 50},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send makes one request and looks at the answer. A header that is set to "" is left out. It stops no test, so that
// requests may be sent side by side.
func (c *client) send(method, path, body string, headers ...string) answer {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + c.Token}}
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	maps.Copy(r.Header, c.header)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	a := answer{c: c, method: method, path: path, sent: body}
	got, err := browser.Do(r)
	if err != nil {
		a.errorf("no answer: %v", err)
		return a
	}
	defer got.Body.Close()
	a.status, a.header = got.StatusCode, got.Header
	if a.body, err = io.ReadAll(got.Body); err != nil {
		a.errorf("half an answer: %v", err)
		return a
	}
	a.look()
	if method == "POST" && a.status == 201 {
		collection, _, _ := strings.Cut(path, "?")
		c.made(strings.TrimRight(collection, "/") + "/" + fmt.Sprint(a.at("id")))
	}
	return a
}

// made deletes what was made on a server that somebody else runs once the test has ended.
func (c *client) made(path string) {
	if c.server.binary != "" {
		return
	}
	c.whole.Cleanup(func() {
		r, err := http.NewRequest("DELETE", c.URL+path, nil)
		if err != nil {
			return
		}
		r.Header.Set("Authorization", "Bearer "+c.Token)
		if got, err := browser.Do(r); err == nil {
			got.Body.Close()
		}
	})
}

// members fails the test unless a group has exactly these members, in any order.
func (c *client) members(group string, ids ...string) {
	c.Helper()
	a := c.get("/Groups/" + group).is(200)
	got := a.values("members", "value")
	slices.Sort(got)
	if !slices.Equal(got, slices.Sorted(slices.Values(ids))) {
		a.errorf("the members are not %q", ids)
	}
}

var (
	started = strconv.FormatInt(time.Now().UnixMilli(), 36)
	count   atomic.Int64
)

// unique is a word that no other test uses.
func unique(word string) string { return fmt.Sprintf("%s-%s-%d", word, started, count.Add(1)) }

// address is an e-mail address that no other test uses.
func address(word string) string { return unique(word) + "@acme.test" }

// person is a User resource. more are further attributes, as in `"title":"Dr"`.
func person(userName string, more ...string) string {
	return `{` + strings.Join(append([]string{`"schemas":["` + userURN + `"]`, `"userName":` + strconv.Quote(userName)}, more...), ",") + `}`
}

// create makes a user.
func (c *client) create(more ...string) answer {
	c.Helper()
	return c.post("/Users", person(address("user"), more...)).is(201)
}

// group makes a group.
func (c *client) group(name string, members ...string) answer {
	c.Helper()
	body := `{"schemas":["` + groupURN + `"],"displayName":` + strconv.Quote(name)
	if len(members) > 0 {
		body += `,"members":[{"value":"` + strings.Join(members, `"},{"value":"`) + `"}]`
	}
	return c.post("/Groups", body+`}`).is(201)
}

// quote is a text as JSON.
func quote(s string) string { b, _ := json.Marshal(s); return string(b) }

func marshal(c *client, v any) string {
	c.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		c.Fatal(err)
	}
	return string(b)
}
