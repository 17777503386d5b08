package mail

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"
)

// Class says what may be done after a failed Send.
type Class string

// The classes, each with the next step it allows.
const (
	// Temporary: try again later; the server provably did not take the mail.
	Temporary Class = "temporary"
	// Permanent: this mailbox does not exist; do not write to it again until someone corrects the address.
	Permanent Class = "permanent"
	// Policy: the server refused this mail by a rule of its own; trying again will not help, the address may be good.
	Policy Class = "policy"
	// Config: our sign-in, sender or server settings are wrong; stop sending and tell the operator.
	Config Class = "config"
	// Full: the mailbox is full; try again for longer than usual.
	Full Class = "full"
	// Unknown: the connection broke between the final dot and its answer; nobody can know whether the mail was taken.
	Unknown Class = "unknown"
	// Invalid: the message itself is wrong, for example a line break in an address; never try again.
	Invalid Class = "invalid"
)

// The phases of a hand-over, as they stand in Error.Phase.
const (
	phaseMessage  = "message"
	phaseConnect  = "connect"
	phaseGreeting = "greeting"
	phaseHello    = "hello"
	phaseTLS      = "tls"
	phaseAuth     = "auth"
	phaseMail     = "mail"
	phaseRcpt     = "rcpt"
	phaseData     = "data"
	phaseBody     = "body"
	phaseDot      = "dot"
)

// Error is a mail that was not, or perhaps not, handed over.
type Error struct {
	Class Class
	// Phase is the step that failed: message, connect, greeting, hello, tls, auth, mail, rcpt, data, body or dot.
	Phase string
	// Code is the server's three digits, 0 without an answer. Enhanced is its RFC 3463 code, such as 5.1.1, or empty.
	Code     int
	Enhanced string
	// Text is the whole story in one plain sentence. It holds no password and no control characters, whatever the
	// server said.
	Text string
	// Err is the cause, if there is one. It is for errors.Is; its own text may be raw.
	Err error
}

// Error returns the sentence an admin can read.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of an error of this package, and "" for any other.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ""
}

var enhancedCode = regexp.MustCompile(`^([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)`)

// reply takes a server's answer apart: code, enhanced code, and one line of text without it.
func reply(err error) (code int, enhanced, text string) {
	answer, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return 0, "", ""
	}
	lines := strings.Split(answer.Msg, "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if m := enhancedCode.FindStringSubmatch(line); m != nil {
			if enhanced == "" {
				enhanced = m[1]
			}
			line = line[len(m[0]):]
		}
		lines[i] = line
	}
	return answer.Code, enhanced, shorten(clean(strings.Join(lines, " ")), 300)
}

// classify maps an answer to a class. The enhanced code beats the three digits, except that x.0.0 says nothing, and that
// 421 always means the server is closing the connection. Where a bare 550 comes after the content was sent it judges the
// content, not the mailbox, so that a spam filter's refusal never marks a good address as bad.
func classify(phase string, code int, enhanced string) Class {
	if code < 400 || code > 599 {
		if phase == phaseDot {
			return Unknown
		}
		return Temporary
	}
	var class, subject, detail int
	if _, err := fmt.Sscanf(enhanced, "%d.%d.%d", &class, &subject, &detail); err != nil || class == 2 || (subject == 0 && detail == 0) {
		class, subject, detail = code/100, 0, 0
	}
	switch {
	case code == 421:
		return Temporary
	case code == 530, code == 534, code == 535, code == 538:
		return Config
	case subject == 2 && detail == 2:
		return Full
	case class == 4:
		return Temporary
	case phase == phaseConnect, phase == phaseGreeting, phase == phaseHello, phase == phaseTLS, phase == phaseAuth, phase == phaseMail:
		return Config // said before any recipient was named, so it is about us
	case subject == 7 && (detail == 8 || detail == 9 || detail == 11):
		return Config // credentials
	case subject == 1 && (detail == 7 || detail == 8):
		return Config // our own sender address
	case subject == 1, subject == 2 && detail == 1, subject == 6 && detail == 7:
		return Permanent
	case subject == 4 && (detail == 1 || detail == 4 || detail == 310):
		return Permanent // the recipient's domain does not exist, or says there is nobody of that name
	case subject == 5:
		return Config // protocol: we speak wrongly
	case subject != 0:
		return Policy
	case code == 552:
		return Full
	case code >= 500 && code <= 504 && (phase != phaseRcpt || code != 501), code == 555:
		return Config
	case phase == phaseRcpt && (code == 501 || code == 521 || code == 550 || code == 551 || code == 553 || code == 556):
		return Permanent
	default:
		return Policy
	}
}
