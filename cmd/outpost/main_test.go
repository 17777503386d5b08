package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patient is how long a test waits for what takes a moment.
const patient = 2 * time.Minute

// screen is an output that can be read while it is written.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// shell runs the program with an environment of its own.
type shell struct {
	t   *testing.T
	env []string
}

// newShell has a data folder of its own, on no fixed port.
func newShell(t *testing.T, env ...string) shell {
	return shell{t, append([]string{"OUTPOST_DATA=" + filepath.Join(t.TempDir(), "data"), "METRICS_ADDR=127.0.0.1:0"}, env...)}
}

func (s shell) with(env ...string) shell { return shell{s.t, append(slices.Clone(s.env), env...)} }

func (s shell) data() folder {
	c, _ := parseConfig(s.env)
	return folder(c.Data)
}

// run runs a command to its end.
func (s shell) run(args ...string) (stdout, stderr string, status int) {
	s.t.Helper()
	var out, err screen
	status = run(s.t.Context(), "outpost", args, s.env, &out, &err)
	return out.String(), err.String(), status
}

// ok runs a command that succeeds and says nothing on standard error.
func (s shell) ok(args ...string) string {
	s.t.Helper()
	stdout, stderr, status := s.run(args...)
	if status != exitOK || stderr != "" {
		s.t.Fatalf("outpost %s: exit status %d, standard error %q", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

// json runs a command that prints one JSON object.
func (s shell) json(args ...string) map[string]any {
	s.t.Helper()
	all := s.jsonLines(args...)
	if len(all) != 1 {
		s.t.Fatalf("outpost %s: %d lines, want 1", strings.Join(args, " "), len(all))
	}
	return all[0]
}

// jsonLines runs a command that prints JSON objects, one a line.
func (s shell) jsonLines(args ...string) []map[string]any {
	s.t.Helper()
	return objects(s.t, s.ok(append(args, "--json")...))
}

func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(text) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("the line %q is not a JSON object: %v", line, err)
		}
		all = append(all, object)
	}
	return all
}

// wantKeys checks that an object has these keys and no others.
func wantKeys(t *testing.T, object map[string]any, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, there := object[key]; !there {
			t.Errorf("%v has no %s", object, key)
		}
	}
	if len(object) != len(keys) {
		t.Errorf("%v has %d keys, want the %d of %v", object, len(object), len(keys), keys)
	}
}

// server is a command that serves.
type server struct {
	t      *testing.T
	stdout screen
	stderr screen
	cancel context.CancelFunc
	done   chan struct{}
	status int
}

// start runs a command until stop, at the latest until the test ends.
func (s shell) start(args ...string) *server {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &server{t: s.t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.status = run(ctx, "outpost", args, s.env, &r.stdout, &r.stderr)
	}()
	s.t.Cleanup(func() {
		cancel()
		<-r.done
		if s.t.Failed() {
			s.t.Logf("outpost %s:\n%s", strings.Join(args, " "), tail(r.stderr.String(), 4000))
		}
	})
	return r
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// stop ends it as Ctrl-C does.
func (r *server) stop() {
	r.t.Helper()
	r.cancel()
	r.wait(exitOK)
}

// wait waits for its end.
func (r *server) wait(status int) {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(patient):
		r.t.Fatalf("it still runs after %v", patient)
	}
	if r.status != status {
		r.t.Fatalf("exit status %d, want %d: %s", r.status, status, r.stderr.String())
	}
}

// find waits until an output matches and returns the first group of the match.
func (r *server) find(in *screen, pattern string) string {
	r.t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	testkit.Eventually(r.t, patient, "output that matches "+pattern, func() bool {
		found = re.FindStringSubmatch(in.String())
		select {
		case <-r.done:
			return true
		default:
			return found != nil
		}
	})
	if found == nil {
		r.t.Fatalf("it ended without output that matches %s: %s", pattern, r.stderr.String())
	}
	return found[len(found)-1]
}

// banner is what dev prints, once it has.
func (r *server) banner() string {
	r.t.Helper()
	return r.find(&r.stdout, `(?s)^\n(Outpost is running.*\n)\n$`)
}

// get reads a URL.
func get(t *testing.T, url string, headers ...string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// synced waits until a workspace is what its directory says and nothing is open.
func (s shell) synced(slug string) {
	s.t.Helper()
	last := ""
	defer func() {
		if s.t.Failed() {
			s.t.Logf("verify: %s", tail(last, 2000))
		}
	}()
	testkit.Eventually(s.t, patient, slug+" in sync", func() bool {
		stdout, _, status := s.run("verify", "--workspace", slug, "--json")
		last = stdout
		return status == exitOK
	})
}

func TestHelpIsForPeople(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for _, args := range [][]string{{"--help"}, {"help", "operations"}, {"simulate", "okta", "--help"}, {"simulate", "entra", "--help"}, {"simulate", "onelogin", "--help"}, {"simulate", "jumpcloud", "--help"}} {
		if out := s.ok(args...); !strings.Contains(out, "Usage:") {
			t.Errorf("outpost %s prints %q", strings.Join(args, " "), out)
		}
	}
	if out := s.ok("version"); !strings.HasPrefix(out, "outpost ") || strings.Count(out, "\n") != 1 {
		t.Errorf("version prints %q", out)
	}
}

func TestWrongUsageIsSaidInOneSentence(t *testing.T) {
	t.Parallel()
	id := "01a20e6b-1d12-7d63-8dcf-eaf710ecc34b"
	for _, test := range []struct {
		args string
		want string // part of the sentence
	}{
		{"", "a command is missing"},
		{"serve", `there is no command "serve": use dev, api`},
		{"workspace", "a command is missing: use create, list or set-plan"},
		{"workspace lst", `there is no command "workspace lst"`},
		{"saml show", `there is no command "saml"`},
		{"workspace create --name Acme --owner a@acme.test", `required flag(s) "plan" not set`},
		{"workspace create --name Acme --owner a@acme.test --plan gold", `there is no plan "gold"`},
		{"workspace set-plan acme", "accepts 2 arg(s)"},
		{"workspace set-plan acme gold", `there is no plan "gold"`},
		{"connection create --workspace acme --provider gopher", `there is no provider "gopher"`},
		{"operations list --workspace acme --state odd", `there is no state "odd"`},
		{"operations list --workspace acme --limit -1", "--limit"},
		{"operations list --workspace acme --limit x", "invalid argument"},
		{"operations retry", "give the ids of failed operations"},
		{"operations retry --all-failed", "--all-failed needs --workspace"},
		{"operations retry --all-failed --workspace acme " + id, "not both"},
		{"operations retry 42", `"42" is not the id of an operation`},
		{"worker --queues provision,fast", `there is no class "fast": the classes are revoke, provision, groups, mail and upkeep`},
		{"worker --queues provision:0", "a number from 1 to 1000"},
		{"worker --queues mail,mail:3", "twice"},
		{"dev --listen 8080", "host:port"},
		{"dev --port 8080", "unknown flag: --port"},
		{"simulate okta --url https://x.test", `required flag(s) "token" not set`},
		{"simulate okta --url ftp://x.test --token t", "must start with https://"},
		{"simulate okta --url https://x.test --token t --style soap", `style "soap"`},
		{"simulate okta --url https://x.test --token t --concurrency 0", "--concurrency must be 1 or more"},
		{"simulate okta --url https://x.test --token t --update 1", "unknown flag: --update"},
		{"simulate google", `there is no command "simulate google": use okta, entra, onelogin or jumpcloud`},
		{"simulate entra --url https://x.test?y --token t", "must not have a query"},
		{"simulate entra --url https://x.test --token t --update -1", "--update must not be negative"},
		{"simulate onelogin --url https://x.test --token t --leaver forget", `--leaver: leaver option "forget" is not known: use suspend`},
		{"simulate jumpcloud --url https://x.test --token t --users 1 --unassign 2", "--unassign must be between 0 and --users"},
	} {
		stdout, stderr, status := newShell(t).run(strings.Fields(test.args)...)
		if status != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "outpost: ") || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("outpost %s: exit status %d, standard output %q, standard error %q, want 2 and %q", test.args, status, stdout, stderr, test.want)
		}
	}
}

func TestCommandsSayWhereTheDatabaseIsMissing(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for _, test := range []struct{ args, want string }{
		{"workspace list", "set DATABASE_URL, or start 'outpost dev'"},
		{"verify --workspace acme --data " + t.TempDir(), "there is no database in the folder"},
		{"migrate", "set DATABASE_URL"},
	} {
		stdout, stderr, status := s.run(strings.Fields(test.args)...)
		if status != exitError || stdout != "" || !strings.Contains(stderr, test.want) {
			t.Errorf("outpost %s: exit status %d, standard error %q, want 1 and %q", test.args, status, stderr, test.want)
		}
	}
	if _, err := os.Stat(string(s.data())); err == nil {
		t.Error("a command that only looks has made the data folder")
	}
	empty := s.with("DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "empty.db"))
	if _, stderr, status := empty.run("workspace", "list"); status != exitError || !strings.Contains(stderr, "outpost migrate") {
		t.Errorf("without a schema: exit status %d, standard error %q", status, stderr)
	}
}
