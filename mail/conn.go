package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

const (
	// reuseTimeout bounds the first step on a kept connection: a line that a router forgot about answers nothing.
	reuseTimeout = 10 * time.Second
	// replyTimeout bounds the wait for the last answer, where giving up early means not knowing.
	replyTimeout = 5 * time.Minute
	// replyGrace is how long a cancelled Send still waits for that answer, for the same reason.
	replyGrace = 10 * time.Second
	// byeTimeout bounds a QUIT nobody waits for.
	byeTimeout = 2 * time.Second
)

// errStale says that a kept connection was found dead before any content was sent.
var errStale = errors.New("the kept connection is dead")

// conn is one connection to the server, used by one Send at a time.
type conn struct {
	server server
	raw    net.Conn
	client *smtp.Client
	reused bool // it has carried a mail before
	broken bool // it must not be used again
}

// watch makes the end of ctx break whatever c waits for. The returned func ends the watch.
func (c *conn) watch(ctx context.Context) func() {
	return c.onEnd(ctx, func() { c.raw.SetDeadline(time.Unix(1, 0)) })
}

// onEnd runs f when ctx ends. After the returned func f neither runs nor is running, so that it cannot touch the
// deadline of the next Send on this connection.
func (c *conn) onEnd(ctx context.Context, f func()) func() {
	ran := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ran)
		f()
	})
	return sync.OnceFunc(func() {
		if !stop() {
			<-ran
		}
	})
}

// limit gives the coming step at most d, and less if ctx ends earlier.
func (c *conn) limit(ctx context.Context, d time.Duration) {
	until := time.Now().Add(d)
	if end, ok := ctx.Deadline(); ok && end.Before(until) {
		until = end
	}
	c.raw.SetDeadline(until)
	if ctx.Err() != nil { // it ended while we set the limit, perhaps before
		c.raw.SetDeadline(time.Unix(1, 0))
	}
}

// send takes one mail through MAIL, RCPT, DATA, content, committing and dot.
func (c *conn) send(ctx context.Context, m Message, body []byte, committing func() error) (Receipt, error) {
	c.broken = true // until we know better
	done := c.watch(ctx)
	defer func() { done() }() // whichever watch is the last
	failed := func(phase string, err error) error { return c.server.failed(phase, m.To, cause(ctx, err)) }

	// SMTPUTF8 is asked for only where it is needed: a mail that carries the flag cannot pass an older relay.
	ascii := isASCII(m.From.Email) && isASCII(m.To)
	c.client.SkipSMTPUTF8(ascii)
	if utf8, _ := c.client.Extension("SMTPUTF8"); !ascii && !utf8 {
		c.broken = false
		phase := phaseRcpt
		if !isASCII(m.From.Email) {
			phase = phaseMail
		}
		return Receipt{}, failed(phase, &textproto.Error{Code: 553, Msg: "5.6.7 the server does not take addresses beyond ASCII"})
	}

	wait := stepTimeout
	if c.reused {
		wait = reuseTimeout
	}
	c.limit(ctx, wait)
	if err := c.client.Mail("<" + m.From.Email + ">"); err != nil {
		return Receipt{}, c.refused(ctx, phaseMail, err, failed)
	}
	c.limit(ctx, stepTimeout)
	if err := c.client.Rcpt("<" + m.To + ">"); err != nil {
		return Receipt{}, c.refused(ctx, phaseRcpt, err, failed)
	}
	c.limit(ctx, stepTimeout)
	content, err := c.client.Data()
	if err != nil {
		return Receipt{}, c.refused(ctx, phaseData, err, failed)
	}

	c.limit(ctx, stepTimeout)
	_, err = content.Write(body)
	if err == nil {
		err = c.client.Text.W.Flush()
	}
	if said := c.spoken(ctx, err != nil); said != nil {
		err = said
	}
	if err != nil {
		return Receipt{}, failed(phaseBody, err)
	}
	if err := ctx.Err(); err != nil {
		return Receipt{}, failed(phaseBody, err)
	}
	if committing != nil {
		if err := committing(); err != nil {
			return Receipt{}, fmt.Errorf("give up the mail before its final dot: %w", err) // give drops the line
		}
	}

	// From here on only an answer tells. A cancelled Send therefore waits a little longer; a deadline stands.
	done()
	c.raw.SetDeadline(until(ctx, replyTimeout))
	done = c.onEnd(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			c.raw.SetDeadline(until(ctx, replyGrace))
		}
	})
	err = content.Close()
	var answer *textproto.Error
	switch {
	case errors.As(err, &answer) && answer.Code/100 == 2:
		// Taken, with an unusual code.
		c.broken = false
		return Receipt{Response: c.server.redact(shorten(clean(answer.Msg), 300))}, nil
	case err != nil:
		c.broken = answer == nil || answer.Code/100 < 4 || answer.Code == 421
		return Receipt{}, failed(phaseDot, err)
	}
	c.broken = false
	taken, _ := content.(*smtp.DataCloser)
	return Receipt{Response: c.server.redact(shorten(clean(taken.ServerResponse()), 300))}, nil
}

// refused handles an error before the content: a dead kept connection is reported as stale, a live one is made ready for
// the next mail.
func (c *conn) refused(ctx context.Context, phase string, err error, failed func(string, error) error) error {
	code, _, _ := reply(err)
	if code == 0 || code == 421 {
		if c.reused && ctx.Err() == nil {
			return errStale
		}
		return failed(phase, err)
	}
	failure := failed(phase, err)
	c.limit(ctx, byeTimeout)
	c.broken = c.client.Reset() != nil
	return failure
}

// spoken returns what the server said, or that it hung up, although it was our turn: mail servers that shut down do so.
// Seeing it here, before committing, turns a delivery nobody can judge into one that provably did not happen. It looks
// for a moment only, and longer if we already know that something is wrong.
func (c *conn) spoken(ctx context.Context, wrong bool) error {
	look := time.Millisecond
	if wrong {
		look = time.Second
	}
	c.limit(ctx, look)
	_, err := c.client.Text.R.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		return err
	}
	c.limit(ctx, time.Second)
	code, msg, err := c.client.Text.ReadResponse(0)
	if err != nil {
		return err
	}
	return &textproto.Error{Code: code, Msg: msg}
}

// until is d from now, or ctx's deadline if that is earlier.
func until(ctx context.Context, d time.Duration) time.Time {
	t := time.Now().Add(d)
	if end, ok := ctx.Deadline(); ok && end.Before(t) {
		return end
	}
	return t
}

// quit says goodbye and reports whether the server did too.
func (c *conn) quit(ctx context.Context) error {
	done := c.watch(ctx)
	defer done()
	defer c.drop()
	c.limit(ctx, stepTimeout)
	if err := c.client.Quit(); err != nil {
		return c.server.failed(phaseHello, "", err)
	}
	return nil
}

// bye says goodbye to a server whose answer interests no one.
func (c *conn) bye() {
	c.raw.SetDeadline(time.Now().Add(byeTimeout))
	c.client.Quit()
	c.drop()
}

// drop cuts the line without another byte, in particular without the final dot, which textproto would add before any
// further command.
func (c *conn) drop() {
	c.raw.Close()
}

// cause prefers the end of ctx as the reason for a broken line, but never over an answer.
func cause(ctx context.Context, err error) error {
	if code, _, _ := reply(err); code == 0 && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
