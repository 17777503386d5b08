package simulator

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const (
	entraLookUpMia = "GET /Users?filter=userName%20eq%20%22mia%40acme.test%22"
	entraLookUpEng = "GET /Groups?excludedAttributes=members&filter=displayName%20eq%20%22Eng%22"
	patchBegins    = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`
)

// maya is Mia as Entra has her.
func maya() *Person {
	p := mia()
	p.ExternalID, p.Title, p.Department = "mia", "Analyst", "R&D"
	return p
}

func TestEntraTestConnectionLooksForWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ok(t, s.entra(false).TestConnection(t.Context()))
	lines := s.lines()
	id := `%22[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}%22$`
	if len(lines) != 2 ||
		!regexp.MustCompile(`^GET /Users\?filter=userName%20eq%20`+id).MatchString(lines[0]) ||
		!regexp.MustCompile(`^GET /Groups\?excludedAttributes=members&filter=displayName%20eq%20`+id).MatchString(lines[1]) {
		t.Errorf("requests are %v", lines)
	}
}

func TestEntraTestConnectionTellsAnAdminWhatToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault fault
		want  string
	}{
		"404":     {fault{status: 404, body: `{"detail":"no such user"}`}, "a user that does not exist, which must be answered with 200 and an empty list, not with 404 Not Found: no such user"},
		"400":     {fault{on: "GET /Groups", status: 400, body: `{"scimType":"invalidFilter","detail":"no"}`}, "a group that does not exist, which must be answered with 200 and an empty list, not with 400 Bad Request invalidFilter: no"},
		"website": {fault{status: 404, header: map[string]string{"Content-Type": "text/html"}, body: "<html>"}, "there is no SCIM service at "},
		"token":   {fault{status: 401, body: `{"detail":"revoked"}`}, "authorization failure (401)"},
		"ignored": {fault{status: 200, body: `{"totalResults":1,"Resources":[{"id":"u1"}]}`}, "the filter is ignored: Test Connection looks for a user that does not exist, and 1 are answered"},
		"a list":  {fault{status: 200, body: `[]`}, "not a JSON object"},
		"empty":   {fault{status: 200}, "the 200 answer is empty where Entra expects the resource"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.fail(test.fault)
			fails(t, s.entra(false).TestConnection(t.Context()), test.want)
		})
	}
}

func TestEntraCreatesAPerson(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	p := maya()
	ok(t, s.entra(false).Assign(t.Context(), p))
	same(t, "requests", s.script(), entraLookUpMia, `POST /Users {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",`+
		`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"mia","userName":"mia@acme.test","active":true,`+
		`"displayName":"Mia Ono","title":"Analyst","emails":[{"primary":true,"value":"mia@acme.test","type":"work"}],`+
		`"meta":{"resourceType":"User"},"name":{"formatted":"Mia Ono","familyName":"Ono","givenName":"Mia"},"roles":[],`+
		`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}`)
	if p.ID != "u2" {
		t.Errorf("ID is %q", p.ID)
	}
}

func TestEntraSendsItsHeadersAndItsFlag(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	e, err := NewEntra(s.base+"/?"+CompliantFlag, "s3cret", false)
	ok(t, err)
	s.hasten(&e.Client)
	ok(t, e.Assign(t.Context(), maya()))
	log := s.requests()
	same(t, "lines", []string{log[0].line, log[1].line}, strings.Replace(entraLookUpMia, "?", "?aadOptscim062020&", 1), "POST /Users?aadOptscim062020")
	for name, want := range map[string]string{
		"User-Agent": "Microsoft Azure AD SCIM provisioning 1.0.0", "Accept": "application/scim+json", "Authorization": "Bearer s3cret",
		"Content-Type": "application/scim+json; charset=utf-8",
	} {
		if got := log[1].header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	_, err = NewEntra("https://outpost.test/scim?other", "t", false)
	fails(t, err, "must not have a query")
}

func TestEntraPatchesOnlyTheDifferences(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	e := s.entra(false)
	p := maya()
	ok(t, e.Assign(t.Context(), p))
	s.lines()

	ok(t, e.Assign(t.Context(), p))
	same(t, "no difference", s.script(), entraLookUpMia, "GET /Users/u2")

	ok(t, e.Disable(t.Context(), p))
	s.lines()
	p.GivenName, p.Department, p.Manager, p.Email = "Maya", "Sales", "u1", "maya@acme.test"
	ok(t, e.Assign(t.Context(), p))
	same(t, "differences", s.script(), entraLookUpMia, "GET /Users/u2", "PATCH /Users/u2 "+patchBegins+
		`{"op":"Replace","path":"active","value":"True"},`+
		`{"op":"Replace","path":"displayName","value":"Maya Ono"},`+
		`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"maya@acme.test"},`+
		`{"op":"Replace","path":"name.givenName","value":"Maya"},`+
		`{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Sales"},`+
		`{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"u1"}]}`)

	p.Manager = ""
	ok(t, e.UpdateProfile(t.Context(), p))
	same(t, "no manager", s.script(), "GET /Users/u2", "PATCH /Users/u2 "+patchBegins+
		`{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":{"value":""}}]}`)
}

func TestEntraAddsWhatIsNotThereYet(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.addUser("Mia@acme.test", true, map[string]any{"emails": nil, "name": nil})
	ok(t, s.entra(false).Assign(t.Context(), maya()))
	same(t, "requests", s.script(), entraLookUpMia, "GET /Users/u2", "PATCH /Users/u2 "+patchBegins+
		`{"op":"Add","path":"displayName","value":"Mia Ono"},{"op":"Add","path":"title","value":"Analyst"},`+
		`{"op":"Add","path":"emails[type eq \"work\"].value","value":"mia@acme.test"},`+
		`{"op":"Add","path":"name.givenName","value":"Mia"},{"op":"Add","path":"name.familyName","value":"Ono"},`+
		`{"op":"Add","path":"externalId","value":"mia"},`+
		`{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"R&D"}]}`)
}

func TestEntraWithTheFlagPatchesAsTheStandardSays(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	e := s.entra(true)
	p := maya()
	ok(t, e.Assign(t.Context(), p))
	s.lines()

	ok(t, e.Disable(t.Context(), p))
	p.GivenName, p.Department, p.Manager, p.Email = "Maya", "Sales", "u1", "maya@acme.test"
	ok(t, e.UpdateProfile(t.Context(), p))
	p.Manager = ""
	ok(t, e.UpdateProfile(t.Context(), p))
	same(t, "requests", s.script(),
		"PATCH /Users/u2?aadOptscim062020 "+patchBegins+`{"op":"replace","path":"active","value":false}]}`,
		"GET /Users/u2?aadOptscim062020", "PATCH /Users/u2?aadOptscim062020 "+patchBegins+
			`{"op":"replace","path":"active","value":true},`+
			`{"op":"replace","path":"emails[type eq \"work\"].value","value":"maya@acme.test"},`+
			`{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"u1"},`+
			`{"op":"replace","value":{"displayName":"Maya Ono","name.givenName":"Maya","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Sales"}}]}`,
		"GET /Users/u2?aadOptscim062020", "PATCH /Users/u2?aadOptscim062020 "+patchBegins+
			`{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":{"value":""}}]}`)

	g := &Group{ID: s.addGroup("Eng"), Name: "Eng"}
	ok(t, e.AddMembers(t.Context(), g, []Person{{ID: "p0"}, {ID: "p1"}}))
	ok(t, e.RemoveMembers(t.Context(), g, []Person{{ID: "p1"}}))
	same(t, "group", s.script(),
		"PATCH /Groups/g3?aadOptscim062020 "+patchBegins+`{"op":"add","path":"members","value":[{"value":"p0"},{"value":"p1"}]}]}`,
		"GET /Groups/g3?aadOptscim062020&excludedAttributes=members",
		"PATCH /Groups/g3?aadOptscim062020 "+patchBegins+`{"op":"remove","path":"members[value eq \"p1\"]"}]}`)
	same(t, "members", s.members(g.ID), "p0")
}

func TestEntraSeesAnAnswerThatIsNotWhatItWrote(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	e := s.entra(false)
	p := maya()
	ok(t, e.Assign(t.Context(), p))
	p.Title = "Counsel"
	s.fail(fault{on: "PATCH", status: 200, body: `{"id":"u2","userName":"mia@acme.test","active":true,"displayName":"Mia Ono","title":"counsel"}`})
	fails(t, e.UpdateProfile(t.Context(), p), "patch user: title was written as Counsel and answered as counsel: Entra would write it again in each cycle")
	s.patched = http.StatusNoContent
	ok(t, e.UpdateProfile(t.Context(), p)) // an empty answer shows nothing, and is fine
	fails(t, e.UpdateProfile(t.Context(), mia()), "mia@acme.test was never assigned: Entra has no id to write to")
}

func TestEntraPushesAGroupWithoutItsMembers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.patched = http.StatusNoContent
	e := s.entra(false)
	g, err := e.PushGroup(t.Context(), "Eng")
	ok(t, err)
	ok(t, e.AddMembers(t.Context(), g, []Person{{ID: "p0"}, {ID: ""}, {ID: "p1"}}))
	ok(t, e.AddMembers(t.Context(), g, []Person{{ID: "p1"}}))
	ok(t, e.RemoveMembers(t.Context(), g, []Person{{ID: "p0"}, {ID: "p9"}}))
	same(t, "requests", s.script(), entraLookUpEng,
		`POST /Groups {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],`+
			`"externalId":"`+guid("Eng")+`","displayName":"Eng","meta":{"resourceType":"Group"}}`,
		"PATCH /Groups/g2 "+patchBegins+`{"op":"Add","path":"members","value":[{"$ref":null,"value":"p0"},{"$ref":null,"value":"p1"}]}]}`,
		"GET /Groups/g2?excludedAttributes=members",
		"PATCH /Groups/g2 "+patchBegins+`{"op":"Remove","path":"members","value":[{"value":"p0"}]}]}`)
	same(t, "members", s.members(g.ID), "p1")

	again, err := e.PushGroup(t.Context(), "Eng")
	ok(t, err)
	same(t, "adopted", s.lines(), entraLookUpEng)
	if again.ID != g.ID {
		t.Errorf("group is %+v", again)
	}
	s.fail(fault{on: "GET", status: 200, body: `{"id":"g2","displayName":"Eng","members":[{"value":"p1"}]}`})
	fails(t, e.AddMembers(t.Context(), again, []Person{{ID: "p1"}}), "asked for the group without its members (excludedAttributes=members) and the answer shows 1")
}

func TestEntraDeletesForGood(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	e := s.entra(false)
	p := maya()
	ok(t, e.Assign(t.Context(), p))
	s.lines()
	ok(t, e.Delete(t.Context(), p))
	same(t, "requests", s.script(), "DELETE /Users/u2", "GET /Users/u2")

	p.ID = s.addUser("kept@acme.test", true, nil)
	s.fail(fault{on: "DELETE", status: 204})
	fails(t, e.Delete(t.Context(), p), "read deleted user: the answer is 200 where Entra expects 404")
}

func TestEntraPlaysAWholePlan(t *testing.T) {
	t.Parallel()
	for _, compliant := range []bool{false, true} {
		t.Run(fmt.Sprint(compliant), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			e := s.entra(compliant)
			e.HardDelete = true
			plan := Plan{Users: 3, Update: 1, Group: "Eng", Concurrency: 1, Deactivate: 2, Reactivate: 1}
			report, err := e.Run(t.Context(), plan, nil)
			ok(t, err)
			people := People("", 3, "acme.test")
			find := func(p Person) string { return "GET /Users?" + exactly("userName", p.UserName) }
			var lines []string
			for _, line := range s.lines()[2:] {
				line = strings.Replace(line, "aadOptscim062020&", "", 1)
				lines = append(lines, strings.TrimSuffix(line, "?aadOptscim062020"))
			}
			same(t, "requests", lines,
				find(people[0]), "POST /Users", find(people[1]), "POST /Users", find(people[2]), "POST /Users",
				"GET /Users/u2", "PATCH /Users/u2",
				entraLookUpEng, "POST /Groups", "PATCH /Groups/g5", "GET /Groups/g5?excludedAttributes=members",
				"PATCH /Groups/g5", // two leave
				"PATCH /Users/u3", "PATCH /Users/u4", "PATCH /Users/u3",
				"DELETE /Users/u4", "GET /Users/u4")
			same(t, "members", s.members("g5"), "u2")
			same(t, "updated", report.Updated, "u2")
			same(t, "deactivated", report.Deactivated, "u3", "u4")
			same(t, "reactivated", report.Reactivated, "u3")
			same(t, "deleted", report.Deleted, "u4")
			if report.GroupID != "g5" || report.People[0].ExternalID != mailNickname(people[0].Email) || !strings.HasPrefix(report.People[0].Title, "Senior ") || report.People[0].Manager != "u3" {
				t.Errorf("report is %+v", report)
			}
			if want := "Entra"; !strings.HasPrefix(report.Provider, want) || strings.Contains(report.Provider, "compliant") != compliant {
				t.Errorf("provider is %q", report.Provider)
			}
		})
	}
}
