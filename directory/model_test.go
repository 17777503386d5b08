package directory_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"outpost/scim"
)

// modelRun is where a test of random requests begins and how many it makes. MODEL_SEED and MODEL_STEPS make it another
// one, and longer.
func modelRun(steps int) (seed uint64, n int) {
	read := func(name string, otherwise int) int {
		if v, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return v
		}
		return otherwise
	}
	return uint64(read("MODEL_SEED", 1)), read("MODEL_STEPS", steps)
}

// dice make random requests. Names and values come from a few, so that they meet.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) dice { return dice{rand.New(rand.NewPCG(seed, stream))} }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func oneOf[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

// anyCase spells a name otherwise now and then.
func (d dice) anyCase(s string) string {
	switch d.IntN(12) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	}
	return s
}

var (
	modelTexts = []string{"Ada", "ada", "ADA", "Straße", "STRASSE", " Ada ", "a\"b\\c", "x@acme.test", "X@ACME.test", "İ", "👩‍💻", "work"}
	modelTypes = []string{"work", "Work", "home", "other"}
)

// text is a text, or what is sent in the place of one.
func (d dice) text() any {
	switch d.IntN(24) {
	case 0:
		return nil
	case 1:
		return ""
	case 2:
		return []any{oneOf(d, modelTexts...)}
	case 3:
		return 7
	case 4:
		return oneOf[any](d, true, "a\x00b", strings.Repeat("é", 300), map[string]any{}, []any{}, "a\nb")
	}
	return oneOf(d, modelTexts...)
}

func (d dice) truth() any {
	if d.chance(5) {
		return oneOf[any](d, "yes", 1, nil, "", []any{true})
	}
	return oneOf[any](d, true, false, true, false, "True", "False", "true")
}

func (d dice) valueOf(a refAttr) any {
	switch a.kind {
	case refTruth:
		return d.truth()
	case refComplex:
		return d.object(a)
	case refList:
		return d.list(a)
	}
	return d.text()
}

// object is a value with some parts.
func (d dice) object(a refAttr) any {
	if d.chance(6) {
		return oneOf[any](d, nil, "", "Ada", 7, false, map[string]any{}, []any{})
	}
	o := map[string]any{}
	for _, name := range sortedKeys(a.sub) {
		if d.chance(100 * 2 / len(a.sub)) {
			v := d.valueOf(a.sub[name])
			if name == "type" && d.chance(90) {
				v = oneOf(d, modelTypes...)
			}
			if name == "value" && d.chance(60) { // so that the same is added again
				v = modelTexts[0]
			}
			o[d.anyCase(name)] = v
		}
	}
	if d.chance(3) {
		o["nonsense"] = "x"
	}
	if d.chance(3) {
		return []any{o}
	}
	return o
}

func (d dice) list(a refAttr) any {
	if d.chance(6) {
		return oneOf[any](d, nil, "", []any{}, "Ada", map[string]any{}, 7, true)
	}
	list := make([]any, 1+d.IntN(3))
	for i := range list {
		if list[i] = d.object(a); d.chance(90) {
			if one, ok := list[i].([]any); ok && len(one) > 0 {
				list[i] = one[0]
			}
		}
		if _, nested := list[i].([]any); nested {
			list[i] = nil
		}
	}
	if one, ok := list[0].(map[string]any); ok && d.chance(10) {
		return one
	}
	return list
}

// cond is a filter in brackets.
func (d dice) cond(a refAttr, depth int) *refCond {
	if depth > 0 && d.chance(30) {
		op := oneOf(d, "and", "and", "or", "not")
		c := &refCond{op: op, left: d.cond(a, depth-1)}
		if op != "not" {
			c.right = d.cond(a, depth-1)
		}
		return c
	}
	if d.chance(50) {
		return &refCond{op: "eq", attr: d.anyCase("type"), value: oneOf(d, modelTypes...)}
	}
	attr := oneOf(d, sortedKeys(a.sub)...)
	if d.chance(2) {
		attr = "nonsense"
	}
	c := &refCond{op: oneOf(d, "eq", "eq", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"), attr: d.anyCase(attr), value: oneOf(d, modelTexts...)}
	if attr == "primary" {
		c.op, c.value = oneOf(d, "eq", "eq", "ne", "pr"), oneOf[any](d, true, false, "True")
	}
	if (c.op == "eq" || c.op == "ne") && d.chance(5) {
		c.value = oneOf[any](d, nil, 7, true)
	}
	return c
}

// path names an attribute of a user, and says which it is.
func (d dice) path(filters bool) (refPath, refAttr) {
	var p refPath
	table := refUsers
	switch n := d.IntN(100); {
	case n < 20:
		table, p.urn = refEnterprise, d.anyCase(enterprise)
	case n < 30:
		p.urn = d.anyCase(coreUser)
	case n < 32:
		p.urn = "urn:acme:custom"
	}
	name := oneOf(d, sortedKeys(table)...)
	if d.chance(40) && p.urn == "" { // the lists are where the rules are
		name = oneOf(d, "emails", "emails", "phoneNumbers", "addresses", "roles", "name", "x509Certificates", "active")
	}
	if d.chance(40) && len(table) == len(refEnterprise) {
		name = "manager"
	}
	a := table[name]
	p.attr = d.anyCase(name)
	if d.chance(2) {
		p.attr = "nonsense"
	}
	if a.kind == refList && filters && d.chance(55) || filters && d.chance(1) {
		of := a
		if of.kind != refList {
			of = refUsers["emails"]
		}
		p.of = d.cond(of, 2)
	}
	if len(a.sub) > 0 && a.kind != refDropped && d.chance(45) {
		sub := oneOf(d, sortedKeys(a.sub)...)
		p.sub, a = d.anyCase(sub), a.sub[sub]
		if d.chance(2) {
			p.sub = "nonsense"
		}
	}
	return p, a
}

func (d dice) set(filters bool) refSet {
	if d.chance(3) {
		urn, table := enterprise, refEnterprise
		if d.chance(30) {
			urn, table = coreUser, refAttrs{"title": refPlain, "name": refUsers["name"], "emails": refUsers["emails"]}
		}
		v := map[string]any{}
		for _, name := range sortedKeys(table) {
			if d.chance(40) {
				v[d.anyCase(name)] = d.valueOf(table[name])
			}
		}
		return refSet{refPath{urn: d.anyCase(urn)}, v, true}
	}
	p, a := d.path(filters)
	s := refSet{path: p, value: d.valueOf(a), given: true}
	if name, _, ok := refUsers.find(p.attr); ok && slices.Contains(refServer, name) {
		s.value = oneOf[any](d, "U1", "other", []any{}, nil, map[string]any{})
	}
	return s
}

// object without a path, or a body; each path comes once.
func (d dice) sets(filters bool) []refSet {
	sets := []refSet{}
	seen := map[string]bool{}
	for range d.IntN(4) {
		s := d.set(filters)
		if key := strings.ToLower(s.path.attr); key == "" || !seen[key] || d.chance(3) {
			sets = append(sets, s)
			seen[key] = true
		}
	}
	return sets
}

// modelRequest is a PUT or PATCH of a user.
type modelRequest struct {
	ops  []refOp  // a PATCH
	body []refSet // a PUT
}

func (d dice) request() modelRequest {
	if d.chance(12) {
		r := modelRequest{body: append(d.sets(false), d.sets(false)...)}
		if d.chance(90) {
			name := oneOf(d, modelTexts...)
			r.body = slices.DeleteFunc(r.body, func(s refSet) bool { return strings.EqualFold(s.path.attr, "userName") })
			r.body = append(r.body, refSet{refPath{attr: "userName"}, name, true})
		}
		return r
	}
	var r modelRequest
	for range 1 + d.IntN(3) {
		op := refOp{verb: oneOf(d, "add", "replace", "remove")}
		if op.verb != "remove" && d.chance(30) || d.chance(1) {
			op.pathless = true
			if op.sets = d.sets(true); d.chance(2) {
				op.sets, op.other = nil, oneOf[any](d, nil, "x", []any{}, true)
			}
		} else {
			s := d.set(true)
			if op.verb == "remove" && d.chance(80) || d.chance(2) {
				s.value, s.given = nil, false
			}
			op.sets = []refSet{s}
		}
		r.ops = append(r.ops, op)
	}
	return r
}

// body is the request as it is sent.
func (r modelRequest) text() string {
	if r.ops == nil {
		return objectOf(r.body)
	}
	ops := make([]string, len(r.ops))
	for i, op := range r.ops {
		verb := op.verb
		if i%2 == 1 {
			verb = strings.ToUpper(verb[:1]) + verb[1:] // Entra
		}
		ops[i] = `{"op":"` + verb + `"`
		switch {
		case op.pathless && op.sets == nil:
			ops[i] += `,"value":` + refJSON(op.other) + "}"
		case op.pathless:
			ops[i] += `,"value":` + objectOf(op.sets) + "}"
		case op.sets[0].given:
			ops[i] += `,"path":` + refJSON(op.sets[0].path.String()) + `,"value":` + refJSON(op.sets[0].value) + "}"
		default:
			ops[i] += `,"path":` + refJSON(op.sets[0].path.String()) + "}"
		}
	}
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + strings.Join(ops, ",") + "]}"
}

func (r modelRequest) String() string {
	if r.ops == nil {
		return "PUT " + r.text()
	}
	return "PATCH " + r.text()
}

func objectOf(sets []refSet) string {
	parts := make([]string, len(sets))
	for i, s := range sets {
		parts[i] = refJSON(s.path.String()) + ":" + refJSON(s.value)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// expect is what the request makes of a user.
func (r modelRequest) expect(p refPatient) (map[string]any, string) {
	return p.change(func(p *refPatient) {
		if r.ops == nil {
			p.put(r.body)
		} else {
			p.patch(r.ops)
		}
	})
}

// shown is a person as SCIM shows them, but for what the server adds.
func shown(t testing.TB, resource string, active bool) map[string]any {
	t.Helper()
	text := scim.AppendUser(nil, []byte(resource), active, scim.Meta{ID: "U1"}, nil, scim.Projection{})
	if other := scim.AppendUser(nil, []byte(resource), active, scim.Meta{ID: "U1"}, nil, scim.ParseProjection("", "groups")); string(other) != string(text) {
		t.Fatalf("%s is another with a projection that leaves nothing out: %s", text, other)
	}
	m := refParse(text)
	schemas := []any{any(coreUser)}
	if m[enterprise] != nil {
		schemas = append(schemas, enterprise)
	}
	if !reflect.DeepEqual(m["schemas"], any(schemas)) {
		t.Fatalf("schemas of %s", text)
	}
	delete(m, "schemas")
	delete(m, "id")
	delete(m, "meta")
	return m
}

func scimType(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *scim.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no error of SCIM", err)
	}
	return e.Type
}

// apply makes the request of a stored user, as directory does.
func (r modelRequest) apply(stored string, active bool, d scim.Dialect) (string, bool, bool, error) {
	if r.ops == nil {
		u, err := scim.DecodeUser(strings.NewReader(r.text()))
		if err != nil {
			return stored, active, false, err
		}
		after := active
		if v, given := u.Active(); given {
			after = v
		}
		return string(u.Stored()), after, after != active || string(u.Stored()) != stored, nil
	}
	p, err := scim.DecodePatch(strings.NewReader(r.text()))
	if err != nil {
		return stored, active, false, err
	}
	u, err := scim.LoadUser([]byte(stored), active)
	if err != nil {
		return stored, active, false, err
	}
	changed, err := p.ApplyUser(u, "U1", d)
	after, _ := u.Active()
	return string(u.Stored()), after, changed, err
}

// differs makes the requests of a new user and says in what the last one, or one before, does something else than the
// reference; "" where nothing does.
func differs(t testing.TB, d scim.Dialect, requests []modelRequest) (at int, how string) {
	u, err := scim.DecodeUser(strings.NewReader(`{"userName":"ada@acme.test"}`))
	if err != nil {
		t.Fatal(err)
	}
	stored, active := string(u.Stored()), true
	want := map[string]any{"userName": "ada@acme.test", "active": true}
	for i, r := range requests {
		after, refusal := r.expect(refPatient{attrs: want, id: "U1", create: d.CreateOnAbsent, lenient: d.IgnoreUnknownPaths})
		next, nextActive, changed, err := r.apply(stored, active, d)
		if got := scimType(t, err); got != refusal {
			return i, fmt.Sprintf("error %q (%v), want %q", got, err, refusal)
		}
		if err != nil && (next != stored || nextActive != active || changed) {
			return i, "what was refused changed the user to " + next
		}
		if got := shown(t, next, nextActive); !reflect.DeepEqual(after, got) {
			return i, "want -, got +: " + cmp.Diff(after, got)
		}
		if same := reflect.DeepEqual(after, want); changed && same && err == nil && next == stored || !changed && !same {
			return i, fmt.Sprintf("changed is %v", changed)
		}
		stored, active, want = next, nextActive, after
	}
	return len(requests), ""
}

func TestRandomChangesOfAUserAreThoseOfTheReference(t *testing.T) {
	t.Parallel()
	seed, steps := modelRun(4_000)
	const length = 20
	dialects := []scim.Dialect{scim.DialectOf("custom"), scim.DialectOf("entra")}
	failures, n := 0, 0
	for run := uint64(0); n < steps; run++ {
		d := newDice(seed, run)
		dialect := dialects[run%2]
		requests := make([]modelRequest, length)
		for i := range requests {
			requests[i] = d.request()
		}
		n += length
		at, how := differs(t, dialect, requests)
		if how == "" {
			continue
		}
		requests = requests[:at+1]
		for i := 0; i < len(requests)-1; { // those that matter
			fewer := slices.Delete(slices.Clone(requests), i, i+1)
			if at, still := differs(t, dialect, fewer); still != "" {
				requests, how = fewer[:at+1], still
			} else {
				i++
			}
		}
		var story strings.Builder
		for _, r := range requests {
			story.WriteString("\n" + r.String())
		}
		t.Errorf("MODEL_SEED=%d, run %d, %+v:%s\n%s", seed, run, dialect, story.String(), how)
		if failures++; failures == 3 {
			break
		}
	}
}
