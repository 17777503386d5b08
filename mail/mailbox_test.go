package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 9, 12, 0, 0, 0, time.UTC)

func post(t *testing.T, m *Mailbox, to ...string) {
	t.Helper()
	for _, to := range to {
		if _, err := m.Send(context.Background(), hello(to), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func recipients(m *Mailbox) string {
	var to []string
	for _, s := range m.Messages() {
		to = append(to, strings.TrimSuffix(s.To, "@x.example"))
	}
	return strings.Join(to, " ")
}

func TestMailboxKeepsMailsAcrossRestarts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mail.jsonl")
	m, err := openMailbox(path, 50, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	post(t, m, "a@x.example", "b@x.example")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	// A crash in the middle of a line.
	f, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString(`{"n":3,"to":"c@x.exa`)
	f.Close()

	m, err = OpenMailbox(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	post(t, m, "d@x.example")
	if got := recipients(m); got != "d b a" {
		t.Errorf("the mailbox has %q", got)
	}
	s, ok := m.Get(2)
	want := Stored{N: 2, To: "b@x.example", Subject: "Join Larkfield on Outpost", MessageID: "<inv.42@outpost.example>", Text: "Hello\n.\n..dots\n", HTML: "<p>Hello</p>\n", At: noon}
	if !ok || s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
	if s, ok := m.Get(3); !ok || s.To != "d@x.example" {
		t.Errorf("mail 3 is %+v", s)
	}
	for _, n := range []int{-1, 0, 4} {
		if _, ok := m.Get(n); ok {
			t.Errorf("there is a mail %d", n)
		}
	}
}

func TestMailboxForgetsTheOldest(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", filepath.Join(t.TempDir(), "mail.jsonl")} {
		m, err := openMailbox(path, 3, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			post(t, m, fmt.Sprintf("u%d@x.example", n+1))
		}
		if got := recipients(m); got != "u20 u19 u18" {
			t.Errorf("the mailbox has %q", got)
		}
		if _, ok := m.Get(17); ok {
			t.Error("mail 17 should be forgotten")
		}
		if s, ok := m.Get(19); !ok || s.To != "u19@x.example" {
			t.Errorf("mail 19 is %+v", s)
		}
		m.Close()
		if path == "" {
			continue
		}
		b, _ := os.ReadFile(path)
		if n := strings.Count(string(b), "\n"); n > 6 {
			t.Errorf("the file has %d lines", n)
		}
		if m, err = openMailbox(path, 1, time.Now); err != nil {
			t.Fatal(err)
		}
		post(t, m, "last@x.example")
		if s, ok := m.Get(21); !ok || s.To != "last@x.example" || recipients(m) != "last" {
			t.Errorf("mail 21 is %+v", s)
		}
		m.Close()
		if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
			t.Errorf("files left: %q", left)
		}
	}
}

func TestMailboxCommits(t *testing.T) {
	t.Parallel()
	m, _ := OpenMailbox("")
	lost := errors.New("lost")
	if _, err := m.Send(context.Background(), hello("a@x.example"), func() error { return lost }); !errors.Is(err, lost) || len(m.Messages()) != 0 {
		t.Errorf("got %v, %d mails", err, len(m.Messages()))
	}
	receipt, err := m.Send(context.Background(), hello("a@x.example"), func() error { return nil })
	if err != nil || receipt.Response == "" || len(m.Messages()) != 1 {
		t.Errorf("got %+v, %v", receipt, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Send(ctx, hello("a@x.example"), func() error { t.Error("called"); return nil }); ClassOf(err) != Temporary {
		t.Errorf("got %v", err)
	}
	m.Close()
	if _, err := m.Send(context.Background(), hello("a@x.example"), nil); ClassOf(err) != Temporary {
		t.Errorf("got %v", err)
	}
}

func TestMailboxTakesConcurrentMails(t *testing.T) {
	t.Parallel()
	m, err := openMailbox(filepath.Join(t.TempDir(), "mail.jsonl"), 40, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if _, err := m.Send(context.Background(), hello("a@x.example"), nil); err != nil {
					t.Error(err)
				}
				m.search("a", 0, 10)
			}
		})
		wg.Go(func() {
			for range 20 {
				m.Messages()
				m.Get(7)
			}
		})
	}
	wg.Wait()
	if got := len(m.Messages()); got != 40 {
		t.Errorf("%d mails", got)
	}
	if _, ok := m.Get(200); !ok {
		t.Error("no mail 200")
	}
}

// visit asks the mailbox as it is mounted.
func visit(m *Mailbox, target string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	mux.Handle("/dev/mail", http.StripPrefix("/dev/mail", m.Handler()))
	mux.Handle("/dev/mail/", http.StripPrefix("/dev/mail", m.Handler()))
	mux.Handle("/dev/mail.json", m.JSON())
	method, target, _ := strings.Cut(target, " ")
	w := httptest.NewRecorder()
	w.Header().Set("X-Frame-Options", "DENY") // as an outer layer may have said
	mux.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestMailboxPages(t *testing.T) {
	t.Parallel()
	m, _ := openMailbox("", 1000, func() time.Time { return noon })
	for n := range 250 {
		post(t, m, fmt.Sprintf("u%d@x.example", n+1))
	}
	evil := hello("evil@x.example")
	evil.Subject, evil.Text, evil.HTML = "Join <b>x</b>", "<script>1</script>", "<script>alert(1)</script><p>page</p>"
	if _, err := m.Send(context.Background(), evil, nil); err != nil {
		t.Fatal(err)
	}
	for target, c := range map[string]struct {
		status    int
		has, lack []string
	}{
		"GET /dev/mail":                   {200, []string{"251 mails", `href="/dev/mail/251"`, `href="/dev/mail/152"`, `href="/dev/mail/?page=2"`, "Join &lt;b&gt;x", `href="/dev/mail/style.css"`, "9 Nov 12:00:00", "2026-11-09T12:00:00Z"}, []string{"Newer", `href="/dev/mail/151"`, "<b>x"}},
		"GET /dev/mail/":                  {200, []string{"251 mails", `href="/dev/mail/251"`}, nil},
		"GET /dev/mail/?page=3":           {200, []string{"201 to 251", `href="/dev/mail/1"`, "Newer"}, []string{"Older"}},
		"GET /dev/mail/?page=99":          {200, []string{"251 mails", "Newer"}, []string{"Older"}},
		"GET /dev/mail/?q=U24":            {200, []string{"11 mails to “U24”", "u24@", "u249@"}, []string{"u251@", "Older"}},
		"GET /dev/mail/?q=u&page=2":       {200, []string{"250 mails", `href="/dev/mail/?page=1&amp;q=u"`, `href="/dev/mail/?page=3&amp;q=u"`}, nil},
		"GET /dev/mail/?q=%3Cscript%3E":   {200, []string{"No mail to “&lt;script&gt;”"}, []string{"<script>"}},
		"GET /dev/mail/251":               {200, []string{`src="/dev/mail/251/html"`, `sandbox="allow-popups`, "&lt;script&gt;1", `href="/dev/mail/250"`, "&lt;inv.42@outpost.example&gt;"}, []string{"<script", `href="/dev/mail/252"`}},
		"GET /dev/mail/1":                 {200, []string{`href="/dev/mail/2"`}, []string{`href="/dev/mail/0"`}},
		"GET /dev/mail/252":               {404, []string{"no such mail"}, nil},
		"GET /dev/mail/x":                 {404, []string{"no such mail"}, nil},
		"GET /dev/mail/252/html":          {404, []string{"no such mail"}, nil},
		"GET /dev/mail/251/html":          {200, []string{"<script>alert(1)</script><p>page</p>"}, nil},
		"GET /dev/mail/style.css":         {200, []string{"light-dark("}, []string{"url(", "@import"}},
		"POST /dev/mail/":                 {405, nil, nil},
		"DELETE /dev/mail.json":           {405, nil, nil},
		"GET /dev/mail/251/html/x":        {404, nil, nil},
		"GET /dev/mail/99999999999999999": {404, nil, nil},
	} {
		w := visit(m, target)
		body := w.Body.String()
		if w.Code != c.status {
			t.Errorf("%s: status %d", target, w.Code)
		}
		for _, s := range c.has {
			if !strings.Contains(body, s) {
				t.Errorf("%s lacks %q in\n%.2000s", target, s, body)
			}
		}
		for _, s := range c.lack {
			if strings.Contains(body, s) {
				t.Errorf("%s should not have %q", target, s)
			}
		}
		if policy := w.Header().Get("Content-Security-Policy"); c.has != nil && (!strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "script-src")) {
			t.Errorf("%s: policy %q", target, policy)
		}
	}
	frame := visit(m, "GET /dev/mail/251/html").Header()
	if p := frame.Get("Content-Security-Policy"); !strings.Contains(p, "sandbox allow-popups") || strings.Contains(p, "allow-scripts") || frame.Get("X-Frame-Options") != "" {
		t.Errorf("the frame's headers are %v", frame)
	}
	if w := visit(m, "HEAD /dev/mail/251"); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestMailboxJSON(t *testing.T) {
	t.Parallel()
	m, _ := openMailbox(filepath.Join(t.TempDir(), "mail.jsonl"), 1000, func() time.Time { return noon.In(time.FixedZone("CET", 3600)) })
	defer m.Close()
	for _, target := range []string{"GET /dev/mail.json", "GET /dev/mail/all.json"} {
		if w := visit(m, target); strings.TrimSpace(w.Body.String()) != "[]" {
			t.Errorf("%s, empty: %q", target, w.Body)
		}
	}
	post(t, m, "a@x.example", "b@x.example")
	for _, target := range []string{"GET /dev/mail.json", "GET /dev/mail/all.json"} {
		w := visit(m, target)
		var all []map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil || len(all) != 2 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Fatalf("%s: %v, %s", target, err, w.Body)
		}
		want := map[string]any{"to": "b@x.example", "subject": "Join Larkfield on Outpost", "message_id": "<inv.42@outpost.example>", "text": "Hello\n.\n..dots\n", "html": "<p>Hello</p>\n", "at": "2026-11-09T12:00:00Z"}
		if fmt.Sprint(all[0]) != fmt.Sprint(want) || all[1]["to"] != "a@x.example" {
			t.Errorf("%s: got %v", target, all)
		}
	}
}

func TestEmptyMailboxSaysWhatWillBeHere(t *testing.T) {
	t.Parallel()
	m, _ := OpenMailbox("")
	if w := visit(m, "GET /dev/mail"); !strings.Contains(w.Body.String(), "No mail yet") || !strings.Contains(w.Body.String(), "invitations, sign-in links") {
		t.Errorf("%s", w.Body)
	}
}
