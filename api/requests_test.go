package api

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
)

// missing is the id of nothing.
const missing = "019ac1f0-0000-7000-8000-000000000000"

// health is what an admin sees of a connection, once it is written down.
func (k *kit) health(c models.Connection) (models.ConnectionHealth, models.ConnectionHour) {
	k.Helper()
	k.directory.Flush(k.Context())
	h, err := k.store.Health(k.Context(), c.ID)
	k.must(err)
	hours, err := k.store.Hours(k.Context(), c.ID, time.Now().Add(-time.Hour))
	k.must(err)
	sum := models.ConnectionHour{ConnectionID: c.ID}
	for _, hour := range hours {
		if !hour.Hour.Equal(hour.Hour.Truncate(time.Hour)) {
			k.Errorf("an hour that begins at %v", hour.Hour)
		}
		sum.Requests += hour.Requests
		sum.Failures += hour.Failures
		sum.Micros += hour.Micros
	}
	return h, sum
}

func TestAnAdminSeesWhatTheProviderDidLast(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		c := k.issued.Connection
		if h, sum := k.health(c); h != (models.ConnectionHealth{ConnectionID: c.ID}) || sum.Requests != 0 {
			t.Errorf("before the first request: %+v %+v", h, sum)
		}
		k.send("GET", "/Users?filter=x", "").is(400)
		h, _ := k.health(c)
		if h.FirstSuccessAt != nil || h.ErrorKind != models.TroubleRequest || h.ErrorStatus != 400 || !strings.Contains(h.ErrorDetail, "filter") || !h.ErrorAt.Equal(*h.LastAt) {
			t.Errorf("after a refusal: %+v", h)
		}
		ada := k.user("ada")
		k.send("POST", "/Users", userBody("ada")).is(409)
		k.send("GET", "/Users/"+missing, "").is(404)
		first, sum := k.health(c)
		if first.FirstSuccessAt == nil || time.Since(*first.FirstSuccessAt) > time.Minute || first.ErrorStatus != 400 || sum.Requests != 4 || sum.Failures != 1 || sum.Micros <= 0 {
			t.Errorf("after a success: %+v %+v", first, sum)
		}
		k.send("GET", "/Users/"+ada+"/", "", "User-Agent", "Okta SCIM Client 1.0.0").is(200)
		h, sum = k.health(c)
		if h.LastMethod != "GET" || h.LastRoute != "/Users/:id" || h.LastStatus != 200 || h.LastMicros <= 0 || h.LastIP != "127.0.0.1" || h.LastAgent != "Okta SCIM Client 1.0.0" ||
			!h.LastAt.After(*first.LastAt) || !h.FirstSuccessAt.Equal(*first.FirstSuccessAt) || !h.ErrorAt.Equal(*first.ErrorAt) || sum.Requests != 5 || sum.Failures != 1 {
			t.Errorf("at last: %+v %+v", h, sum)
		}
	})
}

func TestWhatIsWrongWithAConnectionHasAKind(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		own, c := k.base, k.issued.Connection
		root := strings.TrimSuffix(own, c.ID)
		for _, test := range []struct {
			what, base, method, path, token string
			status                          int
			kind, detail                    string
		}{
			{"no token", own, "GET", "/Users", "", 401, models.TroubleToken, ""},
			{"the scheme alone", own, "GET", "/Users", "Bearer", 401, models.TroubleToken, ""},
			{"a wrong token", own, "GET", "/Users", "Bearer something-k2Pa", 401, models.TroubleToken, "k2Pa"},
			{"a token of ours that is cut", own, "POST", "/Users", "Bearer " + k.token[:len(k.token)-2], 401, models.TroubleToken, k.token[len(k.token)-6 : len(k.token)-2]},
			{"another scheme", own, "GET", "/Users", "Basic dXNlcjpwYXNz", 401, models.TroubleToken, "YXNz"},
			{"no such part", own, "GET", "/People", "Bearer " + k.token, 404, models.TroubleURL, "/scim/v2/" + c.ID + "/People"},
			{"an address that goes on", own, "GET", "/scim/v2/Users", k.token, 404, models.TroubleURL, "/scim/v2/" + c.ID + "/scim/v2/Users"},
			{"no connection in the address", root, "GET", "Users", "Bearer " + k.token, 404, models.TroubleURL, "/scim/v2/Users"},
			{"a connection that does not exist", root + missing, "GET", "/Users", "Bearer " + k.token, 401, models.TroubleURL, "/scim/v2/" + missing + "/Users"},
			{"the id in capitals", root + strings.ToUpper(c.ID), "GET", "/Users", "Bearer " + k.token, 401, models.TroubleURL, "/scim/v2/" + strings.ToUpper(c.ID) + "/Users"},
			{"a long address", own, "GET", "/" + strings.Repeat("é", 300), "Bearer " + k.token, 404, models.TroubleURL, "/scim/v2/" + c.ID + "/" + strings.Repeat("é", 200-46) + "…"},
			{"a method that is not possible", own, "DELETE", "/Users", "Bearer " + k.token, 405, models.TroubleRequest, "DELETE is not possible here: use one of GET, HEAD, POST"},
			{"a part that is not offered", own, "GET", "/Me", "Bearer " + k.token, 501, models.TroubleRequest, "/Me is not offered: use /Users and the id of a user"},
		} {
			_, before := k.health(c)
			k.base = test.base
			k.send(test.method, test.path, "", "Authorization", test.token).is(test.status)
			k.base = own
			h, after := k.health(c)
			if h.ErrorKind != test.kind || h.ErrorStatus != test.status || h.LastStatus != test.status || h.LastMethod != test.method || after.Requests != before.Requests+1 || after.Failures != before.Failures+1 {
				t.Errorf("%s: %+v, %+v after %+v", test.what, h, after, before)
			}
			if got := strings.ReplaceAll(h.ErrorDetail, "POST, HEAD", "HEAD, POST"); test.kind != models.TroubleRequest && got != test.detail || !strings.HasPrefix(got, test.detail[:min(len(test.detail), 20)]) {
				t.Errorf("%s: detail %q, want %q", test.what, h.ErrorDetail, test.detail)
			}
		}

		k.must(k.store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetPlan(k.workspace.ID, models.PlanTeam) }))
		k.send("GET", "/Users", "").is(403)
		if h, _ := k.health(c); h.ErrorKind != models.TroublePlan || h.ErrorStatus != 403 || h.ErrorDetail != directory.ErrPlan.Detail {
			t.Errorf("without the plan: %+v", h)
		}
		k.must(k.store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetPlan(k.workspace.ID, models.PlanEnterprise) }))
		k.must(k.directory.SetConnectionStatus(t.Context(), c, models.ConnectionPaused, "cli"))
		k.send("POST", "/Users", userBody("ada")).is(403)
		if h, _ := k.health(c); h.ErrorKind != models.TroublePaused {
			t.Errorf("paused: %+v", h)
		}
		if tokens, err := k.store.Tokens(t.Context(), c.ID); err != nil || tokens[0].Uses != 3 {
			t.Errorf("uses of the token: %+v %v; want those of /Me, without the plan, and paused", tokens, err)
		}
	})
}

func TestTheNewTokenAtTheAddressOfADeletedConnectionIsAWrongAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		fresh, err := k.directory.CreateConnection(t.Context(), k.workspace, models.ProviderOkta, "cli")
		k.must(err)
		k.send("GET", "/Users", "").is(200)
		k.must(k.directory.SetConnectionStatus(t.Context(), k.issued.Connection, models.ConnectionDeleted, "cli"))
		k.send("GET", "/Users", "", "Authorization", "Bearer "+fresh.Token).is(401)
		if h, sum := k.health(fresh.Connection); h.ErrorKind != models.TroubleURL || sum.Requests != 1 || h.FirstSuccessAt != nil {
			t.Errorf("%+v %+v", h, sum)
		}
		if _, sum := k.health(k.issued.Connection); sum.Requests != 1 {
			t.Errorf("the deleted connection heard %+v", sum)
		}
	})
}

func TestATokenOfAnotherTenantIsAWrongTokenAndLeavesNothingWithItsOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		_, other := k.newConnection("Ternharbour")
		k.send("GET", "/Users", "", "Authorization", "Bearer "+other.Token).is(401)
		if h, _ := k.health(k.issued.Connection); h.ErrorKind != models.TroubleToken || h.ErrorDetail != other.Token[len(other.Token)-4:] {
			t.Errorf("%+v", h)
		}
		if h, sum := k.health(other.Connection); h.LastAt != nil || sum.Requests != 0 {
			t.Errorf("the token's owner: %+v %+v", h, sum)
		}
	})
}

func TestWrongTokensAreRecordedSparinglyAndCountedAll(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		before := len(k.audit())
		k.send("GET", "/Users", "").is(200) // by now the connection is known by heart
		k.send("GET", "/Users", "", "Authorization", "").is(401)
		for i := range 24 {
			k.send("POST", "/Users", userBody("eve"), "Authorization", fmt.Sprintf("Bearer guess-%04d", i), "X-Okta-Request-Id", "okta-1", "User-Agent", "curl").is(401)
		}
		_, sum := k.health(k.issued.Connection)
		if sum.Requests != 26 || sum.Failures != 25 {
			t.Errorf("counted %+v", sum)
		}
		entries := k.audit()
		if n := len(entries) - before; n != 10 {
			t.Fatalf("%d entries", n)
		}
		if e := entries[9]; e.Actor != "no token" || e.Method != "GET" {
			t.Errorf("%+v", e)
		}
		if e := entries[0]; e.Actor != "unknown token …0008" || e.Method != "POST" || e.Status != 401 || e.TargetType != "User" || e.IP != "127.0.0.1" || e.UserAgent != "curl" ||
			e.ProviderRequestID != "okta-1" || e.RequestID == "" || e.Request != nil || *e.ConnectionID != k.issued.Connection.ID || !strings.Contains(e.Detail, "missing, wrong") {
			t.Errorf("%+v", e)
		}
		for _, text := range []string{fmt.Sprintf("%+v", entries), k.log.String()} {
			if strings.Contains(text, "guess") {
				t.Error("more than four characters of a wrong token are kept")
			}
		}
	})
}

func TestStrangersAreForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		own := k.base
		k.base = strings.TrimSuffix(own, k.issued.Connection.ID) + missing
		for _, token := range []string{"", "Bearer x", "Bearer outp_scim_" + missing + "_x", "Bearer outp_scim_" + k.issued.Connection.ID + "_x"} {
			k.send("GET", "/Users", "", "Authorization", token).is(401)
			k.send("GET", "/People", "", "Authorization", token).is(404)
		}
		k.base = own
		k.send("GET", "/People", "", "Authorization", "Bearer x").is(404)
		if h, sum := k.health(k.issued.Connection); h.LastAt != nil || sum.Requests != 0 {
			t.Errorf("%+v %+v", h, sum)
		}
		if h, err := k.store.Health(t.Context(), missing); err != nil || h.LastAt != nil {
			t.Errorf("of a connection that does not exist: %+v %v", h, err)
		}
		for _, e := range k.audit() {
			if e.Status >= 400 {
				t.Errorf("audit: %+v", e)
			}
		}
	})
}

func TestWhichAnswersAreTroubleAndWhose(t *testing.T) {
	t.Parallel()
	r := testRequest(httptest.NewRecorder(), "GET")
	for status, want := range map[int]string{
		400: models.TroubleRequest, 401: models.TroubleToken, 404: "", 409: "", 412: "", 413: models.TroubleRequest, 429: models.TroubleRequest,
		500: models.TroubleOurs, 501: models.TroubleRequest, 503: models.TroubleOurs,
	} {
		if got := r.troubleOf(nil, status); got != want {
			t.Errorf("%d is %q, want %q", status, got, want)
		}
	}
}

func TestATokensUsesAreCountedAndItsFirstAddressIsKept(t *testing.T) {
	onBothWith(t, Config{TrustedProxies: []string{"127.0.0.1"}}, func(t *testing.T, k *kit) {
		for i := range 3 {
			k.send("GET", "/Users", "", "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i+1)).is(200)
		}
		k.directory.Flush(t.Context())
		k.send("POST", "/Users", userBody("ada"), "X-Forwarded-For", "203.0.113.9").is(201)
		k.send("POST", "/Users", `{"userName":`, "X-Forwarded-For", "203.0.113.9").is(400)
		k.send("GET", "/Users", "", "Authorization", "Bearer x").is(401)
		second, err := k.directory.RotateToken(t.Context(), k.issued.Connection, false, "cli")
		k.must(err)
		k.directory.Flush(t.Context())
		tokens, err := k.store.Tokens(t.Context(), k.issued.Connection.ID)
		k.must(err)
		if len(tokens) != 2 || tokens[0].LastFour != second.Token[len(second.Token)-4:] || tokens[0].Uses != 0 || tokens[0].FirstUsedAt != nil || tokens[0].Hash != nil {
			t.Fatalf("%+v", tokens)
		}
		if used := tokens[1]; used.Uses != 5 || used.FirstIP != "203.0.113.1" || used.FirstUsedAt == nil || used.LastUsedAt.Before(*used.FirstUsedAt) || used.Hash != nil {
			t.Errorf("%+v", used)
		}
	})
}

func TestHowLongItTookToEndAccessIsRecorded(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		member := func(name string) (user string) {
			user = k.user(name)
			now := time.Now()
			m := models.Member{ID: outbox.ID(), WorkspaceID: k.workspace.ID, Email: name + "@acme.test", EmailKey: name + "@acme.test", Role: models.RoleMember, HandRole: models.RoleMember,
				Status: models.MemberActive, DirectoryUserID: &user, CreatedAt: now, UpdatedAt: now}
			k.must(k.store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&m); return nil }))
			return user
		}
		ada, ben := member("ada"), member("ben")
		began := time.Now()
		k.send("PATCH", "/Users/"+ada, patchBody(`{"op":"replace","value":{"title":"Engineer"}}`)).is(200)
		k.send("PATCH", "/Users/"+ada, patchBody(`{"op":"replace","value":{"active":false}}`)).is(200)
		k.send("DELETE", "/Users/"+ada, "").is(204) // has no access any more
		k.send("DELETE", "/Users/"+ben, "").is(204)
		k.directory.Flush(t.Context())
		took := k.audit()[:4]
		for i, want := range []bool{true, false, true, false} {
			if got := took[i].TookMicros; (got != nil) != want || want && (*got <= 0 || *got > time.Since(began).Microseconds()) {
				t.Errorf("%s %s took %v", took[i].Method, took[i].TargetID, got)
			}
		}
	})
}
