package testkit

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAttacksAreManyAndMarked(t *testing.T) {
	t.Parallel()
	attacks := XSSStrings()
	if len(attacks) < 200 {
		t.Errorf("only %d attacks", len(attacks))
	}
	seen := map[string]int{}
	for i, attack := range attacks {
		marks := regexp.MustCompile(xssMark).FindAllString(attack, -1)
		if len(marks) == 0 || slices.ContainsFunc(marks, func(mark string) bool { return mark != fmt.Sprintf("xss%04d", i+1) }) {
			t.Errorf("attack %d has the marks %v: %q", i+1, marks, attack)
		}
		if strings.ContainsAny(attack, "\x00⟦⟧¤") {
			t.Errorf("attack %d is not complete: %q", i+1, attack)
		}
		plain := strings.ReplaceAll(attack, fmt.Sprintf("xss%04d", i+1), "")
		if seen[plain] != 0 {
			t.Errorf("attack %d repeats attack %d: %q", i+1, seen[plain], attack)
		}
		seen[plain] = i + 1
	}
}

// TestAttacksRunWhereNothingKeepsThem shows that the strings are attacks and that the page tells: put unescaped into a
// page, an attribute, a script or a link, they run or act. A sample is enough.
func TestAttacksRunWhereNothingKeepsThem(t *testing.T) {
	t.Parallel()
	attacks := XSSStrings()
	var inElement, inAttribute, inScript []string
	var links strings.Builder
	for i, attack := range attacks {
		switch {
		case strings.Contains(attack, "http-equiv") || strings.Contains(attack, "top."): // leaves the frame
		case strings.HasPrefix(attack, `"`):
			inAttribute = append(inAttribute, `<input value="`+attack+`">`)
			inScript = append(inScript, `<script>var x = "`+attack+`"</script>`)
		case strings.HasPrefix(attack, `\"`), strings.HasPrefix(attack, "</script"):
			inScript = append(inScript, `<script>var x = "`+attack+`"</script>`)
		case i%4 == 0:
			inElement = append(inElement, attack)
		}
		fmt.Fprintf(&links, "<a href=\"%s\">x</a>", attack)
	}
	b := Browser(t)
	b.Allow("^(exception|request|console|dialog|attack)")
	url := site(t, nil, map[string]string{"/": "", "/links": links.String()})
	for where, test := range map[string]struct {
		documents []string
		least     int
	}{
		"element": {inElement, 35}, "attribute": {inAttribute, 4}, "script": {inScript, 4},
	} {
		b.forget()
		b.Open(url)
		documents, err := json.Marshal(test.documents)
		if err != nil {
			t.Fatal(err)
		}
		b.Eval(`for (const html of `+string(documents)+`) {
			const frame = document.body.appendChild(document.createElement("iframe"));
			frame.contentDocument.write(html);
			frame.contentDocument.close();
		}`, nil)
		Eventually(t, 15*time.Second, fmt.Sprintf("%d of %d attacks to run in the %s", test.least, len(test.documents), where),
			func() bool { return len(marks(list(b.Problems()))) >= test.least })
		t.Logf("%d of %d attacks ran in the %s", len(marks(list(b.Problems()))), len(test.documents), where)
	}
	b.Open(url + "/links")
	failed := capture(t, func(t testing.TB) { b.as(t).Inert() })
	b.as(t)
	if found := marks(failed.errors); len(found) < 80 {
		t.Errorf("only %d attacks were found in links", len(found))
	}
}

// marks are the marks in a text, each once.
func marks(text string) []string {
	found := regexp.MustCompile(xssMark).FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestEveryPartOfAnAttackIsSeen(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"/handler":  `<p onclick="xss0001()">x</p>`,
		"/address":  `<a href=" java&#10;script:xss0001()">x</a>`,
		"/data":     `<a href="data:text/html,xss0001">x</a>`,
		"/load":     `<img src="/xss0001.png">`,
		"/foreign":  `<form action="https://attack.example/?xss0001"></form>`,
		"/element":  `<xss0001></xss0001>`,
		"/name":     `<p xss0001></p>`,
		"/htmx":     `<p hx-get="/xss0001"></p>`,
		"/htmx-on":  `<p data-hx-on:click="xss0001()"></p>`,
		"/values":   `<p hx-vals="js:{a: xss0001}"></p>`,
		"/events":   `<p sse-connect="//attack.example/xss0001"></p>`,
		"/style":    `<p style="--x: xss0001"></p>`,
		"/template": `<template><p onclick="xss0001()"></p></template>`,
		"/frame":    `<iframe srcdoc="<p onclick='xss0001()'>x</p>"></iframe>`,
		"/ran":      `<script>window.__xss = "xss" + "0001"</script>`,
		"/dialog":   `<script>alert("xss" + "0001")</script>`,
	}
	server := site(t, nil, pages)
	b := Browser(t)
	for path := range pages {
		b.forget()
		b.Open(server + path)
		failed := capture(t, func(t testing.TB) { b.as(t).Inert() })
		b.as(t)
		if !strings.Contains(failed.errors, "attacks are more than text") || !strings.Contains(failed.errors, "xss0001") {
			t.Errorf("%s: failed with %q", path, failed.errors)
		}
	}
	b.forget()
}

func TestEscapedAttacksAreInert(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	attacks := XSSStrings()
	for _, attack := range attacks {
		escaped := html.EscapeString(attack)
		query := "/users?q=" + url.QueryEscape(attack)
		fmt.Fprintf(&page, `<p title="%[1]s">%[1]s</p><input value="%[1]s"><textarea>%[1]s</textarea><a href="%[2]s">x</a>
			<button hx-get="%[2]s" hx-confirm="%[1]s" hx-vals="%[3]s">x</button><select><option>%[1]s</select>`,
			escaped, query, html.EscapeString(fmt.Sprintf(`{"a": %q}`, attack)))
	}
	list, err := json.Marshal(attacks)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&page, `<script type="application/json">%s</script>`, list)
	b := Browser(t)
	b.Open(site(t, http.Header{"Content-Security-Policy": {"default-src 'self'"}}, map[string]string{"/": page.String()}))
	b.Inert()
	if got := strings.Count(b.Text("body"), "xss0001"); got < 1 {
		t.Error("the page does not show the attacks")
	}
}
