package scim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The dialects that tests speak: one with the leniencies of providers, and the RFC's own.
var entra, strict = DialectOf("entra"), DialectOf("custom")

func decodePatch(t testing.TB, body string) *Patch {
	t.Helper()
	p, err := DecodePatch(strings.NewReader(body))
	if err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return p
}

func applyPatch(t testing.TB, u *User, body string) bool {
	t.Helper()
	changed, err := decodePatch(t, body).ApplyUser(u, "U1", entra)
	if err != nil {
		t.Fatalf("apply %s: %v", body, err)
	}
	return changed
}

func operations(ops ...string) string {
	return `{"schemas":["` + PatchURN + `"],"Operations":[` + strings.Join(ops, ",") + `]}`
}

func ada(t testing.TB) *User {
	u := decodeUser(t, `{"userName":"ada","name":{"givenName":"Ada","familyName":"L"},"title":"Countess",
		"emails":[{"value":"w@x.test","type":"work","primary":true},{"value":"h@x.test","type":"home"}],
		"`+EnterpriseURN+`":{"department":"Maths","manager":{"value":"M1","displayName":"Old Boss","$ref":"../M1"}}}`)
	u.SetActive(true)
	return u
}

const (
	adaEmails = `"emails":[{"value":"w@x.test","type":"work","primary":true},{"value":"h@x.test","type":"home"}]`
	adaName   = `"name":{"familyName":"L","givenName":"Ada"}`
	adaMaths  = `{"department":"Maths","manager":{"value":"M1","$ref":"../M1","displayName":"Old Boss"}}`
)

func TestPatchUser(t *testing.T) {
	t.Parallel()
	same := extended(`"userName":"ada",`+adaName+`,"title":"Countess",`+adaEmails, adaMaths)
	with := func(emails string) string {
		return extended(`"userName":"ada",`+adaName+`,"title":"Countess","emails":[`+emails+`]`, adaMaths)
	}
	const w, h = `{"value":"w@x.test","type":"work","primary":true}`, `{"value":"h@x.test","type":"home"}`
	cases := map[string]struct{ ops, want string }{
		// add
		"add without path":               {`{"op":"add","value":{"title":"T","nickName":"N"}}`, strings.Replace(same, `"title":"Countess"`, `"nickName":"N","title":"T"`, 1)},
		"add a single value":             {`{"op":"add","path":"title","value":"T"}`, strings.Replace(same, "Countess", "T", 1)},
		"add merges a complex value":     {`{"op":"add","path":"name","value":{"middleName":"M"}}`, strings.Replace(same, `"givenName":"Ada"`, `"givenName":"Ada","middleName":"M"`, 1)},
		"add appends":                    {`{"op":"add","path":"emails","value":[{"value":"o@x.test","type":"other"}]}`, with(w + `,` + h + `,{"value":"o@x.test","type":"other"}`)},
		"add one object":                 {`{"op":"Add","path":"emails","value":{"value":"o@x.test"}}`, with(w + `,` + h + `,{"value":"o@x.test"}`)},
		"add what is there":              {`{"op":"add","path":"emails","value":[{"value":"h@x.test","type":"HOME"}]}`, same},
		"add moves primary":              {`{"op":"add","path":"emails","value":[{"value":"o@x.test","primary":true}]}`, with(`{"value":"w@x.test","type":"work","primary":false},` + h + `,{"value":"o@x.test","primary":true}`)},
		"add two primaries, last stays":  {`{"op":"add","path":"emails","value":[{"value":"o@x.test","primary":true},{"value":"h@x.test","primary":true}]}`, with(`{"value":"w@x.test","type":"work","primary":false},{"value":"h@x.test","type":"home","primary":true},{"value":"o@x.test","primary":false}`)},
		"add an identical address twice": {`{"op":"add","path":"addresses","value":[{"type":"work","country":"DE"}]},{"op":"add","path":"addresses","value":[{"type":"Work","country":"DE"}]}`, extended(`"userName":"ada",`+adaName+`,"title":"Countess",`+adaEmails+`,"addresses":[{"country":"DE","type":"work"}]`, adaMaths)},
		"add in a URN path":              {`{"op":"add","path":"` + UserURN + `:title","value":"T"}`, strings.Replace(same, "Countess", "T", 1)},
		"add a whole extension":          {`{"op":"add","path":"` + EnterpriseURN + `","value":{"division":"D"}}`, strings.Replace(same, `{"department"`, `{"division":"D","department"`, 1)},
		"add null does nothing":          {`{"op":"add","path":"emails","value":null}`, same},
		// replace
		"replace without path":               {`{"op":"replace","value":{"id":"U1","title":"T","schemas":[],"meta":{"version":"x"},"groups":[]}}`, strings.Replace(same, "Countess", "T", 1)},
		"replace in an array of one":         {`{"op":"replace","value":[{"title":"T"}]}`, strings.Replace(same, "Countess", "T", 1)},
		"replace with null clears":           {`{"op":"replace","path":"title","value":null}`, strings.Replace(same, `"title":"Countess",`, "", 1)},
		"replace with nothing clears":        {`{"op":"replace","value":{"title":""}}`, strings.Replace(same, `"title":"Countess",`, "", 1)},
		"replace a list":                     {`{"op":"replace","path":"emails","value":[{"value":"n@x.test"}]}`, with(`{"value":"n@x.test"}`)},
		"replace a list without path":        {`{"op":"replace","value":{"emails":[{"value":"n@x.test"}]}}`, with(`{"value":"n@x.test"}`)},
		"replace a list with nothing":        {`{"op":"replace","path":"emails","value":[]}`, extended(`"userName":"ada",`+adaName+`,"title":"Countess"`, adaMaths)},
		"replace a sub-attribute":            {`{"op":"replace","path":"name.givenName","value":"A"}`, strings.Replace(same, `"Ada"`, `"A"`, 1)},
		"replace by a filter":                {`{"op":"replace","path":"emails[type eq \"WORK\"].value","value":"n@x.test"}`, with(`{"value":"n@x.test","type":"work","primary":true},` + h)},
		"replace by a filter, object":        {`{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"n@x.test"}}`, with(`{"value":"n@x.test","type":"work","primary":true},` + h)},
		"replace by a filter, array of one":  {`{"op":"replace","path":"emails[type eq \"work\"]","value":[{"value":"n@x.test"}]}`, with(`{"value":"n@x.test","type":"work","primary":true},` + h)},
		"replace by a filter, string":        {`{"op":"replace","path":"emails[type eq \"work\"]","value":"n@x.test"}`, with(`{"value":"n@x.test","type":"work","primary":true},` + h)},
		"replace by a filter moves primary":  {`{"op":"replace","path":"emails[type eq \"home\"].primary","value":"True"}`, with(`{"value":"w@x.test","type":"work","primary":false},{"value":"h@x.test","type":"home","primary":true}`)},
		"replace by a quoted boolean":        {`{"op":"replace","path":"emails[primary eq \"True\"].value","value":"n@x.test"}`, with(`{"value":"n@x.test","type":"work","primary":true},` + h)},
		"replace where nothing was, empty":   {`{"op":"replace","path":"phoneNumbers[type eq \"work\"].value","value":""}`, same},
		"replace clears a value":             {`{"op":"replace","path":"emails[type eq \"home\"].value","value":null}`, with(w)},
		"replace in a list with no doubt":    {`{"op":"replace","path":"phoneNumbers.value","value":"1"},{"op":"replace","path":"phoneNumbers.value","value":"2"}`, extended(`"userName":"ada",`+adaName+`,"title":"Countess",`+adaEmails+`,"phoneNumbers":[{"value":"2"}]`, adaMaths)},
		"replace with an unknown name":       {`{"op":"replace","value":{"shoeSize":5,"name":{"x":1},"name.y":2,"emails[":3}}`, same},
		"replace in an unknown extension":    {`{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:Custom:2.0:User:tag","value":"x"}`, same},
		"replace an empty object":            {`{"op":"replace","path":"name","value":{}}`, same},
		"replace the userName":               {`{"op":"replace","path":"USERNAME","value":"Ada"}`, strings.Replace(same, `"userName":"ada"`, `"userName":"Ada"`, 1)},
		"replace the id by itself":           {`{"op":"replace","path":"id","value":"U1"}`, same},
		"replace a password":                 {`{"op":"replace","path":"password","value":"p"}`, same},
		"a new manager has no old name":      {`{"op":"replace","path":"` + EnterpriseURN + `:manager","value":"M2"}`, strings.Replace(same, `{"value":"M1","$ref":"../M1","displayName":"Old Boss"}`, `{"value":"M2"}`, 1)},
		"a new manager's value":              {`{"op":"replace","path":"` + EnterpriseURN + `:manager.value","value":"M2"}`, strings.Replace(same, `{"value":"M1","$ref":"../M1","displayName":"Old Boss"}`, `{"value":"M2"}`, 1)},
		"a new manager with a name":          {`{"op":"replace","path":"` + EnterpriseURN + `:manager","value":{"value":"M2","displayName":"B"}}`, strings.Replace(same, `{"value":"M1","$ref":"../M1","displayName":"Old Boss"}`, `{"value":"M2","displayName":"B"}`, 1)},
		"replace every one that matches":     {`{"op":"replace","path":"emails[value co \"X.test\"].display","value":"d"}`, with(`{"value":"w@x.test","display":"d","type":"work","primary":true},{"value":"h@x.test","display":"d","type":"home"}`)},
		"replace with and, or, not, present": {`{"op":"replace","path":"emails[(type sw \"h\" or not (display pr)) and value ew \"test\" and type ne \"work\"].display","value":"d"}`, with(w + `,{"value":"h@x.test","display":"d","type":"home"}`)},
		// remove
		"remove":                       {`{"op":"remove","path":"title"}`, strings.Replace(same, `"title":"Countess",`, "", 1)},
		"remove what is not there":     {`{"op":"remove","path":"nickName"}`, same},
		"remove a list":                {`{"op":"remove","path":"emails"}`, extended(`"userName":"ada",`+adaName+`,"title":"Countess"`, adaMaths)},
		"remove those listed":          {`{"op":"Remove","path":"emails","value":[{"value":"h@x.test"}]}`, with(w)},
		"remove an empty list":         {`{"op":"Remove","path":"emails","value":[]}`, same},
		"remove by a filter":           {`{"op":"remove","path":"emails[type eq \"home\"]"}`, with(w)},
		"remove by no match":           {`{"op":"remove","path":"emails[type eq \"other\"]"}`, same},
		"remove a value by a filter":   {`{"op":"remove","path":"emails[type eq \"home\"].value"}`, with(w)},
		"remove a sub-attribute":       {`{"op":"remove","path":"name.givenName"}`, strings.Replace(same, `,"givenName":"Ada"`, "", 1)},
		"remove the rest of a complex": {`{"op":"remove","path":"name.givenName"},{"op":"remove","path":"name.familyName"}`, strings.Replace(same, adaName+",", "", 1)},
		"remove in all":                {`{"op":"remove","path":"emails.type"}`, with(`{"value":"w@x.test","primary":true},{"value":"h@x.test"}`)},
		"remove an extension":          {`{"op":"remove","path":"` + EnterpriseURN + `"}`, core(`"userName":"ada",` + adaName + `,"title":"Countess",` + adaEmails)},
		"no operations":                {``, same},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := ada(t)
			changed := applyPatch(t, u, operations(c.ops))
			if diff := cmp.Diff(c.want, string(u.Stored())); diff != "" {
				t.Error(diff)
			}
			if changed != (c.want != same) {
				t.Errorf("changed is %v", changed)
			}
			if value, given := u.Active(); !value || !given {
				t.Error("active changed")
			}
			if strings.HasPrefix(name, "add appends") && applyPatch(t, u, operations(c.ops)) {
				t.Error("an identical add is a change")
			}
		})
	}
}

func TestPatchUserRefusals(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ op, scimType, says string }{
		"remove without path":         {`{"op":"remove"}`, TypeNoTarget, "needs a path"},
		"remove userName":             {`{"op":"remove","path":"userName"}`, TypeMutability, "userName is required"},
		"remove active":               {`{"op":"remove","path":"active"}`, TypeMutability, "replace it with true or false"},
		"remove the core schema":      {`{"op":"remove","path":"` + UserURN + `"}`, TypeMutability, "core attributes"},
		"clear userName":              {`{"op":"replace","path":"userName","value":""}`, TypeInvalidValue, "userName is required"},
		"another id":                  {`{"op":"replace","value":{"id":"U2"}}`, TypeMutability, "id is set by the server"},
		"groups":                      {`{"op":"replace","value":{"groups":[{"value":"G"}]}}`, TypeMutability, "change the members of the group"},
		"groups by path":              {`{"op":"add","path":"groups","value":[]}`, TypeMutability, "groups is read-only"},
		"meta by path":                {`{"op":"replace","path":"meta.version","value":"x"}`, TypeMutability, "meta is set by the server"},
		"filter on a single value":    {`{"op":"replace","path":"name[type eq \"x\"]","value":1}`, TypeInvalidPath, "not multi-valued"},
		"unreadable path":             {`{"op":"replace","path":"emails[type eq","value":1}`, TypeInvalidPath, "ends early"},
		"path with a rest":            {`{"op":"replace","path":"emails[type eq \"work\"]value","value":1}`, TypeInvalidPath, "a path is"},
		"filter by an unknown":        {`{"op":"remove","path":"emails[shoe eq \"x\"]"}`, TypeInvalidFilter, `"shoe"`},
		"order of booleans":           {`{"op":"remove","path":"emails[primary sw \"t\"]"}`, TypeInvalidFilter, "true or false"},
		"boolean for a text":          {`{"op":"remove","path":"emails[type eq true]"}`, TypeInvalidFilter, "string in quotes"},
		"nothing matches":             {`{"op":"replace","path":"emails[value eq \"no@x.test\"].type","value":"work"}`, TypeNoTarget, "No value of emails"},
		"nothing matches, whole":      {`{"op":"replace","path":"emails[type eq \"other\"]","value":{"value":"x@y"}}`, TypeNoTarget, "No value of emails"},
		"nothing matches, not eq":     {`{"op":"add","path":"emails[type co \"oth\"].value","value":"x@y"}`, TypeNoTarget, "No value of emails"},
		"which of several":            {`{"op":"replace","path":"emails.value","value":"x@y"}`, TypeInvalidPath, "say which"},
		"no value":                    {`{"op":"replace","path":"title"}`, TypeInvalidValue, "needs a value"},
		"no value and path":           {`{"op":"add"}`, TypeInvalidValue, "nothing was sent"},
		"a string without path":       {`{"op":"replace","value":"x"}`, TypeInvalidValue, "object of attributes"},
		"active maybe":                {`{"op":"replace","path":"active","value":"maybe"}`, TypeInvalidValue, "active must be true or false"},
		"active several":              {`{"op":"replace","path":"active","value":[true,false]}`, TypeInvalidValue, "one value"},
		"wrong type":                  {`{"op":"replace","path":"emails","value":7}`, TypeInvalidValue, "must be an array"},
		"wrong type in a filter":      {`{"op":"replace","path":"emails[type eq \"work\"]","value":7}`, TypeInvalidValue, "must be a string"},
		"wrong type of manager":       {`{"op":"replace","path":"` + EnterpriseURN + `:manager","value":true}`, TypeInvalidValue, "manager must be an object"},
		"duplicate in the value":      {`{"op":"replace","value":{"title":"a","TITLE":"b"}}`, TypeInvalidSyntax, "given twice"},
		"duplicate path in the value": {`{"op":"replace","value":{"name.givenName":"a","NAME.givenName":"b"}}`, TypeInvalidSyntax, "given twice"},
		"control character":           {`{"op":"replace","path":"displayName","value":"a\u0007"}`, TypeInvalidValue, "U+0007"},
		"too many values":             {`{"op":"add","path":"roles","value":["r0"` + many(MaxValues-1) + `]},{"op":"add","path":"roles","value":"one more"}`, TypeInvalidValue, "more than 500 values"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := ada(t)
			before := string(u.Stored())
			good := `{"op":"replace","value":{"title":"changed","active":false,"emails":[{"value":"new@x.test"},{"value":"w@x.test","type":"work"}]}}`
			changed, err := decodePatch(t, operations(good, c.op)).ApplyUser(u, "U1", entra)
			e := refusal(t, err)
			if e.Status != 400 || e.Type != c.scimType || !strings.Contains(e.Detail, c.says) {
				t.Errorf("got %d %s %q, want %s with %q", e.Status, e.Type, e.Detail, c.scimType, c.says)
			}
			if !strings.Contains(e.Detail, "PATCH operation ") && c.says != "userName is required" {
				t.Errorf("%q does not say where", e.Detail)
			}
			if active, _ := u.Active(); changed || !active || string(u.Stored()) != before {
				t.Errorf("the user changed to %s", u.Stored())
			}
		})
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"r%d"`, i+1)
	}
	return b.String()
}

// One mapping too many, as an admin of Entra adds them, must not fail every update of a person.
func TestUnknownAttributeByPathIsIgnored(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"shoeSize", EnterpriseURN + ":desk", "name.nick", "title.x", "urn:acme:scim:User:badge"} {
		for _, op := range []string{`"op":"add","value":1`, `"op":"replace","value":"x"`, `"op":"remove"`} {
			u := ada(t)
			before := string(u.Stored())
			p, err := DecodePatch(strings.NewReader(`{"Operations":[{` + op + `,"path":"` + path + `"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			if changed, err := p.ApplyUser(u, "U1", entra); err != nil || changed || string(u.Stored()) != before {
				t.Errorf("%s %s: changed %v, %v", op, path, changed, err)
			}
		}
	}
}

func TestActiveIsPatchedInEverySpelling(t *testing.T) {
	t.Parallel()
	for _, op := range []string{
		`{"op":"replace","value":{"active":false}}`, `{"op":"Replace","path":"active","value":"False"}`,
		`{"op":"add","path":"ACTIVE","value":false}`, `{"op":"replace","value":{"Active":["false"]}}`,
		`{"op":"replace","path":"` + UserURN + `:active","value":[false]}`, `{"op":"add","value":{"` + UserURN + `:active":"FALSE"}}`,
	} {
		u := ada(t)
		changed := applyPatch(t, u, operations(op))
		if value, given := u.Active(); value || !given || !changed {
			t.Errorf("%s: active %v, changed %v", op, value, changed)
		}
		if applyPatch(t, u, operations(op)) {
			t.Errorf("%s: the second time is a change", op)
		}
		if !applyPatch(t, u, strings.NewReplacer("false", "true", "False", "True", "FALSE", "TRUE").Replace(operations(op))) {
			t.Errorf("%s: reactivation is no change", op)
		}
	}
	for _, op := range []string{`{"op":"replace","value":{"active":null}}`, `{"op":"replace","path":"active","value":""}`, `{"op":"add","value":{"active":[]}}`} {
		if u := ada(t); applyPatch(t, u, operations(op)) {
			t.Errorf("%s changed the user", op)
		}
	}
}

func TestRecordedUserPatchesAreUnderstood(t *testing.T) {
	t.Parallel()
	plain := `{"userName":"ada@acme.test"}`
	managed := `{"userName":"ada@acme.test","` + EnterpriseURN + `":{"manager":{"value":"M1","displayName":"B"}}}`
	cases := []struct {
		file, before, want string
		active             bool
	}{
		{"patch_okta_deactivate.json", plain, core(`"userName":"ada@acme.test"`), false},
		{"patch_entra_disable.json", plain, core(`"userName":"ada@acme.test"`), false},
		{"patch_entra_add_absent_email.json", plain, core(`"userName":"ada@acme.test","emails":[{"value":"ada@acme.test","type":"work"}],"addresses":[{"postalCode":"10115","type":"work"}],"roles":[{"value":"App.Reader","primary":true}]`), true},
		{"patch_entra_flag_pathless.json", plain, extended(`"userName":"ada@acme.test","name":{"givenName":"y"},"displayName":"x"`, `{"employeeNumber":"1"}`), true},
		{"patch_entra_manager.json", managed, extended(`"userName":"ada@acme.test"`, `{"manager":{"value":"M2"}}`), true},
		{"patch_entra_manager_clear.json", managed, core(`"userName":"ada@acme.test"`), true},
	}
	for _, c := range cases {
		u := decodeUser(t, c.before)
		u.SetActive(true)
		body := string(read(t, c.file))
		if !applyPatch(t, u, body) {
			t.Errorf("%s changed nothing", c.file)
		}
		if diff := cmp.Diff(c.want, string(u.Stored())); diff != "" {
			t.Errorf("%s: %s", c.file, diff)
		}
		if active, _ := u.Active(); active != c.active {
			t.Errorf("%s: active %v", c.file, active)
		}
		if applyPatch(t, u, body) {
			t.Errorf("%s is a change the second time", c.file)
		}
	}
}

func TestPatchBodies(t *testing.T) {
	t.Parallel()
	op := `{"op":"add","path":"title","value":"x"}`
	cases := map[string]struct{ body, scimType, says string }{
		"no operations":     {`{"schemas":[]}`, TypeInvalidSyntax, "array named Operations"},
		"operations null":   {`{"Operations":null}`, TypeInvalidSyntax, "array named Operations"},
		"operations object": {`{"Operations":` + op + `}`, TypeInvalidSyntax, "array named Operations"},
		"operations twice":  {`{"Operations":[],"operations":[]}`, TypeInvalidSyntax, "given twice"},
		"not an object":     {`{"Operations":["add"]}`, TypeInvalidSyntax, "operation 1: an operation must be an object"},
		"no op":             {`{"Operations":[` + op + `,{"path":"x"}]}`, TypeInvalidSyntax, "operation 2: op must be add"},
		"unknown op":        {`{"Operations":[{"op":"merge"}]}`, TypeInvalidSyntax, `it is "merge"`},
		"op twice":          {`{"Operations":[{"op":"add","OP":"remove"}]}`, TypeInvalidSyntax, "given twice"},
		"path a number":     {`{"Operations":[{"op":"add","path":5}]}`, TypeInvalidPath, "path must be a string"},
		"too many":          {`{"Operations":[` + op + strings.Repeat(","+op, MaxOperations) + `]}`, TypeTooMany, "more than 1000"},
	}
	for name, c := range cases {
		_, err := DecodePatch(strings.NewReader(c.body))
		if e := refusal(t, err); e.Type != c.scimType || !strings.Contains(e.Detail, c.says) {
			t.Errorf("%s: got %s %q", name, e.Type, e.Detail)
		}
	}
	decodePatch(t, `{"OPERATIONS":[{"OP":"ADD","Path":null,"VALUE":{"title":"x"},"extra":1}]}`)
}

func TestAPatchThatSearchesTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	op := `{"op":"remove","path":"roles[` + strings.Repeat(`value co \"é\" or `, 19) + `value co \"y\"]"}`
	ops := []string{`{"op":"add","path":"roles","value":["r0"` + many(MaxValues-1) + `]}`}
	for range MaxOperations - 1 {
		ops = append(ops, op)
	}
	_, err := decodePatch(t, operations(ops...)).ApplyUser(ada(t), "U1", entra)
	if e := refusal(t, err); e.Type != TypeTooMany || !strings.Contains(e.Detail, "fewer operations") {
		t.Error(e)
	}
	applyPatch(t, ada(t), operations(ops[:15]...))
}
