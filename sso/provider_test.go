package sso

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/xml"
	"math/big"
	"strings"
	"testing"
	"time"

	"outpost/models"
)

// keyDescriptor is how metadata holds a certificate.
func keyDescriptor(use string, der []byte) string {
	if use != "" {
		use = ` use="` + use + `"`
	}
	return `<md:KeyDescriptor` + use + `><ds:KeyInfo xmlns:ds="` + signatureSpace + `"><ds:X509Data><ds:X509Certificate>` + "\n" +
		base64.StdEncoding.EncodeToString(der) + "\n" + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
}

const signOnService = `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example/post"/><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/sso?app=1"/>`

// idpMetadata is metadata of an identity provider with these keys and services.
func idpMetadata(attributes, keys, services string) string {
	return `<md:EntityDescriptor entityID="https://idp.example/entity" xmlns:md="` + metadataSpace + `"><md:IDPSSODescriptor ` + attributes + ` protocolSupportEnumeration="` + protocolSpace + `">` +
		keys + `<md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified</md:NameIDFormat>` + services + `</md:IDPSSODescriptor></md:EntityDescriptor>`
}

func metadataSeeds(t testing.TB) map[string]string {
	one, two := keyDescriptor("signing", keyOf(t, "provider").certificate.Raw), keyDescriptor("signing", keyOf(t, "second").certificate.Raw)
	good := idpMetadata("", one, signOnService)
	return map[string]string{
		"one certificate":               good,
		"an XML declaration":            `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + good,
		"a byte order mark":             "\xef\xbb\xbf" + good,
		"two certificates":              idpMetadata("", one+two, signOnService),
		"one certificate twice":         idpMetadata("", one+one, signOnService),
		"a certificate for everything":  idpMetadata("", keyDescriptor("", keyOf(t, "provider").certificate.Raw), signOnService),
		"another for encryption":        idpMetadata("", one+keyDescriptor("encryption", keyOf(t, "second").certificate.Raw), signOnService),
		"wants signed requests":         idpMetadata(`WantAuthnRequestsSigned="true"`, one, signOnService),
		"a comment":                     strings.Replace(good, "<md:NameIDFormat>", "<!-- ours --><md:NameIDFormat>", 1),
		"in a group":                    `<md:EntitiesDescriptor xmlns:md="` + metadataSpace + `"><md:EntityDescriptor entityID="https://sp.example"><md:SPSSODescriptor/></md:EntityDescriptor>` + good + `</md:EntitiesDescriptor>`,
		"a default namespace":           strings.NewReplacer("md:", "", "xmlns:md", "xmlns").Replace(good),
		"on this machine, without TLS":  idpMetadata("", one, strings.ReplaceAll(signOnService, "https://idp.example/sso", "http://127.0.0.1:8080/sso")),
		"an expired one, and a new one": idpMetadata("", keyDescriptor("signing", expired(t).Raw)+one, signOnService),
	}
}

func expired(t testing.TB) *x509.Certificate {
	return certify(keyOf(t, "old").key, "old", time.Now().AddDate(-3, 0, 0), time.Now().AddDate(0, 0, -1), x509.SHA256WithRSA)
}

func TestMetadataOfIdentityProvidersIsRead(t *testing.T) {
	t.Parallel()
	for name, metadata := range metadataSeeds(t) {
		p, err := ReadMetadata([]byte(metadata))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		certificates, address := 1, "https://idp.example/sso?app=1"
		switch name {
		case "two certificates":
			certificates = 2
		case "on this machine, without TLS":
			address = "http://127.0.0.1:8080/sso?app=1"
		}
		if p.EntityID != "https://idp.example/entity" || p.SignInURL != address || len(p.Certificates) != certificates || p.WantsSignedRequests != (name == "wants signed requests") {
			t.Errorf("%s: read %+v", name, p)
		}
		if !p.Certificates[0].Equal(keyOf(t, "provider").certificate) {
			t.Errorf("%s: the certificate is another", name)
		}
	}
}

func TestMetadataThatWillNotDoSaysWhatToTakeInstead(t *testing.T) {
	t.Parallel()
	one := keyDescriptor("signing", keyOf(t, "provider").certificate.Raw)
	good := idpMetadata("", one, signOnService)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "curve"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0)}
	curved, err := x509.CreateCertificate(rand.Reader, template, template, curve.Public(), curve)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Service{EntityID: ourEntity, ACS: ourACS}.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	from, until := noon.AddDate(-1, 0, 0), noon.AddDate(9, 0, 0)
	for name, test := range map[string]struct{ metadata, want string }{
		"nothing":                   {" \n", "paste the metadata"},
		"an address":                {"https://idp.example/metadata", "this is an address"},
		"a web page":                {"<!DOCTYPE html><html><body>Sign in</body></html>", "this is a web page"},
		"a web page without a type": {"\n<html lang=en><body>Sign in</body></html>", "this is a web page"},
		"a certificate":             {"-----BEGIN CERTIFICATE-----\nMII", "this is a certificate only"},
		"half of it":                {good[:len(good)/2], "not a complete XML document"},
		"text":                      {"hello", "no identity provider"},
		"an answer":                 {vendors[0].plain(t), "this is the answer to a sign-in"},
		"our own":                   {string(ours), "metadata of a service provider, not of an identity provider: "},
		"a DOCTYPE":                 {"<!DOCTYPE x>" + good, "DOCTYPE"},
		"too deep":                  {strings.Repeat("<a>", 70) + strings.Repeat("</a>", 70), "nested more than 64 deep"},
		"too large":                 {good + strings.Repeat(" ", maxMetadata), "larger than 1 MiB"},
		"several providers":         {`<md:EntitiesDescriptor xmlns:md="` + metadataSpace + `">` + good + good + `</md:EntitiesDescriptor>`, "several identity providers"},
		"no certificate":            {idpMetadata("", "", signOnService), "no signing certificate"},
		"only for encryption":       {idpMetadata("", keyDescriptor("encryption", keyOf(t, "second").certificate.Raw), signOnService), "no signing certificate"},
		"expired":                   {idpMetadata("", keyDescriptor("signing", expired(t).Raw), signOnService), "expired on "},
		"three certificates":        {idpMetadata("", one+keyDescriptor("signing", keyOf(t, "second").certificate.Raw)+keyDescriptor("signing", keyOf(t, "old").certificate.Raw), signOnService), "has 3 signing certificates"},
		"1,024 bits":                {idpMetadata("", keyDescriptor("signing", certify(weak, "weak", from, until, x509.SHA256WithRSA).Raw), signOnService), "RSA key of 1024 bits"},
		"an elliptic curve":         {idpMetadata("", keyDescriptor("signing", curved), signOnService), "not for an RSA key"},
		"no base64":                 {idpMetadata("", strings.Replace(one, "MII", "!!!", 1), signOnService), "not base64"},
		"no certificate in there":   {idpMetadata("", keyDescriptor("signing", []byte("hello")), signOnService), "cannot be read"},
		"by POST only":              {idpMetadata("", one, strings.Split(signOnService, "/>")[0]+"/>"), "HTTP-Redirect"},
		"without TLS":               {idpMetadata("", one, strings.ReplaceAll(signOnService, "https://", "http://")), "not https"},
		"a script":                  {idpMetadata("", one, strings.ReplaceAll(signOnService, "https://idp.example/sso?app=1", "javascript:alert(1)")), "no proper URL"},
		"a password in the URL":     {idpMetadata("", one, strings.ReplaceAll(signOnService, "https://", "https://a:b@")), "no proper URL"},
		"no entityID":               {strings.Replace(good, `entityID="https://idp.example/entity"`, "", 1), "no proper entityID"},
	} {
		_, err := ReadMetadata([]byte(test.metadata))
		if !models.Is(err, models.Invalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestCertificatesSignedWithSHA1AreRefused(t *testing.T) {
	t.Parallel()
	certificate := *keyOf(t, "provider").certificate
	certificate.SignatureAlgorithm = x509.SHA1WithRSA // which Go itself no longer makes
	if err := fitToSign(&certificate); err == nil || !strings.Contains(err.Error(), "SHA-1") {
		t.Errorf("got %v", err)
	}
}

func TestOurMetadataSaysWhatProvidersNeed(t *testing.T) {
	t.Parallel()
	key, certificate, err := NewKey(ourEntity, noon)
	if err != nil {
		t.Fatal(err)
	}
	if certificate.NotAfter.Before(noon.AddDate(9, 0, 0)) || certificate.CheckSignatureFrom(certificate) != nil && certificate.Subject.CommonName == "" {
		t.Errorf("the certificate is %+v", certificate)
	}
	for _, s := range []Service{{EntityID: ourEntity, ACS: ourACS}, {EntityID: ourEntity + "?a=1&b=<2>", ACS: ourACS, Key: key, Certificate: certificate}} {
		raw, err := s.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		var m serviceMetadata
		if err := xml.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		if m.EntityID != s.EntityID || m.Role.ACS.Location != ourACS || m.Role.ACS.Binding != post || !m.Role.AssertionsSigned || m.Role.RequestsSigned != (s.Key != nil) || (m.Role.Key != nil) != (s.Key != nil) {
			t.Errorf("our metadata is %s", raw)
		}
		if len(m.Role.NameIDFormats) != 3 {
			t.Errorf("it has %d formats", len(m.Role.NameIDFormats))
		}
	}
}

func TestRequestsThatCannotBeMadeAreRefused(t *testing.T) {
	t.Parallel()
	us, p := Service{EntityID: ourEntity, ACS: ourACS}, Provider{EntityID: "x", SignInURL: "https://idp.example/sso", WantsSignedRequests: true}
	if _, err := us.SignInURL(p, ourRequest, "", false, noon); !models.Is(err, models.Invalid) || !strings.Contains(err.Error(), "make a signing key") {
		t.Errorf("without a key: %v", err)
	}
	p.WantsSignedRequests = false
	if _, err := us.SignInURL(p, "0 not a name", "", false, noon); err == nil {
		t.Error("a request id that is no name is taken")
	}
}
