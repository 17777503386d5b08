package simulator

import (
	"fmt"
	"net/http"
	"testing"
)

const oneLoginMia = `"externalId":"7","userName":"mia@acme.test","name":{"givenName":"Mia","familyName":"Ono"},"displayName":"Mia Ono",` +
	`"emails":[{"primary":true,"value":"mia@acme.test","type":"work"}],"active":true`

func seven() *Person {
	p := mia()
	p.ExternalID, p.Department = "7", "R&D"
	return p
}

func TestOneLoginTakesAlmostEveryAnswerForAlive(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ok(t, s.oneLogin(Suspend).TestConnection(t.Context())) // the server answers 404
	log := s.requests()
	if len(log) != 1 || log[0].line != "GET " {
		t.Errorf("requests are %v", log)
	}
	for _, name := range []string{"User-Agent", "Content-Type"} {
		if len(log[0].header[name]) > 0 {
			t.Errorf("%s is %q", name, log[0].header[name])
		}
	}
	for status, want := range map[int]string{
		200: "", 302: "", 400: "", 405: "", 501: "501 Not Implemented",
		401: "authorization failure (401)", 403: "the token is known but may not be used (403)", 500: "500 Internal Server Error: no",
	} {
		o := s.oneLogin(Suspend)
		o.Retry.Total = -1
		s.fail(fault{status: status, body: `{"detail":"no"}`})
		if err := o.TestConnection(t.Context()); want == "" {
			ok(t, err)
		} else {
			fails(t, err, want)
		}
	}
}

func TestOneLoginSendsItsTemplate(t *testing.T) {
	t.Parallel()
	for old, want := range map[bool]string{
		false: `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],` + oneLoginMia +
			`,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}`,
		true: `{"schemas":["urn:scim:schemas:core:1.0"],` + oneLoginMia + `}`,
	} {
		s := newServer(t)
		o := s.oneLogin(Suspend)
		o.OldTemplate = old
		p := seven()
		ok(t, o.Assign(t.Context(), p))
		same(t, "created", s.script(), entraLookUpMia, "POST /Users "+want)
		ok(t, o.Suspend(t.Context(), p))
		same(t, "suspended", s.script(), "PATCH /Users/u2 "+patchBegins+`{"op":"replace","path":"active","value":false}]}`)
		ok(t, o.Assign(t.Context(), p))
		same(t, "found", s.script(), entraLookUpMia, "PUT /Users/u2 "+want)
	}
}

func TestOneLoginPushesAGroup(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.patched = http.StatusNoContent
	o := s.oneLogin(Suspend)
	g, err := o.PushGroup(t.Context(), "Eng")
	ok(t, err)
	ok(t, o.AddMembers(t.Context(), g, crowd(101)[99:]))
	again, err := o.PushGroup(t.Context(), "eng")
	ok(t, err)
	same(t, "requests", s.script(), "GET /Groups?filter=displayName%20eq%20%22Eng%22",
		`POST /Groups {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Eng"}`,
		"PATCH /Groups/g2 "+patchBegins+`{"op":"add","path":"members","value":[{"value":"p99"},{"value":"p100"}]}]}`,
		"GET /Groups?filter=displayName%20eq%20%22eng%22")
	if again.ID != g.ID {
		t.Errorf("group is %+v", again)
	}
}

func TestOneLoginPlaysAWholePlan(t *testing.T) {
	t.Parallel()
	people := People("", 2, "acme.test")
	find := func(p Person) string { return "GET /Users?" + exactly("userName", p.UserName) }
	begin := []string{"GET ", find(people[0]), "POST /Users", find(people[1]), "POST /Users", "PUT /Users/u2",
		"GET /Groups?filter=displayName%20eq%20%22Eng%22", "POST /Groups", "PATCH /Groups/g4"}
	for leaver, end := range map[Leaver]string{Suspend: "PATCH /Users/u3", Delete: "DELETE /Users/u3"} {
		t.Run(string(leaver), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			report, err := s.oneLogin(leaver).Run(t.Context(), Plan{Users: 2, Update: 1, Group: "Eng", Concurrency: 1, Deactivate: 1}, nil)
			ok(t, err)
			same(t, "requests", s.lines(), append(append([]string{}, begin...), end)...)
			same(t, "members", s.members("g4"), "u2", "u3")
			got := fmt.Sprint(report.Provider, report.Deactivated, report.Deleted)
			if want := map[Leaver]string{Suspend: "OneLogin, leavers are suspended[u3] []", Delete: "OneLogin, leavers are deleted[] [u3]"}[leaver]; got != want {
				t.Errorf("report says %s, want %s", got, want)
			}
		})
	}
}

func TestNewOneLoginRefusesAnUnknownOption(t *testing.T) {
	t.Parallel()
	_, err := NewOneLogin("https://outpost.test/scim_x", "t", "nothing")
	fails(t, err, `leaver option "nothing" is not known: use suspend`)
	o, err := NewOneLogin("https://outpost.test/scim_x", "t", "")
	ok(t, err)
	if o.Leaver != Suspend {
		t.Errorf("leaver is %q", o.Leaver)
	}
}
