package scim

import (
	"strings"
	"unicode/utf8"
)

// ParseFilter parses the filter of a query (RFC 7644 section 3.4.2.2), and Entra's
// `emails[type eq "work"].value eq "x"` beside the RFC's grammar. Attribute names and
// operators may be in any case. What cannot be read is 400 invalidFilter and says where.
// Whether an attribute exists or can be searched is not decided here.
func ParseFilter(s string) (Filter, error) {
	if f, ok := plainEq(s); ok {
		return f, nil
	}
	if err := checkFilter("The filter", s); err != nil {
		return nil, err
	}
	p := parser{s: s, what: "The filter"}
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(s) {
		return nil, p.fail("there is more after the filter; join comparisons with and, or")
	}
	return f, nil
}

// plainEq is the look-up that makes up nearly all traffic: `attribute eq "value"`, without
// escapes. It takes only what the parser would take, and builds the same tree.
func plainEq(s string) (Filter, bool) {
	if len(s) > MaxFilterBytes {
		return nil, false
	}
	s = strings.Trim(s, " ")
	i := strings.IndexByte(s, ' ')
	if i < 1 || len(s) < i+len(` eq ""`) || s[i+1]|0x20 != 'e' || s[i+2]|0x20 != 'q' || s[i+3] != ' ' || s[i+4] != '"' || s[len(s)-1] != '"' {
		return nil, false
	}
	value := s[i+5 : len(s)-1]
	for j := 0; j < len(value); j++ {
		if c := value[j]; c < 0x20 || c == '"' || c == '\\' {
			return nil, false
		}
	}
	path, ok := namePath(s[:i])
	if !ok || !utf8.ValidString(value) {
		return nil, false
	}
	return Compare{Path: path, Op: Eq, Value: value}, true
}

// checkFilter bounds the work before any of it is done: a filter that nests too deep for the
// parser's recursion never reaches it.
func checkFilter(what, s string) error {
	if len(s) > MaxFilterBytes {
		return InvalidFilter("%s is longer than %d bytes; shorten it", what, MaxFilterBytes)
	}
	if !utf8.ValidString(s) {
		return InvalidFilter("%s is not valid UTF-8; percent-encode it as UTF-8", what)
	}
	deep, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			if deep++; deep > MaxFilterDepth {
				return InvalidFilter("%s nests deeper than %d levels; use fewer parentheses", what, MaxFilterDepth)
			}
		case c == ')' || c == ']':
			deep--
		}
	}
	return nil
}

// parser is a recursive descent over the text of a filter or of a PATCH path. Recursion is
// bounded by checkFilter, the loops by the text.
type parser struct {
	s       string
	pos     int
	what    string
	terms   int
	bracket bool // inside [ ], where no second [ may open
}

func (p *parser) fail(why string) error {
	near := []rune(p.s[p.pos:])
	switch {
	case strings.TrimSpace(p.s) == "":
		return InvalidFilter(`%s is empty; leave it out, or compare an attribute with a value, such as userName eq "ada@acme.test"`, p.what)
	case len(near) == 0:
		return InvalidFilter("%s cannot be read: it ends early, %s", p.what, why)
	}
	at := utf8.RuneCountInString(p.s[:p.pos]) + 1
	return InvalidFilter("%s cannot be read at character %d, near %q: %s", p.what, at, string(near[:min(len(near), 20)]), why)
}

func (p *parser) space() {
	for p.pos < len(p.s) && p.s[p.pos] == ' ' {
		p.pos++
	}
}

// word takes the keyword if it stands next, in any case, as a word of its own.
func (p *parser) word(keyword string) bool {
	p.space()
	end := p.pos + len(keyword)
	if end > len(p.s) || !strings.EqualFold(p.s[p.pos:end], keyword) || end < len(p.s) && !isBreak(p.s[end]) {
		return false
	}
	p.pos = end
	return true
}

func isBreak(c byte) bool { return strings.IndexByte(` ()[]"`, c) >= 0 }

func (p *parser) take(c byte) bool {
	p.space()
	if p.pos < len(p.s) && p.s[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) or() (Filter, error) {
	left, err := p.and()
	for err == nil && p.word("or") {
		var right Filter
		right, err = p.and()
		left = Or{left, right}
	}
	return left, err
}

func (p *parser) and() (Filter, error) {
	left, err := p.factor()
	for err == nil && p.word("and") {
		var right Filter
		right, err = p.factor()
		left = And{left, right}
	}
	return left, err
}

func (p *parser) factor() (Filter, error) {
	start := p.pos
	not := p.word("not")
	if p.take('(') {
		f, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.take(')') {
			return nil, p.fail("a closing ) is missing")
		}
		if not {
			f = Not{f}
		}
		return f, nil
	}
	if not {
		p.pos = start
		return nil, p.fail("not must be followed by parentheses: not (…)")
	}
	return p.term()
}

func (p *parser) term() (Filter, error) {
	if p.terms++; p.terms > MaxFilterTerms {
		return nil, InvalidFilter("%s has more than %d comparisons; use fewer", p.what, MaxFilterTerms)
	}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.s) && p.s[p.pos] == '[' {
		return p.valuePath(path)
	}
	op, value, err := p.comparison()
	if err != nil {
		return nil, err
	}
	if op == Pr {
		return Present{path}, nil
	}
	return Compare{path, op, value}, nil
}

// valuePath parses from the [ on.
func (p *parser) valuePath(path Path) (Filter, error) {
	of, err := p.brackets(path)
	if err != nil {
		return nil, err
	}
	v := ValuePath{Path: path, Of: of}
	if p.pos < len(p.s) && p.s[p.pos] == '.' {
		if v.Sub, err = p.sub(); err == nil {
			v.Op, v.Value, err = p.comparison()
		}
	}
	return v, err
}

// brackets parses `[filter]`.
func (p *parser) brackets(path Path) (Filter, error) {
	if p.bracket || path.Sub != "" {
		return nil, p.fail("[ can follow the name of a multi-valued attribute only")
	}
	p.pos++
	p.bracket = true
	of, err := p.or()
	p.bracket = false
	if err == nil && !p.take(']') {
		err = p.fail("a closing ] is missing")
	}
	return of, err
}

// sub parses the `.name` after brackets.
func (p *parser) sub() (string, error) {
	start := p.pos
	p.pos++
	path, err := p.path()
	if err != nil || path.URN != "" || path.Sub != "" {
		p.pos = start
		return "", p.fail("after ] one sub-attribute can follow, such as ].value")
	}
	return path.Attr, nil
}

func (p *parser) path() (Path, error) {
	p.space()
	start := p.pos
	for p.pos < len(p.s) && !isBreak(p.s[p.pos]) {
		p.pos++
	}
	path, ok := namePath(p.s[start:p.pos])
	if !ok {
		p.pos = start
		return Path{}, p.fail("an attribute name is expected here, such as userName")
	}
	return path, nil
}

// namePath reads `[urn:]name[.sub]` (RFC 7644 section 3.10).
func namePath(s string) (Path, bool) {
	p := splitPath(s)
	ok := isName(p.Attr) && (isName(p.Sub) || p.Sub == "" && !strings.HasSuffix(s, "."))
	if ok && len(p.URN) == 0 {
		ok = s[0] != ':'
	}
	for i := 0; i < len(p.URN); i++ {
		ok = ok && p.URN[i] > ' ' && !isBreak(p.URN[i])
	}
	return p, ok
}

// isName is ATTRNAME of RFC 7643 section 2.1, with the $ of $ref.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c == '$' && i == 0:
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return s != "" && s != "$"
}
