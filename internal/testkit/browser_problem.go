package testkit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// ProblemKind is what sort of thing went wrong in a page.
type ProblemKind string

// Everything that a page keeps.
const (
	// ProblemException is an exception that no script caught.
	ProblemException ProblemKind = "exception"
	// ProblemConsole is an error on the console, from a script or from the browser.
	ProblemConsole ProblemKind = "console"
	// ProblemCSP is something that the content security policy kept from happening.
	ProblemCSP ProblemKind = "csp"
	// ProblemRequest is a request without an answer or answered with a status of 500 and up; for what a page is made of
	// (scripts, styles, images, fonts) of 400 and up.
	ProblemRequest ProblemKind = "request"
	// ProblemDialog is an alert, a confirmation or a prompt; each is accepted.
	ProblemDialog ProblemKind = "dialog"
	// ProblemAttack is a script that set window.__xss.
	ProblemAttack ProblemKind = "attack"
	// ProblemCrash is the end of the page's process.
	ProblemCrash ProblemKind = "crash"
)

// Problem is something that went wrong in a page.
type Problem struct {
	Kind ProblemKind
	Text string
	URL  string // where, if the browser tells
}

// String is what Allow and Expect match: the kind, the text, the address.
func (p Problem) String() string {
	text := string(p.Kind) + ": " + p.Text
	if p.URL != "" {
		text += " (" + p.URL + ")"
	}
	return text
}

// maxProblems bounds what a page in a loop can fill.
const maxProblems = 200

// Problems are those so far, allowed or not. What the page has begun is waited for, what its server sends later is not.
func (p *Page) Problems() []Problem {
	p.t.Helper()
	p.settle("look for problems")
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.problems)
}

// Allow names problems, earlier or later ones, that are no reason to fail. pattern is a regular expression for
// Problem.String, such as "^dialog: confirm: Delete".
func (p *Page) Allow(pattern string) {
	p.t.Helper()
	expression, err := regexp.Compile(pattern)
	if err != nil {
		p.t.Fatalf("allow %q: %v", pattern, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, expression)
}

// Expect is Allow for a problem that has to occur: it waits for it.
func (p *Page) Expect(pattern string) Problem {
	p.t.Helper()
	p.Allow(pattern)
	p.mu.Lock()
	expression := p.allowed[len(p.allowed)-1]
	p.mu.Unlock()
	var found Problem
	if !poll(p.patience, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		at := slices.IndexFunc(p.problems, func(problem Problem) bool { return expression.MatchString(problem.String()) })
		if at >= 0 {
			found = p.problems[at]
		}
		return at >= 0
	}) {
		p.mu.Lock()
		problems := list(p.problems)
		p.mu.Unlock()
		p.fail("expect a problem like %q: not within %v; there were:%s", pattern, p.patience, cmp.Or(problems, " none"))
	}
	return found
}

// end is the page's last check.
func (p *Page) end() {
	p.t.Helper()
	if p.tab == nil {
		return // it never opened
	}
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	for range 2 { // what has happened is told before the answer to this
		err := p.evaluate(ctx, "new Promise((done) => setTimeout(done))", nil)
		if err != nil && !errors.As(err, new(*cdproto.Error)) {
			p.t.Errorf("the browser's page does not answer at the end of the test: %v", err)
			break
		}
	}
	if unforeseen := p.unforeseen(); len(unforeseen) > 0 {
		p.t.Errorf("in the browser's page:%s", list(unforeseen))
	}
	if p.t.Failed() && p.shots == 0 {
		p.t.Logf("%s", p.evidence())
	}
}

// unforeseen are the problems that nobody has allowed.
func (p *Page) unforeseen() []Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.problems), func(problem Problem) bool {
		return slices.ContainsFunc(p.allowed, func(e *regexp.Regexp) bool { return e.MatchString(problem.String()) })
	})
}

func list[T fmt.Stringer](items []T) string {
	var text strings.Builder
	for _, item := range items {
		text.WriteString("\n  - " + item.String())
	}
	return text.String()
}

// listen is told everything that happens in the page, in order. It must not wait.
func (p *Page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *page.EventFrameStartedLoading:
		p.loading = p.loading || p.isTop(e.FrameID)
	case *page.EventFrameStoppedLoading:
		p.loading = p.loading && !p.isTop(e.FrameID)
	case *page.EventJavascriptDialogOpening:
		p.add(ProblemDialog, string(e.Type)+": "+e.Message, e.URL)
		go p.accept(e)
	case *runtime.EventBindingCalled:
		if e.Name == xssBinding {
			p.add(ProblemAttack, e.Payload, "")
		}
	case *runtime.EventExceptionThrown:
		p.add(ProblemException, exceptionText(e.ExceptionDetails), e.ExceptionDetails.URL)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			p.add(ProblemConsole, consoleText(e.Args), "")
		}
	case *log.EventEntryAdded:
		p.addEntry(e.Entry)
	case *network.EventRequestWillBeSent:
		p.requests[e.RequestID] = e.Request.Method + " " + e.Request.URL
	case *network.EventResponseReceived:
		if e.Response.Status >= 500 || e.Response.Status >= 400 && isPart(e.Type) {
			p.add(ProblemRequest, fmt.Sprintf("%s answered with %d", p.requests[e.RequestID], e.Response.Status), "")
		}
	case *network.EventLoadingFailed:
		if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" && e.BlockedReason != network.BlockedReasonCsp {
			p.add(ProblemRequest, p.requests[e.RequestID]+" failed: "+cmp.Or(e.ErrorText, string(e.BlockedReason)), "")
		}
	case *inspector.EventTargetCrashed:
		p.add(ProblemCrash, "the page's process has ended", "")
	}
}

// isTop tells the page's own frame, whose id is the tab's, from the frames in it.
func (p *Page) isTop(frame cdp.FrameID) bool {
	return p.tab != nil && string(frame) == string(p.tab.TargetID)
}

func (p *Page) add(kind ProblemKind, text, url string) {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, Problem{Kind: kind, Text: text, URL: url})
	}
}

func (p *Page) addEntry(entry *log.Entry) {
	switch {
	case strings.Contains(entry.Text, "Content Security Policy"):
		p.add(ProblemCSP, entry.Text, entry.URL)
	case entry.Level != log.EntryLevelError:
	case strings.HasPrefix(entry.Text, "Failed to load resource"): // known as a request, if it is one to know
	default:
		p.add(ProblemConsole, entry.Text, entry.URL)
	}
}

func (p *Page) accept(dialog *page.EventJavascriptDialogOpening) {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	// A dialog may go with its page; then there is nothing to accept.
	_, _ = cdp.Call(ctx, p.tab, page.HandleJavaScriptDialog,
		page.HandleJavaScriptDialogParams{Accept: true, PromptText: dialog.DefaultPrompt})
}

// isPart reports whether a page is incomplete without it.
func isPart(kind network.ResourceType) bool {
	switch kind {
	case network.ResourceTypeScript, network.ResourceTypeStylesheet, network.ResourceTypeImage, network.ResourceTypeFont:
		return true
	}
	return false
}

func exceptionText(details *runtime.ExceptionDetails) string {
	if details.Exception == nil {
		return details.Text
	}
	if details.Exception.Description == "" { // something that is no Error was thrown
		return details.Text + " " + consoleText([]*runtime.RemoteObject{details.Exception})
	}
	return details.Exception.Description
}

func consoleText(args []*runtime.RemoteObject) string {
	var words []string
	for _, arg := range args {
		var word string
		if json.Unmarshal(arg.Value, &word) != nil {
			word = cmp.Or(arg.Description, string(arg.Value), string(arg.UnserializableValue), string(arg.Type))
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
