package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"outpost/models"
)

func bulkBody(failOnErrors int, operations ...string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"failOnErrors":%d,"Operations":[%s]}`, failOnErrors, strings.Join(operations, ","))
}

// outcomes are the methods and statuses of a bulk answer.
func (a answer) outcomes() string {
	var all []string
	for i := 0; ; i++ {
		o, _ := a.at("Operations", i).(map[string]any)
		if o == nil {
			return strings.Join(all, " ")
		}
		all = append(all, fmt.Sprint(o["method"], " ", o["status"]))
	}
}

func TestBulkDoesEachOperationAsIfItWereAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		gone, ben := k.user("gone"), k.user("ben")
		a := k.send("POST", "/Bulk", bulkBody(0,
			// The group comes before those who are in it.
			`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"Eng","members":[{"value":"bulkId:u"},{"value":"`+ben+`"}]}}`,
			`{"method":"post","path":"Users","bulkId":"u","data":`+userBody("ada")+`}`,
			`{"method":"PATCH","path":"/Groups/bulkId:g","data":`+patchBody(`{"op":"remove","path":"members[value eq \"`+ben+`\"]"}`)+`}`,
			`{"method":"PUT","path":"`+k.base+`/Users/`+ben+`","version":"W/\"1\"","data":`+userBody("benjamin")+`}`,
			`{"method":"PUT","path":"/Users/`+ben+`","version":"W/\"1\"","data":`+userBody("ben")+`}`,
			`{"method":"DELETE","path":"/Users/`+gone+`"}`,
			`{"method":"POST","path":"/Users","bulkId":"twin","data":`+userBody("ADA")+`}`,
			`{"method":"POST","path":"/Groups","bulkId":"h","data":{"displayName":"H","members":[{"value":"bulkId:twin"}]}}`,
			`{"method":"POST","path":"/Groups","bulkId":"i","data":{"displayName":"I","members":[{"value":"bulkId:nobody"}]}}`,
			`{"method":"GET","path":"/Users/`+ben+`"}`,
			`{"method":"POST","path":"/Nothing","bulkId":"n","data":{}}`,
			`{"method":"PATCH","path":"/Users","data":{}}`,
			`7`,
		)).is(200)
		if got, want := a.outcomes(), "POST 201 POST 201 PATCH 200 PUT 200 PUT 412 DELETE 204 POST 409 POST 409 POST 400 GET 400 POST 400 PATCH 400  400"; got != want {
			t.Fatalf("%s, want %s: %s", got, want, a.body)
		}
		if fmt.Sprint(a.at("schemas")) != "[urn:ietf:params:scim:api:messages:2.0:BulkResponse]" {
			t.Error(a.body)
		}
		group, _ := a.at("Operations", 0, "location").(string)
		ada, _ := a.at("Operations", 1, "location").(string)
		if !strings.HasPrefix(group, k.base+"/Groups/") || !strings.HasPrefix(ada, k.base+"/Users/") || a.at("Operations", 1, "bulkId") != "u" || a.at("Operations", 1, "version") != `W/"1"` || a.at("Operations", 1, "response") != nil {
			t.Fatal(a.body)
		}
		ada = strings.TrimPrefix(ada, k.base+"/Users/")
		if got := k.members(strings.TrimPrefix(group, k.base+"/Groups/")); len(got) != 1 || got[0] != ada {
			t.Errorf("members %v, want %s", got, ada)
		}
		if a.at("Operations", 4, "response", "status") != "412" || a.at("Operations", 6, "response", "scimType") != "uniqueness" || !strings.Contains(fmt.Sprint(a.at("Operations", 7, "response", "detail")), "twin") {
			t.Error(a.body)
		}
		k.send("GET", "/Users/"+gone, "").is(404)
		audited := map[string]int{}
		for _, e := range k.audit() {
			audited[fmt.Sprint(e.Method, " ", e.Status)]++
		}
		for what, n := range map[string]int{"POST 201": 4, "PATCH 200": 1, "PUT 200": 1, "PUT 412": 1, "DELETE 204": 1, "POST 409": 1} {
			if audited[what] != n {
				t.Errorf("%s is %d times in the audit, want %d: %v", what, audited[what], n, audited)
			}
		}
	})
}

func TestBulkJoinsWhatRefersToEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		const manager = `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"X","manager":{"value":"bulkId:%s"}}`
		a := k.send("POST", "/Bulk", bulkBody(1,
			`{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"a@acme.test",`+fmt.Sprintf(manager, "b")+`}}`,
			`{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"b@acme.test",`+fmt.Sprintf(manager, "c")+`}}`,
			`{"method":"POST","path":"/Users","bulkId":"c","data":{"userName":"c@acme.test",`+fmt.Sprintf(manager, "a")+`}}`,
			`{"method":"POST","path":"/Users","bulkId":"me","data":{"userName":"me@acme.test",`+fmt.Sprintf(manager, "me")+`}}`,
		)).is(200)
		if got := a.outcomes(); got != "POST 201 POST 201 POST 201 POST 201" {
			t.Fatal(a.body)
		}
		id := func(i int) string {
			location, _ := a.at("Operations", i, "location").(string)
			return strings.TrimPrefix(location, k.base+"/Users/")
		}
		for i, boss := range []int{1, 2, 0, 3} {
			u := k.send("GET", "/Users/"+id(i), "").is(200)
			extension := u.at("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User").(map[string]any)
			if m, _ := extension["manager"].(map[string]any); m["value"] != id(boss) || extension["department"] != "X" {
				t.Errorf("%d: %s, want the manager %s", i, u.body, id(boss))
			}
		}
	})
}

func TestBulkRefersByWholeValuesAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		a := k.send("POST", "/Bulk", bulkBody(0,
			`{"method":"POST","path":"/Users","bulkId":"foo","data":{"userName":"a@acme.test","title":"about bulkId:foo and bulkId:bar"}}`,
			`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"what bulkId: is","members":[{"value":"bulkId:foo"}]}}`,
		)).is(200)
		if a.outcomes() != "POST 201 POST 201" {
			t.Fatal(a.body)
		}
		if u := k.send("GET", "/Users?filter="+q(`userName eq "a@acme.test"`), "").is(200); u.at("Resources", 0, "title") != "about bulkId:foo and bulkId:bar" {
			t.Error(u.body)
		}
	})
}

func TestBulkEndsWithItsTime(t *testing.T) {
	onBothWith(t, Config{Limits: Limits{RequestTimeout: 150 * time.Millisecond}}, func(t *testing.T, k *kit) {
		var all []string
		for i := range 1000 {
			all = append(all, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"%d","data":{"userName":"p%d@acme.test"}}`, i, i))
		}
		a := k.send("POST", "/Bulk", bulkBody(0, all...)).is(200)
		made, late := strings.Count(a.outcomes(), "POST 201"), strings.Count(a.outcomes(), "POST 503")
		if made == 0 || late == 0 || made+late != 1000 {
			t.Fatalf("%d were made and %d came too late", made, late)
		}
		if n := len(k.audit()); n > made+10 { // what was not begun is not recorded; nor is it begun
			t.Errorf("%d entries in the audit for %d changes", n, made)
		}
	})
}

func TestBulkStopsAfterSoManyErrorsAndHasBounds(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		bad := `{"method":"DELETE","path":"/Users/nobody"}`
		good := func(name string) string {
			return `{"method":"POST","path":"/Users","bulkId":"` + name + `","data":` + userBody(name) + `}`
		}
		a := k.send("POST", "/Bulk", bulkBody(2, bad, good("ada"), bad, good("ben"))).is(200)
		if got := a.outcomes(); got != "DELETE 404 POST 201 DELETE 404" {
			t.Error(a.body)
		}
		k.send("GET", "/Users?filter="+q(`userName eq "ben@acme.test"`), "").is(200).shows()
		many := strings.Repeat(bad+",", 1000) + bad
		k.send("POST", "/Bulk", bulkBody(0, many)).fails(413, "", "more than 1000 operations")
		k.send("POST", "/Bulk", bulkBody(0, `{"method":"POST","path":"/Users","data":{"title":"`+strings.Repeat("x", 4<<20)+`"}}`)).fails(413, "", "4 MiB")
		k.send("POST", "/Bulk", bulkBody(0, good("cy"), good("cy"))).fails(400, "invalidValue", `"cy"`)
		k.send("POST", "/Bulk", `{"failOnErrors":-1,"Operations":[]}`).fails(400, "invalidValue", "failOnErrors")
		k.send("POST", "/Bulk", `{"Operations":{}}`).fails(400, "invalidSyntax", "Operations")
		if a := k.send("POST", "/Bulk", bulkBody(0)).is(200); a.outcomes() != "" {
			t.Error(a.body)
		}
	})
}

func TestTheProviderDecidesWhatContradictsTheRFC(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		for _, test := range []struct {
			provider models.Provider
			lenient  bool
			quiet    bool
		}{{models.ProviderOkta, true, true}, {models.ProviderEntra, true, false}, {models.ProviderCustom, false, false}} {
			k := k.as(test.provider)
			name := string(test.provider)
			id := k.send("POST", "/Users", `{"userName":"`+name+`@acme.test"}`).is(201).id()
			absent := patchBody(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"x@acme.test"}`)
			unknown := patchBody(`{"op":"replace","path":"shoeSize","value":43},{"op":"replace","path":"title","value":"T"}`)
			group := k.group("Group "+name, id)
			none := patchBody(`{"op":"replace","path":"mailNickname","value":"x"}`)
			if !test.lenient {
				k.send("PATCH", "/Users/"+id, absent).fails(400, "noTarget", "add the value first")
				k.send("PATCH", "/Users/"+id, unknown).fails(400, "invalidPath", "shoeSize")
				k.send("PATCH", "/Groups/"+group, none).fails(400, "invalidPath", "mailNickname")
			} else {
				if a := k.send("PATCH", "/Users/"+id, absent).is(200); a.at("emails", 0, "value") != "x@acme.test" || a.at("emails", 0, "type") != "work" {
					t.Errorf("%s: %s", name, a.body)
				}
				if a := k.send("PATCH", "/Users/"+id, unknown).is(200); a.at("title") != "T" {
					t.Errorf("%s: %s", name, a.body)
				}
			}
			rename := patchBody(`{"op":"replace","path":"displayName","value":"Renamed ` + name + `"}`)
			if test.quiet {
				if a := k.send("PATCH", "/Groups/"+group, rename).is(200); a.at("displayName") != "Renamed "+name || a.at("members") != nil {
					t.Errorf("%s: %s", name, a.body)
				}
			} else if a := k.send("PATCH", "/Groups/"+group, rename).is(204); a.header.Get("ETag") != `W/"2"` {
				t.Errorf("%s: %v", name, a.header)
			}
			if a := k.send("PATCH", "/Groups/"+group+"?attributes=members", rename).is(200); a.at("members", 0, "value") != id {
				t.Errorf("%s: %s", name, a.body)
			}
			if a := k.send("PUT", "/Groups/"+group, groupBody("Put "+name, id)).is(200); (a.at("members") == nil) != test.quiet {
				t.Errorf("%s: %s", name, a.body)
			}
			a := k.send("GET", "/Groups/"+group+"?attributes=members.value,members.$ref,members.type", "").is(200)
			if a.at("members", 0, "$ref") != k.base+"/Users/"+id || a.at("members", 0, "type") != "User" {
				t.Errorf("%s: %s", name, a.body)
			}
			if a := k.send("GET", "/Users/"+id, "").is(200); a.at("groups", 0, "$ref") != k.base+"/Groups/"+group || a.at("groups", 0, "type") != "direct" {
				t.Errorf("%s: %s", name, a.body)
			}
		}
	})
}
