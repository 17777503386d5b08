package mail

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Address is a mailbox with an optional display name, such as MAIL_FROM.
type Address struct {
	Name, Email string
}

// ParseAddress reads "Name <mailbox@host>" or a bare address.
func ParseAddress(s string) (Address, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || hasControl(s) {
		return Address{}, fmt.Errorf("%q is not an e-mail address; write it as Name <name@example.com>", s)
	}
	if err := CheckAddress(a.Address); err != nil {
		return Address{}, err
	}
	return Address{Name: a.Name, Email: a.Address}, nil
}

// String renders the address as a header would, with the name quoted or encoded where needed.
func (a Address) String() string {
	return (&mail.Address{Name: a.Name, Address: a.Email}).String()
}

// CheckAddress reports whether s is one bare address that mail can be sent to; the error is an *Error of class Invalid.
// Quoted local parts, comments and address literals are refused: no provider sends them, and they are the usual way to
// smuggle parameters into MAIL FROM and RCPT TO.
func CheckAddress(s string) error {
	bad := func(why string) error {
		return &Error{Class: Invalid, Phase: phaseMessage, Text: fmt.Sprintf("%q is not an address mail can be sent to: %s", shorten(s, 100), why)}
	}
	if hasControl(s) {
		return bad("it contains a control character")
	}
	if len(s) > 254 {
		return bad("it is too long")
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s || !utf8.ValidString(s) {
		return bad("it is not of the form name@example.com")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }) ||
		strings.ContainsAny(s, "\"<>()[]\\,;:") || strings.Count(s, "@") != 1 {
		return bad("it contains characters that addresses here may not have")
	}
	return nil
}

// hasControl reports CR, LF and every other control character, the raw material of header injection.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, unicode.IsControl)
}
