package sso

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"math/big"
	"time"

	saml2 "github.com/russellhaering/gosaml2"
	dsig "github.com/russellhaering/goxmldsig"

	"outpost/models"
)

// Service is us as the service provider of one connection.
type Service struct {
	EntityID, ACS string
	Key           crypto.Signer     // RSA, for signed requests; nil for none
	Certificate   *x509.Certificate // of Key
}

// serviceMetadata is our EntityDescriptor (SAML metadata 2.4.4), its parts in the order of the schema.
type serviceMetadata struct {
	XMLName  xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
	EntityID string   `xml:"entityID,attr"`
	Role     struct {
		RequestsSigned   bool         `xml:"AuthnRequestsSigned,attr"`
		AssertionsSigned bool         `xml:"WantAssertionsSigned,attr"`
		Protocols        string       `xml:"protocolSupportEnumeration,attr"`
		Key              *keyMetadata `xml:"KeyDescriptor"`
		NameIDFormats    []string     `xml:"NameIDFormat"`
		ACS              struct {
			Binding  string `xml:"Binding,attr"`
			Location string `xml:"Location,attr"`
			Index    int    `xml:"index,attr"`
			Default  bool   `xml:"isDefault,attr"`
		} `xml:"AssertionConsumerService"`
	} `xml:"SPSSODescriptor"`
}

type keyMetadata struct {
	Use  string `xml:"use,attr"`
	Info struct {
		XMLName     xml.Name `xml:"http://www.w3.org/2000/09/xmldsig# KeyInfo"`
		Certificate string   `xml:"X509Data>X509Certificate"`
	}
}

// The forms in which we take a person's name, the preferred one first.
var nameIDFormats = []string{
	"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
}

// Metadata is what an identity provider has to know of us, as an XML document.
func (s Service) Metadata() ([]byte, error) {
	var m serviceMetadata
	m.EntityID = s.EntityID
	m.Role.RequestsSigned, m.Role.AssertionsSigned, m.Role.Protocols = s.Key != nil, true, protocolSpace
	if s.Key != nil {
		m.Role.Key = &keyMetadata{Use: "signing"}
		m.Role.Key.Info.Certificate = base64.StdEncoding.EncodeToString(s.Certificate.Raw)
	}
	m.Role.NameIDFormats = nameIDFormats
	m.Role.ACS.Binding, m.Role.ACS.Location, m.Role.ACS.Index, m.Role.ACS.Default = post, s.ACS, 0, true
	body, err := xml.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write metadata: %w", err)
	}
	return append([]byte(xml.Header), append(body, '\n')...), nil
}

// SignInURL is where the browser goes to sign in: a request by the redirect binding (SAML bindings 3.4), signed with
// RSA-SHA256 where s has a key. requestID must be an XML name, so begin with a letter or an underscore. force has the
// provider ask for the proof anew of somebody who is signed in there.
func (s Service) SignInURL(p Provider, requestID, relayState string, force bool, now time.Time) (string, error) {
	if !identifier(requestID) {
		return "", fmt.Errorf("request id %q is no XML name", requestID)
	}
	if p.WantsSignedRequests && s.Key == nil {
		return "", &models.Error{Code: models.Invalid, Detail: "your identity provider wants signed requests: make a signing key, and give it our metadata anew"}
	}
	sp := &saml2.SAMLServiceProvider{
		IdentityProviderSSOURL:      p.SignInURL,
		IdentityProviderIssuer:      p.EntityID,
		ServiceProviderIssuer:       s.EntityID,
		AssertionConsumerServiceURL: s.ACS,
		ForceAuthn:                  force,
		SignAuthnRequests:           s.Key != nil,
		SignAuthnRequestsAlgorithm:  dsig.RSASHA256SignatureMethod,
		Clock:                       dsig.NewFakeClockAt(now),
	}
	if s.Key != nil {
		if err := sp.SetSPSigningKeyStore(&saml2.KeyStore{Signer: s.Key, Cert: s.Certificate.Raw}); err != nil {
			return "", fmt.Errorf("sign request: %w", err)
		}
	}
	request, err := sp.BuildAuthRequestDocumentNoSig()
	if err != nil {
		return "", fmt.Errorf("build request: %w", err)
	}
	request.Root().CreateAttr("ID", requestID)
	address, err := sp.BuildAuthURLRedirect(relayState, request)
	if err != nil {
		return "", fmt.Errorf("build request: %w", err)
	}
	return address, nil
}

// keyLife is how long the certificate of a signing key is good. Providers do not look at it, but warn of its end.
const keyLife = 10

// NewKey makes a signing key of 2,048 bits RSA, with its self-signed certificate, good for ten years.
func NewKey(entityID string, now time.Time) (crypto.Signer, *x509.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, minRSA)
	if err != nil {
		return nil, nil, fmt.Errorf("make signing key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("make signing key: %w", err)
	}
	name := []rune(entityID)
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: string(name[:min(len(name), 64)]), Organization: []string{"Outpost"}},
		NotBefore:    now.Add(-Skew), NotAfter: now.AddDate(keyLife, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return key, certificate, err
}
