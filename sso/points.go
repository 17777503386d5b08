package sso

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/russellhaering/gosaml2/types"
)

// The checks of an answer's content. Each looks at what the signature covers where that could be verified, and returns
// what arrived and, where it is wrong, what to change.

// request checks that the answer is one, and to this browser's request.
func (c Check) request(d *Document, view types.Response) (got, cure string) {
	if view.Version != "2.0" {
		return "the answer is of SAML version " + cut(view.Version), "In your identity provider, make the app a SAML 2.0 app."
	}
	if view.Status == nil || view.Status.StatusCode == nil || view.Status.StatusCode.Value != statusSuccess {
		return refusal(d)
	}
	claimed := []string{view.InResponseTo}
	if len(view.Assertions) == 1 {
		if data := confirmation(view.Assertions[0]); data != nil {
			claimed = append(claimed, data.InResponseTo)
		}
	}
	for _, id := range claimed {
		switch {
		case c.IdPInitiated && id != "":
			return "the answer is to a request that this browser did not make", "Begin at our sign-in page, or in your identity provider's list of apps, and go on in one go."
		case c.IdPInitiated:
		case id == "":
			return "the answer is to no request: it was begun at your identity provider", "Begin at our sign-in page. Your identity provider may start sign-ins only where that is switched on here."
		case id != c.Request || c.Request == "":
			return "the answer is to another request than this browser's", "Sign in again, in one window, and within ten minutes."
		}
	}
	if c.IdPInitiated {
		return "your identity provider began it", ""
	}
	return "InResponseTo matches", ""
}

// refusal tells what a provider says that does not sign somebody in.
func refusal(d *Document) (got, cure string) {
	var codes []string
	for _, status := range d.statuses {
		codes = append(codes, algorithmName(status[strings.LastIndexByte(status, ':')+1:]))
	}
	got = "your identity provider refused: " + cut(strings.Join(codes, ", "))
	if len(codes) == 0 {
		got = "the answer does not say whether it succeeded"
	}
	if message := strings.Join(strings.Fields(d.message), " "); message != "" {
		got += ", “" + cut(message) + "”"
	}
	switch last := strings.Join(codes, " "); {
	case strings.Contains(last, "InvalidNameIDPolicy"):
		return got, "In your identity provider's SAML app, set the Name ID to the user name, of any format."
	case strings.Contains(last, "NoPassive"), strings.Contains(last, "NoAuthnContext"):
		return got, "In your identity provider, look at the sign-in policy of the app, and test again."
	case strings.HasPrefix(last, "Requester"):
		return got, "In your identity provider's SAML app, set the sign-on URL (ACS) and the entity id to ours, and if it wants signed requests, make a signing key here."
	}
	return got, "In your identity provider, assign the person to the app, look at its sign-in log, and test again."
}

// issuer checks that both the response and the assertion are by the provider.
func (c Check) issuer(view types.Response) (got, cure string) {
	if len(view.Assertions) != 1 {
		return "the answer holds no assertion", cureSignature
	}
	for _, issuer := range []*types.Issuer{view.Issuer, view.Assertions[0].Issuer} {
		switch {
		case issuer == nil || issuer.Value == "":
			return "the answer does not say by whom it is", "In your identity provider's SAML app, have the issuer sent in the response and in the assertion."
		case issuer.Value != c.Provider.EntityID:
			return "the answer is by " + cut(issuer.Value) + ", we expect " + cut(c.Provider.EntityID), "Take your identity provider's metadata anew, from the same app that people sign in with."
		}
	}
	if version := view.Assertions[0].Version; version != "2.0" {
		return "the assertion is of SAML version " + cut(version), "In your identity provider, make the app a SAML 2.0 app."
	}
	return cut(c.Provider.EntityID), ""
}

// audience checks that the assertion is meant for us: each restriction there is must name us, and there must be one.
func (c Check) audience(d *Document, view types.Response) (got, cure string) {
	cure = "In your identity provider's SAML app, set the Audience URI (SP Entity ID) to the entity id above."
	conditions := view.Assertions[0].Conditions
	if conditions == nil || len(conditions.AudienceRestrictions) == 0 {
		return "the answer does not say for whom it is", cure
	}
	if d.foreign {
		return "the answer sets conditions that we do not know", "In your identity provider's SAML app, send no conditions other than the audience and the time."
	}
	for _, restriction := range conditions.AudienceRestrictions {
		named := false
		var others []string
		for _, audience := range restriction.Audiences {
			named = named || audience.Value == c.Service.EntityID
			others = append(others, audience.Value)
		}
		if !named {
			return "your identity provider says " + cut(strings.Join(others, ", ")) + ", we are " + cut(c.Service.EntityID), cure
		}
	}
	return cut(c.Service.EntityID), ""
}

// address checks that the answer was sent to us, to be handed in by whoever brings it (a bearer). A response that is
// signed must say where it goes (SAML bindings 3.5.5.2); one that is not may leave it out, since the assertion says it.
func (c Check) address(d *Document, view types.Response) (got, cure string) {
	cure = "In your identity provider's SAML app, set the single sign-on URL (ACS), the recipient and the destination to the URL above."
	if view.Destination != c.Service.ACS && (view.Destination != "" || d.signedResponse) {
		return sentTo("the destination", view.Destination, c.Service.ACS), cure
	}
	subject := view.Assertions[0].Subject
	if subject == nil || subject.SubjectConfirmation == nil {
		return "the answer does not say who may hand it in", "In your identity provider's SAML app, choose the Web browser SSO profile, with subject confirmation bearer."
	}
	if method := subject.SubjectConfirmation.Method; method != bearer {
		return "who hands the answer in must prove to be its owner: " + algorithmName(method[strings.LastIndexByte(method, ':')+1:]), "In your identity provider's SAML app, choose the subject confirmation bearer."
	}
	if data := subject.SubjectConfirmation.SubjectConfirmationData; data == nil || data.Recipient != c.Service.ACS {
		recipient := ""
		if data != nil {
			recipient = data.Recipient
		}
		return sentTo("the recipient", recipient, c.Service.ACS), cure
	}
	return cut(c.Service.ACS), ""
}

func sentTo(what, got, want string) string {
	if got == "" {
		return what + " is missing, we are " + cut(want)
	}
	return what + " is " + cut(got) + ", we are " + cut(want)
}

// times checks that the assertion is good now, give or take Skew, and not for longer than maxValidity from when it was
// issued.
func (c Check) times(d *Document, view types.Response) (got, cure string) {
	const clock = "Set the clock of your identity provider, or of our server, and test again."
	const life = "In your identity provider's SAML app, have assertions be valid for some minutes, and for 24 hours at most."
	assertion := view.Assertions[0]
	if d.notBefore != nil {
		return "the subject confirmation has a NotBefore, which SAML forbids", life
	}
	from, until, err := window(assertion)
	if err != nil {
		return err.Error(), life
	}
	issued := assertion.IssueInstant
	switch now := c.Now; {
	case !now.Add(-Skew).Before(until):
		return "the answer was good until " + moment(until) + ", it is " + moment(now), clock
	case now.Add(Skew).Before(from):
		return "the answer is good from " + moment(from) + ", it is " + moment(now), clock
	case now.Add(Skew).Before(issued):
		return "the answer was made at " + moment(issued) + ", it is " + moment(now), clock
	case !from.Before(until):
		return "the answer is good from " + moment(from) + " until " + moment(until), life
	case until.Sub(issued) > maxValidity:
		return "the answer, made at " + moment(issued) + ", is good until " + moment(until), life
	case c.IdPInitiated && now.Add(-Skew).Sub(issued) > maxUnasked:
		return "the answer was made at " + moment(issued) + ", it is " + moment(now), "Begin anew: a sign-in that your identity provider starts is taken within two minutes."
	}
	return "good until " + moment(until), ""
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// window is the time in which an assertion claims to be good: the narrower of its conditions and its confirmation.
func window(a types.Assertion) (from, until time.Time, err error) {
	data := confirmation(a)
	if a.Conditions == nil || data == nil {
		return from, until, fmt.Errorf("the answer does not say how long it is good")
	}
	if from, err = instant("NotBefore", a.Conditions.NotBefore); err != nil {
		return from, until, err
	}
	if until, err = instant("NotOnOrAfter", a.Conditions.NotOnOrAfter); err != nil {
		return from, until, err
	}
	confirmed, err := instant("NotOnOrAfter", data.NotOnOrAfter)
	if confirmed.Before(until) {
		until = confirmed
	}
	return from, until, err
}

func instant(name, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, fmt.Errorf("%s is missing", name)
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return t, fmt.Errorf("%s is %s, which is no time", name, cut(value))
	}
	return t, nil
}

func confirmation(a types.Assertion) *types.SubjectConfirmationData {
	if a.Subject == nil || a.Subject.SubjectConfirmation == nil {
		return nil
	}
	return a.Subject.SubjectConfirmation.SubjectConfirmationData
}

// person checks that the answer names somebody.
func person(nameID string) (got, cure string) {
	const set = "In your identity provider's SAML app, set the Name ID to the user name."
	switch {
	case strings.TrimSpace(nameID) == "":
		return "the answer names nobody", set
	case len(nameID) > maxNameID || !utf8.ValidString(nameID):
		return "the Name ID is longer than 1,024 bytes", set
	}
	return "", ""
}

// read takes over what a verified assertion says.
func read(a types.Assertion) Assertion {
	said := Assertion{ID: a.ID}
	_, said.NotOnOrAfter, _ = window(a)
	if id := a.Subject.NameID; id != nil {
		said.NameID, said.NameIDFormat = id.Value, id.Format
	}
	if a.AuthnStatement != nil && a.AuthnStatement.AuthnInstant != nil {
		said.AuthnInstant = *a.AuthnStatement.AuthnInstant
	}
	values := map[string]string{}
	if a.AttributeStatement != nil {
		for _, attribute := range a.AttributeStatement.Attributes {
			for _, name := range []string{attribute.Name, attribute.FriendlyName} {
				if name = strings.ToLower(name); name != "" && values[name] == "" && len(attribute.Values) > 0 {
					values[name] = strings.TrimSpace(attribute.Values[0].Value)
				}
			}
		}
	}
	said.Email = first(values, emailNames)
	said.Name = first(values, nameNames)
	if said.Name == "" {
		said.Name = strings.TrimSpace(first(values, givenNames) + " " + first(values, familyNames))
	}
	return said
}

func first(values map[string]string, names []string) string {
	for _, name := range names {
		if values[name] != "" {
			return values[name]
		}
	}
	return ""
}

// The names by which providers call what we show of a person, in lower case.
var (
	emailNames  = []string{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "email", "mail", "emailaddress", "user.email", "urn:oid:0.9.2342.19200300.100.1.3"}
	nameNames   = []string{"http://schemas.microsoft.com/identity/claims/displayname", "displayname", "urn:oid:2.16.840.1.113730.3.1.241", "cn", "urn:oid:2.5.4.3"}
	givenNames  = []string{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "firstname", "user.firstname", "givenname", "urn:oid:2.5.4.42"}
	familyNames = []string{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "lastname", "user.lastname", "surname", "sn", "urn:oid:2.5.4.4"}
)
