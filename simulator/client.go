// Package simulator plays identity providers: it sends a SCIM server what a real Okta org, Entra tenant, OneLogin app or
// JumpCloud connector sends, in the same order, with the same headers and bodies, and judges the answers as that client
// does. It never imports anything of the product it talks to, and never knows more of it than a base URL and a token.
//
// Each provider is a type of its own. Its methods are the things an admin of the provider does or causes (assign a person,
// push a group, and so on), and Run plays a whole afternoon of them and measures it.
package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Timeout is how long Okta waits for an answer. The others are assumed to be as patient.
const Timeout = 60 * time.Second

// MemberBatch is how many members one PATCH carries at most.
const MemberBatch = 100

// Client is what all providers share: where they send, and how often they try. Its methods may be called from many
// goroutines; the fields must not change meanwhile.
type Client struct {
	BaseURL string
	Token   string

	// HTTP sends the requests. Nil is a client of the simulator's own, tuned for as many connections as there are
	// parallel requests. Redirects are never followed, as they would lose the token or the body.
	HTTP *http.Client
	// Retry says how long a request is repeated; the zero value is a sensible default.
	Retry RetryPolicy
	// Timeout of one request; zero is Okta's 60 seconds.
	Timeout time.Duration

	dialect dialect
	own     *http.Client
	record  *recorder
	clock   clock
}

// A dialect is how a provider is called and how it writes.
type dialect struct {
	name        string            // in sentences
	headers     map[string]string // of every request; an empty User-Agent is none
	contentType string            // of every body
	query       string            // comes first in every query
}

// newClient joins a provider to a SCIM server.
func newClient(baseURL, token string, d dialect) (Client, error) {
	baseURL = strings.TrimRight(strings.TrimSpace(baseURL), "/")
	u, err := url.Parse(baseURL)
	switch {
	case err != nil:
		return Client{}, fmt.Errorf("base URL %q cannot be read: %w", baseURL, err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return Client{}, fmt.Errorf("base URL %q must start with https:// or http:// and name a host", baseURL)
	case u.RawQuery != "" || u.Fragment != "":
		return Client{}, fmt.Errorf("base URL %q must not have a query or a fragment", baseURL)
	}
	token = strings.TrimSpace(token)
	if token == "" {
		return Client{}, fmt.Errorf("the token is empty: paste the one that was shown when the connection was made")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r < 0x20 || r >= 0x7f }) {
		return Client{}, fmt.Errorf("the token has characters that no HTTP header can carry: paste it again")
	}
	return Client{
		BaseURL: baseURL,
		Token:   token,
		dialect: d,
		own:     NewHTTPClient(64),
		record:  newRecorder(),
		clock:   systemClock(),
	}, nil
}

// Requests reports what the methods called directly on a provider have sent so far. What Run sends is in Run's report
// instead.
func (c *Client) Requests() []RequestReport {
	return c.record.requests()
}

// explain says what the admin should do about a connection test that failed.
func (c *Client) explain(err error) error {
	var failed *Error
	if !errors.As(err, &failed) {
		return err
	}
	said := ""
	if failed.Detail != "" {
		said = "; the server says: " + failed.Detail
	}
	switch {
	case failed.Status == http.StatusUnauthorized:
		failed.Problem = "authorization failure (401): the token is not accepted. Paste the whole token, without the word Bearer " +
			"before it, and check that it was not replaced by a newer one" + said
	case failed.Status == http.StatusForbidden:
		failed.Problem = "the token is known but may not be used (403): check that directory sync is part of the plan and that " +
			"the connection is not paused" + said
	case failed.Status == http.StatusNotFound:
		failed.Problem = fmt.Sprintf("there is no SCIM service at %s/Users (404): copy the base URL again from the directory sync settings, "+
			"to its end and without /Users", c.BaseURL) + said
	case strings.Contains(failed.Reason(), "web page"):
		failed.Problem = fmt.Sprintf("%s answers with a web page (%d), not with SCIM: the base URL is that of the website; copy it from the "+
			"directory sync settings", c.BaseURL, failed.Status)
	case failed.Status == 0:
		failed.Problem = fmt.Sprintf("no server answers at %s: %v. Check the host, the port and that the server runs", c.BaseURL, failed.Err)
	}
	return err
}

func (c *Client) notAssigned(p *Person) error {
	return fmt.Errorf("%s was never assigned: %s has no id to write to", p.UserName, c.dialect.name)
}
