// Package testkit brings the real parts that tests run against: Postgres, Redis, an SMTP sink, a browser, built
// binaries, a clock.
// It never imports another package of this module, and only _test.go files import it.
//
// A package whose tests use it ends its run cleanly with
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// Without that (or when the test binary is killed) nothing survives either: on Linux the kernel ends the children with
// their parent, and the next run removes the directories that a dead run left behind.
package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Main runs the tests, then stops what the kit started for the whole process and removes its directories.
func Main(m *testing.M) {
	defer stopAll()
	m.Run()
}

// Eventually polls ok until it holds, and fails the test with what it waited for once the time is over.
// Like every function here that can stop a test, it belongs on the test's own goroutine.
func Eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	if !poll(within, ok) {
		t.Fatalf("not within %v: %s", within, what)
	}
}

// poll asks often at first and then every 50 ms, and asks once more when the time is over.
func poll(within time.Duration, ok func() bool) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	pause := time.Millisecond
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			if ok() {
				return true
			}
			next.Reset(pause)
			pause = min(pause*2, 50*time.Millisecond)
		case <-deadline.C:
			return ok()
		}
	}
}

// stops holds what ends with the process, last started first.
var stops struct {
	sync.Mutex
	list []func()
}

func atExit(stop func()) {
	stops.Lock()
	defer stops.Unlock()
	stops.list = append(stops.list, stop)
}

func stopAll() {
	stops.Lock()
	list := stops.list
	stops.list = nil
	stops.Unlock()
	for i := len(list) - 1; i >= 0; i-- {
		list[i]()
	}
}

const rootPrefix = "outpost-test-"

// diskRoot is this process's directory for everything it starts, except what only has to be fast: that is in
// memoryRoot, which is diskRoot where no file system in memory is to be had.
var (
	diskRoot   = sync.OnceValues(func() (string, error) { return newRoot(tempBase()) })
	memoryRoot = sync.OnceValues(func() (string, error) {
		if base := memoryBase(); base != "" {
			return newRoot(base)
		}
		return diskRoot()
	})
)

// newRoot makes a directory that goes when the process ends. The lock in it tells other runs that its owner lives; the
// kernel releases it, so that it tells the truth about a killed run too.
func newRoot(base string) (string, error) {
	removeDeadRoots(base)
	root, err := os.MkdirTemp(base, fmt.Sprintf("%s%d-", rootPrefix, os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make the test directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(root, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("make the test directory's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return "", fmt.Errorf("lock the test directory: %w", err)
	}
	if err := os.Chmod(root, 0o711); err != nil { // Postgres runs as somebody else and must pass through
		return "", fmt.Errorf("open the test directory: %w", err)
	}
	atExit(func() {
		_ = os.RemoveAll(root)
		_ = lock.Close()
	})
	return root, nil
}

// tempDir makes a directory that lives until the caller removes it, at the latest until the process ends.
func tempDir(root func() (string, error), name string) (string, error) {
	dir, err := root()
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, name+"-")
}

// tempBase is the system's temporary directory, unless this is root with one that nobody else may enter:
// Postgres, which refuses to run as root, could not reach its files there.
func tempBase() string {
	base := os.TempDir()
	if os.Getuid() != 0 {
		return base
	}
	for dir := base; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o001 == 0 {
			return "/tmp"
		}
	}
	return base
}

// removeDeadRoots clears what killed runs left. A directory without a lock file is being made right now.
func removeDeadRoots(base string) {
	roots, _ := filepath.Glob(filepath.Join(base, rootPrefix+"*"))
	for _, root := range roots {
		lock, err := os.OpenFile(filepath.Join(root, "lock"), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && olderThanAMinute(lock) {
			_ = os.RemoveAll(root)
		}
		_ = lock.Close()
	}
}

// olderThanAMinute guards the moment between making a lock file and taking it.
func olderThanAMinute(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && time.Since(info.ModTime()) > time.Minute
}
