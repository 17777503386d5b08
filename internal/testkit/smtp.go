package testkit

import (
	"errors"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// SMTPSink is a real SMTP server that keeps what it is sent and misbehaves when told to.
type SMTPSink struct {
	t    testing.TB
	addr string

	mu       sync.Mutex
	server   *smtp.Server
	listener net.Listener
	served   chan struct{}
	messages []Message
	attempts int
	held     int
	changed  chan struct{} // closed and replaced whenever one of the four above changes
	gate     chan struct{} // while blocked: closed by Release
	reject   func(rcpt string) *smtp.SMTPError
	refuse   func(Message) *smtp.SMTPError
	drop     DropPoint
	drops    int
}

// DropPoint is where in a message's life the sink cuts the line.
type DropPoint int

// In the first two the sender cannot know what happened: that is SMTP's gap. The third is delivered for sure.
const (
	DropBeforeAccept DropPoint = iota // the message has arrived in full, is not kept, and no reply is sent
	DropBeforeReply                   // the message is kept and no reply is sent
	DropAfterReply                    // the message is kept and the 250 sent; the next command meets a closed line
)

// NewSMTP starts a sink on a free port.
func NewSMTP(t testing.TB) *SMTPSink {
	t.Helper()
	s := &SMTPSink{t: t, addr: local(FreePort(t)), changed: make(chan struct{})}
	if err := s.listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// URL is its address as SMTP_URL wants it.
func (s *SMTPSink) URL() string { return "smtp://" + s.addr + "?tls=none" }

// Addr is where it listens, host:port.
func (s *SMTPSink) Addr() string { return s.addr }

// Messages are the accepted messages, oldest first.
func (s *SMTPSink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Attempts counts the messages that arrived in full, the refused and dropped ones too.
func (s *SMTPSink) Attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts
}

// WaitFor waits until n messages are accepted and returns all there are.
func (s *SMTPSink) WaitFor(n int, within time.Duration) []Message {
	s.t.Helper()
	if !s.wait(within, func() bool { return len(s.messages) >= n }) {
		s.t.Fatalf("not within %v: %d messages, there are %d", within, n, len(s.Messages()))
	}
	return s.Messages()
}

// WaitHeld waits until Block holds n messages back.
func (s *SMTPSink) WaitHeld(n int, within time.Duration) {
	s.t.Helper()
	if !s.wait(within, func() bool { return s.held >= n }) {
		s.t.Fatalf("not within %v: %d messages held at DATA", within, n)
	}
}

// Reject asks f at every RCPT; what it returns is the answer, nil accepts. Reject(nil) accepts everybody again.
func (s *SMTPSink) Reject(f func(rcpt string) *smtp.SMTPError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reject = f
}

// RejectData asks f at the end of every message, as a filter for content or size would.
func (s *SMTPSink) RejectData(f func(m Message) *smtp.SMTPError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// Drop cuts the line at the next n messages.
func (s *SMTPSink) Drop(at DropPoint, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop, s.drops = at, n
}

// Block holds every message after it has arrived in full and before it is accepted or answered, until Release.
func (s *SMTPSink) Block() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate == nil {
		s.gate = make(chan struct{})
	}
}

// Release lets the held messages through.
func (s *SMTPSink) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != nil {
		close(s.gate)
		s.gate = nil
	}
}

// Stop closes the port and every connection; held messages are lost. Start opens the same port again.
func (s *SMTPSink) Stop() {
	s.mu.Lock()
	server, listener, served := s.server, s.listener, s.served
	s.server = nil
	s.mu.Unlock()
	if server == nil {
		return
	}
	_ = listener.Close() // Close below knows it only once Serve has begun
	_ = server.Close()
	<-served
	s.Release() // their lines are cut: nobody hears the answer
}

// Start opens the port again after Stop.
func (s *SMTPSink) Start() {
	s.t.Helper()
	if err := s.listen(); err != nil {
		s.t.Errorf("start the SMTP sink: %v", err)
	}
}

func (s *SMTPSink) listen() error {
	// A port that was closed a moment ago may not be free yet.
	listener, err := net.Listen("tcp", s.addr)
	for deadline := time.Now().Add(5 * time.Second); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
		listener, err = net.Listen("tcp", s.addr)
	}
	if err != nil {
		return err
	}
	server := smtp.NewServer(smtp.BackendFunc(func(conn *smtp.Conn) (smtp.Session, error) {
		return &smtpSession{sink: s, server: conn.Server(), line: conn.Conn().(*smtpLine)}, nil
	}))
	server.Domain = "sink.test"
	server.MaxMessageBytes = 32 << 20
	server.MaxRecipients = 100
	server.ErrorLog = log.New(io.Discard, "", 0)
	served := make(chan struct{})
	s.mu.Lock()
	s.server, s.listener, s.served = server, listener, served
	s.mu.Unlock()
	go func() {
		defer close(served)
		_ = server.Serve(smtpListener{listener}) // ends with Stop
	}()
	return nil
}

func (s *SMTPSink) wait(within time.Duration, ok func() bool) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		s.mu.Lock()
		done, changed := ok(), s.changed
		s.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		}
	}
}

// tell wakes the waiters; the caller holds the lock.
func (s *SMTPSink) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// receive decides about a message that has arrived in full. It returns the answer and whether and when to cut the line.
func (s *SMTPSink) receive(server *smtp.Server, m Message) (answer *smtp.SMTPError, cut bool, after bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	s.tell()
	if gate := s.gate; gate != nil {
		s.held++
		s.tell()
		s.mu.Unlock()
		<-gate
		s.mu.Lock()
		s.held--
		s.tell()
	}
	if s.server != server { // stopped meanwhile
		return nil, true, false
	}
	if s.refuse != nil {
		if answer := s.refuse(m); answer != nil {
			return answer, false, false
		}
	}
	if s.drops > 0 {
		s.drops--
		if s.drop == DropBeforeAccept {
			return nil, true, false
		}
		cut, after = true, s.drop == DropAfterReply
	}
	s.messages = append(s.messages, m)
	s.tell()
	return nil, cut, after
}

// smtpSession is one connection's transaction.
type smtpSession struct {
	sink   *SMTPSink
	server *smtp.Server
	line   *smtpLine
	from   string
	rcpts  []string
}

func (c *smtpSession) Reset()        { c.from, c.rcpts = "", nil }
func (c *smtpSession) Logout() error { return nil }

func (c *smtpSession) Mail(from string, _ *smtp.MailOptions) error {
	c.from = from
	return nil
}

func (c *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.sink.mu.Lock()
	reject := c.sink.reject
	c.sink.mu.Unlock()
	if reject != nil {
		if answer := reject(to); answer != nil {
			return answer
		}
	}
	c.rcpts = append(c.rcpts, to)
	return nil
}

func (c *smtpSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	message := parseMessage(raw)
	message.From, message.Recipients = c.from, slices.Clone(c.rcpts)
	answer, cut, after := c.sink.receive(c.server, message)
	switch {
	case answer != nil:
		return answer
	case cut && after:
		c.line.closeAfterReply()
	case cut:
		_ = c.line.Close()
		return errors.New("the line is cut")
	}
	return nil
}

// smtpListener hands out lines that can be cut right after a reply.
type smtpListener struct{ net.Listener }

func (l smtpListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &smtpLine{Conn: conn}, nil
}

type smtpLine struct {
	net.Conn
	mu   sync.Mutex
	last bool
}

func (l *smtpLine) closeAfterReply() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = true
}

func (l *smtpLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.Conn.Write(p)
	if l.last && strings.HasSuffix(string(p), "\n") {
		_ = l.Close()
	}
	return n, err
}
