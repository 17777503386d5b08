package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes one line of text that someone else chose: control characters and line breaks become spaces, invisible
// ones (bidi overrides, zero-width spaces, tags) vanish, spaces collapse. The joiners that Persian, Indic scripts and
// emoji need stay.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "�")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\u200c' || r == '\u200d':
			return r
		case unicode.IsControl(r), unicode.IsSpace(r), unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// shorten cuts s to n runes and marks the cut.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n-1])) + "…"
}

// tenantName is a name a tenant chose, fit to be shown. The limit keeps a name from becoming a message of its own.
func tenantName(s string) string {
	return shorten(clean(s), 80)
}

// unlink sets apart what a mail program would turn into a link, in a way a reader still understands: "evil.com" becomes
// "evil. com", "http://evil.com" becomes "http: / /evil. com", "a@evil.com" becomes "a @ evil. com". "Acme Inc.",
// "J. P. Morgan" and "Team 2.0" stay as they are.
func unlink(s string) string {
	words := strings.Split(s, " ")
	for i, word := range words {
		words[i] = unlinkWord([]rune(word), " ")
	}
	return strings.Join(words, " ")
}

// unlinkHTML does the same for HTML, where an invisible character will do and "monday.com" can stay whole to the eye.
func unlinkHTML(s string) string {
	words := strings.Split(s, " ")
	for i, word := range words {
		words[i] = unlinkWord([]rune(word), "\u200c")
	}
	return strings.Join(words, " ")
}

func unlinkWord(word []rune, gap string) string {
	dots := 0
	for _, r := range word {
		if isDot(r) {
			dots++
		}
	}
	var b strings.Builder
	for i, r := range word {
		var prev, next rune
		if i > 0 {
			prev = word[i-1]
		}
		if i+1 < len(word) {
			next = word[i+1]
		}
		switch {
		case next == 0:
			b.WriteRune(r)
		case r == '@' && prev != 0:
			b.WriteString(gap)
			b.WriteRune(r)
			b.WriteString(gap)
		case isDot(r) && (unicode.IsDigit(prev) && unicode.IsDigit(next) && dots < 3), // 2.0, but not 192.0.2.1
			isDot(r) && isDot(next):
			b.WriteRune(r)
		case isDot(r) && joins(next),
			r == ':' && unicode.IsLetter(prev),
			(r == '/' || r == '\\') && next == r:
			b.WriteRune(r)
			b.WriteString(gap)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isDot knows the full stops that internationalised domain names accept beside the ordinary one.
func isDot(r rune) bool {
	return r == '.' || r == '。' || r == '．' || r == '｡'
}

// joins reports whether r after a full stop may go on a host name.
func joins(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || unicode.Is(unicode.Cf, r) || r == '-' || r == '_' || r == '%'
}

// wrap breaks lines at spaces before column 73, as a mail's text part should be. A link is never broken.
func wrap(text string) string {
	const width = 72
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if utf8.RuneCountInString(line) <= width {
			out = append(out, line)
			continue
		}
		var b strings.Builder
		column := 0
		for word := range strings.FieldsSeq(line) {
			n := utf8.RuneCountInString(word)
			if column > 0 && column+1+n > width {
				out = append(out, b.String())
				b.Reset()
				column = 0
			}
			if column > 0 {
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
		out = append(out, b.String())
	}
	return strings.Join(out, "\n")
}
