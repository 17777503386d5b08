package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// MiniRedis is the URL of an in-process Redis, the one that the embedded mode uses. Its keys expire by the wall clock.
func MiniRedis(t testing.TB) string {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true) // else TTLs stand still
	if err := server.Start(); err != nil {
		t.Fatalf("start miniredis: %v", err)
	}
	t.Cleanup(server.Close)
	return "redis://" + server.Addr()
}

// Redis is the URL of a fresh redis-server of this test's own.
func Redis(t testing.TB) string {
	t.Helper()
	return NewRedis(t).URL()
}

// RedisServer is a private redis-server that a test may freeze, kill, empty and start again.
type RedisServer struct {
	t    testing.TB
	dir  string
	port int
	args []string

	mu      sync.Mutex
	current *child
}

// NewRedis starts a redis-server. It keeps nothing on disk unless args ask for it ("--appendonly", "yes"); its port and
// directory stay the same across restarts.
func NewRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	dir, err := tempDir(diskRoot, "redis")
	if err != nil {
		t.Fatal(err)
	}
	s := &RedisServer{t: t, dir: dir, args: args}
	for range 5 { // another process may take the port between the look and the start
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.start(); err == nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.Failed() {
			t.Logf("the end of Redis's log:\n%s", s.current.log.tail(10))
		}
		s.current.kill()
		_ = os.RemoveAll(dir)
	})
	return s
}

// URL is its address as REDIS_URL wants it.
func (s *RedisServer) URL() string { return "redis://" + s.Addr() }

// Addr is where it listens, host:port.
func (s *RedisServer) Addr() string { return local(s.port) }

// Kill ends it with SIGKILL.
func (s *RedisServer) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.kill()
}

// Pause freezes it: connections stay open and nothing answers. Resume, Kill and Restart end that.
func (s *RedisServer) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *RedisServer) Resume() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.current.cmd.Process.Signal(sig); err != nil {
		s.t.Errorf("signal redis-server: %v", err)
	}
}

// Restart starts it on the same port and directory, killing it first if it runs, and returns when it answers.
func (s *RedisServer) Restart() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.kill()
	if err := s.start(); err != nil {
		s.t.Errorf("restart redis-server: %v", err)
	}
}

// Flush empties it.
func (s *RedisServer) Flush() {
	s.t.Helper()
	reply, err := s.command("FLUSHALL")
	if err != nil || reply != "+OK" {
		s.t.Errorf("empty Redis: %q, %v", reply, err)
	}
}

func (s *RedisServer) start() error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("redis-server not found: these tests need a Redis server; `make test` installs it, or install " +
			"the package redis-server (Debian, Ubuntu) or redis (Homebrew)")
	}
	cmd := exec.Command(path, append([]string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no",
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
	}, s.args...)...)
	cmd.Dir = s.dir
	c, err := startChild(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	s.current = c
	if err := c.waitReady(20*time.Second, s.answers); err != nil {
		c.kill()
		return err
	}
	return nil
}

// answers checks that the server on our port is ours and has loaded its data.
func (s *RedisServer) answers() error {
	info, err := s.command("INFO")
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(info, "-NOAUTH"): // a test asked for a password
		return nil
	case !strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", s.current.pid())):
		return fmt.Errorf("another Redis answers on port %d", s.port)
	case !strings.Contains(info, "\nloading:0\r\n"): // and not async_loading
		return errNotReady
	}
	return nil
}

// command speaks just enough of the protocol for a word and its status or text, without a client's pool and log.
func (s *RedisServer) command(word string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, word+"\r\n"); err != nil {
		return "", err
	}
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if !strings.HasPrefix(line, "$") {
		return line, nil
	}
	size, err := strconv.Atoi(line[1:])
	if err != nil {
		return "", fmt.Errorf("read the size in %q: %w", line, err)
	}
	text := make([]byte, size)
	_, err = io.ReadFull(reader, text)
	return string(text), err
}
