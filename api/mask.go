package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// hidden stands where a password was.
const hidden = `"***"`

// masked is the kept beginning of a body without the passwords in it: text that every database takes, no longer than
// maxKept. whole says that a decoder took the body, so that it is JSON as long as it is not cut.
func (k *kept) masked(whole, userPatch bool) string {
	switch {
	case len(k.data) == 0:
		return ""
	case !k.cut && (whole || json.Valid(k.data)) && utf8.Valid(k.data):
		return clip(maskJSON(k.data))
	case userPatch: // a value may stand before the path that makes it a password
		return "(a PATCH that is too long for the record or is not JSON is not kept)"
	}
	return maskFragment(k.data)
}

// maskJSON replaces each value that has to do with a password: those under a name with "password" in it, in any case
// and at any depth, and in a PATCH with such a path those under "value".
func maskJSON(data []byte) []byte {
	if !mentions(data) && bytes.IndexByte(data, '\\') < 0 {
		return data
	}
	names := func(name []byte) bool { return mentions(unescape(name)) }
	patched := false
	walkNames(data, func(name []byte, from int) {
		patched = patched || bytes.EqualFold(unescape(name), []byte("path")) && mentions(unescape(data[from:valueEnd(data, from)]))
	})
	if patched {
		names = func(name []byte) bool {
			return mentions(unescape(name)) || bytes.EqualFold(unescape(name), []byte("value"))
		}
	}
	var out []byte
	done := 0
	walkNames(data, func(name []byte, from int) {
		if from >= done && names(name) { // else it lies within a value that is hidden already
			out = append(append(out, data[done:from]...), hidden...)
			done = valueEnd(data, from)
		}
	})
	if out == nil {
		return data
	}
	return append(out, data[done:]...)
}

// walkNames tells visit of each name in a JSON text, with its quotes, and of where its value begins.
func walkNames(data []byte, visit func(name []byte, from int)) {
	for i := 0; i < len(data); {
		if data[i] != '"' {
			i++
			continue
		}
		end := stringEnd(data, i)
		name := data[i:end]
		i = skipSpace(data, end)
		if i < len(data) && data[i] == ':' {
			i = skipSpace(data, i+1)
			visit(name, i)
		}
	}
}

// stringEnd is where the string that begins at i ends.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	return i
}

// valueEnd is where the value that begins at i ends.
func valueEnd(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch c := data[i]; {
		case c == '"':
			i = stringEnd(data, i)
			if depth == 0 {
				return i
			}
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth < 0 {
				return i // of a number, true, false or null
			} else if depth == 0 {
				return i + 1
			}
		case depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			return i
		}
		i++
	}
	return i
}

// unescape is a JSON string's text without its quotes. What is no string comes back as it is.
func unescape(s []byte) []byte {
	if bytes.IndexByte(s, '\\') < 0 {
		return bytes.Trim(s, `"`)
	}
	var text string
	if json.Unmarshal(s, &text) != nil {
		return s
	}
	return []byte(text)
}

// mentions reports whether s has the word password in it, in any case.
func mentions(s []byte) bool { return wordAt(s) >= 0 }

// wordAt is where the word password first stands in s, in any case; -1 for nowhere. A letter that only folds to one of
// it, such as ſ, is never a name that scim knows: it compares lengths.
func wordAt(s []byte) int {
	const word = "password"
	for i := 0; i+len(word) <= len(s); i++ {
		if s[i]|0x20 == 'p' && strings.EqualFold(string(s[i:i+len(word)]), word) {
			return i
		}
	}
	return -1
}

const more = " …"

// maskFragment is for what is not JSON, or not whole: it keeps what stands before the first mention of a password, or
// before an escape that could spell one.
func maskFragment(data []byte) string {
	end := len(data)
	for _, at := range []int{wordAt(data), bytes.Index(data, []byte(`\u`))} {
		if at >= 0 {
			end = min(end, at)
		}
	}
	return clip([]byte(printable(string(data[:end])) + more))
}

// clip cuts text that is longer than maxKept, between two characters.
func clip(text []byte) string {
	if len(text) <= maxKept {
		return string(text)
	}
	end := maxKept - len(more)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return string(text[:end]) + more
}

// printable is text that every database takes: UTF-8 without control characters.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c == 0x7f || c == utf8.RuneError {
			return -1
		}
		return c
	}, s)
}
