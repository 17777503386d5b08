package api

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"outpost/models"
	"outpost/store"
)

func TestATokenIsAcceptedAsBearerInAnyCaseAndBare(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		for _, header := range []string{"Bearer %s", "bearer %s", "BEARER %s", "Bearer   %s", "%s", "  %s  "} {
			a := k.send("GET", "/Users?startIndex=1&count=2", "", "Authorization", fmt.Sprintf(header, k.token)).is(200)
			if a.at("totalResults") != 1.0 {
				t.Errorf("%q: %s", header, a.body)
			}
		}
	})
}

func TestEveryWayToHaveNoTokenGetsTheSameBytes(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		_, other := k.newConnection("Ternharbour")
		rotated, err := k.directory.RotateToken(t.Context(), k.issued.Connection, true, "cli")
		k.must(err)
		old := k.token
		k.token = rotated.Token
		k.send("GET", "/Users", "").is(200)

		want := ""
		check := func(what string, a answer) {
			t.Helper()
			a.fails(401, "", "Settings > Security > Directory Sync")
			if a.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: WWW-Authenticate is %q", what, a.header.Get("WWW-Authenticate"))
			}
			if want == "" {
				want = a.body
			}
			if a.body != want {
				t.Errorf("%s: %s, want %s", what, a.body, want)
			}
		}
		for what, header := range map[string]string{
			"absent": "", "scheme alone": "Bearer", "scheme and space": "Bearer ", "blank": "   ", "wrong": "Bearer x", "ended": "Bearer " + old,
			"10 KB": "Bearer " + strings.Repeat("x", 10<<10), "basic": "Basic dXNlcjpwYXNz", "cut": "Bearer " + k.token[:len(k.token)-1],
			"longer": "Bearer " + k.token + "x", "twice in one": "Bearer " + k.token + ", Bearer " + k.token, "scheme twice": "Bearer Bearer " + k.token,
			"prefix only": "Bearer outp_scim_", "token of another connection": "Bearer " + other.Token, "not ASCII": "Bearer " + k.token + "é",
		} {
			check(what, k.send("GET", "/Users", "", "Authorization", header))
			check(what+", POST", k.send("POST", "/Users", userBody("eve"), "Authorization", header))
		}
		two, err := http.NewRequestWithContext(t.Context(), "GET", k.base+"/Users", nil)
		k.must(err)
		two.Header["Authorization"] = []string{"Bearer " + k.token, "Bearer " + k.token}
		check("two headers", k.do(two))

		own := k.base
		k.base = strings.TrimSuffix(own, k.issued.Connection.ID) + other.Connection.ID
		check("own token for a foreign connection", k.send("GET", "/Users", ""))
		for _, id := range []string{"019ac1f0-0000-7000-8000-000000000000", strings.ToUpper(k.issued.Connection.ID), "1", "%00", "x'--"} {
			k.base = strings.TrimSuffix(own, k.issued.Connection.ID) + id
			check("connection "+id, k.send("GET", "/Users", ""))
		}
		k.base = own
		k.must(k.directory.SetConnectionStatus(t.Context(), k.issued.Connection, models.ConnectionDeleted, "cli"))
		check("deleted connection", k.send("GET", "/Users", ""))

		k.directory.Flush(t.Context())
		recorded := 0
		for _, e := range k.audit() {
			if e.Status == 401 {
				recorded++
			}
		}
		if recorded != 10 {
			t.Errorf("%d requests without a good token are in the audit, want the first ten of a minute", recorded)
		}
		if lines := k.log.lines("request"); len(lines) == 0 || lines[len(lines)-1]["status"] != 401.0 || lines[len(lines)-1]["ip"] != "127.0.0.1" {
			t.Errorf("the refusal is not logged: %v", lines)
		}
	})
}

func TestANulInTheTokenIsNoToken(t *testing.T) {
	k := onSQLite(t, Config{})
	// net/http refuses a NUL by itself, so this asks the handler.
	w := httptest.NewRecorder()
	req := httptest.NewRequest("GET", k.base+"/Users", nil)
	req.Header["Authorization"] = []string{"Bearer " + k.token + "\x00"}
	k.server.Config.Handler.ServeHTTP(w, req)
	if w.Code != 401 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	conn, err := net.Dial("tcp", k.server.Listener.Addr().String())
	k.must(err)
	defer conn.Close()
	fmt.Fprintf(conn, "GET /scim/v2/x/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\x00b\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if k.must(err); !strings.Contains(line, " 400 ") {
		t.Errorf("over the wire: %q", line)
	}
}

func TestACookieIsNoToken(t *testing.T) {
	k := onSQLite(t, Config{})
	k.send("GET", "/Users", "", "Authorization", "", "Cookie", "session="+k.token).is(401)
}

func TestAWorkspaceWithoutThePlanAndAPausedConnectionGet403AndAreRecorded(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		k.must(k.store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetPlan(k.workspace.ID, models.PlanTeam) }))
		k.send("GET", "/Users", "").fails(403, "", "Enterprise plan")
		k.send("POST", "/Users", userBody("ada")).fails(403, "", "Enterprise plan")
		k.send("GET", "/Users", "", "Authorization", "Bearer x").is(401)
		if e := k.audit()[0]; e.Status != 403 || e.Method != "POST" || !strings.HasPrefix(e.Actor, "token …") || !strings.Contains(e.Detail, "Enterprise") {
			t.Errorf("audit: %+v", e)
		}
		k.must(k.store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetPlan(k.workspace.ID, models.PlanEnterprise) }))
		k.must(k.directory.SetConnectionStatus(t.Context(), k.issued.Connection, models.ConnectionPaused, "cli"))
		k.send("POST", "/Users", userBody("ada")).fails(403, "", "paused")
		k.must(k.directory.SetConnectionStatus(t.Context(), k.issued.Connection, models.ConnectionActive, "cli"))
		k.user("ada")
	})
}

func TestEveryRouteButHealthNeedsAToken(t *testing.T) {
	k := onSQLite(t, Config{})
	s := &server{}
	for _, r := range s.routes() {
		if strings.HasPrefix(r.path, connection) != (r.rule != public) {
			t.Errorf("%s %s has rule %d", r.method, r.path, r.rule)
		}
		method := r.method
		if method == "" {
			method = "GET"
		}
		if r.rule != public {
			path := strings.ReplaceAll(strings.TrimPrefix(r.path, connection), ":id", "019ac1f0-0000-7000-8000-000000000000")
			k.send(method, path, "", "Authorization", "").is(401)
			k.send(method, path+"/", "", "Authorization", "").is(401)
		}
	}
}

func TestOneTenantsIdsAreNothingToAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		_, other := k.newConnection("Ternharbour")
		ada, eng := k.user("ada"), ""
		eng = k.group("Eng", ada)
		k.base = strings.Replace(k.base, k.issued.Connection.ID, other.Connection.ID, 1)
		k.token = other.Token
		const missing = "019ac1f0-0000-7000-8000-000000000000"
		for _, r := range []struct{ method, path, id, body string }{
			{"GET", "/Users/", ada, ""}, {"PUT", "/Users/", ada, userBody("eve")}, {"DELETE", "/Users/", ada, ""},
			{"PATCH", "/Users/", ada, patchBody(`{"op":"replace","value":{"active":false}}`)},
			{"GET", "/Groups/", eng, ""}, {"PUT", "/Groups/", eng, groupBody("Mine")}, {"DELETE", "/Groups/", eng, ""},
			{"PATCH", "/Groups/", eng, patchBody(`{"op":"replace","path":"members","value":[]}`)},
		} {
			foreign := k.send(r.method, r.path+r.id, r.body).fails(404, "", r.id)
			gone := k.send(r.method, r.path+missing, r.body).is(404)
			if strings.ReplaceAll(foreign.body, r.id, missing) != gone.body {
				t.Errorf("%s %s: %s for a foreign id, %s for a missing one", r.method, r.path, foreign.body, gone.body)
			}
		}
		for _, filter := range []string{`/Users?filter=id+eq+"` + ada + `"`, `/Users?filter=userName+eq+"ada@acme.test"`, `/Groups?filter=displayName+eq+"Eng"`, `/Groups?filter=members.value+eq+"` + ada + `"`} {
			if a := k.send("GET", strings.ReplaceAll(filter, `"`, "%22"), "").is(200); a.at("totalResults") != 0.0 {
				t.Errorf("%s: %s", filter, a.body)
			}
		}
		// A foreign person named as a member is nobody here.
		mine := k.group("Mine", ada)
		if got := k.members(mine); len(got) != 0 {
			t.Errorf("a foreign person joined: %v", got)
		}
	})
}

func TestAnOldTokenLivesOnUntilADayAfterTheNewOnesFirstUse(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		rotated, err := k.directory.RotateToken(t.Context(), k.issued.Connection, false, "cli")
		k.must(err)
		k.send("GET", "/Users", "").is(200)
		k.send("GET", "/Users", "", "Authorization", rotated.Token).is(200)
		k.directory.Flush(t.Context())
		k.send("GET", "/Users", "").is(200)
		access, err := k.store.Access(t.Context(), k.issued.Connection.ID)
		k.must(err)
		if end := access.Tokens[1].EndsAt; end == nil || time.Until(*end) < 23*time.Hour {
			t.Errorf("the old token ends at %v", end)
		}
	})
}

func TestEndedTokenIsRefusedWhateverItSends(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		k.user("ada")
		k.user("bob") // by now the token is known by heart
		k.must(k.directory.SetConnectionStatus(t.Context(), k.issued.Connection, models.ConnectionDeleted, "cli"))
		before := len(k.audit())
		for _, a := range []answer{
			k.send("POST", "/Users", `{"userName":`), k.send("GET", "/Users?filter=x", ""), k.send("GET", "/Users", ""),
			k.send("GET", `/Users?filter=userName%20eq%20%22x%22`, ""), k.send("POST", "/Users", `{"userName":"cyd@acme.test"}`),
		} {
			if a.status != http.StatusUnauthorized {
				t.Errorf("a token of a deleted connection: %d %s", a.status, a.body)
			}
		}
		k.directory.Flush(t.Context())
		if n := len(k.audit()) - before; n != 0 {
			t.Errorf("%d audit entries by a token that is no more", n)
		}
	})
}

func TestBaseURLWithASlashAtItsEndWorks(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		k.user("ada")
		if a := k.send("GET", "//Users?startIndex=1&count=2", ""); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
