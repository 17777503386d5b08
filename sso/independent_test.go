package sso

import (
	"encoding/xml"
	"html"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

// independent is an identity provider that others wrote, with one person in it and us as its one service.
type independent struct {
	saml.IdentityProvider
	service saml.EntityDescriptor
	person  *saml.Session
}

func (p *independent) GetServiceProvider(_ *http.Request, id string) (*saml.EntityDescriptor, error) {
	if id != p.service.EntityID {
		return nil, os.ErrNotExist
	}
	return &p.service, nil
}

func (p *independent) GetSession(http.ResponseWriter, *http.Request, *saml.IdpAuthnRequest) *saml.Session {
	return p.person
}

func newIndependent(t testing.TB, us Service) *independent {
	t.Helper()
	key := keyOf(t, "provider")
	metadata, err := us.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	p := &independent{person: &saml.Session{
		ID: "1", NameID: legit, UserEmail: legit, UserCommonName: "Ada Lovelace", Index: "1", CreateTime: noon, ExpireTime: noon.Add(time.Hour),
	}}
	p.IdentityProvider = saml.IdentityProvider{
		Key: key.key, Certificate: key.certificate, Clock: dsig.NewFakeClockAt(noon),
		MetadataURL: url.URL{Scheme: "https", Host: "idp.example", Path: "/metadata"}, SSOURL: url.URL{Scheme: "https", Host: "idp.example", Path: "/sso"},
		ServiceProviderProvider: p, SessionProvider: p, SignatureMethod: dsig.RSASHA256SignatureMethod, Logger: log.New(io.Discard, "", 0),
	}
	if err := xml.Unmarshal(metadata, &p.service); err != nil {
		t.Fatalf("it does not read our metadata: %v", err)
	}
	return p
}

// provider is what we make of its metadata.
func (p *independent) provider(t testing.TB) Provider {
	t.Helper()
	metadata, err := xml.Marshal(p.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadMetadata(metadata)
	if err != nil {
		t.Fatalf("we do not read its metadata: %v", err)
	}
	return read
}

var formField = regexp.MustCompile(`name="(\w+)" value="([^"]*)"`)

// visit opens a page of the provider as a browser does, and returns the fields of the form that it answers with.
func (p *independent) visit(t testing.TB, address string) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	p.ServeSSO(w, httptest.NewRequest(http.MethodGet, address, nil))
	fields := map[string]string{}
	for _, match := range formField.FindAllStringSubmatch(w.Body.String(), -1) {
		fields[match[1]] = html.UnescapeString(match[2])
	}
	if w.Code != http.StatusOK || fields["SAMLResponse"] == "" {
		t.Fatalf("it answers %d: %s", w.Code, w.Body.String())
	}
	return fields
}

func TestAnIndependentProviderSignsInFromOurRequest(t *testing.T) {
	t.Parallel()
	key, certificate, err := NewKey(ourEntity, noon)
	if err != nil {
		t.Fatal(err)
	}
	for name, us := range map[string]Service{
		"plain request":  {EntityID: ourEntity, ACS: ourACS},
		"signed request": {EntityID: ourEntity, ACS: ourACS, Key: key, Certificate: certificate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := newIndependent(t, us)
			c := Check{Service: us, Provider: idp.provider(t), Request: ourRequest, Now: noon}
			address, err := us.SignInURL(c.Provider, ourRequest, "a state &=?", true, noon)
			if err != nil {
				t.Fatal(err)
			}
			fields := idp.visit(t, address)
			if fields["RelayState"] != "a state &=?" {
				t.Errorf("the state comes back as %q", fields["RelayState"])
			}
			d, err := ReadAnswer(fields["SAMLResponse"])
			if err != nil {
				t.Fatal(err)
			}
			if d.InResponseTo() != ourRequest {
				t.Errorf("it answers %q", d.InResponseTo())
			}
			a, report, err := c.Answer(d)
			if err != nil || a.NameID != legit || a.Email != legit || a.Name != "Ada Lovelace" {
				t.Errorf("%+v, %v: %+v", a, err, report)
			}
			c.Request = "_another"
			if _, _, err := c.Answer(d); err == nil {
				t.Error("the answer is taken for another request")
			}
		})
	}
}

func TestAnIndependentProviderRefusesATamperedRequest(t *testing.T) {
	t.Parallel()
	key, certificate, err := NewKey(ourEntity, noon)
	if err != nil {
		t.Fatal(err)
	}
	us := Service{EntityID: ourEntity, ACS: ourACS, Key: key, Certificate: certificate}
	idp := newIndependent(t, us)
	address, err := us.SignInURL(idp.provider(t), ourRequest, "state", false, noon)
	if err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string]string{
		"another state": strings.Replace(address, "RelayState=state", "RelayState=evil", 1),
		"no signature":  regexp.MustCompile(`&(SigAlg|Signature)=[^&]*`).ReplaceAllString(address, ""),
	} {
		w := httptest.NewRecorder()
		idp.ServeSSO(w, httptest.NewRequest(http.MethodGet, changed, nil))
		if changed == address || strings.Contains(w.Body.String(), "SAMLResponse") {
			t.Errorf("%s: it answers %d: %.200s", name, w.Code, w.Body.String())
		}
	}
}

func TestAnIndependentProvidersRefusalIsToldAsOne(t *testing.T) {
	t.Parallel()
	us := Service{EntityID: ourEntity, ACS: ourACS}
	idp := newIndependent(t, us)
	address, err := us.SignInURL(idp.provider(t), ourRequest, "", false, noon)
	if err != nil {
		t.Fatal(err)
	}
	request, err := saml.NewIdpAuthnRequest(&idp.IdentityProvider, httptest.NewRequest(http.MethodGet, address, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := request.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := request.MakeErrorResponse(saml.StatusResponder, saml.StatusRequestDenied, "User is not assigned to the client application."); err != nil {
		t.Fatal(err)
	}
	form, err := request.PostBinding()
	if err != nil {
		t.Fatal(err)
	}
	c := Check{Service: us, Provider: idp.provider(t), Request: ourRequest, Now: noon}
	_, report, err := try(c, form.SAMLResponse)
	if told := reason(report, err); !strings.Contains(told, "1 request: your identity provider refused: Responder, RequestDenied, “User is not assigned to the client application.”. In your identity provider, assign the person to the app") {
		t.Errorf("it is told %q", told)
	}
}
