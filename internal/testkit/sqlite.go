package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

var sqliteTemplates sync.Map // name -> func() ([]byte, error)

// SQLiteFrom is the URL of a SQLite database of the test's own, with something in it. prepare runs once per process and
// name, on an empty database; every call then gets its own copy of the result, which is much faster than migrating each
// time.
func SQLiteFrom(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	read, _ := sqliteTemplates.LoadOrStore(name, sync.OnceValues(func() ([]byte, error) { return makeSQLite(prepare) }))
	content, err := read.(func() ([]byte, error))()
	if err != nil {
		t.Fatalf("prepare the SQLite template %q: %v", name, err)
	}
	file := filepath.Join(t.TempDir(), "outpost.db")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + file
}

func makeSQLite(prepare func(url string) error) ([]byte, error) {
	dir, err := tempDir(memoryRoot, "sqlite")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "template.db")
	if err := prepare("sqlite:" + file); err != nil {
		return nil, err
	}
	if _, err := os.Stat(file + "-wal"); err == nil {
		return nil, fmt.Errorf("%s is still open after it was prepared", file)
	}
	return os.ReadFile(file)
}
