package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

// The door of single sign-on: to the provider and back.

// showServiceMetadata tells a provider who we are for a connection.
func showServiceMetadata(r *request) error {
	c, err := r.livingConnection(r.PathValue("id"))
	if err != nil {
		return err
	}
	service, err := r.d.Gate.ServiceFor(r.ctx, r.d.PublicURL, c.ID)
	if err != nil {
		return err
	}
	text, err := service.Metadata()
	if err != nil {
		return err
	}
	h := r.w.Header()
	secureHeaders(h, "default-src 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "application/samlmetadata+xml")
	h.Set("Content-Disposition", `attachment; filename="outpost-metadata.xml"`)
	h.Set("Cache-Control", "no-store")
	_, _ = r.w.Write(text) // an error means that the asker has left
	return nil
}

// livingConnection finds a connection of any workspace that is not deleted.
func (r *request) livingConnection(id string) (models.Connection, error) {
	if !outbox.IsID(id) {
		return models.Connection{}, errNothing
	}
	c, err := r.d.Store.Connection(r.ctx, id)
	if models.Is(err, models.NotFound) || err == nil && c.Status == models.ConnectionDeleted {
		err = errNothing
	}
	return c, err
}

// beginSSO takes a browser to the provider.
func beginSSO(r *request) error {
	w, err := r.way()
	if err != nil {
		return err
	}
	return r.ask(w, sso.Question{Purpose: models.PurposeSignIn, Next: localPath(r.URL.Query().Get("next"))})
}

// beginAgain takes somebody who signed in at a provider there once more, to prove again who they are.
func beginAgain(r *request) error {
	next := localPath(r.URL.Query().Get("next"))
	if r.visit.Session.ConnectionID == nil {
		return r.seeOther(next, "")
	}
	w, err := r.d.Gate.Way(r.ctx, r.d.PublicURL, *r.visit.Session.ConnectionID)
	if err != nil {
		return err
	}
	return r.ask(w, sso.Question{Purpose: models.PurposeAgain, Next: next})
}

// provePage asks somebody to prove again who they are: at the provider, or by a link where Provider is "".
type provePage struct{ Back, Provider, Again string }

// proving is the page that asks the visitor to prove again who they are, in the way they signed in.
func (r *request) proving(back string) provePage {
	p := provePage{Back: back}
	if id := r.visit.Session.ConnectionID; id != nil {
		if c, err := r.d.Store.Connection(r.ctx, *id); err == nil { // else a link does
			p.Provider, p.Again = c.Provider.Title(), "/signin/again?next="+url.QueryEscape(back)
		}
	}
	return p
}

// way is the way in through the connection in the path.
func (r *request) way() (sso.Way, error) {
	return r.d.Gate.Way(r.ctx, r.d.PublicURL, r.PathValue("id"))
}

// ask sends the browser to the provider with a question.
func (r *request) ask(w sso.Way, q sso.Question) error {
	if r.Method == http.MethodHead { // who only looks begins nothing
		return nil
	}
	q.Browser, q.Session, q.IP = r.cookie(samlCookie), r.visit.Session, r.ip()
	if len(q.Browser) != 43 {
		q.Browser = sso.Secret()
	}
	to, err := r.d.Gate.Ask(r.ctx, w, q)
	if err != nil {
		return err
	}
	r.setCookie(samlCookie, q.Browser, sso.RequestLife)
	secureHeaders(r.w.Header(), pagePolicy) // above all that no page of ours is named to the provider
	r.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther)
	return nil
}

// takeAnswer takes what the provider's page sends: somebody is signed in, or told why not.
func takeAnswer(r *request) error {
	w, err := r.way()
	if err != nil {
		return err
	}
	answers := r.PostForm["SAMLResponse"]
	if len(answers) != 1 {
		return &models.Error{Code: models.Invalid, Detail: "this is not the answer of an identity provider: begin at the sign-in page"}
	}
	h, err := r.d.Gate.Hear(r.ctx, w, answers[0], r.cookie(samlCookie))
	if err != nil {
		return err
	}
	if h.Request.Purpose == models.PurposeTest {
		return r.tested(w, h)
	}
	if h.Refused != nil {
		return r.turnAway(w, h)
	}
	var e sso.Entry
	err = r.d.Store.Write(r.ctx, func(tx *store.Tx) error {
		var err error
		join := func(tx *store.Tx, m *models.Member, now time.Time) error {
			return workspace.Join(tx, m, r.by(), "joined with "+w.Title(), now)
		}
		if e, err = r.d.Gate.EnterSAML(tx, w, h, r.origin(), join); err != nil {
			return err
		}
		tx.Add(r.signInEntry(w, e))
		return nil
	})
	if models.Is(err, models.Stale) {
		return r.notIn(w, http.StatusConflict, sentence(err.(*models.Error).Detail))
	}
	if err != nil {
		return err
	}
	if e.Refused != nil {
		return r.notIn(w, http.StatusForbidden, sentence(detailOf(e.Refused)))
	}
	r.setSession(e.Secret)
	r.setCookie(samlCookie, "", -1)
	note := ""
	if h.Request.ID == "" {
		note = "You came from " + w.Title() + "’s page as " + e.Member.Name + ". If it was not you who clicked there, sign out."
	}
	return r.seeOther(localPath(h.Request.Next), note)
}

// detailOf is the sentence of an error for people.
func detailOf(err error) string {
	if e, ok := err.(*models.Error); ok {
		return e.Detail
	}
	return err.Error()
}

// signInEntry records who signed in, or who did not and why.
func (r *request) signInEntry(w sso.Way, e sso.Entry) *models.AuditEntry {
	a := r.entry(methodSignIn, http.StatusOK, w.Workspace.ID, e.Member.Name, e.Member.ID, e.Detail)
	a.ConnectionID = &w.Connection.ID
	if e.Refused != nil {
		a.Status = http.StatusForbidden
	}
	if e.Member.ID == "" {
		a.Actor, a.TargetType, a.TargetID = "somebody", "Connection", w.Connection.ID
	}
	return a
}

// maxTurnedAway bounds the refused answers to one connection from one IP address that are recorded in sso.LinkLife: whoever
// has an old answer of its provider, or begins at our door and makes one up, can neither fill the audit nor keep others' out.
const maxTurnedAway = 100

// turnAway answers a browser whose answer did not pass the checks. What was wrong is for the admins: it is recorded where
// the answer is one to a request of this browser, or signed by the provider, and no more than maxTurnedAway times.
func (r *request) turnAway(w sso.Way, h sso.Heard) error {
	line, _, failed := h.Report.Failed()
	detail := detailOf(h.Refused)
	if failed {
		detail = failedAt(line.Point) + ": " + named(line.Got, w.Title())
	}
	r.d.Log.Info("single sign-on refused", "request_id", r.id, "connection_id", w.Connection.ID, "point", string(line.Point))
	if h.Request.ID != "" || sealed(h.Report) {
		n, err := r.d.Store.RefusedSignIns(r.ctx, w.Workspace.ID, w.Connection.ID, r.ip(), r.now.Add(-sso.LinkLife))
		if err != nil {
			return err
		}
		e := sso.Entry{Detail: detail, Refused: h.Refused}
		err = r.d.Store.Write(r.ctx, func(tx *store.Tx) error {
			if h.Request.ID != "" {
				if err := tx.UseSAMLRequest(h.Request.ID, r.now); err != nil && !models.Is(err, models.Stale) {
					return err
				}
			}
			if n < maxTurnedAway {
				tx.Add(r.signInEntry(w, e))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return r.notIn(w, http.StatusForbidden, "The answer of "+w.Title()+" did not pass our checks, so nobody was signed in. Try again from here. If it stays, give your admin the request id below: Activity tells them what was wrong.")
}

// sealed reports whether the provider's signature is good.
func sealed(report sso.Report) bool {
	return slices.ContainsFunc(report, func(l sso.Line) bool { return l.Point == sso.PointSignature && l.Mark == sso.Passed })
}

// notInPage tells somebody why single sign-on did not let them in.
type notInPage struct {
	Provider, Workspace, Text, Again, RequestID string
}

func (r *request) notIn(w sso.Way, status int, text string) error {
	return r.solo(status, "not_in", "Not signed in", notInPage{
		Provider: w.Title(), Workspace: w.Workspace.Name, Text: text, Again: loginPath(w.Connection.ID, ""), RequestID: r.id,
	})
}

// findSSOPage asks which workspace somebody wants to sign in to.
type findSSOPage struct{ Find, Error, Next string }

func showFindSSO(r *request) error {
	return r.solo(http.StatusOK, "find_sso", "Single sign-on", findSSOPage{Find: r.URL.Query().Get("find"), Next: r.URL.Query().Get("next")})
}

// continuePage leads on to the provider: a form may not, a link may.
type continuePage struct {
	Workspace, Provider, URL, Text string
}

// findSSO finds the way in by the workspace's short name. For an e-mail address it is mailed: nobody learns on this page
// whose address it is, and nobody can claim a company's domain.
func findSSO(r *request) error {
	p := findSSOPage{Find: strings.TrimSpace(r.PostFormValue("find")), Next: localPath(r.PostFormValue("next"))}
	again := func(status int, fault string) error {
		p.Error = fault
		return r.solo(status, "find_sso", "Single sign-on", p)
	}
	if strings.Contains(p.Find, "@") {
		return r.askLink(p.Find, p.Next, again)
	}
	id, err := r.d.Store.SSOForSlug(r.ctx, strings.ToLower(p.Find))
	if err != nil {
		return err
	}
	if id == "" {
		return again(http.StatusUnprocessableEntity, "No workspace of that name has single sign-on. Look for a typing mistake, or type your e-mail address: we mail you the way in.")
	}
	w, err := r.d.Gate.Way(r.ctx, r.d.PublicURL, id)
	if err != nil {
		return err
	}
	return r.goOn(w, http.StatusOK, p.Next, w.Workspace.Name+" signs in with "+w.Title()+".")
}

// goOn shows the button that leads to the provider.
func (r *request) goOn(w sso.Way, status int, next, text string) error {
	return r.solo(status, "continue", "Sign in with "+w.Title(), continuePage{Workspace: w.Workspace.Name, Provider: w.Title(), URL: loginPath(w.Connection.ID, next), Text: text})
}

// loginPath begins single sign-on through a connection.
func loginPath(connectionID, next string) string {
	to := "/saml/" + connectionID + "/login"
	if next != "" && next != "/" {
		to += "?next=" + url.QueryEscape(next)
	}
	return to
}
