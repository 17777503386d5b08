package testkit

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

//go:embed xss.txt
var xssLines string

// xssMark matches the mark of any of XSSStrings.
const xssMark = `xss\d{4}`

var xssCharacter = regexp.MustCompile(`⟦([0-9A-F]+)⟧`)

// XSSStrings are attacks for every field that a person or another program may fill: in the language of elements,
// attributes, addresses, scripts, styles, templates, htmx and event streams, encoded in many ways. Each carries a mark
// of its own (xss0001, …) by which Inert finds it, and one that comes to run sets window.__xss to it or opens a dialog.
// None has a null character, which the API refuses.
func XSSStrings() []string {
	var attacks []string
	for line := range strings.SplitSeq(strings.TrimSpace(xssLines), "\n") {
		if strings.HasPrefix(line, "## ") {
			continue
		}
		line = xssCharacter.ReplaceAllStringFunc(line, func(escaped string) string {
			char, _ := strconv.ParseInt(xssCharacter.FindStringSubmatch(escaped)[1], 16, 32)
			return string(rune(char))
		})
		attacks = append(attacks, strings.ReplaceAll(line, "¤", fmt.Sprintf("xss%04d", len(attacks)+1)))
	}
	return attacks
}

// Inert fails the test, which goes on, if one of XSSStrings has become more than text in the page: if it has run, if a
// dialog has opened that Allow does not name, or if something in the page, its frames or its templates acts, loads or
// leads to a script by it.
func (p *Page) Inert() {
	p.t.Helper()
	p.settle("look for attacks")
	var faults []string
	for _, problem := range p.unforeseen() {
		if problem.Kind == ProblemAttack || problem.Kind == ProblemDialog {
			faults = append(faults, problem.String())
		}
	}
	var run any
	p.Eval("window.__xss === undefined ? null : String(window.__xss)", &run)
	if run != nil && len(faults) == 0 {
		faults = append(faults, fmt.Sprintf("window.__xss is %v", run))
	}
	var alive []string
	p.ask("look for attacks", &alive, "alive", xssMark)
	if faults = append(faults, alive...); len(faults) > 0 {
		p.t.Errorf("attacks are more than text:\n  - %s\n%s", strings.Join(faults, "\n  - "), p.evidence())
	}
}
