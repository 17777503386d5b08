package dashboard

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/outbox"
	"outpost/sso"
	"outpost/store"
)

// request is one request on its way through the dashboard.
type request struct {
	*http.Request
	w     http.ResponseWriter
	d     *Dashboard
	ctx   context.Context
	id    string
	visit store.Visit // who asks; zero on open routes when nobody is signed in
	zone  *time.Location
	now   time.Time
}

// handle serves a route: it finds out who asks, lets the rule decide, and answers what goes wrong.
func (d *Dashboard) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		r := &request{Request: hr, w: w, d: d, ctx: hr.Context(), id: outbox.ID(), zone: zoneOf(hr), now: d.Now()}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				d.Log.Error("page", "request_id", r.id, "route", rt.pattern, "panic", p, "stack", string(debug.Stack()))
				r.fail(errors.New("panic"))
			}
		}()
		if d.secure { // what tells where a request comes from does not see the scheme
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		if err := r.admit(rt); err != nil {
			r.fail(err)
			return
		}
		if err := rt.do(r); err != nil {
			r.fail(err)
		}
	})
}

// What a form may send at most: one of ours, one with a file, and the answer of a provider.
const (
	maxForm   = 64 << 10
	maxUpload = 1<<20 + 64<<10
	maxAnswer = 256 << 10
)

// admit lets the request in, or says why not.
func (r *request) admit(rt route) error {
	if r.changes() {
		// The standard protection lets a request through that says nothing of where it comes from. Browsers always do.
		limit := int64(maxForm)
		switch {
		case rt.rule == abroad:
			limit = maxAnswer
		case r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "":
			return errOrigin
		case strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data"):
			limit = maxUpload
		}
		r.Body = http.MaxBytesReader(r.w, r.Body, limit)
		if err := r.ParseForm(); err != nil {
			return &models.Error{Code: models.Invalid, Detail: "the form could not be read: go back and send it again", Err: err}
		}
	}
	cookie, err := r.Cookie(r.d.cookieName(sessionCookie))
	if err == nil {
		r.visit, err = r.d.Gate.Visit(r.ctx, cookie.Value)
	}
	if rt.rule == open || rt.rule == abroad {
		if err != nil && !models.Is(err, models.Unknown) && !errors.Is(err, http.ErrNoCookie) {
			return err
		}
		return nil
	}
	if err != nil {
		if errors.Is(err, http.ErrNoCookie) {
			err = &models.Error{Code: models.Unknown, Detail: "sign in to go on"}
		}
		return err
	}
	if err := r.renew(cookie.Value); err != nil {
		return err
	}
	return rt.rule.allows(r)
}

// renew gives the browser a new cookie when the role of its holder has changed. It waits for a page of its own: of
// several requests at once, only one can.
func (r *request) renew(cookie string) error {
	s, m := &r.visit.Session, r.visit.Member
	if s.Role == m.Role || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return nil
	}
	secret := sso.Secret()
	err := r.d.Store.Write(r.ctx, func(tx *store.Tx) error {
		return tx.RenewSession(s.ID, sso.Hash(cookie), sso.Hash(secret), m.Role)
	})
	if err == nil {
		s.Role, s.TokenHash = m.Role, sso.Hash(secret)
		r.setSession(secret)
	}
	if models.Is(err, models.Stale) { // another request was faster
		return nil
	}
	return err
}

// stays is the error for a visitor who lost access while a long answer was on its way.
func (r *request) stays() error {
	still, err := r.d.Gate.Still(r.ctx, []store.Visit{r.visit})
	if err == nil && !still[0] {
		err = &models.Error{Code: models.Unknown, Detail: "access ended while the answer was on its way"}
	}
	return err
}

// changes reports whether the request may change anything.
func (r *request) changes() bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

// htmx reports whether a part of a page is asked for.
func (r *request) htmx() bool { return r.Header.Get("HX-Request") == "true" }

// The member and the workspace that the request is for.
func (r *request) member() models.Member       { return r.visit.Member }
func (r *request) workspace() models.Workspace { return r.visit.Workspace }
func (r *request) signedIn() bool              { return r.visit.Session.ID != "" }

// manages reports whether the visitor is an owner or admin.
func (r *request) manages() bool {
	role := r.member().Role
	return role == models.RoleOwner || role == models.RoleAdmin
}

// address is the visitor's e-mail address, folded, where they have shown that it is theirs, by a link that was mailed to it;
// else "". What a provider says of an address holds in its own workspace alone.
func (r *request) address() string {
	if r.visit.Session.Method != models.MethodLink {
		return ""
	}
	return r.member().EmailKey
}

// operates reports whether the visitor may look at the queues of all workspaces.
func (r *request) operates() bool {
	return r.signedIn() && (r.d.operators[r.address()] || r.d.OwnersOperate && r.member().Role == models.RoleOwner)
}

// caller is the visitor as directory records them.
func (r *request) caller(method string) directory.Caller {
	return directory.Caller{WorkspaceID: r.workspace().ID, Actor: r.member().Name, IP: r.ip(), Method: method, RequestID: r.id}
}

// entry is the audit entry of what this request did about a member, or was refused; who did it is for people.
func (r *request) entry(method string, status int, workspaceID, who, memberID, detail string) *models.AuditEntry {
	return &models.AuditEntry{
		ID: outbox.ID(), WorkspaceID: workspaceID, Actor: who, IP: r.ip(), Method: method, TargetType: models.ResourceMember, TargetID: memberID,
		Status: status, Detail: detail, RequestID: r.id, UserAgent: r.agent(), At: r.now,
	}
}

// connection finds the connection in the path, if it is one of the workspace's and not deleted.
func (r *request) connection() (models.Connection, error) {
	id := r.PathValue("id")
	if !directory.IsID(id) {
		return models.Connection{}, errNothing
	}
	c, err := r.d.Store.Connection(r.ctx, id)
	if err == nil && (c.WorkspaceID != r.workspace().ID || c.Status == models.ConnectionDeleted) {
		err = errNothing
	}
	return c, err
}

// fresh fails with a page that asks to sign in again, unless the visitor proved who they are in the last ten minutes.
// back is the page to come back to.
func (r *request) fresh(back string) error {
	if r.now.Sub(r.visit.Session.ProvedAt) <= 10*time.Minute {
		return nil
	}
	return &proveError{back: back}
}

// proveError asks the visitor to prove who they are before a sensitive act.
type proveError struct{ back string }

func (*proveError) Error() string { return "the visitor has to sign in again" }

// The ways in which a request can lead nowhere.
var (
	errNothing = &models.Error{Code: models.NotFound, Detail: "there is nothing here"}
	errOrigin  = &models.Error{Code: models.Denied, Detail: "this request did not come from a page of ours: open the page and send it from there"}
)

func refuseCrossOrigin(r *request) error { return errOrigin }

// ip is where the request came from, by X-Forwarded-For where a trusted proxy wrote it.
func (r *request) ip() string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		address, err := netip.ParseAddr(host)
		if err != nil || !slices.ContainsFunc(r.d.proxies, func(p netip.Prefix) bool { return p.Contains(address.Unmap()) }) {
			break
		}
		hop = strings.TrimSpace(hop)
		if _, err := netip.ParseAddr(hop); err != nil {
			break
		}
		host = hop
	}
	return host
}

// agent is the browser, as it calls itself, cut short.
func (r *request) agent() string {
	agent := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, r.UserAgent())
	return agent[:min(len(agent), 200)]
}

// seeOther sends the browser on to a page of ours, which shows note once.
func (r *request) seeOther(to, note string) error {
	if note != "" {
		r.setCookie(noteCookie, url.QueryEscape(note), time.Minute)
	}
	if r.htmx() {
		r.w.Header().Set("HX-Redirect", to)
		r.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther)
	return nil
}

// localPath is where to go on to: a path of ours, or "/".
func localPath(p string) string {
	u, err := url.Parse(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n\t") {
		return "/"
	}
	return p
}
