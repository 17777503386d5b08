package sso

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// signer makes XML signatures of any kind, good and bad ones, so that a bad one is right but for the thing it tests.
type signer struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate

	method, digest string
	hash, digests  crypto.Hash
	c14n           string
	transforms     []string
	inclusive      string  // PrefixList of the second transform
	prefix         string  // of the signature's elements
	uri            *string // instead of the element's own ID
	twoReferences  string  // a second reference, put before the right one
	keyInfo        *string // instead of the certificate
	hmac           bool    // with the certificate as its key
}

const (
	rsaSHA256  = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	sha256Name = "http://www.w3.org/2001/04/xmlenc#sha256"
)

func newSigner(key *rsa.PrivateKey, certificate *x509.Certificate) signer {
	return signer{
		key: key, certificate: certificate, method: rsaSHA256, hash: crypto.SHA256, digest: sha256Name, digests: crypto.SHA256,
		c14n: exclusiveC14N, transforms: []string{enveloped, exclusiveC14N}, prefix: "ds",
	}
}

// sign puts a signature over the element with this ID behind its issuer.
func (s signer) sign(t testing.TB, document, id string) string {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(document); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	element := doc.FindElement("//*[@ID='" + id + "']")
	if element == nil {
		t.Fatalf("no element has ID %s", id)
	}
	signature := s.signature(t, canonical(t, element, s.inclusive), id)
	sub := etree.NewDocument()
	if err := sub.ReadFromString(signature); err != nil {
		t.Fatal(err)
	}
	at := 0
	for i, child := range element.Child {
		if e, ok := child.(*etree.Element); ok && e.Tag == "Issuer" {
			at = i + 1
			break
		}
	}
	element.InsertChildAt(at, sub.Root())
	out, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// canonical is the exclusive canonical form of an element where it stands.
func canonical(t testing.TB, element *etree.Element, inclusive string) []byte {
	t.Helper()
	context, err := etreeutils.NSBuildParentContext(element)
	if err != nil {
		t.Fatal(err)
	}
	detached, err := etreeutils.NSDetatch(context, element)
	if err != nil {
		t.Fatal(err)
	}
	out, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(inclusive).Canonicalize(detached)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// signature is a whole Signature element over canonical content.
func (s signer) signature(t testing.TB, content []byte, id string) string {
	t.Helper()
	p, declared := "", ""
	if s.prefix != "" {
		p, declared = s.prefix+":", ":"+s.prefix
	}
	uri := "#" + id
	if s.uri != nil {
		uri = *s.uri
	}
	var transforms strings.Builder
	for i, algorithm := range s.transforms {
		if i == 1 && s.inclusive != "" {
			fmt.Fprintf(&transforms, `<%[1]sTransform Algorithm="%[2]s"><ec:InclusiveNamespaces xmlns:ec="%[3]s" PrefixList="%[4]s"></ec:InclusiveNamespaces></%[1]sTransform>`, p, algorithm, exclusiveC14N, s.inclusive)
			continue
		}
		fmt.Fprintf(&transforms, `<%[1]sTransform Algorithm="%[2]s"></%[1]sTransform>`, p, algorithm)
	}
	hash := s.digests.New()
	hash.Write(content)
	reference := fmt.Sprintf(`<%[1]sReference URI="%[2]s"><%[1]sTransforms>%[3]s</%[1]sTransforms><%[1]sDigestMethod Algorithm="%[4]s"></%[1]sDigestMethod><%[1]sDigestValue>%[5]s</%[1]sDigestValue></%[1]sReference>`,
		p, uri, transforms.String(), s.digest, base64.StdEncoding.EncodeToString(hash.Sum(nil)))
	info := fmt.Sprintf(`<%[1]sSignedInfo xmlns%[2]s="%[3]s"><%[1]sCanonicalizationMethod Algorithm="%[4]s"></%[1]sCanonicalizationMethod><%[1]sSignatureMethod Algorithm="%[5]s"></%[1]sSignatureMethod>%[6]s%[7]s</%[1]sSignedInfo>`,
		p, declared, signatureSpace, s.c14n, s.method, s.twoReferences, reference)
	hash = s.hash.New()
	hash.Write([]byte(info))
	var value []byte
	if s.hmac {
		mac := hmac.New(sha256.New, s.certificate.RawSubjectPublicKeyInfo)
		mac.Write([]byte(info))
		value = mac.Sum(nil)
	} else {
		var err error
		if value, err = rsa.SignPKCS1v15(rand.Reader, s.key, s.hash, hash.Sum(nil)); err != nil {
			t.Fatal(err)
		}
	}
	key := fmt.Sprintf(`<%[1]sKeyInfo><%[1]sX509Data><%[1]sX509Certificate>%[2]s</%[1]sX509Certificate></%[1]sX509Data></%[1]sKeyInfo>`, p, base64.StdEncoding.EncodeToString(s.certificate.Raw))
	if s.keyInfo != nil {
		key = *s.keyInfo
	}
	return fmt.Sprintf(`<%[1]sSignature xmlns%[2]s="%[3]s">%[4]s<%[1]sSignatureValue>%[5]s</%[1]sSignatureValue>%[6]s</%[1]sSignature>`,
		p, declared, signatureSpace, strings.Replace(info, " xmlns"+declared+`="`+signatureSpace+`"`, "", 1), base64.StdEncoding.EncodeToString(value), key)
}

// testKey is a key pair of the tests, made once.
type testKey struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

var keys sync.Map

// keyOf is the key of that name: the same one each time.
func keyOf(t testing.TB, name string) testKey {
	t.Helper()
	made, _ := keys.LoadOrStore(name, sync.OnceValue(func() testKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return testKey{key, certify(key, name, noon.AddDate(-1, 0, 0), noon.AddDate(20, 0, 0), x509.SHA256WithRSA)}
	}))
	return made.(func() testKey)()
}

func certify(key *rsa.PrivateKey, name string, from, until time.Time, algorithm x509.SignatureAlgorithm) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(from.Unix()), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until, SignatureAlgorithm: algorithm,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return certificate
}
