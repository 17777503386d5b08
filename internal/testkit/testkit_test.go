package testkit

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// abandon makes the test binary a run that starts real parts, says what it started, and waits to be killed.
const abandon = "TESTKIT_ABANDON"

func TestMain(m *testing.M) { Main(m) }

func TestEventuallyReturnsOnceItHolds(t *testing.T) {
	t.Parallel()
	var asked int
	Eventually(t, time.Minute, "the third question", func() bool { asked++; return asked == 3 })
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
}

func TestEventuallyFailsWithWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	fake := capture(t, func(t testing.TB) { Eventually(t, time.Millisecond, "the moon to fall", func() bool { return false }) })
	if !strings.Contains(fake.fatal, "the moon to fall") {
		t.Errorf("failed with %q", fake.fatal)
	}
}

func TestClockMovesOnlyWhenTold(t *testing.T) {
	t.Parallel()
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := NewClock(t0)
	if !clock.Now().Equal(t0) {
		t.Errorf("now %v, want %v", clock.Now(), t0)
	}
	var wait sync.WaitGroup
	for range 100 {
		wait.Go(func() { clock.Advance(time.Second) })
	}
	wait.Wait()
	if want := t0.Add(100 * time.Second); !clock.Now().Equal(want) {
		t.Errorf("now %v, want %v", clock.Now(), want)
	}
	clock.Set(t0)
	if got := clock.Advance(-time.Hour); !got.Equal(t0.Add(-time.Hour)) {
		t.Errorf("advance returned %v", got)
	}
}

func TestFreePortsAreFreeAndDifferent(t *testing.T) {
	t.Parallel()
	given := map[int]bool{}
	for range 50 {
		port := FreePort(t)
		if given[port] {
			t.Fatalf("port %d given twice", port)
		}
		given[port] = true
		listener, err := net.Listen("tcp", local(port))
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close()
	}
}

func TestDeadRunsAreClearedAndLiveOnesKept(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	root := func(name string, age time.Duration) *os.File {
		dir := filepath.Join(base, rootPrefix+name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		lock, err := os.Create(filepath.Join(dir, "lock"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = lock.Close() })
		then := time.Now().Add(-age)
		if err := os.Chtimes(lock.Name(), then, then); err != nil {
			t.Fatal(err)
		}
		return lock
	}
	dead := root("dead", time.Hour)
	fresh := root("fresh", 0)
	live := root("live", time.Hour)
	if err := syscall.Flock(int(live.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(base, rootPrefix+"unlocked"), 0o700); err != nil {
		t.Fatal(err)
	}

	removeDeadRoots(base)

	if _, err := os.Stat(dead.Name()); err == nil {
		t.Error("a dead run's directory was kept")
	}
	for _, path := range []string{fresh.Name(), live.Name(), filepath.Join(base, rootPrefix+"unlocked")} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("removed what may be in use: %v", err)
		}
	}
}

func TestNothingSurvivesAKilledRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("only Linux ends the children of a killed process; elsewhere Main does, and this test has nothing to show")
		return
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := Start(t, Command{
		Path: self,
		Args: []string{"-test.run=^TestAbandonedRun$", "-test.v"},
		Env:  []string{abandon + "=1"},
	})
	var root string
	var postgres, redis, browser, program int
	line := run.WaitLog("abandoned ", time.Minute)
	if _, err := fmt.Sscanf(line[strings.Index(line, "abandoned "):], "abandoned %s %d %d %d %d", &root, &postgres, &redis, &browser, &program); err != nil {
		t.Fatalf("read %q: %v", line, err)
	}
	backends := childrenOf(postgres)
	helpers := childrenOf(browser)
	if len(backends) == 0 || len(helpers) == 0 {
		t.Fatal("Postgres or the browser has no children")
	}

	run.Kill()

	for _, pid := range slices.Concat(backends, helpers, []int{postgres, redis, browser, program}) {
		Eventually(t, 20*time.Second, fmt.Sprintf("process %d to end with its parent", pid), func() bool { return gone(pid) })
	}
	if err := os.RemoveAll(root); err != nil {
		t.Error(err)
	}
}

// TestAbandonedRun is the run that TestNothingSurvivesAKilledRun kills; by itself it does nothing.
func TestAbandonedRun(t *testing.T) {
	if os.Getenv(abandon) == "" {
		return
	}
	postgres := NewPostgres(t)
	redis := NewRedis(t)
	browser := mainChromium(t)
	// From a goroutine that ends, as the thread under it may.
	started := make(chan *Process)
	go func() {
		runtime.LockOSThread()
		started <- Start(t, Command{Path: "/bin/sh", Args: []string{"-c", "exec sleep 600"}})
	}()
	program := <-started
	root, err := diskRoot()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("abandoned", root, postgres.current.pid(), redis.current.pid(), browser.child.pid(), program.Pid())
	<-program.Exited()
}

// gone holds for a zombie too: it only waits to be counted.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// failing is a test that records instead of failing.
type failing struct {
	testing.TB
	fatal, errors string
	cleanups      []func()
}

func (f *failing) Helper()           {}
func (f *failing) Failed() bool      { return f.fatal != "" || f.errors != "" }
func (f *failing) Cleanup(do func()) { f.cleanups = append(f.cleanups, do) }
func (f *failing) Logf(format string, args ...any) {
	f.errors += fmt.Sprintf(format, args...) + "\n"
}
func (f *failing) Errorf(format string, args ...any) { f.Logf(format, args...) }
func (f *failing) Fatal(args ...any) {
	f.fatal = fmt.Sprint(args...)
	runtime.Goexit()
}
func (f *failing) Fatalf(format string, args ...any) {
	f.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// capture runs do as a test of its own, with its cleanups, and returns how it failed.
func capture(t testing.TB, do func(testing.TB)) *failing {
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for i := len(f.cleanups) - 1; i >= 0; i-- {
				f.cleanups[i]()
			}
		}()
		do(f)
	}()
	<-done
	return f
}
