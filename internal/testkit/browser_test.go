package testkit

import (
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// site serves pages by their path; a page is the inside of a body.
func site(t testing.TB, header http.Header, pages map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for key := range header {
			w.Header().Set(key, header.Get(key))
		}
		body, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><html lang=en><title>A page</title><body>%s", body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// as lets a page report to another test, which then fails in its place.
func (p *Page) as(t testing.TB) *Page {
	p.t = t
	return p
}

// forget lets a page begin anew.
func (p *Page) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems, p.shots = nil, 0
}

func kinds(problems []Problem) []ProblemKind {
	var kinds []ProblemKind
	for _, problem := range problems {
		kinds = append(kinds, problem.Kind)
	}
	return kinds
}

func TestPersonFillsAFormAndArrivesOnTheNextPage(t *testing.T) {
	t.Parallel()
	url := site(t, nil, map[string]string{
		"/": `<form action=/next>
			<label>Name <input id=name name=name value=old maxlength=20></label>
			<label>Day <input id=day name=day type=date></label>
			<label>Note <textarea id=note name=note></textarea></label>
			<label>Role <select id=role name=role><option value=a>Reader<option value=b>Writer</select></label>
			<p id=heard></p><div style="height:3000px"></div><button>Save</button></form>
			<script>for (const kind of ["input", "change"]) document.addEventListener(kind, (e) => heard.textContent += kind + ":" + e.target.id + " ")</script>`,
		"/next": `<h1>Saved</h1><a href="/">Back</a>`,
	})
	b := Browser(t)
	b.Open(url)
	b.Fill("#name", `Ada "🦉" Łovelace`)
	b.Fill("#day", "2026-02-03")
	b.Fill("#note", "")
	b.Fill("#note", "two\nlines")
	b.Select("#role", "Writer")
	heard := b.Text("#heard")
	for _, want := range []string{"input:name", "change:name", "change:day", "input:note change:note", "input:role change:role"} {
		if !strings.Contains(heard, want) {
			t.Errorf("the page heard %q, not %q", heard, want)
		}
	}
	b.Click("button")
	if got, want := b.URL(), "/next?name=Ada+%22%F0%9F%A6%89%22+%C5%81ovelace&day=2026-02-03&note=two%0D%0Alines&role=b"; !strings.HasSuffix(got, want) {
		t.Errorf("arrived at %s, want %s", got, want)
	}
	if got := b.Text("h1"); got != "Saved" {
		t.Errorf("read %q", got)
	}
	b.Click("a")
	b.Fill("#name", "")
	b.Press("x", "Enter")
	if !strings.Contains(b.URL(), "/next?name=x&") {
		t.Errorf("Enter led to %s", b.URL())
	}
}

func TestSlowElementIsWaitedFor(t *testing.T) {
	t.Parallel()
	url := site(t, nil, map[string]string{"/": `<p id=old>waiting</p><p id=hidden style=display:none>x</p><script>
		const begin = () => {
			setTimeout(() => { old.remove(); document.body.insertAdjacentHTML("beforeend", "<button id=late disabled>Late</button>") }, 150);
			setTimeout(() => { late.disabled = false; late.onclick = () => late.textContent = "clicked" }, 300)
		}</script>`})
	b := Browser(t)
	b.Open(url)
	if b.Has("#late") || b.Has("#hidden") || !b.Has("#old") {
		t.Error("the page has what it does not show yet, or lacks what it shows")
	}
	b.Eval("begin()", nil)
	b.WaitGone("#old")
	b.Wait("#late")
	b.Click("#late")
	b.WaitText("button", "clicked")
}

func TestWhatDoesNotComeFailsWithWhatIsThereAndAPicture(t *testing.T) {
	t.Setenv("TESTKIT_SCREENSHOTS", t.TempDir())
	url := site(t, nil, map[string]string{"/": `<h1>Users</h1><p hidden class=no>x</p><button disabled>Save</button>
		<select><option>red</select><a href=/>Link</a><div style="position:fixed;inset:50px 0 0 0;z-index:9" id=cover></div>
		<input style="position:absolute;top:200px">`})
	b := Browser(t)
	b.Allow("^request") // of what is opened in vain
	for _, test := range []struct {
		do   func(*Page)
		want string
	}{
		{func(b *Page) { b.WaitText("h1", "Groups") }, `wait for "Groups" in h1: not within 1s: it says "Users"`},
		{func(b *Page) { b.Wait(".nothing") }, "nothing on the page matches"},
		{func(b *Page) { b.Wait(".no") }, "1 on the page, none of them visible"},
		{func(b *Page) { b.WaitGone("h1") }, "h1 is still there: Users"},
		{func(b *Page) { b.Click("button") }, "click button: not within 1s: button is disabled"},
		{func(b *Page) { b.Click("input") }, "input is covered by div#cover"},
		{func(b *Page) { b.Fill("h1", "x") }, "h1 is not a field"},
		{func(b *Page) { b.Select("select", "blue") }, `select offers "red"`},
		{func(b *Page) { b.Text("][") }, "not a valid selector"},
		{func(b *Page) { b.Press("Hyperspace") }, "no key has the name"},
		{func(b *Page) { b.Eval("nothing.here", nil) }, "nothing is not defined"},
		{func(b *Page) { b.Eval("new Promise(() => {})", nil) }, "deadline exceeded"},
		{func(b *Page) { b.Expect("^dialog") }, "there were: none"},
		{func(b *Page) { b.Open("http://127.0.0.1:1/") }, "ERR_"},
		{func(b *Page) { b.Open("http://outpost.example/") }, "ERR_NAME_NOT_RESOLVED"},
	} {
		b.Within(time.Minute).Open(url)
		failed := capture(t, func(t testing.TB) { test.do(b.as(t).Within(time.Second)) })
		b.as(t)
		if !strings.Contains(failed.fatal, test.want) || !strings.Contains(failed.fatal, "the page: ") {
			t.Errorf("failed with %q, want %q", failed.fatal, test.want)
		}
		picture := regexp.MustCompile(`screenshot: (\S+)`).FindStringSubmatch(failed.fatal)
		if picture == nil {
			t.Errorf("no picture with %q", failed.fatal)
			continue
		}
		file, err := os.Open(picture[1])
		if err != nil {
			t.Error(err)
			continue
		}
		if config, err := png.DecodeConfig(file); err != nil || config.Width != 1280 {
			t.Errorf("picture: %v wide, %v", config.Width, err)
		}
		_ = file.Close()
	}
}

func TestWhatGoesWrongInAPageFailsItsTest(t *testing.T) {
	t.Parallel()
	csp := http.Header{"Content-Security-Policy": {"default-src 'self'; script-src 'self'; style-src 'self'"}}
	strict := site(t, csp, map[string]string{
		"/inline":  `<script>document.title = "ran"</script>`,
		"/handler": `<img src="data:," onerror="document.title = 'ran'">`,
		"/style":   `<p style="color:red">x</p>`,
		"/foreign": `<script src="http://127.0.0.1:1/x.js"></script>`,
	})
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := map[string]int{"/500": 500, "/422": 422}[r.URL.Path]; status != 0 {
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, "an error page")
		} else if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(broken.Close)
	open := site(t, nil, map[string]string{
		"/fine":      `<h1>Fine</h1><script>console.warn("careful"); fetch("/nothing")</script>`,
		"/exception": `<script>null.x</script>`,
		"/promise":   `<script>Promise.reject(new Error("left alone"))</script>`,
		"/thrown":    `<script>throw "a word"</script>`,
		"/console":   `<script>console.error("it broke", 3, {a: 1})</script>`,
		"/alert":     `<script>alert("hello")</script>`,
		"/confirm":   `<p></p><script>document.querySelector("p").textContent = confirm("sure?") + prompt("who?", "me")</script>`,
		"/image":     `<img src=/missing.png alt=x>`,
		"/outside":   `<img src=http://outpost.example/x.png alt=x>`,
		"/attack":    `<script>window.__xss = "xss0001"; location = "/fine"</script>`,
		"/frame":     `<iframe srcdoc="<script>__xss = 'xss0002'</script>"></iframe>`,
	})
	b := Browser(t)
	for url, want := range map[string][]string{
		open + "/fine":      nil,
		open + "/nothing":   nil,
		broken.URL + "/422": nil,
		broken.URL + "/500": {"request: GET " + broken.URL + "/500 answered with 500"},
		open + "/exception": {"exception: TypeError: Cannot read properties of null"},
		open + "/promise":   {"exception: Error: left alone"},
		open + "/thrown":    {"exception: Uncaught a word"},
		open + "/console":   {"console: it broke 3 Object"},
		open + "/alert":     {"dialog: alert: hello"},
		open + "/confirm":   {"dialog: confirm: sure?", "dialog: prompt: who?"},
		open + "/image":     {"request: GET " + open + "/missing.png answered with 404"},
		open + "/outside":   {"request: GET http://outpost.example/x.png failed: net::ERR_NAME_NOT_RESOLVED"},
		open + "/attack":    {"attack: xss0001"},
		open + "/frame":     {"attack: xss0002"},
		strict + "/inline":  {"csp: Executing inline script violates"},
		strict + "/handler": {"csp: ", "csp: Executing inline event handler violates"},
		strict + "/style":   {"csp: Applying inline style violates"},
		strict + "/foreign": {"csp: Loading the script 'http://127.0.0.1:1/x.js' violates"},
	} {
		b.forget()
		var problems []Problem
		failed := capture(t, func(t testing.TB) {
			b := b.as(t)
			t.Cleanup(b.end)
			b.Open(url)
			problems = b.Problems()
			if strings.HasSuffix(url, "/confirm") && b.Text("p") != "trueme" {
				t.Errorf("answered %q", b.Text("p"))
			}
		})
		if failed.Failed() != (want != nil) || strings.Count(failed.errors, "\n  - ") != len(want) {
			t.Errorf("%s: failed with %q, want %q", url, failed.fatal+failed.errors, want)
		}
		for _, part := range want {
			if !strings.Contains(failed.errors, "\n  - "+part) {
				t.Errorf("%s: failed with %q, want %q", url, failed.errors, part)
			}
		}
		if len(problems) != len(want) {
			t.Errorf("%s: problems %v, want %q", url, problems, want)
		}
	}
	b.as(t).forget()
	failed := capture(t, func(t testing.TB) { // the usual way, from the beginning to the end of a test
		b := Browser(t)
		b.Open(open + "/fine")
		b.Eval(`fetch("`+broken.URL+`/cut", { mode: "no-cors" }).catch(() => 0)`, nil)
	})
	if !strings.Contains(failed.errors, "/cut failed: net::ERR_EMPTY_RESPONSE") {
		t.Errorf("a cut connection: %q", failed.errors)
	}
}

func TestForeseenProblemsDoNotFail(t *testing.T) {
	t.Parallel()
	url := site(t, nil, map[string]string{"/": `<button onclick="confirm('Delete Ada?'); setTimeout(() => null.x, 50)">Delete</button>`})
	b := Browser(t)
	b.Allow("^dialog: confirm: Delete")
	b.Open(url)
	b.Click("button")
	if problem := b.Expect("^exception: TypeError"); problem.Kind != ProblemException {
		t.Errorf("expected %v", problem)
	}
	if got, want := kinds(b.Problems()), []ProblemKind{ProblemDialog, ProblemException}; !slices.Equal(got, want) {
		t.Errorf("problems %v, want %v", got, want)
	}
}

func TestEveryBrowserHasItsOwnCookies(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "one", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 60})
		var names []string
		for _, cookie := range r.Cookies() {
			names = append(names, cookie.String())
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<p>%s", strings.Join(names, " "))
	}))
	t.Cleanup(server.Close)
	one, two := Browser(t), Browser(t)
	one.Open(server.URL)
	cookies := one.Cookies()
	if len(cookies) != 1 || cookies[0].Value != "one" || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode ||
		time.Until(cookies[0].Expires) > time.Minute {
		t.Errorf("cookies %v", cookies)
	}
	two.SetCookie(server.URL, &http.Cookie{Name: "other", Value: "two"})
	two.Open(server.URL)
	if got := two.Text("p"); got != "other=two" {
		t.Errorf("the second browser sent %q", got)
	}
}

func TestPageIsWalkedByKeyboard(t *testing.T) {
	t.Parallel()
	url := site(t, nil, map[string]string{"/": `<a id=skip href=#main>Skip to content</a><label>Email <input id=mail></label>
		<button aria-label="Save it">💾</button><dialog id=d><button id=close>Close</button></dialog>
		<script>document.onkeydown = (e) => { if (e.ctrlKey && e.key == "k") d.showModal() }</script>`})
	b := Browser(t)
	b.Open(url)
	var walked []string
	for range 3 {
		b.Tab(1)
		walked = append(walked, b.Focused())
	}
	if want := []string{`a#skip "Skip to content" #main`, `input#mail "Email"`, `button "Save it"`}; !slices.Equal(walked, want) {
		t.Errorf("walked %q, want %q", walked, want)
	}
	b.Tab(-1)
	b.Press("a", "B", "Space", "é", "ArrowLeft", "Backspace")
	var value string
	b.Eval("mail.value", &value)
	if value != "aBé" {
		t.Errorf("typed %q", value)
	}
	b.Press("Control+k")
	if got := b.Focused(); got != `button#close "Close"` {
		t.Errorf("in the dialog the focus is at %s", got)
	}
	b.Press("Escape")
	b.WaitGone("dialog")
	b.Eval("document.activeElement.blur()", nil)
	if got := b.Focused(); got != "body" {
		t.Errorf("the focus is at %s", got)
	}
}

func TestWindowIsEmulated(t *testing.T) {
	t.Parallel()
	b := Browser(t)
	b.Open(site(t, nil, map[string]string{"/": `<meta name=viewport content="width=device-width"><p>x`}))
	look := func() (look string) {
		t.Helper()
		b.Eval(`[innerWidth, innerHeight, devicePixelRatio, matchMedia("(prefers-color-scheme: dark)").matches,
			document.hasFocus(), new Date().getTimezoneOffset(), navigator.language].join(" ")`, &look)
		return look
	}
	if got := look(); got != "1280 800 1 false true 0 en-US" {
		t.Errorf("at first %s", got)
	}
	b.Emulate(320, 640, true, 2)
	if got := look(); got != "320 640 2 true true 0 en-US" {
		t.Errorf("emulated %s", got)
	}
	path := filepath.Join(t.TempDir(), "new", "page.png")
	b.Screenshot(path)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if config, err := png.DecodeConfig(file); err != nil || config.Width != 640 {
		t.Errorf("picture %v wide, %v", config.Width, err)
	}
}

func TestOpenEventStreamDoesNotHoldThePage(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/events" {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprint(w, `<p>none</p><script>new EventSource("/events").onmessage = (e) => document.querySelector("p").textContent = e.data</script>`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, "data: one\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	b := Browser(t)
	b.Open(server.URL)
	b.WaitText("p", "one")
}

func TestPageThatBreaksARuleOfAccessibilityIsFound(t *testing.T) {
	t.Parallel()
	strict := http.Header{"Content-Security-Policy": {"default-src 'none'"}}
	url := site(t, strict, map[string]string{
		"/good": `<main><h1>Users</h1><p>Ada</p></main>`,
		"/bad":  `<main><h1>Users</h1><img src="data:,"><input id=nameless></main>`,
	})
	b := Browser(t)
	b.Open(url + "/good")
	b.Accessible()
	if violations := b.Axe(); len(violations) > 0 {
		t.Errorf("found %v", violations)
	}
	b.Allow("^csp: Loading the image")
	b.Open(url + "/bad")
	found := map[string]Violation{}
	for _, violation := range b.Axe() {
		found[violation.ID] = violation
	}
	label := found["label"]
	if len(found) != 2 || len(found["image-alt"].Nodes) != 1 || label.Impact != "critical" || len(label.Nodes) != 1 ||
		label.Nodes[0].Selector != "#nameless" || !strings.HasPrefix(label.Nodes[0].HTML, "<input") {
		t.Errorf("found %v", found)
	}
	failed := capture(t, func(t testing.TB) {
		b := Browser(t)
		b.Allow("^csp")
		b.Open(url + "/bad")
		b.Accessible()
	})
	if !strings.Contains(failed.errors, "label (critical): Form elements must have labels") {
		t.Errorf("failed with %q", failed.errors)
	}
}
