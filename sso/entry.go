package sso

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// RequestLife is how long a provider has to answer.
const RequestLife = 10 * time.Minute

// Question is what a browser wants a provider to be asked.
type Question struct {
	Purpose      models.Purpose
	Browser      string         // the secret of the browser's cookie
	Next         string         // the page to go on to
	Session      models.Session // that the browser has, zero for none
	InvitationID string         // that it comes from, "" for none
	IP           string
}

// maxRequestsFrom bounds the requests from one IP address in RequestLife: a whole company may sit behind one.
const maxRequestsFrom = 2000

// Ask remembers a question and tells where the browser has to go with it.
func (g *Gate) Ask(ctx context.Context, w Way, q Question) (url string, err error) {
	now := g.now()
	if n, err := g.store.SAMLRequestsFrom(ctx, q.IP, now.Add(-RequestLife)); err != nil || n >= maxRequestsFrom {
		if err == nil {
			err = &models.Error{Code: models.Denied, Detail: "too many sign-ins were begun from your network: wait ten minutes, then try again"}
		}
		return "", err
	}
	var b [20]byte
	rand.Read(b[:])
	r := models.SAMLRequest{
		ID: "_" + hex.EncodeToString(b[:]), ConnectionID: w.Connection.ID, BrowserHash: Hash(q.Browser), Purpose: q.Purpose, Next: q.Next, IP: q.IP,
		CreatedAt: now, ExpiresAt: now.Add(RequestLife),
	}
	if q.Session.ID != "" {
		r.SessionID, r.MemberID = &q.Session.ID, &q.Session.MemberID
	}
	if q.InvitationID != "" {
		r.InvitationID = &q.InvitationID
	}
	if url, err = w.Service.SignInURL(w.Provider, r.ID, "", q.Purpose == models.PurposeAgain, now); err != nil {
		return "", err
	}
	return url, g.store.Write(ctx, func(tx *store.Tx) error {
		tx.Add(&r)
		return nil
	})
}

// Heard is a provider's answer, checked as far as it can be by itself.
type Heard struct {
	Assertion Assertion
	Report    Report
	Request   models.SAMLRequest // what it answers, zero for nothing of this browser
	Refused   error              // why it is refused, nil for one that may be used
}

// Hear reads and checks the SAMLResponse that a browser brought. An error is a fault of ours.
func (g *Gate) Hear(ctx context.Context, w Way, answer, browser string) (Heard, error) {
	doc, err := ReadAnswer(answer)
	if err != nil {
		h := Heard{Report: unread(err), Refused: err}
		h.Request, err = g.lastRequest(ctx, w, browser)
		return h, err
	}
	h := Heard{}
	id := doc.InResponseTo()
	why := "it answers no request of ours"
	if id != "" {
		q, err := g.store.SAMLRequest(ctx, w.Connection.ID, id)
		switch {
		case models.Is(err, models.NotFound):
		case err != nil:
			return h, err
		case browser == "" || subtle.ConstantTimeCompare(q.BrowserHash, Hash(browser)) != 1:
			why = "it answers a request of another browser"
		case q.UsedAt != nil:
			why = "it answers a request that was answered already"
		case !g.now().Before(q.ExpiresAt):
			why = "it came too late: the request was good for ten minutes"
		default:
			h.Request, why = q, ""
		}
	}
	unrequested := id == "" && w.Setup.Unrequested
	check := Check{Service: w.Service, Provider: w.Provider, Request: id, IdPInitiated: unrequested, Now: g.now()}
	h.Assertion, h.Report, h.Refused = check.Answer(doc)
	if why == "" || unrequested {
		return h, nil
	}
	h.Report.Set(PointRequest, why, "Begin at our sign-in page, in one browser, and finish there within ten minutes.")
	if h.Refused == nil {
		h.Refused = &models.Error{Code: models.Denied, Detail: why}
	}
	if id == "" {
		h.Request, err = g.lastRequest(ctx, w, browser)
	}
	return h, err
}

// unread is the report of an answer that could not be read.
func unread(err error) Report {
	r, got := newReport(), "the answer could not be read"
	var e *models.Error
	if errors.As(err, &e) {
		got = e.Detail
	}
	r.Set(PointSignature, got, cureSignature)
	return r
}

// lastRequest is the question that an answer which names none, or cannot be read, is probably to.
func (g *Gate) lastRequest(ctx context.Context, w Way, browser string) (models.SAMLRequest, error) {
	if browser == "" {
		return models.SAMLRequest{}, nil
	}
	q, err := g.store.LastSAMLRequest(ctx, w.Connection.ID, Hash(browser))
	if models.Is(err, models.NotFound) || err == nil && (q.UsedAt != nil || !g.now().Before(q.ExpiresAt)) {
		return models.SAMLRequest{}, nil
	}
	return q, err
}

// Entry is what became of an answer.
type Entry struct {
	Session models.Session
	Secret  string        // for the session's cookie
	Member  models.Member // who it is, as far as that is known
	Refused error         // why nobody is signed in, for the person; nil for a session
	Detail  string        // for the audit
	Cure    string        // of a refusal, for an admin
}

// refuse is an Entry that leads nowhere.
func refuse(m models.Member, detail, cure, format string, args ...any) Entry {
	return Entry{Member: m, Detail: detail, Cure: cure, Refused: &models.Error{Code: models.Denied, Detail: fmt.Sprintf(format, args...)}}
}

// Join makes a locked member who is invited an active one. Its errors of code Denied are for the person.
type Join func(tx *store.Tx, m *models.Member, now time.Time) error

// EnterSAML uses up an answer that was not refused, inside the caller's transaction, and begins a session of the person
// it speaks of. The request and the assertion count as used even where the person is refused. Stale means that another
// answer was faster, or that the settings have changed since: nothing is to be kept of the transaction.
func (g *Gate) EnterSAML(tx *store.Tx, w Way, h Heard, from Origin, join Join) (Entry, error) {
	now := g.now()
	if err := g.use(tx, w, h, now); err != nil {
		return Entry{}, err
	}
	m, found, err := g.find(tx, w, h, now)
	if err == nil && found.Refused == nil {
		found, err = g.elsewhere(tx, w, m)
	}
	if err != nil || found.Refused != nil {
		return found, err
	}
	proved := h.Assertion.AuthnInstant
	if proved.After(now) {
		proved = now
	}
	if h.Request.Purpose == models.PurposeAgain && (h.Request.MemberID == nil || *h.Request.MemberID != m.ID) {
		return refuse(m, "somebody else was to prove who they are", "", "%s signed in %s, and it is somebody else who is signed in here and was asked. Sign out of %s, then try once more as yourself.", w.Title(), m.Name, w.Title()), nil
	}
	if h.Request.Purpose == models.PurposeAgain && proved.Before(h.Request.CreatedAt.Add(-Skew)) {
		return refuse(m, "the provider did not ask them again", "", "%s answered without asking you again who you are. Sign out of %s, then try once more.", w.Title(), w.Title()), nil
	}
	if m.Status == models.MemberInvited {
		err := join(tx, &m, now)
		if models.Is(err, models.Denied) || models.Is(err, models.Stale) {
			return Entry{Member: m, Refused: err, Detail: err.Error()}, nil
		}
		if err != nil {
			return Entry{}, err
		}
	}
	s, secret := Begin(m, from, proved, now)
	s.Method, s.ConnectionID = models.MethodSAML, &w.Connection.ID
	if h.Request.SessionID != nil {
		before, err := tx.SessionByID(*h.Request.SessionID)
		if err != nil && !models.Is(err, models.NotFound) {
			return Entry{}, err
		}
		if err == nil && before.EndedAt == nil {
			if err := takePlace(tx, &s, before, now); err != nil {
				return Entry{}, err
			}
		}
	}
	tx.Add(&s)
	return Entry{Session: s, Secret: secret, Member: m, Detail: "signed in with " + w.Title()}, nil
}

// use marks the request and the assertion of an answer as used, under settings that have not changed since.
func (g *Gate) use(tx *store.Tx, w Way, h Heard, now time.Time) error {
	setup, err := tx.SAMLSetup(w.Connection.ID)
	if models.Is(err, models.NotFound) || err == nil && !sameSetup(setup, w.Setup) {
		return &models.Error{Code: models.Stale, Detail: "the settings of single sign-on have just changed: sign in once more"}
	}
	if err != nil {
		return err
	}
	if h.Request.ID != "" {
		if err := tx.UseSAMLRequest(h.Request.ID, now); err != nil {
			return used(err)
		}
	}
	return used(tx.UseAssertion(w.Connection.ID, Hash(h.Assertion.ID), h.Assertion.NotOnOrAfter.Add(Skew)))
}

// sameSetup reports whether an answer is held against the same by both: a setup made anew counts its versions from 1 again.
func sameSetup(a, b models.SAMLSetup) bool {
	return a.Version == b.Version && a.CreatedAt.Equal(b.CreatedAt)
}

// used says Stale in words.
func used(err error) error {
	if models.Is(err, models.Stale) {
		return &models.Error{Code: models.Stale, Detail: "this answer was used already: sign in once more"}
	}
	return err
}

// find tells which member an answer speaks of, and locks the row. An Entry that is refused says why there is none who
// may come in. What the provider calls somebody is the userName or the externalId that its directory gave them, letter by
// letter (a to z in either case), or a persistent identifier that was bound to them. The e-mail address counts for nothing.
func (g *Gate) find(tx *store.Tx, w Way, h Heard, now time.Time) (models.Member, Entry, error) {
	nobody, a, title, space := models.Member{}, h.Assertion, w.Title(), w.Workspace.Name
	if strings.HasSuffix(a.NameIDFormat, ":transient") {
		return nobody, refuse(nobody, "a transient Name ID", "Set the format of the Name ID in the SAML app to unspecified, and its value to the user name.", "%s sends a name that changes each time. Ask your admin to send the user name as the Name ID of the SAML app.", title), nil
	}
	who, err := Whom(tx, w.Connection.ID, a.NameID)
	if err != nil {
		return nobody, Entry{}, err
	}
	if len(who) == 0 && strings.HasSuffix(a.NameIDFormat, ":persistent") && h.Request.InvitationID != nil {
		u, err := g.bind(tx, w, h, now)
		if err != nil {
			return nobody, Entry{}, err
		}
		if u.ID != "" {
			who = append(who, u)
		}
	}
	switch {
	case len(who) == 0:
		return nobody, refuse(nobody, fmt.Sprintf("nobody here is “%s”", cut(a.NameID)), "Assign them to Outpost in "+title+" so that Directory Sync brings them; if it has, set the Name ID of the SAML app to the user name that Directory Sync sends.", "%s says you are “%s”, and Directory Sync has brought nobody of that name into %s. Ask your admin to assign you to Outpost in %s, under the user name that it signs you in with.", title, cut(a.NameID), space, title), nil
	case len(who) > 1:
		return nobody, refuse(nobody, fmt.Sprintf("several people are “%s”", cut(a.NameID)), "One person’s user name is another’s external id: look at both in "+title+".", "%s says you are “%s”, which is the name of more than one person here. Ask your admin to look at your user name and external id in %s.", title, cut(a.NameID), title), nil
	}
	m, err := tx.LockMemberOf(w.Workspace.ID, who[0].ID)
	if models.Is(err, models.NotFound) {
		return nobody, refuse(nobody, "their member is not made yet", "Wait a moment; if it stays, look at Failures and Held.", "%s has assigned you, and your place in %s is being made. Try again in a minute; if it stays, ask your admin.", title, space), nil
	}
	if err != nil {
		return nobody, Entry{}, err
	}
	u, err := tx.Desired(who[0].ID) // as it is now that the member is locked
	switch {
	case err != nil:
		return m, Entry{}, err
	case !u.Active || u.RemovedAt != nil:
		return m, refuse(m, "the directory has taken their access away", "Assign them to Outpost in "+title+" again, or test with somebody who is.", "Your access to %s has ended: %s does not assign you any more. Ask your admin to assign you to Outpost again.", space, title), nil
	case m.Status == models.MemberDeactivated && m.RemovedBy != "":
		return m, refuse(m, "removed by hand", "Bring them back on their page under People, or test with somebody else.", "Your access to %s was taken away by an admin there. Ask them to bring you back.", space), nil
	case m.Status == models.MemberDeactivated:
		return m, refuse(m, "no access", "See on their page under People what became of them.", "You have no access to %s at present. Ask your admin to look at you under People.", space), nil
	}
	return m, Entry{}, nil
}

// elsewhere refuses a member whose workspace requires another connection than the one they came through.
func (g *Gate) elsewhere(tx *store.Tx, w Way, m models.Member) (Entry, error) {
	space, err := tx.WorkspaceByID(m.WorkspaceID)
	if err != nil || !space.RequiresSSO(m) || *space.RequireSSO == w.Connection.ID {
		return Entry{}, err
	}
	c, err := tx.Connection(*space.RequireSSO)
	title := c.Provider.Title()
	return refuse(m, title+" is required", "", "%s requires everybody to sign in with %s. Begin at our sign-in page, with the short name %s.", space.Name, title, space.Slug), err
}

// Whom finds the people of a connection whom its provider may mean by a name, which should be one: it is the userName or
// the externalId that its directory gave them, letter by letter (a to z of a userName in either case), or a persistent
// identifier that was bound to them. The e-mail address counts for nothing.
func Whom(tx *store.Tx, connectionID, nameID string) ([]models.User, error) {
	if strings.Contains(nameID, "\x00") { // which no database takes
		return nil, nil
	}
	people, err := tx.Subjects(connectionID, nameID, scim.Fold(nameID))
	if err != nil {
		return nil, err
	}
	bound, err := tx.SubjectOf(connectionID, nameID)
	if err != nil {
		return nil, err
	}
	var who []models.User
	for _, u := range people {
		if u.Linked && (u.ID == bound || sameName(u.UserName, nameID) || u.ExternalID != nil && *u.ExternalID == nameID) {
			who = append(who, u)
		}
	}
	return who, nil
}

// bind ties a persistent name identifier to the person whose invitation led here: they have the mail, and the provider
// knows them. It returns the zero User where that cannot be.
func (g *Gate) bind(tx *store.Tx, w Way, h Heard, now time.Time) (models.User, error) {
	inv, err := tx.Invitation(*h.Request.InvitationID)
	if err != nil || inv.WorkspaceID != w.Workspace.ID || inv.State != models.InvitationOpen || !now.Before(inv.ExpiresAt) {
		return models.User{}, ignore(err, models.NotFound)
	}
	m, err := tx.LockMember(w.Workspace.ID, inv.MemberID)
	if err != nil || m.DirectoryUserID == nil || m.Status != models.MemberInvited || m.EmailKey != inv.EmailKey {
		return models.User{}, ignore(err, models.NotFound)
	}
	u, err := tx.Desired(*m.DirectoryUserID)
	if err != nil || u.ConnectionID != w.Connection.ID || !u.Linked {
		return models.User{}, ignore(err, models.NotFound)
	}
	return u, tx.BindSubject(models.SAMLSubject{ConnectionID: w.Connection.ID, NameID: h.Assertion.NameID, UserID: u.ID, CreatedAt: now})
}

// ignore is err but for one of code.
func ignore(err error, code models.Code) error {
	if models.Is(err, code) {
		return nil
	}
	return err
}

// sameName reports whether a provider's name for somebody is their userName: letter by letter, a to z in either case.
// Unicode's folding is left out, by which letters that only look alike are one.
func sameName(userName, nameID string) bool {
	return userName == nameID || ascii(userName) && ascii(nameID) && strings.EqualFold(userName, nameID)
}

func ascii(s string) bool { return !strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 }) }
