package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"outpost/models"
)

func TestWhatIsNotUnderstoodSaysWhatToChange(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		ada, eng := k.user("ada"), k.group("Eng")
		deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
		for _, test := range []struct {
			method, path, body string
			status             int
			scimType, says     string
		}{
			{"POST", "/Users", `{"userName":`, 400, "invalidSyntax", "JSON"},
			{"POST", "/Users", `[]`, 400, "invalidSyntax", "object"},
			{"POST", "/Users", ` `, 400, "invalidSyntax", "no body"},
			{"POST", "/Users", `{"userName":"a"} x`, 400, "invalidSyntax", "JSON"},
			{"POST", "/Users", "{\"userName\":\"\xff\"}", 400, "invalidSyntax", "UTF-8"},
			{"POST", "/Users", `{"userName":{"a":1}}`, 400, "invalidValue", "userName"},
			{"POST", "/Users", `{"userName":"a","active":"perhaps"}`, 400, "invalidValue", "active"},
			{"POST", "/Users", `{"userName":"a","emails":7}`, 400, "invalidValue", "emails"},
			{"POST", "/Users", `{"displayName":"Ada"}`, 400, "invalidValue", "userName is required"},
			{"POST", "/Users", `{"userName":"a","userName":"b"}`, 400, "invalidSyntax", "twice"},
			{"POST", "/Users", deep, 400, "invalidSyntax", "deeper than 32"},
			{"POST", "/Users", `{"userName":"a","x":` + deep + `}`, 400, "invalidSyntax", "deeper than 32"},
			{"POST", "/Groups", deep, 400, "invalidSyntax", ""},
			{"POST", "/Groups", `{"displayName":"a","x":` + deep + `}`, 400, "invalidSyntax", ""},
			{"POST", "/Groups", `{"displayName":"a","members":` + deep + `}`, 400, "", ""},
			{"POST", "/Groups", `{"members":[]}`, 400, "invalidValue", "displayName is required"},
			{"POST", "/Groups", `{"displayName":"a","members":[{"value":"x","type":"Group"}]}`, 400, "invalidValue", "Nested groups"},
			{"PUT", "/Users/" + ada, `{"userName":""}`, 400, "invalidValue", "userName"},
			{"PUT", "/Groups/" + eng, `{"displayName":" "}`, 400, "invalidValue", "displayName"},
			{"PATCH", "/Users/" + ada, `{}`, 400, "invalidSyntax", "Operations"},
			{"PATCH", "/Users/" + ada, patchBody(`{"op":"sing","path":"title"}`), 400, "invalidSyntax", "op must be"},
			{"PATCH", "/Users/" + ada, patchBody(`{"op":"remove"}`), 400, "noTarget", "path"},
			{"PATCH", "/Users/" + ada, patchBody(`{"op":"remove","path":"userName"}`), 400, "mutability", "userName"},
			{"PATCH", "/Users/" + ada, patchBody(`{"op":"replace","path":"emails[","value":"x"}`), 400, "invalidPath", "path"},
			{"PATCH", "/Groups/" + eng, patchBody(`{"op":"remove","path":"members[value sw \"a\"]"}`), 400, "", ""},
			{"PATCH", "/Groups/" + eng, deep, 400, "invalidSyntax", "deeper than 32"},
			{"GET", "/Users?filter=" + q(`password eq "x"`), "", 400, "invalidFilter", "have no attribute"},
			{"GET", "/Users?filter=" + q(`userName`), "", 400, "invalidFilter", ""},
			{"GET", "/Users?filter=" + q(`userName is "a"`), "", 400, "invalidFilter", "operator"},
			{"GET", "/Users?filter=" + q(`name co "a"`), "", 400, "invalidFilter", "name.formatted"},
			{"GET", "/Users?FILTER=" + q(`shoeSize eq "x"`), "", 400, "invalidFilter", "shoeSize"},
			{"GET", "/Users?filter=" + q(`department eq "x"`), "", 400, "invalidFilter", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"},
			{"GET", "/Users?filter=" + q(`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department eq "x"`), "", 400, "invalidFilter", "a colon"},
			{"GET", "/Users?filter=" + q(`urn:ietf:params:scim:schemas:core:2.0:Group:displayName eq "x"`), "", 400, "invalidFilter", "another type"},
			{"GET", "/Groups?filter=" + q(`members.$ref pr`), "", 400, "invalidFilter", "members.value"},
			{"PATCH", "/Users/" + ada, patchBody(`{"op":"replace","path":"emails","value":[{"val":"x"}]}`), 400, "invalidValue", `no part "val"`},
			{"PATCH", "/Groups/" + eng, patchBody(`{"op":"add","path":"members","value":[{"value":"` + ada + `","operation":"delete"}]}`), 400, "invalidValue", "SCIM 1.1"},
			{"PATCH", "/Groups/" + eng, patchBody(`{"op":"add","path":"members","value":[{"value":"` + eng + `"}]}`), 400, "invalidValue", "is a group"},
			{"PATCH", "/Groups/" + eng, patchBody(`{"op":"add","path":"members","value":[{"value":"x","$ref":"https://a.test/scim/v2/Groups/x"}]}`), 400, "invalidValue", "is a group"},
			{"GET", "/Users/.search", "", 405, "", "use POST"},
			{"GET", "/Users?sortBy=shoeSize", "", 400, "invalidValue", "sorted by"},
			{"GET", "/Users?sortBy=name", "", 400, "invalidValue", "name.formatted"},
			{"GET", "/Users?sortBy=userName&sortOrder=up", "", 400, "invalidValue", "ascending or descending"},
			{"GET", "/Users?cursor=x", "", 400, "invalidCursor", "nextCursor"},
			{"GET", "/Users?cursor=&count=x", "", 400, "invalidCount", "count"},
			{"GET", "/Users?cursor=&startIndex=2", "", 400, "invalidValue", "one of them"},
			{"POST", "/Users/.search", `{"attributes":[1]}`, 400, "invalidValue", "attributes"},
			{"GET", "/Users?filter=", "", 400, "invalidFilter", ""},
			{"GET", "/Users?filter", "", 400, "invalidFilter", ""},
			{"GET", "/Users?filter=userName%20eq%20%22a%zz%22", "", 400, "invalidFilter", "percent-encoded"},
			{"GET", "/Users?filter=" + q(`userName eq "a"`) + "&filter=" + q(`userName eq "b"`), "", 400, "invalidFilter", "twice"},
			{"GET", "/Users?filter=" + strings.Repeat("(", 4000), "", 400, "invalidFilter", ""},
			{"GET", "/Users?filter=" + strings.Repeat("(", 1<<19), "", 400, "invalidFilter", ""},
			{"GET", "/Users?count=many", "", 400, "invalidValue", "count"},
			{"GET", "/Users?startIndex=1.5", "", 400, "invalidValue", "startIndex"},
			{"GET", "/Groups?filter=" + q(`title eq "x"`), "", 400, "invalidFilter", "displayName"},
			{"GET", "/Users/019ac1f0-0000-7000-8000-000000000000", "", 404, "", "does not exist"},
			{"GET", "/Users/1", "", 404, "", "User 1"},
			{"GET", "/Users/%00", "", 404, "", "does not exist"},
			{"DELETE", "/Users/%ff%00", "", 404, "", "does not exist"},
			{"DELETE", "/Groups/..%2f..", "", 404, "", ""},
			{"GET", "/Nothing", "", 404, "", "/scim/v2/"},
			{"GET", "/Users/a/b", "", 404, "", "/scim/v2/"},
			{"DELETE", "/Users", "", 405, "", "DELETE is not possible here"},
			{"PUT", "/Users", userBody("eve"), 405, "", "POST"},
			{"POST", "/Users/" + ada, userBody("eve"), 405, "", "PUT"},
			{"POST", "/Schemas", "{}", 405, "", "GET"},
			{"DELETE", "/ServiceProviderConfig", "", 405, "", "GET"},
			{"GET", "/Me", "", 501, "", "/Me"},
			{"PATCH", "/Me", "{}", 501, "", "/Me"},
			{"POST", "/Bulk", "{}", 400, "invalidSyntax", "Operations"},
			{"GET", "/Bulk", "", 405, "", "POST"},
			{"GET", "/Schemas?filter=" + q(`id eq "x"`), "", 403, "", "filter"},
			{"GET", "/ResourceTypes?filter=x", "", 403, "", "filter"},
			{"GET", "/ServiceProviderConfig?filter=x", "", 403, "", "filter"},
			{"GET", "/Schemas/urn:nothing", "", 404, "", "urn:nothing"},
			{"GET", "/ResourceTypes/Robot", "", 404, "", "Robot"},
		} {
			a := k.send(test.method, test.path, test.body)
			if test.scimType == "" && test.status == 400 {
				a.is(400)
				continue
			}
			a.fails(test.status, test.scimType, test.says)
		}
		if a := k.send("GET", "/Users", "").is(200); a.at("totalResults") != 2.0 {
			t.Errorf("a refused request made somebody: %s", a.body)
		}
	})
}

// q is a query value as Okta encodes it.
func q(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func TestOnlyJSONIsTaken(t *testing.T) {
	k := onSQLite(t, Config{})
	for i, contentType := range []string{"application/scim+json", "application/json", "APPLICATION/SCIM+JSON; charset=utf-8", "application/json;charset=UTF-8", ""} {
		k.send("POST", "/Users", userBody(fmt.Sprint("p", i)), "Content-Type", contentType).is(201)
	}
	for _, contentType := range []string{"text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "json"} {
		k.send("POST", "/Users", userBody("eve"), "Content-Type", contentType).fails(415, "", "application/scim+json")
		k.send("POST", "/Groups", groupBody("Eng"), "Content-Type", contentType).fails(415, "", "application/scim+json")
	}
	k.send("POST", "/Users", userBody("eve"), "Content-Encoding", "gzip").fails(415, "", "gzip")
	k.send("POST", "/Users", "userName=eve", "Content-Type", "").fails(400, "invalidSyntax", "JSON")
}

func TestABodyThatIsTooLargeIsRefusedWithTheLimit(t *testing.T) {
	k := onSQLite(t, Config{Limits: Limits{GroupBody: 3 << 20}})
	large := `{"userName":"ada","x":"` + strings.Repeat("x", 5<<20) + `"}`
	k.send("POST", "/Users", large).fails(413, "", "1 MiB")
	k.send("POST", "/Groups", large).fails(413, "", "3 MiB")
	for _, path := range []string{"/Users", "/Groups"} { // of no known length
		req, err := http.NewRequestWithContext(t.Context(), "POST", k.base+path, io.MultiReader(strings.NewReader(large)))
		k.must(err)
		req.Header.Set("Authorization", k.token)
		k.do(req).fails(413, "", "MiB")
	}
	if e := k.audit()[0]; e.Status != 413 || e.Method != "POST" {
		t.Errorf("audit: %+v", e)
	}
	k.send("POST", "/Users", `{"userName":"ada","x":"`+strings.Repeat("x", 900<<10)+`"}`).is(201)
}

func TestWithoutTheDatabaseTheAnswerIs503(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		k.store.Close()
		for _, method := range []string{"GET", "POST"} {
			a := k.send(method, "/Users", map[string]string{"GET": "", "POST": userBody("ada")}[method]).fails(503, "", "again")
			if a.header.Get("Retry-After") != "5" {
				t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
			}
			if strings.Contains(a.body, "sql") {
				t.Errorf("the answer tells internals: %s", a.body)
			}
		}
		if lines := k.log.lines("request failed"); len(lines) != 2 {
			t.Errorf("the cause is not logged: %v", lines)
		}
	})
}

func TestAPanicIsAnswered500WithTheRequestIDAndNothingElse(t *testing.T) {
	k := onSQLite(t, Config{RedisState: func() string { panic("a secret of ours") }})
	k.base = "http://" + k.server.Listener.Addr().String()
	a := k.send("GET", "/readyz", "")
	a.fails(500, "", a.header.Get("X-Request-Id"))
	if strings.Contains(a.body, "secret") {
		t.Errorf("the answer tells internals: %s", a.body)
	}
	lines := k.log.lines("panic")
	if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]["stack"]), "health.go") || lines[0]["request_id"] != a.header.Get("X-Request-Id") {
		t.Errorf("the stack is not logged: %v", lines)
	}
	k.send("GET", "/healthz", "").is(200)
}

func TestAPanicInAChangeIsRecorded(t *testing.T) {
	k := onSQLite(t, Config{})
	w := httptest.NewRecorder()
	r := testRequest(w, "POST")
	r.ctx = t.Context()
	r.access.ConnectionID, r.access.WorkspaceID = k.issued.Connection.ID, k.workspace.ID
	r.caller.WorkspaceID, r.caller.Method = k.workspace.ID, "POST"
	func() {
		defer k.api.recover(r)
		panic("boom")
	}()
	if e := k.audit()[0]; e.Status != 500 || w.Code != 500 {
		t.Errorf("status %d, audit %+v", w.Code, e)
	}
}

func TestErrorsOfEachCodeHaveTheirStatus(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err    error
		status int
		body   string
	}{
		{&models.Error{Code: models.NotFound, Detail: "x"}, 404, "x"},
		{&models.Error{Code: models.Conflict, Detail: "x"}, 409, `"scimType":"uniqueness"`},
		{&models.Error{Code: models.Invalid, Detail: "x"}, 400, `"scimType":"invalidValue"`},
		{&models.Error{Code: models.Stale, Detail: "x"}, 503, "again"},
		{&models.Error{Code: models.Denied, Detail: "100%d"}, 403, "100%d"},
		{&models.Error{Code: models.Unknown, Detail: "x"}, 401, "Settings"},
		{fmt.Errorf("wrapped: %w", &models.Error{Code: models.Unavailable, Detail: "the database is away", Err: errors.New("secret")}), 503, "the database is away"},
		{fmt.Errorf("slow: %w", context.DeadlineExceeded), 503, "too long"},
		{errors.New("secret"), 500, "the-id"},
	} {
		p := asProblem(test.err, "the-id")
		if p.Status != test.status || !strings.Contains(string(p.Body()), test.body) || strings.Contains(string(p.Body()), "secret") || !json.Valid(p.Body()) {
			t.Errorf("%v: %s", test.err, p.Body())
		}
	}
}

func TestHealthTellsTheStateOfTheParts(t *testing.T) {
	onBothWith(t, Config{RedisState: func() string { return "away" }}, func(t *testing.T, k *kit) {
		k.base = "http://" + k.server.Listener.Addr().String()
		if a := k.send("GET", "/healthz", "").is(200); a.body != "{\"status\":\"ok\"}\n" || a.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%v %q", a.header, a.body)
		}
		want := `{"status":"ready","database":"ok","schema":"ok","redis":"away"}`
		for range 2 {
			if a := k.send("GET", "/readyz", "").is(200); strings.TrimSpace(a.body) != want {
				t.Errorf("%s, want %s", a.body, want)
			}
		}
		k.send("HEAD", "/readyz", "").is(200)
		k.store.Close()
		if a := k.send("GET", "/readyz", "").is(503); a.at("database") != "away" {
			t.Error(a.body)
		}
		k.send("GET", "/healthz", "").is(200)
	})
}

func TestEverythingElseIsTheWebs(t *testing.T) {
	k := onSQLite(t, Config{Web: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "web "+r.URL.Path) })})
	k.base = "http://" + k.server.Listener.Addr().String()
	for _, path := range []string{"/", "/scimitar", "/people", "/healthz/x", "/invite/secret-of-a-link"} {
		if a := k.send("GET", path, ""); a.status != 200 || a.body != "web "+path {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if written := k.log.String(); strings.Contains(written, "secret-of-a-link") {
		t.Errorf("the log has what only a mail tells: %s", written)
	}
	k.send("GET", "/scim/v3/x", "").fails(404, "", "/scim/v2/")
	k.send("GET", "/scim", "").fails(404, "", "/scim/v2/")
}

func TestConfigThatCannotWorkIsRefused(t *testing.T) {
	k := onSQLite(t, Config{})
	for _, c := range []Config{
		{}, {Directory: k.directory, Store: k.store}, {Directory: k.directory, Store: k.store, PublicURL: "outpost.example.com"},
		{Directory: k.directory, Store: k.store, PublicURL: "https://outpost.example.com", TrustedProxies: []string{"next door"}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestLocationsBeginWithThePublicURLWhateverTheHostIsCalled(t *testing.T) {
	k := onSQLite(t, Config{})
	handler, err := New(Config{Directory: k.directory, Store: k.store, PublicURL: "https://outpost.example.com/sync/"})
	k.must(err)
	w := httptest.NewRecorder()
	req := httptest.NewRequest("POST", "http://evil.test/scim/v2/"+k.issued.Connection.ID+"/Users", strings.NewReader(userBody("ada")))
	req.Header.Set("Authorization", k.token)
	handler.ServeHTTP(w, req)
	if at := w.Header().Get("Location"); !strings.HasPrefix(at, "https://outpost.example.com/sync/scim/v2/"+k.issued.Connection.ID+"/Users/") || !strings.Contains(w.Body.String(), `"location":"`+at+`"`) {
		t.Errorf("%q %s", at, w.Body)
	}
}

func TestARequestEndsWithItsDeadline(t *testing.T) {
	k := onSQLite(t, Config{Limits: Limits{RequestTimeout: time.Nanosecond}})
	k.send("GET", "/Users", "").fails(503, "", "again")
}
