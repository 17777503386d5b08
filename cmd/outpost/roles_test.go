package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"outpost/internal/testkit"
	"outpost/store"
)

// production is a shell with everything that the production roles need.
func production(t *testing.T, sink *testkit.SMTPSink, env ...string) shell {
	public := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t))
	return newShell(t, append([]string{"SMTP_URL=" + sink.URL(), "PUBLIC_URL=http://" + public, "LISTEN_ADDR=" + public, "SECRET_KEY=" + strings.Repeat("k", 32), "INVITATION_HOLD=0s", "LOG_FORMAT=json"}, env...)...)
}

// publicURL is where the shell's API is reached.
func (s shell) publicURL() string {
	c, _ := parseConfig(s.env)
	return string(c.PublicURL)
}

// metrics is the URL of a role's METRICS_ADDR, once it is ready.
func (r *server) metrics() string {
	r.t.Helper()
	return "http://" + r.find(&r.stderr, `"msg":"ready".*"metrics_addr":"([^"]+)"`)
}

func TestProductionRolesWorkTogether(t *testing.T) {
	t.Parallel()
	for _, installation := range []struct {
		name string
		env  func(t *testing.T) []string
		want string // the state of Redis
	}{
		{"on Postgres and Redis", func(t *testing.T) []string {
			return []string{"DATABASE_URL=" + testkit.Postgres(t), "REDIS_URL=" + testkit.Redis(t)}
		}, "ok"},
		{"on Postgres alone", func(t *testing.T) []string { return []string{"DATABASE_URL=" + testkit.Postgres(t)} }, "none"},
		{"on SQLite and Redis", func(t *testing.T) []string {
			return []string{"DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "outpost.db"), "REDIS_URL=" + testkit.Redis(t)}
		}, "ok"},
	} {
		t.Run(installation.name, func(t *testing.T) {
			t.Parallel()
			const people = 20
			sink := testkit.NewSMTP(t)
			s := production(t, sink, installation.env(t)...)
			for _, role := range []string{"api", "worker", "scheduler"} {
				if _, stderr, status := s.run(role); status != exitError || !strings.Contains(stderr, "run 'outpost migrate' first") {
					t.Fatalf("outpost %s without a schema: exit status %d, standard error %q", role, status, stderr)
				}
			}
			s.ok("migrate")
			s.ok("migrate")
			api, scheduler := s.start("api"), s.start("scheduler")
			access, rest := s.start("worker", "--queues", "revoke,provision:3"), s.start("worker", "--queues", "groups,mail,upkeep")
			for name, role := range map[string]*server{"api": api, "worker": access, "scheduler": scheduler} {
				url := role.metrics()
				testkit.Eventually(t, patient, name+" sees Redis", func() bool {
					status, body := get(t, url+"/readyz")
					return status == http.StatusOK && strings.Contains(body, `"redis":"`+installation.want+`"`)
				})
				if status, body := get(t, url+"/metrics"); status != http.StatusOK || !strings.Contains(body, "process_cpu_seconds_total") || !strings.Contains(body, "go_sql_max_open_connections") {
					t.Errorf("%s: /metrics answers %d", name, status)
				}
			}
			s.ok("workspace", "create", "--name", "Acme", "--owner", "ada@acme.test", "--plan", "enterprise")
			c := s.json("connection", "create", "--workspace", "acme", "--provider", "okta")
			s.simulate("simulate", "okta", "--url", c["scim_base_url"].(string), "--token", c["bearer_token"].(string), "--users", fmt.Sprint(people), "--group", "Engineering", "--style", "patch")
			s.synced("acme")
			if n := len(sink.Messages()); n != people {
				t.Errorf("%d mails were sent, want %d", n, people)
			}
			for _, m := range sink.Messages() {
				if !strings.Contains(m.Text, s.publicURL()+"/") || m.From != "no-reply@localhost" {
					t.Errorf("a mail from %s says %s", m.From, m.Text)
				}
			}
			if members := s.jsonLines("members", "list", "--workspace", "acme"); len(members) != people+1 {
				t.Errorf("there are %d members", len(members))
			}
			if out := s.ok("doctor"); strings.Contains(out, "WRONG") || strings.Count(out, "\nok ") < 4 {
				t.Errorf("doctor prints %s", out)
			}

			// Readiness fails first; what is asked meanwhile is still answered.
			api.cancel()
			testkit.Eventually(t, linger, "/readyz fails", func() bool {
				status, body := get(t, s.publicURL()+"/readyz")
				return status == http.StatusServiceUnavailable && strings.Contains(body, "stopping")
			})
			if status, body := get(t, s.publicURL()+"/healthz"); status != http.StatusOK {
				t.Errorf("while it stops, /healthz answers %d: %s", status, body)
			}
			api.wait(exitOK)
			for _, role := range []*server{access, rest, scheduler} {
				role.stop()
			}
		})
	}
}

func TestDoctorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	sink := testkit.NewSMTP(t)
	database := filepath.Join(t.TempDir(), "outpost.db")
	for _, test := range []struct {
		what   string
		env    []string
		status int
		want   []string
	}{
		{"nothing at all", nil, exitError, []string{"ok     configuration", "WRONG  database       there is no database to work on: set DATABASE_URL"}},
		{"much that is wrong", []string{"DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x", "REDIS_URL=redis://127.0.0.1:1", "SMTP_URL=smtp://127.0.0.1:1", "LOG_LEVEL=loud", "SECRET_KEY=short"}, exitError, []string{
			"WRONG  configuration  LOG_LEVEL: ", "WRONG  configuration  SECRET_KEY: it has 5 bytes", "WRONG  configuration  PUBLIC_URL (https://outpost.example.com) is not set",
			"WRONG  database       the database cannot be reached", "WRONG  Redis          it cannot be reached", "WRONG  mail           ",
		}},
		{"no schema", []string{"DATABASE_URL=sqlite:" + database, "SMTP_URL=" + sink.URL(), "PUBLIC_URL=https://outpost.test", "SECRET_KEY=" + strings.Repeat("k", 40)}, exitError, []string{
			"ok     configuration  complete for api, worker and scheduler", "WRONG  schema ", "outpost migrate", "ok     mail",
		}},
	} {
		if test.what == "no schema" {
			s, err := store.Open(context.Background(), "sqlite:"+database, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		}
		stdout, stderr, status := newShell(t, test.env...).run("doctor")
		if status != test.status || strings.Contains(stdout+stderr, "hunter2") {
			t.Errorf("%s: exit status %d, standard error %q", test.what, status, stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: doctor does not say %q: %s", test.what, want, stdout)
			}
		}
	}
}

func TestAWorkerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	s := production(t, testkit.NewSMTP(t), "DATABASE_URL=postgres://outpost@127.0.0.1:1/outpost")
	stdout, stderr, status := s.run("worker")
	if status != exitError || stdout != "" || !strings.Contains(stderr, "the database cannot be reached") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit status %d, standard output %q, standard error %q", status, stdout, stderr)
	}
}
