package scim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func change1(kind GroupChangeKind, ids ...string) []GroupChange {
	c := GroupChange{Kind: kind}
	for _, id := range ids {
		c.Members = append(c.Members, Member{Value: id})
	}
	return []GroupChange{c}
}

func TestRecordedGroupPatchesAreUnderstood(t *testing.T) {
	t.Parallel()
	cases := map[string][]GroupChange{
		"patch_okta_group_rename.json": {{Kind: SetDisplayName, Text: "Eng"}},
		"patch_okta_group_members.json": {
			{Kind: RemoveMembers, Members: []Member{{Value: "U1"}}},
			{Kind: AddMembers, Members: []Member{{"U2", "ben@acme.test"}}}},
		"patch_okta_group_push_now.json": {{Kind: ReplaceMembers, Members: []Member{}}},
		"patch_okta_group_push_pathless.json": {
			{Kind: ReplaceMembers, Members: []Member{{"U1", "ada@acme.test"}, {"U2", "ben@acme.test"}}}},
		"patch_entra_group_remove.json":     change1(RemoveMembers, "U1"),
		"patch_entra_group_add.json":        change1(AddMembers, "U1"),
		"patch_entra_group_remove_all.json": change1(RemoveAllMembers),
		"patch_onelogin_group_add.json":     change1(AddMembers, "U1"),
	}
	for file, want := range cases {
		got, err := decodePatch(t, string(read(t, file))).GroupChanges("G1", entra)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

func TestGroupChanges(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		op   string
		want []GroupChange
	}{
		"several by or":             {`{"op":"remove","path":"members[value eq \"U1\" or VALUE Eq \"U2\" or value eq \"U1\"]"}`, change1(RemoveMembers, "U1", "U2")},
		"remove one object":         {`{"op":"remove","path":"members","value":{"value":"U1"}}`, change1(RemoveMembers, "U1")},
		"remove a string":           {`{"op":"remove","path":"members","value":"U1"}`, change1(RemoveMembers, "U1")},
		"remove strings":            {`{"op":"remove","path":"members.value","value":["U1","U2"]}`, change1(RemoveMembers, "U1", "U2")},
		"remove an empty list":      {`{"op":"remove","path":"members","value":[]}`, nil},
		"remove by URN":             {`{"op":"remove","path":"` + GroupURN + `:members[value eq \"U1\"]"}`, change1(RemoveMembers, "U1")},
		"add an empty list":         {`{"op":"add","path":"members","value":[]}`, nil},
		"add null":                  {`{"op":"add","path":"members","value":null}`, nil},
		"add without path":          {`{"op":"add","value":{"members":[{"value":"U1"},{"value":"U1"}]}}`, change1(AddMembers, "U1")},
		"add by a filter":           {`{"op":"add","path":"members[value eq \"U1\"]","value":[{"value":"U1"}]}`, change1(AddMembers, "U1")},
		"null without path":         {`{"op":"replace","value":{"members":null,"displayName":"G"}}`, []GroupChange{{Kind: SetDisplayName, Text: "G"}}},
		"replace by path":           {`{"op":"replace","path":"members","value":[{"value":"U1"}]}`, change1(ReplaceMembers, "U1")},
		"rename, trimmed":           {`{"op":"replace","path":"displayName","value":" G "}`, []GroupChange{{Kind: SetDisplayName, Text: "G"}}},
		"rename by URN":             {`{"op":"add","path":"` + GroupURN + `:DisplayName","value":"G"}`, []GroupChange{{Kind: SetDisplayName, Text: "G"}}},
		"URN in the value":          {`{"op":"replace","value":{"` + GroupURN + `:displayName":"G"}}`, []GroupChange{{Kind: SetDisplayName, Text: "G"}}},
		"externalId":                {`{"op":"add","path":"externalId","value":"x"}`, []GroupChange{{Kind: SetExternalID, Text: "x"}}},
		"externalId cleared":        {`{"op":"replace","path":"externalId","value":null}`, []GroupChange{{Kind: SetExternalID}}},
		"externalId removed":        {`{"op":"remove","path":"externalId"}`, []GroupChange{{Kind: SetExternalID}}},
		"echoes":                    {`{"op":"replace","value":{"id":"G1","schemas":["x"],"meta":{"version":"1"},"x":1,"y.z":2,"members[":3}}`, nil},
		"id echo by path":           {`{"op":"replace","path":"id","value":"G1"}`, nil},
		"an extension":              {`{"op":"replace","path":"urn:x:y:z","value":1}`, nil},
		"display of a member":       {`{"op":"replace","path":"members[value eq \"U1\"].display","value":"x"}`, nil},
		"remove display of members": {`{"op":"remove","path":"members.display"}`, nil},
		"filter in the value":       {`{"op":"add","value":{"members[value eq \"U1\"]":{}}}`, change1(AddMembers, "U1")},
	}
	for name, c := range cases {
		got, err := decodePatch(t, operations(c.op)).GroupChanges("G1", entra)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestGroupChangeRefusals(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ op, scimType, says string }{
		"remove without path":   {`{"op":"remove","value":{"members":[{"value":"U1"}]}}`, TypeNoTarget, "needs a path"},
		"remove null":           {`{"op":"remove","path":"members","value":null}`, TypeInvalidValue, "names nobody"},
		"replace null":          {`{"op":"replace","path":"members","value":null}`, TypeInvalidValue, "names nobody"},
		"replace nothing":       {`{"op":"replace","path":"members"}`, TypeInvalidValue, "names nobody"},
		"replace an object":     {`{"op":"replace","path":"members","value":{}}`, TypeInvalidValue, "no value"},
		"replace a blank":       {`{"op":"replace","path":"members","value":""}`, TypeInvalidValue, "must be an array"},
		"replace by a filter":   {`{"op":"replace","path":"members[value eq \"U1\"]","value":{"value":"U2"}}`, TypeInvalidPath, "cannot be replaced by a filter"},
		"remove by ne":          {`{"op":"remove","path":"members[value ne \"U1\"]"}`, TypeInvalidFilter, "by value only"},
		"remove by not":         {`{"op":"remove","path":"members[not (value eq \"U1\")]"}`, TypeInvalidFilter, "by value only"},
		"remove by pr":          {`{"op":"remove","path":"members[value pr]"}`, TypeInvalidFilter, "by value only"},
		"remove by type":        {`{"op":"remove","path":"members[type eq \"User\"]"}`, TypeInvalidFilter, "by value only"},
		"remove by and":         {`{"op":"remove","path":"members[value eq \"U1\" and type eq \"User\"]"}`, TypeInvalidFilter, "by value only"},
		"remove by a blank":     {`{"op":"remove","path":"members[value eq \"\"]"}`, TypeInvalidFilter, "by value only"},
		"remove element blank":  {`{"op":"remove","path":"members","value":[{"value":"U1"},{}]}`, TypeInvalidValue, "has no value"},
		"remove member's value": {`{"op":"remove","path":"members[value eq \"U1\"].value"}`, TypeMutability, "cannot be changed"},
		"unknown of a member":   {`{"op":"remove","path":"members.shoe"}`, TypeInvalidPath, "shoe"},
		"nested":                {`{"op":"add","path":"members","value":[{"value":"G2","type":"Group"}]}`, TypeInvalidValue, "Nested groups"},
		"members a number":      {`{"op":"add","path":"members","value":5}`, TypeInvalidValue, "but 5 was sent"},
		"remove name":           {`{"op":"remove","path":"displayName"}`, TypeMutability, "required"},
		"blank name":            {`{"op":"replace","path":"displayName","value":" "}`, TypeInvalidValue, "required"},
		"name without value":    {`{"op":"replace","path":"displayName"}`, TypeInvalidValue, "needs a value"},
		"name by a filter":      {`{"op":"replace","path":"displayName[value eq \"x\"]","value":"x"}`, TypeInvalidPath, "just displayName"},
		"another id":            {`{"op":"replace","value":{"id":"G2","displayName":"x"}}`, TypeMutability, "id is set by the server"},
		"unknown path":          {`{"op":"replace","path":"shoeSize","value":1}`, TypeInvalidPath, "shoeSize"},
		"unreadable path":       {`{"op":"remove","path":"members[value"}`, TypeInvalidPath, "cannot be read"},
		"members twice":         {`{"op":"replace","value":{"members":[],"Members":[]}}`, TypeInvalidSyntax, "twice"},
	}
	for name, c := range cases {
		good := `{"op":"add","path":"members","value":[{"value":"U9"}]}`
		changes, err := decodePatch(t, operations(good, c.op)).GroupChanges("G1", strict)
		e := refusal(t, err)
		if e.Type != c.scimType || !strings.Contains(e.Detail, c.says) || !strings.Contains(e.Detail, "PATCH operation 2") || changes != nil {
			t.Errorf("%s: got %s %q, want %s with %q", name, e.Type, e.Detail, c.scimType, c.says)
		}
	}
}

// langwatch, SCIMReferenceCode and others emptied groups by a PATCH that named a few members.
// A model of the group beside random removes: only who is named leaves.
func TestNobodyLeavesWhoIsNotNamed(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	shapes := []func(ids []string) string{
		func(ids []string) string {
			return `{"op":"Remove","path":"members","value":[` + each(ids, `{"value":"%s","$ref":null}`, ",") + `]}`
		},
		func(ids []string) string {
			return `{"op":"remove","path":"members","value":[` + each(ids, `"%s"`, ",") + `]}`
		},
		func(ids []string) string {
			return `{"op":"remove","path":"members.value","value":[` + each(ids, `"%s"`, ",") + `]}`
		},
		func(ids []string) string {
			if len(ids) == 0 {
				return `{"op":"add","path":"members","value":[]}`
			}
			return `{"op":"remove","path":"` + GroupURN + `:Members[` + each(ids, `value eq \"%s\"`, " or ") + `]"}`
		},
		func(ids []string) string { return `{"op":"replace","value":{"displayName":"x","members":null}}` },
		func(ids []string) string { return `{"op":"add","value":{"externalId":"x"}}` },
	}
	for range 2000 {
		group := map[string]bool{}
		for i := range 8 {
			group[fmt.Sprintf("U%d", i)] = true
		}
		named := map[string]bool{}
		var ops []string
		for range rng.IntN(4) {
			var ids []string
			for i := range 12 {
				if rng.IntN(4) == 0 {
					id := fmt.Sprintf("U%d", i)
					ids, named[id] = append(ids, id), true
				}
			}
			ops = append(ops, shapes[rng.IntN(len(shapes))](ids))
		}
		changes, err := decodePatch(t, operations(ops...)).GroupChanges("G1", entra)
		if err != nil {
			t.Fatalf("%v: %v", ops, err)
		}
		applyToModel(group, changes)
		for i := range 8 {
			if id := fmt.Sprintf("U%d", i); !group[id] && !named[id] {
				t.Fatalf("%v removed %s", ops, id)
			}
		}
	}
}

func applyToModel(group map[string]bool, changes []GroupChange) {
	for _, c := range changes {
		switch c.Kind {
		case RemoveAllMembers, ReplaceMembers:
			clear(group)
		}
		for _, m := range c.Members {
			if c.Kind == RemoveMembers {
				delete(group, m.Value)
			} else {
				group[m.Value] = true
			}
		}
	}
}

func each(ids []string, format, join string) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = fmt.Sprintf(format, id)
	}
	return strings.Join(parts, join)
}
