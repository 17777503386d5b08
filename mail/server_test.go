package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

func TestServerURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"smtp://mail.example.com":                              "mail.example.com 587 starttls",
		"smtp://mail.example.com:25":                           "mail.example.com 25 starttls",
		"smtp://mail.example.com:465":                          "mail.example.com 465 implicit",
		"smtps://mail.example.com":                             "mail.example.com 465 implicit",
		"smtps://u:p%40ss@mail.example.com/?tls=implicit":      "mail.example.com 465 implicit u p@ss",
		"smtp://mail.example.com?tls=implicit":                 "mail.example.com 465 implicit",
		"smtp://mail?tls=none":                                 "mail 25 none",
		"smtp://127.0.0.1:1025":                                "127.0.0.1 1025 opportunistic",
		"smtp://localhost:1025":                                "localhost 1025 opportunistic",
		"smtp://[::1]:1025":                                    "::1 1025 opportunistic",
		"smtp://localhost:1025?tls=starttls":                   "localhost 1025 starttls",
		"http://secret@mail.example.com":                       "error",
		"smtp://":                                              "error",
		"":                                                     "error",
		"mail.example.com:25":                                  "error",
		"smtp://user:se%cret@mail.example.com":                 "error",
		"smtp://user:secret@mail.example.com:port":             "error",
		"smtp://user:secret@mail.example.com?tls=yes":          "error",
		"smtp://user:secret@mail.example.com?tsl=none":         "error",
		"smtp://user:secret@mail.example.com/secret":           "error",
		"smtp://user:secret#@mail.example.com":                 "error",
		"smtps://user:secret@mail.example.com?tls=none":        "error",
		"smtp://user:sec ret/secret@mail.example.com?tls=none": "error",
	} {
		s, err := parseServer(url)
		if want == "error" {
			if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "se%cret") {
				t.Errorf("%s: got %+v, %v", url, s, err)
			}
			continue
		}
		if got := strings.TrimSpace(strings.Join([]string{s.host, s.port, s.encryption, s.user, s.password}, " ")); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", url, got, err, want)
		}
	}
}

// sink is a real SMTP server with sign-in.
type sink struct{ mails chan string }

func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s}, nil }

type sinkSession struct {
	sink   *sink
	signed bool
}

func (s *sinkSession) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *sinkSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "outpost" || password != "s3cret!" {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "not " + password}
		}
		s.signed = true
		return nil
	}), nil
}
func (s *sinkSession) Mail(string, *smtp.MailOptions) error {
	if !s.signed {
		return smtp.ErrAuthRequired
	}
	return nil
}
func (s *sinkSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *sinkSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.sink.mails <- string(b)
	return err
}
func (s *sinkSession) Reset()        {}
func (s *sinkSession) Logout() error { return nil }

// certificate borrows the one httptest makes for 127.0.0.1.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	h := httptest.NewTLSServer(nil)
	t.Cleanup(h.Close)
	return &tls.Config{Certificates: h.TLS.Certificates}, &tls.Config{RootCAs: h.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
}

// newSink starts the sink and returns its address.
func newSink(t *testing.T, config *tls.Config, implicit bool) (*sink, string) {
	t.Helper()
	s := &sink{mails: make(chan string, 10)}
	srv := smtp.NewServer(s)
	srv.TLSConfig, srv.Domain = config, "sink.example"
	srv.ErrorLog = nopLogger{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if implicit {
		l = tls.NewListener(l, config)
	}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return s, addr
}

type nopLogger struct{}

func (nopLogger) Printf(string, ...any) {}
func (nopLogger) Println(...any)        {}

func TestEncryptedAndSignedIn(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"starttls", "implicit"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			server, client := certificate(t)
			sink, addr := newSink(t, server, mode == "implicit")
			url := "smtp://outpost:s3cret!@" + addr + "?tls=" + mode
			if err := Check(patience(t), url, WithTLS(client)); err != nil {
				t.Fatal(err)
			}
			s, err := NewSMTP(url, WithTLS(client), WithHello("outpost.example"))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Send(patience(t), hello("ada@larkfield.example"), nil); err != nil {
				t.Fatal(err)
			}
			if m := wait(t, sink.mails, "the mail"); !strings.Contains(m, "Message-ID: <inv.42@outpost.example>\r\n") {
				t.Errorf("no Message-ID in\n%s", m)
			}
		})
	}
}

func TestOurFaultsAreConfigAndKeepThePassword(t *testing.T) {
	t.Parallel()
	server, client := certificate(t)
	_, addr := newSink(t, server, false)
	echo := newPeer(t, script{Auth: "535 5.7.8 bad AUTH PLAIN AG91dHBvc3QAczNjcmV0IQ== czNjcmV0IQ== s3cret!"})
	noAuth := newPeer(t, script{})
	at := func(p *peer) string { return strings.TrimPrefix(strings.TrimSuffix(p.url, "?tls=none"), "smtp://") }
	for name, c := range map[string]struct{ url, says string }{
		"wrong password":        {"smtp://outpost:wrong-s3cret!@" + addr + "?tls=starttls", "refused our sign-in"},
		"no sign-in":            {"smtp://" + addr + "?tls=starttls", "refused our sender address"},
		"unknown certificate":   {"smtp://outpost:s3cret!@" + addr + "?tls=starttls", "cannot be verified"},
		"TLS where is none":     {"smtp://outpost:s3cret!@" + addr + "?tls=implicit", "does not speak TLS"},
		"STARTTLS not offered":  {"smtp://outpost:s3cret!@" + at(noAuth) + "?tls=starttls", "tls=none"},
		"AUTH not offered":      {"smtp://outpost:s3cret!@" + at(noAuth) + "?tls=none", "no way to sign in"},
		"server echoes it back": {"smtp://outpost:s3cret!@" + at(echo) + "?tls=none", "refused our sign-in: 535 5.7.8 bad AUTH PLAIN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := []Option{WithTLS(client)}
			if name == "unknown certificate" {
				opts = nil
			}
			s, err := NewSMTP(c.url, opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = s.Send(patience(t), hello("ada@larkfield.example"), nil)
			if ClassOf(err) != Config || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v (%s), want it to say %q", err, ClassOf(err), c.says)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), "s3cret!") || strings.Contains(e.Error(), "czNjcmV0IQ") || strings.Contains(e.Error(), "AG91dHBvc3QAczNjcmV0IQ") {
					t.Errorf("the password is in %q", e)
				}
			}
			if name == "no sign-in" {
				return // which Check cannot know
			}
			if err := Check(patience(t), c.url, opts...); ClassOf(err) != Config {
				t.Errorf("Check says %v", err)
			}
		})
	}
}

func TestLoopbackUsesSTARTTLSWhereOfferedAndDoesWithout(t *testing.T) {
	t.Parallel()
	server, _ := certificate(t)
	offers, plain := newPeer(t, script{StartTLS: server}), newPeer(t, script{})
	for _, p := range []*peer{offers, plain} {
		s, err := NewSMTP(strings.TrimSuffix(p.url, "?tls=none"))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Send(patience(t), hello("ada@larkfield.example"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if offers.heard("STARTTLS") != 1 || offers.heard("EHLO") != 2 {
		t.Errorf("STARTTLS was offered, but: %q", offers.commands)
	}
}

func TestEncryptedLineKnowsTheSameRules(t *testing.T) {
	t.Parallel()
	server, client := certificate(t)
	for name, c := range map[string]struct {
		script script
		class  Class
		taken  int
	}{
		"dropped before the 250": {script{Dot: "drop"}, Unknown, 1},
		"dropped after the 250":  {script{Mails: 1}, "", 1},
		"421 while we send":      {script{Data: "354 go\n421 4.3.2 shutting down"}, Temporary, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.script.StartTLS = server
			p := newPeer(t, c.script)
			p.url = strings.Replace(p.url, "tls=none", "tls=starttls", 1)
			_, err := p.sender(WithTLS(client)).Send(patience(t), hello("ada@larkfield.example"), func() error {
				wait(t, p.contentRead, "the content")
				return nil
			})
			if ClassOf(err) != c.class || len(p.taken()) != c.taken {
				t.Errorf("got %v (%s), %d mails", err, ClassOf(err), len(p.taken()))
			}
		})
	}
	t.Run("committing error", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t, script{StartTLS: server})
		p.url = strings.Replace(p.url, "tls=none", "tls=starttls", 1)
		_, err := p.sender(WithTLS(client)).Send(patience(t), hello("ada@larkfield.example"), func() error { return io.ErrClosedPipe })
		if end := wait(t, p.ended, "the line to drop"); !errors.Is(err, io.ErrClosedPipe) || end == nil || len(p.taken()) != 0 {
			t.Errorf("got %v; server: %v, %d mails", err, end, len(p.taken()))
		}
	})
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	if err := Check(patience(t), newPeer(t, script{}).url); err != nil {
		t.Errorf("a server that works: %v", err)
	}
	if err := Check(patience(t), newPeer(t, script{Greeting: "554 5.7.1 go away"}).url); ClassOf(err) != Config || !strings.Contains(err.Error(), "554 5.7.1 go away") {
		t.Errorf("a server that refuses us: %v", err)
	}
	if err := Check(patience(t), "smtp://u:hush@:25"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a URL without host: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Check(ctx, newPeer(t, script{}).url); ClassOf(err) != Temporary || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
