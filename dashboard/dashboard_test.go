package dashboard

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"outpost/mail"
)

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func withMailbox(t *testing.T) http.Handler {
	t.Helper()
	mailbox, err := mail.OpenMailbox("")
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Mailbox: mailbox})
}

func TestTheStartPageLinksToTheMailboxOnlyWhereThereIsOne(t *testing.T) {
	t.Parallel()
	with, without := get(withMailbox(t), "/"), get(New(Config{}), "/")
	if with.Code != 200 || !strings.Contains(with.Body.String(), `href="/dev/mail"`) {
		t.Errorf("with: %d %s", with.Code, with.Body)
	}
	if without.Code != 200 || strings.Contains(without.Body.String(), "/dev/mail") {
		t.Errorf("without: %d %s", without.Code, without.Body)
	}
	for path, want := range map[string]int{"/dev/mail": 200, "/dev/mail/": 200, "/dev/mail.json": 200, "/dev/mail/style.css": 200} {
		if w := get(withMailbox(t), path); w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if w := get(New(Config{}), path); w.Code != 404 {
			t.Errorf("%s without a mailbox: %d", path, w.Code)
		}
	}
}

func TestPagesRunNothingOfTheirOwnAndLoadNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	h := withMailbox(t)
	links := regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	for path, status := range map[string]int{"/": 200, "/nothing": 404, "/static": 404, "/static/": 404, "/static/x.css": 404} {
		w := get(h, path)
		body := w.Body.String()
		if w.Code != status {
			t.Errorf("%s: %d", path, w.Code)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		policy := w.Header().Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: policy %s", path, policy)
		}
		if regexp.MustCompile(`<script|<style| style="| on[a-z]+="`).MatchString(body) {
			t.Errorf("%s has something inline: %s", path, body)
		}
		for _, link := range links.FindAllStringSubmatch(body, -1) {
			if strings.HasPrefix(link[1], "#") || link[1] == "/healthz" || link[1] == "/readyz" { // the API's
				continue
			}
			if w := get(h, link[1]); w.Code != 200 {
				t.Errorf("%s links to %s: %d", path, link[1], w.Code)
			}
		}
	}
	if w := get(h, "/static/outpost.css"); w.Header().Get("Content-Type") != "text/css; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" || strings.Contains(w.Body.String(), "url(http") {
		t.Errorf("%v", w.Header())
	}
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	New(Config{}).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
}
