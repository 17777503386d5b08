package sso

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf16"
)

// before puts something in front of the document.
func before(prologue string) func(testing.TB, vendor, string, signed) string {
	return fixed(func(document string) string {
		_, rest, found := strings.Cut(document, "?>")
		if !found {
			rest = document
		}
		return prologue + rest
	})
}

// afterIssuer puts something behind the response's issuer.
func afterIssuer(content string) func(testing.TB, vendor, string, signed) string {
	return fixed(func(document string) string {
		i := strings.Index(document, "Issuer>")
		return document[:i+len("Issuer>")] + content + document[i+len("Issuer>"):]
	})
}

func roundTrip(name, content string) attack {
	return attack{number: 41, name: "round trip: " + name, attacker: afterIssuer(content), why: "cannot be taken"}
}

const noMarkup = "a DOCTYPE, a comment or CDATA"

// markups are what parsers read differently. In the cases of comments and CDATA the signature stays good.
var markups = []attack{
	{number: 17, name: "a comment that cuts the NameID", why: noMarkup, provider: swapSigned(">"+legit+"<", ">"+legit+".evil.example<"),
		attacker: fixed(swap(legit+".evil", legit+"<!-- -->.evil"))},
	{number: 17, name: "a comment that cuts an attribute", why: noMarkup, provider: swapSigned(">Ada<", ">Adaevil<"),
		attacker: fixed(swap(">Adaevil<", ">Ada<!-- -->evil<"))},
	{number: 17, name: "a comment that cuts the audience", why: noMarkup, provider: swapSigned("Audience>"+ourEntity+"<", "Audience>"+ourEntity+".evil.example<"),
		attacker: fixed(swap(ourEntity+".evil", ourEntity+"<!-- -->.evil"))},
	{number: 17, name: "a processing instruction that cuts the NameID", why: "processing instruction", attacker: fixed(swap(">"+legit+"<", ">ada<?evil?>@example.com<"))},
	{number: 18, name: "CDATA in the NameID", why: noMarkup, attacker: fixed(swap(">"+legit+"<", "><![CDATA["+legit+"]]><"))},
	{number: 18, name: "an entity that nobody declares in the NameID", why: "not well-formed", attacker: fixed(swap(">"+legit+"<", ">&evil;"+legit+"<"))},
	{number: 18, name: "a numeric entity in the NameID", alike: true, attacker: fixed(swap(">"+legit+"<", ">ada&#64;example.com<"))},
	{number: 18, name: "a numeric entity for NUL", why: "not well-formed", attacker: fixed(swap(">"+legit+"<", ">"+legit+"&#0;<"))},
	{number: 19, name: "DOCTYPE with an entity", why: noMarkup, attacker: before(`<!DOCTYPE r [<!ENTITY evil "evil@example.net">]>`)},
	{number: 19, name: "DOCTYPE with an external entity", why: noMarkup, attacker: before(`<!DOCTYPE r [<!ENTITY evil SYSTEM "file:///etc/passwd">]>`)},
	{number: 19, name: "DOCTYPE from elsewhere", why: noMarkup, attacker: before(`<!DOCTYPE r SYSTEM "http://127.0.0.1/evil.dtd">`)},
	{number: 19, name: "DOCTYPE with an ID attribute", why: noMarkup, attacker: before(`<!DOCTYPE r [<!ATTLIST r evil ID #IMPLIED>]>`)},
	{number: 19, name: "billion laughs", why: noMarkup, attacker: before(`<!DOCTYPE r [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>`)},
	{number: 19, name: "a stylesheet", why: "processing instruction", attacker: before(`<?xml-stylesheet href="evil.xsl"?>`)},

	roundTrip("colons in an element's name", `<x::Evil xmlns:x="urn:x"></x::Evil>`),
	roundTrip("an element without a local name", `<x: xmlns:x="urn:x"></x:>`),
	roundTrip("an end tag of another name", `<Evil></x::Evil>`),
	roundTrip("an end tag without a name", `<x:a xmlns:x="urn:x"></x:>`),
	roundTrip("a directive that hides markup", `<! <<!-- -->!-->"--> " ><! ">" <X/>>`),
	roundTrip("a directive with a comment", `<! <<!-- -->!-- x --> y>`),
	roundTrip("a comment that does not end", `<!--`),
	roundTrip("a directive that does not end", `<!x`),
	roundTrip("CDATA that does not end", `<![CDATA[`),
	roundTrip("a bad end of CDATA", `]]>`),
	{number: 41, name: "round trip: an attribute with colons", attacker: afterIssuer(`<x ::attr="evil"/>`), why: "not well-formed"},
	{number: 41, name: "round trip: an attribute without a name", attacker: afterIssuer(`<x :="evil"/>`), why: "names that are none"},
	{number: 41, name: "round trip: an attribute without a local name", attacker: afterIssuer(`<x xmlns:y="urn:y" y:="evil"/>`), why: "names that are none"},
	{number: 41, name: "round trip: a prefix without a name", attacker: afterIssuer(`<x xmlns="urn:x" xmlns:="urn:y"/>`), why: "names that are none"},
	{number: 41, name: "round trip: a default namespace twice", attacker: afterIssuer(`<x xmlns="urn:x" xmlns="urn:y"/>`), why: "declared twice"},
	{number: 41, name: "text before the document", attacker: fixed(func(d string) string { return "evil" + d }), why: "cannot be taken"},
	{number: 41, name: "text behind the document", attacker: fixed(func(d string) string { return d + "evil" }), why: "text round the document"},
	{number: 41, name: "two documents", attacker: fixed(func(d string) string {
		_, rest, _ := strings.Cut(d, "?>")
		return d + map[bool]string{true: d, false: rest}[rest == ""]
	}), why: "two documents"},
	{number: 41, name: "cut off", attacker: fixed(func(d string) string { return d[:len(d)-20] }), why: "not well-formed"},
	{number: 41, name: "nothing", form: func(string) string { return "" }, why: "not base64"},
	{number: 41, name: "spaces only", form: func(string) string { return base64.StdEncoding.EncodeToString([]byte("  \n")) }, why: "no document"},
	{number: 41, name: "another encoding", attacker: before(`<?xml version="1.0" encoding="ISO-8859-1"?>`), why: "not well-formed"},
	{number: 41, name: "UTF-16", form: func(d string) string {
		raw := []byte{0xfe, 0xff}
		for _, u := range utf16.Encode([]rune(d)) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		return base64.StdEncoding.EncodeToString(raw)
	}, why: "not UTF-8"},
	{number: 41, name: "overlong UTF-8 in the NameID", attacker: fixed(swap(">"+legit+"<", ">ada\xc1\x80example.com<")), why: "not UTF-8"},
	{number: 41, name: "base64 for URLs", form: func(d string) string {
		return base64.URLEncoding.EncodeToString([]byte(d + strings.Repeat("\n", 3) + "???>>>"))
	}, why: "not base64"},
	{number: 41, name: "base64 with something behind it", form: func(d string) string {
		return base64.StdEncoding.EncodeToString([]byte(d+"   "[:3-len(d)%3])) + "AAAA=AAA"
	}, why: "not base64"},
	{number: 41, name: "base64 twice", form: func(d string) string {
		return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(d))))
	}, why: "cannot be taken"},
	{number: 41, name: "XML without base64", form: func(d string) string { return d }, why: "not base64"},
}
