package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/sso"
	"outpost/store"
)

// signInPage asks for an address.
type signInPage struct {
	Email, Error, Next string
}

func showSignIn(r *request) error {
	if r.signedIn() {
		http.Redirect(r.w, r.Request, localPath(r.URL.Query().Get("next")), http.StatusSeeOther)
		return nil
	}
	return r.solo(http.StatusOK, "sign_in", "Sign in", signInPage{Next: r.URL.Query().Get("next")})
}

// askSignIn mails a link where the address is that of an active member. The answer is the same where it is not.
func askSignIn(r *request) error {
	email := strings.TrimSpace(r.PostFormValue("email"))
	next := localPath(r.PostFormValue("next"))
	return r.askLink(email, next, func(status int, fault string) error {
		return r.solo(status, "sign_in", "Sign in", signInPage{Email: email, Next: next, Error: fault})
	})
}

// askLink mails the member with an address how they sign in; again shows the form with what is wrong.
func (r *request) askLink(email, next string, again func(status int, fault string) error) error {
	if mail.CheckAddress(email) != nil {
		return again(http.StatusUnprocessableEntity, "That is not an e-mail address. Type the whole of it, like you@example.com.")
	}
	key := scim.Fold(email)
	if err := r.d.Gate.Limit(r.ctx, key, r.ip()); err != nil {
		if !models.Is(err, models.Denied) {
			return err
		}
		return again(http.StatusTooManyRequests, "Too many links were asked for. Use the newest mail, or wait 15 minutes and ask again.")
	}
	members, err := r.d.Store.SignInMembers(r.ctx, key)
	if err != nil {
		return err
	}
	var m *models.Member
	if len(members) > 0 {
		m = &members[0]
	}
	return r.mailLink(email, key, m, next)
}

// askAgain mails a link to somebody who is signed in and has to prove that it is still them.
func askAgain(r *request) error {
	m := r.member()
	if err := r.d.Gate.Limit(r.ctx, m.EmailKey, r.ip()); err != nil {
		return err
	}
	return r.mailLink(m.Email, m.EmailKey, &m, localPath(r.PostFormValue("back")))
}

// mailLink writes a link, with the operation that mails it where it leads somewhere, and shows what to do next.
func (r *request) mailLink(email, key string, m *models.Member, next string) error {
	browser := r.cookie(browserCookie)
	if len(browser) != 43 {
		browser = sso.Secret()
	}
	link := r.d.Gate.NewLink(sso.Ask{EmailKey: key, Member: m, Browser: browser, Next: next, IP: r.ip()})
	err := r.d.Outbox.Write(r.ctx, func(tx *store.Tx) ([]models.Operation, error) {
		tx.Add(&link)
		if m == nil {
			return nil, nil
		}
		op := outbox.Operation(models.KindSignInEmail, m.WorkspaceID, "", models.ResourceSignInLink, link.ID, 0, r.now)
		op.RequestID = r.id
		tx.Add(&models.Mail{ID: outbox.ID(), WorkspaceID: m.WorkspaceID, OperationID: op.ID, MemberID: m.ID, Kind: models.MailSignIn, Recipient: m.Email, State: models.MailReady, CreatedAt: r.now})
		return []models.Operation{op}, nil
	})
	if err != nil {
		return err
	}
	r.setCookie(browserCookie, browser, sso.LinkLife)
	r.setCookie(askedCookie, url.QueryEscape(email), sso.LinkLife)
	return r.seeOther("/signin/sent", "")
}

// sentPage says what to do after a link was asked for.
type sentPage struct {
	Email, From string
	Until       moment
	Mailbox     bool
}

func showSent(r *request) error {
	email, err := url.QueryUnescape(r.cookie(askedCookie))
	if err != nil || email == "" {
		http.Redirect(r.w, r.Request, "/signin", http.StatusSeeOther)
		return nil
	}
	return r.solo(http.StatusOK, "sent", "Check your mail", sentPage{Email: email, From: r.d.MailFrom, Until: r.at(r.now.Add(sso.LinkLife)), Mailbox: r.d.Mailbox != nil})
}

// linkPage asks for the one click that signs in. Programs that look at the links of mails do not make it.
type linkPage struct {
	Token      string
	AskAddress bool   // the link was opened in another browser than the one that asked
	Error      string // about the address
	Gone       string // why the link is no good, "" for a good one
}

func showLink(r *request) error {
	_, same, err := r.d.Gate.Link(r.ctx, r.PathValue("token"), r.cookie(browserCookie))
	if err != nil {
		return r.linkGone(err)
	}
	return r.solo(http.StatusOK, "link", "Sign in", linkPage{Token: r.PathValue("token"), AskAddress: !same})
}

func (r *request) linkGone(err error) error {
	status := http.StatusGone
	switch {
	case models.Is(err, models.NotFound):
		status = http.StatusNotFound
	case models.Is(err, models.Denied):
		status = http.StatusForbidden
	case !models.Is(err, models.Stale):
		return err
	}
	why := err.(*models.Error).Detail
	return r.solo(status, "link", "Sign in", linkPage{Gone: sentence(why)})
}

// useLink signs in.
func useLink(r *request) error {
	link, same, err := r.d.Gate.Link(r.ctx, r.PathValue("token"), r.cookie(browserCookie))
	if err != nil {
		return r.linkRefused(link, err)
	}
	if !same && scim.Fold(strings.TrimSpace(r.PostFormValue("email"))) != link.EmailKey {
		if err := r.linkFailed(link, "the sign-in link was opened in another browser, with another address"); err != nil {
			return err
		}
		return r.solo(http.StatusUnprocessableEntity, "link", "Sign in", linkPage{Token: r.PathValue("token"), AskAddress: true, Error: "The link is for another address. Type the one that the mail came to."})
	}
	var secret string
	err = r.d.Store.Write(r.ctx, func(tx *store.Tx) error {
		var m models.Member
		_, m, secret, err = r.d.Gate.Enter(tx, link, r.origin(), r.visit.Session)
		if err != nil {
			return err
		}
		tx.Add(r.entry(methodSignIn, http.StatusOK, m.WorkspaceID, m.Name, m.ID, "signed in by e-mailed link"))
		return nil
	})
	if models.Is(err, models.Stale) || models.Is(err, models.Denied) {
		return r.linkRefused(link, err)
	}
	if err != nil {
		return err
	}
	r.setSession(secret)
	r.setCookie(browserCookie, "", -1)
	r.setCookie(askedCookie, "", -1)
	return r.seeOther(localPath(link.Next), "")
}

// origin is where the visitor's session comes from.
func (r *request) origin() sso.Origin { return sso.Origin{IP: r.ip(), UserAgent: r.agent()} }

// setSession gives the browser its session cookie.
func (r *request) setSession(secret string) { r.setCookie(sessionCookie, secret, models.SessionLife) }

func signOut(r *request) error {
	if err := r.d.Store.Write(r.ctx, func(tx *store.Tx) error { return tx.EndSession(r.visit.Session.ID, r.now) }); err != nil {
		return err
	}
	r.setCookie(sessionCookie, "", -1)
	return r.seeOther("/signin", "You are signed out.")
}

// switchWorkspace takes the visitor to another workspace that they are a member of: a new session with a new cookie.
func switchWorkspace(r *request) error {
	own, err := r.d.Store.SignInMembers(r.ctx, r.address())
	if err != nil {
		return err
	}
	for _, m := range own {
		if m.WorkspaceID != r.PostFormValue("workspace") {
			continue
		}
		var secret string
		err := r.d.Store.Write(r.ctx, func(tx *store.Tx) (err error) {
			secret, err = r.d.Gate.Switch(tx, r.visit.Session, m, r.origin())
			return err
		})
		if errors.Is(err, sso.ErrRequired) {
			return r.leadOn(m.WorkspaceID, "/")
		}
		if err != nil {
			return err
		}
		r.setSession(secret)
		return r.seeOther("/", "")
	}
	return errNothing
}
