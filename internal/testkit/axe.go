package testkit

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

// axeScript is axe-core 4.14.1 as published on npm; its licence lies beside it.
//
//go:embed axe/axe.min.js
var axeScript string

// axeTags choose the rules: WCAG 2.2 up to level AA, and what is good practice beyond it.
var axeTags = []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"}

// Violation is a rule of accessibility that a page breaks.
type Violation struct {
	ID     string // axe-core's name of the rule, such as color-contrast
	Impact string // minor, moderate, serious or critical
	Help   string // what the rule asks for
	Nodes  []ViolationNode
}

// ViolationNode is an element that breaks a rule.
type ViolationNode struct {
	Selector string
	HTML     string // its beginning
	Summary  string // what is wrong and what would mend it
}

// String is the violation in lines for people.
func (v Violation) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s (%s): %s", v.ID, v.Impact, v.Help)
	for _, node := range v.Nodes {
		fmt.Fprintf(&text, "\n      %s  %s\n        %s", node.Selector, node.HTML, strings.ReplaceAll(node.Summary, "\n", "\n        "))
	}
	return text.String()
}

// Axe checks the page as it is now, in its size and colours, against WCAG 2.2 AA and good practice.
func (p *Page) Axe() []Violation {
	p.t.Helper()
	var here bool
	p.Eval("Boolean(window.axe)", &here)
	if !here {
		p.Eval(axeScript+";0", nil)
	}
	tags, _ := json.Marshal(axeTags)
	var violations []Violation
	p.Eval(`axe.run(document, { resultTypes: ["violations"], runOnly: { type: "tag", values: `+string(tags)+` } }).then((result) =>
		result.violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, nodes: nodes.map((node) => ({
			selector: node.target.flat().join(" "),
			html: node.html.slice(0, 300),
			summary: node.failureSummary,
		})) })))`, &violations)
	return violations
}

// Accessible fails the test, which goes on, if the page breaks a rule of accessibility.
func (p *Page) Accessible() {
	p.t.Helper()
	if violations := p.Axe(); len(violations) > 0 {
		p.t.Errorf("not accessible:%s\n%s", list(violations), p.evidence())
	}
}
