package scim

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	oracle "github.com/scim2/filter-parser/v2"
)

func recorded(f *testing.F, prefix string, more ...string) {
	err := fs.WalkDir(os.DirFS("testdata"), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(path, prefix) && strings.HasSuffix(path, ".json") {
			f.Add(read(f, path))
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range more {
		f.Add([]byte(s))
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range append(oracleFilters, `emails[type eq "work"].value eq "x"`, `a eq "\u00e9"`, ` a pr `, `a eq "\`, `((a`, `not (a pr)`, `a eq ]`, `x"y:z eq ""`) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseFilter(s)
		if err != nil {
			refusal(t, err)
			return
		}
		for _, of := range []Type{UserType, GroupType} {
			for _, resolve := range []func(Type, Filter) (Filter, error){Resolve, ResolveAny} {
				if condition, err := resolve(of, got); err != nil {
					refusal(t, err)
				} else {
					resolved(t, condition)
				}
			}
		}
		if plain, ok := plainEq(s); ok {
			p := parser{s: s, what: "The filter"}
			slow, err := p.or()
			if diff := cmp.Diff(slow, plain); err != nil || diff != "" {
				t.Fatalf("%q: the fast path differs: %v %s", s, err, diff)
			}
		}
		// The oracle takes no space around, leaves escapes as they are, overflows on large
		// integers, and takes fewer shapes.
		if s != strings.TrimSpace(s) || strings.ContainsAny(s, `\`) || longNumber(s) {
			return
		}
		expression, err := oracle.ParseFilter([]byte(s))
		if err != nil {
			return
		}
		if diff := cmp.Diff(conjunctions(fromOracle(expression)), conjunctions(got)); diff != "" {
			t.Fatalf("%q: %s", s, diff)
		}
	})
}

// resolved checks that a condition is made of what Resolve promises.
func resolved(t *testing.T, f Filter) {
	t.Helper()
	switch f := f.(type) {
	case And:
		resolved(t, f.Left)
		resolved(t, f.Right)
	case Or:
		resolved(t, f.Left)
		resolved(t, f.Right)
	case Not:
		resolved(t, f.Of)
	case Some:
		if !f.List || f.Sub != "" {
			t.Fatalf("%+v is no list", f.Attr)
		}
		resolved(t, f.Of)
	case Always, Has:
	case Test:
		within := f.Op == Co || f.Op == Sw || f.Op == Ew
		name := f.URN == "" && (f.Name == "userName" || f.Sub == "display" && (f.Name == "groups" || f.Name == "members"))
		switch {
		case f.Kind == Truth && f.Op == Eq, f.Kind == Moment && (f.Op == Ge || f.Op == Lt):
		case f.Kind != Text || f.Op == Ne || f.Op == Pr, !f.Exact && f.Text != FoldCase(f.Text), name && !within && f.Text != Fold(f.Text), f.Text == "" && within:
			t.Fatalf("%+v", f)
		}
	default:
		t.Fatalf("%T", f)
	}
}

func longNumber(s string) bool {
	run := 0
	for i := 0; i < len(s) && run < 16; i++ {
		if run++; s[i] < '0' || s[i] > '9' {
			run = 0
		}
	}
	return run >= 16
}

func FuzzDecodeUser(f *testing.F) {
	recorded(f, "user_", `{"userName":"a","emails":[{"primary":true},{"value":"x","primary":true}]}`, `{"a":"\ud800"}`, `{"userName":"\u0000"}`, `[`, `{"userName":"a","x":"\"}"}`)
	f.Fuzz(func(t *testing.T, body []byte) {
		u, err := DecodeUser(bytes.NewReader(body))
		if err != nil {
			refusal(t, err)
			return
		}
		wellFormed(t, u)
		shown := AppendUser(nil, u.Stored(), true, meta, []GroupRef{{Value: "G1", Display: "g"}}, Projection{})
		if echo, err := DecodeUser(bytes.NewReader(shown)); err != nil || !bytes.Equal(echo.Stored(), u.Stored()) {
			t.Fatalf("%s: a PUT of what was shown: %v, %s", shown, err, echo.Stored())
		}
		if _, given := u.Active(); given && !bytes.Contains(bytes.ToLower(body), []byte("active")) && !bytes.Contains(body, []byte(`\u`)) {
			t.Fatal("active was not sent, and is given")
		}
	})
}

// wellFormed checks what holds of every user: it stores, loads and shows.
func wellFormed(t *testing.T, u *User) {
	t.Helper()
	stored := u.Stored()
	again, err := LoadUser(stored, true)
	if err != nil || !bytes.Equal(again.Stored(), stored) {
		t.Fatalf("%s: load: %v", stored, err)
	}
	if isBlank(u.UserName()) {
		t.Fatal("no userName")
	}
	if bytes.Contains(stored, []byte(`\u0000`)) && !bytes.Contains(stored, []byte(`\\u0000`)) {
		t.Fatalf("%s: no database takes U+0000", stored)
	}
	if searched := u.Searched(); searched != nil {
		folded, err := LoadUser(searched, true)
		if again := folded.Searched(); err != nil || again != nil && !bytes.Equal(again, searched) {
			t.Fatalf("%s: folded again: %v, %s", searched, err, again)
		}
	}
	for _, p := range []Projection{{}, ParseProjection("", "title")} {
		if b := AppendUser(nil, stored, true, meta, nil, p); !json.Valid(b) {
			t.Fatalf("%s", b)
		}
	}
	for _, v := range u.core.vals {
		if list, ok := v.([]*object); ok {
			n := 0
			for _, e := range list {
				if e.primary() {
					n++
				}
			}
			if n > 1 || len(list) == 0 || len(list) > MaxValues {
				t.Fatalf("%s: %d values, %d of them primary", stored, len(list), n)
			}
		}
	}
	_, _ = u.Address(), u.DisplayName()
}

func FuzzApplyUser(f *testing.F) {
	recorded(f, "patch_",
		operations(`{"op":"replace","path":"emails[type eq \"work\" and primary eq true].value","value":"x"}`),
		operations(`{"op":"add","path":"emails","value":[{"value":"x","primary":true},{"primary":"True","value":"y"}]}`),
		operations(`{"op":"remove","path":"emails[not (value pr)]"}`, `{"op":"add","value":{"emails[type eq \"x\"]":{"value":"a"}}}`),
		operations(`{"op":"replace","path":"`+EnterpriseURN+`","value":{"manager.value":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := DecodePatch(bytes.NewReader(body))
		if err != nil {
			refusal(t, err)
			return
		}
		u := ada(t)
		before := u.Stored()
		changed, err := p.ApplyUser(u, "U1", entra)
		active, _ := u.Active()
		if err != nil {
			refusal(t, err)
			if changed || !active || !bytes.Equal(u.Stored(), before) {
				t.Fatal("a refused patch changed the user")
			}
			return
		}
		if changed != (!active || !bytes.Equal(u.Stored(), before)) {
			t.Fatalf("changed is %v", changed)
		}
		wellFormed(t, u)
	})
}

func FuzzGroupChanges(f *testing.F) {
	recorded(f, "patch_",
		operations(`{"op":"remove","path":"members[value eq \"a\" or value eq \"b\"]"}`),
		operations(`{"op":"replace","value":{"members[value eq \"a\"]":[],"`+GroupURN+`:members":["x"]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := DecodePatch(bytes.NewReader(body))
		if err != nil {
			refusal(t, err)
			return
		}
		changes, err := p.GroupChanges("G1", entra)
		if err != nil {
			refusal(t, err)
			return
		}
		for _, c := range changes {
			seen := map[string]bool{}
			for _, m := range c.Members {
				if isBlank(m.Value) || seen[m.Value] {
					t.Fatalf("%s names %q twice or not at all", c.Kind, m.Value)
				}
				seen[m.Value] = true
			}
			switch c.Kind {
			case RemoveMembers, AddMembers:
				if len(c.Members) == 0 {
					t.Fatalf("%s nobody", c.Kind)
				}
			case SetDisplayName:
				if c.Text == "" || c.Text != strings.TrimSpace(c.Text) {
					t.Fatalf("name %q", c.Text)
				}
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, path := range []string{"active", "name.givenName", `emails[type eq "work"].value`, `emails[not (primary eq "True")]`, "members", `members[value eq "a"]`, UserURN, EnterpriseURN,
		EnterpriseURN + ":manager.value", GroupURN + ":displayName", "urn:x:y", "$ref", "groups", "meta.version", `x509Certificates[value co "\u00e9"]`, "a[b pr].c.d", "a[b pr", `addresses[type eq "a" or (country pr and not (region ne "b"))].postalCode`} {
		for i, value := range []string{`"x"`, `[{"value":"x","primary":true}]`, `{"value":null}`} {
			f.Add(path, []byte(value), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, path string, value []byte, v uint8) {
		if path == "" || len(value) > 0 && checkJSON(value) != nil {
			return
		}
		at, err := parseTarget(path)
		if err != nil && refusal(t, err).Type != TypeInvalidPath {
			t.Fatalf("%q: %v", path, err)
		}
		if err == nil && (at.Attr == "" || !isName(at.Attr)) {
			t.Fatalf("%q names %+v", path, at)
		}
		op := operation{verb: add + verb(v%3), path: path, value: trimSpace(value)}
		if len(op.value) == 0 {
			op.value = nil
		}
		for _, d := range []Dialect{{}, entra} {
			u := ada(t)
			if _, err := (&Patch{ops: []operation{op, op}}).ApplyUser(u, "U1", d); err != nil {
				refusal(t, err)
			}
			wellFormed(t, u)
			if _, err := (&Patch{ops: []operation{op, op}}).GroupChanges("G1", d); err != nil {
				refusal(t, err)
			}
		}
	})
}

func FuzzSearch(f *testing.F) {
	for _, s := range []string{`{"filter":"userName eq \"a\"","count":10,"startIndex":"2","attributes":["userName"]}`, `{"SORTBY":"name.givenName","sortOrder":"Descending","cursor":""}`,
		`{"cursor":"MTAgMSAx","count":-1}`, `{"excludedAttributes":"emails.value,urn:x","count":1e9}`, `{"filter":null}`} {
		f.Add([]byte(s), "")
	}
	f.Add([]byte(`{"cursor":""}`), "NSBhIGI")
	f.Fuzz(func(t *testing.T, body []byte, cursor string) {
		s, err := DecodeSearch(bytes.NewReader(body))
		if err != nil {
			refusal(t, err)
			return
		}
		if b := AppendUser(nil, ada(t).Stored(), true, meta, nil, s.Projection()); !json.Valid(b) {
			t.Fatalf("%s", b)
		}
		for _, of := range []Type{UserType, GroupType} {
			if _, err := OrderBy(of, s.SortBy); err != nil {
				refusal(t, err)
			}
		}
		q, err := s.Query("Users")
		if err != nil {
			refusal(t, err)
			return
		}
		if q.Page.Count < 0 || q.Page.Count > MaxCount || q.Page.StartIndex < 1 || (q.Filter != nil) != s.Filtered {
			t.Fatalf("%+v", q)
		}
		if !s.Paged {
			return
		}
		s.Cursor = q.Next("an id", "place", 5)
		if next, err := s.Query("Users"); err != nil || next.After != "an id" || next.Mark != "place" || next.Total != 5 {
			t.Fatalf("%+v: %v", next, err)
		}
		if _, err := s.Query("Groups"); err == nil || refusal(t, err).Type != TypeInvalidCursor {
			t.Fatalf("a cursor of another list: %v", err)
		}
		s.Cursor = cursor
		if next, err := s.Query("Users"); err != nil && refusal(t, err).Type != TypeInvalidCursor || err == nil && cursor != "" && (next.After == "" || next.Total < 0) {
			t.Fatalf("%q: %+v %v", cursor, next, err)
		}
	})
}

func FuzzBulk(f *testing.F) {
	for _, s := range []string{
		`{"failOnErrors":1,"Operations":[{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"x"}},{"method":"post","path":"/Groups","bulkId":"b","data":{"displayName":"g","members":[{"value":"bulkId:a"},{"value":"bulkId:b"}]}}]}`,
		`{"Operations":[{"method":"PATCH","path":"https://x/scim/v2/c/Groups/bulkId:b","data":{"Operations":[{"op":"remove","path":"members[value eq \"bulkId:a\"]"}]}},{"method":"DELETE","path":"/Users/1","version":"W/\"1\""}]}`,
		`{"operations":[1,{"method":5},{"method":"PUT"},{"method":"POST","path":"/Me","data":{}}]}`,
		`{"Operations":[{"method":"PUT","path":"Users/bulkId:","data":{"manager":{"value":"bulkId:bulkId:a"},"bulkId:k":"bulkId:\u0061\""}}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := DecodeBulk(bytes.NewReader(body))
		if err != nil {
			refusal(t, err)
			return
		}
		var results []BulkResult
		for _, op := range b.Operations {
			results = append(results, BulkResult{Method: op.Method, BulkID: op.BulkID, Status: 200})
			if op.Err != nil {
				results[len(results)-1].Response = refusal(t, op.Err).Body()
				continue
			}
			asked := map[string]bool{}
			for _, id := range op.References() {
				asked[id] = true
			}
			path, data, complete := op.Resolve(func(id string) (string, bool) {
				if !asked[id] {
					t.Fatalf("%q is no reference of %+v", id, op)
				}
				return "0190", true
			})
			if after := (&BulkOperation{Path: path, Data: data}).References(); !complete || len(after) > 0 || len(data) > 0 && !json.Valid(data) {
				t.Fatalf("%+v: resolved to %s %s, which refers to %q", op, path, data, after)
			}
			_, data, complete = op.Resolve(func(string) (string, bool) { return "", false })
			if after := (&BulkOperation{Data: data}).References(); len(after) > 0 || len(data) > 0 && !json.Valid(data) || complete && !bytes.Equal(data, op.Data) {
				t.Fatalf("%+v: with nobody known, %s still refers to %q", op, data, after)
			}
		}
		if out := AppendBulk(nil, results); !json.Valid(out) {
			t.Fatalf("%s", out)
		}
	})
}

func FuzzDecodeGroup(f *testing.F) {
	recorded(f, "group_", `{"displayName":"x","members":{"value":"a"}}`, `{"displayName":"x","members":["a",]}`, `{"displayName":"x","members":1E700}`, `1E700`)
	f.Fuzz(func(t *testing.T, body []byte) {
		g, err := DecodeGroup(bytes.NewReader(body))
		if err != nil {
			refusal(t, err)
			return
		}
		if g.DisplayName == "" || !g.MembersGiven && g.Members != nil || !json.Valid(AppendGroup(nil, GroupView{g.DisplayName, g.ExternalID, g.Members, ""}, meta, Projection{})) {
			t.Fatalf("%+v", g)
		}
		shown := AppendGroup(nil, GroupView{g.DisplayName, g.ExternalID, g.Members, ""}, meta, Projection{})
		if echo, err := DecodeGroup(bytes.NewReader(shown)); err != nil || echo.DisplayName != g.DisplayName || echo.ExternalID != g.ExternalID || len(echo.Members) != len(g.Members) {
			t.Fatalf("%s: a PUT of what was shown: %v, %+v", shown, err, echo)
		}
	})
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Ada", "Straße", "İ", "\u1fb7\u0345", "ﬀ", "\xff", " \u00a0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := Fold(s); Fold(once) != once || once != strings.TrimSpace(once) {
			t.Fatalf("%q: %q then %q", s, once, Fold(once))
		}
	})
}
