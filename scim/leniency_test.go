package scim

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// leniencies are the pieces that take what the RFC does not ask a server to take, each with a request of the real shape
// and what it comes to. docs/scim.md lists the same.
var leniencies = map[string]struct {
	sample string
	want   string // the stored user, or the changes of a group
	active string // "true" or "false" where the request gives it
	strict string // the scimType that the RFC has for it, where only a dialect takes it
}{
	"lenientBool":   {sample: "patch_entra_disable.json", want: core(`"userName":"ada@acme.test"`), active: "false"},
	"lenientTruth":  {sample: "patch_entra_quoted_boolean.json", want: core(`"userName":"ada@acme.test","roles":[{"value":"Admin","primary":true}]`)},
	"lenientSingle": {sample: "user_array_of_one.json", want: core(`"userName":"ada@acme.test","title":"Countess"`), active: "true"},
	"lenientValue":  {sample: "patch_entra_manager.json", want: extended(`"userName":"ada@acme.test"`, `{"manager":{"value":"M2"}}`)},
	"lenientOne":    {sample: "user_template_single_email.json", want: core(`"userName":"ada@acme.test","emails":[{"value":"ada@acme.test","type":"work","primary":true}],"phoneNumbers":[{"value":"+46 8 123"}]`)},
	"lenientNumber": {sample: "user_template_number.json", want: extended(`"userName":"ada@acme.test"`, `{"employeeNumber":"701984","costCenter":"-4"}`)},
	"isUnassigned":  {sample: "user_okta_blanks.json", want: core(`"userName":"ada@acme.test"`), active: "true"},
	"lenientVerb":   {sample: "patch_entra_group_add.json", want: "add members U1"},
	"lenientKey":    {sample: "patch_entra_flag_pathless.json", want: extended(`"userName":"ada@acme.test","name":{"givenName":"y"},"displayName":"x"`, `{"employeeNumber":"1"}`)},
	"lenientObject": {sample: "patch_pathless_array.json", want: core(`"userName":"ada@acme.test"`), active: "false"},
	"lenientEcho":   {sample: "patch_okta_group_rename.json", want: "set displayName Eng"},
	"lenientRemove": {sample: "patch_entra_group_remove.json", want: "remove members U1"},
	"lenientAdd":    {sample: "patch_onelogin_group_add.json", want: "add members U1"},
	"lenientCreate": {sample: "patch_entra_replace_absent.json", want: core(`"userName":"ada@acme.test","addresses":[{"postalCode":"11122","type":"work"}]`), strict: TypeNoTarget},
	"lenientPath":   {sample: "patch_entra_unknown_path.json", want: core(`"userName":"ada@acme.test","title":"Engineer"`), strict: TypeInvalidPath},
}

func TestEveryLeniencyTakesWhatItsClientSends(t *testing.T) {
	t.Parallel()
	for name, l := range leniencies {
		body := string(read(t, l.sample))
		got, active, err := outcome(t, body, entra)
		if err != nil || got != l.want || active != l.active {
			t.Errorf("%s: %s comes to %s, active %q, %v; want %s, active %q", name, l.sample, got, active, err, l.want, l.active)
		}
		_, _, err = outcome(t, body, strict)
		if l.strict == "" && err != nil {
			t.Errorf("%s: a custom client is refused: %v", name, err)
		}
		if l.strict != "" && refusal(t, err).Type != l.strict {
			t.Errorf("%s: a custom client gets %v, want %s", name, err, l.strict)
		}
	}
}

// outcome is what a recorded request comes to: on a user who has nothing but a name, or on the group G1.
func outcome(t *testing.T, body string, d Dialect) (result, active string, err error) {
	t.Helper()
	if !strings.Contains(strings.ToLower(body), `"operations"`) {
		return shown(decodeUser(t, body))
	}
	p := decodePatch(t, body)
	changes, groupErr := p.GroupChanges("G1", d)
	if groupErr == nil && len(changes) > 0 && strings.Contains(body, "members") || strings.Contains(body, `"id":"G1"`) {
		for _, c := range changes {
			result = strings.TrimSpace(c.Kind.String() + " " + c.Text)
			for _, m := range c.Members {
				result += " " + m.Value
			}
		}
		return result, "", groupErr
	}
	u := decodeUser(t, `{"userName":"ada@acme.test"}`)
	if _, err := p.ApplyUser(u, "U1", d); err != nil {
		return "", "", err
	}
	return shown(u)
}

func shown(u *User) (result, active string, err error) {
	if value, given := u.Active(); given {
		active = map[bool]string{true: "true", false: "false"}[value]
	}
	return string(u.Stored()), active, nil
}

// TestTheListOfLenienciesIsWhole holds three lists against each other: the code's, the one above, and the documentation's.
func TestTheListOfLenienciesIsWhole(t *testing.T) {
	t.Parallel()
	code := map[string]bool{"isUnassigned": false}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := goparser.ParseFile(token.NewFileSet(), file, nil, goparser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "isUnassigned" && !strings.HasPrefix(f.Name.Name, "lenient") {
				continue
			}
			code[f.Name.Name] = true
			if f.Doc == nil {
				t.Errorf("%s does not say who needs it", f.Name.Name)
			}
			if leniencies[f.Name.Name].sample == "" {
				t.Errorf("%s has no request that shows what it takes", f.Name.Name)
			}
		}
	}
	for name := range leniencies {
		if !code[name] {
			t.Errorf("there is no %s", name)
		}
	}
	doc, err := os.ReadFile("../docs/scim.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\|.*\\| \\[`(\\w+)`\\]\\(\\.\\./scim/testdata/(\\w+\\.json)\\) \\|$").FindAllStringSubmatch(string(doc), -1)
	listed := map[string]string{}
	for _, row := range rows {
		listed[row[1]] = row[2]
	}
	for name, l := range leniencies {
		if listed[name] != l.sample {
			t.Errorf("docs/scim.md shows %q for %s, want %s", listed[name], name, l.sample)
		}
	}
	if len(listed) != len(leniencies) {
		t.Errorf("docs/scim.md lists %d leniencies, there are %d", len(listed), len(leniencies))
	}
}

// TestEverySectionHasItsTest looks up the tests that the documentation names.
func TestEverySectionHasItsTest(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/scim.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile("\\[`(Test\\w+)`\\]\\(\\.\\./(trials/conformance/\\w+\\.go)\\)").FindAllStringSubmatch(string(doc), -1)
	if len(links) < 30 {
		t.Fatalf("%d tests are named", len(links))
	}
	for _, link := range links {
		file, err := os.ReadFile("../" + link[2])
		if err != nil || !strings.Contains(string(file), "func "+link[1]+"(t *testing.T)") {
			t.Errorf("there is no %s in %s: %v", link[1], link[2], err)
		}
	}
}
