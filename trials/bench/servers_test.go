//go:build bench

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"outpost/internal/testkit"
)

const (
	outpostName = "outpost"
	bareName    = "bare"
)

// ground is what both servers stand on: one durable Postgres with a database for each, one Redis with a number for each.
type ground struct {
	t        *testing.T
	postgres *testkit.PostgresServer
	redis    *testkit.RedisServer
	admin    *pgx.Conn
}

func newGround(t *testing.T) *ground {
	t.Helper()
	g := &ground{
		t: t,
		// Durable, and without a checkpoint that hits one of the two by chance.
		postgres: testkit.NewPostgres(t, "fsync=on", "full_page_writes=on", "synchronous_commit=on", "wal_level=replica",
			"shared_buffers=256MB", "max_wal_size=8GB", "checkpoint_timeout=1h"),
		redis: testkit.NewRedis(t, "--appendonly", "yes"),
	}
	g.admin = connect(t, g.postgres.URL())
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		if value := query[string](t, g.admin, "SELECT current_setting($1)", setting); value != "on" {
			t.Fatalf("Postgres runs with %s=%s: what it measures would not be durable", setting, value)
		}
	}
	if dir := query[string](t, g.admin, "SELECT current_setting('data_directory')"); inMemory(t, dir) {
		t.Fatalf("Postgres's data in %s is on a file system in memory: set TMPDIR to a directory on a disk", dir)
	}
	return g
}

// inMemory reports whether a directory's file system forgets with the power.
func inMemory(t *testing.T, dir string) bool {
	t.Helper()
	const tmpfs, ramfs = 0x01021994, 0x858458f6
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatalf("look at the file system of %s: %v", dir, err)
	}
	kind := uint32(fs.Type)
	return kind == tmpfs || kind == ramfs
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect to Postgres: %v", err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// query reads one value.
func query[T any](t *testing.T, db *pgx.Conn, sql string, args ...any) T {
	t.Helper()
	var value T
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// database makes an empty database and returns its URL.
func (g *ground) database(name string) string {
	g.t.Helper()
	if _, err := g.admin.Exec(g.t.Context(), "CREATE DATABASE "+name); err != nil {
		g.t.Fatal(err)
	}
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", g.postgres.Addr(), name)
}

func local(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// product is one installation of outpost: a migrated database, a Redis number, and the programs that run on them.
type product struct {
	t    *testing.T
	path string
	env  []string
	base string // PUBLIC_URL
	addr string
	db   *pgx.Conn // looks at the database beside it
}

// install makes an installation; number is its database in Redis.
func (g *ground) install(name string, number int) *product {
	g.t.Helper()
	url, addr := g.database(name), local(testkit.FreePort(g.t))
	p := &product{t: g.t, path: testkit.BuildBinary(g.t), addr: addr, base: "http://" + addr, env: []string{
		"DATABASE_URL=" + url,
		"REDIS_URL=" + g.redis.URL() + "/" + strconv.Itoa(number),
		"SMTP_URL=smtp://127.0.0.1:1?tls=none", // nothing listens there, and no mail is due during the run
		"INVITATION_HOLD=1h",
		"PUBLIC_URL=http://" + addr,
		"SECRET_KEY=only the benchmark knows this key, and it ends with it",
		"LOG_LEVEL=warn",
	}}
	p.run("migrate")
	p.db = connect(g.t, url)
	return p
}

// run runs a command to its end and returns its standard output.
func (p *product) run(args ...string) string {
	p.t.Helper()
	stdout, stderr, status := testkit.Run(p.t, time.Minute, testkit.Command{Path: p.path, Args: args, Env: p.env})
	if status != 0 {
		p.t.Fatalf("outpost %v: exit status %d\n%s", args, status, stderr)
	}
	return stdout
}

// runJSON runs a command with --json and reads the object that it prints.
func (p *product) runJSON(into any, args ...string) {
	p.t.Helper()
	if out := p.run(append(args, "--json")...); json.Unmarshal([]byte(out), into) != nil {
		p.t.Fatalf("outpost %v: no JSON object in %q", args, out)
	}
}

// start starts a role and waits until it is ready.
func (p *product) start(args ...string) *testkit.Process {
	p.t.Helper()
	metrics := local(testkit.FreePort(p.t))
	env := append(append([]string{}, p.env...), "LISTEN_ADDR="+p.addr, "METRICS_ADDR="+metrics)
	process := testkit.Start(p.t, testkit.Command{Path: p.path, Args: args, Env: env})
	ready := metrics
	if args[0] == "api" {
		ready = p.addr
	}
	process.WaitHTTP("http://"+ready+"/readyz", time.Minute)
	return process
}

// tenant is a workspace with a connection.
type tenant struct {
	workspaceID string
	scim        *client
}

func (p *product) tenant(name string) tenant {
	p.t.Helper()
	var workspace struct{ ID, Slug string }
	p.runJSON(&workspace, "workspace", "create", "--name", name, "--owner", "owner@bench.test", "--plan", "enterprise")
	var connection struct {
		Base  string `json:"scim_base_url"`
		Token string `json:"bearer_token"`
	}
	p.runJSON(&connection, "connection", "create", "--workspace", workspace.Slug, "--provider", "okta")
	c, err := newClient(outpostName, connection.Base, connection.Token)
	if err != nil {
		p.t.Fatal(err)
	}
	return tenant{workspaceID: workspace.ID, scim: c}
}

// published waits until every operation has its task in Redis, and tells how long that took. The API does it beside the
// requests; the turn is over only then.
func (p *product) published() time.Duration {
	p.t.Helper()
	start := time.Now()
	testkit.Eventually(p.t, time.Minute, "every operation has a task", func() bool {
		return query[int](p.t, p.db, "SELECT count(*) FROM operations WHERE state = 'pending' AND dispatched_at IS NULL") == 0
	})
	return time.Since(start)
}

// startBare builds and starts the bare server.
func (g *ground) startBare(number int) (*client, *testkit.Process) {
	g.t.Helper()
	path := filepath.Join(g.t.TempDir(), "bare")
	if output, err := exec.Command("go", "build", "-o", path, "./testdata/bare").CombinedOutput(); err != nil {
		g.t.Fatalf("build the bare server: %v\n%s", err, output)
	}
	const token = "bench"
	addr := local(testkit.FreePort(g.t))
	process := testkit.Start(g.t, testkit.Command{Path: path, Args: []string{
		"-database", g.database("bare"), "-redis", g.redis.URL() + "/" + strconv.Itoa(number), "-listen", addr, "-token", token,
	}})
	process.WaitHTTP("http://"+addr+"/readyz", time.Minute)
	c, err := newClient(bareName, "http://"+addr+"/scim/v2", token)
	if err != nil {
		g.t.Fatal(err)
	}
	return c, process
}

// peakMemory is the most memory that a process has had, in MB (millions of bytes); ok is false where the system does not
// tell.
func peakMemory(process *testkit.Process) (megabytes float64, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.Pid()))
	if err != nil {
		return 0, false
	}
	_, rest, found := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, false
	}
	kib, err := strconv.Atoi(string(fields[0]))
	return float64(kib) * 1024 / 1e6, err == nil
}
