package sso

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"outpost/models"
)

// Provider is an identity provider as its metadata describes it.
type Provider struct {
	EntityID            string
	SignInURL           string              // where browsers are sent (HTTP-Redirect): https, or http on a loopback host
	Certificates        []*x509.Certificate // that it signs with: one, or two while it changes from one to the other
	WantsSignedRequests bool
}

// What metadata may measure.
const (
	maxMetadata      = 1 << 20 // bytes
	maxMetadataDepth = 64
	maxCertificates  = 2
	minRSA           = 2048 // bits
)

// entity is an EntityDescriptor (SAML metadata 2.3.2) as far as we read it.
type entity struct {
	EntityID string      `xml:"entityID,attr"`
	IDP      []idpRole   `xml:"urn:oasis:names:tc:SAML:2.0:metadata IDPSSODescriptor"`
	SP       []serviceSP `xml:"urn:oasis:names:tc:SAML:2.0:metadata SPSSODescriptor"`
}

type serviceSP struct{}

type idpRole struct {
	WantsSigned string `xml:"WantAuthnRequestsSigned,attr"`
	Keys        []struct {
		Use   string   `xml:"use,attr"`
		Certs []string `xml:"KeyInfo>X509Data>X509Certificate"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:metadata KeyDescriptor"`
	SignIn []struct {
		Binding  string `xml:"Binding,attr"`
		Location string `xml:"Location,attr"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleSignOnService"`
}

// ReadMetadata reads an identity provider's metadata: an EntityDescriptor, or an EntitiesDescriptor with exactly one
// identity provider. Certificates that have expired are left out. The error is Invalid, for the admin who pasted it.
func ReadMetadata(metadata []byte) (Provider, error) {
	entities, err := readEntities(metadata)
	if err != nil {
		return Provider{}, err
	}
	var found []entity
	services := 0
	for _, e := range entities {
		services += len(e.SP)
		if len(e.IDP) > 0 {
			found = append(found, e)
		}
	}
	switch {
	case len(found) == 0 && services > 0:
		return Provider{}, unfit("this is the metadata of a service provider, not of an identity provider: take the one your identity provider offers for the app; in Okta that is on the tab Sign On, as Metadata URL")
	case len(found) == 0:
		return Provider{}, unfit("this metadata describes no identity provider: take the one your identity provider offers for the SAML app")
	case len(found) > 1 || len(found[0].IDP) > 1:
		return Provider{}, unfit("this metadata describes several identity providers: take the one of the SAML app only")
	}
	role := found[0].IDP[0]
	p := Provider{EntityID: found[0].EntityID, WantsSignedRequests: role.WantsSigned == "true" || role.WantsSigned == "1"}
	if p.EntityID == "" || len(p.EntityID) > 1024 || strings.TrimSpace(p.EntityID) != p.EntityID {
		return Provider{}, unfit("this metadata has no proper entityID: download it anew from your identity provider")
	}
	for _, service := range role.SignIn {
		if service.Binding == redirect && p.SignInURL == "" {
			p.SignInURL = service.Location
		}
	}
	if p.SignInURL == "" {
		return Provider{}, unfit("this metadata has no sign-in URL for the binding HTTP-Redirect: switch that binding on at your identity provider")
	}
	if err := signInURL(p.SignInURL); err != nil {
		return Provider{}, err
	}
	var encoded []string
	for _, key := range role.Keys {
		if (key.Use == "" || key.Use == "signing") && len(key.Certs) > 0 {
			encoded = append(encoded, key.Certs[0])
		}
	}
	p.Certificates, err = readCertificates(encoded, time.Now())
	return p, err
}

func unfit(why string) error { return &models.Error{Code: models.Invalid, Detail: why} }

// readEntities reads all entities of a metadata document, in groups or not.
func readEntities(metadata []byte) ([]entity, error) {
	start := bytes.ToLower(bytes.TrimSpace(metadata[:min(len(metadata), 4096)]))
	switch {
	case len(bytes.TrimSpace(metadata)) == 0:
		return nil, unfit("paste the metadata of your identity provider: the XML itself")
	case len(metadata) > maxMetadata:
		return nil, unfit("this metadata is larger than 1 MiB: take the one of the SAML app only, not of the whole federation")
	case bytes.HasPrefix(start, []byte("https://")) || bytes.HasPrefix(start, []byte("http://")):
		return nil, unfit("this is an address, not metadata: fetch the metadata by its URL, or paste the XML that is found there")
	case bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.Contains(start, []byte("<html")):
		return nil, unfit("this is a web page, not metadata: at your identity provider, download the metadata as an XML file and paste what is in it")
	case bytes.HasPrefix(start, []byte("-----begin")):
		return nil, unfit("this is a certificate only: paste the whole metadata XML, which holds it")
	}
	malformed := unfit("this is not a complete XML document: download the metadata anew, and paste all of it")
	var entities []entity
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(metadata, []byte("\xef\xbb\xbf"))))
	// First the whole document, token by token: what comes after builds on it being well-formed and flat.
	for depth := 0; ; {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, malformed
		}
		switch token.(type) {
		case xml.Directive:
			return nil, unfit("this metadata has a DOCTYPE, which we do not read: download it anew from your identity provider")
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		if depth > maxMetadataDepth {
			return nil, unfit("the elements of this metadata are nested more than 64 deep: download it anew from your identity provider")
		}
	}
	decoder = xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(metadata, []byte("\xef\xbb\xbf"))))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return entities, nil
		}
		if err != nil {
			return nil, malformed
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch {
		case e.Name.Space == metadataSpace && e.Name.Local == "EntitiesDescriptor":
		case e.Name.Space == metadataSpace && e.Name.Local == "EntityDescriptor":
			var one entity
			if err := decoder.DecodeElement(&one, &e); err != nil {
				return nil, malformed
			}
			entities = append(entities, one)
		case len(entities) == 0 && e.Name.Local == "Response":
			return nil, unfit("this is the answer to a sign-in, not metadata: take the metadata your identity provider offers for the SAML app")
		default:
			if err := decoder.Skip(); err != nil {
				return nil, malformed
			}
		}
	}
}

// signInURL checks where browsers are to be sent.
func signInURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || len(s) > 2048 {
		return unfit("the sign-in URL in this metadata is no proper URL: download it anew from your identity provider")
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return unfit("the sign-in URL in this metadata is not https: have your identity provider use https")
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// readCertificates reads those an identity provider signs with, and leaves out what has expired and what is there twice.
func readCertificates(encoded []string, now time.Time) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	var expired *x509.Certificate
	for _, one := range encoded {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(one), ""))
		if err != nil {
			return nil, unfit("a certificate in this metadata is not base64: download the metadata anew")
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, unfit("a certificate in this metadata cannot be read: make a new one at your identity provider")
		}
		if now.After(certificate.NotAfter) {
			expired = certificate
			continue
		}
		if err := fitToSign(certificate); err != nil {
			return nil, err
		}
		known := false
		for _, other := range all {
			known = known || other.Equal(certificate)
		}
		if !known {
			all = append(all, certificate)
		}
	}
	switch {
	case len(all) == 0 && expired != nil:
		return nil, unfit("the certificate in this metadata expired on " + expired.NotAfter.UTC().Format("2 January 2006") + ": make a new one at your identity provider, and take its metadata anew")
	case len(all) == 0:
		return nil, unfit("this metadata has no signing certificate, so no answer could be checked: have your identity provider sign its answers")
	case len(all) > maxCertificates:
		return nil, unfit(fmt.Sprintf("this metadata has %d signing certificates, and we take two at most: take the metadata of the SAML app itself, not of the whole organisation", len(all)))
	}
	return all, nil
}

// fitToSign refuses certificates that are too weak, and those of keys that goxmldsig cannot check.
func fitToSign(certificate *x509.Certificate) error {
	switch key := certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return unfit(fmt.Sprintf("the certificate in this metadata has an RSA key of %d bits: make one of 2,048 bits or more at your identity provider", key.N.BitLen()))
		}
	default:
		return unfit("the certificate in this metadata is not for an RSA key: choose RSA, of 2,048 bits or more, at your identity provider")
	}
	switch certificate.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.MD5WithRSA, x509.MD2WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return unfit("the certificate in this metadata is signed with SHA-1 or weaker: make one with SHA-256 at your identity provider")
	}
	return nil
}
