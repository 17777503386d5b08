package leaving

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"outpost/models"
	"outpost/sso"
)

// leaver is somebody who is about to leave, and all that could let them in.
type leaver struct {
	name, userID string
	member       models.Member
	sessions     []string      // in three browsers
	asked        string        // the token of the link that they asked for and did not use
	browser      string        // the cookie of the browser that asked for it
	answer       *http.Request // of the identity provider, not yet brought
	bystander    string        // a member whom the leaver does something to

	mu          sync.Mutex
	early, late []string // tokens of links to be used before and after the end
	gained      []string // sessions that were begun meanwhile
	asks        int      // how many more links are asked for before the end: there is a limit
	end         time.Time
}

// ended is when the answer of the request that ends access was received; zero before that.
func (l *leaver) ended() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// link is the token of a link that nobody has used; once there is none, one that was used.
func (l *leaver) link() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := &l.early
	if !l.end.IsZero() {
		from = &l.late
	}
	token := (*from)[0]
	if len(*from) > 1 {
		*from = (*from)[1:]
	}
	return token
}

func (l *leaver) gain(session string) {
	if session == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gained = append(l.gained, session)
}

// mayAsk keeps some of the few links that may be asked for in a while for the time after the end.
func (l *leaver) mayAsk() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.end.IsZero() {
		return true
	}
	l.asks--
	return l.asks >= 0
}

// way is one way in, as the leaver, or whoever has what was theirs, tries it again and again.
type way struct {
	name    string
	clients int
	proof   bool // by a new proof of who it is: signing out everywhere leaves those good
	// try makes an attempt, and tells whether it got them in. own is the client's session, which it may replace.
	try func(s *site, l *leaver, own *string, turn int) (in bool, err error)
}

// ways are all of them. A new way into the product is a new line here.
var ways = []way{
	{"a page", 16, false, openPage},
	{"a live view", 6, false, openView},
	{"an act", 8, false, act},
	{"another workspace", 4, false, switchWorkspace},
	{"a sign-in link", 8, true, useLink},
	{"a new link", 3, true, askLink},
	{"single sign-on", 5, true, singleSignOn},
}

// openPage opens a page of the workspace.
func openPage(s *site, _ *leaver, own *string, turn int) (bool, error) {
	pages := []string{"/", "/people", "/groups", "/settings/members", "/activity", "/people.csv", "/find?q=bystander"}
	a, err := s.browse("GET", pages[turn%len(pages)], nil, *own)
	return a.status < 300 || a.status < 400 && !toSignIn(a), err
}

// toSignIn reports whether the answer leads to the sign-in page.
func toSignIn(a answer) bool {
	to := a.header.Get("Location")
	return to == "/signin" || strings.HasPrefix(to, "/signin?")
}

// openView opens a live view, and waits for the first thing it shows.
func openView(s *site, _ *leaver, own *string, _ int) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	v, err := s.view(ctx, *own)
	if err != nil {
		return false, err
	}
	defer v.Body.Close()
	name, err := nextEvent(bufio.NewReader(v.Body))
	return err == nil && name != "bye", nil // a view that ends without showing anything is none
}

// view opens the live view of the workspace's activity.
func (s *site) view(ctx context.Context, session string) (*http.Response, error) {
	r, err := s.request(ctx, "GET", "/activity/live", nil, "outpost-session="+session)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	return client.Do(r)
}

// nextEvent reads the name of the next event of a live view.
func nextEvent(b *bufio.Reader) (string, error) {
	for {
		line, err := b.ReadString('\n')
		if err != nil {
			return "", err
		}
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			return strings.TrimSpace(name), nil
		}
	}
}

// act does something to another member: it signs them out.
func act(s *site, l *leaver, own *string, _ int) (bool, error) {
	a, err := s.browse("POST", "/people/"+l.bystander+"/sign-out", url.Values{}, *own)
	return a.status < 400 && !toSignIn(a), err
}

// switchWorkspace goes to another workspace, this one: it ends the session and begins another with a new cookie.
func switchWorkspace(s *site, l *leaver, own *string, _ int) (bool, error) {
	a, err := s.browse("POST", "/workspace", url.Values{"workspace": {s.Workspace.ID}}, *own)
	if next := a.session(); next != "" {
		l.gain(next)
		*own = next
		return true, err
	}
	return false, err
}

// useLink uses up a link.
func useLink(s *site, l *leaver, _ *string, _ int) (bool, error) {
	a, err := s.browse("POST", "/signin/"+l.link(), url.Values{}, "")
	l.gain(a.session())
	return a.session() != "", err
}

// askLink asks for a link at a place of its own, and uses the one that was made for it, if it leads anywhere.
func askLink(s *site, l *leaver, _ *string, _ int) (bool, error) {
	if !l.mayAsk() { // another browser tries the one that was asked for already
		a, err := s.browse("POST", "/signin/"+l.asked, url.Values{"email": {"somebody@acme.test"}}, "")
		return a.session() != "", err
	}
	r, err := s.request(context.Background(), "POST", "/signin", url.Values{"email": {l.member.Email}})
	if err != nil {
		return false, err
	}
	a, err := send(r)
	browser := a.cookie("outpost-browser")
	if err != nil || browser == "" {
		return false, orError(err, a.status == http.StatusTooManyRequests, "ask for a link: %d", a.status)
	}
	token, err := s.linkOf(browser)
	if err != nil || token == "" {
		return false, err
	}
	in, err := s.enter(token, browser)
	l.gain(in)
	return in != "", err
}

func orError(err error, ok bool, format string, args ...any) error {
	if err == nil && !ok {
		return fmt.Errorf(format, args...)
	}
	return err
}

// linkOf is the token of the link that a browser asked for, "" for one that leads nowhere: what the mail would say.
func (s *site) linkOf(browser string) (token string, err error) {
	var id string
	var member *string
	err = s.db.QueryRow("SELECT id, member_id FROM sign_in_links WHERE browser_hash = $1", sso.Hash(browser)).Scan(&id, &member)
	if err != nil || member == nil {
		return "", err
	}
	return s.Gate.Token(id), nil
}

// enter uses a link in the browser that asked for it.
func (s *site) enter(token, browser string) (session string, err error) {
	r, err := s.request(context.Background(), "POST", "/signin/"+token, url.Values{}, "outpost-browser="+browser)
	if err != nil {
		return "", err
	}
	a, err := send(r)
	return a.session(), err
}

// singleSignOn goes to the identity provider, which knows nothing of what became of the leaver, and comes back.
func singleSignOn(s *site, l *leaver, _ *string, _ int) (bool, error) {
	r, err := s.answered(l)
	if err != nil {
		return false, err
	}
	a, err := send(r)
	l.gain(a.session())
	return a.session() != "", err
}

// answered is the request that brings the provider's answer about the leaver.
func (s *site) answered(l *leaver) (*http.Request, error) {
	a, err := s.browse("GET", "/saml/"+s.Connection.ID+"/login", nil, "")
	if err != nil || a.status != http.StatusSeeOther {
		return nil, orError(err, false, "begin single sign-on: %d", a.status)
	}
	acs, form := s.idp.Answer(a.header.Get("Location"), l.member.Email)
	var cookies []string
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	r, err := s.request(context.Background(), "POST", strings.TrimPrefix(acs, s.url), form, cookies...)
	if err == nil {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://idp.example")
	}
	return r, err
}
