package api

import (
	"fmt"
	"strings"
	"testing"
)

func TestACreatedUserIsThereAtOnceAndWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		a := k.send("POST", "/Users", userBody("ada")).is(201)
		id := a.id()
		if at := a.header.Get("Location"); at != k.base+"/Users/"+id || a.at("meta", "location") != at {
			t.Errorf("Location %q, meta %v", at, a.at("meta"))
		}
		for _, check := range []struct{ got, want any }{
			{a.at("userName"), "ada@acme.test"}, {a.at("active"), true}, {a.at("externalId"), "00uada"}, {a.at("name", "givenName"), "Ada"},
			{a.at("emails", 0, "value"), "ada@acme.test"}, {a.at("emails", 0, "primary"), true}, {a.at("locale"), "en-US"}, {a.at("meta", "resourceType"), "User"},
			{a.at("password"), nil}, {a.at("groups"), nil},
		} {
			if check.got != check.want {
				t.Errorf("%v, want %v in %s", check.got, check.want, a.body)
			}
		}
		if got := k.send("GET", "/Users/"+id, "").is(200); got.body != a.body {
			t.Errorf("GET %s\nPOST %s", got.body, a.body)
		}
		if got := k.send("GET", "/Users/"+id+"/", "").is(200); got.body != a.body {
			t.Error("a slash at the end makes a difference")
		}
		head := k.send("HEAD", "/Users/"+id, "").is(200)
		if head.body != "" || head.header.Get("Content-Length") != fmt.Sprint(len(a.body)) {
			t.Errorf("HEAD: %v %q", head.header, head.body)
		}
		found := k.send("GET", "/Users?filter="+q(`userName eq "ADA@acme.test"`)+"&startIndex=1&count=100&aadOptscim062020", "").is(200)
		if found.at("totalResults") != 1.0 || found.at("itemsPerPage") != 1.0 || found.at("Resources", 0, "id") != id {
			t.Error(found.body)
		}
		if e := k.audit()[0]; e.Status != 201 || e.OperationID == nil || e.Actor != "token …"+k.token[len(k.token)-4:] || e.IP != "127.0.0.1" || e.TargetID != id {
			t.Errorf("audit: %+v", e)
		}
	})
}

func TestLooksUpAsTheProvidersDo(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		id := k.user("ada")
		k.user("ben")
		for _, filter := range []string{
			`userName eq "ada@acme.test"`, `USERNAME Eq "Ada@Acme.Test"`, `externalId eq "00uada"`, `id eq "` + id + `"`, `emails.value eq "ada@acme.test"`,
			`emails[type eq "work"].value eq "ada@acme.test"`, `userName eq "ada@acme.test" and active eq true`, `urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ada@acme.test"`,
		} {
			a := k.send("GET", "/Users?count=100&filter="+q(filter)+"&startIndex=1", "").is(200)
			if a.at("totalResults") != 1.0 || a.at("Resources", 0, "id") != id {
				t.Errorf("%s: %s", filter, a.body)
			}
		}
		for _, filter := range []string{`userName eq "nobody@acme.test"`, `userName eq "ada%"`, `userName eq "a;b"`, `externalId eq "00UADA"`, `id eq "1"`, `userName eq "\u0000"`, `displayName eq "x\u0000"`} {
			a := k.send("GET", "/Users?filter="+q(filter), "")
			if a.status == 400 { // refusing is fine, everybody is not
				a.fails(400, "invalidFilter", "")
			} else if a.is(200); a.at("totalResults") != 0.0 || a.at("Resources", 0) != nil {
				t.Errorf("%s: %s", filter, a.body)
			}
		}
		if a := k.send("GET", `/Users?filter=userName%20eq%20%22a;b%22`, "").is(200); a.at("totalResults") != 0.0 {
			t.Errorf("a semicolon cut the filter off: %s", a.body)
		}
	})
}

func TestPagesAreStableAndCountTheWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		for i := range 25 {
			k.user(fmt.Sprintf("p%02d", i))
		}
		seen := map[string]bool{}
		for start := 1; start <= 26; start += 10 {
			a := k.send("GET", fmt.Sprintf("/Users?startIndex=%d&count=10", start), "").is(200)
			if a.at("totalResults") != 26.0 || a.at("startIndex") != float64(start) { // the owner is one of them
				t.Error(a.body[:200])
			}
			for i := range 10 {
				if id, ok := a.at("Resources", i, "id").(string); ok {
					seen[id] = true
				}
			}
		}
		if len(seen) != 26 {
			t.Errorf("%d people on the pages", len(seen))
		}
		for _, query := range []string{"count=0", "count=-3", "count=0&filter=" + q("active eq true"), "startIndex=900"} {
			a := k.send("GET", "/Users?"+query, "").is(200)
			if a.at("totalResults") != 26.0 || a.at("itemsPerPage") != 0.0 || a.at("Resources", 0) != nil || !strings.Contains(a.body, `"Resources":[]`) {
				t.Errorf("%s: %s", query, a.body)
			}
		}
	})
}

func TestAnswersShowTheAttributesThatAreAskedFor(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		id := k.user("ada")
		eng := k.group("Eng", id)
		a := k.send("GET", "/Users/"+id, "").is(200)
		if a.at("groups", 0, "value") != eng || a.at("groups", 0, "display") != "Eng" {
			t.Error(a.body)
		}
		for _, path := range []string{"/Users/" + id + "?attributes=userName", "/Users/" + id + "?attributes=USERNAME,x"} {
			if a := k.send("GET", path, "").is(200); a.body != `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"`+id+`","userName":"ada@acme.test"}` {
				t.Error(a.body)
			}
		}
		a = k.send("PUT", "/Users/"+id+"?excludedAttributes=groups,emails", userBody("ada")).is(200)
		if a.at("groups") != nil || a.at("emails") != nil || a.at("userName") == nil {
			t.Error(a.body)
		}
		a = k.send("GET", "/Users?attributes=groups&filter="+q(`userName eq "ada@acme.test"`), "").is(200)
		if a.at("Resources", 0, "groups", 0, "value") != eng || a.at("Resources", 0, "userName") != nil {
			t.Error(a.body)
		}
		a = k.send("POST", "/Users?attributes=userName", userBody("ben")).is(201)
		if a.at("emails") != nil || a.header.Get("Location") == "" {
			t.Error(a.body)
		}
	})
}

func TestAUserNameIsTakenInAnyCase(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		ada, ben := k.user("ada"), k.user("ben")
		a := k.send("POST", "/Users", `{"userName":"ADA@ACME.TEST"}`).fails(409, "uniqueness", ada)
		k.send("POST", "/Users", `{"userName":"else@acme.test","externalId":"00uada"}`).fails(409, "uniqueness", ada)
		k.send("PUT", "/Users/"+ben, `{"userName":"Ada@acme.test"}`).fails(409, "uniqueness", ada)
		k.send("PATCH", "/Users/"+ben, patchBody(`{"op":"replace","path":"userName","value":"aDa@acme.test"}`)).fails(409, "uniqueness", ada)
		k.send("PUT", "/Users/"+ada, userBody("ada")).is(200)
		k.send("PATCH", "/Users/"+ada, patchBody(`{"op":"replace","path":"userName","value":"ADA@acme.test"}`)).is(200)
		entries := k.audit()
		found := false
		for _, e := range entries {
			found = found || e.Status == 409 && e.RequestID == a.header.Get("X-Request-Id") && strings.Contains(e.Detail, "already belongs to") && e.TargetType == "User"
		}
		if !found {
			t.Error("the conflict is not in the audit")
		}
	})
}

func TestAPutWithoutActiveKeepsIt(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		id := k.user("ada")
		for _, active := range []bool{true, false} {
			k.send("PATCH", "/Users/"+id, patchBody(fmt.Sprintf(`{"op":"replace","path":"active","value":%t}`, active))).is(200)
			for _, body := range []string{`{"userName":"ada@acme.test"}`, `{"userName":"ada@acme.test","active":null,"title":"CTO"}`} {
				if a := k.send("PUT", "/Users/"+id, body).is(200); a.at("active") != active {
					t.Errorf("%s after %t: %s", body, active, a.body)
				}
			}
			if a := k.send("PATCH", "/Users/"+id, patchBody(`{"op":"replace","value":{"title":"CEO"}}`)).is(200); a.at("active") != active || a.at("title") != "CEO" {
				t.Error(a.body)
			}
			if a := k.send("GET", "/Users/"+id, "").is(200); a.at("active") != active {
				t.Error(a.body)
			}
		}
	})
}

func TestEverySpellingOfInactiveIsReadBack(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		for i, op := range []string{
			`{"op":"replace","value":{"active":false}}`, `{"op":"replace","path":"active","value":false}`, `{"op":"Replace","path":"active","value":"False"}`,
			`{"op":"replace","path":"active","value":"false"}`, `{"op":"REPLACE","path":"Active","value":"FALSE"}`, `{"op":"add","path":"active","value":false}`,
			`{"op":"Add","value":{"active":"False"}}`, `{"op":"replace","path":"active","value":[false]}`, `{"op":"replace","value":[{"active":false}]}`,
			`{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:active","value":false}`,
			`{"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:User:active":false}}`,
			`{"op":"replace","path":"title","value":"x"},{"op":"replace","path":"active","value":false}`,
		} {
			id := k.user(fmt.Sprintf("p%d", i))
			if a := k.send("PATCH", "/Users/"+id, patchBody(op)).is(200); a.at("active") != false {
				t.Errorf("%s: %s", op, a.body)
			}
			if a := k.send("GET", "/Users/"+id, "").is(200); a.at("active") != false {
				t.Errorf("%s read back: %s", op, a.body)
			}
			listed := k.send("GET", "/Users?filter="+q(`id eq "`+id+`" and active eq false`), "").is(200)
			if listed.at("totalResults") != 1.0 {
				t.Errorf("%s listed: %s", op, listed.body)
			}
			for _, back := range []string{strings.NewReplacer("false", "true", "False", "True", "FALSE", "TRUE").Replace(op)} {
				if a := k.send("PATCH", "/Users/"+id, patchBody(back)).is(200); a.at("active") != true {
					t.Errorf("%s: %s", back, a.body)
				}
			}
		}
	})
}

func TestADeletedUserIsGoneAndCanBeMadeAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		id := k.user("ada")
		eng := k.group("Eng", id)
		if a := k.send("DELETE", "/Users/"+id, "").is(204); a.header.Get("Content-Type") != "" {
			t.Errorf("a 204 has a type: %v", a.header)
		}
		for _, method := range []string{"GET", "DELETE"} {
			k.send(method, "/Users/"+id, "").fails(404, "", id)
		}
		k.send("PUT", "/Users/"+id, userBody("ada")).is(404)
		k.send("PATCH", "/Users/"+id, patchBody(`{"op":"replace","value":{"active":true}}`)).is(404)
		if a := k.send("GET", "/Users?filter="+q(`userName eq "ada@acme.test"`), "").is(200); a.at("totalResults") != 0.0 {
			t.Error(a.body)
		}
		if got := k.members(eng); len(got) != 0 {
			t.Errorf("members %v", got)
		}
		if again := k.user("ada"); again != id {
			t.Error("the person came back as another")
		}
		if got := k.members(eng); len(got) != 0 {
			t.Errorf("who was deleted is back in the group: %v", got)
		}
	})
}

func TestAMemberWhoJoinedByHandIsFoundAndLinked(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		a := k.send("GET", "/Users?startIndex=1&count=2", "").is(200)
		for _, attribute := range []string{"id", "userName"} {
			if s, _ := a.at("Resources", 0, attribute).(string); s == "" {
				t.Errorf("no %s in %s", attribute, a.body)
			}
		}
		for _, attribute := range []string{"givenName", "familyName"} {
			if s, _ := a.at("Resources", 0, "name", attribute).(string); s == "" {
				t.Errorf("no %s in %s", attribute, a.body)
			}
		}
		made := k.send("POST", "/Users", `{"userName":"Owner@larkfield.test","emails":[{"value":"owner@larkfield.test","primary":true}]}`).is(201)
		if made.id() != a.at("Resources", 0, "id") || made.at("active") != true {
			t.Errorf("%s is not %s", made.body, a.body)
		}
		k.send("POST", "/Users", `{"userName":"owner@larkfield.test"}`).fails(409, "uniqueness", made.id())
	})
}

func TestExternalIDsNeverChooseTheRow(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		owner := k.send("GET", "/Users", "").is(200).at("Resources", 0, "id").(string)
		for i, external := range []string{"1", "0", "../", owner, k.workspace.ID} {
			a := k.send("POST", "/Users", fmt.Sprintf(`{"userName":"p%d@acme.test","externalId":%q,"id":%q}`, i, external, owner)).is(201)
			if a.id() == owner || a.at("externalId") != external {
				t.Error(a.body)
			}
		}
		if a := k.send("GET", "/Users/"+owner, "").is(200); a.at("userName") != "owner@larkfield.test" || a.at("externalId") != nil {
			t.Error(a.body)
		}
	})
}

func TestWhatIsOnlyUnknownNeverFailsAWrite(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		a := k.send("POST", "/Users", `{"schemas":["urn:scim:schemas:core:1.0","urn:x"],"userName":"ada@acme.test","title":null,"emails":[],"shoeSize":43,"urn:x":{"y":[1]},
			"groups":[{"value":"x"}],"meta":{"created":"never"},"id":"mine","phoneNumbers":""}`).is(201)
		if strings.Contains(a.body, "null") || strings.Contains(a.body, "shoeSize") {
			t.Error(a.body)
		}
	})
}

func TestDiscoveryNamesWhatThereIs(t *testing.T) {
	k := onSQLite(t, Config{})
	if a := k.send("GET", "/ServiceProviderConfig", "").is(200); a.at("patch", "supported") != true || a.at("bulk", "maxOperations") != 1000.0 || a.at("pagination", "cursor") != true || a.at("meta", "location") != k.base+"/ServiceProviderConfig" {
		t.Error(a.body)
	}
	if a := k.send("GET", "/ResourceTypes/", "").is(200); a.at("totalResults") != 2.0 || a.at("Resources", 0, "id") != "User" {
		t.Error(a.body)
	}
	if a := k.send("GET", "/Schemas", "").is(200); a.at("totalResults") != 3.0 || strings.Contains(a.body, "null") {
		t.Error(a.body)
	}
	for _, path := range []string{"/ResourceTypes/Group", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AGroup"} {
		k.send("GET", path, "").is(200)
		k.send("HEAD", path, "").is(200)
	}
}
