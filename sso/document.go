package sso

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"strings"
	"unicode/utf8"

	"github.com/russellhaering/gosaml2/types"

	"outpost/models"
)

// The names that SAML 2.0 and XML Signature speak in.
const (
	protocolSpace  = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertionSpace = "urn:oasis:names:tc:SAML:2.0:assertion"
	metadataSpace  = "urn:oasis:names:tc:SAML:2.0:metadata"
	signatureSpace = "http://www.w3.org/2000/09/xmldsig#"
	exclusiveC14N  = "http://www.w3.org/2001/10/xml-exc-c14n#"
	instanceSpace  = "http://www.w3.org/2001/XMLSchema-instance"
	xmlSpace       = "http://www.w3.org/XML/1998/namespace"
	bearer         = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	statusSuccess  = "urn:oasis:names:tc:SAML:2.0:status:Success"
	redirect       = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	post           = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
)

// What an answer may measure. goxmldsig walks no more than some 480 elements, signed or not; the elements beyond that
// are always groups, which do not belong into a sign-in.
const (
	maxAnswer     = 256 << 10 // bytes of the form field
	maxDepth      = 32
	maxElements   = 2000
	maxVerifiable = 480 // elements of which a signature can still be checked
	maxAttributes = 64  // of one element
)

// Document is a SAML response that has been read and not yet believed.
type Document struct {
	raw    []byte
	claims types.Response

	signedResponse, signedAssertion, encrypted bool

	algorithms   []string // of the signatures, as URIs; those we do not take are in refused
	refused      []string
	certificates []string // that the signatures say they can be checked with, base64; for the report only
	statuses     []string // from the outermost to the innermost
	message      string   // that goes with a status
	notBefore    *string  // of SubjectConfirmationData, which must have none (SAML profiles 4.1.4.2)
	foreign      bool     // Conditions holds one that we do not know, and so cannot meet (SAML core 2.5.1.1)
	elements     int
	values       int // of attributes
}

// InResponseTo is the request that the response claims to answer, unverified: only to find that request by.
func (d *Document) InResponseTo() string { return d.claims.InResponseTo }

// ReadAnswer reads the SAMLResponse field of a form that an identity provider had a browser post. It takes only documents
// that every XML parser reads alike and that hold one assertion in its one place; the error is Invalid. Nothing in the
// document has been verified after it: see Check.
func ReadAnswer(samlResponse string) (*Document, error) {
	if len(samlResponse) > maxAnswer {
		return nil, unreadable("it is larger than 256 KiB: have the identity provider send fewer attributes, and no groups", nil)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(samlResponse)
	if err != nil || len(raw) == 0 {
		return nil, unreadable("the field SAMLResponse is not base64", err)
	}
	if err := plain(raw); err != nil {
		return nil, err
	}
	d := &Document{raw: raw}
	s := scan{document: d, ids: map[string]bool{}}
	if err := s.read(raw); err != nil {
		return nil, err
	}
	if err := xml.Unmarshal(raw, &d.claims); err != nil {
		return nil, unreadable("it is not well-formed, or a time in it is not one", err)
	}
	return d, nil
}

// plain refuses, before any parser sees it, what parsers differ in: DOCTYPE and entities, comments, CDATA, processing
// instructions, other encodings. No identity provider sends any of it.
func plain(raw []byte) error {
	rest := bytes.TrimPrefix(raw, []byte("<?xml "))
	switch {
	case !utf8.Valid(raw):
		return unreadable("it is not UTF-8", nil)
	case bytes.Contains(raw, []byte("<!")):
		return unreadable("it holds a DOCTYPE, a comment or CDATA", nil)
	case bytes.Contains(rest, []byte("<?")):
		return unreadable("it holds a processing instruction", nil)
	}
	return nil
}

func unreadable(why string, err error) error {
	return &models.Error{Code: models.Invalid, Detail: "the identity provider's answer cannot be taken: " + why, Err: err}
}

func (d *Document) algorithm(uri string, taken map[string]string) {
	if taken[uri] == "" {
		d.refused = append(d.refused, uri)
	}
}

const enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

// What signatures may be made with, and how it is called. Those of elliptic curves are not among them: goxmldsig reads
// them in another form than XML Signature writes them in, so none would pass.
var (
	signatureMethods = map[string]string{
		"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": "RSA-SHA256",
		"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": "RSA-SHA384",
		"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": "RSA-SHA512",
	}
	digestMethods = map[string]string{
		"http://www.w3.org/2001/04/xmlenc#sha256":       "SHA-256",
		"http://www.w3.org/2001/04/xmldsig-more#sha384": "SHA-384",
		"http://www.w3.org/2001/04/xmlenc#sha512":       "SHA-512",
	}
)

func article(noun string) string {
	if noun != "" && strings.ContainsRune("AEIOUaeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// cut shortens what others wrote to what fits into a line.
func cut(s string) string {
	runes := []rune(s)
	if len(runes) > 120 {
		return string(runes[:119]) + "…"
	}
	return s
}
