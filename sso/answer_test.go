package sso

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"outpost/models"
)

func TestAProviderMayChangeItsCertificate(t *testing.T) {
	t.Parallel()
	v := vendors[0]
	old, next := keyOf(t, "provider"), keyOf(t, "second")
	for _, what := range allSigned {
		s := v.signer(t)
		s.key, s.certificate = next.key, next.certificate
		document := v.sign(t, s, v.plain(t), what)
		c := v.check(t)
		if _, report, err := answer(c, document); err == nil || !strings.Contains(reason(report, err), "ends in "+fingerprint(next.certificate.Raw)+", we know "+fingerprint(old.certificate.Raw)) {
			t.Errorf("%s: the new certificate is not known yet: %v", what, report)
		}
		c.Provider.Certificates = []*x509.Certificate{old.certificate, next.certificate}
		if a, report, err := answer(c, document); err != nil || a.Certificate != 2 || report[1].Got != "RSA-SHA256, certificate 2" {
			t.Errorf("%s: both are known: %+v, %v", what, a, report)
		}
		if a, _, err := answer(c, v.good(t, what)); err != nil || a.Certificate != 1 {
			t.Errorf("%s: the old one still is good: %+v, %v", what, a, err)
		}
		none := ""
		s.keyInfo = &none
		if a, _, err := answer(c, v.sign(t, s, v.plain(t), what)); err != nil || a.Certificate != 2 {
			t.Errorf("%s: an answer that brings no certificate along: %+v, %v", what, a, err)
		}
	}
	// One document under two keys is neither's.
	mixed := v.signer(t).sign(t, v.plain(t), v.assertion)
	s := v.signer(t)
	s.key, s.certificate = next.key, next.certificate
	mixed = s.sign(t, mixed, v.response)
	c := v.check(t)
	c.Provider.Certificates = []*x509.Certificate{old.certificate, next.certificate}
	if a, _, err := answer(c, mixed); err == nil {
		t.Errorf("signed with both: %+v", a)
	}
}

// What is not signed may say what it wants: nothing of it is taken over.
func TestOnlyWhatIsSignedIsTakenOver(t *testing.T) {
	t.Parallel()
	for _, v := range vendors {
		good, _, err := answer(v.check(t), v.good(t, signedAssertion))
		if err != nil {
			t.Fatal(err)
		}
		changed := v.good(t, signedAssertion)
		changed = strings.Replace(changed, `ID="`+v.response+`"`, `ID="_evil"`, 1)
		changed = regexp.MustCompile(`(Response [^>]*IssueInstant=")[^"]*`).ReplaceAllString(changed, "${1}2001-01-01T00:00:00Z")
		changed = strings.Replace(changed, "</samlp:Status>", `<samlp:StatusMessage>evil</samlp:StatusMessage></samlp:Status>`, 1)
		a, report, err := answer(v.check(t), changed)
		if err != nil || a != good {
			t.Errorf("%s: %+v, want %+v: %v", v.name, a, good, report)
		}
	}
}

func TestAPanicInsideIsARefusal(t *testing.T) {
	t.Parallel()
	v := vendors[0]
	c := v.check(t)
	c.Provider.Certificates = []*x509.Certificate{nil}
	a, report, err := answer(c, v.good(t, signedBoth))
	if !models.Is(err, models.Denied) || a != (Assertion{}) {
		t.Fatalf("got %+v, %v", a, err)
	}
	if line, number, failed := report.Failed(); !failed || number != 2 || line.Cure == "" {
		t.Errorf("the report is %+v", report)
	}
}

func TestReportsStopAtTheFirstPointThatFails(t *testing.T) {
	t.Parallel()
	v := vendors[0]
	c := v.check(t)
	c.Service.EntityID = "https://outpost.example.com/saml/other"
	_, report, err := answer(c, v.good(t, signedAssertion))
	if err == nil {
		t.Fatal("it is taken")
	}
	raw, err := json.Marshal(report[2:5])
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"point":"issuer","mark":"ok","got":"` + v.issuer + `"},` +
		`{"point":"audience","mark":"no","got":"your identity provider says ` + ourEntity + `, we are https://outpost.example.com/saml/other","cure":"In your identity provider's SAML app, set the Audience URI (SP Entity ID) to the entity id above."},` +
		`{"point":"address","mark":"skip"}]`
	if string(raw) != want {
		t.Errorf("the report is %s\nwant %s", raw, want)
	}
}

func TestReportsCutWhatOthersWrote(t *testing.T) {
	t.Parallel()
	v := vendors[0]
	long := strings.Repeat("ä", 5000)
	for name, provider := range map[string]func(vendor, string) string{
		"audience": audience(long), "issuer": replaced(`(Issuer[^>]*>)[^<]*`, "${1}"+long), "recipient": replaced(`Recipient="[^"]*"`, `Recipient="`+long+`"`),
		"time": lasting(long, late), "status": swapSigned(statusSuccess, "urn:x:"+long),
	} {
		_, report, err := answer(v.check(t), v.sign(t, v.signer(t), provider(v, v.plain(t)), signedAssertion))
		line, _, failed := report.Failed()
		if err == nil || !failed || len([]rune(line.Got)) > 400 || !strings.Contains(line.Got, "…") {
			t.Errorf("%s: %v, %d characters", name, err, len([]rune(line.Got)))
		}
	}
}

// Both libraries had holes in the releases before these.
func TestSignaturesAreCheckedByReleasesWithoutKnownHoles(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for module, floor := range map[string][3]int{"github.com/russellhaering/gosaml2": {0, 12, 0}, "github.com/russellhaering/goxmldsig": {1, 6, 1}, "github.com/beevik/etree": {1, 7, 0}} {
		match := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) + ` v(\d+)\.(\d+)\.(\d+)`).FindStringSubmatch(string(mod))
		if match == nil {
			t.Errorf("%s is not required", module)
			continue
		}
		var version [3]int
		for i := range version {
			version[i], _ = strconv.Atoi(match[i+1])
		}
		if version[0] < floor[0] || version[0] == floor[0] && (version[1] < floor[1] || version[1] == floor[1] && version[2] < floor[2]) {
			t.Errorf("%s is %v, want %v or newer", module, version, floor)
		}
	}
}

func TestTheClockIsMovedBySkewAtMost(t *testing.T) {
	t.Parallel()
	v := vendors[0]
	d, err := ReadAnswer(encode(v.good(t, signedBoth)))
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []time.Time{noon, noon.AddDate(1, 0, 0), noon.AddDate(-1, 0, 0), noon.Add(v.life), noon.Add(v.life + 59*time.Second), noon.Add(-5*time.Minute - 59*time.Second)} {
		c := v.check(t)
		c.Now = now
		if moved := c.judge(c.Provider.Certificates[0], d.claims).Clock.Now().Sub(now); moved.Abs() > Skew {
			t.Errorf("at %s it is moved by %s", now, moved)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	v := vendors[1]
	field, c := encode(v.good(b, signedBoth)), v.check(b)
	for b.Loop() {
		if _, _, err := try(c, field); err != nil {
			b.Fatal(err)
		}
	}
}
