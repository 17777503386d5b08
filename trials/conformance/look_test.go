package conformance

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// look holds an answer against what is true of all of them.
func (a *answer) look() {
	a.c.Helper()
	if len(a.body) == 0 {
		if a.method != "HEAD" && a.status != 204 && a.status != 304 {
			a.errorf("the answer has no body")
		}
		return
	}
	if a.status == 204 || a.status == 304 {
		a.errorf("a %d has a body", a.status)
	}
	if got := a.header.Get("Content-Type"); got != "application/scim+json; charset=utf-8" && got != "application/scim+json" {
		a.errorf("Content-Type is %q", got)
	}
	if err := json.Unmarshal(a.body, &a.json); err != nil {
		a.errorf("the body is no JSON: %v", err)
		return
	}
	for _, never := range []string{":null", `"password"`} {
		if bytes.Contains(a.body, []byte(never)) && !strings.Contains(a.path, "/Schemas") {
			a.errorf("%s is in the answer", never)
		}
	}
	switch {
	case a.status >= 400:
		a.lookAtError()
	case a.at("Resources") != nil:
		a.lookAtList()
	default:
		a.lookAtResource(a.json)
	}
}

// scimTypes are those of RFC 7644 table 9 and RFC 9865 section 2.2, with the status that they come with.
var scimTypes = map[string]int{
	"invalidFilter": 400, "tooMany": 400, "uniqueness": 409, "mutability": 400, "invalidSyntax": 400, "invalidPath": 400, "noTarget": 400, "invalidValue": 400,
	"invalidVers": 400, "sensitive": 403, "invalidCursor": 400, "expiredCursor": 400, "invalidCount": 400,
}

func (a *answer) lookAtError() {
	a.c.Helper()
	if !reflect.DeepEqual(a.at("schemas"), []any{messages + "Error"}) {
		a.errorf("schemas of an error are %v", a.at("schemas"))
	}
	if a.at("status") != strconv.Itoa(a.status) {
		a.errorf("status is %#v, which is not the string %q", a.at("status"), strconv.Itoa(a.status))
	}
	kind, given := a.at("scimType").(string)
	if status, known := scimTypes[kind]; given && (!known || status != a.status) {
		a.errorf("scimType %q does not go with %d", kind, a.status)
	}
	if fault := faultOf(a.detail()); fault != "" {
		a.errorf("the detail %s", fault)
	}
	if a.status == 401 && a.header.Get("WWW-Authenticate") == "" {
		a.errorf("a 401 has no WWW-Authenticate")
	}
}

func (a *answer) lookAtList() {
	a.c.Helper()
	resources := a.list("Resources")
	if !reflect.DeepEqual(a.at("schemas"), []any{messages + "ListResponse"}) {
		a.errorf("schemas of a list are %v", a.at("schemas"))
	}
	if a.at("itemsPerPage") != float64(len(resources)) {
		a.errorf("itemsPerPage is %v with %d resources", a.at("itemsPerPage"), len(resources))
	}
	if total, ok := a.at("totalResults").(float64); !ok || int(total) < len(resources) {
		a.errorf("totalResults is %#v", a.at("totalResults"))
	}
	for _, r := range resources {
		a.lookAtResource(r)
	}
}

// lookAtResource looks at a user or a group, as far as the request left it whole.
func (a *answer) lookAtResource(r any) {
	a.c.Helper()
	schemas, _ := step(r, "schemas").([]any)
	kind := ""
	switch {
	case slices.Contains(schemas, any(userURN)):
		kind = "User"
	case slices.Contains(schemas, any(groupURN)):
		kind = "Group"
	default:
		return // a document about the server
	}
	id, _ := step(r, "id").(string)
	if id == "" {
		a.errorf("a resource has no id")
	}
	if (step(r, enterpriseURN) != nil) != slices.Contains(schemas, any(enterpriseURN)) {
		a.errorf("the enterprise extension is not in both schemas and the resource")
	}
	if strings.Contains(strings.ToLower(a.path+a.sent), "attributes") {
		return
	}
	location := a.c.URL + "/" + kind + "s/" + id
	for name, want := range map[string]string{"resourceType": kind, "location": location} {
		if got := step(step(r, "meta"), name); got != want {
			a.errorf("meta.%s is %v, not %s", name, got, want)
		}
	}
	for _, name := range []string{"created", "lastModified"} {
		moment, _ := step(step(r, "meta"), name).(string)
		if _, err := time.Parse(time.RFC3339, moment); err != nil {
			a.errorf("meta.%s is no time: %v", name, err)
		}
	}
	if a.at("Resources") == nil && a.header.Get("ETag") != "" && a.header.Get("ETag") != step(step(r, "meta"), "version") {
		a.errorf("ETag is %s and meta.version %v", a.header.Get("ETag"), step(step(r, "meta"), "version"))
	}
	if got := a.header.Get("Location"); got != "" && got != location {
		a.errorf("Location is %s", got)
	}
	if strings.HasPrefix(kind, "User") {
		a.lookAtPrimaries(r)
	}
}

func (a *answer) lookAtPrimaries(r any) {
	a.c.Helper()
	for name, value := range r.(map[string]any) {
		values, _ := value.([]any)
		n := 0
		for _, v := range values {
			if step(v, "primary") == true {
				n++
			}
		}
		if n > 1 {
			a.errorf("%s has %d primary values", name, n)
		}
	}
}
