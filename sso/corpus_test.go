package sso

import (
	"crypto/x509"
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the answers of the corpus say.
const (
	ourEntity  = "https://outpost.example.com/saml/0f3c9a52-7c1e-4b8e-9a2d-5f6e7d8c9b0a"
	ourACS     = ourEntity + "/acs"
	ourRequest = "_2b7e151628aed2a6abf7158809cf4f3c"
	legit      = "ada@example.com"
	evil       = "evil@example.net"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// vendor is an identity provider whose documents look like its brand's.
type vendor struct {
	name, issuer        string
	response, assertion string // IDs
	prefix, inclusive   string // of its signatures
	life                time.Duration
	email, person       string // as its attributes say
}

var vendors = []vendor{
	{"okta", "http://www.okta.com/exk4f2k1AbCdEfGh5d7", "id48291735028471938471625390", "id48291735029182736451827364", "ds", "xs", 5 * time.Minute, "ada@example.com", "Ada O'Lovelace"},
	{"entra", "https://sts.windows.net/9a6f2c1e-51de-4a3e-92c4-0c1b2d3e4f50/", "_5c1b6b0e-7f0f-4b62-9f6c-3a1f4f6f0d11", "_0fd2c1a4-9a3c-4e2b-8a5e-6f2b9a1c7e00", "", "", 60 * time.Minute, "ada@example.com", "Ada Lovelace"},
	{"google", "https://accounts.google.com/o/saml2?idpid=C01abc2de", "_3f0c6f1d2b7a4e5f9c8d7e6f5a4b3c2d", "_8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d", "ds", "", 5 * time.Minute, "", ""},
	{"adfs", "http://adfs.example.com/adfs/services/trust", "_b1b0f7a1-9df2-4dd2-a4d4-33a6b5f1c2e9", "_c2a1e8b2-8ef3-4cc3-b5e5-22b7c6e2d3fa", "ds", "", 60 * time.Minute, "ada@example.com", ""},
	{"onelogin", "https://app.onelogin.com/saml/metadata/5d4c3b2a-1f0e-4d9c-8b7a-6f5e4d3c2b1a", "R7a2c2b1d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b", "pfx41d8ef22-e612-8c50-9960-1b16f15741b3", "ds", "", 3 * time.Minute, "ada@example.com", "Ada Lovelace"},
	{"ping", "https://auth.pingone.eu/1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d", "vY3nm.Hk-0_sT8rQwZxLpBdCfGj", "pA9.kLm-3_nOqRsTuVwXyZaBcDeF", "ds", "", 5 * time.Minute, "ada@example.com", "Ada Lovelace"},
}

// signed is what of an answer is signed.
type signed string

const (
	signedAssertion signed = "assertion signed"
	signedResponse  signed = "response signed"
	signedBoth      signed = "both signed"
)

var allSigned = []signed{signedAssertion, signedResponse, signedBoth}

func (s signed) assertion() bool { return s != signedResponse }
func (s signed) response() bool  { return s != signedAssertion }

var indent = regexp.MustCompile(`>\s*\n\s*<`)

// plain is a vendor's answer, unsigned.
func (v vendor) plain(t testing.TB) string {
	t.Helper()
	body, err := os.ReadFile("testdata/answers/" + v.name + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	const seconds, milliseconds = "2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z"
	from, until := noon.Add(-5*time.Minute), noon.Add(v.life)
	document := strings.NewReplacer(
		"@ACS@", ourACS, "@ENTITY@", ourEntity, "@REQUEST@", ourRequest, "@ISSUER@", v.issuer, "@NAMEID@", legit,
		"@NOW@", noon.Format(seconds), "@FROM@", from.Format(seconds), "@UNTIL@", until.Format(seconds), "@TOMORROW@", noon.AddDate(0, 0, 1).Format(seconds),
		"@NOWMS@", noon.Format(milliseconds), "@FROMMS@", from.Format(milliseconds), "@UNTILMS@", until.Format(milliseconds),
	).Replace(string(body))
	if v.name != "onelogin" { // which alone breaks lines
		document = indent.ReplaceAllString(document, "><")
	}
	return strings.TrimSpace(document)
}

// signer signs as the vendor does, with its one key.
func (v vendor) signer(t testing.TB) signer {
	key := keyOf(t, "provider")
	s := newSigner(key.key, key.certificate)
	s.prefix, s.inclusive = v.prefix, v.inclusive
	return s
}

// sign signs what is to be signed, the inner first.
func (v vendor) sign(t testing.TB, s signer, document string, what signed) string {
	t.Helper()
	if what.assertion() {
		document = s.sign(t, document, v.assertion)
	}
	if what.response() {
		document = s.sign(t, document, v.response)
	}
	return document
}

var goods sync.Map

// good is the vendor's good document, signed once.
func (v vendor) good(t testing.TB, what signed) string {
	t.Helper()
	key := v.name + string(what)
	if document, ok := goods.Load(key); ok {
		return document.(string)
	}
	document, _ := goods.LoadOrStore(key, v.sign(t, v.signer(t), v.plain(t), what))
	return document.(string)
}

// check is what holds a vendor's answers against the one request there is.
func (v vendor) check(t testing.TB) Check {
	return Check{
		Service:  Service{EntityID: ourEntity, ACS: ourACS},
		Provider: Provider{EntityID: v.issuer, SignInURL: "https://idp.example/sso", Certificates: []*x509.Certificate{keyOf(t, "provider").certificate}},
		Request:  ourRequest,
		Now:      noon,
	}
}

// answer reads and checks a document as it comes in a form.
func answer(c Check, document string) (Assertion, Report, error) {
	d, err := ReadAnswer(base64.StdEncoding.EncodeToString([]byte(document)))
	if err != nil {
		return Assertion{}, nil, err
	}
	return c.Answer(d)
}

func TestAnswersOfEveryBrandAreTaken(t *testing.T) {
	t.Parallel()
	documents := 0
	for _, v := range vendors {
		for _, what := range allSigned {
			documents++
			t.Run(v.name+", "+string(what), func(t *testing.T) {
				t.Parallel()
				a, report, err := answer(v.check(t), v.good(t, what))
				if err != nil {
					t.Fatalf("%v: %+v", err, report)
				}
				if a.NameID != legit || a.ID != v.assertion || a.Email != v.email || a.Name != v.person {
					t.Errorf("got %+v", a)
				}
				if a.Algorithm != "RSA-SHA256" || a.Certificate != 1 || a.AuthnInstant.IsZero() || !a.NotOnOrAfter.Equal(noon.Add(v.life)) {
					t.Errorf("got %+v", a)
				}
				if len(report) != 9 {
					t.Fatalf("the report has %d points", len(report))
				}
				for i, line := range report {
					if want := map[bool]Mark{true: Passed, false: Skipped}[i < 6]; line.Mark != want || line.Cure != "" {
						t.Errorf("point %d is %+v", i+1, line)
					}
				}
			})
		}
	}
	if documents < 18 {
		t.Errorf("the corpus has %d documents", documents)
	}
}
