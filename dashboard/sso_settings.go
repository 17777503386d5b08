package dashboard

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"outpost/models"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

// ssoPath is the settings page of single sign-on.
const ssoPath = "/settings/security/sso"

// ssoPage is Settings > Security > Single sign-on, for one connection.
type ssoPage struct {
	Enterprise  bool
	Connections []models.Connection // the workspace's, where there are several to choose from
	Connection  models.Connection   // zero where there is none
	Provider    string
	Service     sso.Service
	Metadata    string // the path of ours
	Setup       *models.SAMLSetup
	Issuer      string
	SignInURL   string
	Certs       []certificateRow
	Replace     bool // the form for the provider's metadata is open
	Adding      bool // the form for a second certificate is open
	Test        ssoTest
	Required    bool
	GlassGone   bool // it is required, and the owner who may use a link has no access any more
	Owners      []glassChoice
	Outside     int               // members who could not sign in by it
	Pasted      string            // the text or the certificate that was given, to be corrected
	Address     string            // of the metadata, as it was given
	Faults      map[string]string // by the part of the page
	Confirm     string            // "disable" with the dialog open
}

// certificateRow is a certificate of the provider.
type certificateRow struct {
	N           int
	Fingerprint string
	Until       moment
	Warning     string // that it ends soon, or has ended
}

// glassChoice is an owner who may keep the e-mail link.
type glassChoice struct {
	models.Member
	On bool
}

// ssoTest is what the last test showed.
type ssoTest struct {
	At     moment
	Lines  []pointRow
	Failed string // the name of the first point that failed, with its number
	Cure   string
	Passed bool
	Old    bool // the settings have changed since
}

// pointRow is one point of a report.
type pointRow struct {
	sso.Line
	Name string
}

// failedAt names a check of a provider's answer that did not come out well.
func failedAt(p sso.Point) string {
	if p == sso.PointRequest {
		return "Request"
	}
	return pointWords(p)
}

// pointWords names a check of a provider's answer.
func pointWords(p sso.Point) string {
	return map[sso.Point]string{
		sso.PointRequest: "The answer came back to this browser’s request", sso.PointSignature: "Signature", sso.PointIssuer: "Issuer", sso.PointAudience: "Audience",
		sso.PointAddress: "Address it was sent to", sso.PointTime: "Time", sso.PointReplay: "Not used before", sso.PointPerson: "Person", sso.PointMembership: "Membership",
	}[p]
}

// named is a sentence of sso with the provider's name in it.
func named(text, provider string) string {
	return strings.NewReplacer("your identity provider's", provider+"’s", "your identity provider", provider, "Your identity provider", provider).Replace(text)
}

func showSSO(r *request) error {
	c, err := r.ssoConnection(r.URL.Query().Get("connection"))
	if err != nil {
		return err
	}
	q := r.URL.Query()
	return r.ssoPage(http.StatusOK, c, ssoPage{Replace: q.Has("replace"), Adding: q.Has("certificate"), Confirm: q.Get("confirm")})
}

// ssoConnection is the connection that the page is about: the one named, else the one that signs people in, else the
// newest. It is zero where the workspace has none.
func (r *request) ssoConnection(id string) (models.Connection, error) {
	all, err := r.d.Store.Connections(r.ctx, r.workspace().ID)
	if err != nil || len(all) == 0 {
		if err == nil && id != "" {
			err = errNothing
		}
		return models.Connection{}, err
	}
	named := id != ""
	if !named {
		if id, err = r.d.Store.SSOForWorkspace(r.ctx, r.workspace().ID); err != nil {
			return models.Connection{}, err
		}
	}
	for _, c := range all {
		if c.ID == id {
			return c, nil
		}
	}
	if named {
		return models.Connection{}, errNothing
	}
	return all[0], nil
}

// ssoPage completes p, which has what the request was about, and shows it.
func (r *request) ssoPage(status int, c models.Connection, p ssoPage) error {
	w := r.workspace()
	p.Enterprise, p.Connection, p.Provider = w.Plan.DirectorySync(), c, c.Provider.Title()
	all, err := r.d.Store.Connections(r.ctx, w.ID)
	if err != nil {
		return err
	}
	if len(all) > 1 {
		p.Connections = all
	}
	if c.ID == "" || !p.Enterprise {
		return r.pageWith(status, "sso", head{title: "Single sign-on", nav: "sso"}, p)
	}
	p.Service, p.Metadata = sso.ServiceOf(r.d.PublicURL, c.ID), "/saml/"+c.ID+"/metadata"
	way, err := r.d.Store.SAMLWay(r.ctx, c.ID)
	if err != nil && !models.Is(err, models.NotFound) {
		return err
	}
	if err == nil {
		if err := r.ssoSetup(&p, way); err != nil {
			return err
		}
	}
	p.Replace = p.Replace || p.Setup == nil
	return r.pageWith(status, "sso", head{title: "Single sign-on", nav: "sso"}, p)
}

// ssoSetup fills in what is configured.
func (r *request) ssoSetup(p *ssoPage, way store.SAMLWay) error {
	provider, err := sso.ProviderOf(way.Setup)
	if err != nil {
		return err
	}
	p.Setup, p.Issuer, p.SignInURL = &way.Setup, provider.EntityID, provider.SignInURL
	for i, c := range provider.Certificates {
		row := certificateRow{N: i + 1, Fingerprint: sso.Fingerprint(c), Until: r.at(c.NotAfter)}
		row.Warning = endsWords(c.NotAfter.Sub(r.now), len(provider.Certificates) > 1, p.Provider)
		p.Certs = append(p.Certs, row)
	}
	report, err := sso.TestReport(way.Setup)
	if err != nil {
		return err
	}
	if way.Setup.TestedAt != nil {
		p.Test = ssoTest{At: r.at(*way.Setup.TestedAt), Passed: way.Setup.Tested()}
		line, n, failed := report.Failed()
		p.Test.Old = !way.Setup.Tested() && way.Setup.UpdatedAt.After(*way.Setup.TestedAt)
		if failed && !p.Test.Old {
			p.Test.Failed, p.Test.Cure = fmt.Sprintf("point %d, %s", n, failedAt(line.Point)), named(line.Cure, p.Provider)
		}
		for _, l := range report {
			l.Got = named(l.Got, p.Provider)
			p.Test.Lines = append(p.Test.Lines, pointRow{l, pointWords(l.Point)})
		}
	}
	w := way.Workspace
	p.Required = w.RequireSSO != nil && *w.RequireSSO == p.Connection.ID
	owners, err := r.d.Store.ActiveOwners(r.ctx, w.ID)
	if err != nil {
		return err
	}
	p.GlassGone = p.Required
	for _, m := range owners {
		on := w.BreakGlass != nil && *w.BreakGlass == m.ID
		p.GlassGone = p.GlassGone && !on
		p.Owners = append(p.Owners, glassChoice{m, on || w.BreakGlass == nil && m.ID == r.member().ID})
	}
	keeps := r.member().ID // proposed, where nobody is chosen yet
	if w.BreakGlass != nil {
		keeps = *w.BreakGlass
	}
	p.Outside, err = r.d.Store.OutsideSSO(r.ctx, w.ID, p.Connection.ID, keeps)
	return err
}

// ssoInShort says how the people of the workspace sign in, and warns of a certificate that ends soon.
func (r *request) ssoInShort() (how, ends string, err error) {
	id, err := r.d.Store.SSOForWorkspace(r.ctx, r.workspace().ID)
	if err != nil {
		return "", "", err
	}
	if id == "" {
		return "People sign in with a link that we mail to them. They can sign in at your identity provider instead, by SAML 2.0.", "", nil
	}
	w, err := r.d.Store.SAMLWay(r.ctx, id)
	if err != nil {
		return "", "", err
	}
	title := w.Connection.Provider.Title()
	how = "People may sign in with " + title + ", or with a link that we mail to them."
	if r.workspace().RequireSSO != nil {
		how = "Everybody signs in with " + title + "."
	} else if !w.Setup.Tested() {
		how += " It has not been tested with the settings as they are."
	}
	provider, err := sso.ProviderOf(w.Setup)
	if err != nil {
		return "", "", err
	}
	for _, c := range provider.Certificates {
		if warning := endsWords(c.NotAfter.Sub(r.now), len(provider.Certificates) > 1, title); warning != "" {
			ends = "A certificate of " + title + " ends soon. " + warning
		}
	}
	return how, ends, nil
}

// endsWords warns of a certificate that ends soon.
func endsWords(left time.Duration, another bool, provider string) string {
	if left > workspace.FirstWarning {
		return ""
	}
	move := "Add the one that " + provider + " changes to before then, so that nobody is locked out."
	if another {
		move = "Remove it once " + provider + " uses the other one."
	}
	if left <= 0 {
		return "It has ended: " + provider + "’s answers under it are refused. " + move
	}
	return "It ends in " + dur(left) + ". " + move
}

// ssoChange is what the forms of the page have in common: the connection, and whether the visitor proved who they are.
// It fails with a page that asks for that.
func (r *request) ssoChange() (models.Connection, sso.By, error) {
	by := sso.By{WorkspaceID: r.workspace().ID, Actor: r.member().Name, IP: r.ip(), UserAgent: r.agent(), RequestID: r.id}
	c, err := r.ssoConnection(r.FormValue("connection"))
	if err == nil && c.ID == "" {
		err = errNothing
	}
	if err != nil {
		return c, by, err
	}
	return c, by, r.fresh(ssoSettings(c.ID))
}

// ssoSettings is the path of the page for a connection.
func ssoSettings(connectionID string) string { return ssoPath + "?connection=" + connectionID }

// ssoFault shows the page with what is wrong with a form, if the error is one for people.
func (r *request) ssoFault(c models.Connection, part string, err error, p ssoPage) error {
	var e *models.Error
	if !errors.As(err, &e) || e.Code == models.Unavailable || e.Code == models.Unknown {
		return err
	}
	p.Faults = map[string]string{part: sentence(e.Detail)}
	return r.ssoPage(http.StatusUnprocessableEntity, c, p)
}

// configureSSO takes the provider's metadata: a file, a text, or where it is.
func configureSSO(r *request) error {
	c, by, err := r.ssoChange()
	if err != nil {
		return err
	}
	text, err := r.givenMetadata()
	var provider sso.Provider
	if err == nil {
		provider, err = sso.ReadMetadata(text)
	}
	if err == nil {
		_, err = r.d.Gate.Configure(r.ctx, by, c, provider)
	}
	if err != nil {
		return r.ssoFault(c, "metadata", err, ssoPage{Replace: true, Pasted: r.FormValue("text"), Address: r.FormValue("url")})
	}
	return r.seeOther(ssoSettings(c.ID), "Saved. Test it before anybody relies on it.")
}

// givenMetadata is the metadata that the form holds, in whichever way it was given.
func (r *request) givenMetadata() ([]byte, error) {
	file, _, err := r.FormFile("file")
	if err == nil {
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, 1<<20))
		if err != nil {
			return nil, &models.Error{Code: models.Invalid, Detail: "the file could not be read: send it again", Err: err}
		}
		if len(text) > 0 {
			return text, nil
		}
	}
	if text := strings.TrimSpace(r.FormValue("text")); text != "" {
		return []byte(text), nil
	}
	if u := strings.TrimSpace(r.FormValue("url")); u != "" {
		text, err := sso.FetchMetadata(r.ctx, u)
		if models.Is(err, models.Unavailable) { // theirs, not ours
			err = &models.Error{Code: models.Invalid, Detail: detailOf(err), Err: err}
		}
		return text, err
	}
	return nil, &models.Error{Code: models.Invalid, Detail: "give the metadata of your identity provider: choose its file, paste its text, or type its address"}
}

// setCertificates adds a second certificate or takes one away.
func setCertificates(r *request) error {
	c, by, err := r.ssoChange()
	if err != nil {
		return err
	}
	if print := r.PostFormValue("remove"); print != "" {
		if err := r.d.Gate.RemoveCertificate(r.ctx, by, c.ID, print); err != nil {
			return r.ssoFault(c, "certificate", err, ssoPage{})
		}
		return r.seeOther(ssoSettings(c.ID), "Removed. Answers signed with it are refused from now on.")
	}
	text := r.PostFormValue("certificate")
	if err := r.d.Gate.AddCertificate(r.ctx, by, c.ID, text); err != nil {
		return r.ssoFault(c, "certificate", err, ssoPage{Adding: true, Pasted: text})
	}
	return r.seeOther(ssoSettings(c.ID), "Added. Answers signed with either certificate are taken.")
}

func setSSOOptions(r *request) error {
	c, by, err := r.ssoChange()
	if err != nil {
		return err
	}
	if err := r.d.Gate.SetOptions(r.ctx, by, c.ID, r.PostFormValue("sign") != "", r.PostFormValue("unrequested") != ""); err != nil {
		return r.ssoFault(c, "options", err, ssoPage{})
	}
	return r.seeOther(ssoSettings(c.ID), "Saved.")
}

// requireSSO makes everybody sign in through the connection, or nobody have to.
func requireSSO(r *request) error {
	c, by, err := r.ssoChange()
	if err != nil {
		return err
	}
	if r.PostFormValue("require") == "" {
		if err := r.d.Gate.RequireNoMore(r.ctx, by, c.ID); err != nil {
			return r.ssoFault(c, "require", err, ssoPage{})
		}
		return r.seeOther(ssoSettings(c.ID), "Saved. E-mail links work for everybody again.")
	}
	if err := r.d.Gate.Require(r.ctx, by, c.ID, r.PostFormValue("glass")); err != nil {
		return r.ssoFault(c, "require", err, ssoPage{})
	}
	return r.seeOther(ssoSettings(c.ID), "Saved. Everybody signs in with "+c.Provider.Title()+" from now on.")
}

func disableSSO(r *request) error {
	c, by, err := r.ssoChange()
	if err != nil {
		return err
	}
	if err := r.d.Gate.Disable(r.ctx, by, c.ID); err != nil {
		return r.ssoFault(c, "disable", err, ssoPage{})
	}
	return r.seeOther(ssoSettings(c.ID), "Single sign-on is off. Who had signed in by it is signed out.")
}

// testSSO begins a round trip that signs nobody in.
func testSSO(r *request) error {
	c, err := r.ssoConnection(r.URL.Query().Get("connection"))
	if err != nil {
		return err
	}
	w, err := r.d.Gate.Way(r.ctx, r.d.PublicURL, c.ID)
	if models.Is(err, models.NotFound) {
		return r.seeOther(ssoSettings(c.ID), "Give your identity provider’s metadata first.")
	}
	if err != nil {
		return err
	}
	return r.ask(w, sso.Question{Purpose: models.PurposeTest, Next: ssoSettings(c.ID)})
}

// tested takes the answer of a test, and goes back to the page that shows it.
func (r *request) tested(w sso.Way, h sso.Heard) error {
	by := sso.By{WorkspaceID: w.Workspace.ID, Actor: "somebody", IP: r.ip(), UserAgent: r.agent(), RequestID: r.id}
	if h.Request.MemberID != nil {
		m, err := r.d.Store.Member(r.ctx, w.Workspace.ID, *h.Request.MemberID)
		if err != nil {
			return err
		}
		by.Actor = m.Name
	}
	if _, err := r.d.Gate.Test(r.ctx, w, h, by); err != nil {
		return err
	}
	return r.seeOther(h.Request.Next+"#test", "")
}
