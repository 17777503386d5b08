package mail

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

//go:embed mailbox
var mailboxFiles embed.FS

var mailboxPages = template.Must(template.New("").Funcs(template.FuncMap{
	"amount": amount,
	"at":     func(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05") },
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
}).ParseFS(mailboxFiles, "mailbox/*.html"))

const mailboxPageSize = 100

// Handler serves the mailbox's pages, below whatever prefix http.StripPrefix took off: the list at /, one mail at /{n},
// its HTML at /{n}/html, all as JSON at /all.json. The pages run no script and load nothing from elsewhere.
func (m *Mailbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", m.showList)
	mux.HandleFunc("GET /style.css", showStyle)
	mux.Handle("GET /all.json", m.JSON())
	mux.HandleFunc("GET /{n}", m.showMail)
	mux.HandleFunc("GET /{n}/html", m.showHTML)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" { // /dev/mail without its slash
			r2 := *r
			u := *r.URL
			u.Path = "/"
			r2.URL = &u
			r = &r2
		}
		mux.ServeHTTP(w, r)
	})
}

// JSON serves all mails as one array, newest first.
func (m *Mailbox) JSON() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "The mailbox can only be read.", http.StatusMethodNotAllowed)
			return
		}
		secure(w, "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		m.writeJSON(w) // an error means that the reader has left
	})
}

const pagePolicy = "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secure(w http.ResponseWriter, policy string) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// base is the prefix that StripPrefix took off, for the links. The request line still has it.
func base(r *http.Request) string {
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
		asked = u.Path
	}
	return (&url.URL{Path: strings.TrimSuffix(strings.TrimSuffix(asked, r.URL.Path), "/")}).EscapedPath()
}

type listPage struct {
	Base               string
	Query              string
	Mails              []listRow
	Total, First, Last int
	Newer, Older       string
}

type listRow struct {
	N           int
	To, Subject string
	At          time.Time
}

func (m *Mailbox) showList(w http.ResponseWriter, r *http.Request) {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || number < 1 || number > mailboxSize {
		number = 1
	}
	mails, total := m.search(q, (number-1)*mailboxPageSize, mailboxPageSize)
	p := listPage{Base: base(r), Query: q, Total: total, First: (number-1)*mailboxPageSize + 1, Last: (number-1)*mailboxPageSize + len(mails)}
	for _, e := range mails {
		p.Mails = append(p.Mails, listRow{N: e.n, To: clean(e.to), Subject: clean(e.subject), At: e.at})
	}
	link := func(page int) string {
		v := url.Values{"page": {strconv.Itoa(page)}}
		if q != "" {
			v.Set("q", q)
		}
		return p.Base + "/?" + v.Encode()
	}
	if number > 1 {
		p.Newer = link(number - 1)
	}
	if p.Last < total {
		p.Older = link(number + 1)
	}
	showPage(w, http.StatusOK, "list.html", p)
}

type mailPage struct {
	Base         string
	Mail         Stored
	Newer, Older int // 0: none
}

func (m *Mailbox) showMail(w http.ResponseWriter, r *http.Request) {
	s, ok := m.asked(r)
	if !ok {
		showPage(w, http.StatusNotFound, "missing.html", listPage{Base: base(r)})
		return
	}
	p := mailPage{Base: base(r), Mail: s}
	if _, ok := m.Get(s.N + 1); ok {
		p.Newer = s.N + 1
	}
	if _, ok := m.Get(s.N - 1); ok {
		p.Older = s.N - 1
	}
	showPage(w, http.StatusOK, "mail.html", p)
}

// showHTML serves the HTML part as a mail program would show it: styles, no script, no picture from elsewhere, and links
// that open a page of their own.
func (m *Mailbox) showHTML(w http.ResponseWriter, r *http.Request) {
	s, ok := m.asked(r)
	if !ok {
		showPage(w, http.StatusNotFound, "missing.html", listPage{Base: base(r)})
		return
	}
	secure(w, "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox")
	w.Header().Del("X-Frame-Options") // the policy's frame-ancestors says it
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, s.HTML)
}

func (m *Mailbox) asked(r *http.Request) (Stored, bool) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		return Stored{}, false
	}
	return m.Get(n)
}

func showPage(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := mailboxPages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "The mailbox cannot be shown.", http.StatusInternalServerError)
		return
	}
	secure(w, pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func showStyle(w http.ResponseWriter, r *http.Request) {
	secure(w, "default-src 'none'")
	http.ServeFileFS(w, r, mailboxFiles, "mailbox/style.css")
}
