package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// How the line is encrypted.
const (
	tlsNone          = "none"
	tlsStartTLS      = "starttls"
	tlsImplicit      = "implicit"
	tlsOpportunistic = "opportunistic" // loopback only, where no one listens in
)

const (
	connectTimeout = 15 * time.Second
	stepTimeout    = time.Minute
	idleTimeout    = 30 * time.Second
)

// server is what SMTP_URL says, and how to connect there.
type server struct {
	host, port     string
	user, password string
	encryption     string
	hello          string
	tls            *tls.Config
	idleTimeout    time.Duration
}

// parseServer never repeats the URL in an error: it holds the password.
func parseServer(raw string) (server, error) {
	const form = "write it as smtp://user:password@host:port?tls=none|starttls|implicit, with special characters in the user and password percent-encoded"
	u, err := url.Parse(raw)
	if err != nil {
		return server{}, errors.New("the mail server's URL cannot be read; " + form)
	}
	s := server{host: u.Hostname(), port: u.Port(), encryption: u.Query().Get("tls"), idleTimeout: idleTimeout}
	if u.Scheme != "smtp" && u.Scheme != "smtps" {
		return server{}, errors.New("the mail server's URL does not begin with smtp:// or smtps://; " + form)
	}
	if s.host == "" || (u.Path != "" && u.Path != "/") || u.Fragment != "" {
		return server{}, errors.New("the mail server's URL lacks a host or has more than one should; " + form)
	}
	for key := range u.Query() {
		if key != "tls" {
			return server{}, errors.New("the mail server's URL has a setting other than tls=; " + form)
		}
	}
	if u.User != nil {
		s.user = u.User.Username()
		s.password, _ = u.User.Password()
	}
	switch {
	case u.Scheme == "smtps" && (s.encryption == "" || s.encryption == tlsImplicit):
		s.encryption = tlsImplicit
	case u.Scheme == "smtps":
		return server{}, errors.New("the mail server's URL begins with smtps://, which allows no other tls= than implicit")
	case s.encryption == tlsNone, s.encryption == tlsStartTLS, s.encryption == tlsImplicit:
	case s.encryption != "":
		return server{}, errors.New("the mail server's URL has an unknown tls= setting; it is none, starttls or implicit")
	case s.port == "465":
		s.encryption = tlsImplicit
	case isLoopback(s.host):
		s.encryption = tlsOpportunistic
	default:
		s.encryption = tlsStartTLS
	}
	if s.port == "" {
		s.port = map[string]string{tlsNone: "25", tlsImplicit: "465"}[s.encryption]
		if s.port == "" {
			s.port = "587"
		}
	}
	if s.hello, err = os.Hostname(); err != nil || s.hello == "" {
		s.hello = "localhost"
	}
	return s, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (s server) tlsConfig() *tls.Config {
	c := s.tls.Clone()
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.ServerName == "" {
		c.ServerName = s.host
	}
	if s.encryption == tlsOpportunistic {
		c.InsecureSkipVerify = true // the alternative is no encryption at all, and the line does not leave the machine
	}
	return c
}

// connect opens a connection that is ready for MAIL.
func (s server) connect(ctx context.Context) (*conn, error) {
	dialer := net.Dialer{Timeout: connectTimeout}
	raw, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.host, s.port))
	if err != nil {
		return nil, s.failed(phaseConnect, "", err)
	}
	c := &conn{server: s, raw: raw}
	done := c.watch(ctx)
	defer done()
	phase, err := c.open(ctx)
	if err != nil {
		c.drop()
		return nil, s.failed(phase, "", cause(ctx, err))
	}
	return c, nil
}

// open takes a fresh line through greeting, hello, encryption and sign-in, and returns the phase it got stuck in.
func (c *conn) open(ctx context.Context) (phase string, err error) {
	s := c.server
	c.limit(ctx, stepTimeout)
	line := c.raw
	if s.encryption == tlsImplicit {
		secure := tls.Client(c.raw, s.tlsConfig())
		if err := secure.HandshakeContext(ctx); err != nil {
			return phaseTLS, err
		}
		line = secure
	}
	if c.client, err = smtp.NewClient(line, s.host); err != nil {
		return phaseGreeting, err
	}
	c.limit(ctx, stepTimeout)
	if err := c.client.Hello(s.hello); err != nil {
		return phaseHello, err
	}
	if s.encryption == tlsStartTLS || s.encryption == tlsOpportunistic {
		offered, _ := c.client.Extension("STARTTLS")
		if !offered && s.encryption == tlsStartTLS {
			return phaseTLS, errNoStartTLS
		}
		if offered {
			c.limit(ctx, stepTimeout)
			if err := c.client.StartTLS(s.tlsConfig()); err != nil {
				return phaseTLS, err
			}
		}
	}
	if s.user != "" || s.password != "" {
		c.limit(ctx, stepTimeout)
		auth, err := s.auth(c.client)
		if err != nil {
			return phaseAuth, err
		}
		if err := c.client.Auth(auth); err != nil {
			return phaseAuth, err
		}
	}
	return "", nil
}

var (
	errNoStartTLS = errors.New("the server does not offer STARTTLS")
	errNoAuth     = errors.New("the server offers no way to sign in that we know")
)

// auth picks the strongest mechanism both sides know. The password goes in the clear only under tls=none or on loopback:
// in every other setting the line is encrypted by now.
func (s server) auth(c *smtp.Client) (smtp.Auth, error) {
	_, offered := c.Extension("AUTH")
	has := func(name string) bool {
		for _, m := range strings.Fields(offered) {
			if strings.EqualFold(m, name) {
				return true
			}
		}
		return false
	}
	switch {
	case has("SCRAM-SHA-256"):
		return smtp.ScramSHA256Auth(s.user, s.password), nil
	case has("PLAIN"):
		return smtp.PlainAuth("", s.user, s.password, s.host, true), nil
	case has("LOGIN"):
		return smtp.LoginAuth(s.user, s.password, s.host, true), nil
	case has("CRAM-MD5"):
		return smtp.CRAMMD5Auth(s.user, s.password), nil
	}
	return nil, errNoAuth
}

// failed builds the Error for err in phase. to is the recipient where there is one.
func (s server) failed(phase, to string, err error) *Error {
	code, enhanced, said := reply(err)
	e := &Error{Class: classify(phase, code, enhanced), Phase: phase, Code: code, Enhanced: enhanced}
	if code == 0 {
		e.Err = err // an answer has no cause, and its raw text should go nowhere
	}
	name := "the mail server " + s.host
	answer := strings.Join(strings.Fields(fmt.Sprint(code, " ", enhanced, " ", s.redact(said))), " ")
	switch {
	case phase == phaseDot && e.Class == Unknown:
		e.Text = fmt.Sprintf("%s was sent the whole mail for %s, but its answer never came; the mail may or may not have been delivered", name, to)
	case code == 0:
		e.Text, e.Class = s.withoutAnswer(name, phase, err, e.Class)
	case phase == phaseRcpt:
		e.Text = fmt.Sprintf("%s refused %s: %s", name, to, answer)
	case phase == phaseData, phase == phaseBody, phase == phaseDot:
		e.Text = fmt.Sprintf("%s refused the mail for %s: %s", name, to, answer)
	case phase == phaseMail:
		e.Text = fmt.Sprintf("%s refused our sender address: %s", name, answer)
	case phase == phaseAuth:
		e.Text = fmt.Sprintf("%s refused our sign-in: %s", name, answer)
	default:
		e.Text = fmt.Sprintf("%s does not talk to us: %s", name, answer)
	}
	return e
}

// withoutAnswer words an error the server did not send.
func (s server) withoutAnswer(name, phase string, err error, class Class) (string, Class) {
	var timeout net.Error
	var cert *tls.CertificateVerificationError
	var unknownCA x509.UnknownAuthorityError
	var notTLS tls.RecordHeaderError
	var dns *net.DNSError
	switch {
	case errors.Is(err, errNoStartTLS):
		return name + " does not offer STARTTLS; if the line to it is safe, set tls=none in the mail server's URL", Config
	case errors.Is(err, errNoAuth):
		return name + " offers no way to sign in that we know; remove user and password from the mail server's URL if it needs none", Config
	case errors.As(err, &cert), errors.As(err, &unknownCA):
		return name + " shows a certificate that cannot be verified for that name", Config
	case errors.As(err, &notTLS):
		return name + " does not speak TLS on port " + s.port + "; check the port and the tls= setting in the mail server's URL", Config
	case errors.As(err, &dns):
		return name + " cannot be found by that name", class
	case errors.Is(err, context.Canceled):
		return "sending through " + strings.TrimPrefix(name, "the ") + " was broken off", class
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return name + " did not answer in time", class
	case phase == phaseConnect:
		return name + " does not accept connections on port " + s.port, class
	case phase == phaseAuth:
		return name + " broke off while we signed in", class
	default:
		return name + " closed the connection before it took the mail", class
	}
}

// redact takes our password out of what a server said, in the forms in which we sent it.
func (s server) redact(said string) string {
	if s.password == "" {
		return said
	}
	for _, secret := range []string{
		base64.StdEncoding.EncodeToString([]byte("\x00" + s.user + "\x00" + s.password)),
		base64.StdEncoding.EncodeToString([]byte(s.password)),
		s.password,
	} {
		said = strings.ReplaceAll(said, secret, "…")
	}
	return said
}
