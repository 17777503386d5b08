package sso

import (
	"testing"

	"github.com/beevik/etree"
)

// rearranged is an attacker who moves the parts of a signed document: its response, its assertion.
func rearranged(move func(doc *etree.Document, response, assertion *etree.Element)) func(testing.TB, vendor, string, signed) string {
	return func(t testing.TB, v vendor, document string, _ signed) string {
		doc := tree(t, document)
		move(doc, element(t, doc, v.response), element(t, doc, v.assertion))
		return text(t, doc)
	}
}

// object wraps an element as XML Signature has other content carried.
func object(e *etree.Element) *etree.Element {
	o := child("ds:Object", "xmlns:ds", signatureSpace)
	o.AddChild(e)
	return o
}

// signatureOf takes the signature off an element; an unsigned one gets an empty one.
func signatureOf(e *etree.Element) *etree.Element {
	if signature := take(e); signature != nil {
		return signature
	}
	return child("ds:Signature", "xmlns:ds", signatureSpace)
}

// wrappings are the eight signature wrappings (XSW1 to 8): the signed part is moved where it is not looked for, and a
// forged one takes its place.
var wrappings = []attack{
	{number: 1, name: "forged response, the signed one inside its signature", why: "cannot be taken",
		attacker: rearranged(func(doc *etree.Document, response, _ *etree.Element) {
			bad := forged(response, "_evil")
			signature := signatureOf(response)
			signature.AddChild(response.Copy())
			bad.InsertChildAt(1, signature)
			doc.SetRoot(bad)
		})},
	{number: 2, name: "forged response, the signed one before the signature", why: "Response where none belongs",
		attacker: rearranged(func(doc *etree.Document, response, _ *etree.Element) {
			bad := forged(response, "_evil")
			signature := signatureOf(response)
			bad.InsertChildAt(1, response.Copy())
			bad.InsertChildAt(2, signature)
			doc.SetRoot(bad)
		})},
	{number: 3, name: "forged assertion before the signed one", why: "more than one Assertion",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			response.InsertChildAt(assertion.Index(), forged(assertion, "_evil"))
		})},
	{number: 4, name: "forged assertion around the signed one", why: "an Assertion where none belongs",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			bad := forged(assertion, "_evil")
			response.RemoveChild(assertion)
			bad.AddChild(assertion)
			response.AddChild(bad)
		})},
	{number: 5, name: "forged assertion with the signature, the signed one at the end", why: "refers to something else",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			bad := forged(assertion, "_evil")
			signature := take(assertion)
			if signature == nil {
				signature = take(response)
			}
			bad.InsertChildAt(1, signature)
			response.InsertChildAt(assertion.Index(), bad)
		})},
	{number: 6, name: "forged assertion with the signature, the signed one inside that", why: "refers to something else",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			bad := forged(assertion, "_evil")
			signature := take(assertion)
			if signature == nil {
				signature = take(response)
			}
			response.RemoveChild(assertion)
			signature.AddChild(assertion)
			bad.InsertChildAt(1, signature)
			response.AddChild(bad)
		})},
	{number: 7, name: "forged assertion in Extensions", why: "an Assertion where none belongs",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			extensions := child("p:Extensions", "xmlns:p", protocolSpace)
			extensions.AddChild(forged(assertion, "_evil"))
			response.InsertChildAt(1, extensions)
		})},
	{number: 8, name: "forged assertion with the signature, the signed one in its Object", why: "refers to something else",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			bad := forged(assertion, "_evil")
			signature := take(assertion)
			if signature == nil {
				signature = take(response)
			}
			response.RemoveChild(assertion)
			signature.AddChild(object(assertion))
			bad.InsertChildAt(1, signature)
			response.AddChild(bad)
		})},
}

// placements put a forged part where some reader may look first.
var placements = []attack{
	{number: 9, name: "forged assertion as the first of all", why: "more than one Assertion",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			response.InsertChildAt(0, forged(assertion, "_evil"))
		})},
	{number: 9, name: "forged assertion as the last of all", why: "more than one Assertion",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			response.AddChild(forged(assertion, "_evil"))
		})},
	{number: 10, name: "the signed assertion in Extensions, a forged one in its place", why: "an Assertion where none belongs",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			extensions := child("p:Extensions", "xmlns:p", protocolSpace)
			response.AddChild(forged(assertion, "_evil"))
			response.RemoveChild(assertion)
			extensions.AddChild(assertion)
			response.InsertChildAt(1, extensions)
		})},
	{number: 10, name: "forged assertion in StatusDetail", why: "an Assertion where none belongs",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			detail := child("p:StatusDetail", "xmlns:p", protocolSpace)
			detail.AddChild(forged(assertion, "_evil"))
			response.FindElement("./Status").AddChild(detail)
		})},
	{number: 11, name: "forged assertion in an Object of the signature", why: "its signature holds an Object",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			signature := assertion.FindElement("./Signature")
			if signature == nil {
				signature = response.FindElement("./Signature")
			}
			signature.AddChild(object(forged(assertion, "_evil")))
		})},
	{number: 12, name: "forged assertion nested three deep", why: "an Assertion where none belongs",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			outer, middle := child("a", "xmlns", "urn:x"), child("b")
			outer.AddChild(middle)
			middle.AddChild(forged(assertion, "_evil"))
			response.AddChild(outer)
		})},
	{number: 12, name: "the signed assertion three deep in a forged one's advice", why: "an Assertion where none belongs",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			bad := forged(assertion, "_evil")
			advice := child("s:Advice", "xmlns:s", assertionSpace)
			inner := child("x", "xmlns", "urn:x")
			response.RemoveChild(assertion)
			inner.AddChild(assertion)
			advice.AddChild(inner)
			bad.AddChild(advice)
			response.AddChild(bad)
		})},
	{number: 13, name: "forged assertion with the signed one's ID, before it", why: "more than one Assertion",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			response.InsertChildAt(assertion.Index(), forged(assertion, ""))
		})},
	{number: 13, name: "forged assertion with the signed one's ID, after it", why: "more than one Assertion",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			response.AddChild(forged(assertion, ""))
		})},
	{number: 13, name: "the response has the assertion's ID", why: "an ID is used twice", only: []signed{signedAssertion},
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			response.CreateAttr("ID", assertion.SelectAttrValue("ID", ""))
		})},
	{number: 14, name: "Id beside ID", why: "an Id where none belongs", attacker: withAttribute("Id", "_evil")},
	{number: 14, name: "id beside ID", why: "an id where none belongs", attacker: withAttribute("id", "_evil")},
	{number: 14, name: "xml:id beside ID", why: "an id where none belongs", attacker: withAttribute("xml:id", "_evil")},
	{number: 14, name: "ID of another namespace beside ID", why: "an attribute twice", attacker: withAttribute("evil:ID", "_evil")},
	{number: 14, name: "Destination of another namespace", why: "an attribute twice", attacker: withAttribute("evil:Destination", ourACS)},
	{number: 14, name: "Version of another namespace alone", why: "attributes of other namespaces",
		attacker: rearranged(func(_ *etree.Document, response, _ *etree.Element) {
			response.RemoveAttr("Version")
			response.CreateAttr("xmlns:evil", "urn:evil")
			response.CreateAttr("evil:Version", "2.0")
		})},
	{number: 15, name: "the signature's prefix bound anew, a forged assertion under it", why: "more than one Assertion",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			bad := forged(assertion, "_evil")
			bad.Space = "ds"
			bad.CreateAttr("xmlns:ds", assertionSpace)
			response.AddChild(bad)
		})},
	{number: 15, name: "the assertion's prefix bound to another namespace", why: "an Assertion where none belongs",
		attacker: rearranged(func(_ *etree.Document, _, assertion *etree.Element) {
			assertion.Space = "evil"
			assertion.CreateAttr("xmlns:evil", "urn:evil")
		})},
	{number: 15, name: "a NameID under a prefix bound anew, before the signed one", why: "a NameID where none belongs",
		attacker: rearranged(func(_ *etree.Document, _, assertion *etree.Element) {
			bad := child("saml2:NameID", "xmlns:saml2", "urn:evil")
			bad.SetText(evil)
			assertion.FindElement("./Subject").InsertChildAt(0, bad)
		})},
	{number: 16, name: "an Assertion of a foreign namespace", why: "an Assertion where none belongs",
		attacker: rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
			bad := forged(assertion, "_evil")
			bad.Space = "evil"
			bad.CreateAttr("xmlns:evil", "urn:evil")
			response.InsertChildAt(1, bad)
		})},
	{number: 16, name: "a Signature of a foreign namespace before the real one", why: "a Signature where none belongs",
		attacker: rearranged(func(_ *etree.Document, response, _ *etree.Element) {
			response.InsertChildAt(1, child("evil:Signature", "xmlns:evil", "urn:evil"))
		})},
	{number: 16, name: "a Response of a foreign namespace around the real one", why: "it is a Response, not the answer",
		attacker: rearranged(func(doc *etree.Document, response, _ *etree.Element) {
			outer := child("evil:Response", "xmlns:evil", "urn:evil")
			outer.AddChild(response.Copy())
			doc.SetRoot(outer)
		})},
	{number: 16, name: "a second NameID after the signed one", why: "more than one NameID",
		attacker: rearranged(func(_ *etree.Document, _, assertion *etree.Element) {
			subject := assertion.FindElement("./Subject")
			bad := subject.FindElement("./NameID").Copy()
			bad.SetText(evil)
			subject.AddChild(bad)
		})},
	{number: 16, name: "a second Subject", why: "more than one Subject",
		attacker: rearranged(func(_ *etree.Document, _, assertion *etree.Element) {
			bad := assertion.FindElement("./Subject").Copy()
			bad.FindElement("./NameID").SetText(evil)
			assertion.AddChild(bad)
		})},
	{number: 16, name: "an element inside the NameID", why: "elements inside NameID",
		attacker: rearranged(func(_ *etree.Document, _, assertion *etree.Element) {
			assertion.FindElement("./Subject/NameID").AddChild(child("x", "xmlns", "urn:x"))
		})},
}

// withAttribute adds an attribute to the response and to the assertion.
func withAttribute(name, value string) func(testing.TB, vendor, string, signed) string {
	return rearranged(func(_ *etree.Document, response, assertion *etree.Element) {
		response.CreateAttr("xmlns:evil", "urn:evil")
		response.CreateAttr(name, value)
		assertion.CreateAttr(name, value+"_a")
	})
}
