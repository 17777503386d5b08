package api

import (
	"encoding/json"
	"strings"
	"testing"

	"outpost/internal/testkit/fixture"
)

func TestAPasswordIsNeverStoredNorLoggedNorRecorded(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		const secret = "Secret-9317"
		id := k.user("ada") // with the password
		k.send("POST", "/Users", userBody("ada")).is(409)
		k.send("PUT", "/Users/"+id, userBody("ada")).is(200)
		for _, op := range []string{
			`{"op":"replace","value":{"password":"` + secret + `"}}`, `{"op":"replace","path":"password","value":"` + secret + `"}`,
			`{"value":"` + secret + `","op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:password"}`,
			`{"op":"replace","path":"password","value":"` + secret + `"},{"op":"sing"}`,
		} {
			a := k.send("PATCH", "/Users/"+id, patchBody(op))
			if strings.Contains(a.body, secret) {
				t.Errorf("%s: %s", op, a.body)
			}
		}
		k.send("POST", "/Users", `{"userName":"ben","password":"`+secret).is(400)
		k.send("POST", "/Users", `{"userName":"ben","title":"`+strings.Repeat("x", 20<<10)+`","password":"`+secret+`"}`)
		k.send("POST", "/Users?password="+secret, `{"userName":7,"password":"`+secret+`"}`).is(400)
		k.send("GET", "/Users/"+id, "").is(200)

		dump, err := json.Marshal(k.audit())
		k.must(err)
		u, err := k.store.User(t.Context(), k.issued.Connection.ID, id)
		k.must(err)
		row, err := json.Marshal(u)
		k.must(err)
		for where, text := range map[string]string{"audit": string(dump), "row": string(row), "log": k.log.String()} {
			if strings.Contains(text, secret) {
				t.Errorf("the password is in the %s", where)
			}
			if strings.Contains(text, k.token) {
				t.Errorf("the token is in the %s", where)
			}
		}
		if !strings.Contains(string(dump), `\"password\":\"***\"`) {
			t.Error("the mask is not in the audit")
		}
	})
}

func TestARefusedChangeIsRecordedWithWhatWasSentAndAnswered(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		id := k.user("ada")
		for _, test := range []struct {
			method, path, body string
			status             int
			target             string
		}{
			{"POST", "/Users", `{"userName":"ada@acme.test"}`, 409, ""},
			{"PUT", "/Users/" + id, "{\"userName\":\"\xff\x00\"", 400, id},
			{"PATCH", "/Users/" + id, patchBody(`{"op":"sing"}`), 400, id},
			{"DELETE", "/Users/%00%ff", "", 404, ""},
			{"DELETE", "/Groups/" + id, "", 404, id},
			{"POST", "/Bulk", "{}", 400, ""},
			{"POST", "/Groups", "{\"displayName\":\"a\",\"\xff\":1,\"members\":[7]}", 400, ""},
			{"POST", "/Groups", `{"members":[` + strings.Repeat(`{"value":"x"},`, 2000) + `7]}`, 400, ""},
		} {
			a := k.send(test.method, test.path, test.body, "X-Request-Id", "okta\t1é", "X-Okta-Request-Id", strings.Repeat("o", 200)).is(test.status)
			e := k.audit()[0]
			if e.Status != test.status || e.Method != test.method || e.TargetID != test.target || e.RequestID != a.header.Get("X-Request-Id") ||
				e.ProviderRequestID != strings.Repeat("o", 128) || e.OperationID != nil || *e.ConnectionID != k.issued.Connection.ID || e.Detail == "" {
				t.Errorf("%s %s: %+v", test.method, test.path, e)
			}
			if e.Request != nil && len(*e.Request) > maxKept {
				t.Errorf("%d bytes are kept", len(*e.Request))
			}
		}
		a := k.send("GET", "/Users?filter=x", "", "User-Agent", "Okta\t1"+strings.Repeat("é", 300)).is(400)
		if e := k.audit()[0]; e.Method != "GET" || e.Status != 400 || e.RequestID != a.header.Get("X-Request-Id") || !strings.HasPrefix(e.Actor, "token …") ||
			e.IP != "127.0.0.1" || !strings.HasPrefix(e.UserAgent, "Okta") || len([]rune(e.UserAgent)) != 200 {
			t.Errorf("the refused question in the audit: %+v", e)
		}
		n := len(k.audit())
		k.send("GET", "/Users/"+missing, "").is(404)
		k.send("GET", "/Users", "").is(200)
		if now := k.audit(); len(now) != n {
			t.Errorf("a question that was answered is in the audit: %+v", now[0])
		}
	})
}

func TestOddButAcceptedBytesCanBeRecorded(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		k.send("POST", "/Groups", "{\"displayName\":\"a\",\"\xff\":1}").is(201)
		k.send("POST", "/Users", `{"userName":"ada@acme.test","title":"`+strings.Repeat("é", 100)+`","nickName":"`+strings.Repeat("é", 100)+`","x":"`+strings.Repeat("é", 9000)+`"}`).is(201)
		k.send("PUT", "/Groups/"+k.group("Eng"), `{"displayName":"Eng","members":[`+strings.Repeat(`{"value":"é"},`, 3000)+`{"value":"y"}]}`).is(200)
	})
}

func TestALineIsLoggedForEachRequestWithoutPersonalData(t *testing.T) {
	k := onSQLite(t, Config{})
	a := k.send("POST", "/Users", userBody("ada")).is(201)
	k.send("GET", "/Users?filter="+q(`userName eq "ada@acme.test"`), "").is(200)
	k.send("POST", "/Users", userBody("ada")).is(409)
	lines := k.log.lines("request")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	first := lines[0]
	if first["request_id"] != a.header.Get("X-Request-Id") || first["connection_id"] != k.issued.Connection.ID || first["method"] != "POST" || first["status"] != 201.0 ||
		first["route"] != "/scim/v2/:connection/Users" || first["bytes"] != float64(len(a.body)) || first["duration"] == nil {
		t.Errorf("%v", first)
	}
	if text := k.log.String(); strings.Contains(text, "acme.test") || strings.Contains(text, k.token) || strings.Contains(text, "00uada") {
		t.Errorf("personal data in the log: %s", text)
	}
}

func TestTheProvidersRequestIDIsTakenFromItsHeaders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		header map[string][]string
		want   string
	}{
		{nil, ""},
		{map[string][]string{"X-Request-Id": {"b"}, "X-Okta-Request-Id": {"a"}}, "a"},
		{map[string][]string{"X-Request-Id": {""}, "Client-Request-Id": {"c"}}, "c"},
		{map[string][]string{"X-Ms-Client-Request-Id": {"d e\x00é"}}, "de"},
		{map[string][]string{"X-Request-Id": {strings.Repeat("x", 5000)}}, strings.Repeat("x", 128)},
	} {
		if got := providerRequestID(test.header); got != test.want {
			t.Errorf("%.80v: %q", test.header, got)
		}
	}
}

func TestTheAddressIsTheProxysWordOnlyWhereTheProxyIsTrusted(t *testing.T) {
	k := onSQLite(t, Config{})
	k.send("POST", "/Users", userBody("ada"), "X-Forwarded-For", "203.0.113.9", "X-Real-Ip", "203.0.113.9").is(201)
	if e := k.audit()[0]; e.IP != "127.0.0.1" {
		t.Errorf("IP %s", e.IP)
	}
	trusting := setup(t, fixture.SQLite(t), Config{TrustedProxies: []string{"127.0.0.1"}})
	trusting.send("POST", "/Users", userBody("ada"), "X-Forwarded-For", "203.0.113.9").is(201)
	if e := trusting.audit()[0]; e.IP != "203.0.113.9" {
		t.Errorf("IP %s", e.IP)
	}
}
