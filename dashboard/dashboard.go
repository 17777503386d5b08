// Package dashboard is the web for people: pages from html/template with their own style sheet, and Asynqmon for operators.
// It never changes anything by itself, and its pages load nothing from elsewhere and run no script of unknown text.
package dashboard

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"

	"outpost/mail"
)

// Config is all that the dashboard needs.
type Config struct {
	// Mailbox is the built-in mailbox of development, shown at /dev/mail; nil where mails really leave.
	Mailbox *mail.Mailbox
}

//go:embed pages static
var files embed.FS

// pages are parsed at start, so that a broken one never meets a visitor.
func pages() *template.Template {
	return template.Must(template.ParseFS(files, "pages/*.html"))
}

// New makes the handler of every page that is not SCIM or health.
func New(c Config) http.Handler {
	d := &dashboard{mailbox: c.Mailbox != nil, pages: pages()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.showStart)
	mux.HandleFunc("GET /static/{file}", d.showStatic)
	if c.Mailbox != nil {
		mux.Handle("/dev/mail", http.StripPrefix("/dev/mail", c.Mailbox.Handler()))
		mux.Handle("/dev/mail/", http.StripPrefix("/dev/mail", c.Mailbox.Handler()))
		mux.Handle("/dev/mail.json", c.Mailbox.JSON())
	}
	mux.HandleFunc("/", d.showNothing)
	return http.NewCrossOriginProtection().Handler(mux)
}

type dashboard struct {
	mailbox bool
	pages   *template.Template
}

// startPage is what a visitor of / sees.
type startPage struct {
	Title   string
	Mailbox bool
}

func (d *dashboard) showStart(w http.ResponseWriter, r *http.Request) {
	d.show(w, http.StatusOK, "start.html", startPage{Title: "Outpost Directory Sync", Mailbox: d.mailbox})
}

func (d *dashboard) showNothing(w http.ResponseWriter, r *http.Request) {
	d.show(w, http.StatusNotFound, "nothing.html", startPage{Title: "There is nothing here · Outpost", Mailbox: d.mailbox})
}

// show renders a page whole before the first byte leaves.
func (d *dashboard) show(w http.ResponseWriter, status int, page string, data any) {
	var b bytes.Buffer
	if err := d.pages.ExecuteTemplate(&b, page, data); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	secure(w.Header(), pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // an error means that the visitor has left
}

// pagePolicy lets a page use what this server serves, and nothing written into the page itself.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secure(h http.Header, policy string) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// showStatic serves the style sheet and the icon. They change with the program, so browsers ask again after an hour.
func (d *dashboard) showStatic(w http.ResponseWriter, r *http.Request) {
	name := "static/" + r.PathValue("file")
	if info, err := fs.Stat(files, name); err != nil || info.IsDir() {
		d.showNothing(w, r)
		return
	}
	secure(w.Header(), "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	http.ServeFileFS(w, r, files, name)
}
