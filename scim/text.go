package scim

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// textClass says what a string attribute may hold. It is checked for known attributes
// only: what is not kept is never refused.
type textClass uint8

const (
	plainText textClass = iota // anything but NUL, which no database keeps
	nameText                   // one line, shown to people: no control characters, no bidi overrides
	emailText                  // as nameText
	idText                     // an identifier of the client: as nameText
	linesText                  // several lines: tabs and newlines, no other control characters
	longText                   // as plainText; a certificate or an inline picture
)

// The most runes a text may have, by class. 254 is the longest address that SMTP can carry
// (RFC 5321 section 4.5.3.1.3, errata 1690).
var maxRunes = [...]int{plainText: 4096, nameText: 256, emailText: 254, idText: 512, linesText: 4096, longText: 65536}

// lenientNumber takes a bare number for its text where a name or an address is not asked for: a template written
// by hand easily sends "employeeNumber": 7 (OneLogin, Okta expressions).
func (c textClass) lenientNumber(raw []byte) bool {
	strict := c == nameText || c == emailText
	return !strict && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}

// check refuses a text that the class may not hold. name is the attribute, for the error.
func (c textClass) check(name, s string) error {
	if most := maxRunes[c]; len(s) > most && utf8.RuneCountInString(s) > most {
		return InvalidValue("%s has more than %d characters; shorten it", name, most)
	}
	for _, r := range s {
		switch {
		case r == 0:
		case c == plainText || c == longText || !isControl(r):
			continue
		case c == linesText && (r == '\t' || r == '\n' || r == '\r'):
			continue
		}
		return InvalidValue("%s contains the character U+%04X, which is not allowed there; remove it", name, r)
	}
	return nil
}

// isControl tells the characters that break a line or turn the direction of the text
// around them: both let a name pretend to be something else.
func isControl(r rune) bool {
	if r < 0x7f {
		return r < 0x20
	}
	switch {
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029:
		return true
	}
	return unicode.IsControl(r)
}

// isBlank tells a text that shows nothing.
func isBlank(s string) bool { return strings.TrimSpace(s) == "" }
