package testkit

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Page is one person's browser with one page in it: cookies, storage and window are this test's own.
//
// Its methods are what that person does and sees. What they name must come to be within the page's patience (15 s unless
// Within says otherwise); else the test ends with what was there instead, and with a screenshot. A selector is CSS and
// means its first visible match. A page's methods belong on the test's own goroutine.
//
// A page also keeps what went wrong in it (see Problem), and the test fails at its end for everything that Allow or
// Expect has not named.
type Page struct {
	t        testing.TB
	ctx      context.Context
	tab      *chromedp.Target
	patience time.Duration
	shots    int

	mu       sync.Mutex
	loading  bool
	requests map[network.RequestID]string
	problems []Problem
	allowed  []*regexp.Regexp
}

//go:embed page.js
var pageScript string

// xssProperty tells whenever a script of any frame sets window.__xss, also if its page is left at once.
const xssProperty = `Object.defineProperty(window, "__xss", (() => {
	let value;
	return { get: () => value, set: (to) => { value = to; window.` + xssBinding + `(String(to)); } };
})())`

const xssBinding = "testkitXSS"

// Browser opens an empty page in a browser profile of this test's own; all of a process's profiles live in one
// Chromium, started at the first call. The window has 1280 × 800 pixels, the language is English, the time UTC, and no
// host but this machine exists. The page is closed when the test ends: call it after what starts the servers, so that
// they are stopped later.
func Browser(t testing.TB) *Page {
	t.Helper()
	p := &Page{t: t, patience: 15 * time.Second, requests: map[network.RequestID]string{}}
	ctx, closePage := chromedp.NewContext(mainChromium(t).context, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	p.ctx = ctx
	t.Cleanup(func() {
		p.end()
		closePage()
	})
	if err := p.open(); err != nil {
		t.Fatalf("open a page in the browser: %v", err)
	}
	return p
}

func (p *Page) open() error {
	// The first call decides how long the tab lives: it must not have a deadline.
	err := chromedp.Do(p.ctx, chromedp.Func(func(_ context.Context, tab *chromedp.Target) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.tab = tab
		return nil
	}))
	if err != nil {
		return err
	}
	ctx, cancel := p.deadline()
	defer cancel()
	if _, err := cdp.Call(ctx, p.tab, runtime.AddBinding, runtime.AddBindingParams{Name: xssBinding}); err != nil {
		return err
	}
	if _, err := cdp.Call(ctx, p.tab, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: xssProperty}); err != nil {
		return err
	}
	// Several pages are open at once, and each believes that it is the one in front.
	if _, err := cdp.Call(ctx, p.tab, emulation.SetFocusEmulationEnabled,
		emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		return err
	}
	return p.emulate(ctx, 1280, 800, false, 1)
}

// Within sets the page's patience for everything that follows.
func (p *Page) Within(patience time.Duration) *Page {
	p.patience = patience
	return p
}

// Open goes to an address, as if it were typed, and returns when the page has loaded. Whatever the status: an error
// page is a page.
func (p *Page) Open(url string) {
	p.t.Helper()
	ctx, cancel := p.deadline()
	defer cancel()
	result, err := cdp.Call(ctx, p.tab, page.Navigate, page.NavigateParams{URL: url})
	switch {
	case err != nil:
		p.fail("open %s: %v", url, err)
	case result.ErrorText != "":
		p.fail("open %s: %s", url, result.ErrorText)
	case result.IsDownload:
		p.fail("open %s: it is a download", url)
	}
	p.loaded("open " + url)
}

// Text is the visible text of an element, once it is there.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return p.until("read "+selector, "text", selector).Text
}

// Has reports whether an element is visible now. After an action, Wait first for what the action brings.
func (p *Page) Has(selector string) bool {
	p.t.Helper()
	var has bool
	p.ask("look for "+selector, &has, "has", selector)
	return has
}

// Wait waits until an element is visible.
func (p *Page) Wait(selector string) {
	p.t.Helper()
	p.until("wait for "+selector, "wait", selector)
}

// WaitText waits until a visible element contains a text.
func (p *Page) WaitText(selector, part string) {
	p.t.Helper()
	p.until(fmt.Sprintf("wait for %q in %s", part, selector), "waitText", selector, part)
}

// WaitGone waits until no such element is visible.
func (p *Page) WaitGone(selector string) {
	p.t.Helper()
	p.until("wait until "+selector+" is gone", "gone", selector)
}

// URL is the address of the page.
func (p *Page) URL() string {
	p.t.Helper()
	var url string
	p.Eval("location.href", &url)
	return url
}

// Eval runs a script in the page, waits for the promise if it returns one, and puts the value into out unless that is
// nil. The page's content security policy does not hold for it.
func (p *Page) Eval(script string, out any) {
	p.t.Helper()
	ctx, cancel := p.deadline()
	defer cancel()
	if err := p.evaluate(ctx, script, out); err != nil {
		p.fail("evaluate %s: %v", shorten(script, 200), err)
	}
}

// Emulate sets the window's size in CSS pixels, the preference for a dark look, and how many pixels of the screen one
// CSS pixel has.
func (p *Page) Emulate(width, height int, dark bool, deviceScale float64) {
	p.t.Helper()
	ctx, cancel := p.deadline()
	defer cancel()
	if err := p.emulate(ctx, width, height, dark, deviceScale); err != nil {
		p.fail("emulate a window of %d × %d: %v", width, height, err)
	}
}

func (p *Page) emulate(ctx context.Context, width, height int, dark bool, deviceScale float64) error {
	_, err := cdp.Call(ctx, p.tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: int64(width), Height: int64(height), DeviceScaleFactor: deviceScale,
	})
	if err != nil {
		return err
	}
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err = cdp.Call(ctx, p.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	return err
}

// Cookies are those that the page's address is sent, also the ones that scripts do not see.
func (p *Page) Cookies() []*http.Cookie {
	p.t.Helper()
	ctx, cancel := p.deadline()
	defer cancel()
	result, err := cdp.Call(ctx, p.tab, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		p.fail("read the cookies: %v", err)
	}
	sameSite := map[network.CookieSameSite]http.SameSite{
		network.CookieSameSiteStrict: http.SameSiteStrictMode,
		network.CookieSameSiteLax:    http.SameSiteLaxMode,
		network.CookieSameSiteNone:   http.SameSiteNoneMode,
	}
	var cookies []*http.Cookie
	for _, c := range result.Cookies {
		cookie := &http.Cookie{Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path, Secure: c.Secure,
			HttpOnly: c.HTTPOnly, SameSite: sameSite[c.SameSite]}
		if !c.Session {
			cookie.Expires = time.Unix(int64(c.Expires), 0)
		}
		cookies = append(cookies, cookie)
	}
	return cookies
}

// SetCookie gives the browser a cookie for an address, as a response from there would: the way in for a test whose
// story begins signed in.
func (p *Page) SetCookie(url string, cookie *http.Cookie) {
	p.t.Helper()
	ctx, cancel := p.deadline()
	defer cancel()
	params := network.SetCookieParams{URL: url, Name: cookie.Name, Value: cookie.Value, Path: cookie.Path,
		Secure: &cookie.Secure, HTTPOnly: &cookie.HttpOnly}
	if _, err := cdp.Call(ctx, p.tab, network.SetCookie, params); err != nil {
		p.fail("set the cookie %s: %v", cookie.Name, err)
	}
}

// Screenshot writes a picture of the whole page, PNG.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	if err := p.screenshot(path); err != nil {
		p.t.Fatalf("take a screenshot: %v", err)
	}
}

func (p *Page) screenshot(path string) error {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	beyond := true
	picture, err := cdp.Call(ctx, p.tab, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
	if errors.As(err, new(*cdproto.Error)) { // the browser's own error page has no size: what the window shows, then
		picture, err = cdp.Call(ctx, p.tab, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, picture.Data, 0o644)
}

// fail ends the test with a message, where the page is, and a picture of it.
func (p *Page) fail(format string, args ...any) {
	p.t.Helper()
	message := fmt.Sprintf(format, args...)
	p.t.Fatalf("%s\n%s", message, p.evidence())
}

// evidence saves what the page shows: to $TESTKIT_SCREENSHOTS, else with the test's artifacts, which `go test
// -artifacts` keeps.
func (p *Page) evidence() string {
	ctx, cancel := context.WithTimeout(p.ctx, 2*time.Second)
	defer cancel()
	var at string
	if err := p.evaluate(ctx, "location.href + ' ' + JSON.stringify(document.title)", &at); err != nil {
		at = fmt.Sprintf("unknown (%v)", err)
	}
	dir, hint := os.Getenv("TESTKIT_SCREENSHOTS"), ""
	if dir == "" {
		dir, hint = p.t.ArtifactDir(), " (kept by go test -artifacts, or set TESTKIT_SCREENSHOTS to a directory)"
	}
	p.shots++
	name := regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(p.t.Name(), "-")
	path := filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, p.shots))
	if err := p.screenshot(path); err != nil {
		return fmt.Sprintf("the page: %s\nno screenshot: %v", at, err)
	}
	return fmt.Sprintf("the page: %s\nscreenshot: %s%s", at, path, hint)
}

func (p *Page) deadline() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, p.patience)
}

// lastLook is the deadline of what is asked until the patience ends: the last question, asked then, is still answered.
func (p *Page) lastLook() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, p.patience+5*time.Second)
}

// answer is what page.js says to something that should hold sooner or later.
type answer struct {
	OK   bool
	Why  string  // not yet
	Text string  // of text
	Type bool    // of edit: the value is to be typed
	X, Y float64 // of target
}

// until asks page.js until it says ok.
func (p *Page) until(what, function string, args ...any) answer {
	p.t.Helper()
	ctx, cancel := p.lastLook()
	defer cancel()
	var last answer
	var broken error
	ok := poll(p.patience, func() bool {
		var now answer
		err := p.evaluate(ctx, call(function, args), &now)
		switch {
		case err == nil:
			last = now
		case errors.As(err, new(scriptError)):
			broken = err
			return true
		case ctx.Err() == nil: // between two pages there is nobody to ask
			last = answer{Why: err.Error()}
		}
		return last.OK
	})
	switch {
	case broken != nil:
		p.fail("%s: %v", what, broken)
	case !ok:
		p.fail("%s: not within %v: %s", what, p.patience, last.Why)
	}
	return last
}

// ask asks page.js once, or again if the page changes meanwhile.
func (p *Page) ask(what string, out any, function string, args ...any) {
	p.t.Helper()
	ctx, cancel := p.lastLook()
	defer cancel()
	var err error
	poll(p.patience, func() bool {
		err = p.evaluate(ctx, call(function, args), out)
		return err == nil || errors.As(err, new(scriptError))
	})
	if err != nil {
		p.fail("%s: %v", what, err)
	}
}

// call writes a call of one of page.js's functions.
func call(function string, args []any) string {
	list := []string{}
	for _, arg := range args {
		value, _ := json.Marshal(arg) // strings and numbers only
		list = append(list, string(value))
	}
	return strings.TrimSpace(pageScript) + "." + function + "(" + strings.Join(list, ", ") + ")"
}

// scriptError is an exception of an evaluated script: trying again would not help.
type scriptError string

func (e scriptError) Error() string { return string(e) }

func (p *Page) evaluate(ctx context.Context, script string, out any) error {
	yes := true
	result, err := cdp.Call(ctx, p.tab, runtime.Evaluate,
		runtime.EvaluateParams{Expression: script, ReturnByValue: &yes, AwaitPromise: &yes})
	if err != nil {
		return err
	}
	if result.ExceptionDetails != nil {
		return scriptError(exceptionText(result.ExceptionDetails))
	}
	if out == nil || len(result.Result.Value) == 0 {
		return nil
	}
	if err := json.Unmarshal(result.Result.Value, out); err != nil {
		return scriptError(fmt.Sprintf("%v: %s", err, shorten(string(result.Result.Value), 200)))
	}
	return nil
}

// settle lets the page do what it has been given to do, and waits for the load that this begins, if any.
func (p *Page) settle(what string) {
	p.t.Helper()
	ctx, cancel := p.deadline()
	defer cancel()
	for range 2 { // a form is sent after the event that asked for it
		err := p.evaluate(ctx, "new Promise((done) => setTimeout(done))", nil)
		if err != nil && !errors.As(err, new(*cdproto.Error)) { // that one is a page that went away
			p.fail("%s: %v", what, err)
		}
	}
	p.loaded(what)
}

func (p *Page) loaded(what string) {
	p.t.Helper()
	if !poll(p.patience, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return !p.loading
	}) {
		p.fail("%s: the page is still loading after %v", what, p.patience)
	}
}

func shorten(text string, runes int) string {
	if r := []rune(text); len(r) > runes {
		return string(r[:runes]) + "…"
	}
	return text
}
