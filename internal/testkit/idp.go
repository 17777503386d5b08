package testkit

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/crewjam/saml/samlidp"
	"github.com/jonboulle/clockwork"
	dsig "github.com/russellhaering/goxmldsig"
	"golang.org/x/crypto/bcrypt"
)

// IdP is a SAML identity provider of its own making: crewjam's samlidp, over HTTP. Its people sign in with a name and a
// password, and are known to services by their e-mail address.
type IdP struct {
	URL   string
	t     testing.TB
	store samlidp.Store
}

// Password is everybody's password at an IdP.
const Password = "correct horse"

// follows is a clock that tells the time of another.
type follows struct {
	clockwork.Clock
	now func() time.Time
}

func (f follows) Now() time.Time { return f.now() }

// idpKey is one key for all: making one takes long.
var idpKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// hashedPassword is Password as cheaply hashed as can be.
var hashedPassword = sync.OnceValue(func() []byte {
	hash, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return hash
})

// NewIdP starts an identity provider whose clock is now, nil for the real one.
func NewIdP(t testing.TB, now func() time.Time) *IdP {
	t.Helper()
	if now == nil {
		now = time.Now
	}
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String()
	key := idpKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: base}, SignatureAlgorithm: x509.SHA256WithRSA,
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	store := &samlidp.MemoryStore{}
	idp, err := samlidp.New(samlidp.Options{
		URL: *at, Key: key, Certificate: certificate, Store: store, Logger: log.New(io.Discard, "", 0),
		Clock: dsig.NewFakeClock(follows{clockwork.NewRealClock(), now}),
	})
	if err != nil {
		t.Fatalf("start the identity provider: %v", err)
	}
	server.Config.Handler = idp
	server.Start()
	t.Cleanup(server.Close)
	return &IdP{URL: base, t: t, store: store}
}

// put writes one of the provider's settings.
func (p *IdP) put(path string, body []byte) {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodPut, p.URL+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer a.Body.Close()
	if text, _ := io.ReadAll(a.Body); a.StatusCode >= 300 {
		p.t.Fatalf("the identity provider answers %d to %s: %s", a.StatusCode, path, text)
	}
}

// Trust makes the provider answer the service that the metadata describes.
func (p *IdP) Trust(metadata []byte) {
	p.t.Helper()
	sum := sha256.Sum256(metadata)
	p.put("/services/"+hex.EncodeToString(sum[:6]), metadata)
}

// Person gives somebody an account, under their e-mail address, with Password.
func (p *IdP) Person(email string) {
	p.t.Helper()
	if err := p.store.Put("/users/"+email, samlidp.User{Name: email, Email: email, HashedPassword: hashedPassword()}); err != nil {
		p.t.Fatal(err)
	}
}

// Metadata is the provider's metadata.
func (p *IdP) Metadata() []byte {
	p.t.Helper()
	a, err := http.Get(p.URL + "/metadata")
	if err != nil {
		p.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		p.t.Fatalf("the identity provider's metadata: %d %v", a.StatusCode, err)
	}
	return text
}

var (
	formAction = regexp.MustCompile(`<form[^>]*\baction="([^"]*)"`)
	formInput  = regexp.MustCompile(`<input[^>]*\bname="([^"]*)"[^>]*\bvalue="([^"]*)"`)
)

// form reads the form of a page of the provider.
func form(page string) (action string, fields url.Values, err error) {
	found := formAction.FindStringSubmatch(page)
	if found == nil {
		return "", nil, fmt.Errorf("there is no form in %s", shorten(page, 500))
	}
	fields = url.Values{}
	for _, f := range formInput.FindAllStringSubmatch(page, -1) {
		fields.Set(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return html.UnescapeString(found[1]), fields, nil
}

// Answer signs somebody in where a service sent them, in a browser of their own, and tells what that browser would send
// on, and where to.
func (p *IdP) Answer(signInURL, email string) (acs string, answer url.Values) {
	p.t.Helper()
	browser, action, fields := p.formAt(signInURL, email)
	return p.answered(p.read(browser.PostForm(action, fields)), email)
}

// Unasked begins at the provider: what a browser would send to a service that asked for nothing.
func (p *IdP) Unasked(entityID, email string) (acs string, answer url.Values) {
	p.t.Helper()
	sum := sha256.Sum256([]byte(entityID))
	name := hex.EncodeToString(sum[:6])
	body, err := json.Marshal(map[string]string{"name": name, "service_provider": entityID})
	if err != nil {
		p.t.Fatal(err)
	}
	p.put("/shortcuts/"+name, body)
	browser, action, fields := p.formAt(p.URL+"/login/"+name, email)
	p.read(browser.PostForm(action, fields)) // signs in there, and no more
	return p.answered(p.read(browser.Get(p.URL+"/login/"+name)), email)
}

// formAt opens the sign-in form at an address of the provider in a new browser, and fills it in.
func (p *IdP) formAt(at, email string) (browser *http.Client, action string, fields url.Values) {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	browser = &http.Client{Jar: jar}
	action, fields, err = form(p.read(browser.Get(at)))
	if err != nil {
		p.t.Fatal(err)
	}
	fields.Set("user", email)
	fields.Set("password", Password)
	to, err := url.Parse(at)
	if err == nil {
		to, err = to.Parse(action)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return browser, to.String(), fields
}

// read is the page that the provider answers with.
func (p *IdP) read(a *http.Response, err error) string {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		p.t.Fatalf("the identity provider answers %d, %v: %s", a.StatusCode, err, text)
	}
	return string(text)
}

// answered reads the page that sends a browser on to the service.
func (p *IdP) answered(page, email string) (acs string, answer url.Values) {
	p.t.Helper()
	acs, answer, err := form(page)
	if err != nil || answer.Get("SAMLResponse") == "" {
		p.t.Fatalf("%s was not signed in: %v", email, err)
	}
	return acs, answer
}
