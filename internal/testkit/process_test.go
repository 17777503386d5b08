package testkit

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var buildChild = sync.OnceValues(func() (string, error) { return build("./internal/testkit/testdata/child", "child") })

func childProgram(t testing.TB) string {
	t.Helper()
	path, err := buildChild()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProcessIsWatchedFromStartToStop(t *testing.T) {
	t.Parallel()
	addr := local(FreePort(t))
	p := Start(t, Command{Path: childProgram(t), Args: []string{"serve", addr}, Env: []string{"SETTING=x"}})

	if line := p.WaitLog("msg=ready", 10*time.Second); !strings.HasPrefix(line, "level=INFO") {
		t.Errorf("the line is %q", line)
	}
	p.WaitHTTP("http://"+addr+"/", 10*time.Second, 204)
	if status := p.Stop(10 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}

	if want := `SETTING="x"`; !strings.Contains(p.Stdout(), want) || strings.Contains(p.Stdout(), "level=") {
		t.Errorf("standard output is %q", p.Stdout())
	}
	if !strings.HasSuffix(p.Stdout(), "bye\n") || strings.Contains(p.Stderr(), "bye") || !strings.Contains(p.Log(), "bye") {
		t.Errorf("the outputs are %q and %q", p.Stdout(), p.Stderr())
	}
}

func TestProcessSeesOnlyTheEnvironmentItIsGiven(t *testing.T) {
	t.Setenv("SECRET_KEY", "of the machine")
	stdout, stderr, status := Run(t, 10*time.Second, Command{Path: childProgram(t), Args: []string{"fail"}})
	if !strings.Contains(stdout, `SECRET_KEY=""`) {
		t.Errorf("standard output is %q", stdout)
	}
	if status != 7 || !strings.HasSuffix(stderr, "last words\n") {
		t.Errorf("status %d, standard error %q", status, stderr)
	}
}

func TestFailedTestShowsTheLastWords(t *testing.T) {
	t.Parallel()
	path := childProgram(t)
	failed := capture(t, func(t testing.TB) {
		Start(t, Command{Path: path, Args: []string{"fail"}}).WaitLog("never said", 10*time.Second)
	})
	if !strings.Contains(failed.fatal, "exit status 7") || !strings.Contains(failed.errors, "last words") {
		t.Errorf("failed with %q, then %q", failed.fatal, failed.errors)
	}
}

func TestWaitingForADeadServerEndsAtOnce(t *testing.T) {
	t.Parallel()
	path, url := childProgram(t), "http://"+local(FreePort(t))
	begin := time.Now()
	failed := capture(t, func(t testing.TB) {
		Start(t, Command{Path: path, Args: []string{"fail"}}).WaitHTTP(url, time.Minute)
	})
	if failed.fatal == "" || time.Since(begin) > 20*time.Second {
		t.Errorf("after %v: %q", time.Since(begin), failed.fatal)
	}
}

func TestProcessEndsWithItsTest(t *testing.T) {
	t.Parallel()
	path := childProgram(t)
	var p *Process
	capture(t, func(t testing.TB) {
		p = Start(t, Command{Path: path})
		p.WaitLog("msg=ready", 10*time.Second)
		p.Signal(syscall.SIGSTOP) // even one that cannot listen
	})
	if p.child.running() {
		t.Error("still runs")
	}
	if status := p.Wait(time.Second); status != -1 {
		t.Errorf("status %d, want -1 for a killed process", status)
	}
}

func TestBuildingWhatDoesNotExistSaysSo(t *testing.T) {
	t.Parallel()
	if _, err := build("./cmd/nothing", "nothing"); err == nil || !strings.Contains(err.Error(), "./cmd/nothing") {
		t.Errorf("error %v", err)
	}
}

func TestLogKeepsTheEndOfALongOutput(t *testing.T) {
	t.Parallel()
	var log logBuffer
	line := strings.Repeat("x", 1023) + "\n"
	for range maxLog/len(line) + 10 {
		_, _ = log.Write([]byte(line))
	}
	_, _ = log.Write([]byte("end"))
	if size := len(log.String()); size > maxLog {
		t.Errorf("kept %d bytes", size)
	}
	if log.tail(1) != "end" {
		t.Errorf("the end is %q", log.tail(1))
	}
	if _, found, _ := log.find("end"); found {
		t.Error("found a line that is still being written")
	}
	_, _ = log.Write([]byte(" of it\n"))
	if got, _, _ := log.find("end"); got != "end of it" {
		t.Errorf("found %q", got)
	}
}

func TestMissingProgramsAreNamedWithTheirPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	failed := capture(t, func(t testing.TB) { NewRedis(t) })
	if !strings.Contains(failed.fatal, "package redis-server") {
		t.Errorf("failed with %q", failed.fatal)
	}
	if _, err := postgresProgram("initdb-of-nobody"); err == nil || !strings.Contains(err.Error(), "package postgresql") {
		t.Errorf("error %v", err)
	}
	if runtime.GOOS == "linux" {
		if _, err := browserProgram(); err == nil || !strings.Contains(err.Error(), "package chromium") {
			t.Errorf("error %v", err)
		}
	}
	if _, err := os.Stat("/usr/lib/postgresql"); err == nil {
		if path, err := postgresProgram("initdb"); err != nil || !strings.HasPrefix(path, "/usr/lib/postgresql/") {
			t.Errorf("without PATH found %q, %v", path, err)
		}
	}
}
