package simulator

import (
	"net/http"
	"testing"
)

const (
	lookUpTestUser  = "GET /Users?filter=userName%20eq%20%22jumpcloud.test.user%40acme.test%22"
	lookUpTestGroup = "GET /Groups?filter=displayName%20eq%20%22JumpCloud%20Test%20Group%22"
)

func TestJumpCloudActivationLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	j := s.jumpCloud()
	for range 2 { // what was deleted can be created again
		ok(t, j.TestConnection(t.Context()))
		if n := len(s.users) + len(s.groups); n != 1 {
			t.Errorf("%d resources are left, want the owner", n)
		}
	}
	same(t, "requests", s.script()[:8], lookUpTestUser,
		`POST /Users {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"`+jumpCloudID(testUser)+`","userName":"jumpcloud.test.user@acme.test",`+
			`"name":{"givenName":"Test","familyName":"User"},"displayName":"Test User",`+
			`"emails":[{"primary":true,"value":"jumpcloud.test.user@acme.test","type":"work"}],"active":true}`,
		lookUpTestGroup,
		`POST /Groups {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"JumpCloud Test Group","members":[{"value":"u2"}]}`,
		"DELETE /Groups/g3", "GET /Groups/g3", "DELETE /Users/u2", "GET /Users/u2")
}

func TestJumpCloudActivationDeactivatesWhereDeleteIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	j := s.jumpCloud()
	s.fail(fault{on: "DELETE /Users", status: 501, body: `{"detail":"no DELETE here"}`})
	ok(t, j.TestConnection(t.Context()))
	same(t, "requests", s.lines()[4:], "DELETE /Groups/g3", "GET /Groups/g3", "DELETE /Users/u2", "PUT /Users/u2")
	if s.user("u2")["active"] != false {
		t.Error("the test user is active")
	}

	// The next activation finds the test user again.
	ok(t, j.TestConnection(t.Context()))
	same(t, "requests", s.lines(), lookUpTestUser, "PUT /Users/u2", lookUpTestGroup, "POST /Groups", "DELETE /Groups/g4", "GET /Groups/g4", "DELETE /Users/u2", "GET /Users/u2")
}

func TestJumpCloudActivationTellsAnAdminWhatToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault fault
		want  string
		rest  int // resources that are left
	}{
		"token":              {fault{status: 401, body: `{}`}, "authorization failure (401)", 1},
		"no groups":          {fault{on: "POST /Groups", status: 403, body: `{"detail":"groups are off"}`}, "create group: 403 Forbidden: groups are off", 1},
		"group cannot go":    {fault{on: "DELETE /Groups", status: 405, body: `{"detail":"no"}`}, "delete group: 405 Method Not Allowed: no", 2},
		"group does not go":  {fault{on: "DELETE /Groups", status: 204}, "read deleted group: the answer is 200 where JumpCloud expects 404", 2},
		"person does not go": {fault{on: "DELETE /Users", status: 204}, "read deleted user: the answer is 200 where JumpCloud expects 404", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.fail(test.fault)
			fails(t, s.jumpCloud().TestConnection(t.Context()), test.want)
			if n := len(s.users) + len(s.groups); n != test.rest {
				t.Errorf("%d resources are left, want %d", n, test.rest)
			}
		})
	}
}

func TestJumpCloudCreatesNoEmptyGroup(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	j := s.jumpCloud()
	report, err := j.Run(t.Context(), Plan{Group: "Eng"}, nil)
	ok(t, err)
	same(t, "requests", s.lines()[8:], "GET /Groups?filter=displayName%20eq%20%22Eng%22")
	if report.GroupID != "" {
		t.Errorf("group is %q", report.GroupID)
	}
}

func TestJumpCloudGroupsLive(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.patched = http.StatusNoContent
	j := s.jumpCloud()
	people := crowd(102)

	g, err := j.PushGroup(t.Context(), "Eng")
	ok(t, err)
	ok(t, j.AddMembers(t.Context(), g, people[:1]))
	ok(t, j.AddMembers(t.Context(), g, people))
	ok(t, j.RemoveMembers(t.Context(), g, people[2:4]))
	ok(t, j.RenameGroup(t.Context(), g, "Engineering"))
	log := s.script()
	same(t, "begin", log[:2], "GET /Groups?filter=displayName%20eq%20%22Eng%22",
		`POST /Groups {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Eng","members":[{"value":"p0"}]}`)
	same(t, "end", log[3:], "PATCH /Groups/g2 "+patchBegins+`{"op":"add","path":"members","value":[{"value":"p101"}]}]}`,
		"PATCH /Groups/g2 "+patchBegins+`{"op":"remove","path":"members","value":[{"value":"p2"},{"value":"p3"}]}]}`,
		"PATCH /Groups/g2 "+patchBegins+`{"op":"replace","path":"displayName","value":"Engineering"}]}`)
	if n := len(s.members(g.ID)); n != 100 || len(g.Members) != 100 || g.Name != "Engineering" {
		t.Errorf("%d members on the server, %d in JumpCloud, named %s", n, len(g.Members), g.Name)
	}

	adopted, err := j.PushGroup(t.Context(), "Engineering")
	ok(t, err)
	if adopted.ID != g.ID {
		t.Errorf("group is %+v", adopted)
	}
	ok(t, j.DeleteGroup(t.Context(), g))
	same(t, "deleted", s.lines()[1:], "DELETE /Groups/g2", "GET /Groups/g2")
}

func TestJumpCloudLostAnswerToAGroupIsAdopted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	j := s.jumpCloud()
	g, err := j.PushGroup(t.Context(), "Eng")
	ok(t, err)
	s.fail(fault{on: "POST", commit: true})
	ok(t, j.AddMembers(t.Context(), g, crowd(2)))
	same(t, "members", s.members(g.ID), "p0", "p1")
}

func TestJumpCloudPlaysAWholePlan(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	report, err := s.jumpCloud().Run(t.Context(), Plan{Users: 2, Update: 1, Group: "Eng", Concurrency: 1, Deactivate: 1}, nil)
	ok(t, err)
	people := People("", 2, "acme.test")
	find := func(p Person) string { return "GET /Users?" + exactly("userName", p.UserName) }
	same(t, "requests", s.lines()[8:], find(people[0]), "POST /Users", find(people[1]), "POST /Users", "PUT /Users/u4",
		"GET /Groups?filter=displayName%20eq%20%22Eng%22", "POST /Groups", "PATCH /Groups/g6", "PUT /Users/u5")
	same(t, "members", s.members(report.GroupID), "u4")
	same(t, "deactivated", report.Deactivated, "u5")
	if s.user("u5")["active"] != false || s.user("u4")["active"] != true {
		t.Errorf("%v, %v", s.user("u4"), s.user("u5"))
	}
}
