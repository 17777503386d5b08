package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// answer is what came back.
type answer struct {
	c                  *client
	method, path, sent string
	status             int
	header             http.Header
	body               []byte
	json               any
}

// String is the request and its answer, for whoever reads a failed test.
func (a answer) String() string {
	return fmt.Sprintf("%s %s %s\n→ %d %s", a.method, a.path, brief(a.sent), a.status, brief(string(a.body)))
}

func brief(s string) string {
	if len(s) > 2000 {
		return s[:2000] + "…"
	}
	return s
}

func (a answer) errorf(format string, args ...any) {
	a.c.Helper()
	a.c.Errorf("%s\n%s", fmt.Sprintf(format, args...), a)
}

// is fails the test, and ends it, unless the status is the one.
func (a answer) is(status int) answer {
	a.c.Helper()
	if a.status != status {
		a.c.Fatalf("the status is not %d\n%s", status, a)
	}
	return a
}

// fails fails the test unless the answer is that error. scimType is "" where the RFC names none. says are parts of the
// detail.
func (a answer) fails(status int, scimType string, says ...string) answer {
	a.c.Helper()
	if kind, _ := a.at("scimType").(string); a.status != status || kind != scimType {
		a.errorf("this is not %d %s", status, scimType)
	}
	for _, part := range says {
		if !strings.Contains(a.detail(), part) {
			a.errorf("the detail does not say %q", part)
		}
	}
	return a
}

func (a answer) detail() string { s, _ := a.at("detail").(string); return s }

// at is a value of the body, nil where there is none. Names in a path are separated by slashes, as in emails/0/value; the
// empty path is the body.
func (a answer) at(path string) any {
	v := a.json
	if path == "" {
		return v
	}
	for name := range strings.SplitSeq(path, "/") {
		v = step(v, name)
	}
	return v
}

func step(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[name]
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// has fails the test unless a value is the one: a string, a bool, a number, or JSON as a json.RawMessage.
func (a answer) has(path string, want any) answer {
	a.c.Helper()
	if raw, ok := want.(json.RawMessage); ok {
		if err := json.Unmarshal(raw, &want); err != nil {
			a.c.Fatal(err)
		}
	}
	if n, ok := want.(int); ok {
		want = float64(n)
	}
	if got := a.at(path); !reflect.DeepEqual(got, want) {
		a.errorf("%s is %v, not %v", path, got, want)
	}
	return a
}

// raw is JSON that an answer has.
func raw(s string) json.RawMessage { return json.RawMessage(s) }

// lacks fails the test where one of the paths has a value.
func (a answer) lacks(paths ...string) answer {
	a.c.Helper()
	for _, path := range paths {
		if got := a.at(path); got != nil {
			a.errorf("%s is %v and should not be there", path, got)
		}
	}
	return a
}

func (a answer) id() string {
	a.c.Helper()
	id, _ := a.at("id").(string)
	if id == "" {
		a.c.Fatalf("no id\n%s", a)
	}
	return id
}

func (a answer) list(path string) []any { l, _ := a.at(path).([]any); return l }

// values are one value of each element of a list, as value of members.
func (a answer) values(list, of string) []string {
	var all []string
	for _, e := range a.list(list) {
		s, _ := step(e, of).(string)
		all = append(all, s)
	}
	return all
}

// ids are those of the resources of a list, in their order.
func (a answer) ids() []string { return a.values("Resources", "id") }
