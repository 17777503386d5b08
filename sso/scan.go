package sso

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
)

// place is where an element may stand: its namespace, its parents, and how many of it one parent may have (0: many).
type place struct {
	space   string
	parents []string
	max     int
	text    bool // holds text only
}

// places lists every element that decides anything. By that name none may be anywhere else, in any namespace, so that
// whoever looks for it by whatever rule finds the same one.
var places = map[string]place{
	"Response":           {space: protocolSpace, parents: []string{""}, max: 1},
	"Status":             {space: protocolSpace, parents: []string{"Response"}, max: 1},
	"StatusCode":         {space: protocolSpace, parents: []string{"Status", "StatusCode"}, max: 1},
	"StatusMessage":      {space: protocolSpace, parents: []string{"Status"}, max: 1, text: true},
	"Issuer":             {space: assertionSpace, parents: []string{"Response", "Assertion"}, max: 1, text: true},
	"Assertion":          {space: assertionSpace, parents: []string{"Response"}, max: 1},
	"EncryptedAssertion": {space: assertionSpace, parents: []string{"Response"}, max: 1},

	"Subject":                 {space: assertionSpace, parents: []string{"Assertion"}, max: 1},
	"NameID":                  {space: assertionSpace, parents: []string{"Subject", "AttributeValue"}, max: 1, text: true},
	"SubjectConfirmation":     {space: assertionSpace, parents: []string{"Subject"}, max: 1},
	"SubjectConfirmationData": {space: assertionSpace, parents: []string{"SubjectConfirmation"}, max: 1},
	"Conditions":              {space: assertionSpace, parents: []string{"Assertion"}, max: 1},
	"AudienceRestriction":     {space: assertionSpace, parents: []string{"Conditions"}},
	"Audience":                {space: assertionSpace, parents: []string{"AudienceRestriction", "ProxyRestriction"}, text: true},
	"OneTimeUse":              {space: assertionSpace, parents: []string{"Conditions"}, max: 1},
	"ProxyRestriction":        {space: assertionSpace, parents: []string{"Conditions"}, max: 1},
	"AuthnStatement":          {space: assertionSpace, parents: []string{"Assertion"}, max: 1},
	"AttributeStatement":      {space: assertionSpace, parents: []string{"Assertion"}},
	"Attribute":               {space: assertionSpace, parents: []string{"AttributeStatement"}},
	"AttributeValue":          {space: assertionSpace, parents: []string{"Attribute"}},

	"Signature":              {space: signatureSpace, parents: []string{"Response", "Assertion"}, max: 1},
	"SignedInfo":             {space: signatureSpace, parents: []string{"Signature"}, max: 1},
	"CanonicalizationMethod": {space: signatureSpace, parents: []string{"SignedInfo"}, max: 1},
	"SignatureMethod":        {space: signatureSpace, parents: []string{"SignedInfo"}, max: 1},
	"Reference":              {space: signatureSpace, parents: []string{"SignedInfo"}, max: 1},
	"Transforms":             {space: signatureSpace, parents: []string{"Reference"}, max: 1},
	"Transform":              {space: signatureSpace, parents: []string{"Transforms"}, max: 2},
	"InclusiveNamespaces":    {space: exclusiveC14N, parents: []string{"Transform"}, max: 1},
	"DigestMethod":           {space: signatureSpace, parents: []string{"Reference", "EncryptionMethod"}, max: 1},
	"DigestValue":            {space: signatureSpace, parents: []string{"Reference"}, max: 1, text: true},
	"SignatureValue":         {space: signatureSpace, parents: []string{"Signature"}, max: 1, text: true},
	"KeyInfo":                {space: signatureSpace, parents: []string{"Signature", "EncryptedData", "EncryptedKey"}, max: 1},
}

// open is an element that has begun.
type open struct {
	name       xml.Name
	id         string
	children   map[string]int
	transforms int // of a Transforms: bits of the two there must be
	text       strings.Builder
}

// scan walks a document once, token by token, without building a tree.
type scan struct {
	document *Document
	stack    []*open
	ids      map[string]bool
}

func (s *scan) read(raw []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(raw))
	roots := 0
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			if roots != 1 {
				return unreadable("it holds no document", nil)
			}
			return nil
		}
		if err != nil {
			return unreadable("it is not well-formed", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(s.stack) == 0 {
				roots++
			}
			if roots > 1 {
				return unreadable("it holds two documents", nil)
			}
			if err := s.start(token); err != nil {
				return err
			}
		case xml.EndElement:
			if err := s.end(); err != nil {
				return err
			}
		case xml.CharData:
			if len(s.stack) > 0 {
				s.stack[len(s.stack)-1].text.Write(token)
			} else if len(bytes.TrimSpace(token)) > 0 {
				return unreadable("there is text round the document", nil)
			}
		case xml.ProcInst:
			// the XML declaration: see plain
		default:
			return unreadable("it holds a DOCTYPE, a comment or CDATA", nil)
		}
	}
}

func (s *scan) start(e xml.StartElement) error {
	d := s.document
	parent := &open{}
	if len(s.stack) > 0 {
		parent = s.stack[len(s.stack)-1]
	} else if e.Name.Local != "Response" || e.Name.Space != protocolSpace {
		return unreadable("it is "+article(cut(e.Name.Local))+", not the answer to signing in, which is a SAML 2.0 Response", nil)
	}
	here := &open{name: e.Name, children: map[string]int{}}
	s.stack = append(s.stack, here)
	d.elements++
	switch {
	case len(s.stack) > maxDepth:
		return unreadable("its elements are nested more than 32 deep", nil)
	case d.elements > maxElements:
		return unreadable("it has more than 2,000 elements: have the identity provider send no groups; they come through Directory Sync", nil)
	case len(e.Attr) > maxAttributes:
		return unreadable("an element has more than 64 attributes", nil)
	}
	if !named(e) {
		return unreadable("it has names that are none", nil)
	}
	if err := s.stands(e, parent); err != nil {
		return err
	}
	if err := s.attributes(e, here); err != nil {
		return err
	}
	return s.note(e, parent, here)
}

// named reports whether the names of an element and its attributes have one colon at most, with something on both sides:
// readers differ in what they make of others.
func named(e xml.StartElement) bool {
	for _, a := range e.Attr {
		if a.Name.Local == "" || strings.Contains(a.Name.Local, ":") {
			return false
		}
	}
	return e.Name.Local != "" && !strings.Contains(e.Name.Local, ":")
}

// stands holds an element against places.
func (s *scan) stands(e xml.StartElement, parent *open) error {
	if above, ok := places[parent.name.Local]; ok && above.text {
		return unreadable("there are elements inside "+parent.name.Local, nil)
	}
	where, listed := places[e.Name.Local]
	if !listed {
		if e.Name.Space == signatureSpace && !s.inside("KeyInfo") {
			return unreadable("its signature holds "+article(cut(e.Name.Local)), nil)
		}
		if parent.name.Local == "Conditions" {
			s.document.foreign = true
		}
		return nil
	}
	found := false
	for _, name := range where.parents {
		found = found || parent.name.Local == name
	}
	if !found || e.Name.Space != where.space {
		return unreadable("there is "+article(e.Name.Local)+" where none belongs", nil)
	}
	if parent.children != nil {
		parent.children[e.Name.Local]++
		if where.max > 0 && parent.children[e.Name.Local] > where.max {
			return unreadable("there is more than one "+e.Name.Local+" in one place", nil)
		}
	}
	return nil
}

func (s *scan) inside(name string) bool {
	for _, o := range s.stack[:len(s.stack)-1] {
		if o.name.Local == name {
			return true
		}
	}
	return false
}

// attributes refuses what different readers could take for different attributes, and IDs that are not one element's own.
func (s *scan) attributes(e xml.StartElement, here *open) error {
	seen := map[string]bool{}
	_, decides := places[e.Name.Local]
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			key := "xmlns " + a.Name.Local
			if seen[key] {
				return unreadable("a namespace is declared twice", nil)
			}
			seen[key] = true
			if a.Value != "" && !strings.Contains(a.Value, ":") {
				return unreadable("it declares a relative namespace", nil)
			}
			continue
		}
		if seen[a.Name.Local] {
			return unreadable("an element has an attribute twice", nil)
		}
		seen[a.Name.Local] = true
		if a.Name.Space != "" && decides && e.Name.Local != "Attribute" && a.Name.Space != instanceSpace && a.Name.Space != xmlSpace {
			return unreadable("it has attributes of other namespaces", nil)
		}
		if !strings.EqualFold(a.Name.Local, "id") {
			continue
		}
		switch {
		case a.Name.Space != "" || a.Name.Local != "ID" && e.Name.Space != signatureSpace && !s.inside("EncryptedAssertion"):
			return unreadable("there is an "+a.Name.Local+" where none belongs", nil)
		case !identifier(a.Value):
			return unreadable("an ID is not an XML name", nil)
		case s.ids[a.Value]:
			return unreadable("an ID is used twice", nil)
		}
		s.ids[a.Value] = true
		here.id = a.Value
	}
	return nil
}

// identifier reports whether s can be an ID: an XML name of ASCII, which all identity providers make do with.
func identifier(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != "" && len(s) <= 256
}

// note keeps what the checks ask of the document, and holds signatures to the one form we take: one reference, to the
// element that the signature stands in.
func (s *scan) note(e xml.StartElement, parent, here *open) error {
	d := s.document
	switch e.Name.Local {
	case "Response", "Assertion":
		if here.id == "" {
			return unreadable("its "+e.Name.Local+" has no ID", nil)
		}
	case "EncryptedAssertion":
		d.encrypted = true
	case "Signature":
		d.signedResponse = d.signedResponse || parent.name.Local == "Response"
		d.signedAssertion = d.signedAssertion || parent.name.Local == "Assertion"
	case "Reference":
		if owner := s.stack[len(s.stack)-4]; attribute(e, "URI") != "#"+owner.id {
			return unreadable("its signature refers to something else than what it stands in", nil)
		}
	case "SignatureMethod":
		d.algorithm(attribute(e, "Algorithm"), signatureMethods)
		d.algorithms = append(d.algorithms, attribute(e, "Algorithm"))
	case "DigestMethod":
		if parent.name.Local == "Reference" {
			d.algorithm(attribute(e, "Algorithm"), digestMethods)
		}
	case "CanonicalizationMethod":
		d.algorithm(attribute(e, "Algorithm"), map[string]string{exclusiveC14N: "exclusive c14n"})
	case "Transform":
		switch algorithm := attribute(e, "Algorithm"); algorithm {
		case enveloped:
			parent.transforms |= 1
		case exclusiveC14N:
			parent.transforms |= 2
		default:
			d.refused = append(d.refused, algorithm)
		}
	case "StatusCode":
		d.statuses = append(d.statuses, attribute(e, "Value"))
	case "SubjectConfirmationData":
		for _, a := range e.Attr {
			if a.Name.Local == "NotBefore" {
				d.notBefore = &a.Value
			}
		}
	case "AttributeValue":
		d.values++
	}
	return nil
}

func (s *scan) end() error {
	here := s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
	switch d := s.document; here.name.Local {
	case "Transforms":
		if here.transforms != 3 && len(d.refused) == 0 {
			return unreadable("its signature does not cover the whole of what it stands in", nil)
		}
	case "Reference":
		if here.children["Transforms"] != 1 || here.children["DigestMethod"] != 1 || here.children["DigestValue"] != 1 {
			return unreadable("its signature is incomplete", nil)
		}
	case "SignedInfo":
		if here.children["Reference"] != 1 || here.children["SignatureMethod"] != 1 || here.children["CanonicalizationMethod"] != 1 {
			return unreadable("its signature is incomplete", nil)
		}
	case "Signature":
		if here.children["SignedInfo"] != 1 || here.children["SignatureValue"] != 1 {
			return unreadable("its signature is incomplete", nil)
		}
	case "X509Certificate":
		d.certificates = append(d.certificates, strings.Join(strings.Fields(here.text.String()), ""))
	case "StatusMessage":
		d.message = here.text.String()
	}
	return nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
