package scim

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

// The bounds of a bulk request (RFC 7644 section 3.7.4).
const (
	MaxBulk      = 1000    // operations
	MaxBulkBytes = 4 << 20 // of the body
)

// The URNs of bulk messages (RFC 7644 section 8.2).
const (
	BulkRequestURN  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	BulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

// Bulk is a decoded bulk request (RFC 7644 section 3.7).
type Bulk struct {
	FailOnErrors int // after so many errors the rest is left; 0 never
	Operations   []BulkOperation
}

// BulkOperation is one entry of Operations, as it was sent.
type BulkOperation struct {
	Method, Path, BulkID, Version string
	Data                          []byte // nil where none was sent
	Err                           error  // why the entry cannot be read, an *Error
}

// DecodeBulk reads the body of a bulk request. An entry that cannot be read has an Err and fails alone; what leaves open
// which entries there are fails the request. More than MaxBulk are 413.
func DecodeBulk(r io.Reader) (*Bulk, error) {
	data, err := readObject(r)
	if err != nil {
		return nil, err
	}
	b := &Bulk{}
	var list []byte
	for key, value := range members(data) {
		switch {
		case strings.EqualFold(key, "Operations"):
			if list != nil {
				return nil, duplicate("Operations")
			}
			list = value
		case strings.EqualFold(key, "failOnErrors") && !isNull(value):
			n, err := strconv.Atoi(strings.Trim(string(value), `"`))
			if err != nil || n < 0 {
				return nil, InvalidValue("failOnErrors must be a whole number, 0 or more, but it is %s", describe(value))
			}
			b.FailOnErrors = n
		}
	}
	if isNull(list) || list[0] != '[' {
		return nil, InvalidSyntax(`A bulk request needs an array named Operations, such as {"Operations":[{"method":"POST","path":"/Users","bulkId":"1","data":{…}}]}`)
	}
	known := map[string]bool{}
	for raw := range elements(list) {
		if len(b.Operations) == MaxBulk {
			return nil, NewError(413, "", "The bulk request has more than %d operations; split it", MaxBulk)
		}
		op := decodeBulkOperation(raw)
		if op.BulkID != "" && op.Method == "POST" {
			if known[op.BulkID] {
				return nil, InvalidValue("The bulkId %q is given to two operations; give each its own", op.BulkID)
			}
			known[op.BulkID] = true
		}
		b.Operations = append(b.Operations, op)
	}
	return b, nil
}

func decodeBulkOperation(raw []byte) (op BulkOperation) {
	if raw[0] != '{' {
		op.Err = InvalidSyntax("An operation must be an object, but %s was sent", describe(raw))
		return op
	}
	for key, value := range members(raw) {
		if isNull(value) {
			continue
		}
		var into *string
		switch {
		case strings.EqualFold(key, "method"):
			into = &op.Method
		case strings.EqualFold(key, "path"):
			into = &op.Path
		case strings.EqualFold(key, "bulkId"):
			into = &op.BulkID
		case strings.EqualFold(key, "version"):
			into = &op.Version
		case strings.EqualFold(key, "data"):
			op.Data = value
			continue
		default:
			continue
		}
		if value[0] != '"' {
			op.Err = InvalidSyntax("%s must be a string, but %s was sent", key, describe(value))
			continue
		}
		*into = unquote(value)
	}
	if op.Err == nil {
		op.Err = op.check()
	}
	return op
}

// check refuses what cannot be sent as a request of its own.
func (op *BulkOperation) check() error {
	op.Method = strings.ToUpper(op.Method)
	switch op.Method {
	case "POST", "PUT", "PATCH":
		if op.Data == nil {
			return InvalidSyntax("%s needs data: the body that the request would have alone", op.Method)
		}
	case "DELETE":
	default:
		return InvalidSyntax("method must be POST, PUT, PATCH or DELETE, but it is %s", describe([]byte(strconv.Quote(op.Method))))
	}
	path := op.Path
	if i := strings.Index(path, "://"); i >= 0 { // the whole address, as location has it
		for _, of := range [...]string{"/Users", "/Groups"} {
			if at := strings.LastIndex(path, of); at > i {
				path = path[at:]
			}
		}
	}
	kind, id, _ := strings.Cut(strings.Trim(path, "/"), "/")
	switch {
	case strings.EqualFold(kind, "Users"):
		kind = "/Users"
	case strings.EqualFold(kind, "Groups"):
		kind = "/Groups"
	default:
		return InvalidValue("path must be /Users or /Groups, or one of them with an id, but it is %s", describe([]byte(strconv.Quote(op.Path))))
	}
	switch {
	case op.Method == "POST" && id != "":
		return InvalidValue("A POST goes to %s; leave out what follows in the path", kind)
	case op.Method != "POST" && (id == "" || strings.Contains(id, "/")):
		return InvalidValue("A %s needs the id of a resource in its path: %s/…", op.Method, kind)
	}
	op.Path = strings.TrimSuffix(kind+"/"+id, "/")
	return nil
}

// reference begins the places where a bulkId stands for the id of what it makes (RFC 7644 section 3.7.2).
const reference = "bulkId:"

// delimiters end the bulkId of a reference.
const delimiters = "\" ])(,/"

// Refers tells whether a text, such as a path, refers to something by its bulkId still.
func Refers(text string) bool { return strings.Contains(text, reference) }

// References are the bulkIds that the operation refers to, in its data and its path, each once. Beyond MaxBulk there is
// one among them that no request has room for, so that the rest is left out.
func (op *BulkOperation) References() []string {
	var ids []string
	seen := map[string]bool{}
	note := func(id string) (string, bool) {
		if !seen[id] && len(ids) <= MaxBulk {
			seen[id] = true
			ids = append(ids, id)
		}
		return "", false
	}
	substitute(op.Path, note)
	eachText(op.Data, func(text string) (string, bool) { return substitute(text, note) })
	return ids
}

// Resolve puts ids in the place of bulkIds, as far as they are known. complete is false where some were not: then the
// data is without the values that refer to them.
func (op *BulkOperation) Resolve(known func(bulkID string) (id string, ok bool)) (path string, data []byte, complete bool) {
	path, _ = substitute(op.Path, known)
	complete = true
	data = eachText(op.Data, func(text string) (string, bool) {
		return substitute(text, func(bulkID string) (string, bool) {
			id, ok := known(bulkID)
			complete = complete && ok
			return id, ok
		})
	})
	if !complete {
		data = withoutReferences(data)
	}
	return path, data, complete
}

// substitute replaces the references within a text, and tells whether it did.
func substitute(text string, id func(bulkID string) (string, bool)) (string, bool) {
	if name, ok := strings.CutPrefix(text, reference); ok { // nearly all are nothing else
		if value, ok := id(name); ok {
			return value, true
		}
		return text, false
	}
	var out []byte
	done := 0 // how much of text is in out
	for at := 0; ; {
		i := strings.Index(text[at:], reference)
		if i < 0 {
			break
		}
		from, name := at+i, at+i+len(reference)
		if at = len(text); len(text) > name {
			if end := strings.IndexAny(text[name:], delimiters); end >= 0 {
				at = name + end
			}
		}
		value, ok := id(text[name:at])
		if ok {
			out, done = append(append(out, text[done:from]...), value...), at
		}
	}
	if done == 0 {
		return text, false
	}
	return string(append(out, text[done:]...)), true
}

// eachText lets replace change the strings of a JSON text that refer to something: values that are nothing but a
// reference, and paths of a PATCH and addresses, within which one may stand.
func eachText(data []byte, replace func(text string) (string, bool)) []byte {
	if !bytes.Contains(data, []byte(reference)) {
		return data
	}
	var out []byte
	done := 0 // how much of data is in out
	path := false
	for i := 0; ; {
		at := bytes.IndexByte(data[i:], '"')
		if at < 0 {
			break
		}
		from := i + at
		i = endOfString(data, from)
		raw := data[from:i]
		if after := trimSpace(data[i:]); len(after) > 0 && after[0] == ':' {
			path = bytes.EqualFold(raw, []byte(`"path"`)) || bytes.EqualFold(raw, []byte(`"$ref"`))
			continue
		}
		if !isReference(raw) && !(path && bytes.Contains(raw, []byte(reference))) {
			continue
		}
		if text, changed := replace(unquote(raw)); changed {
			if out == nil {
				out = make([]byte, 0, len(data)+64)
			}
			out, done = appendString(append(out, data[done:from]...), text), i
		}
	}
	if out == nil {
		return data
	}
	return append(out, data[done:]...)
}

// isReference tells a JSON string that is a reference and nothing else.
func isReference(raw []byte) bool { return bytes.HasPrefix(raw, []byte(`"`+reference)) }

// withoutReferences drops the values that still refer to something: an element of an array whole, a member of an object
// with its name.
func withoutReferences(data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	out, _, _ := keep(make([]byte, 0, len(data)), data)
	return out
}

// keep appends the JSON value that data begins with, but for what refers to something, and returns what follows it. ok is
// false where the value says nothing without that.
func keep(dst, data []byte) (out, rest []byte, ok bool) {
	if data[0] != '[' && data[0] != '{' {
		value, rest := cutValue(data)
		return append(dst, value...), rest, !isReference(value)
	}
	object, end := data[0] == '{', data[0]+2 // of [ and { the closing one is the next but one
	dst, rest, ok = append(dst, data[0]), trimSpace(data[1:]), true
	first := len(dst)
	for rest[0] != end {
		undo := len(dst)
		if undo > first {
			dst = append(dst, ',')
		}
		var name []byte
		if object {
			name, rest = cutValue(rest)
			dst = append(append(dst, name...), ':')
			rest = trimSpace(trimSpace(rest)[1:])
		}
		var kept bool
		path := object && bytes.EqualFold(name, []byte(`"path"`)) && rest[0] == '"' && bytes.Contains(rest[:endOfString(rest, 0)], []byte(reference))
		if dst, rest, kept = keep(dst, rest); !kept || path {
			dst = dst[:undo]
			ok = ok && !(object && strings.EqualFold(unquote(name), "value")) // without its value an element says nothing
		}
		if rest = trimSpace(rest); rest[0] == ',' {
			rest = trimSpace(rest[1:])
		}
	}
	return append(dst, end), rest[1:], ok
}

// BulkResult is the outcome of one operation of a bulk request.
type BulkResult struct {
	Method, BulkID, Location string
	ETag                     string // "" where there is none
	Status                   int
	Response                 []byte // the error, nil for a success
}

// AppendBulk appends a BulkResponse (RFC 7644 section 3.7).
func AppendBulk(dst []byte, results []BulkResult) []byte {
	dst = append(dst, `{"schemas":["`+BulkResponseURN+`"],"Operations":[`...)
	for i, r := range results {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"method":`...)
		dst = appendString(dst, r.Method)
		for _, f := range [...]struct{ name, value string }{{"bulkId", r.BulkID}, {"version", r.ETag}, {"location", r.Location}, {"status", strconv.Itoa(r.Status)}} {
			if f.value != "" {
				dst = appendText(dst, f.name, f.value)
			}
		}
		if r.Response != nil {
			dst = append(append(dst, `,"response":`...), r.Response...)
		}
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}
