package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"
)

// SMTP sends through a mail server. It opens a connection for each concurrent Send, keeps it open for the next one and
// closes it after half a minute without work.
type SMTP struct {
	server server

	mu     sync.Mutex
	closed bool
	idle   []*idleConn // the most recently used last
}

type idleConn struct {
	*conn
	timer *time.Timer
}

// Option changes how SMTP connects.
type Option func(*server)

// WithHello sets the name we give in EHLO; without it the machine's host name.
func WithHello(name string) Option { return func(s *server) { s.hello = name } }

// WithTLS sets the base of the TLS configuration, for example a private certificate authority.
func WithTLS(c *tls.Config) Option { return func(s *server) { s.tls = c.Clone() } }

// WithIdleTimeout sets how long an unused connection stays open; without it 30 seconds.
func WithIdleTimeout(d time.Duration) Option { return func(s *server) { s.idleTimeout = d } }

// NewSMTP reads smtp://user:pass@host:port?tls=none|starttls|implicit and connects to nothing yet.
//
// Without tls= the connection must become encrypted by STARTTLS before anything is said, or is implicitly encrypted on
// port 465; only on a loopback host is STARTTLS merely used where it is offered, without looking at the certificate.
// smtps:// means implicit. Without a port: 465 for implicit, 25 for none, else 587. tls=none sends a password in the
// clear, since whoever sets it has said that the line is safe.
func NewSMTP(url string, opts ...Option) (*SMTP, error) {
	srv, err := parseServer(url)
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		o(&srv)
	}
	return &SMTP{server: srv}, nil
}

// Check connects to the server behind url, says hello, encrypts, signs in and leaves: what `outpost doctor` asks.
func Check(ctx context.Context, url string, opts ...Option) error {
	s, err := NewSMTP(url, opts...)
	if err != nil {
		return err
	}
	c, err := s.server.connect(ctx)
	if err != nil {
		return err
	}
	return c.quit(ctx)
}

// Send hands m over; see Sender. The time limit is ctx's. A kept connection that turns out to be dead before the content
// is sent is replaced by a new one within the same Send.
func (s *SMTP) Send(ctx context.Context, m Message, committing func() error) (Receipt, error) {
	body, err := m.render()
	if err != nil {
		return Receipt{}, err
	}
	c := s.take()
	if c != nil {
		receipt, err := c.send(ctx, m, body, committing)
		s.give(c)
		if !errors.Is(err, errStale) {
			return receipt, err
		}
	}
	if c, err = s.server.connect(ctx); err != nil {
		return Receipt{}, err
	}
	receipt, err := c.send(ctx, m, body, committing)
	s.give(c)
	return receipt, err
}

// Close says goodbye on idle connections. A Send under way finishes and then closes its own.
func (s *SMTP) Close() error {
	s.mu.Lock()
	s.closed = true
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range idle {
		c.timer.Stop()
		wg.Go(c.bye)
	}
	wg.Wait()
	return nil
}

// take returns the most recently used idle connection, or nil.
func (s *SMTP) take() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) == 0 {
		return nil
	}
	last := s.idle[len(s.idle)-1]
	s.idle = s.idle[:len(s.idle)-1]
	last.timer.Stop()
	last.reused = true
	return last.conn
}

// give keeps c for the next Send, unless it is broken or we are closing.
func (s *SMTP) give(c *conn) {
	if c.broken {
		c.drop()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		go c.bye()
		return
	}
	kept := &idleConn{conn: c}
	kept.timer = time.AfterFunc(s.server.idleTimeout, func() { s.expire(kept) })
	s.idle = append(s.idle, kept)
}

// expire ends c if it is still idle; a Send may have taken it in the same moment.
func (s *SMTP) expire(c *idleConn) {
	s.mu.Lock()
	for i, other := range s.idle {
		if other == c {
			s.idle = append(s.idle[:i], s.idle[i+1:]...)
			s.mu.Unlock()
			c.bye()
			return
		}
	}
	s.mu.Unlock()
}
