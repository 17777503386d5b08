package simulator

import (
	"context"
	"fmt"
	"strings"
)

// Style is the kind of Okta app that is simulated; it decides which verbs are used.
type Style string

const (
	// Put is an app made with Okta's App Integration Wizard: PUT for everything, and whole member lists.
	Put Style = "put"
	// Patch is an app from Okta's integration network: PUT for profiles, PATCH for activation and for groups.
	Patch Style = "patch"
)

// ParseStyle reads a style as it is written on a command line; empty means Put.
func ParseStyle(s string) (Style, error) {
	switch style := Style(strings.ToLower(strings.TrimSpace(s))); style {
	case "":
		return Put, nil
	case Put, Patch:
		return style, nil
	}
	return "", fmt.Errorf("style %q is not known: use put (wizard app) or patch (integration network app)", s)
}

// Okta is one Okta org with one app that provisions to BaseURL. Make it with New.
type Okta struct {
	Client
	Style Style
}

var inOkta = dialect{
	name: "Okta",
	headers: map[string]string{
		"User-Agent":      "Okta SCIM Client 1.0.0",
		"Accept":          mediaType,
		"Accept-Charset":  "utf-8",
		"Accept-Encoding": "gzip,deflate",
	},
	contentType: mediaType + "; charset=utf-8",
}

// oktaUsers and oktaGroups are found by a query with a page. Okta also takes a 404 for nobody.
var (
	oktaUsers  = collection{noun: "user", path: "/Users", key: "userName", nobody: "anyone", absent: true, search: lookup, check: checkUser}
	oktaGroups = collection{noun: "group", path: "/Groups", key: "displayName", nobody: "any group", absent: true, search: lookup, check: checkGroup}
)

// lookup is the query of an exact search.
func lookup(attribute, value string) string {
	return exactly(attribute, value) + "&startIndex=1&count=100"
}

// New joins an Okta app to a SCIM server. The base URL is refused when Okta would refuse it, except that plain http is
// allowed.
func New(baseURL, token string, style Style) (*Okta, error) {
	client, err := newClient(baseURL, token, inOkta)
	if err != nil {
		return nil, err
	}
	if strings.Contains(client.BaseURL, "_") {
		return nil, fmt.Errorf("base URL %q has an underscore, which Okta does not accept", client.BaseURL)
	}
	style, err = ParseStyle(string(style))
	if err != nil {
		return nil, err
	}
	return &Okta{Client: client, Style: style}, nil
}

// Run plays a plan. A failed step does not stop it: the report lists it and the error says how many there were. Only
// the connection test does, as Okta does not save a connection that fails it. When ctx ends, Run returns what was done
// until then, with an error that wraps the context's own.
func (o *Okta) Run(ctx context.Context, plan Plan, observe Observer) (Report, error) {
	measured := *o
	return measured.play(ctx, measured.script(), plan, observe)
}

func (o *Okta) script() script {
	s := script{
		provider: fmt.Sprintf("Okta, wizard app (%s)", o.Style),
		test:     o.TestConnection,
		assign:   o.Assign, update: o.UpdateProfile, deactivate: o.Deactivate, reactivate: o.Reactivate,
		push: o.PushGroup, add: o.AddMembers, // a wizard app sends the whole list anyway
	}
	if o.Style == Patch {
		s.provider = fmt.Sprintf("Okta, integration network app (%s)", o.Style)
		s.batch = MemberBatch
	}
	return s
}
