package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"outpost/internal/testkit"
	"outpost/simulator"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// site is a deployment: each role a process of its own, as in production.
type site struct {
	t         *testing.T
	binary    string
	env       []string
	url       string
	postgres  *testkit.PostgresServer
	redis     *testkit.RedisServer
	mails     *testkit.SMTPSink
	api       *testkit.Process
	workers   []*testkit.Process
	scheduler *testkit.Process
	slug      string
	base      string
	token     string
}

func deploy(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, binary: testkit.BuildBinary(t), postgres: testkit.NewPostgres(t), redis: testkit.NewRedis(t, "--appendonly", "yes"), mails: testkit.NewSMTP(t)}
	listen := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t))
	s.url = "http://" + listen
	s.env = []string{
		"DATABASE_URL=" + s.postgres.URL(), "REDIS_URL=" + s.redis.URL(), "SMTP_URL=" + s.mails.URL(), "PUBLIC_URL=" + s.url, "LISTEN_ADDR=" + listen,
		"MAIL_FROM=Outpost <outpost@example.com>", "SECRET_KEY=a secret of at least thirty-two bytes", "INVITATION_HOLD=1s", "MAIL_RATE=1000", "LOG_LEVEL=warn",
	}
	s.command("migrate")
	var w struct{ Slug string }
	s.result(&w, "workspace", "create", "--name", "Acme", "--owner", "owner@acme.test", "--plan", "enterprise", "--json")
	var c struct {
		Base  string `json:"scim_base_url"`
		Token string `json:"bearer_token"`
	}
	s.result(&c, "connection", "create", "--workspace", w.Slug, "--provider", "okta", "--json")
	s.slug, s.base, s.token = w.Slug, c.Base, c.Token
	s.startAPI()
	for range 2 {
		s.workers = append(s.workers, s.role("worker"))
	}
	s.scheduler = s.role("scheduler")
	return s
}

// command runs one command of the program and returns what it printed.
func (s *site) command(args ...string) string {
	s.t.Helper()
	out, complaint, status := testkit.Run(s.t, time.Minute, testkit.Command{Path: s.binary, Args: args, Env: s.env})
	if status != 0 {
		s.t.Fatalf("outpost %s: exit %d: %s%s", strings.Join(args, " "), status, out, complaint)
	}
	return out
}

func (s *site) result(dest any, args ...string) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.command(args...)), dest); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) role(name string) *testkit.Process {
	s.t.Helper()
	metrics := fmt.Sprintf("METRICS_ADDR=127.0.0.1:%d", testkit.FreePort(s.t))
	return testkit.Start(s.t, testkit.Command{Path: s.binary, Args: []string{name}, Env: append([]string{metrics}, s.env...)})
}

func (s *site) startAPI() {
	s.t.Helper()
	s.api = s.role("api")
	s.api.WaitHTTP(s.url+"/readyz", 30*time.Second, http.StatusOK)
}

// provider is an Okta org that pushes to the site and repeats what fails, as an admin would.
func (s *site) provider(style simulator.Style) *simulator.Okta {
	s.t.Helper()
	o, err := simulator.New(s.base, s.token, style)
	if err != nil {
		s.t.Fatal(err)
	}
	o.Retry.Total = time.Minute
	return o
}

// verify is what `outpost verify` says.
type verify struct {
	InSync      bool              `json:"in_sync"`
	Open        int               `json:"open_operations"`
	Held        int               `json:"held_operations"`
	Differences []json.RawMessage `json:"differences"`
}

// settle waits until nothing is open, and fails on any difference.
func (s *site) settle(within time.Duration) {
	s.t.Helper()
	var v verify
	testkit.Eventually(s.t, within, "in sync with nothing open", func() bool {
		out, complaint, _ := testkit.Run(s.t, time.Minute, testkit.Command{Path: s.binary, Args: []string{"verify", "--workspace", s.slug, "--json"}, Env: s.env})
		v = verify{}
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			s.t.Logf("verify: %s%s", out, complaint)
			return false
		}
		return v.Open == 0
	})
	if !v.InSync || v.Held != 0 {
		s.t.Fatalf("after it all: %+v %s", v, v.Differences)
	}
}

// rows asks the database itself for one number.
func (s *site) rows(sql string, args ...any) (n int) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.postgres.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// check asserts, from outside, that every person acknowledged is a member in the team once, and got one mail at most.
// unknown is how many mails may have an outcome that nobody can know: one for each place of a worker that was killed.
func (s *site) check(people []simulator.Person, team string, unknown int) {
	s.t.Helper()
	if n := s.rows("SELECT count(*) FROM members WHERE status = 'invited'"); n != len(people) {
		s.t.Errorf("%d invited members for %d people", n, len(people))
	}
	if n := s.rows("SELECT count(*) FROM team_members tm JOIN teams t ON t.id = tm.team_id WHERE t.name = $1", team); n != len(people) {
		s.t.Errorf("%d places in the team for %d people", n, len(people))
	}
	if n := s.rows("SELECT count(*) FROM invitations"); n != len(people) {
		s.t.Errorf("%d invitations for %d people", n, len(people))
	}
	// One effect for each version of a resource: a second would be a change applied twice.
	if n := s.rows("SELECT count(*) FROM (SELECT 1 FROM operations WHERE state = 'done' AND kind IN ('user.upsert', 'user.deactivate', 'group.sync') GROUP BY resource_id, version HAVING count(*) > 1) twice"); n != 0 {
		s.t.Errorf("%d versions were applied twice", n)
	}
	got := map[string]int{}
	for _, m := range s.mails.Messages() {
		got[m.To]++
	}
	missing := 0
	for _, p := range people {
		switch n := got[p.Email]; {
		case n > 1:
			s.t.Errorf("%s got %d mails", p.Email, n)
		case n == 0:
			missing++
		}
	}
	failed := s.rows("SELECT count(*) FROM operations WHERE state = 'failed'")
	doubtful := s.rows("SELECT count(*) FROM operations WHERE state = 'failed' AND error LIKE 'delivery unknown: %'")
	if failed != doubtful || doubtful > unknown || missing > doubtful {
		s.t.Errorf("%d operations failed, %d of them with delivery unknown (at most %d can be); %d people without a mail", failed, doubtful, unknown, missing)
	}
	s.t.Logf("%d people, %d mails, %d with delivery unknown", len(people), len(s.mails.Messages()), doubtful)
}

func TestBulkAssignmentRunsThroughSeparateProcessesInBothStyles(t *testing.T) {
	for _, style := range []simulator.Style{simulator.Put, simulator.Patch} {
		t.Run(string(style), func(t *testing.T) {
			t.Parallel()
			s := deploy(t)
			report, err := s.provider(style).Run(t.Context(), simulator.Plan{Users: 300, Group: "Engineering", Concurrency: 8}, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.settle(2 * time.Minute)
			s.check(report.People, "Engineering", 0)
			for _, p := range append(s.workers, s.scheduler, s.api) {
				if status := p.Stop(30 * time.Second); status != 0 {
					t.Errorf("a role ended with %d", status)
				}
			}
		})
	}
}

func TestNothingIsLostOrDoubledWhateverIsKilled(t *testing.T) {
	const people = 2000
	s := deploy(t)
	var done atomic.Int64
	finished := make(chan error, 1)
	var report simulator.Report
	go func() {
		var err error
		report, err = s.provider(simulator.Patch).Run(t.Context(), simulator.Plan{Users: people, Group: "Engineering", Concurrency: 8}, func(p simulator.Progress) {
			if p.Phase == simulator.PhaseAssign {
				done.Store(int64(p.Done))
			}
		})
		finished <- err
	}()
	at := func(share int64) {
		testkit.Eventually(t, 2*time.Minute, fmt.Sprintf("%d %% of the people are pushed", share), func() bool { return done.Load() >= people*share/100 })
	}
	at(10)
	s.workers[0].Kill()
	at(25)
	s.redis.Flush()
	at(40)
	s.redis.Kill()
	s.workers[0] = s.role("worker")
	at(55)
	s.redis.Restart()
	at(70)
	s.api.Kill()
	s.startAPI()
	at(85)
	s.workers[1].Kill()
	s.redis.Flush()
	s.workers[1] = s.role("worker")

	if err := <-finished; err != nil {
		t.Fatalf("the provider was refused: %v %+v", err, report.Failures)
	}
	s.settle(3 * time.Minute)
	s.check(report.People, "Engineering", 2*16)
}

func TestEverythingWorksWithRedisAbsentFromTheStart(t *testing.T) {
	t.Parallel()
	s := deploy(t)
	s.redis.Kill()
	report, err := s.provider(simulator.Patch).Run(t.Context(), simulator.Plan{Users: 200, Group: "Engineering", Concurrency: 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.settle(2 * time.Minute)
	s.check(report.People, "Engineering", 0)
}

func TestAccessEndsInTheAnswerWithAllWorkersStopped(t *testing.T) {
	t.Parallel()
	s := deploy(t)
	okta := s.provider(simulator.Patch)
	ada := simulator.People("leaver", 1, "acme.test")[0]
	if err := okta.Assign(t.Context(), &ada); err != nil {
		t.Fatal(err)
	}
	s.settle(time.Minute)
	for _, w := range s.workers {
		w.Stop(30 * time.Second)
	}
	if err := okta.Deactivate(t.Context(), &ada); err != nil {
		t.Fatal(err)
	}
	if n := s.rows("SELECT count(*) FROM members WHERE email = $1 AND status = 'deactivated' AND deactivated_at IS NOT NULL", ada.Email); n != 1 {
		t.Error("the answer came and the member is not blocked")
	}
}
