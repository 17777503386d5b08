package sso

import (
	"crypto/x509"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
)

// edited is what a provider signs after its good document has been changed.
func edited(change func(response, assertion *etree.Element)) func(vendor, string) string {
	return func(v vendor, document string) string {
		doc := etree.NewDocument()
		if err := doc.ReadFromString(document); err != nil {
			panic(err)
		}
		change(doc.Root(), doc.Root().FindElement("./Assertion"))
		out, err := doc.WriteToString()
		if err != nil {
			panic(err)
		}
		return out
	}
}

// replaced is what a provider signs after what the pattern matches has been replaced.
func replaced(pattern, to string) func(vendor, string) string {
	return func(_ vendor, document string) string {
		changed := regexp.MustCompile(pattern).ReplaceAllString(document, to)
		if changed == document {
			panic("nothing matches " + pattern)
		}
		return changed
	}
}

func audience(to string) func(vendor, string) string {
	return swapSigned("Audience>"+ourEntity+"<", "Audience>"+to+"<")
}

func remove(parent, tag string) func(vendor, string) string {
	return edited(func(_, assertion *etree.Element) {
		above := assertion.FindElement(parent)
		above.RemoveChild(above.FindElement("./" + tag))
	})
}

// audiences are answers that the provider made for somebody else. All that is in this file is signed well.
var audiences = []attack{
	{number: 28, name: "another audience", why: "4 audience: your identity provider says https://evil.example", provider: audience("https://evil.example")},
	{number: 28, name: "ours as the beginning", why: "4 audience", provider: audience(ourEntity + ".evil.example")},
	{number: 28, name: "ours and a slash", why: "4 audience", provider: audience(ourEntity + "/")},
	{number: 28, name: "ours in capitals", why: "4 audience", provider: audience(strings.ToUpper(ourEntity))},
	{number: 28, name: "ours and a space", why: "4 audience", provider: audience(ourEntity + " ")},
	{number: 28, name: "our server only", why: "4 audience", provider: audience("https://outpost.example.com")},
	{number: 28, name: "another connection of ours", why: "4 audience", provider: audience("https://outpost.example.com/saml/99999999-7c1e-4b8e-9a2d-5f6e7d8c9b0a")},
	{number: 28, name: "empty audience", why: "4 audience", provider: audience("")},
	{number: 28, name: "no audience in the restriction", why: "4 audience", provider: edited(func(_, a *etree.Element) { a.FindElement("./Conditions/AudienceRestriction").Child = nil })},
	{number: 28, name: "no restriction", why: "4 audience: the answer does not say for whom", provider: remove("./Conditions", "AudienceRestriction")},
	{number: 28, name: "ours and, in a second restriction, another", why: "4 audience", provider: edited(func(_, a *etree.Element) {
		second := a.FindElement("./Conditions/AudienceRestriction").Copy()
		second.FindElement("./Audience").SetText("https://evil.example")
		a.FindElement("./Conditions").AddChild(second)
	})},
	{number: 28, name: "another and ours in one restriction", alike: true, provider: edited(func(_, a *etree.Element) {
		restriction := a.FindElement("./Conditions/AudienceRestriction")
		second := restriction.FindElement("./Audience").Copy()
		second.SetText("https://other.example")
		restriction.InsertChildAt(0, second)
	})},
	{number: 30, name: "another issuer in the response", why: "3 issuer: the answer is by https://evil.example", provider: edited(func(r, _ *etree.Element) { r.FindElement("./Issuer").SetText("https://evil.example") })},
	{number: 30, name: "another issuer in the assertion", why: "3 issuer: the answer is by https://evil.example", provider: edited(func(_, a *etree.Element) { a.FindElement("./Issuer").SetText("https://evil.example") })},
	{number: 30, name: "no issuer in the response", why: "3 issuer", provider: edited(func(r, _ *etree.Element) { r.FindElement("./Issuer").SetText("") })},
	{number: 30, name: "no issuer in the assertion", why: "3 issuer", provider: edited(func(_, a *etree.Element) { a.FindElement("./Issuer").SetText("") })},
	{number: 30, name: "an issuer and a slash", why: "3 issuer", provider: edited(func(_, a *etree.Element) { a.FindElement("./Issuer").SetText(a.FindElement("./Issuer").Text() + "/") })},
	{number: 31, name: "another tenant's answer", why: "2 signature: it is signed with the certificate", signer: foreign(nil), provider: replaced(`(Issuer[^>]*>)[^<]*`, "${1}https://other.example/idp")},
	{number: 31, name: "another tenant's, whose certificate is the same", why: "3 issuer", provider: replaced(`(Issuer[^>]*>)[^<]*`, "${1}https://other.example/idp")},
	{number: 31, name: "another connection's of the same provider", why: "4 audience", provider: swapSigned(ourEntity, "https://outpost.example.com/saml/99999999-7c1e-4b8e-9a2d-5f6e7d8c9b0a")},
	{number: 31, name: "a connection without a certificate", why: "2 signature: no certificate is known", check: func(_ testing.TB, c *Check) { c.Provider.Certificates = nil }},
	{number: 31, name: "a connection without a provider", why: "2 signature: this connection is not set up", check: func(_ testing.TB, c *Check) { c.Provider.EntityID = "" }},
	{number: 31, name: "a connection whose certificate has expired", why: "2 signature: certificate 1 was valid from", check: func(t testing.TB, c *Check) {
		key := keyOf(t, "provider").key
		c.Provider.Certificates = []*x509.Certificate{certify(key, "provider", noon.AddDate(-2, 0, 0), noon.Add(-time.Hour), x509.SHA256WithRSA)}
	}},
}

const (
	dataRequest     = `(SubjectConfirmationData[^>]*)InResponseTo="[^"]*"`
	responseRequest = `(Response [^>]*)InResponseTo="[^"]*"`
)

// addresses are answers sent elsewhere, or to another's request.
var addresses = []attack{
	{number: 29, name: "another recipient", why: "5 address: the recipient is https://evil.example", provider: replaced(`Recipient="[^"]*"`, `Recipient="https://evil.example/acs"`)},
	{number: 29, name: "no recipient", why: "5 address: the recipient is missing", provider: replaced(`Recipient="[^"]*"`, ``)},
	{number: 29, name: "our recipient and a slash", why: "5 address", provider: replaced(`Recipient="[^"]*"`, `Recipient="`+ourACS+`/"`)},
	{number: 29, name: "our recipient by http", why: "5 address", provider: replaced(`Recipient="https`, `Recipient="http`)},
	{number: 29, name: "another destination", why: "5 address: the destination is https://evil.example", provider: replaced(`Destination="[^"]*"`, `Destination="https://evil.example/acs"`)},
	{number: 29, name: "our destination and a query", why: "5 address", provider: replaced(`Destination="[^"]*"`, `Destination="`+ourACS+`?x=1"`)},
	{number: 29, name: "no destination in a signed response", only: []signed{signedResponse, signedBoth}, why: "5 address: the destination is missing", provider: replaced(`Destination="[^"]*"`, ``)},
	{number: 29, name: "no destination in an unsigned response", only: []signed{signedAssertion}, alike: true, provider: replaced(`Destination="[^"]*"`, ``)},
	{number: 32, name: "another's request", why: "1 request: the answer is to another request", provider: replaced(`InResponseTo="[^"]*"`, `InResponseTo="_another"`)},
	{number: 32, name: "another's request in the response", why: "1 request", provider: replaced(responseRequest, `${1}InResponseTo="_another"`)},
	{number: 32, name: "another's request in the confirmation", why: "1 request", provider: replaced(dataRequest, `${1}InResponseTo="_another"`)},
	{number: 32, name: "no request", why: "1 request: the answer is to no request", provider: replaced(`InResponseTo="[^"]*"`, ``)},
	{number: 32, name: "no request in the response", why: "1 request", provider: replaced(responseRequest, `${1}`)},
	{number: 32, name: "no request in the confirmation", why: "1 request", provider: replaced(dataRequest, `${1}`)},
	{number: 32, name: "a browser that asked for nothing", why: "1 request", check: func(_ testing.TB, c *Check) { c.Request = "" }},
	{number: 32, name: "a browser that asked for nothing, no request", why: "1 request", provider: replaced(`InResponseTo="[^"]*"`, ``), check: func(_ testing.TB, c *Check) { c.Request = "" }},
	{number: 32, name: "begun by the provider, with a request", why: "1 request: the answer is to a request", check: unasked},
	{number: 32, name: "begun by the provider, with a request in the confirmation", why: "1 request", provider: replaced(responseRequest, `${1}`), check: unasked},
	{number: 32, name: "begun by the provider, with a request in the response", why: "1 request", provider: replaced(dataRequest, `${1}`), check: unasked},
	{number: 32, name: "begun by the provider", alike: true, provider: replaced(`InResponseTo="[^"]*"`, ``), check: unasked},
	{number: 32, name: "begun by the provider two minutes and a skew ago", why: "6 time: the answer was made at", provider: replaced(`InResponseTo="[^"]*"`, ``), check: func(t testing.TB, c *Check) {
		unasked(t, c)
		c.Now = noon.Add(maxUnasked + Skew + time.Second)
	}},
	{number: 33, name: "the assertion of another's sign-in in a new response", only: []signed{signedAssertion}, why: "1 request", attacker: tamper(`(Response [^>]*ID=")[^"]*`, "${1}_new"), check: func(_ testing.TB, c *Check) { c.Request = "_another" }},
	{number: 33, name: "the assertion of another's sign-in in a response to this browser's", only: []signed{signedAssertion}, why: "1 request", attacker: tamper(responseRequest, `${1}InResponseTo="_mine"`), check: func(_ testing.TB, c *Check) { c.Request = "_mine" }},
}

func unasked(_ testing.TB, c *Check) { c.IdPInitiated, c.Request = true, "" }

// at holds an answer against another time of day.
func at(now time.Time) func(testing.TB, *Check) {
	return func(_ testing.TB, c *Check) { c.Now = now }
}

// lasting is a provider whose answers are good between these times.
func lasting(from, until string) func(vendor, string) string {
	return func(v vendor, document string) string {
		document = regexp.MustCompile(`NotBefore="[^"]*"`).ReplaceAllString(document, `NotBefore="`+from+`"`)
		return regexp.MustCompile(` NotOnOrAfter="[^"]*"`).ReplaceAllString(document, ` NotOnOrAfter="`+until+`"`)
	}
}

const (
	early = "2026-11-30T11:59:00Z"
	late  = "2026-11-30T12:05:00Z"
)

var lifetimes = []attack{
	{number: 34, name: "expired", why: "6 time: the answer was good until", check: at(noon.Add(3 * time.Hour))},
	{number: 34, name: "not yet valid", why: "6 time: the answer is good from", check: at(noon.Add(-3 * time.Hour))},
	{number: 34, name: "expired 59 seconds ago", alike: true, provider: lasting(early, late), check: at(noon.Add(5*time.Minute + 59*time.Second))},
	{number: 34, name: "expired 60 seconds ago", why: "6 time", provider: lasting(early, late), check: at(noon.Add(6 * time.Minute))},
	{number: 34, name: "expired 61 seconds ago", why: "6 time", provider: lasting(early, late), check: at(noon.Add(6*time.Minute + time.Second))},
	{number: 34, name: "valid in 59 seconds", alike: true, provider: lasting("2026-11-30T12:00:59Z", late)},
	{number: 34, name: "valid in 61 seconds", why: "6 time", provider: lasting("2026-11-30T12:01:01Z", late)},
	{number: 34, name: "made in 59 seconds", alike: true, provider: replaced(`IssueInstant="[^"]*"`, `IssueInstant="2026-11-30T12:00:59Z"`)},
	{number: 34, name: "made in 61 seconds", why: "6 time: the answer was made at", provider: replaced(`IssueInstant="[^"]*"`, `IssueInstant="2026-11-30T12:01:01Z"`)},
	{number: 34, name: "confirmation expired, conditions not", why: "6 time", provider: replaced(`(SubjectConfirmationData[^>]*NotOnOrAfter=")[^"]*`, `${1}2026-11-30T11:58:59Z`)},
	{number: 34, name: "conditions expired, confirmation not", why: "6 time", provider: replaced(`(Conditions [^>]*NotOnOrAfter=")[^"]*`, `${1}2026-11-30T11:58:59Z`)},
	{number: 34, name: "good for one day and a second", why: "6 time", provider: lasting(early, "2026-12-01T12:00:01Z")},
	{number: 34, name: "good for one day", alike: true, provider: lasting(early, "2026-12-01T12:00:00Z")},
	{number: 34, name: "good until the year 9999", why: "6 time", provider: lasting(early, "9999-12-31T23:59:59Z")},
	{number: 34, name: "a day that is none", why: "6 time: NotOnOrAfter is 2026-13-45T00:00:00Z, which is no time", provider: lasting(early, "2026-13-45T00:00:00Z")},
	{number: 34, name: "a time that is none", why: "6 time", provider: lasting("yesterday", late)},
	{number: 34, name: "a time without a zone", why: "6 time", provider: lasting(early, "2026-11-30T12:05:00")},
	{number: 34, name: "made at no time", why: "a time in it is not one", provider: replaced(`(Assertion [^>]*IssueInstant=")[^"]*`, "${1}soon")},
	{number: 34, name: "no end in the conditions", why: "6 time: NotOnOrAfter is missing", provider: replaced(`(Conditions [^>]*) NotOnOrAfter="[^"]*"`, "${1}")},
	{number: 34, name: "no beginning in the conditions", why: "6 time: NotBefore is missing", provider: replaced(`(Conditions )NotBefore="[^"]*"`, "${1}")},
	{number: 34, name: "no end in the confirmation", why: "6 time: NotOnOrAfter is missing", provider: replaced(`(SubjectConfirmationData [^>]*)NotOnOrAfter="[^"]*"`, "${1}")},
	{number: 34, name: "a beginning in the confirmation", why: "6 time: the subject confirmation has a NotBefore", provider: replaced(`SubjectConfirmationData `, `SubjectConfirmationData NotBefore="`+early+`" `)},
	{number: 34, name: "ends before it begins", why: "6 time: the answer is good from", provider: lasting("2026-11-30T12:00:30Z", "2026-11-30T11:59:30Z")},
}

// shapes are answers that lack what makes them one.
var shapes = []attack{
	{number: 35, name: "no subject", why: "5 address: the answer does not say who may hand it in", provider: remove(".", "Subject")},
	{number: 35, name: "no confirmation", why: "5 address", provider: remove("./Subject", "SubjectConfirmation")},
	{number: 35, name: "no confirmation data", why: "5 address: the recipient is missing", provider: remove("./Subject/SubjectConfirmation", "SubjectConfirmationData")},
	{number: 35, name: "holder of key", why: "5 address: who hands the answer in must prove", provider: swapSigned(bearer, "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")},
	{number: 35, name: "sender vouches", why: "5 address", provider: swapSigned(bearer, "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")},
	{number: 35, name: "no method", why: "5 address", provider: swapSigned(bearer, "")},
	{number: 35, name: "two confirmations", why: "more than one SubjectConfirmation", provider: edited(func(_, a *etree.Element) {
		subject := a.FindElement("./Subject")
		subject.AddChild(subject.FindElement("./SubjectConfirmation").Copy())
	})},
	{number: 35, name: "no NameID", why: "8 person: the answer names nobody", provider: remove("./Subject", "NameID")},
	{number: 35, name: "empty NameID", why: "8 person", provider: edited(func(_, a *etree.Element) { a.FindElement("./Subject/NameID").SetText(" ") })},
	{number: 35, name: "a NameID of 2,000 bytes", why: "8 person", provider: edited(func(_, a *etree.Element) { a.FindElement("./Subject/NameID").SetText(strings.Repeat("e", 2000)) })},
	{number: 35, name: "no ID of the assertion", only: []signed{signedResponse}, why: "its Assertion has no ID", provider: edited(func(_, a *etree.Element) { a.RemoveAttr("ID") })},
	{number: 36, name: "no conditions", why: "4 audience", provider: remove(".", "Conditions")},
	{number: 36, name: "a condition nobody knows", why: "4 audience: the answer sets conditions", provider: edited(func(_, a *etree.Element) {
		a.FindElement("./Conditions").AddChild(child("x:Condition", "xmlns:x", "urn:x"))
	})},
	{number: 36, name: "two conditions", why: "more than one Conditions", provider: edited(func(_, a *etree.Element) { a.AddChild(a.FindElement("./Conditions").Copy()) })},
	{number: 36, name: "once only", alike: true, provider: edited(func(_, a *etree.Element) {
		a.FindElement("./Conditions").AddChild(child("o:OneTimeUse", "xmlns:o", assertionSpace))
	})},
	{number: 37, name: "refused, with a good assertion", why: "1 request: your identity provider refused: Responder", provider: swapSigned(statusSuccess, "urn:oasis:names:tc:SAML:2.0:status:Responder")},
	{number: 37, name: "no status code", why: "1 request", provider: edited(func(r, _ *etree.Element) { r.FindElement("./Status").Child = nil })},
	{number: 37, name: "no status", why: "1 request: the answer does not say whether it succeeded", provider: edited(func(r, _ *etree.Element) { r.RemoveChild(r.FindElement("./Status")) })},
	{number: 37, name: "success of something else", why: "1 request", provider: swapSigned(statusSuccess, "urn:evil:Success")},
	{number: 37, name: "success inside a refusal", why: "1 request", provider: edited(func(r, _ *etree.Element) {
		code := r.FindElement("./Status/StatusCode")
		code.AddChild(code.Copy())
		code.CreateAttr("Value", "urn:oasis:names:tc:SAML:2.0:status:Requester")
	})},
	{number: 38, name: "two assertions, both signed, of two people", only: []signed{signedAssertion, signedBoth}, why: "more than one Assertion",
		attacker: func(t testing.TB, v vendor, document string, _ signed) string {
			other := v.signer(t).sign(t, strings.ReplaceAll(strings.ReplaceAll(v.plain(t), legit, evil), v.assertion, "_second"), "_second")
			doc := tree(t, document)
			doc.Root().AddChild(element(t, tree(t, other), "_second").Copy())
			return text(t, doc)
		}},
	{number: 38, name: "two assertions in one signed response", only: []signed{signedResponse}, why: "more than one Assertion",
		provider: edited(func(r, a *etree.Element) { r.AddChild(forged(a, "_second")) })},
	{number: 39, name: "an encrypted assertion of zeros", why: "2 signature: the assertion is encrypted", attacker: rearranged(func(_ *etree.Document, r, a *etree.Element) {
		r.RemoveChild(a)
		r.AddChild(encrypted())
	})},
	{number: 39, name: "an encrypted assertion beside the signed one", why: "2 signature: the assertion is encrypted", attacker: rearranged(func(_ *etree.Document, r, _ *etree.Element) { r.AddChild(encrypted()) })},
	{number: 39, name: "an encrypted assertion before the signed one", why: "2 signature: the assertion is encrypted", attacker: rearranged(func(_ *etree.Document, r, _ *etree.Element) { r.InsertChildAt(1, encrypted()) })},
	{number: 39, name: "two encrypted assertions", why: "more than one EncryptedAssertion", attacker: rearranged(func(_ *etree.Document, r, a *etree.Element) {
		r.RemoveChild(a)
		r.AddChild(encrypted())
		r.AddChild(encrypted())
	})},
	{number: 39, name: "the signed assertion inside an encrypted one", why: "an Assertion where none belongs", attacker: rearranged(func(_ *etree.Document, r, a *etree.Element) {
		r.RemoveChild(a)
		outer := child("s:EncryptedAssertion", "xmlns:s", assertionSpace)
		outer.AddChild(a)
		r.AddChild(outer)
	})},
	{number: 40, name: "an unsigned LogoutRequest", why: "it is a LogoutRequest, not the answer", attacker: rooted(`<p:LogoutRequest xmlns:p="` + protocolSpace + `" ID="_x" Version="2.0"/>`)},
	{number: 40, name: "an unsigned LogoutResponse", why: "it is a LogoutResponse, not the answer", attacker: rooted(`<p:LogoutResponse xmlns:p="` + protocolSpace + `" ID="_x" Version="2.0"/>`)},
	{number: 40, name: "our own request", why: "it is an AuthnRequest, not the answer", attacker: rooted(`<p:AuthnRequest xmlns:p="` + protocolSpace + `" ID="_x" Version="2.0"/>`)},
	{number: 40, name: "a SAML 1.1 response", why: "it is a Response, not the answer", attacker: rooted(`<p:Response xmlns:p="urn:oasis:names:tc:SAML:1.0:protocol" ResponseID="_x"/>`)},
	{number: 40, name: "the assertion alone", why: "it is an Assertion, not the answer", attacker: rearranged(func(doc *etree.Document, _, a *etree.Element) { doc.SetRoot(a.Copy()) })},
	{number: 40, name: "version 1.1", why: "1 request: the answer is of SAML version 1.1", provider: replaced(`(Response [^>]*)Version="2.0"`, `${1}Version="1.1"`)},
	{number: 40, name: "version 2.1 of the assertion", why: "3 issuer: the assertion is of SAML version 2.1", provider: replaced(`(Assertion [^>]*)Version="2.0"`, `${1}Version="2.1"`)},
}

func rooted(document string) func(testing.TB, vendor, string, signed) string {
	return func(testing.TB, vendor, string, signed) string { return document }
}

// encrypted is an encrypted assertion whose content is zeros, under AES-CBC and a key of zeros.
func encrypted() *etree.Element {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(`<s:EncryptedAssertion xmlns:s="` + assertionSpace + `"><x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element">` +
		`<x:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/><ds:KeyInfo xmlns:ds="` + signatureSpace + `"><x:EncryptedKey><x:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"><ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/></x:EncryptionMethod>` +
		`<x:CipherData><x:CipherValue>AAAA</x:CipherValue></x:CipherData></x:EncryptedKey></ds:KeyInfo><x:CipherData><x:CipherValue>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</x:CipherValue></x:CipherData></x:EncryptedData></s:EncryptedAssertion>`); err != nil {
		panic(err)
	}
	return doc.Root()
}
