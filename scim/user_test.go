package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeUser(t testing.TB, body string) *User {
	t.Helper()
	u, err := DecodeUser(strings.NewReader(body))
	if err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return u
}

// refusal returns the SCIM error that err must be.
func refusal(t testing.TB, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("want a *Error, got %v", err)
	}
	return e
}

// core is the stored form of a user with the core schema only.
func core(attrs string) string {
	return `{"schemas":["` + UserURN + `"],` + attrs + `}`
}

func extended(attrs, extension string) string {
	return `{"schemas":["` + UserURN + `","` + EnterpriseURN + `"],` + attrs + `,"` + EnterpriseURN + `":` + extension + `}`
}

func TestRecordedUserBodiesAreUnderstood(t *testing.T) {
	t.Parallel()
	cases := []struct {
		file                             string
		want                             string
		active, given                    bool
		display, address, dept, external string
	}{
		{"user_okta_post.json",
			core(`"externalId":"00uOKTAUSERID","userName":"mia@acme.test","name":{"familyName":"Ono","givenName":"Mia"},"displayName":"Mia Ono","locale":"en-US","emails":[{"value":"mia@acme.test","type":"work","primary":true}]`),
			true, true, "Mia Ono", "mia@acme.test", "", "00uOKTAUSERID"},
		{"user_okta_put_deactivate.json",
			core(`"externalId":"00uOKTAUSERID","userName":"mia@acme.test","name":{"familyName":"Ono","givenName":"Mia"},"displayName":"Mia Ono","locale":"en-US","emails":[{"value":"mia@acme.test","type":"work","primary":true}]`),
			false, true, "Mia Ono", "mia@acme.test", "", "00uOKTAUSERID"},
		{"user_okta_enterprise_unlisted.json",
			extended(`"userName":"mia@acme.test","name":{"familyName":"Ono","givenName":"Mia"},"title":"Engineer","userType":"Employee","phoneNumbers":[{"value":"+49 30 1234","type":"work"}],"addresses":[{"streetAddress":"Allee 1","locality":"Berlin","region":"BE","postalCode":"10115","country":"DE","type":"work","primary":true}]`,
				`{"employeeNumber":"701984","costCenter":"4130","organization":"Acme","division":"R&D","department":"Search","manager":{"value":"00uBOSS","displayName":"Bo Ss"}}`),
			true, true, "Mia Ono", "mia@acme.test", "Search", ""},
		{"user_entra_post.json",
			extended(`"externalId":"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef","userName":"Test_User_ab6490ee@acme.test","name":{"formatted":"given family","familyName":"family","givenName":"given"},"displayName":"Test User","emails":[{"value":"Test_User_fd0ea19b@acme.test","type":"work","primary":true}],"roles":[{"value":"App.Reader","display":"Reader","primary":false}]`,
				`{"manager":{"value":"26118915-6090-4610-87e4-49d8ca9f808d"}}`),
			true, true, "Test User", "Test_User_fd0ea19b@acme.test", "", "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"},
		{"user_entra_flat_keys.json",
			extended(`"userName":"lea@acme.test","name":{"familyName":"Ek","givenName":"Lea"},"displayName":"Lea Ek","emails":[{"value":"lea@acme.test","type":"work"}]`,
				`{"department":"Sales"}`),
			false, false, "Lea Ek", "lea@acme.test", "Sales", ""},
		{"user_onelogin_scim1.json",
			extended(`"externalId":"11223344","userName":"ben@acme.test","name":{"givenName":"Ben"},"emails":[{"value":"ben@acme.test","type":"work","primary":true}],"phoneNumbers":[{"value":"+1 555 0100"}]`,
				`{"employeeNumber":"701984"}`),
			true, true, "Ben", "ben@acme.test", "", "11223344"},
	}
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			u := decodeUser(t, string(read(t, c.file)))
			if diff := cmp.Diff(c.want, string(u.Stored())); diff != "" {
				t.Error(diff)
			}
			active, given := u.Active()
			got := []any{active, given, u.DisplayName(), u.Address(), u.Department(), u.ExternalID()}
			if diff := cmp.Diff([]any{c.active, c.given, c.display, c.address, c.dept, c.external}, got); diff != "" {
				t.Error(diff)
			}
			again, err := LoadUser(u.Stored(), active)
			if err != nil || !bytes.Equal(again.Stored(), u.Stored()) {
				t.Errorf("load: %v, %s", err, again.Stored())
			}
		})
	}
}

func TestTolerableContentNeverFailsAWrite(t *testing.T) {
	t.Parallel()
	plain := core(`"userName":"a"`)
	cases := map[string]struct{ body, want string }{
		"no schemas":                  {`{"userName":"a"}`, plain},
		"schemas as a string":         {`{"schemas":"urn:x","userName":"a"}`, plain},
		"schemas null":                {`{"schemas":null,"userName":"a"}`, plain},
		"names in any case":           {`{"USERNAME":"a","EMAILS":[{"VALUE":"b@x","Type":"work"}]}`, core(`"userName":"a","emails":[{"value":"b@x","type":"work"}]`)},
		"unknown attribute":           {`{"userName":"a","shoeSize":{"eu":[43]}}`, plain},
		"unknown attribute, huge":     {`{"userName":"a","shoeSize":"` + strings.Repeat("x", 100000) + `"}`, plain},
		"unknown attribute, control":  {`{"userName":"a","shoeSize":"\u0000\u202e"}`, plain},
		"unknown attribute, twice":    {`{"userName":"a","x":{"b":1,"b":2},"x":1}`, plain},
		"unknown sub-attribute":       {`{"userName":"a","name":{"nick":5}}`, plain},
		"unknown in the extension":    {`{"userName":"a","` + EnterpriseURN + `":{"desk":5}}`, plain},
		"unparsable name":             {`{"userName":"a","emails[type eq":"x","..":1,":":2}`, plain},
		"read-only attributes":        {`{"userName":"a","id":7,"meta":[],"groups":"x"}`, plain},
		"a password":                  {`{"userName":"a","password":{"x":1}}`, plain},
		"nothing assigned":            {`{"userName":"a","title":null,"nickName":"","emails":[],"name":{},"roles":null,"phoneNumbers":"","active":null}`, plain},
		"empty elements":              {`{"userName":"a","emails":[null,{},"",{"type":"work","primary":true,"value":null}]}`, plain},
		"a single value in an array":  {`{"userName":["a"],"title":["t"],"name":[{"givenName":"g"}]}`, core(`"userName":"a","name":{"givenName":"g"},"title":"t"`)},
		"strings as values":           {`{"userName":"a","emails":["b@x","c@x"],"roles":"r"}`, core(`"userName":"a","emails":[{"value":"b@x"},{"value":"c@x"}],"roles":[{"value":"r"}]`)},
		"a number for a text":         {`{"userName":"a","addresses":[{"postalCode":10115}]}`, core(`"userName":"a","addresses":[{"postalCode":"10115"}]`)},
		"two primaries, first stays":  {`{"userName":"a","emails":[{"value":"b@x","primary":true},{"value":"c@x","primary":true}]}`, core(`"userName":"a","emails":[{"value":"b@x","primary":true},{"value":"c@x","primary":false}]`)},
		"manager cleared":             {`{"userName":"a","` + EnterpriseURN + `":{"manager":{"value":""}}}`, plain},
		"extension null":              {`{"userName":"a","` + EnterpriseURN + `":null}`, plain},
		"core URN as an object":       {`{"` + UserURN + `":{"userName":"a"}}`, plain},
		"dotted name refines":         {`{"name.givenName":"g","name":{"familyName":"f"},"userName":"a"}`, core(`"userName":"a","name":{"familyName":"f","givenName":"g"}`)},
		"several lines in an address": {`{"userName":"a","addresses":[{"formatted":"A 1\r\n\tB"}]}`, core(`"userName":"a","addresses":[{"formatted":"A 1\r\n\tB"}]`)},
		"no HTML escaping":            {`{"userName":"a","title":"<R&D>\u2028\u00e9"}`, core("\"userName\":\"a\",\"title\":\"<R&D>\u2028é\"")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := decodeUser(t, c.body)
			if diff := cmp.Diff(c.want, string(u.Stored())); diff != "" {
				t.Error(diff)
			}
			if _, given := u.Active(); given {
				t.Error("active was not sent, and is given")
			}
		})
	}
}

func TestActiveIsReadInEverySpelling(t *testing.T) {
	t.Parallel()
	for spelling, want := range map[string]bool{
		`true`: true, `"True"`: true, `"true"`: true, `[true]`: true, `["TRUE"]`: true, `" true "`: true,
		`false`: false, `"False"`: false, `"false"`: false, `[false]`: false, `["False"]`: false,
	} {
		u := decodeUser(t, `{"userName":"a","ACTIVE":`+spelling+`}`)
		if got, given := u.Active(); got != want || !given {
			t.Errorf("%s: got %v, given %v", spelling, got, given)
		}
	}
}

func TestWrongUserBodiesAreRefusedAndSayWhatToChange(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 257)
	cases := map[string]struct{ body, scimType, says string }{
		"no body":            {``, TypeInvalidSyntax, "no body"},
		"blank body":         {" \n", TypeInvalidSyntax, "no body"},
		"not JSON":           {`userName=a`, TypeInvalidSyntax, "not valid JSON at byte 1"},
		"truncated":          {`{"userName":"a"`, TypeInvalidSyntax, "not valid JSON"},
		"trailing data":      {`{"userName":"a"} {}`, TypeInvalidSyntax, "not valid JSON"},
		"an array":           {`[]`, TypeInvalidSyntax, "it is an array"},
		"invalid UTF-8":      {"{\"userName\":\"\xff\"}", TypeInvalidSyntax, "UTF-8"},
		"too deep":           {`{"userName":"a","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, TypeInvalidSyntax, "32 levels"},
		"duplicate":          {`{"userName":"a","username":"b"}`, TypeInvalidSyntax, "userName is given twice"},
		"duplicate inside":   {`{"userName":"a","emails":[{"value":"x@y","VALUE":"z@y"}]}`, TypeInvalidSyntax, "emails.value is given twice"},
		"duplicate URN":      {`{"userName":"a","` + EnterpriseURN + `":{},"` + strings.ToUpper(EnterpriseURN) + `":{}}`, TypeInvalidSyntax, "given twice"},
		"no userName":        {`{"displayName":"a"}`, TypeInvalidValue, "userName is required"},
		"null userName":      {`{"userName":null}`, TypeInvalidValue, "userName is required"},
		"blank userName":     {`{"userName":"  "}`, TypeInvalidValue, "userName is required"},
		"userName a number":  {`{"userName":5}`, TypeInvalidValue, "userName must be a string, but 5 was sent"},
		"active maybe":       {`{"userName":"a","active":"maybe"}`, TypeInvalidValue, `active must be true or false, but "maybe" was sent`},
		"active number":      {`{"userName":"a","active":0}`, TypeInvalidValue, "but 0 was sent"},
		"emails a number":    {`{"userName":"a","emails":7}`, TypeInvalidValue, "emails must be an array, but 7 was sent"},
		"emails of numbers":  {`{"userName":"a","emails":[7]}`, TypeInvalidValue, "emails.value must be a string"},
		"name a string":      {`{"userName":"a","name":"Ada"}`, TypeInvalidValue, "name must be an object"},
		"title an object":    {`{"userName":"a","title":{"x":1}}`, TypeInvalidValue, "title must be a string, but an object"},
		"two titles":         {`{"userName":"a","title":["x","y"]}`, TypeInvalidValue, "title has one value"},
		"extension a string": {`{"userName":"a","` + EnterpriseURN + `":"x"}`, TypeInvalidValue, "must be an object"},
		"long userName":      {`{"userName":"` + long + `"}`, TypeInvalidValue, "more than 256"},
		"long name":          {`{"userName":"a","name":{"givenName":"` + long + `"}}`, TypeInvalidValue, "name.givenName has more than 256"},
		"long e-mail":        {`{"userName":"a","emails":[{"value":"` + long + `"}]}`, TypeInvalidValue, "emails.value has more than 254"},
		"long title":         {`{"userName":"a","title":"` + strings.Repeat("x", 4097) + `"}`, TypeInvalidValue, "more than 4096"},
		"newline in a name":  {`{"userName":"a","displayName":"x\ny"}`, TypeInvalidValue, "U+000A"},
		"bidi override":      {`{"userName":"a\u202eb"}`, TypeInvalidValue, "U+202E"},
		"NUL anywhere":       {`{"userName":"a","title":"\u0000"}`, TypeInvalidValue, "U+0000"},
		"too many values":    {`{"userName":"a","roles":["r"` + strings.Repeat(`,"r"`, MaxValues) + `]}`, TypeInvalidValue, "more than 500 values"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := DecodeUser(strings.NewReader(c.body))
			e := refusal(t, err)
			if e.Status != 400 || e.Type != c.scimType || !strings.Contains(e.Detail, c.says) {
				t.Errorf("got %d %s %q, want %s with %q", e.Status, e.Type, e.Detail, c.scimType, c.says)
			}
		})
	}
}

func TestReaderErrorsPassThrough(t *testing.T) {
	t.Parallel()
	body := `{"userName":"` + strings.Repeat("x", 100) + `","displayName":"x","members":[]}`
	limited := func() io.Reader { return http.MaxBytesReader(nil, io.NopCloser(strings.NewReader(body)), 20) }
	_, user := DecodeUser(limited())
	_, group := DecodeGroup(limited())
	_, patch := DecodePatch(limited())
	for _, err := range []error{user, group, patch} {
		if _, ok := errors.AsType[*http.MaxBytesError](err); !ok {
			t.Errorf("got %v", err)
		}
	}
}

// Slack, April 2024: a field that was not sent was taken for a deactivation.
func TestNoSubsetOfFieldsGivesActive(t *testing.T) {
	t.Parallel()
	fields := []string{
		`"schemas":["` + UserURN + `"]`, `"externalId":"e"`, `"name":{"givenName":"g","familyName":"f"}`, `"displayName":"d"`,
		`"emails":[{"value":"a@b","primary":true}]`, `"title":null`, `"groups":[]`, `"password":"p"`,
		`"roles":[{"value":"r","primary":"False"}]`, `"` + EnterpriseURN + `":{"department":"x"}`, `"locale":""`, `"active":"False"`,
	}
	for set := range 1 << len(fields) {
		body := []string{`"userName":"a"`}
		for i, f := range fields {
			if set&(1<<i) != 0 {
				body = append(body, f)
			}
		}
		sent := set&(1<<(len(fields)-1)) != 0
		object := "{" + strings.Join(body, ",") + "}"
		u := decodeUser(t, object)
		if value, given := u.Active(); given != sent || value {
			t.Fatalf("%s: active %v, given %v", object, value, given)
		}
		for _, op := range []string{"add", "replace"} {
			stored := decodeUser(t, `{"userName":"a"}`)
			stored.SetActive(true)
			applyPatch(t, stored, `{"Operations":[{"op":"`+op+`","value":`+strings.ReplaceAll(object, "False", "false")+`}]}`)
			if value, given := stored.Active(); value == sent || !given {
				t.Fatalf("%s %s: active %v, given %v", op, object, value, given)
			}
		}
	}
}

func TestPasswordIsKeptNowhere(t *testing.T) {
	t.Parallel()
	u := decodeUser(t, `{"userName":"a","password":"s3cret"}`)
	applyPatch(t, u, `{"Operations":[{"op":"replace","path":"password","value":"s3cret"},{"op":"replace","value":{"password":"s3cret"}}]}`)
	loaded, err := LoadUser([]byte(core(`"userName":"a","password":"s3cret"`)), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []*User{u, loaded} {
		if b := AppendUser(nil, u.Stored(), true, Meta{}, nil, Projection{}); bytes.Contains(b, []byte("s3cret")) {
			t.Errorf("%s", b)
		}
	}
}

func TestAddressIsChosenInOrder(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`"emails":[{"value":"h@x.test","type":"home"},{"value":"w@x.test","type":"Work"},{"value":"p@x.test","primary":true}]`: "p@x.test",
		`"emails":[{"value":"h@x.test","type":"home"},{"value":"w@x.test","type":"work"}]`:                                     "w@x.test",
		`"emails":[{"value":"h@x.test","type":"home"},{"value":"o@x.test","type":"other"}]`:                                    "h@x.test",
		`"emails":[{"value":"n/a","primary":true},{"value":"o@x.test"}]`:                                                       "o@x.test",
		`"emails":[{"value":"Ada <a@x.test>"}]`:                                                                                "",
		`"title":"t"`:                                                                                                          "",
	} {
		if got := decodeUser(t, `{"userName":"ada",`+body+`}`).Address(); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
	if got := decodeUser(t, `{"userName":" ada@x.test "}`).Address(); got != "ada@x.test" {
		t.Errorf("userName: got %q", got)
	}
}

func TestDisplayNameFallsBack(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`"displayName":"D","name":{"formatted":"F","givenName":"G"}`: "D",
		`"displayName":" ","name":{"formatted":"F","givenName":"G"}`: "F",
		`"name":{"givenName":"G","familyName":"H"}`:                  "G H",
		`"name":{"familyName":"H"}`:                                  "H",
		`"title":"t"`:                                                "ada",
	} {
		if got := decodeUser(t, `{"userName":"ada",`+body+`}`).DisplayName(); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestMirroredMembersAlwaysHaveBothNames(t *testing.T) {
	t.Parallel()
	cases := []struct{ userName, given, family, email, wantGiven, wantFamily string }{
		{"ada@x.test", "Ada", "Lovelace", "ada@x.test", "Ada", "Lovelace"},
		{"ada@x.test", "Ada King Lovelace", "", "ada@x.test", "Ada King", "Lovelace"},
		{"ada@x.test", "", "Lovelace", "ada@x.test", "Lovelace", "Lovelace"},
		{"ada", "", "", "ada.lovelace@x.test", "Ada", "Lovelace"},
		{"élodie@x.test", "", "", "", "Élodie", "Élodie"},
		{"--@x.test", "", "", "", "--@x.test", "--@x.test"},
		{"", "", "", "", "Member", "Member"},
	}
	for _, c := range cases {
		u := NewUser(c.userName, c.given, c.family, c.email)
		if u.GivenName() != c.wantGiven || u.FamilyName() != c.wantFamily || u.UserName() != c.userName {
			t.Errorf("%+v: got %q %q", c, u.GivenName(), u.FamilyName())
		}
		if _, given := u.Active(); given || !json.Valid(u.Stored()) {
			t.Errorf("%s", u.Stored())
		}
		if c.email != "" && u.Address() != c.email {
			t.Errorf("address %q", u.Address())
		}
	}
}

func TestLoadRefusesWhatIsNoUser(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{``, `[]`, `{`, `"x"`, `{"userName":{}` + `,"title":{"x":1}}`} {
		if _, err := LoadUser([]byte(stored), true); err == nil {
			t.Errorf("%q was loaded", stored)
		}
	}
}
