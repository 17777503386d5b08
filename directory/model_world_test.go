package directory_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
)

// modelWorld is people and groups in a database, and what the reference knows of them.
type modelWorld struct {
	*fixture.World
	dice
	people []modelPerson
	groups []modelGroup
	story  []string
}

type modelPerson struct {
	row   models.User // as last read
	attrs map[string]any
}

type modelGroup struct {
	row              models.Group
	name, externalID string
	members          map[string]bool // ids of people
}

func (w *modelWorld) fail(format string, args ...any) {
	w.T.Helper()
	w.T.Fatalf("%s\n%s", strings.Join(w.story, "\n"), fmt.Sprintf(format, args...))
}

func (w *modelWorld) must(err error) {
	w.T.Helper()
	if err != nil {
		w.fail("%v", err)
	}
}

// changeUser makes a random request of a random person, in the database and in the reference.
func (w *modelWorld) changeUser() {
	at := w.IntN(len(w.people))
	p, r := &w.people[at], w.request()
	dialect := scim.DialectOf(string(w.Connection.Provider))
	want, refusal := r.expect(refPatient{attrs: p.attrs, id: p.row.ID, create: dialect.CreateOnAbsent, lenient: dialect.IgnoreUnknownPaths})
	if refusal == "" && w.taken(at, want) {
		want, refusal = p.attrs, "uniqueness"
	}
	w.story = append(w.story, fmt.Sprintf("user %d: %s", at, r))
	c := w.Caller()
	var err error
	if r.ops == nil {
		var in *scim.User
		if in, err = scim.DecodeUser(strings.NewReader(r.text())); err == nil {
			_, err = w.Directory.ReplaceUser(w.T.Context(), c, p.row.ID, in)
		}
	} else {
		var patch *scim.Patch
		if patch, err = scim.DecodePatch(strings.NewReader(r.text())); err == nil {
			_, err = w.Directory.PatchUser(w.T.Context(), c, p.row.ID, patch)
		}
	}
	if got := scimType(w.T, err); got != refusal {
		w.fail("error %q (%v), want %q", got, err, refusal)
	}
	changed := !reflect.DeepEqual(want, p.attrs)
	p.attrs = want
	w.checkUser(p, changed)
}

// checkUser reads a person again.
func (w *modelWorld) checkUser(p *modelPerson, changed bool) {
	u, err := w.Directory.User(w.T.Context(), w.Caller(), p.row.ID)
	w.must(err)
	if got := shown(w.T, u.Resource, u.Active); !reflect.DeepEqual(p.attrs, got) {
		w.fail("want -, got +: %s", cmp.Diff(p.attrs, got))
	}
	if moved := u.Version != p.row.Version || !u.UpdatedAt.Equal(p.row.UpdatedAt); !changed && moved || changed && u.Version == p.row.Version {
		w.fail("the version went from %d to %d, changed is %v", p.row.Version, u.Version, changed)
	}
	p.row = u
}

// taken tells whether somebody else has the userName or the externalId.
func (w *modelWorld) taken(at int, attrs map[string]any) bool {
	name, _ := attrs["userName"].(string)
	for i, p := range w.people {
		other, _ := p.attrs["userName"].(string)
		if i != at && (refFold(other) == refFold(name) || attrs["externalId"] != nil && p.attrs["externalId"] == attrs["externalId"]) {
			return true
		}
	}
	return false
}

// member is a value for members and whom it means: "" nobody. wrong says that it is none, nested that it is called a group.
func (w *modelWorld) member() (value any, id string, wrong, nested bool) {
	p := w.people[w.IntN(len(w.people))]
	text := p.row.ID
	if w.chance(30) {
		text = oneOf(w.dice, modelTexts...)
		text = strings.ReplaceAll(text, " ", "")
	}
	for _, p := range w.people {
		if p.row.ID == text || p.attrs["externalId"] == any(text) {
			id = p.row.ID
		}
	}
	switch w.IntN(30) {
	case 0:
		return map[string]any{"display": "nobody"}, "", true, false
	case 1:
		return map[string]any{"value": text, "type": "Group"}, id, false, true
	case 2:
		return 7, "", true, false
	case 3:
		return text, id, false, false
	case 4:
		return map[string]any{"Value": text, "$ref": nil, "display": "whoever", "type": "User"}, id, false, false
	}
	return map[string]any{"value": text}, id, false, false
}

func (w *modelWorld) membersValue() (list []any, ids map[string]bool, wrong, nested bool) {
	list, ids = []any{}, map[string]bool{}
	for range w.IntN(4) {
		v, id, bad, group := w.member()
		list, wrong, nested = append(list, v), wrong || bad, nested || group
		if id != "" {
			ids[id] = true
		}
	}
	return list, ids, wrong, nested
}

func refuse(scimType string) { panic(refRefused(scimType)) }

// groupOperation is an operation of a PATCH: as sent, and what it makes of a group.
func (w *modelWorld) groupOperation() (string, func(*modelGroup)) {
	verb := oneOf(w.dice, "add", "replace", "remove")
	word := w.anyCase(verb)
	op := func(path string, value ...any) string {
		o := map[string]any{"op": word, "path": path}
		if path == "" {
			delete(o, "path")
		}
		if len(value) > 0 {
			o["value"] = value[0]
		}
		return refJSON(o)
	}
	prefix := ""
	if w.chance(15) {
		prefix = w.anyCase(coreGroup) + ":"
	}
	switch w.IntN(8) {
	case 0, 1:
		path, text := w.anyCase("displayName"), w.text()
		rename := func(g *modelGroup) { g.name = groupName(text) }
		if verb == "remove" {
			return op(prefix + path), func(*modelGroup) { refuse("mutability") }
		}
		if w.chance(40) {
			return op("", map[string]any{"id": w.groups[0].row.ID, prefix + path: text}), func(g *modelGroup) {
				if prefix+path < "id" { // as they are sent
					rename(g)
				}
				if g.row.ID != w.groups[0].row.ID {
					refuse("mutability")
				}
				rename(g)
			}
		}
		return op(prefix+path, text), rename
	case 2:
		text := w.text()
		if verb == "remove" {
			return op(prefix + "externalId"), func(g *modelGroup) { g.externalID = "" }
		}
		return op(prefix+"externalId", text), func(g *modelGroup) { g.externalID, _ = refOwnID.take(text).(string) }
	case 3:
		v, id, bad, _ := w.member()
		text, ok := v.(string)
		if o, isObject := v.(map[string]any); isObject {
			text, ok = o["value"].(string)
		}
		if !ok || bad {
			return op(w.anyCase("members")+`[display eq "x"]`, v), func(*modelGroup) { refuse("invalidFilter") }
		}
		path := prefix + w.anyCase("members") + "[" + w.anyCase("value") + " eq " + refJSON(text) + "]"
		return op(path), func(g *modelGroup) {
			switch verb {
			case "replace":
				refuse("invalidPath")
			case "add":
				g.join(map[string]bool{id: true})
			default:
				delete(g.members, id)
			}
		}
	case 4:
		if w.chance(50) {
			return op("nonsense", "x"), func(*modelGroup) {
				if !scim.DialectOf(string(w.Connection.Provider)).IgnoreUnknownPaths {
					refuse("invalidPath")
				}
			}
		}
		if verb == "remove" {
			return op("members"), func(g *modelGroup) { clear(g.members) }
		}
		return op("meta", "x"), func(*modelGroup) { refuse("mutability") }
	}
	list, ids, wrong, nested := w.membersValue()
	wrong = wrong || nested && verb != "remove" // a group may leave
	path := prefix + w.anyCase("members")
	do := func(g *modelGroup) {
		switch {
		case wrong:
			refuse("invalidValue")
		case verb == "remove":
			maps.DeleteFunc(g.members, func(id string, _ bool) bool { return ids[id] })
		case verb == "replace":
			clear(g.members)
			g.join(ids)
		default:
			g.join(ids)
		}
	}
	if verb != "remove" && w.chance(30) {
		return op("", map[string]any{path: list}), do
	}
	return op(path, list), do
}

func (g *modelGroup) join(ids map[string]bool) {
	maps.Copy(g.members, ids)
	delete(g.members, "")
}

// groupName is a displayName as a group takes it.
func groupName(v any) string {
	s, _ := refName.take(v).(string)
	if s = strings.TrimSpace(s); s == "" {
		refuse("invalidValue")
	}
	return s
}

// groupBody is the body of a PUT and what it makes of a group.
func (w *modelWorld) groupBody() (string, func(*modelGroup)) {
	body, text := map[string]any{"schemas": []any{coreGroup}, "id": "other", "meta": map[string]any{}, "nonsense": 1}, w.text()
	body[w.anyCase("displayName")] = text
	var id any
	if w.chance(60) {
		id = w.text()
		body["externalId"] = id
	}
	list, ids, wrong, nested := w.membersValue()
	wrong = wrong || nested
	given := w.chance(60)
	if given {
		body[w.anyCase("members")] = list
	}
	return refJSON(body), func(g *modelGroup) {
		g.name = groupName(text)
		g.externalID, _ = refOwnID.take(id).(string)
		if wrong && given {
			refuse("invalidValue")
		}
		if given {
			clear(g.members)
			g.join(ids)
		}
	}
}

func (w *modelWorld) changeGroup() {
	at := w.IntN(len(w.groups))
	g := &w.groups[at]
	method, body := "PUT", ""
	var do func(*modelGroup)
	if w.chance(25) {
		body, do = w.groupBody()
	} else {
		method = "PATCH"
		var ops []string
		var does []func(*modelGroup)
		for range 1 + w.IntN(3) {
			op, does1 := w.groupOperation()
			ops, does = append(ops, op), append(does, does1)
		}
		body = `{"Operations":[` + strings.Join(ops, ",") + "]}"
		do = func(g *modelGroup) {
			for _, do := range does {
				do(g)
			}
		}
	}
	w.story = append(w.story, fmt.Sprintf("group %d: %s %s", at, method, body))
	want, refusal := w.expectGroup(at, do)
	c := w.Caller()
	var err error
	if method == "PUT" {
		var in *scim.Group
		if in, err = scim.DecodeGroup(strings.NewReader(body)); err == nil {
			_, err = w.Directory.ReplaceGroup(w.T.Context(), c, g.row.ID, in)
		}
	} else {
		var patch *scim.Patch
		var changes []scim.GroupChange
		if patch, err = scim.DecodePatch(strings.NewReader(body)); err == nil {
			changes, err = patch.GroupChanges(g.row.ID, scim.DialectOf(string(w.Connection.Provider)))
		}
		if err == nil {
			_, err = w.Directory.PatchGroup(w.T.Context(), c, g.row.ID, changes)
		}
	}
	if got := scimType(w.T, err); got != refusal {
		w.fail("error %q (%v), want %q", got, err, refusal)
	}
	*g = want
	w.checkGroup(g)
}

func (w *modelWorld) expectGroup(at int, do func(*modelGroup)) (want modelGroup, scimType string) {
	want = w.groups[at]
	want.members = maps.Clone(want.members)
	defer func() {
		if r := recover(); r != nil {
			want, scimType = w.groups[at], string(r.(refRefused))
		}
	}()
	do(&want)
	for i, g := range w.groups {
		if i != at && refFold(g.name) == refFold(want.name) {
			refuse("uniqueness")
		}
	}
	return want, ""
}

// checkGroup reads a group again, and the groups of everybody.
func (w *modelWorld) checkGroup(g *modelGroup) {
	row, err := w.Directory.Group(w.T.Context(), w.Caller(), g.row.ID)
	w.must(err)
	members, err := w.Directory.GroupMembers(w.T.Context(), row)
	w.must(err)
	got := refParse(scim.AppendGroup(nil, scim.GroupView{DisplayName: row.DisplayName, ExternalID: row.ExternalID, Members: members[row.ID]}, scim.Meta{ID: row.ID}, scim.Projection{}))
	delete(got, "meta")
	want := map[string]any{"schemas": []any{coreGroup}, "id": row.ID, "displayName": g.name, "members": []any{}}
	if g.externalID != "" {
		want["externalId"] = g.externalID
	}
	list := []any{}
	var rows []models.User
	for _, p := range w.people {
		if g.members[p.row.ID] {
			list = append(list, map[string]any{"value": p.row.ID, "display": p.attrs["userName"]})
		}
		rows = append(rows, p.row)
	}
	want["members"] = list
	if !reflect.DeepEqual(got, want) {
		w.fail("want -, got +: %s", cmp.Diff(want, got))
	}
	of, err := w.Directory.UserGroups(w.T.Context(), rows...)
	w.must(err)
	for _, p := range w.people {
		var want []scim.GroupRef
		for _, g := range w.groups {
			if g.members[p.row.ID] {
				want = append(want, scim.GroupRef{Value: g.row.ID, Display: g.name})
			}
		}
		got := slices.Clone(of[p.row.ID])
		byID := func(a, b scim.GroupRef) int { return strings.Compare(a.Value, b.Value) }
		slices.SortFunc(got, byID)
		if slices.SortFunc(want, byID); !slices.Equal(got, want) {
			w.fail("%s is in %v, want %v", p.row.UserName, got, want)
		}
	}
	g.row = row
}

func TestRandomChangesInADatabaseAreThoseOfTheReference(t *testing.T) {
	t.Parallel()
	seed, steps := modelRun(200)
	fixture.Each(t, func(t *testing.T, world *fixture.World) {
		for run, provider := range []models.Provider{models.ProviderOkta, models.ProviderCustom} {
			if run > 0 {
				issued, err := world.Directory.CreateConnection(t.Context(), world.Workspace, provider, "test")
				if err != nil {
					t.Fatal(err)
				}
				world.Connection = issued.Connection
			}
			w := &modelWorld{World: world, dice: newDice(seed, uint64(run)), story: []string{fmt.Sprintf("MODEL_SEED=%d, as %s", seed, provider)}}
			for i := range 4 {
				name := fmt.Sprintf("%s-%d@acme.test", provider, i)
				u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"`+name+`"}`))
				w.must(err)
				w.people = append(w.people, modelPerson{u, map[string]any{"userName": name, "active": true}})
			}
			for i := range 3 {
				g := w.Group(fmt.Sprint("Group ", i))
				w.groups = append(w.groups, modelGroup{row: g, name: g.DisplayName, members: map[string]bool{}})
			}
			for range steps / 2 {
				w.Clock.Advance(time.Second)
				if w.chance(50) {
					w.changeUser()
				} else {
					w.changeGroup()
				}
			}
			for i := range w.people {
				w.checkUser(&w.people[i], false)
			}
			for i := range w.groups {
				w.checkGroup(&w.groups[i])
			}
		}
	})
}
