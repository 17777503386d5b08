package testkit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a started program: its output, its end, and the promise that it does not outlive this process.
type child struct {
	cmd  *exec.Cmd
	log  *logBuffer    // both outputs, as they came
	done chan struct{} // closed once it has ended and its output is read
}

// startChild starts cmd; atDeath is what the kernel sends it when this process dies (Linux only).
// The child's outputs go to its log and, where cmd names writers, there too.
func startChild(cmd *exec.Cmd, atDeath syscall.Signal) (*child, error) {
	c := &child{cmd: cmd, log: &logBuffer{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = also(c.log, cmd.Stdout), also(c.log, cmd.Stderr)
	cmd.WaitDelay = 2 * time.Second // for a grandchild that keeps the pipes open
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	dieWithParent(cmd.SysProcAttr, atDeath)
	if err := onSpawner(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		_ = cmd.Wait() // the state says how it ended
		close(c.done)
	}()
	return c, nil
}

func also(log *logBuffer, w io.Writer) io.Writer {
	if w == nil {
		return log
	}
	return io.MultiWriter(w, log)
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// waitDone reports whether the child ended in time.
func (c *child) waitDone(within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-c.done:
		return true
	case <-timer.C:
		return false
	}
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
}

// stop asks with sig and kills whoever does not follow.
func (c *child) stop(sig syscall.Signal, within time.Duration) {
	_ = c.cmd.Process.Signal(sig)
	if !c.waitDone(within) {
		c.kill()
	}
}

// spawner is the one thread that starts children. Linux ties 'die with your parent' to the thread that forked, and Go
// ends threads as it likes; this one is locked and stays for as long as the process.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})

func onSpawner(start func() error) error {
	result := make(chan error)
	spawner() <- func() { result <- start() }
	return <-result
}

// errNotReady is returned to waitReady while a server is still coming up.
var errNotReady = errors.New("no answer yet")

// waitReady asks until the server answers. A server that ends meanwhile is reported with its last words.
func (c *child) waitReady(within time.Duration, ask func() error) error {
	err := errNotReady
	ready := poll(within, func() bool {
		if !c.running() {
			return true
		}
		err = ask()
		return err == nil
	})
	switch {
	case !c.running():
		return fmt.Errorf("%s ended at once:\n%s", c.cmd.Path, c.log.tail(20))
	case !ready:
		return fmt.Errorf("%s not ready within %v: %w\n%s", c.cmd.Path, within, err, c.log.tail(20))
	}
	return nil
}

// maxLog bounds what is kept of a child's output.
const maxLog = 16 << 20

// logBuffer collects output and tells who waits that there is more.
type logBuffer struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{}
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	if len(b.text) > maxLog {
		b.text = append([]byte(nil), b.text[len(b.text)-maxLog/2:]...)
	}
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
	return len(p), nil
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

// find returns the first line that contains text, else a channel that is closed at the next write.
func (b *logBuffer) find(text string) (line string, found bool, more <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := bytes.Index(b.text, []byte(text)); at >= 0 {
		start := bytes.LastIndexByte(b.text[:at], '\n') + 1
		rest := b.text[start:]
		if end := bytes.IndexByte(rest[at-start:], '\n'); end >= 0 {
			return string(rest[:at-start+end]), true, nil
		}
		// The line is still being written: wait for its end.
	}
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return "", false, b.changed
}

func (b *logBuffer) tail(lines int) string {
	all := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
