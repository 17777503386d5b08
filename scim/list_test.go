package scim

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParsePage(t *testing.T) {
	t.Parallel()
	cases := []struct {
		start, count string
		want         Page
	}{
		{"", "", Page{1, 100}},
		{"1", "2", Page{1, 2}},
		{"101", "100", Page{101, 100}},
		{"0", "0", Page{1, 0}},
		{"-5", "-1", Page{1, 0}},
		{" 3 ", "1000", Page{3, MaxCount}},
		{"99999999999999999999", "99999999999999999999", Page{1 << 30, MaxCount}},
		{"-99999999999999999999", "-99999999999999999999", Page{1, 0}},
	}
	for _, c := range cases {
		if got, err := ParsePage(c.start, c.count); err != nil || got != c.want {
			t.Errorf("%q %q: got %v, %v", c.start, c.count, got, err)
		}
	}
	for _, c := range [][2]string{{"x", ""}, {"", "ten"}, {"1.5", ""}, {"", "1e3"}} {
		_, err := ParsePage(c[0], c[1])
		if e := refusal(t, err); e.Status != 400 || e.Type != TypeInvalidValue || !strings.Contains(e.Detail, "whole number") {
			t.Errorf("%v: got %v", c, e)
		}
	}
}

func TestListsHaveIntegersAndAnArray(t *testing.T) {
	t.Parallel()
	empty := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}`
	if got := string(AppendList(nil, List{StartIndex: 1}, nil)); got != empty {
		t.Error(got)
	}
	two := `x{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":7,"startIndex":3,"itemsPerPage":2,"Resources":[{"id":"1"},{"id":"2"}]}`
	if got := string(AppendList([]byte("x"), List{Total: 7, StartIndex: 3}, [][]byte{[]byte(`{"id":"1"}`), []byte(`{"id":"2"}`)})); got != two {
		t.Error(got)
	}
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()
	cases := map[*Error]string{
		Uniqueness("userName %q is <taken>", "ada"): `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"userName \"ada\" is <taken>"}`,
		NotFound("User 42 not found"):               `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"User 42 not found"}`,
		NotImplemented("No bulk"):                   `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"501","detail":"No bulk"}`,
		NewError(429, "", "a\x00\xff\nb"):           `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"429","detail":"a\u0000` + "\uFFFD" + `\nb"}`,
	}
	for e, want := range cases {
		if got := string(e.Body()); got != want || !json.Valid(e.Body()) {
			t.Errorf("got %s", got)
		}
	}
}
