package sso

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"outpost/models"
	"outpost/store"
)

// By is who changes how people sign in, and the request they made.
type By struct {
	WorkspaceID, Actor, IP, UserAgent, RequestID string
	// Terminal is who has the installation's own terminal: they can always get in again.
	Terminal bool
}

// audit is the entry for a change of a connection's single sign-on.
func (b By) audit(now time.Time, method, connectionID, detail string, changes ...models.Change) *models.AuditEntry {
	e := &models.AuditEntry{
		ID: uuid.Must(uuid.NewV7()).String(), WorkspaceID: b.WorkspaceID, ConnectionID: &connectionID, Actor: b.Actor, IP: b.IP, Method: method,
		TargetType: "Connection", TargetID: connectionID, Status: 200, Detail: detail, RequestID: b.RequestID, UserAgent: b.UserAgent, At: now,
	}
	if len(changes) > 0 {
		list, _ := json.Marshal(changes) // strings alone
		text := string(list)
		e.Changes = &text
	}
	return e
}

// Way is how the people of a connection get in by single sign-on: the provider, and us.
type Way struct {
	store.SAMLWay
	Service  Service
	Provider Provider
}

// Title is the provider's name as people know it.
func (w Way) Title() string { return w.Connection.Provider.SignInTitle() }

// ServiceOf is us as the service provider of a connection. base is the public URL.
func ServiceOf(base, connectionID string) Service {
	id := base + "/saml/" + connectionID
	return Service{EntityID: id, ACS: id + "/acs"}
}

// errNoWay is one and the same for a connection that does not exist and one without single sign-on.
var errNoWay = &models.Error{Code: models.NotFound, Detail: "there is no single sign-on at this address: ask an owner of the workspace for its sign-in page"}

// Way finds the way in through a connection. It fails with NotFound where there is none, and with Denied where the plan
// does not include it.
func (g *Gate) Way(ctx context.Context, base, connectionID string) (Way, error) {
	if uuid.Validate(connectionID) != nil {
		return Way{}, errNoWay
	}
	found, err := g.store.SAMLWay(ctx, connectionID)
	if models.Is(err, models.NotFound) || err == nil && found.Connection.Status == models.ConnectionDeleted {
		return Way{}, errNoWay
	}
	if err != nil {
		return Way{}, err
	}
	if !found.Workspace.Plan.DirectorySync() {
		return Way{}, &models.Error{Code: models.Denied, Detail: "single sign-on is part of the Enterprise plan and this workspace is not on it: sign in with your e-mail address"}
	}
	w := Way{SAMLWay: found, Service: ServiceOf(base, connectionID)}
	if w.Provider, err = ProviderOf(found.Setup); err != nil {
		return Way{}, err
	}
	if len(w.Provider.Certificates) == 0 {
		return Way{}, errNoWay
	}
	if found.Setup.SignsRequests() {
		if w.Service, err = g.signing(w.Service, found.Setup); err != nil {
			return Way{}, err
		}
	}
	return w, nil
}

// signing is the service with the setup's key.
func (g *Gate) signing(s Service, setup models.SAMLSetup) (Service, error) {
	certificates, err := fromPEM(setup.KeyCertificate)
	if err != nil {
		return s, err
	}
	if s.Key, err = g.open(setup.ConnectionID, setup.Key); err != nil {
		return s, err
	}
	if len(certificates) == 1 {
		s.Certificate = certificates[0]
	}
	return s, nil
}

// ServiceFor is us as the service provider of a connection, with the key that requests are signed with where they are.
// It works before a provider is configured.
func (g *Gate) ServiceFor(ctx context.Context, base, connectionID string) (Service, error) {
	s := ServiceOf(base, connectionID)
	found, err := g.store.SAMLWay(ctx, connectionID)
	if models.Is(err, models.NotFound) || err == nil && !found.Setup.SignsRequests() {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return g.signing(s, found.Setup)
}

// ProviderOf is the identity provider that a setup describes.
func ProviderOf(s models.SAMLSetup) (Provider, error) {
	certificates, err := fromPEM(s.Certificates)
	return Provider{EntityID: s.EntityID, SignInURL: s.SignInURL, Certificates: certificates}, err
}

// Configure makes a provider the one that the people of a connection sign in at, in place of any before. A test that had
// passed has to be made again; where it is another provider, the sessions begun by the one before end.
func (g *Gate) Configure(ctx context.Context, by By, c models.Connection, p Provider) (models.SAMLSetup, error) {
	if len(p.Certificates) == 0 || p.EntityID == "" || p.SignInURL == "" {
		return models.SAMLSetup{}, &models.Error{Code: models.Invalid, Detail: "the metadata lacks an entity id, a sign-in URL or a certificate: export it again from your identity provider"}
	}
	now := g.now()
	var s models.SAMLSetup
	err := g.store.Write(ctx, func(tx *store.Tx) error {
		fresh, err := tx.LockConnection(c.ID)
		if err != nil {
			return err
		}
		w, err := tx.WorkspaceByID(c.WorkspaceID)
		switch {
		case err != nil:
			return err
		case fresh.Status == models.ConnectionDeleted:
			return &models.Error{Code: models.NotFound, Detail: "the connection " + c.ID + " is deleted"}
		case !w.Plan.DirectorySync():
			return &models.Error{Code: models.Denied, Detail: "single sign-on is part of the Enterprise plan: upgrade the workspace first"}
		}
		before, err := tx.LockSAMLSetup(c.ID)
		there := err == nil
		if err != nil && !models.Is(err, models.NotFound) {
			return err
		}
		if s = before; !there {
			s = models.SAMLSetup{ConnectionID: c.ID, WorkspaceID: c.WorkspaceID, CreatedAt: now}
		}
		if there && !by.Terminal && w.RequireSSO != nil && *w.RequireSSO == c.ID && !goesOn(before, p) {
			return errInUse
		}
		s.EntityID, s.SignInURL, s.Certificates = p.EntityID, p.SignInURL, toPEM(p.Certificates...)
		s.Version, s.WarnedDays, s.UpdatedBy, s.UpdatedAt = s.Version+1, 0, by.Actor, now
		if p.WantsSignedRequests && !s.SignsRequests() {
			if err := g.newKey(&s, p.EntityID, now); err != nil {
				return err
			}
		}
		if there && before.EntityID != s.EntityID { // another provider's people: nobody is who the old one said
			if err := tx.EndSAMLSessions(c.ID, now); err != nil {
				return err
			}
			if err := tx.ForgetSubjects(c.ID); err != nil {
				return err
			}
		}
		tx.Add(by.audit(now, "configure sso", c.ID, "", models.Change{Attribute: "issuer", Before: before.EntityID, After: s.EntityID},
			models.Change{Attribute: "certificates", Before: fingerprints(before.Certificates), After: fingerprints(s.Certificates)}))
		if there {
			return tx.SaveSAMLSetup(s)
		}
		tx.Add(&s)
		return nil
	})
	return s, err
}

// errInUse keeps a workspace from locking itself out.
var errInUse = &models.Error{Code: models.Denied, Detail: "everybody has to sign in with the present metadata, and this is another issuer or has none of its certificates: add the new certificate beside the old one, or switch Require single sign-on off first and test the new metadata"}

// goesOn reports whether a provider is the one of a setup, with a certificate that it is known by.
func goesOn(s models.SAMLSetup, p Provider) bool {
	known, err := fromPEM(s.Certificates)
	return err == nil && s.EntityID == p.EntityID && slices.ContainsFunc(known, func(k *x509.Certificate) bool { return slices.ContainsFunc(p.Certificates, k.Equal) })
}

// newKey gives a setup a new key to sign requests with.
func (g *Gate) newKey(s *models.SAMLSetup, entityID string, now time.Time) error {
	key, certificate, err := NewKey(entityID, now)
	if err != nil {
		return err
	}
	s.KeyCertificate = toPEM(certificate)
	s.Key, err = g.seal(s.ConnectionID, key)
	return err
}

// change changes a setup under the lock of its row. what is for the audit; do changes the setup and tells the detail.
func (g *Gate) change(ctx context.Context, by By, connectionID, what string, do func(tx *store.Tx, s *models.SAMLSetup, now time.Time) (detail string, err error)) error {
	return g.store.Write(ctx, func(tx *store.Tx) error {
		s, err := tx.LockSAMLSetup(connectionID)
		if models.Is(err, models.NotFound) || err == nil && s.WorkspaceID != by.WorkspaceID {
			return &models.Error{Code: models.NotFound, Detail: "this connection has no single sign-on yet: give it your identity provider's metadata first"}
		}
		if err != nil {
			return err
		}
		now := g.now()
		detail, err := do(tx, &s, now)
		if err != nil {
			return err
		}
		s.UpdatedBy, s.UpdatedAt = by.Actor, now
		tx.Add(by.audit(now, what, connectionID, detail))
		return tx.SaveSAMLSetup(s)
	})
}

// goesOnPassing counts a change after which every answer passes that passed before.
func goesOnPassing(s *models.SAMLSetup) {
	tested := s.Tested()
	s.Version++
	if tested {
		s.PassedVersion = s.Version
	}
}

// Fingerprint is the end of a certificate's SHA-256, by which people tell certificates apart.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return fmt.Sprintf("%02X:%02X", sum[30], sum[31])
}

// ReadCertificate reads one certificate: PEM, or the base64 of it alone. Errors are Invalid, for the admin who pasted it.
func ReadCertificate(text string, now time.Time) (*x509.Certificate, error) {
	text = strings.TrimSpace(text)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		if block.Type != "CERTIFICATE" {
			return nil, unfit("this is not a certificate but a " + strings.ToLower(cut(block.Type)) + ": paste what begins with BEGIN CERTIFICATE")
		}
		text = base64.StdEncoding.EncodeToString(block.Bytes)
	}
	if text == "" {
		return nil, unfit("paste the certificate that your identity provider shows")
	}
	all, err := readCertificates([]string{text}, now)
	if err != nil {
		var e *models.Error
		if errors.As(err, &e) {
			return nil, unfit(strings.NewReplacer("a certificate in this metadata", "this certificate", "the certificate in this metadata", "this certificate", ": download the metadata anew", ": copy all of it").Replace(e.Detail))
		}
		return nil, err
	}
	return all[0], nil
}

// AddCertificate accepts a second certificate beside the first, so that nobody is locked out while the provider changes.
// text is PEM, or the base64 of it that some providers show.
func (g *Gate) AddCertificate(ctx context.Context, by By, connectionID, text string) error {
	added, err := ReadCertificate(text, g.now())
	if err != nil {
		return err
	}
	return g.change(ctx, by, connectionID, "add certificate", func(_ *store.Tx, s *models.SAMLSetup, _ time.Time) (string, error) {
		all, err := fromPEM(s.Certificates)
		if err != nil {
			return "", err
		}
		for _, c := range all {
			if c.Equal(added) {
				return "", &models.Error{Code: models.Conflict, Detail: "this certificate is known already: paste the one that your identity provider will change to"}
			}
		}
		if len(all) > 1 {
			return "", &models.Error{Code: models.Conflict, Detail: "there are two certificates already: remove the one that is not used any more first"}
		}
		s.Certificates, s.WarnedDays = toPEM(append(all, added)...), 0
		goesOnPassing(s)
		return "ends in " + Fingerprint(added), nil
	})
}

// RemoveCertificate takes a certificate away, by its fingerprint. The last one stays.
func (g *Gate) RemoveCertificate(ctx context.Context, by By, connectionID, fingerprint string) error {
	return g.change(ctx, by, connectionID, "remove certificate", func(_ *store.Tx, s *models.SAMLSetup, _ time.Time) (string, error) {
		all, err := fromPEM(s.Certificates)
		if err != nil {
			return "", err
		}
		if len(all) < 2 {
			return "", &models.Error{Code: models.Denied, Detail: "this is the only certificate: add the new one first, then remove this one"}
		}
		var left []*x509.Certificate
		for _, c := range all {
			if Fingerprint(c) != fingerprint {
				left = append(left, c)
			}
		}
		if len(left) == len(all) {
			return "", &models.Error{Code: models.NotFound, Detail: "that certificate is not there any more"}
		}
		s.Certificates = toPEM(left...)
		s.Version, s.WarnedDays = s.Version+1, 0
		return "ended in " + fingerprint, nil
	})
}

// SetOptions says whether requests are signed and whether sign-ins that begin at the provider are taken.
func (g *Gate) SetOptions(ctx context.Context, by By, connectionID string, sign, unrequested bool) error {
	return g.change(ctx, by, connectionID, "set sso options", func(_ *store.Tx, s *models.SAMLSetup, now time.Time) (string, error) {
		switch {
		case sign && !s.SignsRequests():
			if err := g.newKey(s, s.EntityID, now); err != nil {
				return "", err
			}
		case !sign:
			s.Key, s.KeyCertificate = nil, ""
		}
		s.Unrequested = unrequested
		goesOnPassing(s)
		return fmt.Sprintf("signed requests %s, sign-in from the provider's page %s", onOff(sign), onOff(unrequested)), nil
	})
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// Require makes everybody in the workspace sign in through the connection but breakGlass, an active owner. Whoever is
// signed in by a link is out with this. A test has to have passed, but for who has the installation's own terminal.
func (g *Gate) Require(ctx context.Context, by By, connectionID, breakGlass string) error {
	return g.change(ctx, by, connectionID, "require sso", func(tx *store.Tx, s *models.SAMLSetup, _ time.Time) (string, error) {
		if !s.Tested() && !by.Terminal {
			return "", &models.Error{Code: models.Denied, Detail: "a test sign-in has to pass first, with the settings as they are: press Test sign-in"}
		}
		if uuid.Validate(breakGlass) != nil {
			return "", errBreakGlass
		}
		m, err := tx.LockMember(s.WorkspaceID, breakGlass)
		if models.Is(err, models.NotFound) || err == nil && (m.Role != models.RoleOwner || m.Status != models.MemberActive || m.EmailKey == "") {
			return "", errBreakGlass
		}
		if err != nil {
			return "", err
		}
		return m.Name + " keeps the e-mail link", tx.RequireSSO(s.WorkspaceID, &s.ConnectionID, &breakGlass)
	})
}

var errBreakGlass = &models.Error{Code: models.Invalid, Detail: "choose an active owner with an e-mail address who may still use an e-mail link: the way in when your identity provider is down"}

// RequireNoMore lets everybody use e-mail links again.
func (g *Gate) RequireNoMore(ctx context.Context, by By, connectionID string) error {
	return g.change(ctx, by, connectionID, "require no sso", func(tx *store.Tx, s *models.SAMLSetup, _ time.Time) (string, error) {
		return "", tx.RequireSSO(s.WorkspaceID, nil, nil)
	})
}

// Disable ends single sign-on through a connection, and the sessions that began with it. Where it was required, it is
// not any more. What was configured is forgotten.
func (g *Gate) Disable(ctx context.Context, by By, connectionID string) error {
	return g.store.Write(ctx, func(tx *store.Tx) error {
		s, err := tx.LockSAMLSetup(connectionID)
		if models.Is(err, models.NotFound) || err == nil && s.WorkspaceID != by.WorkspaceID {
			return &models.Error{Code: models.NotFound, Detail: "this connection has no single sign-on"}
		}
		if err != nil {
			return err
		}
		now := g.now()
		tx.Add(by.audit(now, "disable sso", connectionID, ""))
		return tx.DropSAML(connectionID, now)
	})
}

// fingerprints lists the fingerprints of certificates in PEM, for the audit.
func fingerprints(text string) string {
	all, err := fromPEM(text)
	if err != nil {
		return ""
	}
	var prints []string
	for _, c := range all {
		prints = append(prints, "…"+Fingerprint(c))
	}
	return strings.Join(prints, ", ")
}
