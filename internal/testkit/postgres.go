package testkit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is the URL of a fresh, empty database. All of a process's databases live in one private cluster, started at
// the first call; this one is dropped when the test ends, whoever is still connected.
func Postgres(t testing.TB) string {
	t.Helper()
	server := mainCluster(t)
	return server.newDatabase(t, "template1")
}

// PostgresFrom is Postgres with something in it. prepare runs once per process and name, on an empty database; every
// call then gets its own copy of the result, which is much faster than migrating each time.
func PostgresFrom(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	server := mainCluster(t)
	entry, _ := templates.LoadOrStore(name, &template{database: fmt.Sprintf("template_%d", databaseNumber.Add(1))})
	tpl := entry.(*template)
	tpl.once.Do(func() { tpl.err = server.makeTemplate(tpl.database, prepare) })
	if tpl.err != nil {
		t.Fatalf("prepare the Postgres template %q: %v", name, tpl.err)
	}
	return server.newDatabase(t, tpl.database)
}

type template struct {
	once     sync.Once
	database string
	err      error
}

var (
	templates      sync.Map // name -> *template
	databaseNumber atomic.Int64
)

var startMainCluster = sync.OnceValues(func() (*PostgresServer, error) {
	server, err := newCluster(memoryRoot, nil)
	if err != nil {
		return nil, err
	}
	atExit(func() { server.current.stop(StopImmediate.signal(), 10*time.Second) })
	return server, nil
})

func mainCluster(t testing.TB) *PostgresServer {
	t.Helper()
	server, err := startMainCluster()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func (s *PostgresServer) newDatabase(t testing.TB, from string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", databaseNumber.Add(1))
	if err := s.exec("CREATE DATABASE " + name + " TEMPLATE " + from); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return s.url(name)
}

func (s *PostgresServer) makeTemplate(database string, prepare func(url string) error) error {
	if err := s.exec("CREATE DATABASE " + database); err != nil {
		return err
	}
	if err := prepare(s.url(database)); err != nil {
		return err
	}
	// A template can only be copied while nobody is connected to it.
	return s.exec(
		"ALTER DATABASE "+database+" WITH ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '"+database+"'",
	)
}

// exec runs statements on the maintenance database, each on its own: CREATE DATABASE allows no transaction around it.
func (s *PostgresServer) exec(statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the test's Postgres: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
