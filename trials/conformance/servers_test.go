package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit"
)

func TestMain(m *testing.M) {
	defer lasting.end()
	testkit.Main(m)
}

// server is a server under test.
type server struct {
	name        string
	binary      string // "" for a server that somebody else runs
	env         []string
	workspace   string // slug
	mu          sync.Mutex
	connections map[string]connection // by provider; shared by the tests that do not mind each other
	supports    map[string]bool       // what ServiceProviderConfig declares; read once
}

// connection is what an admin pastes into a provider.
type connection struct {
	ID    string `json:"id"`
	URL   string `json:"scim_base_url"`
	Token string `json:"bearer_token"`
}

// servers are those that every test runs against: the program on each database, or the one that the environment names.
func servers() map[string]func() (*server, error) {
	if url := os.Getenv("CONFORMANCE_URL"); url != "" {
		return map[string]func() (*server, error){"remote": remote}
	}
	return map[string]func() (*server, error){"sqlite": onSQLite, "postgres": onPostgres}
}

var (
	onSQLite = sync.OnceValues(func() (*server, error) {
		return start(lasting, "sqlite", func() string {
			dir, err := os.MkdirTemp("", "outpost-conformance-")
			if err != nil {
				lasting.Fatal(err)
			}
			lasting.Cleanup(func() { os.RemoveAll(dir) })
			return "sqlite:" + dir + "/outpost.db"
		})
	})
	onPostgres = sync.OnceValues(func() (*server, error) {
		return start(lasting, "postgres", func() string { return testkit.Postgres(lasting) })
	})
	remote = sync.OnceValues(func() (*server, error) {
		provider := os.Getenv("CONFORMANCE_PROVIDER")
		if provider == "" {
			provider = custom
		}
		c := connection{URL: strings.TrimRight(os.Getenv("CONFORMANCE_URL"), "/"), Token: os.Getenv("CONFORMANCE_TOKEN")}
		return &server{name: "remote", connections: map[string]connection{provider: c}}, nil
	})
)

// start starts the program as an operator does: the schema, the api role, a workspace.
func start(t testing.TB, name string, database func() string) (s *server, err error) {
	defer func() {
		if stopped, ok := recover().(fatal); ok {
			err = stopped
		}
	}()
	listen := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t))
	s = &server{name: name, binary: testkit.BuildBinary(t), connections: map[string]connection{}}
	s.env = []string{
		"DATABASE_URL=" + database(), "SMTP_URL=smtp://127.0.0.1:1", "PUBLIC_URL=http://" + listen, "LISTEN_ADDR=" + listen,
		fmt.Sprintf("METRICS_ADDR=127.0.0.1:%d", testkit.FreePort(t)), "SECRET_KEY=a secret of at least thirty-two bytes", "LOG_LEVEL=error",
	}
	s.command(t, nil, "migrate")
	var w struct{ Slug string }
	s.command(t, &w, "workspace", "create", "--name", "Acme", "--owner", "owner@acme.test", "--plan", "enterprise", "--json")
	s.workspace = w.Slug
	testkit.Start(t, testkit.Command{Path: s.binary, Args: []string{"api"}, Env: s.env}).WaitHTTP("http://"+listen+"/readyz", time.Minute, http.StatusOK)
	return s, nil
}

// command runs a command of the program, and reads the JSON it prints into dest unless that is nil.
func (s *server) command(t testing.TB, dest any, args ...string) {
	t.Helper()
	out, complaint, status := testkit.Run(t, time.Minute, testkit.Command{Path: s.binary, Args: args, Env: s.env})
	if status != 0 {
		t.Fatalf("outpost %s: exit %d: %s%s", strings.Join(args, " "), status, out, complaint)
	}
	if dest == nil {
		return
	}
	if err := json.Unmarshal([]byte(out), dest); err != nil {
		t.Fatalf("outpost %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// connect makes a connection that nobody else uses. A server that somebody else runs has none to give.
func (s *server) connect(t testing.TB, provider string) (c connection) {
	t.Helper()
	if s.binary == "" {
		t.Skip("this needs a connection of its own")
	}
	s.command(t, &c, "connection", "create", "--workspace", s.workspace, "--provider", provider, "--json")
	return c
}

// shared is the connection of a provider that the tests share.
func (s *server) shared(t testing.TB, provider string) connection {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.connections[provider]
	switch {
	case !ok && s.binary == "":
		t.Skip("CONFORMANCE_PROVIDER is not " + provider)
	case !ok:
		c = s.connect(t, provider)
		s.connections[provider] = c
	}
	return c
}

// lasting is the testing.TB of what the tests share: it is started for the first test that needs it and ends after the
// last. It has only what testkit calls.
var lasting = &wholeRun{}

type wholeRun struct {
	testing.TB
	mu   sync.Mutex
	ends []func()
}

// fatal is what stopped the start of something that lasts.
type fatal string

func (f fatal) Error() string { return string(f) }

func (w *wholeRun) Helper()                   {}
func (w *wholeRun) Failed() bool              { return false }
func (w *wholeRun) Fatal(args ...any)         { panic(fatal(fmt.Sprint(args...))) }
func (w *wholeRun) Fatalf(f string, a ...any) { panic(fatal(fmt.Sprintf(f, a...))) }
func (w *wholeRun) Errorf(string, ...any)     {} // at the end the databases have gone with their cluster
func (w *wholeRun) Cleanup(end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends, end)
}

func (w *wholeRun) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.ends) - 1; i >= 0; i-- {
		w.ends[i]()
	}
}
