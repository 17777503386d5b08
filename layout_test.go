// Package outpost_test holds what is true of the whole tree: which package may import which, and how packages are named.
package outpost_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "outpost"

// steps is the house. A package imports packages on lower steps only; packages on one step never see each other.
// A name that ends in /* stands for every folder in it.
var steps = []struct {
	step     int
	packages []string
}{
	{7, []string{"cmd/outpost"}},
	{6, []string{"trials/*", "simulator"}},
	{5, []string{"api", "dashboard", "worker", "scheduler"}},
	{4, []string{"directory"}},
	{3, []string{"workspace"}},
	{2, []string{"outbox", "sso"}},
	{1, []string{"scim", "jobs", "store"}},
	{0, []string{"mail", "models"}},
}

// testkit stands beside the house: only tests import it, and it imports nothing of the module.
const testkit = "internal/testkit"

// fixture builds whole worlds out of the house for tests: it sees everything up to the edges, and only tests import it.
const fixture = testkit + "/fixture"

// alone are packages that import nothing of the module, whatever their step.
var alone = []string{testkit, "simulator"}

// onlyStandard are packages that import the standard library only; their tests may use what tests use.
var onlyStandard = []string{"models"}

// owners says who alone may import a library, tests included. A library's subpackages belong to it.
var owners = map[string][]string{
	"gorm.io":                        {"store"},
	"github.com/libtnb/sqlite":       {"store"},
	"github.com/pressly/goose/v3":    {"store"},
	"github.com/hibiken/asynq":       {"jobs", "worker", "cmd/outpost"},
	"github.com/hibiken/asynqmon":    {"dashboard"},
	"github.com/russellhaering":      {"sso", testkit}, // gosaml2 and goxmldsig
	"github.com/beevik/etree":        {"sso"},
	"github.com/crewjam/saml":        {"sso", testkit}, // an identity provider, in tests
	"github.com/scim2/filter-parser": {"scim"},         // an oracle, in tests
	"github.com/chromedp":            {testkit},
}

// onlyTests are libraries that no program may hold: the oracles and partners of tests.
var onlyTests = []string{"github.com/scim2/filter-parser", "github.com/crewjam/saml"}

// vague names say nothing about what belongs into a package, so everything ends up in it.
var vague = []string{"util", "common", "helper", "base", "core", "types", "manager"}

// source is one Go file as far as these rules look at it.
type source struct {
	dir     string // from the module's root, "." for the root
	file    string
	name    string // of the package
	doc     bool   // has a package comment
	test    bool
	imports []string
}

func TestImportsGoDownhill(t *testing.T) {
	t.Parallel()
	for _, fault := range importFaults(tree(t)) {
		t.Error(fault)
	}
}

func TestPackagesAreNamedAndExplained(t *testing.T) {
	t.Parallel()
	for _, fault := range nameFaults(tree(t)) {
		t.Error(fault)
	}
}

func TestLayoutRulesFindWhatTheyForbid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what, dir string
		test      bool
		imports   string
		want      string // part of the one fault, "" for none
	}{
		{"downhill", "api", false, "outpost/directory", ""},
		{"two steps down", "cmd/outpost", false, "outpost/models", ""},
		{"uphill", "store", false, "outpost/outbox", "store (step 1) imports outbox (step 2)"},
		{"sideways", "api", false, "outpost/worker", "api (step 5) imports worker (step 5)"},
		{"sideways in a test", "api", true, "outpost/worker", "api (step 5) imports worker (step 5)"},
		{"a test of the package from outside", "api", true, "outpost/api", ""},
		{"a trial of another", "trials/chaos", false, "outpost/trials/bench", "trials/chaos (step 6) imports trials/bench"},
		{"a folder nobody named", "billing", false, "fmt", "billing is not on the list"},
		{"a folder below a named one", "api/middleware", false, "fmt", "api/middleware is not on the list"},
		{"an import of nothing", "api", false, "outpost/nothing", "outpost/nothing is not on the list"},
		{"the kit in a test", "models", true, "outpost/internal/testkit", ""},
		{"the kit in the program", "api", false, "outpost/internal/testkit", "only tests import internal/testkit"},
		{"a world in a test", "outbox", true, "outpost/internal/testkit/fixture", ""},
		{"a world in the program", "outbox", false, "outpost/internal/testkit/fixture", "only tests import internal/testkit/fixture"},
		{"a world made of the house", fixture, false, "outpost/worker", ""},
		{"the simulator in a test", "api", true, "outpost/simulator", ""},
		{"the simulator in the program", "api", false, "outpost/simulator", "api (step 5) imports simulator (step 6)"},
		{"the kit leaning on the house", testkit, false, "outpost/models", "internal/testkit imports nothing of the module"},
		{"the kit's tests leaning on the house", testkit, true, "outpost/models", "internal/testkit imports nothing of the module"},
		{"the simulator leaning on the house", "simulator", false, "outpost/scim", "simulator imports nothing of the module"},
		{"the simulator's tests with the kit", "simulator", true, "outpost/internal/testkit", ""},
		{"a library in models", "models", false, "github.com/google/uuid", "models imports the standard library only"},
		{"a library in models' tests", "models", true, "github.com/google/go-cmp/cmp", ""},
		{"gorm in store", "store", false, "gorm.io/driver/postgres", ""},
		{"gorm elsewhere", "directory", true, "gorm.io/gorm", "gorm.io belongs to store"},
		{"asynq in worker", "worker", false, "github.com/hibiken/asynq", ""},
		{"asynq elsewhere", "outbox", false, "github.com/hibiken/asynq", "github.com/hibiken/asynq belongs to jobs, worker, cmd/outpost"},
		{"saml in sso", "sso", false, "github.com/russellhaering/gosaml2/types", ""},
		{"saml elsewhere", "dashboard", false, "github.com/russellhaering/gosaml2", "github.com/russellhaering belongs to sso, internal/testkit"},
		{"an identity provider in a test", "sso", true, "github.com/crewjam/saml/samlidp", ""},
		{"an identity provider in the kit", testkit, false, "github.com/crewjam/saml/samlidp", ""},
		{"an identity provider in the program", "sso", false, "github.com/crewjam/saml", "only tests import github.com/crewjam/saml"},
		{"asynqmon is not asynq", "dashboard", false, "github.com/hibiken/asynqmon", ""},
	} {
		faults := importFaults([]source{{dir: test.dir, file: "x.go", test: test.test, imports: []string{test.imports}}})
		switch {
		case test.want == "" && len(faults) > 0:
			t.Errorf("%s: found %q", test.what, faults)
		case test.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], test.want)):
			t.Errorf("%s: found %q, want one with %q", test.what, faults, test.want)
		}
	}
	for _, test := range []struct {
		what string
		file source
		want string
	}{
		{"a good package", source{dir: "store", name: "store", doc: true}, ""},
		{"no comment", source{dir: "store", name: "store"}, "store has no package comment"},
		{"a vague folder", source{dir: "internal/utils", name: "text", doc: true}, "internal/utils"},
		{"a vague name", source{dir: "store", name: "types", doc: true}, "types"},
		{"only tests", source{dir: ".", name: "outpost_test", test: true}, ""},
	} {
		faults := nameFaults([]source{test.file})
		if test.want == "" && len(faults) > 0 || test.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], test.want)) {
			t.Errorf("%s: found %q, want %q", test.what, faults, test.want)
		}
	}
}

func importFaults(files []source) []string {
	var faults []string
	unknown := map[string]bool{}
	for _, file := range files {
		if file.dir == "." && file.test {
			continue // this file
		}
		from, known := stepOf(file.dir)
		if !known && !unknown[file.dir] {
			unknown[file.dir] = true
			faults = append(faults, notListed(file.dir))
		}
		for _, imported := range file.imports {
			fault := ""
			if target, inside := strings.CutPrefix(imported, module+"/"); inside {
				fault = insideFault(file, from, known, target)
			} else {
				fault = libraryFault(file, imported)
			}
			if fault != "" {
				faults = append(faults, path.Join(file.dir, file.file)+": "+fault)
			}
		}
	}
	return faults
}

// insideFault judges an import of a package of the module.
func insideFault(file source, from int, known bool, target string) string {
	if file.test && target == file.dir {
		return "" // a test of the package from outside
	}
	switch {
	case target == testkit || target == fixture:
		if file.test || file.dir == fixture {
			return ""
		}
		return "only tests import " + target
	case file.test && slices.Contains(alone, target):
		return "" // a client for the tests of what it talks to
	}
	if slices.Contains(alone, file.dir) {
		return file.dir + " imports nothing of the module, but here " + target
	}
	to, listed := stepOf(target)
	switch {
	case !listed:
		return notListed(module + "/" + target)
	case known && to >= from:
		return fmt.Sprintf("%s (step %d) imports %s (step %d): imports go strictly downhill; move what both need one step down",
			file.dir, from, target, to)
	}
	return ""
}

// libraryFault judges an import from outside the module.
func libraryFault(file source, imported string) string {
	standard := !strings.Contains(strings.Split(imported, "/")[0], ".")
	if !standard && !file.test && slices.Contains(onlyStandard, file.dir) {
		return fmt.Sprintf("%s imports the standard library only, but here %s", file.dir, imported)
	}
	for _, library := range onlyTests {
		if !file.test && file.dir != testkit && (imported == library || strings.HasPrefix(imported, library+"/")) {
			return "only tests import " + library
		}
	}
	for library, allowed := range owners {
		if imported != library && !strings.HasPrefix(imported, library+"/") {
			continue
		}
		if !slices.ContainsFunc(allowed, func(pattern string) bool { return matches(pattern, file.dir) }) {
			return fmt.Sprintf("%s belongs to %s: ask that package for what you need", library, strings.Join(allowed, ", "))
		}
	}
	return ""
}

func nameFaults(files []source) []string {
	var faults []string
	explained := map[string]bool{}
	for _, file := range files {
		if file.test {
			continue
		}
		explained[file.dir] = explained[file.dir] || file.doc
	}
	for _, dir := range slices.Sorted(maps.Keys(explained)) {
		if !explained[dir] {
			faults = append(faults, dir+" has no package comment: one sentence that says what it is, one what it never does")
		}
	}
	seen := map[string]bool{}
	for _, file := range files {
		for _, name := range append(strings.Split(file.dir, "/"), strings.TrimSuffix(file.name, "_test")) {
			if seen[file.dir+" "+name] || !isVague(name) {
				continue
			}
			seen[file.dir+" "+name] = true
			faults = append(faults, fmt.Sprintf("%s: %q says nothing; name the package after the noun it holds", file.dir, name))
		}
	}
	return faults
}

func isVague(name string) bool {
	return slices.ContainsFunc(vague, func(word string) bool { return name == word || name == word+"s" })
}

func notListed(dir string) string {
	return dir + " is not on the list: give it a step in layout_test.go, or put the code into a package that is there"
}

// stepOf is a package's step; testkit and fixture stand beside the steps and yet are known.
func stepOf(dir string) (step int, known bool) {
	switch dir {
	case testkit:
		return -1, true
	case fixture:
		return 6, true // sees the edges, as trials do
	}
	for _, level := range steps {
		if slices.ContainsFunc(level.packages, func(pattern string) bool { return matches(pattern, dir) }) {
			return level.step, true
		}
	}
	return 0, false
}

func matches(pattern, dir string) bool {
	if parent, ok := strings.CutSuffix(pattern, "/*"); ok {
		return path.Dir(dir) == parent
	}
	return pattern == dir
}

// tree reads the head of every Go file of the module, whatever its build tags. Folders that the go command does not
// look into are left out: testdata, those that begin with a dot or an underscore, other modules.
func tree(t *testing.T) []source {
	t.Helper()
	var files []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(name)
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, source{
			dir:     filepath.ToSlash(filepath.Dir(name)),
			file:    filepath.Base(name),
			name:    syntax.Name.Name,
			doc:     syntax.Doc != nil && strings.TrimSpace(syntax.Doc.Text()) != "",
			test:    strings.HasSuffix(name, "_test.go"),
			imports: paths(syntax.Imports),
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	return files
}

func enter(name string) error {
	base := filepath.Base(name)
	switch {
	case name == ".":
		return nil
	case base == "testdata" || base == "vendor" || base == "node_modules" || base[0] == '.' || base[0] == '_':
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return filepath.SkipDir
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func paths(specs []*ast.ImportSpec) []string {
	var all []string
	for _, spec := range specs {
		if value, err := strconv.Unquote(spec.Path.Value); err == nil {
			all = append(all, value)
		}
	}
	return all
}
