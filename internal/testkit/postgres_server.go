package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is a private cluster that a test may stop, kill and start again.
type PostgresServer struct {
	t        testing.TB // nil for the cluster of the whole process
	dir      string
	port     int
	settings []string

	mu      sync.Mutex
	current *child // the postmaster that runs or ran last
}

// StopMode is how Postgres is asked to stop.
type StopMode string

// The three ways of pg_ctl.
const (
	StopSmart     StopMode = "smart"     // waits until every client has left
	StopFast      StopMode = "fast"      // ends the clients' transactions, then stops in good order
	StopImmediate StopMode = "immediate" // drops everything; the next start recovers from the log
)

func (m StopMode) signal() syscall.Signal {
	switch m {
	case StopSmart:
		return syscall.SIGTERM
	case StopImmediate:
		return syscall.SIGQUIT
	}
	return syscall.SIGINT
}

// NewPostgres starts a cluster of this test's own, for tests that take it away. Its port stays the same across
// restarts. A setting is written as in postgresql.conf, such as "max_connections=20". It lies on disk and forces nothing
// to it: who measures speed adds "fsync=on" and "full_page_writes=on".
func NewPostgres(t testing.TB, settings ...string) *PostgresServer {
	t.Helper()
	server, err := newCluster(diskRoot, settings)
	if err != nil {
		t.Fatal(err)
	}
	server.t = t
	t.Cleanup(func() {
		server.mu.Lock()
		defer server.mu.Unlock()
		if t.Failed() {
			t.Logf("the end of Postgres's log:\n%s", server.current.log.tail(20))
		}
		server.current.stop(StopImmediate.signal(), 10*time.Second)
		_ = os.RemoveAll(server.dir)
	})
	if err := server.exec("CREATE DATABASE outpost"); err != nil {
		t.Fatal(err)
	}
	return server
}

// URL is the address of an empty database in it.
func (s *PostgresServer) URL() string { return s.url("outpost") }

// Addr is where it listens, host:port.
func (s *PostgresServer) Addr() string { return local(s.port) }

// Stop stops it and waits for its end; one that has not stopped after 30 s is killed and the test fails.
func (s *PostgresServer) Stop(mode StopMode) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.current.cmd.Process.Signal(mode.signal())
	if !s.current.waitDone(30 * time.Second) {
		s.current.kill()
		s.t.Errorf("Postgres did not stop (%s) within 30 s", mode)
	}
}

// Kill ends the postmaster and every backend with SIGKILL, as a crash or the kernel's memory killer would.
func (s *PostgresServer) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.current.running() {
		return
	}
	backends := childrenOf(s.current.pid())
	_ = s.current.cmd.Process.Kill()
	for _, pid := range backends {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-s.current.done
}

// Restart starts it on the same port and data, stopping it first if it runs, and returns when it answers.
func (s *PostgresServer) Restart() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.stop(StopFast.signal(), 30*time.Second)
	var err error
	// After Kill the last backends may hold the old shared memory for a moment longer.
	poll(20*time.Second, func() bool {
		err = s.start()
		return err == nil || !strings.Contains(err.Error(), "still in use") && !strings.Contains(err.Error(), "already exists")
	})
	if err != nil {
		s.t.Errorf("restart Postgres: %v", err)
	}
}

func (s *PostgresServer) url(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", local(s.port), database)
}

// newCluster makes a data directory and starts a server on it.
func newCluster(root func() (string, error), settings []string) (*PostgresServer, error) {
	dir, err := tempDir(root, "postgres")
	if err != nil {
		return nil, err
	}
	if err := initCluster(dir); err != nil {
		return nil, err
	}
	server := &PostgresServer{dir: dir, settings: settings}
	for range 5 { // another process may take the port between the look and the start
		if server.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = server.start(); err == nil {
			return server, nil
		}
		if !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return nil, err
}

func initCluster(dir string) error {
	credential, err := unprivileged()
	if err != nil {
		return err
	}
	if credential != nil {
		if err := os.Chown(dir, int(credential.Uid), int(credential.Gid)); err != nil {
			return fmt.Errorf("give Postgres its directory: %w", err)
		}
	}
	initdb, err := postgresProgram("initdb")
	if err != nil {
		return err
	}
	locale := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		locale = "en_US.UTF-8"
	}
	cmd := exec.Command(initdb, "--pgdata="+filepath.Join(dir, "data"), "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale="+locale, "--no-sync", "--no-instructions")
	c, err := startPostgresChild(cmd, dir, syscall.SIGKILL)
	if err != nil {
		return err
	}
	if !c.waitDone(time.Minute) {
		c.kill()
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("initdb: %v\n%s", cmd.ProcessState, c.log.tail(20))
	}
	return nil
}

// start runs the postmaster and waits until it answers. The test process never loses power, so nothing is forced to
// disk; a killed Postgres still finds every commit, because the kernel has it.
func (s *PostgresServer) start() error {
	postgres, err := postgresProgram("postgres")
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	args := []string{"-D", data}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(s.port), "unix_socket_directories=",
		"max_connections=300", "shared_buffers=64MB", "timezone=UTC", "log_timezone=UTC",
		"synchronous_commit=on", "fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
		"dynamic_shared_memory_type=mmap", // inside the directory: nothing is left in /dev/shm
	}, s.settings...) {
		args = append(args, "-c", setting)
	}
	// When the test process dies the postmaster stops at once and takes its backends and its shared memory along;
	// SIGKILL would leave both to themselves.
	c, err := startPostgresChild(exec.Command(postgres, args...), s.dir, StopImmediate.signal())
	if err != nil {
		return err
	}
	s.current = c
	if err := c.waitReady(30*time.Second, func() error { return s.answers(data) }); err != nil {
		c.stop(StopImmediate.signal(), 5*time.Second)
		return err
	}
	return nil
}

// answers checks that the server on our port is ours.
func (s *PostgresServer) answers(data string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var dir string
	if err := conn.QueryRow(ctx, "SELECT current_setting('data_directory')").Scan(&dir); err != nil {
		return err
	}
	if dir != data {
		return fmt.Errorf("another Postgres (%s) answers on port %d", dir, s.port)
	}
	return nil
}

func startPostgresChild(cmd *exec.Cmd, dir string, atDeath syscall.Signal) (*child, error) {
	credential, err := unprivileged()
	if err != nil {
		return nil, err
	}
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	return startChild(cmd, atDeath)
}

// unprivileged is who Postgres runs as when the tests run as root, which it refuses; nil means as we do.
var unprivileged = sync.OnceValues(func() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(account.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read the user id of %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(account.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read the group id of %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("Postgres does not run as root, and there is no user postgres or nobody to run it as")
})

// postgresProgram finds initdb or postgres: in PATH, else where Debian and Homebrew put them, the newest first.
func postgresProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	var found []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin/", "/usr/pgsql-*/bin/", "/usr/local/pgsql/bin/",
		"/opt/homebrew/opt/postgresql@*/bin/", "/usr/local/opt/postgresql@*/bin/",
	} {
		paths, _ := filepath.Glob(pattern + name)
		found = append(found, paths...)
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s not found: these tests need a Postgres server; `make test` installs it, or install "+
			"the package postgresql (Debian, Ubuntu) or postgresql@16 (Homebrew)", name)
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

// version is the first number in a path.
func version(path string) int {
	digits := strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	number, _ := strconv.Atoi(digits[0])
	return number
}
