package testkit

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Command is a program to run.
type Command struct {
	Path string
	Args []string
	Env  []string // KEY=value; of the test's own environment only PATH, HOME, TMPDIR and the like are passed on
	Dir  string   // empty: the test's
}

// Process is a running child process. It is killed when the test ends, and does not outlive the test's process.
type Process struct {
	t      testing.TB
	name   string
	child  *child
	stdout logBuffer
	stderr logBuffer
}

// inherited are the variables a program needs to run at all; everything else would make a test depend on the machine.
var inherited = []string{"PATH", "HOME", "USER", "TMPDIR", "LANG", "GOCOVERDIR", "GORACE", "SSL_CERT_FILE", "SSL_CERT_DIR"}

// Start runs a program. If the test fails, the end of its output is printed.
func Start(t testing.TB, command Command) *Process {
	t.Helper()
	p := &Process{t: t, name: strings.Join(append([]string{filepath.Base(command.Path)}, command.Args...), " ")}
	cmd := exec.Command(command.Path, command.Args...)
	cmd.Dir = command.Dir
	cmd.Env = []string{}
	for _, key := range inherited {
		if value, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, command.Env...)
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	var err error
	if p.child, err = startChild(cmd, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s ended with %v; the end of its output:\n%s", p.name, cmd.ProcessState, p.child.log.tail(60))
		}
	})
	return p
}

// Run runs a program to its end and returns its standard output, standard error and exit status.
func Run(t testing.TB, within time.Duration, command Command) (stdout, stderr string, status int) {
	t.Helper()
	p := Start(t, command)
	status = p.Wait(within)
	return p.Stdout(), p.Stderr(), status
}

// Pid is the process id.
func (p *Process) Pid() int { return p.child.pid() }

// Stdout is what it has written to standard output so far.
func (p *Process) Stdout() string { return p.stdout.String() }

// Stderr is what it has written to standard error so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// Log is both outputs in the order they came.
func (p *Process) Log() string { return p.child.log.String() }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.child.done }

// WaitLog waits for a line that contains text, on either output and from its start, and returns the whole line.
func (p *Process) WaitLog(text string, within time.Duration) string {
	p.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	exited := p.child.done
	for {
		line, found, more := p.child.log.find(text)
		if found {
			return line
		}
		if exited == nil {
			p.t.Fatalf("%s ended (%v) without a line with %q", p.name, p.child.cmd.ProcessState, text)
		}
		select {
		case <-more:
		case <-exited:
			exited = nil // look once more: its last words came before its end
		case <-timer.C:
			p.t.Fatalf("%s: no line with %q within %v", p.name, text, within)
		}
	}
}

// WaitHTTP waits until a GET of url is answered with one of the statuses, 200 if none is named.
func (p *Process) WaitHTTP(url string, within time.Duration, statuses ...int) {
	p.t.Helper()
	if len(statuses) == 0 {
		statuses = []int{http.StatusOK}
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	last := "no answer"
	err := p.child.waitReady(within, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			last = err.Error()
			return err
		}
		_ = response.Body.Close()
		last = response.Status
		if !slices.Contains(statuses, response.StatusCode) {
			return fmt.Errorf("GET %s: %s", url, response.Status)
		}
		return nil
	})
	if err != nil {
		p.t.Fatalf("%s: GET %s within %v: %s", p.name, url, within, last)
	}
}

// Signal sends it a signal.
func (p *Process) Signal(sig os.Signal) {
	p.t.Helper()
	if err := p.child.cmd.Process.Signal(sig); err != nil {
		p.t.Errorf("signal %s: %v", p.name, err)
	}
}

// Kill ends it with SIGKILL and waits until it is gone.
func (p *Process) Kill() { p.child.kill() }

// Wait waits for its end and returns the exit status, -1 if a signal ended it.
func (p *Process) Wait(within time.Duration) int {
	p.t.Helper()
	if !p.child.waitDone(within) {
		p.t.Fatalf("%s still runs after %v", p.name, within)
	}
	return p.child.cmd.ProcessState.ExitCode()
}

// Stop asks it to end, as an operator's SIGTERM does, and returns the exit status.
func (p *Process) Stop(within time.Duration) int {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	return p.Wait(within)
}
