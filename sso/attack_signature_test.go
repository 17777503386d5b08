package sso

import (
	"crypto"
	_ "crypto/md5"
	_ "crypto/sha1"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

func withMethod(method string, hash crypto.Hash) func(testing.TB, *signer) {
	return func(_ testing.TB, s *signer) { s.method, s.hash = method, hash }
}

func withDigest(digest string, hash crypto.Hash) func(testing.TB, *signer) {
	return func(_ testing.TB, s *signer) { s.digest, s.digests = digest, hash }
}

func withTransforms(transforms ...string) func(testing.TB, *signer) {
	return func(_ testing.TB, s *signer) { s.transforms = transforms }
}

func withURI(uri string) func(testing.TB, *signer) {
	return func(_ testing.TB, s *signer) { s.uri = &uri }
}

// foreign signs with the attacker's key, and says with keyInfo what it can be checked with.
func foreign(keyInfo func(t testing.TB, s signer) string) func(testing.TB, *signer) {
	return func(t testing.TB, s *signer) {
		attacker := keyOf(t, "attacker")
		s.key, s.certificate = attacker.key, attacker.certificate
		if keyInfo != nil {
			info := keyInfo(t, *s)
			s.keyInfo = &info
		}
	}
}

func certificateInfo(certificates ...*x509.Certificate) string {
	info := `<ds:KeyInfo xmlns:ds="` + signatureSpace + `"><ds:X509Data>`
	for _, certificate := range certificates {
		info += `<ds:X509Certificate>` + base64.StdEncoding.EncodeToString(certificate.Raw) + `</ds:X509Certificate>`
	}
	return info + `</ds:X509Data></ds:KeyInfo>`
}

// everySignature is an attacker who changes each signature there is.
func everySignature(change func(signature *etree.Element)) func(testing.TB, vendor, string, signed) string {
	return func(t testing.TB, _ vendor, document string, _ signed) string {
		doc := tree(t, document)
		for _, signature := range doc.FindElements("//Signature") {
			change(signature)
		}
		return text(t, doc)
	}
}

const (
	notFitting = "2 signature: the signature does not fit"
	incomplete = "its signature is incomplete"
)

// keysAndAlgorithms are signatures by others, with what is weak, or none.
var keysAndAlgorithms = []attack{
	{number: 20, name: "signatures taken off", why: "neither the response nor the assertion is signed", attacker: func(t testing.TB, _ vendor, document string, _ signed) string {
		doc := tree(t, document)
		for _, signature := range doc.FindElements("//Signature") {
			signature.Parent().RemoveChild(signature)
		}
		return strings.ReplaceAll(text(t, doc), legit, evil)
	}},
	{number: 20, name: "empty Signature", why: incomplete, attacker: everySignature(func(s *etree.Element) { s.Child = nil })},
	{number: 20, name: "empty SignatureValue", why: notFitting, attacker: everySignature(func(s *etree.Element) { s.FindElement("./SignatureValue").SetText("") })},
	{number: 20, name: "no SignatureValue", why: incomplete, attacker: everySignature(func(s *etree.Element) { s.RemoveChild(s.FindElement("./SignatureValue")) })},
	{number: 20, name: "no SignedInfo", why: incomplete, attacker: everySignature(func(s *etree.Element) { s.RemoveChild(s.FindElement("./SignedInfo")) })},
	{number: 20, name: "no Reference", why: incomplete, attacker: everySignature(func(s *etree.Element) {
		info := s.FindElement("./SignedInfo")
		info.RemoveChild(info.FindElement("./Reference"))
	})},
	{number: 20, name: "empty digest", why: notFitting, attacker: everySignature(func(s *etree.Element) { s.FindElement(".//DigestValue").SetText("") })},
	{number: 20, name: "a comment in the digest", why: noMarkup, attacker: fixed(swap("DigestValue>", "DigestValue><!-- -->"))},
	{number: 21, name: "attacker's key and certificate", why: "signed with the certificate that ends in", signer: foreign(nil)},
	{number: 21, name: "attacker's key, the provider's certificate", why: notFitting, signer: foreign(func(t testing.TB, _ signer) string { return certificateInfo(keyOf(t, "provider").certificate) })},
	{number: 21, name: "attacker's key, both certificates", why: "2 signature", signer: foreign(func(t testing.TB, _ signer) string {
		return certificateInfo(keyOf(t, "provider").certificate, keyOf(t, "attacker").certificate)
	})},
	{number: 21, name: "attacker's key, no certificate", why: notFitting, signer: foreign(func(testing.TB, signer) string { return "" })},
	{number: 21, name: "attacker's key, a certificate of the provider's name", why: "signed with the certificate that ends in", signer: foreign(func(t testing.TB, s signer) string {
		return certificateInfo(certify(s.key, "provider", noon.AddDate(-1, 0, 0), noon.AddDate(20, 0, 0), x509.SHA256WithRSA))
	})},
	{number: 22, name: "attacker's bare RSA key", why: notFitting, signer: foreign(func(_ testing.TB, s signer) string {
		return `<ds:KeyInfo xmlns:ds="` + signatureSpace + `"><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + base64.StdEncoding.EncodeToString(s.key.N.Bytes()) +
			`</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>`
	})},
	{number: 22, name: "a key to be fetched", why: "2 signature", signer: foreign(func(testing.TB, signer) string {
		return `<ds:KeyInfo xmlns:ds="` + signatureSpace + `"><ds:RetrievalMethod URI="http://127.0.0.1/evil"/></ds:KeyInfo>`
	})},
	{number: 23, name: "HMAC with the public key", why: "signed with hmac-sha256", signer: func(_ testing.TB, s *signer) {
		s.method, s.hmac = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", true
	}},
	{number: 23, name: "HMAC-SHA1 cut to nothing", why: "signed with hmac-sha1", signer: func(_ testing.TB, s *signer) {
		s.method, s.hmac = "http://www.w3.org/2000/09/xmldsig#hmac-sha1", true
	}},
	{number: 24, name: "SHA-1 signature", why: "signed with rsa-sha1", signer: withMethod("http://www.w3.org/2000/09/xmldsig#rsa-sha1", crypto.SHA1)},
	{number: 24, name: "SHA-1 digest", why: "signed with sha1", signer: withDigest("http://www.w3.org/2000/09/xmldsig#sha1", crypto.SHA1)},
	{number: 24, name: "MD5 signature", why: "signed with rsa-md5", signer: withMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-md5", crypto.MD5)},
	{number: 24, name: "MD5 digest", why: "signed with md5", signer: withDigest("http://www.w3.org/2001/04/xmldsig-more#md5", crypto.MD5)},
	{number: 24, name: "no algorithm", why: "signed with nothing", signer: withMethod("", crypto.SHA256)},
	{number: 24, name: "an algorithm of another key", why: "signed with ecdsa-sha256", signer: withMethod("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", crypto.SHA256)},
	{number: 24, name: "SHA-512 named, SHA-256 made", why: notFitting, signer: withMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", crypto.SHA256)},
	{number: 24, name: "SHA-512", alike: true, signer: withMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", crypto.SHA512)},
	{number: 24, name: "SHA-384 and its digest", alike: true, signer: func(t testing.TB, s *signer) {
		withMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", crypto.SHA384)(t, s)
		withDigest("http://www.w3.org/2001/04/xmldsig-more#sha384", crypto.SHA384)(t, s)
	}},
}

var nameIDText = regexp.MustCompile(`(NameID[^>]*>)` + regexp.QuoteMeta(legit))

// tamper changes what the last pattern matches, inside what is signed.
func tamper(pattern, to string) func(testing.TB, vendor, string, signed) string {
	return fixed(func(document string) string { return regexp.MustCompile(pattern).ReplaceAllString(document, to) })
}

// references are signatures over something else than what is read.
var references = []attack{
	{number: 25, name: "two SignedInfo", why: "more than one SignedInfo", attacker: everySignature(func(s *etree.Element) {
		s.InsertChildAt(0, s.FindElement("./SignedInfo").Copy())
	})},
	{number: 25, name: "two References, the other one first", why: "refers to something else", signer: func(_ testing.TB, s *signer) {
		s.prefix, s.twoReferences = "ds", referenceTo("#_evil")
	}},
	{number: 25, name: "two References, to the whole document first", why: "refers to something else", signer: func(_ testing.TB, s *signer) {
		s.prefix, s.twoReferences = "ds", referenceTo("")
	}},
	{number: 25, name: "two References to the same", why: "more than one Reference", attacker: everySignature(func(s *etree.Element) {
		info := s.FindElement("./SignedInfo")
		info.AddChild(info.FindElement("./Reference").Copy())
	})},
	{number: 25, name: "Reference to the whole document", why: "refers to something else", signer: withURI("")},
	{number: 25, name: "Reference without URI", why: "refers to something else", attacker: everySignature(func(s *etree.Element) { s.FindElement(".//Reference").RemoveAttr("URI") })},
	{number: 25, name: "Reference to elsewhere", why: "refers to something else", signer: withURI("#_elsewhere")},
	{number: 25, name: "Reference to another server", why: "refers to something else", signer: withURI("http://127.0.0.1/evil#id")},
	{number: 25, name: "Reference by XPointer", why: "refers to something else", signer: withURI("#xpointer(/)")},
	{number: 25, name: "Reference of one character", why: "refers to something else", signer: withURI("#")},
	{number: 25, name: "the assertion's signature under the response", only: []signed{signedAssertion}, why: "refers to something else",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			response.InsertChildAt(1, take(assertion))
		})},
	{number: 25, name: "two signatures in one place", why: "more than one Signature", attacker: everySignature(func(s *etree.Element) {
		s.Parent().InsertChildAt(1, s.Copy())
	})},
	{number: 25, name: "a Manifest", why: "its signature holds an Object", attacker: everySignature(func(s *etree.Element) {
		o := child("ds:Object", "xmlns:ds", signatureSpace)
		o.AddChild(child("ds:Manifest"))
		s.AddChild(o)
	})},
	{number: 26, name: "XSLT", why: "more than one Transform", signer: withTransforms(enveloped, exclusiveC14N, "http://www.w3.org/TR/1999/REC-xslt-19991116")},
	{number: 26, name: "XSLT instead of c14n", why: "signed with REC-xslt-19991116", signer: withTransforms(enveloped, "http://www.w3.org/TR/1999/REC-xslt-19991116")},
	{number: 26, name: "XPath", why: "signed with REC-xpath-19991116", signer: withTransforms(enveloped, "http://www.w3.org/TR/1999/REC-xpath-19991116")},
	{number: 26, name: "base64 transform", why: "signed with base64", signer: withTransforms(enveloped, "http://www.w3.org/2000/09/xmldsig#base64")},
	{number: 26, name: "inclusive c14n", why: "signed with REC-xml-c14n-20010315", signer: withTransforms(enveloped, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315")},
	{number: 26, name: "c14n with comments", why: "signed with WithComments", signer: withTransforms(enveloped, exclusiveC14N+"WithComments")},
	{number: 26, name: "c14n with comments of the SignedInfo", why: "signed with WithComments", signer: func(_ testing.TB, s *signer) { s.c14n = exclusiveC14N + "WithComments" }},
	{number: 26, name: "no c14n", why: "does not cover the whole", signer: withTransforms(enveloped)},
	{number: 26, name: "not enveloped", why: "does not cover the whole", signer: withTransforms(exclusiveC14N)},
	{number: 26, name: "enveloped twice", why: "does not cover the whole", signer: withTransforms(enveloped, enveloped)},
	{number: 26, name: "no transforms", why: "does not cover the whole", signer: withTransforms()},
	{number: 26, name: "void canonicalization: a relative namespace", why: "relative namespace", attacker: rearranged(func(_ *etree.Document, response, _ *etree.Element) {
		response.CreateAttr("xmlns:evil", "1")
	})},
	{number: 26, name: "void canonicalization: in the SignedInfo", why: "relative namespace", attacker: everySignature(func(s *etree.Element) {
		s.FindElement("./SignedInfo").CreateAttr("xmlns:evil", "./1")
	})},
	{number: 27, name: "other NameID", why: notFitting, attacker: fixed(func(d string) string { return nameIDText.ReplaceAllString(d, "${1}"+evil) })},
	{number: 27, name: "other e-mail attribute", why: notFitting, attacker: tamper(`(AttributeValue[^>]*>)ada@example\.com`, "${1}"+evil)},
	{number: 27, name: "longer Conditions", why: notFitting, attacker: tamper(`(Conditions NotBefore="[^"]*" NotOnOrAfter=")2026-11-30T1`, "${1}2026-11-30T2")},
	{number: 27, name: "other assertion ID", attacker: tamper(`(Assertion[^>]*ID=")[^"]*`, "${1}_evil"), whyOf: func(what signed) string {
		if what.assertion() {
			return "refers to something else"
		}
		return notFitting
	}},
	{number: 27, name: "one more attribute", why: notFitting, attacker: tamper(`(<[^<]*AttributeStatement[^>]*>)`, `${1}<x xmlns="urn:x">`+evil+`</x>`)},
	{number: 27, name: "no authentication", why: notFitting, attacker: rearranged(func(_ *etree.Document, _, assertion *etree.Element) {
		assertion.RemoveChild(assertion.FindElement("./AuthnStatement"))
	})},
	{number: 27, name: "other request in the confirmation", why: "1 request", attacker: tamper(`(SubjectConfirmationData InResponseTo=")[^"]*`, "${1}_evil")},
	{number: 27, name: "space in the NameID", why: notFitting, attacker: fixed(func(d string) string { return nameIDText.ReplaceAllString(d, "${1}"+legit+" ") })},
	{number: 27, name: "other format of the NameID", why: notFitting, attacker: tamper(`(NameID Format=")[^"]*`, "${1}urn:evil")},
	{number: 27, name: "a bit of the SignatureValue", why: notFitting, attacker: everySignature(func(s *etree.Element) {
		value := s.FindElement("./SignatureValue")
		raw, _ := base64.StdEncoding.DecodeString(value.Text())
		raw[10] ^= 1
		value.SetText(base64.StdEncoding.EncodeToString(raw))
	})},
}

func referenceTo(uri string) string {
	return `<ds:Reference URI="` + uri + `"><ds:Transforms><ds:Transform Algorithm="` + enveloped + `"></ds:Transform><ds:Transform Algorithm="` + exclusiveC14N +
		`"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="` + sha256Name + `"></ds:DigestMethod><ds:DigestValue>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</ds:DigestValue></ds:Reference>`
}
