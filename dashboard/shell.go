package dashboard

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"outpost/models"
	"outpost/store"
)

//go:embed pages
var pageFiles embed.FS

// parsePages parses every page with the layout and all partials, so that a broken one never meets a visitor. A page is a
// file of pages/ that defines "main"; what it defines besides can be asked for alone. Files of pages/partials are shared.
func parsePages(static map[string]asset) (map[string]*template.Template, error) {
	base := template.New("").Funcs(funcs(static))
	base, err := base.ParseFS(pageFiles, "pages/layout/*.html", "pages/partials/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the layout: %w", err)
	}
	names, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		page, err := base.Clone()
		if err == nil {
			_, err = page.ParseFS(pageFiles, name)
		}
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return pages, nil
}

// view is what a page's template is given: $.Shell is around it, .Page is its own.
type view struct {
	Shell shell
	Page  any
}

// shell is everything around a page.
type shell struct {
	Title      string
	Nav        string // the entry of the navigation that is lit
	Wide       bool
	Theme      string // "light", "dark" or "" for the system's
	Note       string // said once
	Path       string
	Member     models.Member
	Workspace  models.Workspace
	Workspaces []models.Workspace // the visitor's own, where there are several
	Connection *models.Connection // the newest one, nil for none
	Failed     int
	Held       store.HeldFigures
	HeldFor    string // how long the oldest of them has waited
	Owner      bool
	Admin      bool // an owner or admin: what they alone may open is shown
	Operator   bool
	Queue      bool // Asynqmon can be shown
	Version    string
}

// head is what a page says about itself.
type head struct {
	title string
	nav   string
	wide  bool
}

// page answers with a page inside the shell; for htmx that asks for a part of it, with that part alone.
func (r *request) page(name string, h head, data any) error {
	return r.pageWith(http.StatusOK, name, h, data)
}

// pageWith is page with another status: 422 for a form that comes back with its errors.
func (r *request) pageWith(status int, name string, h head, data any) error {
	if part := r.Header.Get("HX-Target"); part != "" && r.htmx() {
		if t := r.d.pages[name].Lookup(part); t != nil {
			return r.send(status, t, data)
		}
	}
	s, err := r.shell(h)
	if err != nil {
		return err
	}
	return r.send(status, r.d.pages[name].Lookup("page"), view{Shell: s, Page: data})
}

// solo answers with a page that stands alone, for who is not signed in.
func (r *request) solo(status int, name, title string, data any) error {
	return r.send(status, r.d.pages[name].Lookup("solo"), view{Shell: shell{Title: title, Theme: r.theme(), Note: r.note(), Path: r.URL.Path, Version: r.d.Version}, Page: data})
}

// send renders whole before the first byte leaves.
func (r *request) send(status int, t *template.Template, data any) error {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return fmt.Errorf("render %s: %w", t.Name(), err)
	}
	h := r.w.Header()
	secureHeaders(h, pagePolicy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "HX-Request, Cookie")
	r.w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = r.w.Write(visible(b.Bytes())) // an error means that the visitor has left
	}
	return nil
}

// shell gathers what stands around a page.
func (r *request) shell(h head) (shell, error) {
	m, w := r.member(), r.workspace()
	s := shell{
		Title: h.title, Nav: h.nav, Wide: h.wide, Theme: r.theme(), Path: r.URL.RequestURI(), Member: m, Workspace: w,
		Owner: m.Role == models.RoleOwner, Admin: r.manages(), Operator: r.operates(), Queue: r.d.Queue != nil, Version: r.d.Version,
	}
	own, err := r.d.Store.SignInMembers(r.ctx, r.address())
	if err != nil {
		return s, err
	}
	if len(own) > 1 {
		ids := make([]string, len(own))
		for i, o := range own {
			ids[i] = o.WorkspaceID
		}
		if s.Workspaces, err = r.d.Store.WorkspacesOf(r.ctx, ids); err != nil {
			return s, err
		}
	}
	s.Note = r.note()
	if !s.Admin {
		return s, nil
	}
	if s.Connection, err = r.newestConnection(); err != nil {
		return s, err
	}
	if s.Failed, err = r.d.Store.FailedCount(r.ctx, w.ID); err != nil {
		return s, err
	}
	if s.Held, err = r.d.Store.HeldFigures(r.ctx, w.ID); err != nil {
		return s, err
	}
	s.HeldFor = r.waited(s.Held.Oldest)
	return s, nil
}

// newestConnection is the connection that the pages are about where none is named.
func (r *request) newestConnection() (*models.Connection, error) {
	all, err := r.d.Store.Connections(r.ctx, r.workspace().ID)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

func (r *request) theme() string {
	if t := r.cookie(themeCookie); t == "light" || t == "dark" {
		return t
	}
	return ""
}

// pagePolicy lets a page use what this server serves, and nothing written into the page itself.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secureHeaders(h http.Header, policy string) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// errorPage is what somebody sees who meets an error.
type errorPage struct {
	Code, Heading, Text string
	RequestID           string // for faults of ours
	SignedIn, Admin     bool
	Retry               string // a path to try again, "" for none
}

// fail answers a request that cannot be served as asked.
func (r *request) fail(err error) {
	var prove *proveError
	status, p := http.StatusInternalServerError, errorPage{SignedIn: r.signedIn(), Admin: r.manages()}
	detail := func() string {
		var e *models.Error
		if errors.As(err, &e) {
			return sentence(e.Detail)
		}
		return ""
	}
	switch {
	case r.ctx.Err() != nil:
		return // nobody is there to read it
	case r.Header.Get("Accept") == "text/event-stream" && (models.Is(err, models.Unknown) || models.Is(err, models.Denied) || models.Is(err, models.NotFound)):
		// A live view that comes back and may not: its page, loaded anew, says why.
		r.w.Header().Set("Content-Type", "text/event-stream")
		_, _ = r.w.Write([]byte(goodbye)) // an error means that the visitor has left
		return
	case errors.As(err, &prove):
		_ = r.solo(http.StatusForbidden, "prove", "Is it still you?", r.proving(prove.back)) // whatever went wrong there, nothing was done here
		return
	case models.Is(err, models.Unknown):
		r.signInFirst()
		return
	case models.Is(err, models.NotFound):
		status, p.Code, p.Heading, p.Text = http.StatusNotFound, "404", "There is nothing here", "The page has moved, or it belongs to another workspace. Check the workspace at the top left, or search for the person or the group."
		switch {
		case !p.SignedIn:
			p.Text = "The page has moved, or its address is cut off. Check the address, or sign in."
		case !p.Admin:
			p.Text = "The page has moved, or it belongs to another workspace. Check the address."
		}
	case models.Is(err, models.Denied):
		status, p.Code, p.Heading, p.Text = http.StatusForbidden, "403", "This is not yours to open", detail()
	case models.Is(err, models.Invalid):
		status, p.Code, p.Heading, p.Text = http.StatusUnprocessableEntity, "422", "That does not work as it is", detail()
	case models.Is(err, models.Conflict), models.Is(err, models.Stale):
		status, p.Code, p.Heading, p.Text = http.StatusConflict, "409", "Somebody was faster", detail()
	case models.Is(err, models.Unavailable):
		status, p.Code, p.Heading, p.Text = http.StatusServiceUnavailable, "503", "We cannot reach the database", "Nothing was lost. Try again in a moment."
	default:
		p.Code, p.Heading, p.Text = "500", "Something broke on our side", "Nothing was lost and nothing was half done. Try again; if it stays, tell your operator the request id below."
	}
	if status >= 500 {
		p.RequestID = r.id
		r.d.Log.Warn("page", "request_id", r.id, "method", r.Method, "route", r.Pattern, "error", err)
	}
	if r.Method == http.MethodGet && status >= 500 {
		p.Retry = r.URL.RequestURI()
	}
	if r.htmx() { // what stays on the page says it
		r.w.Header().Set("HX-Retarget", "#toasts")
		r.w.Header().Set("HX-Reswap", "innerHTML")
		_ = r.send(status, r.d.pages["error"].Lookup("toast"), p.Heading+". "+p.Text) // the template is known to be good
		return
	}
	if p.SignedIn && !p.Admin && status < 500 { // what they may open is around it
		if r.pageWith(status, "error", head{title: p.Heading}, p) == nil {
			return
		}
	}
	if err := r.solo(status, "error", p.Heading, p); err != nil {
		http.Error(r.w, p.Heading, status)
	}
}

// signInFirst sends the visitor to the sign-in page, and back afterwards.
func (r *request) signInFirst() {
	to := "/signin"
	if r.Method == http.MethodGet && r.URL.Path != "/" && !strings.HasSuffix(r.URL.Path, "/live") {
		to += "?next=" + template.URLQueryEscaper(r.URL.RequestURI())
	}
	if r.htmx() {
		r.w.Header().Set("HX-Redirect", to)
		r.w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther)
}

func showNothing(r *request) error { return errNothing }

// connectionPath is the page of a connection.
func connectionPath(id string) string { return "/settings/security/directory-sync/" + id }

// setTheme keeps how the visitor wants the pages to look.
func setTheme(r *request) error {
	switch theme := r.PostFormValue("theme"); theme {
	case "light", "dark":
		r.setCookie(themeCookie, theme, 365*24*60*60*1e9)
	default:
		r.setCookie(themeCookie, "", -1)
	}
	return r.seeOther(localPath(r.PostFormValue("back")), "")
}

// find leads a search to the list that knows the answer: a request id to Activity, anything else to People.
func find(r *request) error {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	to := "/people?q="
	if looksLikeRequestID(q) {
		to = "/activity?q="
	}
	http.Redirect(r.w, r.Request, to+template.URLQueryEscaper(q), http.StatusSeeOther)
	return nil
}

// looksLikeRequestID tells a request id, ours or a provider's, from a name: long, with digits, and without blanks or @.
func looksLikeRequestID(q string) bool {
	return len(q) >= 16 && strings.ContainsAny(q, "0123456789") && !strings.ContainsAny(q, " @")
}
