package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep the JSON of a request may nest.
const MaxDepth = 32

// readObject reads a whole body and returns the one JSON object in it. What it returns is
// well-formed: valid UTF-8, valid JSON, not too deep, nothing after it. An error of the
// reader (http.MaxBytesError among them) comes back wrapped, everything else is an *Error.
func readObject(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	data = trimSpace(data)
	if len(data) == 0 {
		return nil, InvalidSyntax("The request has no body; send a JSON object")
	}
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	if data[0] != '{' {
		return nil, InvalidSyntax("The body must be one JSON object, but it is %s", describe(data))
	}
	return data, nil
}

// checkJSON refuses what the functions below could not walk. Depth comes first, so that no
// recursive code ever meets a text that is deeper than MaxDepth.
func checkJSON(data []byte) error {
	if depth(data) > MaxDepth {
		return InvalidSyntax("The JSON nests deeper than %d levels; send a flatter body", MaxDepth)
	}
	if !utf8.Valid(data) {
		return InvalidSyntax("The body is not valid UTF-8; send JSON encoded as UTF-8")
	}
	if json.Valid(data) {
		return nil
	}
	var raw json.RawMessage
	return syntaxError(json.Unmarshal(data, &raw))
}

func syntaxError(err error) error {
	se, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return InvalidSyntax("The body is not valid JSON; correct it")
	}
	// The library's "invalid character '}' looking for …" is for programmers: the character is what helps.
	if _, rest, ok := strings.Cut(se.Error(), "invalid character '"); ok {
		if end := strings.Index(rest, "' "); end >= 0 {
			return InvalidSyntax("The body is not valid JSON at byte %d: '%s' cannot stand there; correct the JSON", se.Offset, rest[:end])
		}
	}
	return InvalidSyntax("The body is not valid JSON at byte %d: it ends early; send all of it", se.Offset)
}

// depth returns how deep { and [ nest, and stops counting one past MaxDepth.
func depth(data []byte) int {
	deep, deepest, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if deep++; deep > deepest {
				deepest = deep
			}
			if deepest > MaxDepth {
				return deepest
			}
		case c == '}' || c == ']':
			deep--
		}
	}
	return deepest
}

// members walks an object that checkJSON accepted: each name with its raw value, in order.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		rest := trimSpace(object[1:])
		for rest[0] != '}' {
			key, after := cutValue(rest)
			after = trimSpace(after)
			value, after := cutValue(trimSpace(after[1:])) // past the colon
			if !yield(unquote(key), value) {
				return
			}
			if rest = trimSpace(after); rest[0] == ',' {
				rest = trimSpace(rest[1:])
			}
		}
	}
}

// elements walks an array that checkJSON accepted.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := trimSpace(array[1:])
		for rest[0] != ']' {
			value, after := cutValue(rest)
			if !yield(value) {
				return
			}
			if rest = trimSpace(after); rest[0] == ',' {
				rest = trimSpace(rest[1:])
			}
		}
	}
}

// only returns the element of an array that has one, and how many it has at least (0, 1, 2).
func only(array []byte) (element []byte, n int) {
	for v := range elements(array) {
		if n++; n > 1 {
			break
		}
		element = v
	}
	return element, n
}

// cutValue splits the JSON value at the start of data from what follows it.
func cutValue(data []byte) (value, rest []byte) {
	i := 0
	switch data[0] {
	case '"':
		i = endOfString(data, 0)
	case '{', '[':
		for deep := 0; ; i++ {
			switch data[i] {
			case '"':
				i = endOfString(data, i) - 1
			case '{', '[':
				deep++
			case '}', ']':
				deep--
			}
			if deep == 0 {
				i++
				break
			}
		}
	default:
		for i < len(data) && !isDelimiter(data[i]) {
			i++
		}
	}
	return data[:i], data[i:]
}

// endOfString returns the index after the string that opens at data[i].
func endOfString(data []byte, i int) int {
	for i++; data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func isDelimiter(c byte) bool {
	return c == ',' || c == '}' || c == ']' || isSpace(c)
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func trimSpace(data []byte) []byte {
	for len(data) > 0 && isSpace(data[0]) {
		data = data[1:]
	}
	for len(data) > 0 && isSpace(data[len(data)-1]) {
		data = data[:len(data)-1]
	}
	return data
}

// unquote decodes a JSON string that checkJSON accepted.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	for _, c := range inner {
		if c == '\\' {
			var s string
			_ = json.Unmarshal(quoted, &s) // cannot fail: checkJSON accepted it
			return s
		}
	}
	return string(inner)
}

// isNull tells whether a value says "unassigned" outright: absent or null (RFC 7643 section 2.5).
func isNull(raw []byte) bool { return len(raw) == 0 || raw[0] == 'n' }

// isUnassigned is isNull, or the empty string, array or object, which Okta and Entra send
// for an optional attribute that has no value.
func isUnassigned(raw []byte) bool {
	if isNull(raw) {
		return true
	}
	switch raw[0] {
	case '"', '[', '{':
		return len(trimSpace(raw[1:len(raw)-1])) == 0 && (raw[0] != '"' || len(raw) == 2)
	}
	return false
}

// describe says in words what was sent, for an error.
func describe(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 'n':
		return "null"
	}
	const most = 40
	text := []rune(string(raw[:min(len(raw), 4*most)]))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

const hex = "0123456789abcdef"

// appendString appends s as a JSON string. It escapes what JSON demands and nothing else:
// no HTML escaping, so that values leave as they came. Invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[from:i]...), "\uFFFD"...)
				from = i + 1
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
