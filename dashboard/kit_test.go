package dashboard_test

import (
	"bytes"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"outpost/dashboard"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/outbox"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// site is a dashboard that is served, with the world behind it.
type site struct {
	*fixture.World
	URL     string
	handler *dashboard.Dashboard
}

// serve serves the dashboard of a world; change sets what differs from the usual.
func serve(t testing.TB, w *fixture.World, change func(*dashboard.Config)) *site {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	done := make(chan struct{})
	watch := outbox.NewWatch(w.Store, w.Queue, w.Log, w.Clock.Now)
	w.Background(watch.Run)
	c := dashboard.Config{
		Store: w.Store, Outbox: w.Outbox, Directory: w.Directory, Hands: workspace.NewHands(w.Store, w.Outbox, w.Converge), Gate: w.Gate, Queue: w.Queue, Watch: watch,
		PublicURL: "http://" + server.Listener.Addr().String(), MailFrom: "outpost@example.com", Version: "test", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: w.Clock.Now, Done: done,
	}
	if change != nil {
		change(&c)
	}
	h, err := dashboard.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = h
	server.Start()
	t.Cleanup(func() {
		close(done)
		server.Close()
	})
	return &site{World: w, URL: server.URL, handler: h}
}

// visitor is one browser without script.
type visitor struct {
	t    testing.TB
	site *site
	http *http.Client
}

// stranger is a visitor who is not signed in.
func (s *site) stranger(t testing.TB) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, site: s, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// signIn is a visitor signed in as a member.
func (s *site) signIn(t testing.TB, m models.Member) *visitor {
	t.Helper()
	v := s.stranger(t)
	link, token := sso.PrintedLink(m, s.Clock.Now())
	if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&link); return nil }); err != nil {
		t.Fatal(err)
	}
	if a := v.post("/signin/"+token, nil); a.status != http.StatusSeeOther {
		t.Fatalf("sign in as %s: %d %s", m.Email, a.status, a.body)
	}
	return v
}

// owner is the first owner of the world's workspace.
func (s *site) owner(t testing.TB) models.Member {
	t.Helper()
	m, err := s.Store.FirstOwner(t.Context(), s.Workspace.ID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// has reports whether the page has the text, as a reader sees it or as it stands in the source.
func (a answer) has(text string) bool { return strings.Contains(a.body, text) }

func (v *visitor) do(method, path string, form url.Values, change func(*http.Request)) answer {
	v.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, v.site.URL+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if method != http.MethodGet && method != http.MethodHead {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", v.site.URL)
	}
	if change != nil {
		change(r)
	}
	got, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer got.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(got.Body); err != nil {
		v.t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, b.String()}
}

func (v *visitor) get(path string) answer { v.t.Helper(); return v.do("GET", path, nil, nil) }

func (v *visitor) post(path string, form url.Values) answer {
	v.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	return v.do("POST", path, form, nil)
}

// upload posts a form with one file, or with one more field where name is not "file".
func (v *visitor) upload(path string, form url.Values, name, value string) answer {
	v.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for field := range form {
		m.WriteField(field, form.Get(field))
	}
	if name == "file" {
		part, err := m.CreateFormFile("file", "metadata.xml")
		if err != nil {
			v.t.Fatal(err)
		}
		io.WriteString(part, value)
	} else {
		m.WriteField(name, value)
	}
	m.Close()
	return v.do("POST", path, nil, func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(&b), int64(b.Len())
		r.Header.Set("Content-Type", m.FormDataContentType())
	})
}

func mustParse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// as signs a visitor in as somebody else, in the same browser.
func (s *site) as(t testing.TB, v *visitor, m models.Member) answer {
	t.Helper()
	link, token := sso.PrintedLink(m, s.Clock.Now())
	if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&link); return nil }); err != nil {
		t.Fatal(err)
	}
	return v.post("/signin/"+token, nil)
}

// patience is how long work in the background may take.
const patience = 30 * time.Second
