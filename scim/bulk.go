package scim

import (
	"bytes"
	"encoding/json"
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

// References are the bulkIds that the operation refers to, in its data and its path.
func (op *BulkOperation) References() []string {
	var ids []string
	note := func(id string) (string, bool) {
		ids = append(ids, id)
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
	at := strings.Index(text, reference)
	if at < 0 {
		return text, false
	}
	var out strings.Builder
	changed := false
	for at >= 0 {
		rest := text[at+len(reference):]
		end := strings.IndexAny(rest, "\" ])(,/")
		if end < 0 {
			end = len(rest)
		}
		out.WriteString(text[:at])
		if value, ok := id(rest[:end]); ok {
			out.WriteString(value)
			changed = true
		} else {
			out.WriteString(reference + rest[:end])
		}
		text = rest[end:]
		at = strings.Index(text, reference)
	}
	out.WriteString(text)
	return out.String(), changed
}

// eachText lets replace change the strings of a JSON text that are values and refer to something.
func eachText(data []byte, replace func(text string) (string, bool)) []byte {
	if !bytes.Contains(data, []byte(reference)) {
		return data
	}
	out := make([]byte, 0, len(data)+64)
	for i := 0; i < len(data); {
		if data[i] != '"' {
			out = append(out, data[i])
			i++
			continue
		}
		end := endOfString(data, i)
		raw := data[i:end]
		i = end
		if after := trimSpace(data[end:]); len(after) > 0 && after[0] == ':' || !bytes.Contains(raw, []byte(reference)) {
			out = append(out, raw...)
			continue
		}
		if text, changed := replace(unquote(raw)); changed {
			out = appendString(out, text)
		} else {
			out = append(out, raw...)
		}
	}
	return out
}

// withoutReferences drops the values that still refer to something: an element of an array whole, a member of an object
// with its name.
func withoutReferences(data []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return data
	}
	kept, _ := keep(v)
	out, err := json.Marshal(kept)
	if err != nil {
		return data
	}
	return out
}

func keep(v any) (kept any, ok bool) {
	switch v := v.(type) {
	case string:
		return v, !strings.Contains(v, reference)
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			if k, ok := keep(e); ok {
				list = append(list, k)
			}
		}
		return list, true
	case map[string]any:
		for name, e := range v {
			k, ok := keep(e)
			if !ok && strings.EqualFold(name, "value") {
				return nil, false // without its value an element says nothing
			}
			if ok {
				v[name] = k
			} else {
				delete(v, name)
			}
		}
	}
	return v, true
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
