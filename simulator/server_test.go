package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// sent is a request as it came over the wire.
type sent struct {
	line   string // method, path below the base URL, query
	header http.Header
	body   string
}

// A fault answers instead of the server, once.
type fault struct {
	on     string // prefix of the request's line
	commit bool   // do what was asked before answering wrongly
	status int    // zero cuts the connection
	header map[string]string
	body   string
}

// A server is a small SCIM service in memory that records what it is asked and misbehaves on request.
type server struct {
	t    *testing.T
	base string

	mu      sync.Mutex
	log     []sent
	faults  []fault
	users   []map[string]any
	groups  []map[string]any
	made    int
	hold    func(*http.Request) // called before the answer, without the lock
	patched int                 // answer to a PATCH: 200 or 204
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, patched: http.StatusOK}
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	s.base = ts.URL + "/scim/v2/c1"
	s.addUser("owner@acme.test", true, nil)
	return s
}

// okta is an Okta org whose waits take no time; it returns the waits.
func (s *server) okta(style Style) (*Okta, *fakeClock) {
	s.t.Helper()
	o, err := New(s.base+"/", "s3cret", style)
	if err != nil {
		s.t.Fatal(err)
	}
	return o, s.hasten(&o.Client)
}

// hasten makes the waits of a client take no time; it returns the waits.
func (s *server) hasten(c *Client) *fakeClock {
	s.t.Cleanup(c.own.CloseIdleConnections)
	fake := &fakeClock{at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	c.clock = clock{now: fake.now, sleep: fake.sleep, jitter: func() float64 { return 1 }}
	return fake
}

func (s *server) entra(compliant bool) *Entra {
	s.t.Helper()
	e, err := NewEntra(s.base, "s3cret", compliant)
	if err != nil {
		s.t.Fatal(err)
	}
	s.hasten(&e.Client)
	return e
}

func (s *server) oneLogin(leaver Leaver) *OneLogin {
	s.t.Helper()
	o, err := NewOneLogin(s.base, "s3cret", leaver)
	if err != nil {
		s.t.Fatal(err)
	}
	s.hasten(&o.Client)
	return o
}

func (s *server) jumpCloud() *JumpCloud {
	s.t.Helper()
	j, err := NewJumpCloud(s.base, "s3cret")
	if err != nil {
		s.t.Fatal(err)
	}
	s.hasten(&j.Client)
	return j
}

type fakeClock struct {
	mu    sync.Mutex
	at    time.Time
	waits []time.Duration
}

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	c.waits = append(c.waits, d)
	return ctx.Err()
}

func (s *server) fail(faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// lines returns and forgets the first lines of what was asked.
func (s *server) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, one := range s.log {
		lines = append(lines, one.line)
	}
	s.log = nil
	return lines
}

// script returns and forgets what was asked, each line with its body.
func (s *server) script() []string {
	var all []string
	for _, one := range s.requests() {
		all = append(all, strings.TrimSpace(one.line+" "+one.body))
	}
	return all
}

// requests returns and forgets what was asked.
func (s *server) requests() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

func (s *server) addUser(userName string, active bool, more map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	user := map[string]any{
		"schemas":  []any{coreUser},
		"userName": userName,
		"name":     map[string]any{"givenName": "Given", "familyName": "Family", "middleName": "M."},
		"emails":   []any{map[string]any{"value": userName, "type": "work", "primary": true}},
		"active":   active,
	}
	for k, v := range more {
		user[k] = v
	}
	return s.insert(&s.users, "u", user)
}

func (s *server) addGroup(name string, members ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []any{}
	for _, id := range members {
		list = append(list, map[string]any{"value": id, "display": id})
	}
	return s.insert(&s.groups, "g", map[string]any{"schemas": []any{coreGroup}, "displayName": name, "members": list})
}

func (s *server) insert(into *[]map[string]any, letter string, r map[string]any) string {
	s.made++
	id := fmt.Sprintf("%s%d", letter, s.made)
	r["id"] = id
	r["meta"] = map[string]any{"resourceType": map[string]string{"u": "User", "g": "Group"}[letter]}
	delete(r, "password")
	*into = append(*into, r)
	return id
}

func (s *server) user(id string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return find(s.users, "id", id)
}

func (s *server) members(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	list, _ := find(s.groups, "id", id)["members"].([]any)
	for _, m := range list {
		all = append(all, m.(map[string]any)["value"].(string))
	}
	return all
}

func find(in []map[string]any, name, value string) map[string]any {
	for _, r := range in {
		if text, _ := r[name].(string); strings.EqualFold(text, value) {
			return r
		}
	}
	return nil
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	line := r.Method + " " + strings.TrimPrefix(r.RequestURI, "/scim/v2/c1")
	s.mu.Lock()
	s.log = append(s.log, sent{line: line, header: r.Header.Clone(), body: string(body)})
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		hold(r)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	var wrong *fault
	for i, f := range s.faults {
		if strings.HasPrefix(line, f.on) {
			wrong = &f
			s.faults = slices.Delete(s.faults, i, i+1)
			break
		}
	}
	if wrong == nil {
		s.serve(w, r, body)
		return
	}
	if wrong.commit {
		s.serve(httptest.NewRecorder(), r, body)
	}
	if wrong.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/scim+json; charset=utf-8")
	for k, v := range wrong.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(wrong.status)
	io.WriteString(w, wrong.body)
}

var filter = regexp.MustCompile(`^(userName|displayName) eq (".*")$`)

func (s *server) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Header.Get("Authorization") != "Bearer s3cret" {
		refuse(w, 401, "", "the token is not known")
		return
	}
	kind, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/scim/v2/c1/"), "/")
	if kind != "Users" && kind != "Groups" {
		refuse(w, 404, "", "there is nothing here")
		return
	}
	all, letter, unique := &s.users, "u", "userName"
	if kind == "Groups" {
		all, letter, unique = &s.groups, "g", "displayName"
	}
	var in map[string]any
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			refuse(w, 400, "invalidSyntax", err.Error())
			return
		}
	}
	if id == "" {
		switch r.Method {
		case http.MethodGet:
			s.list(w, r.URL.Query(), *all)
		case http.MethodPost:
			if find(*all, unique, in[unique].(string)) != nil {
				refuse(w, 409, "uniqueness", unique+" is already used")
				return
			}
			s.insert(all, letter, in)
			answerJSON(w, 201, in)
		}
		return
	}
	found := find(*all, "id", id)
	if found == nil {
		refuse(w, 404, "", id+" not found")
		return
	}
	switch r.Method {
	case http.MethodGet:
		answerJSON(w, 200, without(found, r.URL.Query().Get("excludedAttributes")))
	case http.MethodPut:
		maps.DeleteFunc(found, func(k string, _ any) bool { return k != "id" && k != "meta" })
		maps.Copy(found, in)
		answerJSON(w, 200, found)
	case http.MethodPatch:
		for _, op := range in["Operations"].([]any) {
			s.patch(found, op.(map[string]any))
		}
		if s.patched == http.StatusNoContent {
			w.WriteHeader(s.patched)
			return
		}
		answerJSON(w, 200, found)
	case http.MethodDelete:
		*all = slices.DeleteFunc(*all, func(r map[string]any) bool { return r["id"] == id })
		w.WriteHeader(204)
	}
}

func without(r map[string]any, attribute string) map[string]any {
	r = maps.Clone(r)
	delete(r, attribute)
	return r
}

func (s *server) patch(r, op map[string]any) {
	path, _ := op["path"].(string)
	members, _ := r["members"].([]any)
	list, _ := op["value"].([]any)
	switch verb := strings.ToLower(op["op"].(string)); {
	case path == "":
		for k, v := range op["value"].(map[string]any) {
			set(r, k, v)
		}
	case path == "members" && verb == "add":
		for _, m := range list {
			if !hasMember(members, m) {
				members = append(members, m)
			}
		}
		r["members"] = members
	case path == "members" && verb == "replace":
		r["members"] = op["value"]
	case path == "members" && verb == "remove":
		r["members"] = slices.DeleteFunc(members, func(m any) bool { return hasMember(list, m) })
	case verb == "remove":
		r["members"] = slices.DeleteFunc(members, func(m any) bool {
			return path == fmt.Sprintf(`members[value eq "%s"]`, m.(map[string]any)["value"])
		})
	default:
		set(r, path, op["value"])
	}
}

func hasMember(list []any, member any) bool {
	return slices.ContainsFunc(list, func(m any) bool { return m.(map[string]any)["value"] == member.(map[string]any)["value"] })
}

// set sets what a path names, as far as a provider names it.
func set(r map[string]any, path string, value any) {
	in := func(name string) map[string]any {
		object, _ := r[name].(map[string]any)
		if object == nil {
			object = map[string]any{}
		}
		r[name] = object
		return object
	}
	text, _ := value.(string)
	switch {
	case path == "active" && text != "":
		r["active"] = text == "True"
	case path == workEmail:
		r["emails"] = []any{map[string]any{"value": value, "type": "work"}}
	case strings.HasPrefix(path, "name."):
		in("name")[strings.TrimPrefix(path, "name.")] = value
	case path == managerPath && text == "":
		delete(in(enterpriseUser), "manager")
	case path == managerPath:
		in(enterpriseUser)["manager"] = map[string]any{"value": text}
	case strings.HasPrefix(path, enterpriseUser+":"):
		in(enterpriseUser)[strings.TrimPrefix(path, enterpriseUser+":")] = value
	default:
		r[path] = value
	}
}

func (s *server) list(w http.ResponseWriter, query url.Values, all []map[string]any) {
	found := all
	if text := query.Get("filter"); text != "" {
		parts := filter.FindStringSubmatch(text)
		if parts == nil {
			refuse(w, 400, "invalidFilter", "not supported: "+text)
			return
		}
		var value string
		json.Unmarshal([]byte(parts[2]), &value)
		found = nil
		if one := find(all, parts[1], value); one != nil {
			found = append(found, without(one, query.Get("excludedAttributes")))
		}
	}
	page := found[:min(len(found), 2)]
	if page == nil {
		page = []map[string]any{}
	}
	answerJSON(w, 200, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": len(found), "startIndex": 1, "itemsPerPage": len(page), "Resources": page})
}

func refuse(w http.ResponseWriter, status int, scimType, detail string) {
	answerJSON(w, status, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
		"status": fmt.Sprint(status), "scimType": scimType, "detail": detail})
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/scim+json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// same compares lines and says both when they differ.
func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\n got: %s\nwant: %s", what, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

// sameJSON compares JSON whatever the order of attributes.
func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	normal := func(text string) string {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatalf("not JSON: %v: %s", err, text)
		}
		var out bytes.Buffer
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		encoder.Encode(value)
		return out.String()
	}
	if got, want := normal(got), normal(want); got != want {
		t.Errorf("body\n got: %s\nwant: %s", got, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want one with %q", err, want)
	}
}

func mia() *Person {
	return &Person{UserName: "mia@acme.test", GivenName: "Mia", FamilyName: "Ono", Email: "mia@acme.test", ExternalID: "00uMIA"}
}

const lookUpMia = "GET /Users?filter=userName%20eq%20%22mia%40acme.test%22&startIndex=1&count=100"
