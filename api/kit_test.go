package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
	"outpost/workspace"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// kit is the API over real parts: a server, a database, a workspace and a connection.
type kit struct {
	testing.TB
	store     *store.Store
	directory *directory.Directory
	api       *server
	server    *httptest.Server
	log       *logBook
	workspace models.Workspace
	issued    directory.IssuedToken
	base      string // the SCIM base URL
	token     string
}

// onBoth tells a story on both databases.
func onBoth(t *testing.T, story func(*testing.T, *kit)) {
	t.Helper()
	onBothWith(t, Config{}, story)
}

func onBothWith(t *testing.T, c Config, story func(*testing.T, *kit)) {
	t.Helper()
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{"sqlite": fixture.SQLite, "postgres": fixture.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, setup(t, url(t), c))
		})
	}
}

// onSQLite is for what the database has no part in.
func onSQLite(t *testing.T, c Config) *kit {
	t.Helper()
	t.Parallel()
	return setup(t, fixture.SQLite(t), c)
}

func setup(t testing.TB, url string, c Config) *kit {
	t.Helper()
	k := &kit{TB: t, log: &logBook{}}
	var err error
	k.store, err = store.Open(t.Context(), url, store.Options{})
	k.must(err)
	t.Cleanup(func() { k.store.Close() })
	log := slog.New(slog.NewJSONHandler(k.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	k.directory = directory.New(k.store, outbox.New(k.store, nil, log), log, time.Now)
	k.workspace, k.issued = k.newConnection("Larkfield")
	k.token = k.issued.Token

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	k.must(err)
	c.Directory, c.Store, c.Log = k.directory, k.store, log
	c.PublicURL = "http://" + listener.Addr().String()
	k.api, err = newServer(c)
	k.must(err)
	handler, err := k.api.handler(c)
	k.must(err)
	k.server = httptest.NewUnstartedServer(handler)
	k.server.Listener.Close()
	k.server.Listener = listener
	k.server.Start()
	t.Cleanup(k.server.Close)
	k.base = c.PublicURL + "/scim/v2/" + k.issued.Connection.ID
	return k
}

// newConnection makes a workspace of its own with a connection to Okta.
func (k *kit) newConnection(name string) (models.Workspace, directory.IssuedToken) {
	k.Helper()
	w, err := workspace.Create(k.Context(), k.store, name, "owner@"+strings.ToLower(name)+".test", models.PlanEnterprise, time.Now())
	k.must(err)
	return w, k.connect(w, models.ProviderOkta)
}

func (k *kit) connect(w models.Workspace, p models.Provider) directory.IssuedToken {
	k.Helper()
	issued, err := k.directory.CreateConnection(k.Context(), w, p, "cli")
	k.must(err)
	return issued
}

// as is the kit as another provider has it.
func (k *kit) as(p models.Provider) *kit {
	other := *k
	other.issued = k.connect(k.workspace, p)
	other.token = other.issued.Token
	other.base = k.base[:strings.LastIndexByte(k.base, '/')+1] + other.issued.Connection.ID
	return &other
}

func (k *kit) must(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	*kit
	asked  string
	status int
	header http.Header
	body   string
	json   map[string]any
}

// send makes a request to a path below the base URL. headers are names and values in turn.
func (k *kit) send(method, path, body string, headers ...string) answer {
	k.Helper()
	req, err := http.NewRequestWithContext(k.Context(), method, k.base+path, strings.NewReader(body))
	k.must(err)
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	req.Header.Set("Authorization", "Bearer "+k.token)
	for i := 0; i < len(headers); i += 2 {
		if req.Header.Del(headers[i]); headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	return k.do(req)
}

func (k *kit) do(req *http.Request) answer {
	k.Helper()
	res, err := k.server.Client().Do(req)
	k.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	k.must(err)
	a := answer{kit: k, asked: req.Method + " " + req.URL.String(), status: res.StatusCode, header: res.Header, body: string(body)}
	if len(body) > 0 && strings.Contains(res.Header.Get("Content-Type"), "json") {
		k.must(json.Unmarshal(body, &a.json))
	}
	return a
}

// is checks the status, and that every answer is a proper one.
func (a answer) is(status int) answer {
	a.Helper()
	if a.status != status {
		a.Fatalf("%s: %d %s, want %d", a.asked, a.status, a.body, status)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		a.Errorf("%s: Cache-Control is %q", a.asked, got)
	}
	if id := a.header.Get("X-Request-Id"); len(id) != 36 || id[14] != '7' {
		a.Errorf("%s: X-Request-Id is %q", a.asked, id)
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		if a.body != "" {
			a.Errorf("%s: 204 with a body %q", a.asked, a.body)
		}
		return a
	}
	if got := a.header.Get("Content-Type"); got != "application/scim+json; charset=utf-8" && !strings.HasSuffix(a.asked, "z") {
		a.Errorf("%s: Content-Type is %q", a.asked, got)
	}
	return a
}

// fails checks that the answer is a SCIM error with that status and type, and a sentence with says in it.
func (a answer) fails(status int, scimType, says string) answer {
	a.Helper()
	a.is(status)
	got, _ := a.json["scimType"].(string)
	detail, _ := a.json["detail"].(string)
	if a.json["status"] != fmt.Sprint(status) || got != scimType || !strings.Contains(detail, says) ||
		fmt.Sprint(a.json["schemas"]) != "[urn:ietf:params:scim:api:messages:2.0:Error]" {
		a.Errorf("%s: %s, want status %d, scimType %q and %q in the detail", a.asked, a.body, status, scimType, says)
	}
	return a
}

// at reads a value by names and indexes, nil where there is none.
func (a answer) at(path ...any) any {
	var v any = a.json
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

func (a answer) id() string {
	a.Helper()
	id, _ := a.json["id"].(string)
	if id == "" {
		a.Fatalf("%s: no id in %s", a.asked, a.body)
	}
	return id
}

// user makes a person and returns the id.
func (k *kit) user(name string) string {
	k.Helper()
	return k.send("POST", "/Users", userBody(name)).is(201).id()
}

// userBody is what Okta sends for a person.
func userBody(name string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"name":{"givenName":"Ada","familyName":"Ono"},
		"emails":[{"primary":true,"value":%q,"type":"work"}],"displayName":"Ada Ono","locale":"en-US","externalId":%q,"groups":[],"password":"Secret-9317","active":true}`,
		name+"@acme.test", name+"@acme.test", "00u"+name)
}

// group makes a group of people and returns the id.
func (k *kit) group(name string, members ...string) string {
	k.Helper()
	return k.send("POST", "/Groups", groupBody(name, members...)).is(201).id()
}

func groupBody(name string, members ...string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":%q,"members":%s}`, name, memberList(members...))
}

func memberList(members ...string) string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = fmt.Sprintf(`{"value":%q}`, m)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func patchBody(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
}

// members lists the ids in a group, as SCIM shows them.
func (k *kit) members(group string) []string {
	k.Helper()
	a := k.send("GET", "/Groups/"+group, "").is(200)
	list, ok := a.at("members").([]any)
	if !ok {
		k.Fatalf("no members in %s", a.body)
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i], _ = a.at("members", i, "value").(string)
	}
	return ids
}

// audit lists what was recorded, the newest first.
func (k *kit) audit() []models.AuditEntry {
	k.Helper()
	entries, err := k.store.Audit(k.Context(), k.workspace.ID, 1000)
	k.must(err)
	return entries
}

// logBook is the log, to be read while it is written.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lines are the log lines with that message.
func (l *logBook) lines(message string) []map[string]any {
	var all []map[string]any
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && m["msg"] == message {
			all = append(all, m)
		}
	}
	return all
}

// testRequest is a request that no route was found for yet.
func testRequest(w http.ResponseWriter, method string) *request {
	c, _ := gin.CreateTestContext(w)
	c.Request = httptest.NewRequest(method, "/", nil)
	return &request{Context: c, ctx: context.Background(), id: outbox.ID()}
}
