package sso

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	saml2 "github.com/russellhaering/gosaml2"
	"github.com/russellhaering/gosaml2/types"
	dsig "github.com/russellhaering/goxmldsig"

	"outpost/models"
)

// Skew is how far the provider's clock and ours may be apart.
const Skew = 60 * time.Second

const (
	maxValidity = 24 * time.Hour  // of an assertion, from when it was issued: replays are remembered that long
	maxUnasked  = 2 * time.Minute // that an answer to no request is taken after it was issued
	maxNameID   = 1024            // bytes
)

// Check is all that an answer is held against.
type Check struct {
	Service  Service
	Provider Provider
	Request  string // the ID of the one live request of this browser; "" only where IdPInitiated

	// IdPInitiated takes an answer to no request: InResponseTo must then be absent everywhere, and the assertion not have
	// been issued more than two minutes ago.
	IdPInitiated bool

	Now time.Time
}

// Assertion is what a provider says, checked. All of it comes from what the provider's signature covers.
type Assertion struct {
	ID, NameID, NameIDFormat string
	AuthnInstant             time.Time // zero where not said
	NotOnOrAfter             time.Time // the end of its validity: replays are remembered until then + Skew
	Email, Name              string    // from attributes where present; data, never identity
	Algorithm                string    // of the signature: RSA-SHA256
	Certificate              int       // which of the provider's certificates it was checked with: 1 or 2
}

var errAnswer = &models.Error{Code: models.Denied, Detail: "your identity provider's answer could not be accepted: try again, and if that fails, ask an owner of the workspace to test the sign-in"}

// Answer checks d, point by point. The error is Denied and says nothing of the reason: it is for the person at the door.
// The report is for the admin; its last three points are left to the caller, except that an answer which names nobody
// fails the person.
func (c Check) Answer(d *Document) (a Assertion, r Report, err error) {
	r = newReport()
	defer func() {
		if p := recover(); p != nil {
			r = newReport()
			r.Set(PointSignature, "the answer could not be checked", cureSignature)
			a, err = Assertion{}, refused(r)
		}
	}()
	said, number, sealed := c.unseal(d)
	view := d.claims
	if said != nil {
		view = *said
	}
	checks := []struct {
		point Point
		check func() (got, cure string)
	}{
		{PointRequest, func() (string, string) { return c.request(d, view) }},
		{PointSignature, func() (string, string) { return sealed.Got, sealed.Cure }},
		{PointIssuer, func() (string, string) { return c.issuer(view) }},
		{PointAudience, func() (string, string) { return c.audience(d, view) }},
		{PointAddress, func() (string, string) { return c.address(d, view) }},
		{PointTime, func() (string, string) { return c.times(d, view) }},
	}
	for _, step := range checks {
		got, cure := step.check()
		r.Set(step.point, got, cure)
		if cure != "" {
			return a, r, refused(r)
		}
	}
	if said == nil { // gosaml2 found something that we did not
		r = newReport()
		r.Set(PointSignature, "the answer could not be checked", cureSignature)
		return a, r, refused(r)
	}
	a = read(said.Assertions[0])
	a.Algorithm, a.Certificate = signatureMethods[d.algorithms[0]], number
	if got, cure := person(a.NameID); cure != "" {
		r.Set(PointPerson, got, cure)
		return Assertion{}, r, refused(r)
	}
	return a, r, nil
}

func refused(r Report) error {
	line, number, _ := r.Failed()
	return &models.Error{Code: errAnswer.Code, Detail: errAnswer.Detail, Err: fmt.Errorf("point %d, %s", number, line.Point)}
}

const cureSignature = "In your identity provider's SAML app, sign the response or the assertion with RSA-SHA256, and take its metadata anew."

// unseal has gosaml2 verify the signatures with each of the provider's certificates alone, whatever certificate the
// document brings along, and returns what they cover and the number of the certificate. sealed is how that came out.
// Where a signature holds and gosaml2 refuses the content, said is nil and sealed passes: the other points tell why.
func (c Check) unseal(d *Document) (said *types.Response, number int, sealed Line) {
	if got, cure := c.verifiable(d); cure != "" {
		return nil, 0, Line{Got: got, Cure: cure}
	}
	for i, certificate := range c.Provider.Certificates {
		sp := c.judge(certificate, d.claims)
		response, err := sp.ValidateEncodedResponse(base64.StdEncoding.EncodeToString(d.raw))
		got := signatureMethods[d.algorithms[0]] + ", certificate " + fmt.Sprint(i+1)
		if err != nil {
			var missing saml2.ErrMissingElement
			var value saml2.ErrInvalidValue
			var parsing saml2.ErrParsing
			if errors.As(err, &missing) || errors.As(err, &value) || errors.As(err, &parsing) {
				return nil, i + 1, Line{Got: got}
			}
			continue
		}
		if len(response.Assertions) != 1 || len(response.EncryptedAssertions) != 0 || !response.SignatureValidated && !response.Assertions[0].SignatureValidated {
			break
		}
		if warnings, err := sp.VerifyAssertionConditions(&response.Assertions[0]); err != nil || warnings.InvalidTime || warnings.NotInAudience {
			return nil, i + 1, Line{Got: got}
		}
		return response, i + 1, Line{Got: got}
	}
	return nil, 0, c.unsealed(d)
}

// judge is gosaml2 with one certificate and a clock that is ours, moved by no more than Skew into the time in which the
// answer claims to be good: gosaml2 itself knows no skew.
func (c Check) judge(certificate *x509.Certificate, claims types.Response) *saml2.SAMLServiceProvider {
	now := c.Now
	if len(claims.Assertions) == 1 {
		if from, until, err := window(claims.Assertions[0]); err == nil {
			if !now.Before(until) && now.Add(-Skew).Before(until) {
				now = until.Add(-time.Nanosecond)
			}
			if now.Before(from) && !now.Add(Skew).Before(from) {
				now = from
			}
		}
	}
	return &saml2.SAMLServiceProvider{
		IdentityProviderIssuer:      c.Provider.EntityID,
		ServiceProviderIssuer:       c.Service.EntityID,
		AssertionConsumerServiceURL: c.Service.ACS,
		AudienceURI:                 c.Service.EntityID,
		IDPCertificateStore:         &dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{certificate}},
		Clock:                       dsig.NewFakeClockAt(now),
		MaximumDecompressedBodySize: 1, // nothing that is posted is compressed
	}
}

// verifiable tells why the signatures of an answer cannot be checked at all.
func (c Check) verifiable(d *Document) (got, cure string) {
	switch {
	case c.Provider.EntityID == "" || c.Service.EntityID == "" || c.Service.ACS == "":
		return "this connection is not set up", "Take over your identity provider's metadata first."
	case len(c.Provider.Certificates) == 0:
		return "no certificate is known for your identity provider", "Take over your identity provider's metadata first: it holds its certificate."
	case d.encrypted:
		return "the assertion is encrypted", "In your identity provider's SAML app, turn the encryption of assertions off: the answer comes over https already."
	case len(d.claims.Assertions) == 0:
		return "the answer holds no assertion", "In your identity provider's SAML app, look whether the person may use it, and test again."
	case !d.signedResponse && !d.signedAssertion:
		return "neither the response nor the assertion is signed", "In your identity provider's SAML app, have the assertion signed, with RSA-SHA256."
	case len(d.refused) > 0:
		return "it is signed with " + algorithmName(d.refused[0]), "In your identity provider's SAML app, choose RSA-SHA256 as the signature algorithm, SHA-256 as the digest and exclusive canonicalization."
	case d.elements > maxVerifiable:
		return fmt.Sprintf("the answer carries %d attribute values, too many to check", d.values), "In your identity provider's SAML app, send no groups: they come through Directory Sync."
	}
	return "", ""
}

// unsealed tells why no certificate of the provider verified the signatures.
func (c Check) unsealed(d *Document) Line {
	for i, certificate := range c.Provider.Certificates {
		if c.Now.After(certificate.NotAfter) || c.Now.Before(certificate.NotBefore) {
			return Line{
				Got:  fmt.Sprintf("certificate %d was valid from %s to %s", i+1, certificate.NotBefore.UTC().Format("2 Jan 2006"), certificate.NotAfter.UTC().Format("2 Jan 2006")),
				Cure: "Make a new certificate at your identity provider, and take its metadata anew.",
			}
		}
	}
	var known []string
	for _, certificate := range c.Provider.Certificates {
		known = append(known, fingerprint(certificate.Raw))
	}
	for _, encoded := range d.certificates {
		der, err := base64.StdEncoding.DecodeString(encoded)
		if err == nil && !strings.Contains(strings.Join(known, " "), fingerprint(der)) {
			return Line{
				Got:  "it is signed with the certificate that ends in " + fingerprint(der) + ", we know " + strings.Join(known, " and "),
				Cure: "Take your identity provider's metadata anew: it has changed its certificate.",
			}
		}
	}
	return Line{Got: "the signature does not fit the answer", Cure: cureSignature}
}

// fingerprint is the end of a certificate's SHA-256, by which people tell certificates apart.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return fmt.Sprintf("%02X:%02X", sum[30], sum[31])
}

func algorithmName(uri string) string {
	if i := strings.LastIndexAny(uri, "#/"); i >= 0 && i < len(uri)-1 {
		uri = uri[i+1:]
	}
	if uri == "" {
		return "nothing"
	}
	return cut(uri)
}
