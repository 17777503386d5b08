package scim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	oracle "github.com/scim2/filter-parser/v2"
)

func named(s string) Path { return splitPath(s) }

func TestParseFilter(t *testing.T) {
	t.Parallel()
	a, b, c := Compare{named("a"), Eq, "1"}, Compare{named("b"), Eq, "2"}, Present{named("c")}
	work := Compare{named("type"), Eq, "work"}
	cases := map[string]Filter{
		`userName eq "mia@acme.test"`:                              Compare{named("userName"), Eq, "mia@acme.test"},
		`  username Eq "x"  `:                                      Compare{named("username"), Eq, "x"},
		`userName eq ""`:                                           Compare{named("userName"), Eq, ""},
		`displayName eq "a \"b\" \\ \u00e9 é"`:                     Compare{named("displayName"), Eq, `a "b" \ é é`},
		UserURN + `:userName eq "x"`:                               Compare{Path{URN: UserURN, Attr: "userName"}, Eq, "x"},
		EnterpriseURN + `:manager.value eq "x"`:                    Compare{Path{URN: EnterpriseURN, Attr: "manager", Sub: "value"}, Eq, "x"},
		`active eq true`:                                           Compare{named("active"), Eq, true},
		`active ne False`:                                          Compare{named("active"), Ne, false},
		`title eq null`:                                            Compare{named("title"), Eq, nil},
		`age ge 10.5`:                                              Compare{named("age"), Ge, 10.5},
		`age lt -1`:                                                Compare{named("age"), Lt, -1.0},
		`meta.lastModified gt "2011-05-13T04:42:34Z"`:              Compare{named("meta.lastModified"), Gt, "2011-05-13T04:42:34Z"},
		`email Co "%s"`:                                            Compare{named("email"), Co, "%s"},
		`manager.$ref pr`:                                          Present{named("manager.$ref")},
		`a eq "1" and b eq "2" or c pr`:                            Or{And{a, b}, c},
		`c pr or a eq "1" AND b eq "2"`:                            Or{c, And{a, b}},
		`(c pr or a eq "1") and b eq "2"`:                          And{Or{c, a}, b},
		`not (a eq "1") and b eq "2"`:                              And{Not{a}, b},
		`NOT(a eq "1" or not (c pr))`:                              Not{Or{a, Not{c}}},
		`((c pr))`:                                                 c,
		`a eq "1" and b eq "2" and c pr`:                           And{And{a, b}, c},
		`emails[type eq "work"]`:                                   ValuePath{Path: named("emails"), Of: work},
		`emails[type eq "work"].value eq "x"`:                      ValuePath{named("emails"), work, "value", Eq, "x"},
		`emails[ type eq "work" and (a eq "1") ].display pr`:       ValuePath{named("emails"), And{work, a}, "display", Pr, nil},
		UserURN + `:emails[type eq "work"].value sw "x"`:           ValuePath{Path{URN: UserURN, Attr: "emails"}, work, "value", Sw, "x"},
		`id eq "G" and members eq "U"`:                             And{Compare{named("id"), Eq, "G"}, Compare{named("members"), Eq, "U"}},
		`a eq "1"and(b eq "2")`:                                    And{a, b},
		`userName eq"x"`:                                           Compare{named("userName"), Eq, "x"},
		`organization eq "x"`:                                      Compare{named("organization"), Eq, "x"},
		`notes pr and order pr`:                                    And{Present{named("notes")}, Present{named("order")}},
		`a eq "(((((((((((((((((((((((((((("`:                      Compare{named("a"), Eq, strings.Repeat("(", 28)},
		strings.Repeat("(", 16) + "c pr" + strings.Repeat(")", 16): c,
	}
	for s, want := range cases {
		got, err := ParseFilter(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", s, diff)
		}
	}
}

func TestUnreadableFiltersAreRefusedAndSayWhere(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		``:                           "is empty",
		`   `:                        "is empty",
		`userName`:                   "ends early, an operator",
		`userName eq`:                "ends early, a value",
		`userName eq "x`:             `character 13, near "\"x": a closing quote`,
		`userName eqq "x"`:           `character 10, near "eqq \"x\"": an operator`,
		`userName eq x`:              `character 13, near "x": a value`,
		`userName eq 'x'`:            "a value is expected",
		`userName eq 01`:             "a value is expected",
		`userName eq 1e999`:          "a value is expected",
		`userName eq "x" "y"`:        "more after the filter",
		`userName eq "x")`:           "more after the filter",
		`userName eq "x" and`:        "ends early",
		`userName eq "DOMAIN\user"`:  `write \ as \\`,
		"userName eq \"a\tb\"":       "not valid JSON",
		`userName eq "\u0000"`:       "U+0000",
		"userName eq \"\xff\"":       "UTF-8",
		`(userName pr`:               "closing )",
		`not userName pr`:            "not must be followed",
		`not`:                        "not must be followed",
		`and`:                        "operator",
		`5 eq "x"`:                   "an attribute name",
		`user.name.first eq "x"`:     "an attribute name",
		`userName. eq "x"`:           "an attribute name",
		`:userName eq "x"`:           "an attribute name",
		`urn:x: eq "x"`:              "an attribute name",
		`emails[type eq "work"`:      "closing ]",
		`emails[]`:                   "an attribute name",
		`emails[a[b pr]]`:            "[ can follow",
		`emails.value[type pr]`:      "[ can follow",
		`emails[type pr].`:           "after ] one",
		`emails[type pr].a.b eq "x"`: "after ] one",
		`emails[type pr].value`:      "an operator",
		`active gt true`:             "gt compares with a string or a number",
		`title lt null`:              "lt compares",
		`title co 5`:                 "co compares with a string",
		strings.Repeat("(", 17) + "a pr" + strings.Repeat(")", 17): "deeper than 16",
		"a pr" + strings.Repeat(" or a pr", MaxFilterTerms):        "more than 20",
		`a eq "` + strings.Repeat("x", MaxFilterBytes) + `"`:       "longer than 2048",
	}
	for s, says := range cases {
		f, err := ParseFilter(s)
		if err == nil {
			t.Errorf("%s was read as %#v", s, f)
			continue
		}
		if e := refusal(t, err); e.Status != 400 || e.Type != TypeInvalidFilter || !strings.Contains(e.Detail, says) {
			t.Errorf("%s: got %s %q, want %q", s, e.Type, e.Detail, says)
		}
	}
}

func TestHugeInputIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	best := func(run func() error) (took time.Duration, err error) { // the best of some, for the machine may be busy
		took = time.Hour
		for range 5 {
			start := time.Now()
			err = run()
			took = min(took, time.Since(start))
		}
		return took, err
	}
	parens, brackets := strings.Repeat("(", 1<<20), strings.Repeat("[", 1<<20)
	harmless := `{"userName":"ada"` + strings.Repeat(" ", 1<<20) + "}"
	read, err := best(func() error { _, err := DecodeUser(strings.NewReader(harmless)); return err })
	if err != nil {
		t.Fatal(err)
	}
	const most = 5 * time.Millisecond
	for _, test := range []struct {
		name string
		most time.Duration
		run  func() error
	}{
		{"filter", most, func() error { _, err := ParseFilter(parens); return err }},
		{"path", most, func() error { _, err := parseTarget(parens); return err }},
		// The body is read before it is judged, and a machine that stays busy takes longer for a good one too.
		{"body", max(10*most, read), func() error { _, err := DecodeUser(strings.NewReader(brackets)); return err }},
	} {
		took, err := best(test.run)
		refusal(t, err)
		if took > test.most {
			t.Errorf("%s took %v, more than %v", test.name, took, test.most)
		}
	}
}

func TestPathKeys(t *testing.T) {
	t.Parallel()
	for s, key := range map[string]string{
		"userName": "username", "Emails.Value": "emails.value",
		UserURN + ":Name.givenName":                  "name.givenname",
		strings.ToUpper(GroupURN) + ":displayName":   "displayname",
		EnterpriseURN + ":Department":                strings.ToLower(EnterpriseURN) + ":department",
		EnterpriseURN + ":manager.displayName":       strings.ToLower(EnterpriseURN) + ":manager.displayname",
		"urn:ietf:params:scim:schemas:custom:1.0:xY": "urn:ietf:params:scim:schemas:custom:1.0:xy",
	} {
		p := splitPath(s)
		if p.Key() != key || !p.Is(key) || !p.Is(strings.ToUpper(s)) || p.Is("x") || p.String() != s {
			t.Errorf("%s: key %q", s, p.Key())
		}
	}
}

// fromOracle turns the tree of scim2/filter-parser into ours.
func fromOracle(e oracle.Expression) Filter {
	path := func(p oracle.AttributePath) Path { return Path{p.URI(), p.AttributeName, p.SubAttributeName()} }
	switch e := e.(type) {
	case *oracle.LogicalExpression:
		if e.Operator == oracle.AND {
			return And{fromOracle(e.Left), fromOracle(e.Right)}
		}
		return Or{fromOracle(e.Left), fromOracle(e.Right)}
	case *oracle.NotExpression:
		return Not{fromOracle(e.Expression)}
	case *oracle.ValuePath:
		return ValuePath{Path: path(e.AttributePath), Of: fromOracle(e.ValueFilter)}
	case *oracle.AttributeExpression:
		if e.Operator == oracle.PR {
			return Present{path(e.AttributePath)}
		}
		value := e.CompareValue
		switch v := value.(type) {
		case int:
			value = float64(v)
		}
		return Compare{path(e.AttributePath), Op(strings.ToLower(string(e.Operator))), value}
	}
	return nil
}

// conjunctions makes every chain of and (or of or) lean to the left: the trees mean the same.
func conjunctions(f Filter) Filter {
	switch f := f.(type) {
	case And:
		l, r := conjunctions(f.Left), conjunctions(f.Right)
		if right, ok := r.(And); ok {
			return conjunctions(And{And{l, right.Left}, right.Right})
		}
		return And{l, r}
	case Or:
		l, r := conjunctions(f.Left), conjunctions(f.Right)
		if right, ok := r.(Or); ok {
			return conjunctions(Or{Or{l, right.Left}, right.Right})
		}
		return Or{l, r}
	case Not:
		return Not{conjunctions(f.Of)}
	case ValuePath:
		f.Of = conjunctions(f.Of)
		return f
	}
	return f
}

func TestFiltersReadAsTheOracleReadsThem(t *testing.T) {
	t.Parallel()
	for _, s := range oracleFilters {
		want, err := oracle.ParseFilter([]byte(s))
		if err != nil {
			t.Errorf("the oracle refuses %s: %v", s, err)
			continue
		}
		got, err := ParseFilter(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if diff := cmp.Diff(conjunctions(fromOracle(want)), conjunctions(got)); diff != "" {
			t.Errorf("%s: %s", s, diff)
		}
	}
}

// The examples of RFC 7644 section 3.4.2.2, and some that test precedence.
var oracleFilters = []string{
	`userName eq "bjensen"`, `userName Eq "john"`, `Username eq "john"`,
	`name.familyName co "O'Malley"`, `userName sw "J"`,
	`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`,
	`title pr`, `meta.lastModified gt "2011-05-13T04:42:34Z"`, `meta.lastModified ge "2011-05-13T04:42:34Z"`,
	`meta.lastModified lt "2011-05-13T04:42:34Z"`, `meta.lastModified le "2011-05-13T04:42:34Z"`,
	`title pr and userType eq "Employee"`, `title pr or userType eq "Intern"`,
	`schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`,
	`userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")`,
	`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`,
	`userType eq "Employee" and (emails.type eq "work")`,
	`userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`,
	`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`,
	`a pr or b pr and c pr or d pr`, `a pr and b pr or c pr and d pr`, `not (a pr) or not (b pr and c pr)`,
	`a eq 5 and b eq true or c eq null`, `userName ew "x"`,
}
