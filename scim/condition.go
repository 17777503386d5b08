package scim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Type is a kind of resource.
type Type uint8

// The kinds of resources that clients create.
const (
	UserType Type = iota + 1
	GroupType
)

// String returns the name of the type, which is its id at /ResourceTypes too.
func (t Type) String() string { return t.schema().name }

// example is the attribute that clients look for.
func (s *schema) example() string {
	for i := range s.attrs {
		if s.attrs[i].required {
			return s.attrs[i].name
		}
	}
	return "id"
}

func (t Type) schema() *schema {
	if t == GroupType {
		return &groupSchema
	}
	return &userSchema
}

// Attr is an attribute as a condition or an order names it.
type Attr struct {
	URN   string // EnterpriseURN, or "" for the core schema
	Name  string // as the schema spells it: "userName", "name", "emails", "meta"
	Sub   string // the part of Name that is meant: "givenName", "value"; "" for all of it
	List  bool   // Name is multi-valued
	Exact bool   // texts are compared as they are (caseExact); others by Fold or FoldCase, see Resolve
	Kind  AttrKind
}

// AttrKind is what the values of an attribute are.
type AttrKind uint8

// The kinds of values.
const (
	Whole AttrKind = iota // a complex or multi-valued attribute as such, which can only be there or not
	Text
	Truth
	Moment
)

// The nodes of a condition, beside And, Or and Not. Each is true or false of a resource, never unknown.
type (
	// Always is the same for every resource.
	Always bool
	// Has is true where the attribute has a value.
	Has struct{ Attr }
	// Test compares a value. Op is Eq, Co, Sw, Ew, Gt, Ge, Lt or Le for a Text, with Text in the form that Exact tells;
	// Eq for a Truth, where an unassigned one counts as false; Ge or Lt for a Moment. An unassigned Text or Moment meets
	// no Test.
	Test struct {
		Attr
		Op   Op
		Text string
		True bool
		Time time.Time
	}
	// Some is true where one element of the list satisfies Of, whose attributes are parts of the element.
	Some struct {
		Attr
		Of Filter
	}
)

func (Always) isFilter() {}
func (Has) isFilter()    {}
func (Test) isFilter()   {}
func (Some) isFilter()   {}

// Resolve turns a filter on resources of a type into a condition that consists of And, Or, Not, Always, Has, Test and
// Some alone: names are looked up in the schema, values are checked against the attribute's type and folded where case
// does not matter (Fold for the names of resources, FoldCase for the rest). What a filter cannot ask is 400 invalidFilter.
//
// What the RFC leaves open: an unassigned attribute is equal to null alone and differs from everything else (ne); a
// multi-valued attribute meets ne where one of its values differs, or there is none.
func Resolve(t Type, f Filter) (Filter, error) { return resolver{of: t}.resolve(f) }

// ResolveAny is Resolve for a search in resources of every type: what only another type has, this one has not.
func ResolveAny(t Type, f Filter) (Filter, error) { return resolver{of: t, any: true}.resolve(f) }

// OrderBy finds the attribute that a list is to be sorted by (RFC 7644 section 3.4.2.3).
func OrderBy(t Type, name string) (Attr, error) {
	path, ok := namePath(strings.TrimSpace(name))
	if !ok {
		return Attr{}, InvalidValue("sortBy %q is not the name of an attribute; use one listed in /Schemas, such as userName", name)
	}
	at, err := resolver{of: t}.find(path)
	if err != nil || at.fixed != "" {
		return Attr{}, InvalidValue("%ss cannot be sorted by %q; use an attribute listed in /Schemas, such as %s", t, path, t.schema().example())
	}
	if at = at.value(); at.Kind == Whole {
		return Attr{}, InvalidValue("%q has several parts; sort by one of them, such as %s.%s", path, path, at.parts[0].name)
	}
	return at.Attr, nil
}

type resolver struct {
	of   Type
	any  bool
	list *found // inside [ ]: the list whose elements are looked at
}

// found is an attribute with what the schema says about it.
type found struct {
	Attr
	parts   []attribute
	fixed   string // the value it has in every resource, "" where they differ
	absent  bool   // it is of another type
	element bool   // it is a part of the element that is looked at
	group   bool   // it is of a Group
}

func (r resolver) resolve(f Filter) (Filter, error) {
	switch f := f.(type) {
	case And:
		left, right, err := r.both(f.Left, f.Right)
		return And{left, right}, err
	case Or:
		left, right, err := r.both(f.Left, f.Right)
		return Or{left, right}, err
	case Not:
		of, err := r.resolve(f.Of)
		return Not{of}, err
	case Present:
		at, err := r.find(f.Path)
		if err != nil {
			return nil, err
		}
		return at.present(), nil
	case Compare:
		at, err := r.find(f.Path)
		if err != nil {
			return nil, err
		}
		return at.compare(f.Path, f.Op, f.Value)
	case ValuePath:
		return r.valuePath(f)
	}
	return nil, InvalidFilter("The filter cannot be used here; compare an attribute with a value, such as userName eq \"ada@acme.test\"")
}

func (r resolver) both(l, right Filter) (Filter, Filter, error) {
	a, err := r.resolve(l)
	if err != nil {
		return nil, nil, err
	}
	b, err := r.resolve(right)
	return a, b, err
}

func (r resolver) valuePath(f ValuePath) (Filter, error) {
	at, err := r.find(f.Path)
	if err != nil {
		return nil, err
	}
	if at.absent {
		return Always(false), nil
	}
	if !at.List || at.parts == nil {
		return nil, InvalidFilter("%s is not multi-valued, so [ ] cannot follow it; write %s.… instead", f.Path, f.Path)
	}
	inner := resolver{of: r.of, list: &at}
	of, err := inner.resolve(f.Of)
	if err != nil {
		return nil, err
	}
	if f.Sub != "" {
		sub := Path{Attr: f.Sub}
		var also Filter = Compare{sub, f.Op, f.Value}
		if f.Op == Pr {
			also = Present{sub}
		}
		if also, err = inner.resolve(also); err != nil {
			return nil, err
		}
		of = And{of, also}
	}
	return Some{at.whole(), of}, nil
}

// whole is the attribute without the part.
func (at *found) whole() Attr { return Attr{URN: at.URN, Name: at.Name, List: at.List} }

// find looks a name up. A list stands for its value, as emails for emails.value.
func (r resolver) find(p Path) (found, error) {
	if r.list != nil {
		return r.part(p)
	}
	attrs, urn := r.of.schema().attrs, ""
	switch {
	case p.URN == "" || strings.EqualFold(p.URN, r.of.schema().urn):
	case strings.EqualFold(p.URN, EnterpriseURN) && r.of == UserType:
		attrs, urn = enterpriseAttributes, EnterpriseURN
	default:
		return r.unknown(p)
	}
	i := find(attrs, p.Attr)
	if i < 0 || attrs[i].name == "password" {
		return r.unknown(p)
	}
	a := &attrs[i]
	at := found{Attr: Attr{URN: urn, Name: a.name, List: a.multi}, parts: a.sub, group: r.of == GroupType}
	switch {
	case a.kind != complexKind && p.Sub != "":
		return r.unknown(p)
	case a.name == "schemas":
		at.fixed = r.of.schema().urn
	case a.kind != complexKind:
		at.Kind, at.Exact = kindOf(a), a.caseExact
	case p.Sub != "":
		j := find(a.sub, p.Sub)
		if j < 0 {
			return r.unknown(p)
		}
		return at.with(r.of, &a.sub[j], p)
	}
	return at, nil
}

// part looks a name up in the list whose elements are looked at.
func (r resolver) part(p Path) (found, error) {
	j := find(r.list.parts, p.Attr)
	if j < 0 || p.URN != "" || p.Sub != "" {
		return found{}, InvalidFilter("%s has no part %q to filter by; use one listed in /Schemas, such as %s", r.list.Name, p, r.list.parts[0].name)
	}
	at, err := r.list.with(r.of, &r.list.parts[j], p)
	at.element = true
	return at, err
}

// narrow is the attribute narrowed to one of its parts.
func (at found) narrow(part *attribute) found {
	at.Sub, at.Kind, at.Exact, at.parts = part.name, kindOf(part), part.caseExact, nil
	return at
}

// value is what an attribute stands for where none of its parts is named: its value, if it has such a part.
func (at found) value() found {
	if i := find(at.parts, "value"); at.Kind == Whole && i >= 0 {
		return at.narrow(&at.parts[i])
	}
	return at
}

// with is narrow for a part that may be asked for.
func (at found) with(t Type, part *attribute, p Path) (found, error) {
	at = at.narrow(part)
	switch {
	case part.name == "$ref" && at.URN == "":
		return found{}, InvalidFilter("Filtering and sorting by %s is not supported; use %s.value", p, at.Name)
	case at.Name == "meta" && (part.name == "location" || part.name == "version"):
		return found{}, InvalidFilter("Filtering and sorting by %s is not supported; use id, meta.created or meta.lastModified", p)
	case at.Name == "meta" && part.name == "resourceType":
		at.fixed = t.String()
	case part.fixed != "":
		at.fixed = part.fixed
	}
	return at, nil
}

func kindOf(a *attribute) AttrKind {
	switch a.kind {
	case booleanKind:
		return Truth
	case dateTimeKind:
		return Moment
	}
	return Text
}

// unknown refuses a name that the type has not, unless another type may have it and all are searched.
func (r resolver) unknown(p Path) (found, error) {
	if r.any {
		other := UserType
		if r.of == UserType {
			other = GroupType
		}
		if at, err := (resolver{of: other}).find(p); err == nil {
			at.absent = true
			return at, nil
		}
	}
	switch hint := misplaced(p); {
	case r.of == UserType && hint != "":
		return found{}, InvalidFilter("%s", hint)
	case isCoreURN(p.URN) && !strings.EqualFold(p.URN, r.of.schema().urn):
		return found{}, InvalidFilter("%q is of another type of resource; %ss are asked for here", p, r.of)
	case p.URN != "" && !isCoreURN(p.URN) && !strings.EqualFold(p.URN, EnterpriseURN):
		return found{}, InvalidFilter("The schema %q is not one of this server; /Schemas lists those that are", p.URN)
	}
	example := r.of.schema().example()
	if i := find(r.of.schema().attrs, p.Attr+"s"); i >= 0 { // email, which templates of filters like to have
		example = r.of.schema().attrs[i].name
	}
	return found{}, InvalidFilter("%ss have no attribute %q to filter by; use one listed in /Schemas, such as %s", r.of, p, example)
}

// misplaced says how an attribute of the enterprise extension is written, where a path means one and is not it; "" elsewhere.
func misplaced(p Path) string {
	switch i := find(enterpriseAttributes, p.Attr); {
	case p.URN == "" && i >= 0:
		return fmt.Sprintf("%s belongs to the enterprise extension; write %s:%s", p.Attr, EnterpriseURN, enterpriseAttributes[i].name)
	case len(p.String()) >= len(EnterpriseURN) && strings.EqualFold(p.String()[:len(EnterpriseURN)], EnterpriseURN) && !strings.EqualFold(p.URN, EnterpriseURN):
		return "After the URN of the enterprise extension a colon and the name of an attribute follow, as in " + EnterpriseURN + ":department"
	}
	return ""
}

// present is `attribute pr`.
func (at found) present() Filter {
	switch {
	case at.absent:
		return Always(false)
	case at.List && at.Sub != "" && !at.element:
		if at.fixed != "" { // it is there where an element is
			return Has{at.whole()}
		}
		return Some{at.whole(), Has{at.Attr}}
	case at.fixed != "", at.URN == "" && (at.Name == "id" || at.Name == "meta" || at.Name == "active"):
		return Always(true)
	}
	return Has{at.Attr}
}

// compare is `attribute op value`.
func (at found) compare(p Path, op Op, value any) (Filter, error) {
	if at.fixed == "" && value != nil {
		if at = at.value(); at.Kind == Whole {
			return nil, InvalidFilter("%s has several parts; compare one of them, such as %s.%s", p, p, at.parts[0].name)
		}
	}
	if value == nil {
		switch op {
		case Eq:
			return Not{at.present()}, nil
		case Ne:
			return at.present(), nil
		}
		return nil, InvalidFilter("%s cannot be compared with null by %s; use pr, eq or ne", p, op)
	}
	test, err := at.test(p, op, value)
	switch {
	case err != nil:
		return nil, err
	case at.absent:
		return Always(op == Ne), nil
	case at.fixed != "":
		return at.compareFixed(op, value)
	case !at.List || at.element:
		return test, nil
	case op == Ne:
		return Or{Some{at.whole(), test}, Not{Has{at.whole()}}}, nil
	}
	return Some{at.whole(), test}, nil
}

// test compares the one value of an attribute, or of a part of an element.
func (at found) test(p Path, op Op, value any) (Filter, error) {
	if op == Ne {
		equal, err := at.test(p, Eq, value)
		return Not{equal}, err
	}
	t := Test{Attr: at.Attr, Op: op}
	switch at.Kind {
	case Truth:
		b, ok := lenientTruth(value)
		if !ok || op != Eq {
			return nil, InvalidFilter("%s is true or false; compare it by eq or ne with true or false", p)
		}
		t.True = b
		return t, nil
	case Moment:
		return at.testMoment(p, op, value)
	}
	var ok bool
	if t.Text, ok = asText(value); !ok {
		return nil, InvalidFilter(`%s is a text; compare it with a string in quotes, as in %s eq "…"`, p, p)
	}
	within := op == Co || op == Sw || op == Ew
	switch {
	case at.Exact:
	case at.name() && !within:
		t.Text = Fold(t.Text)
	default:
		t.Text = FoldCase(t.Text)
	}
	if t.Text == "" && within {
		return Has{at.Attr}, nil // whatever is there contains nothing
	}
	return t, nil
}

// name tells the attributes that are the name of a resource: they are compared trimmed.
func (at found) name() bool {
	return at.URN == "" && (at.Name == "userName" || at.Name == "displayName" && at.group || at.Sub == "display" && (at.Name == "groups" || at.Name == "members"))
}

// asText is a filter's value where a text is compared: a string, or a number for its digits.
func asText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// testMoment compares a time. Ours are shown to the millisecond, so that is what counts.
func (at found) testMoment(p Path, op Op, value any) (Filter, error) {
	s, _ := value.(string)
	when, ok := parseTime(s)
	if !ok {
		return nil, InvalidFilter(`%s is a time; compare it with one such as "2026-01-31T12:00:00Z"`, p)
	}
	whole := when.Truncate(time.Millisecond)
	next := whole.Add(time.Millisecond)
	from := func(t time.Time) Filter { return Test{Attr: at.Attr, Op: Ge, Time: t} }
	before := func(t time.Time) Filter { return Test{Attr: at.Attr, Op: Lt, Time: t} }
	exact := when.Equal(whole)
	switch op {
	case Eq:
		if !exact {
			return Always(false), nil
		}
		return And{from(whole), before(next)}, nil
	case Gt:
		return from(next), nil
	case Ge:
		if !exact {
			whole = next
		}
		return from(whole), nil
	case Lt:
		if !exact {
			whole = next
		}
		return before(whole), nil
	case Le:
		return before(next), nil
	}
	return nil, InvalidFilter("%s is a time; compare it by eq, ne, gt, ge, lt or le", p)
}

// parseTime reads an xsd:dateTime (RFC 7643 section 2.3.5); one without a zone is in UTC.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02"} {
		if t, err := time.Parse(layout, strings.ToUpper(strings.TrimSpace(s))); err == nil && t.Year() > 0 && t.Year() < 9999 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// compareFixed compares an attribute whose values are known beforehand.
func (at found) compareFixed(op Op, value any) (Filter, error) {
	is := func(fixed string) bool {
		return compareText(op, fixed, value, at.Exact)
	}
	switch {
	case at.Name == "schemas":
		if is(at.fixed) {
			return Always(true), nil
		}
		if is(EnterpriseURN) && at.fixed == UserURN {
			return Has{Attr{URN: EnterpriseURN}}, nil
		}
		return Always(false), nil
	case !at.List || at.element:
		return Always(is(at.fixed)), nil
	case is(at.fixed):
		if op == Ne { // all elements differ, or there are none
			return Always(true), nil
		}
		return Has{at.whole()}, nil
	case op == Ne:
		return Not{Has{at.whole()}}, nil
	}
	return Always(false), nil
}
