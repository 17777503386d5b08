package scim

import (
	"encoding/json"
	"strconv"
	"strings"
)

// comparison parses `op value`, or `pr`, after a path. An operator that has no meaning for
// the type of the value is refused (RFC 7644 section 3.4.2.2).
func (p *parser) comparison() (Op, any, error) {
	p.space()
	start := p.pos
	for p.pos < len(p.s) && !isBreak(p.s[p.pos]) {
		p.pos++
	}
	op := Op(strings.ToLower(p.s[start:p.pos]))
	switch op {
	case Pr:
		return op, nil, nil
	case Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le:
	default:
		p.pos = start
		return "", nil, p.fail("an operator is expected here: eq, ne, co, sw, ew, gt, ge, lt, le or pr")
	}
	p.space()
	start = p.pos
	value, err := p.value()
	if err != nil {
		return "", nil, err
	}
	_, isText := value.(string)
	_, isNumber := value.(float64)
	switch op {
	case Co, Sw, Ew:
		if !isText {
			p.pos = start
			return "", nil, p.fail(string(op) + ` compares with a string in quotes, such as "abc"`)
		}
	case Gt, Ge, Lt, Le:
		if !isText && !isNumber { // RFC 7644 section 3.4.2.2: booleans have no order
			p.pos = start
			return "", nil, p.fail(string(op) + " compares with a string or a number")
		}
	}
	return op, value, nil
}

// value parses a JSON literal: a string, true, false, null or a number.
func (p *parser) value() (any, error) {
	if p.pos < len(p.s) && p.s[p.pos] == '"' {
		return p.quoted()
	}
	start := p.pos
	for p.pos < len(p.s) && !isBreak(p.s[p.pos]) {
		p.pos++
	}
	literal := p.s[start:p.pos]
	switch strings.ToLower(literal) { // any case, as Entra writes True
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	if json.Valid([]byte(literal)) {
		if f, err := strconv.ParseFloat(literal, 64); err == nil {
			return f, nil
		}
	}
	p.pos = start
	return nil, p.fail(`a value is expected here: a string in quotes, true, false, null or a number`)
}

func (p *parser) quoted() (any, error) {
	start := p.pos
	for p.pos++; p.pos < len(p.s) && p.s[p.pos] != '"'; p.pos++ {
		if p.s[p.pos] == '\\' {
			p.pos++
		}
	}
	if p.pos >= len(p.s) {
		p.pos = start
		return nil, p.fail("a closing quote is missing")
	}
	p.pos++
	var s string
	if json.Unmarshal([]byte(p.s[start:p.pos]), &s) != nil {
		p.pos = start
		return nil, p.fail(`the string is not valid JSON; write \ as \\ and " as \"`)
	}
	if strings.IndexByte(s, 0) >= 0 {
		p.pos = start
		return nil, p.fail("the string contains the character U+0000; remove it")
	}
	return s, nil
}
