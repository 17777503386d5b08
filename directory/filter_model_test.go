package directory_test

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// awkward are texts that databases, folding and escaping like to treat in their own ways.
var awkward = []string{
	"é", "É", "e\u0301", "ß", "ss", "SS", "ẞ", "İ", "i", "I", "ı", "i\u0307", "ſ", "s", "\u212a", "k", "Σ", "ς", "σ", "ﬁ", "fi", "Ａ", "a", "A", "\u1fb7\u0345",
	"it's", `say "x"`, "100%", "%", "_", "a_b", "aXb", `a\b`, `\`, `\\`, " x ", "x", "X", "\u00a0x\u2003", " ", "👩‍💻", "👩", "𝒳", "Zoë", "zoe", "Z", "~", "5", "true", "null", "a\tb",
	"\ufffd", "\u200d", "日本", "\u0301", "a\u00adb", "ab", "[", "(", "--", "/*", "$.x", "?", ":x", "{}", "Ǆ", "ǆ", "ǅ", "ﬀ", "ff", "Å", "\u212b", "ё", "Ё",
}

// letters are for names that may not have control characters.
var awkwardNames = slices.DeleteFunc(slices.Clone(awkward), func(s string) bool { return strings.Contains(s, "\t") })

func (d dice) awkward(a refAttr) string {
	from := awkward
	if a.line {
		from = awkwardNames
	}
	s := oneOf(d, from...)
	for d.chance(30) {
		s += oneOf(d, from...)
	}
	return s
}

// value is one that an attribute may have; nil is none.
func (d dice) awkwardValue(a refAttr) any {
	switch a.kind {
	case refTruth:
		return oneOf[any](d, true, false, nil)
	case refComplex:
		o := map[string]any{}
		for _, name := range sortedKeys(a.sub) {
			if d.chance(50) {
				o[name] = d.awkwardValue(a.sub[name])
			}
		}
		return o
	case refList:
		list := make([]any, d.IntN(3))
		for i := range list {
			list[i] = d.awkwardValue(refAttr{kind: refComplex, sub: a.sub})
			if d.chance(60) {
				list[i].(map[string]any)["type"] = oneOf(d, "work", "Work", "home", "WORK")
			}
		}
		return list
	}
	return d.awkward(a)
}

// person is the body of a POST of a random user, whose userName has n in it.
func (d dice) person(n int) string {
	body := map[string]any{"userName": d.awkward(refName) + strconv.Itoa(n) + oneOf(d, "@acme.test", "@ACME.test", ""), "active": d.chance(80)}
	for _, name := range sortedKeys(refUsers) {
		if a := refUsers[name]; body[name] == nil && a.kind != refDropped && name != "externalId" && !slices.Contains(refServer, name) && d.chance(35) {
			body[name] = d.awkwardValue(a)
		}
	}
	if d.chance(50) {
		body["externalId"] = d.awkward(refID) + strconv.Itoa(n)
	}
	if d.chance(50) {
		body[enterprise] = d.awkwardValue(refAttr{kind: refComplex, sub: refEnterprise})
	}
	return refJSON(body)
}

// population is the people and groups of a connection.
type population struct {
	*fixture.World
	dice
	users, groups, all []map[string]any // as SCIM shows them, in the order in which they were made
}

// populate makes people and groups and shows them.
func populate(t *testing.T, w *fixture.World, d dice, users, groups int) *population {
	t.Helper()
	p := &population{World: w, dice: d}
	var ids []string
	for i := range users {
		w.Clock.Advance(time.Duration(d.IntN(1500)) * time.Millisecond)
		u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(d.person(i)))
		if err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, u.ID); d.chance(15) {
			w.Clock.Advance(time.Second)
			w.SetActive(u.ID, d.chance(50))
		}
	}
	for i := range groups {
		w.Clock.Advance(time.Duration(d.IntN(1500)) * time.Millisecond)
		in := &scim.Group{DisplayName: strings.TrimSpace(d.awkward(refName) + strconv.Itoa(i)), Members: fixture.Members("waiting")}
		if d.chance(50) {
			in.ExternalID = d.awkward(refID)
		}
		for range d.IntN(8) {
			if id := oneOf(d, ids...); !slices.Contains(in.Members, scim.Member{Value: id}) {
				in.Members = append(in.Members, scim.Member{Value: id})
			}
		}
		if _, err := w.Directory.CreateGroup(t.Context(), w.Caller(), in); err != nil {
			t.Fatal(err)
		}
	}
	p.show()
	return p
}

// show reads everybody again.
func (p *population) show() {
	p.T.Helper()
	ctx, c, page := p.T.Context(), p.Caller(), scim.Query{Page: scim.Page{StartIndex: 1, Count: 200}}
	people, err := p.Directory.Users(ctx, c, page)
	if err != nil {
		p.T.Fatal(err)
	}
	groups, err := p.Directory.Groups(ctx, c, page)
	if err != nil {
		p.T.Fatal(err)
	}
	of, err := p.Directory.UserGroups(ctx, people.Rows...)
	if err != nil {
		p.T.Fatal(err)
	}
	members, err := p.Directory.GroupMembers(ctx, groups.Rows...)
	if err != nil {
		p.T.Fatal(err)
	}
	p.users, p.groups = nil, nil
	for _, u := range people.Rows {
		meta := scim.Meta{ID: u.ID, Location: "http://x/Users/" + u.ID, Created: u.CreatedAt, LastModified: u.UpdatedAt, Version: "1"}
		p.users = append(p.users, refParse(scim.AppendUser(nil, []byte(u.Resource), u.Active, meta, of[u.ID], scim.Projection{})))
	}
	for _, g := range groups.Rows {
		meta := scim.Meta{ID: g.ID, Location: "http://x/Groups/" + g.ID, Created: g.CreatedAt, LastModified: g.UpdatedAt, Version: "1"}
		p.groups = append(p.groups, refParse(scim.AppendGroup(nil, scim.GroupView{DisplayName: g.DisplayName, ExternalID: g.ExternalID, Members: members[g.ID]}, meta, scim.Projection{})))
	}
	p.all = append(slices.Clone(p.users), p.groups...)
	slices.SortFunc(p.all, func(a, b map[string]any) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
}

var refUserType, refGroupType = refType{urn: coreUser, attrs: refUsers}, refType{urn: coreGroup, attrs: refGroups}

// path is an attribute of a type.
func (p *population) path(t refType) refPath {
	table, at := t.attrs, refPath{}
	switch n := p.IntN(100); {
	case n < 20 && t.urn == coreUser:
		table, at.urn = refEnterprise, p.anyCase(enterprise)
	case n < 30:
		at.urn = p.anyCase(t.urn)
	}
	name := oneOf(p.dice, sortedKeys(table)...)
	if p.chance(25) && at.urn == "" {
		name = oneOf(p.dice, "id", "externalId", "displayName", "meta", "members", "groups", "emails", "emails", "userName")
	}
	a := table[name]
	at.attr = p.anyCase(name)
	if len(a.sub) > 0 && p.chance(75) {
		at.sub = p.anyCase(oneOf(p.dice, sortedKeys(a.sub)...))
	}
	if p.chance(1) {
		at.attr, at.sub = oneOf(p.dice, "nonsense", "password", "name.nonsense"), ""
	}
	return at
}

// near is a value to compare with, mostly one that somebody has, or a part of one, or in another case.
func (p *population) near(op string, values []any, a refAttr) any {
	if (op == "eq" || op == "ne") && p.chance(8) {
		return oneOf[any](p.dice, nil, 5, true)
	}
	if a.kind == refTruth && p.chance(95) {
		return oneOf[any](p.dice, true, false, "True")
	}
	s := oneOf(p.dice, awkward...)
	if values = slices.DeleteFunc(slices.Clone(values), func(v any) bool { _, ok := v.(string); return !ok }); len(values) > 0 && p.chance(85) {
		s = oneOf(p.dice, values...).(string)
		if a.kind == refMoment {
			return p.moment(s)
		}
		runes := []rune(s)
		from := p.IntN(len(runes) + 1)
		to := from + p.IntN(len(runes)-from+1)
		switch p.IntN(10) {
		case 0, 1:
			s = string(runes[from:to])
		case 2:
			s = string(runes[:to])
		case 3:
			s = string(runes[from:])
		case 4:
			s = strings.ToUpper(s)
		case 5:
			s = strings.ToLower(s)
		case 6:
			s = " " + s + " "
		}
	}
	return s
}

func (p *population) moment(s string) string {
	t, _ := time.Parse(time.RFC3339Nano, s)
	switch p.IntN(8) {
	case 0:
		return t.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano)
	case 1:
		return t.Add(time.Millisecond).Format(time.RFC3339Nano)
	case 2:
		return t.Add(123 * time.Microsecond).Format(time.RFC3339Nano)
	case 3:
		return t.Truncate(time.Second).Format("2006-01-02T15:04:05")
	case 4:
		return t.Format("2006-01-02")
	case 5:
		return "2026-02-30T00:00:00Z"
	}
	return s
}

var compareOps = []string{"eq", "eq", "eq", "eq", "ne", "ne", "co", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}

// filter is a random filter on a type, or on what it is searched with.
func (p *population) filter(t refType, depth int) *refFilter {
	if depth > 0 && p.chance(45) {
		f := &refFilter{op: oneOf(p.dice, "and", "and", "or", "or", "not"), left: p.filter(t, depth-1)}
		if f.op != "not" {
			f.right = p.filter(t, depth-1)
		}
		return f
	}
	if t.other != nil && p.chance(30) {
		t = *t.other
	}
	resources := p.users
	if t.urn == coreGroup {
		resources = p.groups
	}
	path := p.path(t)
	at, name := t.look(path, oneOf(p.dice, resources...))
	if at.list && len(at.whole.sub) > 0 && p.chance(50) {
		path.sub = ""
		f := &refFilter{op: "[]", path: path, left: p.inner(at.whole, t, name, resources, 1)}
		if p.chance(30) {
			sub := oneOf(p.dice, sortedKeys(at.whole.sub)...)
			f.path.sub, f.sub = p.anyCase(sub), p.op()
			if f.sub != "pr" {
				f.value = p.near(f.sub, values(t, refPath{urn: path.urn, attr: name, sub: sub}, resources), at.whole.sub[sub])
			}
		}
		return f
	}
	f := &refFilter{op: p.op(), path: path}
	if f.op != "pr" {
		f.value = p.near(f.op, values(t, path, resources), at.attr)
	}
	return f
}

func (p *population) op() string { return oneOf(p.dice, compareOps...) }

// inner is a filter on the elements of a list.
func (p *population) inner(a refAttr, t refType, name string, resources []map[string]any, depth int) *refFilter {
	if depth > 0 && p.chance(50) {
		f := &refFilter{op: oneOf(p.dice, "and", "and", "or", "not"), left: p.inner(a, t, name, resources, depth-1)}
		if f.op != "not" {
			f.right = p.inner(a, t, name, resources, depth-1)
		}
		return f
	}
	sub := oneOf(p.dice, sortedKeys(a.sub)...)
	f := &refFilter{op: p.op(), path: refPath{attr: p.anyCase(sub)}}
	if f.op != "pr" {
		f.value = p.near(f.op, values(t, refPath{attr: name, sub: sub}, resources), a.sub[sub])
	}
	return f
}

// look is find where a path may be wrong.
func (t refType) look(p refPath, resource map[string]any) (at refAt, name string) {
	defer func() { _ = recover() }()
	name, _, _ = t.attrs.find(p.attr)
	return t.find(p, resource), name
}

func values(t refType, p refPath, resources []map[string]any) (all []any) {
	for _, r := range resources {
		at, _ := t.look(p, r)
		for _, v := range at.values {
			if o, ok := v.(map[string]any); ok {
				v = o["value"]
			}
			all = append(all, v)
		}
	}
	return all
}

// matching are the ids of those that meet the filter, or the scimType of why it cannot be asked.
func matching(f *refFilter, of func(map[string]any) refType, resources []map[string]any) (ids []string, scimType string) {
	defer func() {
		if r := recover(); r != nil {
			ids, scimType = nil, string(r.(refRefused))
		}
	}()
	ids = []string{}
	for _, r := range resources {
		if of(r).meets(f, r) {
			ids = append(ids, r["id"].(string))
		}
	}
	return ids, ""
}

func (p *population) typeOf(r map[string]any) refType {
	if r["meta"].(map[string]any)["resourceType"] == "User" {
		return refType{urn: coreUser, attrs: refUsers, other: &refGroupType}
	}
	return refType{urn: coreGroup, attrs: refGroups, other: &refUserType}
}

// list asks for a list of Users, Groups, or "" both, and returns the ids in it.
func (p *population) list(kind string, s scim.Search) (ids []string, next string, err error) {
	ctx, c := p.T.Context(), p.Caller()
	q, err := s.Query(kind)
	if err != nil {
		return nil, "", err
	}
	var total int
	var more bool
	var mark string
	ids = []string{}
	switch kind {
	case "Users":
		var page store.Page[models.User]
		page, err = p.Directory.Users(ctx, c, q)
		for _, u := range page.Rows {
			ids = append(ids, u.ID)
		}
		total, more, mark = page.Total, page.More, page.Mark
	case "Groups":
		var page store.Page[models.Group]
		page, err = p.Directory.Groups(ctx, c, q)
		for _, g := range page.Rows {
			ids = append(ids, g.ID)
		}
		total, more, mark = page.Total, page.More, page.Mark
	default:
		var page store.Page[store.Resource]
		page, err = p.Directory.Everything(ctx, c, q)
		for _, r := range page.Rows {
			if r.User != nil {
				ids = append(ids, r.User.ID)
			} else {
				ids = append(ids, r.Group.ID)
			}
		}
		total, more, mark = page.Total, page.More, page.Mark
	}
	if err == nil && !q.ByCursor && total != len(ids) {
		p.T.Fatalf("%+v: %d in all, but %d are there", s, total, len(ids))
	}
	if more && len(ids) > 0 {
		next = q.Next(ids[len(ids)-1], mark, total)
	}
	return ids, next, err
}

func TestFiltersOrdersAndCursorsFindWhatTheReferenceFinds(t *testing.T) {
	t.Parallel()
	seed, steps := modelRun(350)
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		p := populate(t, w, newDice(seed, 100), 60, 10)
		p.filters(t, seed, steps)
		p.orders(t, seed)
		p.walks(t)
	})
}

func (p *population) filters(t *testing.T, seed uint64, steps int) {
	refusals, found, failures := 0, 0, 0
	for i := range steps {
		kind, of, resources := "Users", refUserType, p.users
		switch {
		case i%10 >= 8:
			kind, of, resources = "", p.typeOf(p.all[i%len(p.all)]), p.all
		case i%10 >= 6:
			kind, of, resources = "Groups", refGroupType, p.groups
		}
		f := p.filter(of, 2)
		typeOf := func(map[string]any) refType { return of }
		if kind == "" {
			typeOf = p.typeOf
		}
		want, refusal := matching(f, typeOf, resources)
		got, _, err := p.list(kind, scim.Search{Filter: f.String(), Filtered: true, Count: "200"})
		if len(f.String()) > scim.MaxFilterBytes {
			continue
		}
		switch refused := scimType(t, err); {
		case refused != refusal:
			t.Errorf("MODEL_SEED=%d, filter %d of %q: %s\nerror %q (%v), want %q", seed, i, kind, f, refused, err, refusal)
		case err != nil:
			refusals++
			continue
		case !reflect.DeepEqual(got, want):
			t.Errorf("MODEL_SEED=%d, filter %d of %q: %s\n%s", seed, i, kind, f, odd(got, want, resources))
		default:
			if len(want) > 0 {
				found++
			}
			continue
		}
		if failures++; failures == 5 {
			break
		}
	}
	if failures == 0 && steps >= 100 && (found < steps/4 || refusals > steps/4) {
		t.Errorf("%d of %d filters found somebody, %d were refused: hardly anything was tried", found, steps, refusals)
	}
}

// odd shows who was found and should not be, or the other way round.
func odd(got, want []string, resources []map[string]any) string {
	var b strings.Builder
	for _, r := range resources {
		id := r["id"].(string)
		if have, should := slices.Contains(got, id), slices.Contains(want, id); have != should {
			fmt.Fprintf(&b, "found is %v, want %v: %s\n", have, should, refJSON(r))
			break
		}
	}
	if b.Len() == 0 {
		fmt.Fprintf(&b, "got the order %v, want %v", got, want)
	}
	return b.String()
}

// sortable are the names that a type can be asked to be sorted by, and some that it cannot.
func (t refType) sortable() []refPath {
	paths := []refPath{{attr: "nonsense"}}
	of := func(urn string, table refAttrs) {
		for _, name := range sortedKeys(table) {
			if a := table[name]; a.kind != refDropped {
				paths = append(paths, refPath{urn: urn, attr: name})
				for _, sub := range sortedKeys(a.sub) {
					paths = append(paths, refPath{urn: urn, attr: name, sub: sub})
				}
			}
		}
	}
	of("", t.attrs)
	if t.urn == coreUser {
		of(enterprise, refEnterprise)
	}
	return paths
}

// orders asks for lists by every attribute, in one order or the other.
func (p *population) orders(t *testing.T, seed uint64) {
	for _, list := range []struct {
		kind      string
		of        refType
		resources []map[string]any
		paths     []refPath
	}{
		{"Users", refUserType, p.users, refUserType.sortable()},
		{"Groups", refGroupType, p.groups, refGroupType.sortable()},
		{"", refType{}, p.all, []refPath{{attr: "id"}, {attr: "displayName"}, {attr: "externalId"}, {attr: "userName"}, {attr: "meta", sub: "lastModified"}, {attr: "emails"}, {attr: "members", sub: "display"}, {attr: "active"}}},
	} {
		for _, path := range list.paths {
			order, name := oneOf(p.dice, "ascending", "descending"), path.String()
			if path.urn == "" {
				name = p.anyCase(name)
			}
			want, refusal := list.of.ordered(path, order == "descending", list.resources, p.typeOf)
			got, _, err := p.list(list.kind, scim.Search{SortBy: name, SortOrder: order, Count: "200"})
			if refused := scimType(t, err); refused != refusal {
				t.Errorf("%s by %s: error %q (%v), want %q", list.kind, name, refused, err, refusal)
			} else if !slices.Equal(got, want) && err == nil {
				at := 0
				for at < len(got)-1 && got[at] == want[at] {
					at++
				}
				t.Errorf("MODEL_SEED=%d, %s by %s, %s: at %d %s", seed, list.kind, name, order, at, odd(got[at:at+1], want[at:at+1], list.resources))
			}
		}
	}
}

// ordered is sorted, or the scimType of why it cannot be.
func (t refType) ordered(p refPath, descending bool, resources []map[string]any, of func(map[string]any) refType) (ids []string, scimType string) {
	defer func() {
		if r := recover(); r != nil {
			_ = r.(refRefused)
			scimType = "invalidValue" // whatever was wrong with it
		}
	}()
	return t.sorted(p, descending, resources, of), ""
}

// walks follows cursors: whoever is there all the time is met once, whatever comes and goes meanwhile.
func (p *population) walks(t *testing.T) {
	w, n := p.World, 1000
	for _, walk := range []struct {
		kind, by, order, filter string
	}{
		{"Users", "", "", ""}, {"Users", "userName", "descending", ""}, {"Users", "title", "", ""}, {"Users", "title", "descending", ""}, {"Users", "active", "", ""},
		{"Users", "emails.type", "", `meta.created gt "2000-01-01"`}, {"Users", "meta.lastModified", "descending", `not (userName eq "nobody")`},
		{"Users", "groups.display", "", ""}, {"Users", "meta.created", "descending", ""}, {"Groups", "meta.lastModified", "", ""},
		{"Groups", "", "", ""}, {"Groups", "externalId", "descending", ""}, {"", "", "", ""}, {"", "displayName", "", `id pr`}, {"", "userName", "descending", ""},
	} {
		p.show()
		residents := map[string]bool{}
		for _, r := range map[string][]map[string]any{"Users": p.users, "Groups": p.groups, "": p.all}[walk.kind] {
			residents[r["id"].(string)] = true
		}
		met := map[string]int{}
		ended := false
		s := scim.Search{SortBy: walk.by, SortOrder: walk.order, Filter: walk.filter, Filtered: walk.filter != "", Paged: true, Count: strconv.Itoa(max(3, len(residents)/3))}
		for pages := 0; ; pages++ {
			ids, next, err := p.list(walk.kind, s)
			if moves := slices.Contains([]string{"active", "meta.lastModified", "groups.display"}, walk.by); moves && err != nil && scimType(t, err) == scim.TypeExpiredCursor {
				residents = nil // the one with whom the page before ended has gone or changed, and their place with them
				break
			}
			if err != nil || pages > 40 {
				t.Fatalf("%+v, page %d: %v", walk, pages, err)
			}
			for _, id := range ids {
				met[id]++
			}
			if next == "" {
				break
			}
			s.Cursor = next
			n++
			created := w.Resource(p.person(n))
			if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), created); err != nil {
				t.Fatal(err)
			}
			if walk.kind == "Groups" {
				w.Group(fmt.Sprint("new ", n))
			}
			gone := ids[p.IntN(len(ids)-1)]
			if ended = pages == 1 && walk.kind != ""; ended {
				gone = ids[len(ids)-1]
			}
			w.Clock.Advance(time.Second)
			err = w.Directory.DeleteUser(t.Context(), w.Caller(), gone)
			if scimError, ok := err.(*scim.Error); ok && scimError.Status == 404 {
				err = w.Directory.DeleteGroup(t.Context(), w.Caller(), gone)
			}
			if err != nil {
				t.Fatal(err)
			}
			if pages%2 == 1 { // somebody who is still to come, perhaps
				if id := p.users[p.IntN(len(p.users))]["id"].(string); met[id] == 0 && w.Directory.DeleteUser(t.Context(), w.Caller(), id) == nil {
					delete(residents, id)
				}
			}
		}
		for id, times := range met {
			if times > 1 {
				t.Errorf("%+v: %s was met %d times", walk, id, times)
			}
		}
		for id := range residents {
			if met[id] == 0 {
				t.Errorf("%+v: %s was never met", walk, id)
			}
		}
	}
}
