package testkit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustExec(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func text(t testing.TB, conn *pgx.Conn, sql string) string {
	t.Helper()
	var value string
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestEveryPostgresIsEmptyAndOnesOwn(t *testing.T) {
	t.Parallel()
	one, two := connect(t, Postgres(t)), connect(t, Postgres(t))
	mustExec(t, one, "CREATE TABLE users (id int)")
	mustExec(t, two, "CREATE TABLE users (id int)")

	for sql, want := range map[string]string{
		"SHOW synchronous_commit":          "on",
		"SHOW max_connections":             "300",
		"SHOW server_encoding":             "UTF8",
		"SHOW timezone":                    "UTC",
		"SELECT lower('ÄÖ')":               "äö",
		"SELECT count(*)::text FROM users": "0",
	} {
		if got := text(t, one, sql); got != want {
			t.Errorf("%s is %q, want %q", sql, got, want)
		}
	}
}

func TestPostgresIsDroppedWithItsTestThoughSomebodyIsConnected(t *testing.T) {
	t.Parallel()
	var url string
	failed := capture(t, func(inner testing.TB) {
		url = Postgres(inner)
		connect(t, url)
	})
	if failed.Failed() {
		t.Fatal(failed.fatal, failed.errors)
	}
	if _, err := pgx.Connect(t.Context(), url); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("connect: %v", err)
	}
}

func TestTemplateIsPreparedOnceAndCopied(t *testing.T) {
	t.Parallel()
	var prepared atomic.Int32
	var left *pgx.Conn
	prepare := func(url string) error {
		prepared.Add(1)
		left = connect(t, url) // a pool that was not closed must not stop the copies
		_, err := left.Exec(t.Context(), "CREATE TABLE users (name text); INSERT INTO users VALUES ('ada')")
		return err
	}
	name := fmt.Sprintf("users %p", &prepared) // a name of this run's own, for -count=2
	one := connect(t, PostgresFrom(t, name, prepare))
	mustExec(t, one, "DELETE FROM users")
	two := connect(t, PostgresFrom(t, name, prepare))
	if got := text(t, two, "SELECT name FROM users"); got != "ada" {
		t.Errorf("the second copy holds %q", got)
	}
	if prepared.Load() != 1 {
		t.Errorf("prepared %d times", prepared.Load())
	}
}

func TestTemplateThatCannotBePreparedFailsEveryTest(t *testing.T) {
	t.Parallel()
	for range 2 {
		failed := capture(t, func(t testing.TB) {
			PostgresFrom(t, "broken", func(string) error { return errors.New("syntax error in 0001.sql") })
		})
		if !strings.Contains(failed.fatal, "syntax error in 0001.sql") {
			t.Errorf("failed with %q", failed.fatal)
		}
	}
}

func TestKilledPostgresKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	server := NewPostgres(t, "max_connections=20")
	conn := connect(t, server.URL())
	if got := text(t, conn, "SHOW max_connections"); got != "20" {
		t.Errorf("max_connections is %s", got)
	}
	mustExec(t, conn, "CREATE TABLE notes (text text)")
	mustExec(t, conn, "INSERT INTO notes VALUES ('committed')")
	mustExec(t, conn, "BEGIN")
	mustExec(t, conn, "INSERT INTO notes VALUES ('not committed')")

	server.Kill()
	server.Kill() // twice is no fault
	if _, err := pgx.Connect(t.Context(), server.URL()); err == nil {
		t.Fatal("a killed Postgres answers")
	}
	server.Restart()

	if got := text(t, connect(t, server.URL()), "SELECT string_agg(text, ',') FROM notes"); got != "committed" {
		t.Errorf("found %q", got)
	}
}

func TestStoppedPostgresComesBackOnItsPort(t *testing.T) {
	t.Parallel()
	server := NewPostgres(t)
	for _, mode := range []StopMode{StopSmart, StopFast, StopImmediate} {
		conn := connect(t, server.URL())
		mustExec(t, conn, "CREATE TABLE "+string(mode)+" ()")
		if mode == StopSmart {
			_ = conn.Close(t.Context())
		}
		server.Stop(mode)
		if _, err := pgx.Connect(t.Context(), server.URL()); err == nil {
			t.Fatalf("answers after Stop(%s)", mode)
		}
		server.Restart()
	}
	server.Restart() // also while it runs
	if got := text(t, connect(t, server.URL()), "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'"); got != "3" {
		t.Errorf("%s tables are there, want 3", got)
	}
}

func BenchmarkPostgres(b *testing.B) {
	Postgres(b)
	for b.Loop() {
		Postgres(b)
	}
}

func BenchmarkPostgresFrom(b *testing.B) {
	prepare := func(url string) error {
		_, err := connect(b, url).Exec(b.Context(), "CREATE TABLE users (id int PRIMARY KEY)")
		return err
	}
	PostgresFrom(b, "bench", prepare)
	for b.Loop() {
		PostgresFrom(b, "bench", prepare)
	}
}

func BenchmarkNewPostgres(b *testing.B) {
	for b.Loop() {
		begin := time.Now()
		NewPostgres(b)
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms")
	}
}
