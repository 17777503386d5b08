// Package simulator plays an identity provider: it sends a SCIM server what a real Okta org sends, in the same order,
// with the same headers and bodies, and judges the answers as Okta does. It never imports anything of the product it
// talks to, and never knows more of it than a base URL and a token.
//
// The methods of Okta are the things an Okta admin does (assign a person, push a group, and so on). Run plays a whole
// afternoon of them and measures it.
package simulator

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
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

// Timeout is how long Okta waits for an answer.
const Timeout = 60 * time.Second

// MemberBatch is how many members one PATCH carries at most.
const MemberBatch = 100

// Okta is one Okta org with one app that provisions to BaseURL. Make it with New. Its methods may be called from many
// goroutines; the fields must not change meanwhile.
type Okta struct {
	BaseURL string
	Token   string
	Style   Style

	// HTTP sends the requests. Nil is a client of the simulator's own, tuned for as many connections as there are
	// parallel requests. Redirects are never followed, as they would lose the token or the body.
	HTTP *http.Client
	// Retry says how long a request is repeated; the zero value is a sensible default.
	Retry RetryPolicy
	// Timeout of one request; zero is Okta's 60 seconds.
	Timeout time.Duration

	own    *http.Client
	record *recorder
	clock  clock
}

// New joins an Okta app to a SCIM server. The base URL is refused when Okta would refuse it, except that plain http is
// allowed.
func New(baseURL, token string, style Style) (*Okta, error) {
	baseURL = strings.TrimRight(strings.TrimSpace(baseURL), "/")
	u, err := url.Parse(baseURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("base URL %q cannot be read: %w", baseURL, err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("base URL %q must start with https:// or http:// and name a host", baseURL)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("base URL %q must not have a query or a fragment", baseURL)
	case strings.Contains(baseURL, "_"):
		return nil, fmt.Errorf("base URL %q has an underscore, which Okta does not accept", baseURL)
	}
	token = strings.TrimSpace(token)
	if token == "" {
		return nil, fmt.Errorf("the token is empty: paste the one that was shown when the connection was made")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r < 0x20 || r >= 0x7f }) {
		return nil, fmt.Errorf("the token has characters that no HTTP header can carry: paste it again")
	}
	style, err = ParseStyle(string(style))
	if err != nil {
		return nil, err
	}
	return &Okta{
		BaseURL: baseURL,
		Token:   token,
		Style:   style,
		own:     NewHTTPClient(64),
		record:  newRecorder(),
		clock:   systemClock(),
	}, nil
}

// Requests reports what the methods called directly on o have sent so far. What Run sends is in Run's report instead.
func (o *Okta) Requests() []RequestReport {
	return o.record.requests()
}
