package scim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var meta = Meta{
	ID: "U1", Location: "https://outpost.test/scim/v2/c/Users/U1", Version: "3",
	Created:      time.Date(2026, 11, 24, 9, 0, 0, 0, time.FixedZone("", 3600)),
	LastModified: time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC),
}

const (
	metaJSON  = `"meta":{"resourceType":"User","created":"2026-11-24T08:00:00.000Z","lastModified":"2026-11-24T09:00:00.123Z","location":"https://outpost.test/scim/v2/c/Users/U1","version":"W/\"3\""}`
	groupJSON = `"groups":[{"value":"G1","$ref":"https://outpost.test/scim/v2/c/Groups/G1","display":"R&D","type":"direct"},{"value":"G2","$ref":"https://outpost.test/scim/v2/c/Groups/G2","type":"direct"}]`
)

var refs = []GroupRef{{"G1", "R&D", "https://outpost.test/scim/v2/c/Groups/G1"}, {"G2", "", "https://outpost.test/scim/v2/c/Groups/G2"}}

func TestAppendUser(t *testing.T) {
	t.Parallel()
	u := ada(t)
	name, maths := adaName, adaMaths
	both := `{"schemas":["` + UserURN + `","` + EnterpriseURN + `"],"id":"U1"`
	one := `{"schemas":["` + UserURN + `"],"id":"U1"`
	cases := map[string]struct {
		attributes, excluded string
		groups               []GroupRef
		want                 string
	}{
		"all":                    {"", "", refs, both + `,"userName":"ada",` + name + `,"title":"Countess",` + adaEmails + `,"` + EnterpriseURN + `":` + maths + `,"active":true,` + groupJSON + `,` + metaJSON + `}`},
		"no groups":              {" , ", "", nil, both + `,"userName":"ada",` + name + `,"title":"Countess",` + adaEmails + `,"` + EnterpriseURN + `":` + maths + `,"active":true,` + metaJSON + `}`},
		"some":                   {"userName,ACTIVE", "", refs, one + `,"userName":"ada","active":true}`},
		"parts":                  {"name.givenname, emails.value,groups.display,meta.version", "", refs, one + `,"name":{"givenName":"Ada"},"emails":[{"value":"w@x.test"},{"value":"h@x.test"}],"groups":[{"display":"R&D"},{}],"meta":{"version":"W/\"3\""}}`},
		"URN names":              {UserURN + ":title," + EnterpriseURN + ":manager.value", "", nil, both + `,"title":"Countess","` + EnterpriseURN + `":{"manager":{"value":"M1"}}}`},
		"an extension":           {EnterpriseURN, "", nil, both + `,"` + EnterpriseURN + `":` + maths + `}`},
		"parts that are missing": {"emails.display,name.middleName," + EnterpriseURN + ":division", "", nil, one + `}`},
		"unknown":                {"shoeSize", "", refs, one + `}`},
		"a whole and a part":     {"name,name.givenName", "", nil, one + `,` + name + `}`},
		"without":                {"", "emails,groups,META," + EnterpriseURN + ",id,schemas", refs, one + `,"userName":"ada",` + name + `,"title":"Countess","active":true}`},
		"without a part":         {"", "name.familyName,emails,meta,active," + EnterpriseURN + ":manager", nil, both + `,"userName":"ada","name":{"givenName":"Ada"},"title":"Countess","` + EnterpriseURN + `":{"department":"Maths"}}`},
		"some without":           {"name", "name.familyName", nil, one + `,"name":{"givenName":"Ada"}}`},
	}
	for n, c := range cases {
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			got := AppendUser([]byte("x"), u.Stored(), true, meta, c.groups, ParseProjection(c.attributes, c.excluded))
			if diff := cmp.Diff("x"+c.want, string(got)); diff != "" {
				t.Error(diff)
			}
			if !json.Valid(got[1:]) {
				t.Error("not valid JSON")
			}
		})
	}
}

func TestAUserThatCannotBeReadStillShows(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{``, `{}`, `rubbish]`, `{"userName":"ada"}`} {
		b := AppendUser(nil, []byte(stored), false, meta, nil, Projection{})
		if !json.Valid(b) || !strings.Contains(string(b), `"id":"U1"`) || !strings.Contains(string(b), `"active":false`) {
			t.Errorf("%q: %s", stored, b)
		}
	}
}

func TestAppendGroup(t *testing.T) {
	t.Parallel()
	meta := Meta{ID: "G1", Version: "1"}
	const head, tail = `{"schemas":["` + GroupURN + `"],"id":"G1"`, `"meta":{"resourceType":"Group","version":"W/\"1\""}}`
	full := GroupView{"R&D", "x", []Member{{"U1", "ada"}, {"U2", ""}}, "https://outpost.test/scim/v2/c/Users/"}
	cases := []struct {
		group                GroupView
		attributes, excluded string
		want                 string
	}{
		{full, "", "", head + `,"externalId":"x","displayName":"R&D","members":[{"value":"U1","display":"ada"},{"value":"U2"}],` + tail},
		{GroupView{DisplayName: "G"}, "", "", head + `,"displayName":"G","members":[],` + tail},
		{full, "", "members", head + `,"externalId":"x","displayName":"R&D",` + tail},
		{full, "displayName", "", head + `,"displayName":"R&D"}`},
		{full, GroupURN + ":members.value", "", head + `,"members":[{"value":"U1"},{"value":"U2"}]}`},
	}
	for _, c := range cases {
		got := string(AppendGroup(nil, c.group, meta, ParseProjection(c.attributes, c.excluded)))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %s: %s", c.attributes, c.excluded, diff)
		}
	}
}

func TestProjectionWants(t *testing.T) {
	t.Parallel()
	if !(Projection{}).All() || !ParseProjection("", "").All() || ParseProjection("x", "").All() || ParseProjection("", "members").All() {
		t.Error("All is wrong")
	}
	if !ParseProjection("", "shoeSize").All() {
		t.Error("excluding what is unknown excludes something")
	}
	cases := []struct {
		attributes, excluded, attr string
		want                       bool
	}{
		{"userName", "", "ID", true}, {"userName", "", "schemas", true}, {"", "id", "id", true},
		{"userName", "", "emails", false}, {"emails.value", "", "emails", true}, {"emails.value", "", "emails.type", false},
		{"emails", "", "emails.type", true}, {"", "emails", "emails.value", false}, {"", "emails.value", "emails", true},
		{EnterpriseURN + ":department", "", EnterpriseURN, true}, {EnterpriseURN + ":department", "", EnterpriseURN + ":division", false},
		{EnterpriseURN, "", EnterpriseURN + ":manager.value", true}, {"", EnterpriseURN, EnterpriseURN + ":manager.value", false},
		{EnterpriseURN + ":manager.value", "", EnterpriseURN, true}, {"department", "", EnterpriseURN, false},
		{UserURN + ":name.givenName", "", "name.GIVENNAME", true},
	}
	for _, c := range cases {
		if got := ParseProjection(c.attributes, c.excluded).Wants(c.attr); got != c.want {
			t.Errorf("attributes=%s excludedAttributes=%s: wants %s is %v", c.attributes, c.excluded, c.attr, got)
		}
	}
}

func TestAHugeProjectionStaysSmall(t *testing.T) {
	t.Parallel()
	p := ParseProjection(strings.Repeat("x,y.z,emails,", 100000), "")
	if len(p.only) != 1 || !p.Wants("emails") || p.Wants("title") {
		t.Errorf("%d names", len(p.only))
	}
}
