package simulator

import (
	"net/http"
	"testing"
)

func TestAssignCreatesAPersonWithTheBodyOktaSends(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	p := mia()

	ok(t, o.Assign(t.Context(), p))

	if p.ID != "u2" {
		t.Errorf("ID is %q", p.ID)
	}
	log := s.requests()
	same(t, "requests", []string{log[0].line, log[1].line}, lookUpMia, "POST /Users")
	want := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"mia@acme.test",` +
		`"name":{"givenName":"Mia","familyName":"Ono"},` +
		`"emails":[{"primary":true,"value":"mia@acme.test","type":"work"}],` +
		`"displayName":"Mia Ono","locale":"en-US","externalId":"00uMIA","groups":[],` +
		`"password":"placeholder","active":true}`
	if log[1].body != want {
		t.Errorf("body\n got: %s\nwant: %s", log[1].body, want)
	}
}

func TestRequestsCarryTheHeadersOktaSends(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Patch)
	ok(t, o.Assign(t.Context(), mia()))

	for _, one := range s.requests() {
		want := map[string]string{
			"User-Agent":      "Okta SCIM Client 1.0.0",
			"Accept":          "application/scim+json",
			"Accept-Charset":  "utf-8",
			"Accept-Encoding": "gzip,deflate",
			"Authorization":   "Bearer s3cret",
		}
		if one.body != "" {
			want["Content-Type"] = "application/scim+json; charset=utf-8"
			want["Content-Length"] = one.header.Get("Content-Length")
		}
		for name, value := range want {
			if got := one.header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", one.line, name, got, value)
			}
		}
		if len(one.header) != len(want) {
			t.Errorf("%s: headers are %v", one.line, one.header)
		}
	}
}

func TestMappedTitleAndDepartmentTravelInBothForms(t *testing.T) {
	t.Parallel()
	for style, schemas := range map[Style]string{
		Put:   `["urn:ietf:params:scim:schemas:core:2.0:User"]`,
		Patch: `["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]`,
	} {
		s := newServer(t)
		o, _ := s.okta(style)
		p := mia()
		p.FamilyName, p.Title, p.Department = "O'Brien & <Söhne>", "Directeur", "R&D"
		ok(t, o.Assign(t.Context(), p))
		sameJSON(t, s.requests()[1].body, `{"schemas":`+schemas+`,"userName":"mia@acme.test",
			"name":{"givenName":"Mia","familyName":"O'Brien & <Söhne>"},"displayName":"Mia O'Brien & <Söhne>",
			"emails":[{"primary":true,"value":"mia@acme.test","type":"work"}],"title":"Directeur",
			"locale":"en-US","externalId":"00uMIA","groups":[],"password":"placeholder","active":true,
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}`)
	}
}

func TestAssignFindsWhoIsThereAndReplacesTheProfile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		style  Style
		active bool
		want   []string
	}{
		{Put, true, []string{lookUpMia, "GET /Users/u2", "PUT /Users/u2"}},
		{Put, false, []string{lookUpMia, "GET /Users/u2", "PUT /Users/u2"}},
		{Patch, true, []string{lookUpMia, "GET /Users/u2", "PUT /Users/u2"}},
		{Patch, false, []string{lookUpMia, "PATCH /Users/u2", "GET /Users/u2", "PUT /Users/u2"}},
	} {
		s := newServer(t)
		o, _ := s.okta(test.style)
		s.addUser("Mia@Acme.test", test.active, nil)
		p := mia()
		ok(t, o.Assign(t.Context(), p))
		same(t, string(test.style), s.lines(), test.want...)
		if p.ID != "u2" || s.user("u2")["active"] != true {
			t.Errorf("%s: id %q, user %v", test.style, p.ID, s.user("u2"))
		}
	}
}

func TestProfilePushReturnsWhatTheServerSaid(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Patch)
	p := mia()
	p.ID = s.addUser("old@acme.test", true, map[string]any{
		"nickName": "Mimi", "x": 12345678901234567, "groups": []any{map[string]any{"value": "g9"}},
		"emails": []any{map[string]any{"value": "old@acme.test", "type": "work", "primary": true}, map[string]any{"value": "m@home.test", "type": "home"}},
	})
	ok(t, o.UpdateProfile(t.Context(), p))
	log := s.requests()
	same(t, "requests", []string{log[0].line, log[1].line}, "GET /Users/u2", "PUT /Users/u2")
	sameJSON(t, log[1].body, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"u2","meta":{"resourceType":"User"},
		"userName":"mia@acme.test","name":{"givenName":"Mia","familyName":"Ono","middleName":"M."},"displayName":"Mia Ono",
		"emails":[{"primary":true,"value":"mia@acme.test","type":"work"},{"value":"m@home.test","type":"home"}],
		"locale":"en-US","externalId":"00uMIA","active":true,"nickName":"Mimi","x":12345678901234567,"groups":[{"value":"g9"}]}`)
}

func TestDeactivationAndReactivationByStyle(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	put, _ := s.okta(Put)
	patch, _ := s.okta(Patch)
	p := mia()
	ok(t, put.Assign(t.Context(), p))
	s.lines()

	ok(t, put.Deactivate(t.Context(), p))
	if s.user(p.ID)["active"] != false {
		t.Error("still active")
	}
	ok(t, put.Reactivate(t.Context(), p))
	same(t, "put", s.lines(), "GET /Users/u2", "PUT /Users/u2", "GET /Users/u2", "PUT /Users/u2")

	ok(t, patch.Deactivate(t.Context(), p))
	s.patched = http.StatusNoContent
	ok(t, patch.Reactivate(t.Context(), p))
	log := s.requests()
	same(t, "patch", []string{log[0].line, log[1].line}, "PATCH /Users/u2", "PATCH /Users/u2")
	same(t, "bodies", []string{log[0].body, log[1].body},
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`,
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":true}}]}`)
}

func TestWhoWasNeverAssignedCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	fails(t, o.UpdateProfile(t.Context(), mia()), "mia@acme.test was never assigned")
	fails(t, o.Deactivate(t.Context(), mia()), "never assigned")
	same(t, "requests", s.lines())
}

func TestFilterValuesAreQuotedAndEncoded(t *testing.T) {
	t.Parallel()
	got := lookup("displayName", `R&D "Zürich" \ +1`)
	want := `filter=displayName%20eq%20%22R%26D%20%5C%22Z%C3%BCrich%5C%22%20%5C%5C%20%2B1%22&startIndex=1&count=100`
	if got != want {
		t.Errorf("\n got: %s\nwant: %s", got, want)
	}
}

func TestConnectionTestListsTwoUsers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	ok(t, o.TestConnection(t.Context()))
	same(t, "requests", s.lines(), "GET /Users?startIndex=1&count=2")
}

func TestConnectionTestTellsAnAdminWhatToDo(t *testing.T) {
	t.Parallel()
	const user = `{"id":"u1","userName":"a@b.test","name":{"givenName":"A","familyName":"B"},"emails":[{"value":"a@b.test"}],"active":true}`
	for name, test := range map[string]struct {
		fault fault
		want  string
	}{
		"token":       {fault{status: 401, body: `{"detail":"token revoked"}`}, "authorization failure (401): the token is not accepted. Paste the whole token"},
		"its detail":  {fault{status: 401, body: `{"detail":"token revoked"}`}, "the server says: token revoked"},
		"plan":        {fault{status: 403, body: `{"detail":"paused"}`}, "check that directory sync is part of the plan"},
		"address":     {fault{status: 404, body: `404 page not found`}, "copy the base URL again"},
		"website":     {fault{status: 200, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: `<html>`}, "answers with a web page (200), not with SCIM"},
		"error page":  {fault{status: 400, header: map[string]string{"Content-Type": "text/html"}, body: `<html>`}, "answers with a web page (400)"},
		"redirect":    {fault{status: 302, header: map[string]string{"Location": "/login"}}, `the server redirects (302) to "/login"`},
		"nobody":      {fault{status: 200, body: `{"totalResults":0,"Resources":[]}`}, "no results for users returned"},
		"string":      {fault{status: 200, body: `{"totalResults":"1","Resources":[` + user + `]}`}, `"totalResults" must be an integer, it is a string`},
		"fraction":    {fault{status: 200, body: `{"totalResults":1.5,"Resources":[` + user + `]}`}, `"totalResults" must be a whole number`},
		"start index": {fault{status: 200, body: `{"totalResults":1,"startIndex":"1","Resources":[` + user + `]}`}, `"startIndex" must be an integer`},
		"no page":     {fault{status: 200, body: `{"totalResults":7}`}, "the first page is empty but its totalResults is 7"},
		"count":       {fault{status: 200, body: `{"totalResults":3,"Resources":[` + user + `,` + user + `,` + user + `]}`}, "the list has 3 users where 2 were asked for"},
		"user":        {fault{status: 200, body: `{"totalResults":1,"Resources":[{"id":"u1","userName":"a"}]}`}, "user u1 has no name.givenName"},
		"plain text":  {fault{status: 502, header: map[string]string{"Content-Type": "text/plain"}, body: "Bad\nGateway"}, "502 Bad Gateway: the answer is not JSON: Bad Gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			o, _ := s.okta(Put)
			o.Retry.Total = -1
			s.fail(test.fault)
			fails(t, o.TestConnection(t.Context()), test.want)
		})
	}
}

func TestConnectionTestNamesAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	o.Retry.Total = -1
	o.BaseURL = "http://127.0.0.1:1/scim"
	fails(t, o.TestConnection(t.Context()), "no server answers at http://127.0.0.1:1/scim: dial tcp")
}

func TestCreatedUserMustBeWhole(t *testing.T) {
	t.Parallel()
	user := func(change string) string {
		return `{"id":"u9","userName":"mia@acme.test","name":{"givenName":"A","familyName":"B"},"emails":[{"value":"a@b.test"}],"active":true` + change + `}`
	}
	for name, test := range map[string]struct {
		fault fault
		want  string
	}{
		"empty":         {fault{status: 201}, "create user: the 201 answer is empty where Okta expects the resource"},
		"200":           {fault{status: 200, body: user("")}, "the answer is 200 where Okta expects 201"},
		"no id":         {fault{status: 201, body: user(`,"id":null`)}, `"id" must be a string, it is missing`},
		"empty id":      {fault{status: 201, body: user(`,"id":""`)}, `"id" is empty`},
		"bulkId":        {fault{status: 201, body: user(`,"id":"bulkId:1"`)}, "must not contain bulkId"},
		"inactive":      {fault{status: 201, body: user(`,"active":false`)}, "active was written as true and answered as false"},
		"active string": {fault{status: 201, body: user(`,"active":"true"`)}, `"active" must be true or false, it is a string`},
		"other name":    {fault{status: 201, body: user(`,"userName":"x"`)}, "userName was written as mia@acme.test and answered as x"},
		"no userName":   {fault{status: 201, body: user(`,"userName":null`)}, "user u9 has no userName"},
		"no emails":     {fault{status: 201, body: user(`,"emails":[]`)}, "user u9 has no emails[0].value"},
		"emails object": {fault{status: 201, body: user(`,"emails":{}`)}, `"emails" must be a list`},
		"two primary":   {fault{status: 201, body: user(`,"emails":[{"value":"a","primary":true},{"value":"b","primary":true}]`)}, "2 primary e-mails"},
		"content type":  {fault{status: 201, header: map[string]string{"Content-Type": "text/plain"}, body: user("")}, `content type is "text/plain"`},
		"charset":       {fault{status: 201, header: map[string]string{"Content-Type": "application/json; charset=latin1"}, body: user("")}, `charset is "latin1"`},
		"two objects":   {fault{status: 201, body: user("") + "{}"}, "something after its JSON object"},
		"null":          {fault{status: 201, body: "null"}, "the answer is null"},
		"list":          {fault{status: 201, body: "[]"}, "not a JSON object"},
		"refused":       {fault{status: 400, body: `{"scimType":"invalidValue","detail":"userName is too long"}`}, "create user: 400 Bad Request invalidValue: userName is too long"},
		"conflict":      {fault{status: 409, body: `{"scimType":"uniqueness","detail":"taken"}`}, "create user: 409 Conflict uniqueness: taken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			o, _ := s.okta(Put)
			test.fault.on = "POST"
			s.fail(test.fault)
			p := mia()
			fails(t, o.Assign(t.Context(), p), test.want)
			if p.ID != "" {
				t.Errorf("ID is %q", p.ID)
			}
			same(t, "requests", s.lines(), lookUpMia, "POST /Users")
		})
	}
}

func TestLookUpThatIgnoresTheFilterFails(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	s.fail(fault{on: "GET", status: 200, body: `{"totalResults":1,"Resources":[{"id":"u1","userName":"owner@acme.test",
		"name":{"givenName":"A","familyName":"B"},"emails":[{"value":"a@b.test"}],"active":true}]}`})
	fails(t, o.Assign(t.Context(), mia()), "the filter asked for mia@acme.test and the answer is owner@acme.test")
}

func TestLookUpTakesNotFoundForNobody(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	s.fail(fault{on: "GET", status: 404, body: `{"detail":"none"}`})
	ok(t, o.Assign(t.Context(), mia()))
}

func TestWriteThatIsNotAppliedFails(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Patch)
	p := mia()
	ok(t, o.Assign(t.Context(), p))
	s.fail(fault{on: "PATCH", status: 200, body: `{"id":"u2","userName":"mia@acme.test",
		"name":{"givenName":"A","familyName":"B"},"emails":[{"value":"a@b.test"}],"active":true}`})
	fails(t, o.Deactivate(t.Context(), p), "patch user: active was written as false and answered as true")
}
