package scim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecordedGroupBodiesAreUnderstood(t *testing.T) {
	t.Parallel()
	cases := map[string]Group{
		"group_okta_post.json":  {DisplayName: "Eng", Members: []Member{}, MembersGiven: true},
		"group_okta_put.json":   {DisplayName: "Eng", Members: []Member{{"U1", "ada@acme.test"}, {"U2", "ben@acme.test"}}, MembersGiven: true},
		"group_entra_post.json": {DisplayName: "displayName", ExternalID: "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159"},
	}
	for file, want := range cases {
		got, err := DecodeGroup(strings.NewReader(string(read(t, file))))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

func TestDecodeGroupTolerates(t *testing.T) {
	t.Parallel()
	u1 := Group{DisplayName: "G", Members: []Member{{Value: "U1"}}, MembersGiven: true}
	cases := map[string]struct {
		body string
		want Group
	}{
		"names in any case":    {`{"DISPLAYNAME":"G","Members":[{"VALUE":"U1"}]}`, u1},
		"URN names":            {`{"` + GroupURN + `:displayName":"G","` + GroupURN + `:members":[{"value":"U1"}]}`, u1},
		"one member, object":   {`{"members":{"value":"U1","$ref":null},"displayName":"G"}`, u1},
		"members as strings":   {`{"members":["U1","U1"],"displayName":"G"}`, u1},
		"member details":       {`{"members":[{"value":"U1","type":"User","$ref":"x","display":5,"x":{}}],"displayName":"G"}`, u1},
		"member type null":     {`{"members":[{"value":"U1","type":null}],"displayName":"G"}`, u1},
		"members null":         {`{"displayName":"G","members":null}`, Group{DisplayName: "G"}},
		"unknown, duplicated":  {`{"displayName":"G","x":[[1]],"x":{"y":null},"id":5,"meta":"x","schemas":null,"externalId":""}`, Group{DisplayName: "G"}},
		"displayName an array": {`{"displayName":["G"]}`, Group{DisplayName: "G"}},
	}
	for name, c := range cases {
		got, err := DecodeGroup(strings.NewReader(c.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWrongGroupBodiesAreRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ body, scimType, says string }{
		"no body":             {` `, TypeInvalidSyntax, ""},
		"empty":               {``, TypeInvalidSyntax, "no body"},
		"an array":            {`[]`, TypeInvalidSyntax, "one JSON object"},
		"truncated":           {`{"displayName":"G","members":[{"value":"U1"}`, TypeInvalidSyntax, "ends before"},
		"truncated in a text": {`{"displayName":"G`, TypeInvalidSyntax, "ends before"},
		"trailing comma":      {`{"displayName":"G",}`, TypeInvalidSyntax, "not valid JSON"},
		"trailing comma, two": {`{"displayName":"G","members":["U1",]}`, TypeInvalidSyntax, "not valid JSON"},
		"trailing data":       {`{"displayName":"G"}{}`, TypeInvalidSyntax, "more after"},
		"trailing rubbish":    {`{"displayName":"G"}x`, TypeInvalidSyntax, "not valid JSON"},
		"too deep":            {`{"displayName":"G","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, TypeInvalidSyntax, "32 levels"},
		"deep member":         {`{"displayName":"G","members":[` + strings.Repeat("[", 100000), TypeInvalidSyntax, ""},
		"duplicate":           {`{"displayName":"G","DisplayName":"H"}`, TypeInvalidSyntax, "displayName is given twice"},
		"duplicate value":     {`{"displayName":"G","members":[{"value":"U1","Value":"U2"}]}`, TypeInvalidSyntax, "given twice"},
		"invalid UTF-8":       {"{\"displayName\":\"\xff\"}", TypeInvalidSyntax, "UTF-8"},
		"no name":             {`{"members":[]}`, TypeInvalidValue, "displayName is required"},
		"blank name":          {`{"displayName":" "}`, TypeInvalidValue, "displayName is required"},
		"name a number":       {`{"displayName":7}`, TypeInvalidValue, "displayName must be a string, but 7"},
		"long name":           {`{"displayName":"` + strings.Repeat("x", 257) + `"}`, TypeInvalidValue, "more than 256"},
		"member no value":     {`{"displayName":"G","members":[{"display":"x"}]}`, TypeInvalidValue, "has no value"},
		"member null":         {`{"displayName":"G","members":[null]}`, TypeInvalidValue, "must be an object"},
		"member blank":        {`{"displayName":"G","members":[{"value":" "}]}`, TypeInvalidValue, "has no value"},
		"member number":       {`{"displayName":"G","members":[{"value":5}]}`, TypeInvalidValue, "must be a string, but 5"},
		"member control":      {`{"displayName":"G","members":[{"value":"a\u0000"}]}`, TypeInvalidValue, "U+0000"},
		"members a number":    {`{"displayName":"G","members":5}`, TypeInvalidValue, "members must be an array"},
		"nested group":        {`{"displayName":"G","members":[{"type":"group","value":"G2"}]}`, TypeInvalidValue, "Nested groups are not supported"},
	}
	for name, c := range cases {
		_, err := DecodeGroup(strings.NewReader(c.body))
		e := refusal(t, err)
		if e.Status != 400 || e.Type != c.scimType || !strings.Contains(e.Detail, c.says) {
			t.Errorf("%s: got %s %q, want %s with %q", name, e.Type, e.Detail, c.scimType, c.says)
		}
	}
}

func TestALargeGroupIsReadWhole(t *testing.T) {
	t.Parallel()
	const n = 10000
	var b strings.Builder
	b.WriteString(`{"displayName":"G","members":[`)
	for i := range n {
		fmt.Fprintf(&b, `{"value":"U%d","display":"user%d@acme.test"},`, i, i)
	}
	b.WriteString(`{"value":"U0"}]}`)
	g, err := DecodeGroup(strings.NewReader(b.String()))
	if err != nil || len(g.Members) != n || g.Members[n-1].Value != fmt.Sprintf("U%d", n-1) {
		t.Errorf("%d members, %v", len(g.Members), err)
	}
}
