package mail

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Message is one mail to one recipient, ready to send: text and HTML say the same.
type Message struct {
	From Address
	// To is one bare address.
	To string
	// Subject never begins with text a tenant chose.
	Subject string
	Text    string
	HTML    string
	// MessageID is the full header value, angle brackets included. It depends on what the mail is about and not on the
	// attempt, so that every attempt carries the same.
	MessageID string
	// Headers are additional ones, for example an idempotency key that the mail service understands.
	Headers map[string]string
	// Date is the Date header; zero means the time of sending.
	Date time.Time
}

// Check reports why the message cannot be sent by anyone: an *Error of class Invalid, which no attempt can cure.
func (m Message) Check() error {
	invalid := func(format string, args ...any) error {
		return &Error{Class: Invalid, Phase: phaseMessage, Text: fmt.Sprintf(format, args...)}
	}
	if err := CheckAddress(m.From.Email); err != nil {
		return err
	}
	if err := CheckAddress(m.To); err != nil {
		return err
	}
	if hasControl(m.From.Name) {
		return invalid("the sender's name contains a control character")
	}
	if hasControl(m.Subject) {
		return invalid("the subject contains a control character")
	}
	if m.Text == "" || m.HTML == "" {
		return invalid("the mail %q lacks its text or its HTML part", shorten(m.Subject, 80))
	}
	id := strings.TrimSuffix(strings.TrimPrefix(m.MessageID, "<"), ">")
	local, domain, _ := strings.Cut(id, "@")
	if len(id)+2 != len(m.MessageID) || local == "" || domain == "" || strings.HasSuffix(local, ".") || strings.Contains(domain, "@") || len(id) > 240 ||
		strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>()\",;`, r) }) {
		return invalid("the Message-ID %q is not of the form <name@host>", shorten(m.MessageID, 100))
	}
	for name, value := range m.Headers {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) || hasControl(value) {
			return invalid("the header %q contains a character that headers may not have", shorten(name, 80))
		}
	}
	return nil
}

// render builds the bytes that follow DATA.
func (m Message) render() ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	date := m.Date
	if date.IsZero() {
		date = time.Now()
	}
	failed := func(err error) error {
		return &Error{Class: Invalid, Phase: phaseMessage, Text: "the mail could not be put together", Err: err}
	}
	msg := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingQP), gomail.WithNoDefaultUserAgent())
	if err := msg.FromFormat(m.From.Name, m.From.Email); err != nil {
		return nil, failed(err)
	}
	if err := msg.To(m.To); err != nil {
		return nil, failed(err)
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(date)
	msg.SetMessageIDWithValue(strings.Trim(m.MessageID, "<>"))
	// Vacation replies to a machine help nobody, and could loop.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		msg.SetGenHeader(gomail.Header(name), m.Headers[name])
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, failed(err)
	}
	return b.Bytes(), nil
}
