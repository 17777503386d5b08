package mail

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script   script
		class    Class // "" is success
		phase    string
		code     int
		enhanced string
		says     string
		taken    int
	}{
		"taken":                       {script: script{}, taken: 1},
		"taken with an odd 2xx":       {script: script{Dot: "252 2.0.0 taken"}, taken: 1},
		"dropped after the 250":       {script: script{Mails: 1}, taken: 1},
		"550 at RCPT":                 {script{Rcpt: "550 5.1.1 no such user"}, Permanent, "rcpt", 550, "5.1.1", "the mail server 127.0.0.1 refused ada@larkfield.example: 550 5.1.1 no such user", 0},
		"550 at RCPT in many lines":   {script{Rcpt: "550-5.1.1 The email account\n550 5.1.1 does not exist"}, Permanent, "rcpt", 550, "5.1.1", "550 5.1.1 The email account does not exist", 0},
		"550 at RCPT, bare":           {script{Rcpt: "550 no such user"}, Permanent, "rcpt", 550, "", "550 no such user", 0},
		"550 disabled mailbox":        {script{Rcpt: "550 5.2.1 disabled"}, Permanent, "rcpt", 550, "5.2.1", "", 0},
		"551":                         {script{Rcpt: "551 not local"}, Permanent, "rcpt", 551, "", "", 0},
		"553":                         {script{Rcpt: "553 5.1.3 bad syntax"}, Permanent, "rcpt", 553, "5.1.3", "", 0},
		"550 5.7.1 is policy":         {script{Rcpt: "550 5.7.1 blocked"}, Policy, "rcpt", 550, "5.7.1", "", 0},
		"550 with a temporary class":  {script{Rcpt: "550 4.7.1 greylisted"}, Temporary, "rcpt", 550, "4.7.1", "", 0},
		"450 with a permanent class":  {script{Rcpt: "450 5.1.1 no such user"}, Permanent, "rcpt", 450, "5.1.1", "", 0},
		"450 at RCPT":                 {script{Rcpt: "450 4.2.0 greylisted"}, Temporary, "rcpt", 450, "4.2.0", "", 0},
		"451 at RCPT":                 {script{Rcpt: "451 4.3.0 later"}, Temporary, "rcpt", 451, "4.3.0", "", 0},
		"452 full":                    {script{Rcpt: "452 4.2.2 over quota"}, Full, "rcpt", 452, "4.2.2", "", 0},
		"452 bare":                    {script{Rcpt: "452 no space"}, Temporary, "rcpt", 452, "", "", 0},
		"552 full":                    {script{Rcpt: "552 5.2.2 mailbox full"}, Full, "rcpt", 552, "5.2.2", "", 0},
		"552 bare":                    {script{Rcpt: "552 mailbox full"}, Full, "rcpt", 552, "", "", 0},
		"552 too big is not full":     {script{Dot: "552 5.3.4 too big"}, Policy, "dot", 552, "5.3.4", "", 1},
		"451 at DATA":                 {script{Data: "451 4.3.0 later"}, Temporary, "data", 451, "4.3.0", "", 0},
		"451 at the dot":              {script{Dot: "451 4.3.0 later"}, Temporary, "dot", 451, "4.3.0", "refused the mail for ada@larkfield.example: 451 4.3.0 later", 1},
		"552 at the dot":              {script{Dot: "552 5.2.2 full"}, Full, "dot", 552, "5.2.2", "", 1},
		"554 at the dot":              {script{Dot: "554 5.7.1 spam"}, Policy, "dot", 554, "5.7.1", "", 1},
		"550 at the dot, bare":        {script{Dot: "550 looks like spam"}, Policy, "dot", 550, "", "", 1},
		"550 5.1.1 at the dot":        {script{Dot: "550 5.1.1 no such user"}, Permanent, "dot", 550, "5.1.1", "", 1},
		"550 5.0.0 says nothing":      {script{Rcpt: "550 5.0.0 no"}, Permanent, "rcpt", 550, "5.0.0", "", 0},
		"421 at the dot":              {script{Dot: "421 4.3.2 closing"}, Temporary, "dot", 421, "4.3.2", "", 1},
		"421 greeting":                {script{Greeting: "421 4.3.2 too busy"}, Temporary, "greeting", 421, "4.3.2", "", 0},
		"554 greeting":                {script{Greeting: "554 5.7.1 not you"}, Config, "greeting", 554, "5.7.1", "", 0},
		"421 at MAIL":                 {script{Mail: "421 4.7.0 slow down"}, Temporary, "mail", 421, "4.7.0", "", 0},
		"550 at MAIL":                 {script{Mail: "550 5.7.1 sender refused"}, Config, "mail", 550, "5.7.1", "refused our sender address", 0},
		"530 at MAIL":                 {script{Mail: "530 5.7.0 sign in first"}, Config, "mail", 530, "5.7.0", "", 0},
		"450 at MAIL":                 {script{Mail: "450 4.1.8 dns"}, Temporary, "mail", 450, "4.1.8", "", 0},
		"503 is our fault":            {script{Data: "503 5.5.1 RCPT first"}, Config, "data", 503, "5.5.1", "", 0},
		"554 without recipients":      {script{Data: "554 5.5.1 no valid recipients"}, Config, "data", 554, "5.5.1", "", 0},
		"line dropped at MAIL":        {script{Mail: "drop"}, Temporary, "mail", 0, "", "closed the connection", 0},
		"line dropped at RCPT":        {script{Rcpt: "drop"}, Temporary, "rcpt", 0, "", "", 0},
		"line dropped at DATA":        {script{Data: "drop"}, Temporary, "data", 0, "", "", 0},
		"dropped before the 250":      {script{Dot: "drop"}, Unknown, "dot", 0, "", "may or may not have been delivered", 1},
		"nonsense instead of the 250": {script{Dot: "hm"}, Unknown, "dot", 0, "", "", 1},
		"421 while we send":           {script{Data: "354 go\n421 4.3.2 shutting down"}, Temporary, "body", 421, "4.3.2", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, c.script)
			calls := 0
			receipt, err := p.sender().Send(patience(t), hello("ada@larkfield.example"), func() error { calls++; return nil })
			if c.class == "" {
				if err != nil || receipt.Response == "" {
					t.Fatalf("got %+v, %v; want it taken", receipt, err)
				}
			} else {
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("got %v, want an *Error", err)
				}
				if e.Class != c.class || e.Phase != c.phase || e.Code != c.code || e.Enhanced != c.enhanced {
					t.Errorf("got %s at %s %d %q, want %s at %s %d %q", e.Class, e.Phase, e.Code, e.Enhanced, c.class, c.phase, c.code, c.enhanced)
				}
				if !strings.Contains(e.Error(), c.says) {
					t.Errorf("%q does not say %q", e, c.says)
				}
			}
			if got := len(p.taken()); got != c.taken {
				t.Errorf("the server saw %d dots, want %d", got, c.taken)
			}
			if calls != c.taken {
				t.Errorf("committing ran %d times, want %d", calls, c.taken)
			}
			if p.connected() != 1 {
				t.Errorf("%d connections, want 1", p.connected())
			}
		})
	}
}

func TestRefusedConnectionIsTemporary(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s, _ := NewSMTP("smtp://" + addr)
	_, err = s.Send(patience(t), hello("ada@larkfield.example"), nil)
	if ClassOf(err) != Temporary || !strings.Contains(err.Error(), "does not accept connections") {
		t.Fatalf("got %v (%s)", err, ClassOf(err))
	}
}

func TestDropAtQuitIsStillSuccess(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{Quit: "drop"})
	s := p.sender()
	receipt, err := s.Send(patience(t), hello("ada@larkfield.example"), nil)
	if err != nil || receipt.Response != "2.0.0 queued as 4F2" {
		t.Fatalf("got %+v, %v", receipt, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, p.ended, "QUIT"); err != (dropped{}) {
		t.Fatalf("the server ended with %v", err)
	}
}

func TestCommittingRunsOnceAfterContentAndBeforeTheDot(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{})
	calls := 0
	_, err := p.sender().Send(patience(t), hello("ada@larkfield.example"), func() error {
		calls++
		wait(t, p.contentRead, "the whole content to arrive before committing")
		select {
		case <-p.dotRead:
			t.Error("the dot was sent before committing")
		default:
		}
		return nil
	})
	if err != nil || calls != 1 {
		t.Fatalf("got %v after %d calls", err, calls)
	}
	wait(t, p.dotRead, "the dot")
}

func TestCommittingErrorMeansTheServerNeverTakesTheMail(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{})
	s := p.sender()
	lost := errors.New("the claim is lost")
	_, err := s.Send(patience(t), hello("ada@larkfield.example"), func() error { return lost })
	if !errors.Is(err, lost) || ClassOf(err) != "" {
		t.Fatalf("got %v", err)
	}
	if end := wait(t, p.ended, "the line to drop"); !errors.Is(end, io.EOF) {
		t.Fatalf("the server ended with %v, want the end of the line in mid-content", end)
	}
	if len(p.taken()) != 0 {
		t.Fatal("the server got the dot")
	}
	// The line is not reused: textproto would send the dot before the next command.
	if _, err := s.Send(patience(t), hello("ada@larkfield.example"), nil); err != nil || p.connected() != 2 || len(p.taken()) != 1 {
		t.Fatalf("%v, %d connections, %d mails", err, p.connected(), len(p.taken()))
	}
}

func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{})
	s := p.sender()
	for range 5 {
		if _, err := s.Send(patience(t), hello("ada@larkfield.example"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if p.connected() != 1 || len(p.taken()) != 5 || p.heard("EHLO") != 1 {
		t.Fatalf("%d connections, %d mails, %d EHLO", p.connected(), len(p.taken()), p.heard("EHLO"))
	}
}

func TestConnectionIsReusedAfterARefusal(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{Rcpt: "550 5.1.1 no such user"})
	s := p.sender()
	for range 3 {
		if _, err := s.Send(patience(t), hello("ada@larkfield.example"), nil); ClassOf(err) != Permanent {
			t.Fatal(err)
		}
	}
	if p.connected() != 1 || p.heard("RSET") != 3 {
		t.Fatalf("%d connections, %d RSET", p.connected(), p.heard("RSET"))
	}
}

func TestConcurrentSendsUseTheirOwnConnections(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{})
	s := p.sender()
	const n = 4
	var inside, sends sync.WaitGroup
	inside.Add(n)
	for range n {
		sends.Go(func() {
			_, err := s.Send(patience(t), hello("ada@larkfield.example"), func() error {
				inside.Done()
				inside.Wait() // all are between content and dot at once
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	sends.Wait()
	for range n {
		if _, err := s.Send(patience(t), hello("ada@larkfield.example"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if p.connected() != n || len(p.taken()) != 2*n {
		t.Fatalf("%d connections, %d mails", p.connected(), len(p.taken()))
	}
}

func TestStaleConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]script{
		"closed by the server":   {Mails: 1},
		"421 at the second MAIL": {SecondMail: "421 4.7.0 enough for one connection"},
		"dropped at second MAIL": {SecondMail: "drop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, first, script{})
			s := p.sender()
			calls := 0
			for range 2 {
				if _, err := s.Send(patience(t), hello("ada@larkfield.example"), func() error { calls++; return nil }); err != nil {
					t.Fatal(err)
				}
			}
			if p.connected() != 2 || len(p.taken()) != 2 || calls != 2 {
				t.Fatalf("%d connections, %d mails, committing ran %d times", p.connected(), len(p.taken()), calls)
			}
		})
	}
}

func TestReusedConnectionThatBreaksAfterTheDotIsUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{SecondDot: "drop"})
	s := p.sender()
	if _, err := s.Send(patience(t), hello("ada@larkfield.example"), nil); err != nil {
		t.Fatal(err)
	}
	_, err := s.Send(patience(t), hello("ada@larkfield.example"), nil)
	if ClassOf(err) != Unknown || p.connected() != 1 || len(p.taken()) != 2 {
		t.Fatalf("%v, %d connections, %d mails", err, p.connected(), len(p.taken()))
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{})
	s := p.sender(WithIdleTimeout(time.Millisecond))
	if _, err := s.Send(patience(t), hello("ada@larkfield.example"), nil); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, p.ended, "the idle connection to end"); err != nil || p.heard("QUIT") != 1 {
		t.Fatalf("ended with %v after %d QUIT", err, p.heard("QUIT"))
	}
}

func TestSendAfterCloseKeepsNoConnection(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{})
	s := p.sender()
	_, err := s.Send(patience(t), hello("ada@larkfield.example"), func() error { return s.Close() })
	if err != nil {
		t.Fatalf("a Send under way must finish: %v", err)
	}
	if err := wait(t, p.ended, "its connection to end"); err != nil {
		t.Fatal(err)
	}
}

func TestSlowServerHonoursTheContext(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]script{
		"greeting": {Greeting: "hang"}, "ehlo": {Ehlo: "hang"}, "mail": {Mail: "hang"}, "rcpt": {Rcpt: "hang"}, "data": {Data: "hang"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			p := newPeer(t, s)
			_, err := p.sender().Send(ctx, hello("ada@larkfield.example"), nil)
			if ClassOf(err) != Temporary || !strings.Contains(err.Error(), "did not answer in time") {
				t.Fatalf("got %v (%s)", err, ClassOf(err))
			}
		})
	}
	t.Run("dot", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p := newPeer(t, script{Dot: "hang"})
		_, err := p.sender().Send(ctx, hello("ada@larkfield.example"), nil)
		if ClassOf(err) != Unknown {
			t.Fatalf("got %v (%s)", err, ClassOf(err))
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(context.Background())
		p := newPeer(t, script{})
		called := false
		m := hello("ada@larkfield.example")
		cancel()
		_, err := p.sender().Send(ctx, m, func() error { called = true; return nil })
		if ClassOf(err) != Temporary || !errors.Is(err, context.Canceled) || called {
			t.Fatalf("got %v (%s), called: %v", err, ClassOf(err), called)
		}
	})
}

func TestCancelledSendStillWaitsForTheAnswerToTheDot(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	p := newPeer(t, script{AtDot: cancel})
	receipt, err := p.sender().Send(ctx, hello("ada@larkfield.example"), nil)
	if err != nil || receipt.Response == "" {
		t.Fatalf("got %+v, %v", receipt, err)
	}
}

func TestCancelInsideCommittingStillLearnsTheOutcome(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	p := newPeer(t, script{})
	if _, err := p.sender().Send(ctx, hello("ada@larkfield.example"), func() error { cancel(); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(p.taken()) != 1 {
		t.Fatal("no dot")
	}
}

func TestAddressesBeyondASCIINeedAServerThatTakesThem(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{Ehlo: "250-fake\n250 8BITMIME"}, script{})
	_, err := p.sender().Send(patience(t), hello("jürgen@larkfield.example"), nil)
	if ClassOf(err) != Permanent {
		t.Fatalf("got %v (%s)", err, ClassOf(err))
	}
	if _, err := p.sender().Send(patience(t), hello("jürgen@larkfield.example"), nil); err != nil || p.heard("MAIL FROM:<no-reply@outpost.example> BODY=8BITMIME SMTPUTF8") != 1 {
		t.Fatalf("%v, %q", err, p.commands)
	}
	if _, err := p.sender().Send(patience(t), hello("ada@larkfield.example"), nil); err != nil || p.heard("MAIL FROM:<no-reply@outpost.example> BODY=8BITMIME SMTPUTF8") != 1 {
		t.Fatalf("%v, %q", err, p.commands)
	}
}
