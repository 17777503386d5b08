package testkit

import (
	"errors"
	"fmt"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"
	"time"

	server "github.com/emersion/go-smtp"
)

const letter = "From: Outpost <outpost@example.com>\r\n" +
	"To: =?utf-8?q?Ada_L=C3=B6velace?= <ada@example.com>\r\n" +
	"Subject: =?utf-8?q?Join_=C3=84cme?=\r\n" +
	"Message-ID: <inv.1@example.com>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
	"Hello =C3=84da,\r\nhttps://example.com/?a=3Db\r\n.\r\n" +
	"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
	"PHA+SGVsbG88L3A+\r\n--b--\r\n"

func send(sink *SMTPSink, to string) error {
	return smtp.SendMail(sink.Addr(), nil, "outpost@example.com", []string{to}, []byte(letter))
}

func TestSinkKeepsAndReadsTheMessage(t *testing.T) {
	t.Parallel()
	sink := NewSMTP(t)
	if !strings.HasPrefix(sink.URL(), "smtp://127.0.0.1:") || !strings.HasSuffix(sink.URL(), "?tls=none") {
		t.Errorf("URL %s", sink.URL())
	}
	if err := send(sink, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	m := sink.WaitFor(1, 5*time.Second)[0]
	for what, pair := range map[string][2]string{
		"from":      {m.From, "outpost@example.com"},
		"envelope":  {strings.Join(m.Recipients, ","), "ada@example.com"},
		"to":        {m.To, "ada@example.com"},
		"subject":   {m.Subject, "Join Äcme"},
		"id":        {m.MessageID, "<inv.1@example.com>"},
		"text":      {strings.TrimSpace(m.Text), "Hello Äda,\nhttps://example.com/?a=b\n."},
		"html":      {m.HTML, "<p>Hello</p>"},
		"raw":       {string(m.Raw), letter},
		"malformed": {m.Malformed, ""},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
}

func TestSinkKeepsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	sink := NewSMTP(t)
	if err := smtp.SendMail(sink.Addr(), nil, "a@example.com", []string{"b@example.com"}, []byte("no header\r\n")); err != nil {
		t.Fatal(err)
	}
	if m := sink.WaitFor(1, 5*time.Second)[0]; m.Malformed == "" || len(m.Raw) == 0 {
		t.Errorf("malformed %q, raw %q", m.Malformed, m.Raw)
	}
}

func code(err error) int {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply.Code
	}
	return 0
}

func TestSinkRejectsAsTold(t *testing.T) {
	t.Parallel()
	sink := NewSMTP(t)
	sink.Reject(func(rcpt string) *server.SMTPError {
		if rcpt == "gone@example.com" {
			return &server.SMTPError{Code: 550, EnhancedCode: server.EnhancedCode{5, 1, 1}, Message: "no such user"}
		}
		return nil
	})
	if err := send(sink, "gone@example.com"); code(err) != 550 || !strings.Contains(err.Error(), "5.1.1") {
		t.Errorf("got %v", err)
	}
	if err := send(sink, "ada@example.com"); err != nil {
		t.Error(err)
	}
	sink.RejectData(func(m Message) *server.SMTPError {
		return &server.SMTPError{Code: 451, EnhancedCode: server.EnhancedCode{4, 7, 1}, Message: "try " + m.Subject + " later"}
	})
	if err := send(sink, "ada@example.com"); code(err) != 451 {
		t.Errorf("got %v", err)
	}
	if len(sink.Messages()) != 1 || sink.Attempts() != 2 {
		t.Errorf("%d messages after %d attempts", len(sink.Messages()), sink.Attempts())
	}
}

func TestSinkDropsTheLineWhereTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at        DropPoint
		delivered bool // the client got its 250
		kept      int
	}{{DropBeforeAccept, false, 0}, {DropBeforeReply, false, 1}, {DropAfterReply, true, 1}} {
		t.Run(fmt.Sprint(test.at), func(t *testing.T) {
			t.Parallel()
			sink := NewSMTP(t)
			sink.Drop(test.at, 1)
			client, err := smtp.Dial(sink.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			if err := errors.Join(client.Mail("a@example.com"), client.Rcpt("b@example.com")); err != nil {
				t.Fatal(err)
			}
			data, err := client.Data()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := data.Write([]byte(letter)); err != nil {
				t.Fatal(err)
			}
			if err := data.Close(); (err == nil) != test.delivered || code(err) != 0 {
				t.Errorf("end of data: %v", err)
			}
			if err := client.Reset(); err == nil {
				t.Error("the line still stands")
			}
			if got := len(sink.Messages()); got != test.kept {
				t.Errorf("%d messages kept, want %d", got, test.kept)
			}
			if err := send(sink, "b@example.com"); err != nil {
				t.Errorf("the message after it: %v", err)
			}
		})
	}
}

func TestSinkHoldsMessagesUntilReleased(t *testing.T) {
	t.Parallel()
	sink := NewSMTP(t)
	sink.Block()
	sent := make(chan error, 2)
	for range 2 {
		go func() { sent <- send(sink, "ada@example.com") }()
	}
	sink.WaitHeld(2, 10*time.Second)
	if len(sink.Messages()) != 0 || len(sent) != 0 {
		t.Errorf("%d messages and %d answers while held", len(sink.Messages()), len(sent))
	}
	sink.Release()
	if err := errors.Join(<-sent, <-sent); err != nil {
		t.Error(err)
	}
	sink.WaitFor(2, 10*time.Second)
}

func TestStoppedSinkRefusesAndComesBackOnItsPort(t *testing.T) {
	t.Parallel()
	sink := NewSMTP(t)
	sink.Block()
	sent := make(chan error, 1)
	go func() { sent <- send(sink, "ada@example.com") }()
	sink.WaitHeld(1, 10*time.Second)
	sink.Stop()
	sink.Stop() // twice is no fault
	if err := <-sent; err == nil || code(err) != 0 {
		t.Errorf("the held message: %v", err)
	}
	if err := send(sink, "ada@example.com"); err == nil {
		t.Error("a stopped sink answers")
	}
	sink.Start()
	if err := send(sink, "ada@example.com"); err != nil {
		t.Error(err)
	}
	if got := len(sink.WaitFor(1, 5*time.Second)); got != 1 {
		t.Errorf("%d messages, want only the last", got)
	}
}

func TestWaitingForMailThatNeverComesFails(t *testing.T) {
	t.Parallel()
	failed := capture(t, func(t testing.TB) { NewSMTP(t).WaitFor(1, time.Millisecond) })
	if !strings.Contains(failed.fatal, "1 messages, there are 0") {
		t.Errorf("failed with %q", failed.fatal)
	}
}
