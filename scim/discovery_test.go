package scim

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

const base = "https://outpost.test/scim/v2/c"

func parse(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return m
}

// noNulls walks a document: Entra's gallery reads no nulls, and names in camelCase.
func noNulls(t *testing.T, at string, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Errorf("%s is null", at)
	case map[string]any:
		for k, e := range v {
			if k != "Resources" && !unicode.IsLower(rune(k[0])) {
				t.Errorf("%s.%s is not camelCase", at, k)
			}
			noNulls(t, at+"."+k, e)
		}
	case []any:
		for _, e := range v {
			noNulls(t, at+"[]", e)
		}
	}
}

func TestServiceProviderConfigIsTruthful(t *testing.T) {
	t.Parallel()
	c := parse(t, ServiceProviderConfig(base))
	noNulls(t, "", c)
	for name, want := range map[string]bool{"patch": true, "filter": true, "bulk": true, "sort": true, "etag": true, "changePassword": false} {
		if got := c[name].(map[string]any)["supported"]; got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	if c["filter"].(map[string]any)["maxResults"] != float64(200) {
		t.Error("maxResults")
	}
	if scheme := c["authenticationSchemes"].([]any)[0].(map[string]any); scheme["type"] != "oauthbearertoken" {
		t.Error(scheme)
	}
	if c["meta"].(map[string]any)["location"] != base+"/ServiceProviderConfig" {
		t.Error(c["meta"])
	}
}

func TestResourceTypes(t *testing.T) {
	t.Parallel()
	all := parse(t, ResourceTypes(base))
	noNulls(t, "", all)
	if all["totalResults"] != float64(2) || len(all["Resources"].([]any)) != 2 {
		t.Error(all)
	}
	for id, endpoint := range map[string]string{"User": "/Users", "Group": "/Groups"} {
		b, ok := ResourceType(base, id)
		if !ok {
			t.Fatal(id)
		}
		r := parse(t, b)
		if r["id"] != id || r["name"] != id || r["endpoint"] != endpoint || r["meta"].(map[string]any)["location"] != base+"/ResourceTypes/"+id {
			t.Error(r)
		}
	}
	if _, ok := ResourceType(base, "Robot"); ok {
		t.Error("Robot exists")
	}
}

func TestSchemasSayWhatIsKept(t *testing.T) {
	t.Parallel()
	all := parse(t, Schemas(base))
	noNulls(t, "", all)
	if all["totalResults"] != float64(3) {
		t.Error(all["totalResults"])
	}
	for urn, attrs := range map[string][]attribute{UserURN: userAttributes, GroupURN: groupAttributes, EnterpriseURN: enterpriseAttributes} {
		b, ok := Schema(base, strings.ToUpper(urn))
		if !ok {
			t.Fatal(urn)
		}
		s := parse(t, b)
		if s["id"] != urn || s["meta"].(map[string]any)["location"] != base+"/Schemas/"+urn {
			t.Error(s)
		}
		listed := map[string]map[string]any{}
		for _, a := range s["attributes"].([]any) {
			a := a.(map[string]any)
			listed[a["name"].(string)] = a
			for _, c := range []string{"type", "multiValued", "description", "required", "mutability", "returned", "uniqueness"} {
				if _, ok := a[c]; !ok {
					t.Errorf("%s lacks %s", a["name"], c)
				}
			}
		}
		for _, a := range attrs {
			if _, ok := listed[a.name]; ok == a.common {
				t.Errorf("%s: %s listed is %v", urn, a.name, ok)
			}
		}
		if u := listed["userName"]; urn == UserURN && (u["required"] != true || u["uniqueness"] != "server" || u["caseExact"] != false) {
			t.Error(u)
		}
		if g := listed["groups"]; urn == UserURN && (g["mutability"] != "readOnly" || g["multiValued"] != true) {
			t.Error(g)
		}
	}
	if _, ok := Schema(base, "urn:x"); ok {
		t.Error("urn:x exists")
	}
}

// A string, a list and an object of every declared attribute come back as they went in.
func TestEveryDeclaredAttributeIsKept(t *testing.T) {
	t.Parallel()
	var fill func(attrs []attribute) map[string]any
	fill = func(attrs []attribute) map[string]any {
		m := map[string]any{}
		for _, a := range attrs {
			switch {
			case a.owner != client:
			case a.multi:
				m[a.name] = []any{fill(a.sub)}
			case a.kind == complexKind:
				m[a.name] = fill(a.sub)
			case a.kind == booleanKind:
				m[a.name] = true
			default:
				m[a.name] = "text of " + a.name
			}
		}
		return m
	}
	body := fill(userAttributes)
	body[EnterpriseURN] = fill(enterpriseAttributes)
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	u := decodeUser(t, string(b))
	body["schemas"] = []any{UserURN, EnterpriseURN}
	if got := parse(t, u.Stored()); !equalJSON(without(body, "active"), got) {
		t.Errorf("got %s", u.Stored())
	}
	v := decodeUser(t, `{"userName":"x"}`)
	if !applyPatch(t, v, `{"Operations":[{"op":"replace","value":`+string(b)+`}]}`) || string(v.Stored()) != string(u.Stored()) {
		t.Errorf("patched %s", v.Stored())
	}
}

func without(m map[string]any, name string) map[string]any {
	delete(m, name)
	return m
}

func equalJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}
