package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
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

// send makes one request and looks at the answer. A header that is set to "" is left out.
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
	got, err := browser.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer got.Body.Close()
	a := answer{c: c, method: method, path: path, sent: body, status: got.StatusCode, header: got.Header}
	if a.body, err = io.ReadAll(got.Body); err != nil {
		c.Fatal(err)
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

// answer is what came back.
type answer struct {
	c                  *client
	method, path, sent string
	status             int
	header             http.Header
	body               []byte
	json               any
}

// String is the request and its answer, for whoever reads a failed test.
func (a answer) String() string {
	return fmt.Sprintf("%s %s %s\n→ %d %s", a.method, a.path, brief(a.sent), a.status, brief(string(a.body)))
}

func brief(s string) string {
	if len(s) > 2000 {
		return s[:2000] + "…"
	}
	return s
}

func (a answer) errorf(format string, args ...any) {
	a.c.Helper()
	a.c.Errorf("%s\n%s", fmt.Sprintf(format, args...), a)
}

// look holds an answer against what is true of all of them.
func (a *answer) look() {
	a.c.Helper()
	if len(a.body) == 0 {
		if a.method != "HEAD" && a.status != 204 && a.status != 304 {
			a.errorf("the answer has no body")
		}
		return
	}
	if a.status == 204 || a.status == 304 {
		a.errorf("a %d has a body", a.status)
	}
	if got := a.header.Get("Content-Type"); got != "application/scim+json; charset=utf-8" && got != "application/scim+json" {
		a.errorf("Content-Type is %q", got)
	}
	if err := json.Unmarshal(a.body, &a.json); err != nil {
		a.c.Fatalf("the body is no JSON: %v\n%s", err, a)
	}
	for _, never := range []string{":null", `"password"`} {
		if bytes.Contains(a.body, []byte(never)) && !strings.Contains(a.path, "/Schemas") {
			a.errorf("%s is in the answer", never)
		}
	}
	switch {
	case a.status >= 400:
		a.lookAtError()
	case a.at("Resources") != nil:
		a.lookAtList()
	default:
		a.lookAtResource(a.json)
	}
}

// scimTypes are those of RFC 7644 table 9 and RFC 9865 section 2.2, with the status that they come with.
var scimTypes = map[string]int{
	"invalidFilter": 400, "tooMany": 400, "uniqueness": 409, "mutability": 400, "invalidSyntax": 400, "invalidPath": 400, "noTarget": 400, "invalidValue": 400,
	"invalidVers": 400, "sensitive": 403, "invalidCursor": 400, "expiredCursor": 400, "invalidCount": 400,
}

func (a *answer) lookAtError() {
	a.c.Helper()
	if !reflect.DeepEqual(a.at("schemas"), []any{messages + "Error"}) {
		a.errorf("schemas of an error are %v", a.at("schemas"))
	}
	if a.at("status") != strconv.Itoa(a.status) {
		a.errorf("status is %#v, which is not the string %q", a.at("status"), strconv.Itoa(a.status))
	}
	kind, given := a.at("scimType").(string)
	if status, known := scimTypes[kind]; given && (!known || status != a.status) {
		a.errorf("scimType %q does not go with %d", kind, a.status)
	}
	if fault := faultOf(a.detail()); fault != "" {
		a.errorf("the detail %s", fault)
	}
	if a.status == 401 && a.header.Get("WWW-Authenticate") == "" {
		a.errorf("a 401 has no WWW-Authenticate")
	}
}

func (a *answer) lookAtList() {
	a.c.Helper()
	resources := a.list("Resources")
	if !reflect.DeepEqual(a.at("schemas"), []any{messages + "ListResponse"}) {
		a.errorf("schemas of a list are %v", a.at("schemas"))
	}
	if a.at("itemsPerPage") != float64(len(resources)) {
		a.errorf("itemsPerPage is %v with %d resources", a.at("itemsPerPage"), len(resources))
	}
	if total, ok := a.at("totalResults").(float64); !ok || int(total) < len(resources) {
		a.errorf("totalResults is %#v", a.at("totalResults"))
	}
	for _, r := range resources {
		a.lookAtResource(r)
	}
}

// lookAtResource looks at a user or a group, as far as the request left it whole.
func (a *answer) lookAtResource(r any) {
	a.c.Helper()
	schemas, _ := step(r, "schemas").([]any)
	kind := ""
	switch {
	case slices.Contains(schemas, any(userURN)):
		kind = "User"
	case slices.Contains(schemas, any(groupURN)):
		kind = "Group"
	default:
		return // a document about the server
	}
	id, _ := step(r, "id").(string)
	if id == "" {
		a.errorf("a resource has no id")
	}
	if (step(r, enterpriseURN) != nil) != slices.Contains(schemas, any(enterpriseURN)) {
		a.errorf("the enterprise extension is not in both schemas and the resource")
	}
	if strings.Contains(strings.ToLower(a.path+a.sent), "attributes") {
		return
	}
	location := a.c.URL + "/" + kind + "s/" + id
	for name, want := range map[string]string{"resourceType": kind, "location": location} {
		if got := step(step(r, "meta"), name); got != want {
			a.errorf("meta.%s is %v, not %s", name, got, want)
		}
	}
	for _, name := range []string{"created", "lastModified"} {
		moment, _ := step(step(r, "meta"), name).(string)
		if _, err := time.Parse(time.RFC3339, moment); err != nil {
			a.errorf("meta.%s is no time: %v", name, err)
		}
	}
	if a.at("Resources") == nil && a.header.Get("ETag") != "" && a.header.Get("ETag") != step(step(r, "meta"), "version") {
		a.errorf("ETag is %s and meta.version %v", a.header.Get("ETag"), step(step(r, "meta"), "version"))
	}
	if got := a.header.Get("Location"); got != "" && got != location {
		a.errorf("Location is %s", got)
	}
	if strings.HasPrefix(kind, "User") {
		a.lookAtPrimaries(r)
	}
}

func (a *answer) lookAtPrimaries(r any) {
	a.c.Helper()
	for name, value := range r.(map[string]any) {
		values, _ := value.([]any)
		n := 0
		for _, v := range values {
			if step(v, "primary") == true {
				n++
			}
		}
		if n > 1 {
			a.errorf("%s has %d primary values", name, n)
		}
	}
}

// is fails the test, and ends it, unless the status is the one.
func (a answer) is(status int) answer {
	a.c.Helper()
	if a.status != status {
		a.c.Fatalf("the status is not %d\n%s", status, a)
	}
	return a
}

// fails fails the test unless the answer is that error. scimType is "" where the RFC names none. says are parts of the
// detail.
func (a answer) fails(status int, scimType string, says ...string) answer {
	a.c.Helper()
	if kind, _ := a.at("scimType").(string); a.status != status || kind != scimType {
		a.errorf("this is not %d %s", status, scimType)
	}
	for _, part := range says {
		if !strings.Contains(a.detail(), part) {
			a.errorf("the detail does not say %q", part)
		}
	}
	return a
}

func (a answer) detail() string { s, _ := a.at("detail").(string); return s }

// at is a value of the body, nil where there is none. Names in a path are separated by slashes, as in emails/0/value; the
// empty path is the body.
func (a answer) at(path string) any {
	v := a.json
	if path == "" {
		return v
	}
	for name := range strings.SplitSeq(path, "/") {
		v = step(v, name)
	}
	return v
}

func step(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[name]
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// has fails the test unless a value is the one: a string, a bool, a number, or JSON as a json.RawMessage.
func (a answer) has(path string, want any) answer {
	a.c.Helper()
	if raw, ok := want.(json.RawMessage); ok {
		if err := json.Unmarshal(raw, &want); err != nil {
			a.c.Fatal(err)
		}
	}
	if n, ok := want.(int); ok {
		want = float64(n)
	}
	if got := a.at(path); !reflect.DeepEqual(got, want) {
		a.errorf("%s is %v, not %v", path, got, want)
	}
	return a
}

// raw is JSON that an answer has.
func raw(s string) json.RawMessage { return json.RawMessage(s) }

// lacks fails the test where one of the paths has a value.
func (a answer) lacks(paths ...string) answer {
	a.c.Helper()
	for _, path := range paths {
		if got := a.at(path); got != nil {
			a.errorf("%s is %v and should not be there", path, got)
		}
	}
	return a
}

func (a answer) id() string {
	a.c.Helper()
	id, _ := a.at("id").(string)
	if id == "" {
		a.c.Fatalf("no id\n%s", a)
	}
	return id
}

func (a answer) list(path string) []any { l, _ := a.at(path).([]any); return l }

// values are one value of each element of a list, as value of members.
func (a answer) values(list, of string) []string {
	var all []string
	for _, e := range a.list(list) {
		s, _ := step(e, of).(string)
		all = append(all, s)
	}
	return all
}

// ids are those of the resources of a list, in their order.
func (a answer) ids() []string { return a.values("Resources", "id") }

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
