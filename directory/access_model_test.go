package directory_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
)

// sender is how a provider writes the changes of a user. fields holds what it sends, by the names in changeFields;
// "active" is a bool.
type sender struct {
	name     string
	provider models.Provider
	put      func(fields map[string]any) string
	patch    func(fields map[string]any) string // the Operations
}

// changeFields are what a request may say of a user, beside active.
var changeFields = map[string]any{
	"userName": "ada@acme.test", "name": map[string]any{"givenName": "Ada", "familyName": "Ono"}, "title": "Engineer",
	"emails": []any{map[string]any{"value": "ada@acme.test", "type": "work", "primary": true}},
	"groups": []any{}, "password": "Secret-9317", enterprise: map[string]any{"department": "Search", "manager": map[string]any{"value": "26118915"}},
}

// flat is the object with names that are paths, as Entra sends them.
func flat(fields map[string]any) map[string]any {
	o := maps.Clone(fields)
	for _, name := range []string{"name", enterprise} {
		parts, _ := fields[name].(map[string]any)
		delete(o, name)
		for part, v := range parts {
			if name == enterprise {
				o[enterprise+":"+part] = v
			} else {
				o[name+"."+part] = v
			}
		}
	}
	if o["emails"] != nil {
		delete(o, "emails")
		o[`emails[type eq "work"].value`] = "ada@acme.test"
	}
	return o
}

// each is an operation with a path for every member.
func each(verb string, o map[string]any) string {
	var ops []string
	for _, path := range sortedKeys(o) {
		if path == "groups" {
			ops = append(ops, `{"op":"`+verb+`","value":{"groups":[]}}`)
			continue
		}
		ops = append(ops, refJSON(map[string]any{"op": verb, "path": path, "value": o[path]}))
	}
	return strings.Join(ops, ",")
}

func with(fields map[string]any, name string, v any) map[string]any {
	if _, ok := fields[name]; !ok {
		return fields
	}
	o := maps.Clone(fields)
	o[name] = v
	return o
}

// word is active as a text, which Entra sends.
func word(fields map[string]any) map[string]any {
	if fields["active"] == true {
		return with(fields, "active", "True")
	}
	return with(fields, "active", "False")
}

// nulls says of everything else that it has no value.
func nulls(fields map[string]any) map[string]any {
	o := maps.Clone(fields)
	for _, name := range append(sortedKeys(changeFields), "active", "displayName", "externalId", "phoneNumbers", "addresses") {
		if _, sent := o[name]; !sent && name != "userName" {
			o[name] = nil
		}
	}
	return o
}

var senders = []sender{
	{"okta", models.ProviderOkta, func(f map[string]any) string { return refJSON(f) },
		func(f map[string]any) string { return `{"op":"replace","value":` + refJSON(f) + `}` }},
	{"entra", models.ProviderEntra, func(f map[string]any) string { return refJSON(word(f)) },
		func(f map[string]any) string { return each("Add", flat(word(f))) }},
	{"entra with aadOptscim062020", models.ProviderEntra, func(f map[string]any) string { return refJSON(flat(f)) },
		func(f map[string]any) string { return `{"op":"Replace","value":` + refJSON(flat(f)) + `}` }},
	{"onelogin", models.ProviderOneLogin, func(f map[string]any) string {
		f = with(with(f, "emails", []any{"ada@acme.test"}), "active", []any{f["active"]})
		f = maps.Clone(f)
		f["schemas"] = []any{"urn:scim:schemas:core:1.0"}
		return refJSON(f)
	}, func(f map[string]any) string { return `{"op":"replace","value":[` + refJSON(f) + `]}` }},
	{"jumpcloud", models.ProviderJumpCloud, func(f map[string]any) string { return refJSON(nulls(f)) },
		func(f map[string]any) string {
			return `{"op":"replace","value":` + refJSON(nulls(f)) + `},{"op":"add","value":{}}`
		}},
}

// request is what the sender sends for the subset of changeFields that bits name. active is nil where it is not asked for.
func (s sender) request(method string, bits int, active *bool) string {
	fields := map[string]any{}
	for i, name := range sortedKeys(changeFields) {
		if bits&(1<<i) != 0 {
			fields[name] = changeFields[name]
		}
	}
	if active != nil {
		fields["active"] = *active
	}
	if method == "PATCH" {
		return `{"Operations":[` + s.patch(fields) + `]}`
	}
	return s.put(fields)
}

// namesUser tells the subsets with a userName; a PUT without one is refused.
func namesUser(bits int) bool {
	for i, name := range sortedKeys(changeFields) {
		if name == "userName" {
			return bits&(1<<i) != 0
		}
	}
	panic("no userName")
}

// everySubset runs over the subsets of changeFields, each without active and then with the other active.
func everySubset(active bool, run func(bits int, asked *bool, wanted bool)) {
	for bits := range 1 << len(changeFields) {
		run(bits, nil, active)
		active = !active
		asked := active
		run(bits, &asked, active)
	}
}

func TestNoRequestChangesActiveUnlessItAsksForIt(t *testing.T) {
	t.Parallel()
	for _, s := range senders {
		for _, method := range []string{"PUT", "PATCH"} {
			stored, active := `{"schemas":["`+coreUser+`"],"userName":"ada"}`, method == "PUT"
			everySubset(active, func(bits int, asked *bool, wanted bool) {
				body := s.request(method, bits, asked)
				if method == "PUT" {
					u, err := scim.DecodeUser(strings.NewReader(body))
					if (err == nil) != namesUser(bits) {
						t.Fatalf("%s: PUT %s: %v", s.name, body, err)
					}
					if value, given := u.Active(); err == nil && (given != (asked != nil) || given && value != *asked) {
						t.Fatalf("%s: PUT %s: active is given as %v: %v", s.name, body, value, given)
					}
					return
				}
				p, err := scim.DecodePatch(strings.NewReader(body))
				if err != nil {
					t.Fatalf("%s: PATCH %s: %v", s.name, body, err)
				}
				u, err := scim.LoadUser([]byte(stored), active)
				if err == nil {
					_, err = p.ApplyUser(u, "U1", scim.DialectOf(string(s.provider)))
				}
				if err != nil {
					t.Fatalf("%s: PATCH %s: %v", s.name, body, err)
				}
				if active, _ = u.Active(); active != wanted {
					t.Fatalf("%s: PATCH %s: active is %v", s.name, body, active)
				}
			})
		}
	}
}

// The same in a database, where a subset is sent by one of the providers in turn: neither access nor memberships change.
func TestNoRequestChangesAccessOrMembershipsUnlessItAsksForIt(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		for m, method := range []string{"PUT", "PATCH"} {
			u := w.User(fmt.Sprint("ada", m))
			changeNames := strings.NewReplacer("ada@acme.test", u.UserName)
			g := w.Group(fmt.Sprint("group ", m), u.ID, "nobody yet")
			everySubset(true, func(bits int, asked *bool, wanted bool) {
				s := senders[(bits+m)%len(senders)]
				c := w.Caller()
				c.Access.Provider = s.provider
				body := changeNames.Replace(s.request(method, bits, asked))
				var now models.User
				var err error
				if method == "PUT" {
					var in *scim.User
					if in, err = scim.DecodeUser(strings.NewReader(body)); err == nil {
						now, err = w.Directory.ReplaceUser(t.Context(), c, u.ID, in)
					}
					if !namesUser(bits) {
						if asked != nil { // it was refused: ask alone
							w.SetActive(u.ID, *asked)
						}
						if err == nil {
							t.Fatalf("%s: PUT %s: no error", s.name, body)
						}
						now, err = w.Directory.User(t.Context(), c, u.ID)
					}
				} else {
					var p *scim.Patch
					if p, err = scim.DecodePatch(strings.NewReader(body)); err == nil {
						now, err = w.Directory.PatchUser(t.Context(), c, u.ID, p)
					}
				}
				if err != nil || now.Active != wanted {
					t.Fatalf("%s: %s %s: active is %v, want %v, %v", s.name, method, body, now.Active, wanted, err)
				}
				if asked == nil || bits%4 != 3 { // who has left a group does not come back by chance
					return
				}
				groups, err := w.Directory.UserGroups(t.Context(), now)
				if err != nil || len(groups[u.ID]) != 1 || groups[u.ID][0].Value != g.ID {
					t.Fatalf("%s: %s %s: the groups are %v, %v", s.name, method, body, groups[u.ID], err)
				}
			})
			if members, err := w.Directory.GroupMembers(t.Context(), g); err != nil || len(members[g.ID]) != 1 {
				t.Errorf("the members are %v, %v", members, err)
			}
		}
	})
}
