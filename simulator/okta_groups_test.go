package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const lookUpEng = "GET /Groups?filter=displayName%20eq%20%22Eng%22&startIndex=1&count=100"

// crowd is n people who are on the server.
func crowd(n int) []Person {
	people := People("crowd", n, "acme.test")
	for i := range people {
		people[i].ID = fmt.Sprintf("p%d", i)
	}
	return people
}

func TestPushGroupCreatesReadsAndWritesAgain(t *testing.T) {
	t.Parallel()
	for style, verb := range map[Style]string{Put: "PUT", Patch: "PATCH"} {
		s := newServer(t)
		o, _ := s.okta(style)
		g, err := o.PushGroup(t.Context(), "Eng")
		ok(t, err)
		if g.ID != "g2" || g.Name != "Eng" || len(g.Members) != 0 {
			t.Errorf("group is %+v", g)
		}
		log := s.requests()
		same(t, string(style), []string{log[0].line, log[1].line, log[2].line, log[3].line},
			lookUpEng, "POST /Groups", "GET /Groups/g2", verb+" /Groups/g2")
		same(t, "create", []string{log[1].body}, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Eng","members":[]}`)
		if style == Patch {
			same(t, "patch", []string{log[3].body}, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"id":"g2","displayName":"Eng"}}]}`)
		} else {
			sameJSON(t, log[3].body, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"g2","meta":{"resourceType":"Group"},"displayName":"Eng","members":[]}`)
		}
	}
}

func TestPushGroupAdoptsTheGroupOfThatName(t *testing.T) {
	t.Parallel()
	for style, verb := range map[Style]string{Put: "PUT", Patch: "PATCH"} {
		s := newServer(t)
		o, _ := s.okta(style)
		s.addGroup("eng", "u1")
		g, err := o.PushGroup(t.Context(), "Eng")
		ok(t, err)
		same(t, string(style), s.lines(), lookUpEng, "GET /Groups/g2", verb+" /Groups/g2")
		same(t, "members", s.members(g.ID), "u1")
		if len(g.Members) != 1 {
			t.Errorf("group is %+v", g)
		}
	}
}

func TestPushedGroupMustBeReadableAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	s.fail(fault{on: "GET /Groups/", status: 404, body: `{"detail":"g2 not found"}`})
	_, err := o.PushGroup(t.Context(), "Eng")
	fails(t, err, "read group: 404 Not Found: g2 not found")

	s.fail(fault{on: "GET /Groups/", status: 200, body: `{"id":"g7","displayName":"Eng"}`})
	_, err = o.PushGroup(t.Context(), "Eng")
	fails(t, err, `the answer has id "g7" where the request was for "g2"`)

	s.fail(fault{on: "GET /Groups/", status: 200, body: `{"id":"g2","displayName":"Other"}`})
	_, err = o.PushGroup(t.Context(), "Eng")
	fails(t, err, "the group pushed as Eng reads as Other")
}

func TestPatchAddsAHundredMembersAtMost(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Patch)
	g := &Group{ID: s.addGroup("Eng"), Name: "Eng"}
	people := crowd(250)
	people[7].ID = "" // not provisioned

	ok(t, o.AddMembers(t.Context(), g, people))

	log := s.requests()
	var sizes []int
	for i, one := range log {
		if one.line != "PATCH /Groups/g2" {
			t.Fatalf("request %d is %s", i, one.line)
		}
		var body struct {
			Operations []struct {
				Op, Path string
				Value    json.RawMessage
			}
		}
		ok(t, json.Unmarshal([]byte(one.body), &body))
		if i == 0 {
			if string(body.Operations[0].Value) != `{"id":"g2","displayName":"Eng"}` {
				t.Errorf("first op is %s", one.body)
			}
			continue
		}
		var members []Member
		ok(t, json.Unmarshal(body.Operations[0].Value, &members))
		sizes = append(sizes, len(members))
	}
	if !slices.Equal(sizes, []int{100, 100, 49}) {
		t.Errorf("batches are %v", sizes)
	}
	if !strings.Contains(log[1].body, `{"op":"add","path":"members","value":[{"value":"p0","display":"`+people[0].UserName+`"},`) {
		t.Errorf("body is %s", log[1].body[:200])
	}
	if n := len(s.members(g.ID)); n != 249 || len(g.Members) != 249 {
		t.Errorf("%d members on the server, %d in Okta", n, len(g.Members))
	}

	ok(t, o.AddMembers(t.Context(), g, people))
	same(t, "again", s.lines())
}

func TestPutSendsTheWholeList(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	g := &Group{ID: s.addGroup("Eng"), Name: "Eng"}
	people := crowd(250)

	ok(t, o.AddMembers(t.Context(), g, people[:150]))
	ok(t, o.AddMembers(t.Context(), g, people[150:]))
	ok(t, o.RemoveMembers(t.Context(), g, people[:240]))

	same(t, "requests", s.lines(), "GET /Groups/g2", "PUT /Groups/g2", "GET /Groups/g2", "PUT /Groups/g2", "GET /Groups/g2", "PUT /Groups/g2")
	if got := s.members(g.ID); len(got) != 10 || got[0] != "p240" {
		t.Errorf("members are %v", got)
	}
}

func TestPatchRemovesByValue(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.patched = http.StatusNoContent
	o, _ := s.okta(Patch)
	g := &Group{ID: s.addGroup("Eng"), Name: "Eng"}
	people := crowd(130)
	ok(t, o.AddMembers(t.Context(), g, people))
	s.lines()

	ok(t, o.RemoveMembers(t.Context(), g, people[:120]))

	log := s.requests()
	if len(log) != 3 {
		t.Fatalf("%d requests", len(log))
	}
	if n := strings.Count(log[1].body, `"remove"`); n != 100 {
		t.Errorf("%d operations in the first", n)
	}
	if !strings.Contains(log[2].body, `{"op":"remove","path":"members[value eq \"p119\"]"}]}`) {
		t.Errorf("body is %s", log[2].body)
	}
	if got := s.members(g.ID); len(got) != 10 || got[0] != "p120" || len(g.Members) != 10 {
		t.Errorf("members are %v", got)
	}
}

func TestPushNowReplacesEveryone(t *testing.T) {
	t.Parallel()
	for _, style := range []Style{Put, Patch} {
		s := newServer(t)
		o, _ := s.okta(style)
		g := &Group{ID: s.addGroup("Eng", "u1"), Name: "Eng"}
		ok(t, o.PushNow(t.Context(), g, crowd(2)))
		same(t, "members", s.members(g.ID), "p0", "p1")
		s.lines()
		ok(t, o.PushNow(t.Context(), g, nil))
		same(t, "members", s.members(g.ID))
		if log := s.requests(); style == Patch {
			same(t, "body", []string{log[0].body}, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"members","value":[]}]}`)
		}
	}
}

func TestRenameKeepsMembers(t *testing.T) {
	t.Parallel()
	for style, want := range map[Style][]string{
		Put:   {"GET /Groups/g2", "PUT /Groups/g2"},
		Patch: {"PATCH /Groups/g2"},
	} {
		s := newServer(t)
		o, _ := s.okta(style)
		g := &Group{ID: s.addGroup("Eng", "u1"), Name: "Eng", Members: []Member{{Value: "u1"}}}
		ok(t, o.RenameGroup(t.Context(), g, "Engineering"))
		same(t, string(style), s.lines(), want...)
		same(t, "members", s.members(g.ID), "u1")
		if g.Name != "Engineering" {
			t.Errorf("name is %s", g.Name)
		}
	}
}

func TestDeletedGroupIsGone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	g := &Group{ID: s.addGroup("Eng")}
	ok(t, o.DeleteGroup(t.Context(), g))
	same(t, "requests", s.lines(), "DELETE /Groups/g2")
	fails(t, o.DeleteGroup(t.Context(), g), "delete group: 404 Not Found: g2 not found")
}
