package dashboard

import (
	"net/http"

	"outpost/models"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

// invitationPage is what somebody sees who follows the link of an invitation.
type invitationPage struct {
	Token     string
	State     models.LinkState // "" where the link is none of ours
	Workspace string
	Sender    string // who invites, such as "Larkfield IT"
	Email     string // that the invitation went to
	As        string // "a member"
	Teams     []string
	Until     moment
	// Provider is how people of the workspace sign in, such as "Okta", "" where links alone are set up. Required says that
	// nobody joins in another way.
	Provider string
	Required bool
	// SignedInAs is whom the browser is signed in as, where that is somebody else than the invitation is for.
	SignedInAs string
	// Asked is when the newest mail was asked for, zero unless that was a moment ago; Again is when it can be asked for anew.
	Asked, Again moment
	Mailbox      bool

	id  string
	way sso.Way // with the Provider
}

// Heading is what the page is about.
func (p invitationPage) Heading() string {
	switch p.State {
	case models.LinkOpen:
		if p.SignedInAs != "" {
			return "This invitation is for somebody else"
		}
		return "Join " + p.Workspace
	case models.LinkUsed:
		return "You have joined already"
	case models.LinkExpired:
		return "This invitation has expired"
	case models.LinkNewer:
		if !p.Asked.IsZero() {
			return "A new invitation is on its way"
		}
		return "There is a newer invitation"
	case models.LinkMoved:
		return "This invitation went to an old address"
	case models.LinkWithdrawn:
		return "This invitation was withdrawn"
	case models.LinkBarred:
		return "You have no access at present"
	}
	return "This is not the whole link"
}

// status is the answer's.
func (p invitationPage) status() int {
	switch p.State {
	case models.LinkOpen:
		if p.SignedInAs != "" {
			return http.StatusForbidden
		}
		return http.StatusOK
	case models.LinkBarred:
		return http.StatusForbidden
	case "":
		return http.StatusNotFound
	}
	return http.StatusGone
}

// singleSignOn tells how a member of a workspace may sign in with their identity provider: the zero Way where they cannot,
// and whether they get in no other way.
func (r *request) singleSignOn(w models.Workspace, m models.Member) (way sso.Way, required bool, err error) {
	id := ""
	if required = w.RequiresSSO(m); required {
		id = *w.RequireSSO
	} else if m.DirectoryUserID != nil {
		c, err := r.d.Store.ConnectionOf(r.ctx, *m.DirectoryUserID)
		if err != nil {
			return way, false, err
		}
		id = c.ID
	}
	if id == "" {
		return way, required, nil
	}
	way, err = r.d.Gate.Way(r.ctx, r.d.PublicURL, id)
	if !required && (models.Is(err, models.NotFound) || models.Is(err, models.Denied) || models.Is(err, models.Invalid)) {
		return sso.Way{}, false, nil
	}
	return way, required, err
}

// invitation reads what the page of the link in the path tells, and the member whom it is for. It changes nothing.
func (r *request) invitation() (p invitationPage, m models.Member, err error) {
	p = invitationPage{Token: r.PathValue("token"), Mailbox: r.d.Mailbox != nil}
	inv, err := r.d.Store.LinkedInvitation(r.ctx, workspace.TokenHash(p.Token))
	if models.Is(err, models.NotFound) {
		return p, m, nil
	}
	if err != nil {
		return p, m, err
	}
	if m, err = r.d.Store.Member(r.ctx, inv.WorkspaceID, inv.MemberID); err != nil {
		return p, m, err
	}
	spaces, err := r.d.Store.WorkspacesOf(r.ctx, []string{inv.WorkspaceID})
	if err != nil || len(spaces) == 0 {
		return p, m, err
	}
	p.id = inv.ID
	p.State, p.Workspace, p.Email, p.As, p.Until = inv.Link(m, inv.Newer, r.now), spaces[0].Name, inv.Email, article(string(m.Role)), r.at(inv.ExpiresAt)
	if p.Sender, err = r.sender(inv.Invitation, m, p.Workspace); err != nil {
		return p, m, err
	}
	if p.Teams, err = r.d.Store.TeamNames(r.ctx, m.ID); err != nil {
		return p, m, err
	}
	if p.way, p.Required, err = r.singleSignOn(spaces[0], m); err != nil {
		return p, m, err
	}
	if p.way.Connection.ID != "" {
		p.Provider = p.way.Title()
	}
	if v := r.member(); r.signedIn() && v.EmailKey != inv.EmailKey {
		p.SignedInAs = v.Email
	}
	last, err := r.d.Store.LastInvited(r.ctx, m.ID)
	if again := last.Add(workspace.AskAgainAfter); err == nil && r.now.Before(again) {
		p.Asked, p.Again = r.at(last), r.at(again)
	}
	return p, m, err
}

// sender is who invites, as the invitation's mail says it.
func (r *request) sender(inv models.Invitation, m models.Member, workspaceName string) (string, error) {
	by := inv.UserID
	if by == nil {
		by = m.DirectoryUserID
	}
	if by == nil { // by hand: no IT team stands behind it
		return workspaceName, nil
	}
	c, err := r.d.Store.ConnectionOf(r.ctx, *by)
	if c.SenderName == "" {
		c.SenderName = "Your IT team"
	}
	return c.SenderName, err
}

// showInvitation says who invites whom to what. Programs that look at the links of mails change nothing.
func showInvitation(r *request) error {
	p, m, err := r.invitation()
	if err != nil {
		return err
	}
	return r.invitationPage(p, m, p.status())
}

// invitationPage answers with the page of an invitation. Who has joined and is signed in has no use for it.
func (r *request) invitationPage(p invitationPage, m models.Member, status int) error {
	if p.State == models.LinkUsed && r.signedIn() && r.member().ID == m.ID {
		http.Redirect(r.w, r.Request, "/", http.StatusSeeOther)
		return nil
	}
	return r.solo(status, "invitation", p.Heading(), p)
}

// acceptInvitation lets the person join, and signs them in: with a new session, whatever cookie the browser came with.
func acceptInvitation(r *request) error {
	p, m, err := r.invitation()
	switch {
	case err != nil:
		return err
	case p.State != models.LinkOpen || p.SignedInAs != "":
		return r.invitationPage(p, m, p.status())
	case p.Required:
		return r.invitationPage(p, m, http.StatusForbidden)
	}
	var secret string
	err = r.d.Store.Write(r.ctx, func(tx *store.Tx) error {
		m, err := workspace.Accept(tx, p.Token, r.by(), r.now)
		if err != nil {
			return err
		}
		w, err := tx.WorkspaceByID(m.WorkspaceID)
		if err == nil && w.RequiresSSO(m) {
			err = sso.ErrRequired
		}
		if err != nil {
			return err
		}
		if before := r.visit.Session.ID; before != "" {
			if err := tx.EndSession(before, r.now); err != nil {
				return err
			}
		}
		var s models.Session
		s, secret = sso.Begin(m, r.origin(), r.now, r.now)
		tx.Add(&s)
		return nil
	})
	if models.Is(err, models.Stale) || models.Is(err, models.Denied) || models.Is(err, models.NotFound) { // somebody was faster
		return showInvitation(r)
	}
	if err != nil {
		return err
	}
	r.setSession(secret)
	return r.seeOther("/", "Welcome to "+p.Workspace+".")
}

// continueInvitation takes the invited person to the provider: who comes back as them has joined.
func continueInvitation(r *request) error {
	p, m, err := r.invitation()
	if err != nil {
		return err
	}
	if p.State != models.LinkOpen || p.SignedInAs != "" || p.Provider == "" {
		return r.invitationPage(p, m, p.status())
	}
	return r.ask(p.way, sso.Question{Purpose: models.PurposeSignIn, Next: "/", InvitationID: p.id})
}

// askInvitation mails the invitation anew to the address that it went to.
func askInvitation(r *request) error {
	err := r.d.Hands.RenewInvitation(r.ctx, r.PathValue("token"), r.by())
	limited := models.Is(err, models.Denied)
	if err != nil && !limited && !models.Is(err, models.Stale) && !models.Is(err, models.NotFound) {
		return err
	}
	p, m, err := r.invitation()
	switch {
	case err != nil:
		return err
	case limited:
		return r.invitationPage(p, m, http.StatusTooManyRequests)
	}
	return r.seeOther("/invite/"+p.Token, "")
}

// leaveForInvitation ends the session of whoever is signed in, for the invitation of somebody else.
func leaveForInvitation(r *request) error {
	if r.signedIn() {
		if err := r.d.Store.Write(r.ctx, func(tx *store.Tx) error { return tx.EndSession(r.visit.Session.ID, r.now) }); err != nil {
			return err
		}
	}
	r.setCookie(sessionCookie, "", -1)
	return r.seeOther("/invite/"+r.PathValue("token"), "")
}
