package mail

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is how a hand-made mail server behaves on one connection. An empty answer is the usual one, "drop" closes the
// line instead of answering, "hang" answers nothing.
type script struct {
	Greeting, Ehlo, Mail, Rcpt, Data, Dot, Auth, Rset, Quit string
	Mails                                                   int    // close the line after so many mails, if not 0
	SecondMail, SecondDot                                   string // the answers to the second MAIL and dot
	StartTLS                                                *tls.Config
	AtDot                                                   func() // called when the dot has been read, before the answer
}

// peer is the server: one script a connection, the last one repeating.
type peer struct {
	t       *testing.T
	url     string
	scripts []script

	mu          sync.Mutex
	connections int
	commands    []string
	mails       []string // taken, or cut off by us after the dot

	contentRead chan struct{} // closed when the first mail's last content line has been read
	dotRead     chan struct{} // closed when the first dot has been read
	ended       chan error    // one per connection: how reading ended
	once1       sync.Once
	once2       sync.Once
}

func newPeer(t *testing.T, scripts ...script) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{
		t: t, url: "smtp://" + l.Addr().String() + "?tls=none", scripts: scripts,
		contentRead: make(chan struct{}), dotRead: make(chan struct{}), ended: make(chan error, 100),
	}
	var wg sync.WaitGroup
	var open sync.Map
	t.Cleanup(func() {
		l.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, true)
			p.mu.Lock()
			s := p.scripts[min(p.connections, len(p.scripts)-1)]
			p.connections++
			p.mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				p.ended <- p.talk(c, s)
			})
		}
	})
	return p
}

type dropped struct{}

func (dropped) Error() string { return "we dropped the line" }

func (p *peer) talk(c net.Conn, s script) error {
	r := bufio.NewReader(c)
	say := func(answer, usual string) error {
		if answer == "" {
			answer = usual
		}
		switch answer {
		case "drop":
			return dropped{}
		case "hang":
			return nil
		}
		_, err := c.Write([]byte(strings.ReplaceAll(answer, "\n", "\r\n") + "\r\n"))
		return err
	}
	if err := say(s.Greeting, "220 fake ESMTP"); err != nil {
		return err
	}
	mails := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimRight(line, "\r\n")
		p.mu.Lock()
		p.commands = append(p.commands, line)
		p.mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		switch verb {
		case "EHLO", "HELO":
			usual := "250-fake\n250-8BITMIME\n250-SMTPUTF8\n250 ENHANCEDSTATUSCODES"
			if s.Auth != "" {
				usual = "250-fake\n250 AUTH PLAIN"
			}
			if _, encrypted := c.(*tls.Conn); s.StartTLS != nil && !encrypted {
				usual = "250-fake\n250 STARTTLS"
			}
			err = say(s.Ehlo, usual)
		case "STARTTLS":
			if err = say("", "220 go"); err == nil {
				c = tls.Server(c, s.StartTLS)
				r = bufio.NewReader(c)
			}
		case "AUTH":
			err = say(s.Auth, "")
		case "MAIL":
			answer := s.Mail
			if mails > 0 && s.SecondMail != "" {
				answer = s.SecondMail
			}
			err = say(answer, "250 2.1.0 ok")
		case "RCPT":
			err = say(s.Rcpt, "250 2.1.5 ok")
		case "RSET":
			err = say(s.Rset, "250 2.0.0 ok")
		case "QUIT":
			if err = say(s.Quit, "221 2.0.0 bye"); err == nil {
				return nil
			}
		case "DATA":
			if err = say(s.Data, "354 go"); err != nil || (s.Data != "" && !strings.HasPrefix(s.Data, "354")) {
				break
			}
			var content strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return err
				}
				if line == ".\r\n" {
					break
				}
				content.WriteString(line)
				if strings.HasPrefix(line, "--") && strings.HasSuffix(line, "--\r\n") {
					p.once1.Do(func() { close(p.contentRead) })
				}
			}
			mails++
			p.mu.Lock()
			p.mails = append(p.mails, content.String())
			p.mu.Unlock()
			p.once2.Do(func() { close(p.dotRead) })
			if s.AtDot != nil {
				s.AtDot()
			}
			answer := s.Dot
			if mails > 1 && s.SecondDot != "" {
				answer = s.SecondDot
			}
			err = say(answer, "250 2.0.0 queued as 4F2")
			if err == nil && mails == s.Mails {
				return dropped{}
			}
		default:
			err = say("", "500 5.5.1 what?")
		}
		if err != nil {
			return err
		}
	}
}

func (p *peer) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.mails...)
}

func (p *peer) connected() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections
}

func (p *peer) heard(verb string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.commands {
		if strings.HasPrefix(c, verb) {
			n++
		}
	}
	return n
}

// sender is an SMTP for the peer, closed with the test.
func (p *peer) sender(opts ...Option) *SMTP {
	p.t.Helper()
	s, err := NewSMTP(p.url, opts...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

// patience is the longest a test waits for anything.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wait[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

var from = Address{Name: "Outpost", Email: "no-reply@outpost.example"}

func hello(to string) Message {
	return Message{
		From: from, To: to, Subject: "Join Larkfield on Outpost", Text: "Hello\n.\n..dots\n", HTML: "<p>Hello</p>\n",
		MessageID: "<inv.42@outpost.example>",
	}
}
