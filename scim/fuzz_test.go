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
