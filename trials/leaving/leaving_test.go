package leaving

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/models"
)

// state is how the installation stands while people leave.
type state struct {
	name           string
	redis, workers bool
}

var states = []state{{"all well", true, true}, {"Redis stopped", false, true}, {"workers stopped", true, false}}

// departure is one way to end somebody's access.
type departure struct {
	name  string
	hand  bool // an owner does it, not the provider
	stays bool // only what they were signed in with ends
	end   func(s *site, l *leaver, mark string) (answer, error)
}

var departures = []departure{
	{"Okta PATCH", false, false, provider("PATCH", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`)},
	{"Okta PUT", false, false, func(s *site, l *leaver, mark string) (answer, error) {
		return s.scim("PUT", "/Users/"+l.userID, person(l.name, false), mark), nil
	}},
	{"Entra PATCH", false, false, provider("PATCH", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`)},
	{"DELETE", false, false, provider("DELETE", "")},
	{"by hand", true, false, byHand("deactivate")},
	{"signed out everywhere", true, true, byHand("sign-out")},
}

func provider(method, body string) func(*site, *leaver, string) (answer, error) {
	return func(s *site, l *leaver, mark string) (answer, error) {
		return s.scim(method, "/Users/"+l.userID, body, mark), nil
	}
}

func byHand(what string) func(*site, *leaver, string) (answer, error) {
	return func(s *site, l *leaver, mark string) (answer, error) {
		owner, err := s.Store.FirstOwner(context.Background(), s.Workspace.ID)
		if err != nil {
			return answer{}, err
		}
		r, err := s.request(context.Background(), "POST", "/people/"+l.member.ID+"/"+what, url.Values{}, "outpost-session="+s.signIn(owner))
		if err != nil {
			return answer{}, err
		}
		r.Header.Set("X-Trial", mark)
		return send(r)
	}
}

// attempt is one attempt of one client.
type attempt struct {
	way          *way
	begun, ended time.Time
	in           bool
}

// triesBefore is how many attempts each client makes before the request is sent, and triesAfter how many it begins after
// the answer. While the request runs there is no end to them.
const triesBefore, triesAfter = 3, 2

// TestALeaversAccessEndsInsideTheRequestThatSaysSo lets people leave while fifty clients try every way in.
func TestALeaversAccessEndsInsideTheRequestThatSaysSo(t *testing.T) {
	n := rounds(t, 1)
	for at, state := range states {
		t.Run(state.name, func(t *testing.T) {
			for i, database := range databases {
				t.Run(database.name, func(t *testing.T) {
					t.Parallel()
					s := newSite(t, database.driver, database.open(t), slog.New(slog.DiscardHandler))
					leavers := s.people(n)
					if !state.workers {
						s.stopWorkers()
					}
					if !state.redis {
						s.redis.Kill()
						testkit.Eventually(t, 20*time.Second, "Redis is missed", func() bool { return s.Queue.Away() > 0 })
					}
					f := newFigures()
					var views sync.WaitGroup
					for round, l := range leavers {
						s.round(t, f, &views, departures[(2*at+i+round)%len(departures)], l)
					}
					views.Wait()
					f.report(t, database.name+", "+state.name)
				})
			}
		})
	}
}

// people provisions those who will leave, and lets them join as admins.
func (s *site) people(n int) []*leaver {
	s.T.Helper()
	s.provision("bystander")
	leavers := make([]*leaver, n)
	for i := range leavers {
		l := &leaver{name: fmt.Sprintf("leaver%d", i), asks: 2}
		l.userID = s.provision(l.name)
		s.idp.Person(l.name + "@acme.test")
		leavers[i] = l
	}
	s.Settled(60 * time.Second)
	bystander := s.join("bystander", models.RoleMember)
	for _, l := range leavers {
		l.member, l.bystander = s.join(l.name, models.RoleAdmin), bystander.ID
	}
	return leavers
}

// settle gives a leaver what they have before they leave: three browsers, and a link that they asked for in a fourth.
func (s *site) settle(l *leaver) {
	s.T.Helper()
	for range 3 {
		l.sessions = append(l.sessions, s.signIn(l.member))
	}
	r, err := s.request(context.Background(), "POST", "/signin", url.Values{"email": {l.member.Email}})
	must(s.T, err)
	a, err := send(r)
	must(s.T, err)
	if l.browser = a.cookie("outpost-browser"); l.browser == "" {
		s.T.Fatalf("ask for a link: %d %s", a.status, a.body)
	}
	l.asked, err = s.linkOf(l.browser)
	must(s.T, err)
	l.answer, err = s.answered(l)
	must(s.T, err)
	l.early, l.late = s.links(l.member, 24), s.links(l.member, 8*triesAfter+8)
}

// round is one departure.
func (s *site) round(t *testing.T, f *figures, views *sync.WaitGroup, d departure, l *leaver) {
	t.Helper()
	s.settle(l)
	view := s.watch(t, f, views, l)

	trying, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	var mu sync.Mutex
	var attempts []attempt
	came, sent := make([]atomic.Int64, len(ways)), make(chan struct{})
	for i := range ways {
		w := &ways[i]
		for n := range w.clients {
			own := l.sessions[n%len(l.sessions)]
			if w.name == "another workspace" {
				own = s.signIn(l.member)
			}
			clients.Go(func() {
				for turn, after := n, 0; after < triesAfter && trying.Err() == nil; turn++ {
					if turn-n == triesBefore { // and from then on without a pause
						select {
						case <-sent:
						case <-trying.Done():
							return
						}
					}
					if !l.ended().IsZero() {
						after++
					}
					a := attempt{way: w, begun: time.Now()}
					var err error
					a.in, err = w.try(s, l, &own, turn)
					a.ended = time.Now()
					if err != nil {
						t.Errorf("%s: %v", w.name, err)
						return
					}
					if a.in {
						came[i].Add(1)
					}
					mu.Lock()
					attempts = append(attempts, a)
					mu.Unlock()
				}
			})
		}
	}
	for i := range came {
		testkit.Eventually(t, 30*time.Second, ways[i].name+" leads in", func() bool { return came[i].Load() > 0 })
	}
	close(sent)
	mark := l.member.ID
	a, err := d.end(s, l, mark)
	must(t, err)
	l.mu.Lock()
	l.end = a.arrived
	l.mu.Unlock()
	if a.status >= 400 || toSignIn(a) {
		t.Errorf("%s: %d %s", d.name, a.status, a.body)
	}
	clients.Wait()
	view.ended <- a.arrived

	last := f.count(t, d, a, attempts)
	s.nothingIsLeft(t, d, l)
	if !d.hand {
		s.checkClock(t, f, d, l, a, s.arrival(mark), last)
	}
}

// nothingIsLeft tries, once all is quiet, whatever the leaver has.
func (s *site) nothingIsLeft(t *testing.T, d departure, l *leaver) {
	t.Helper()
	for _, session := range append(l.sessions, l.gained...) {
		if a, err := s.browse("GET", "/people", nil, session); err != nil || a.status != http.StatusSeeOther || !toSignIn(a) {
			if !d.stays { // after signing out everywhere they may have signed in again
				t.Errorf("%s: a session lives: %d %v", d.name, a.status, err)
			}
		}
	}
	if d.stays {
		for _, session := range l.sessions {
			if a, err := s.browse("GET", "/people", nil, session); err != nil || a.status != http.StatusSeeOther {
				t.Errorf("%s: a session lives: %d %v", d.name, a.status, err)
			}
		}
		return
	}
	if in, err := s.enter(l.asked, l.browser); err != nil || in != "" {
		t.Errorf("%s: the link that they asked for leads in: %v", d.name, err)
	}
	if a, err := send(l.answer); err != nil || a.session() != "" {
		t.Errorf("%s: an answer of the identity provider from before leads in: %d %v", d.name, a.status, err)
	}
	for _, token := range l.late {
		if a, err := s.browse("POST", "/signin/"+token, url.Values{}, ""); err != nil || a.session() != "" || a.status < 400 {
			t.Errorf("%s: a link leads in: %d %v", d.name, a.status, err)
		}
	}
}

// watching is a live view that is open when its viewer leaves.
type watching struct{ ended chan time.Time }

// watch opens the view, and judges it once it has ended.
func (s *site) watch(t *testing.T, f *figures, views *sync.WaitGroup, l *leaver) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	got, err := s.view(ctx, l.sessions[0])
	must(t, err)
	b := bufio.NewReader(got.Body)
	if name, err := nextEvent(b); err != nil || name == "bye" {
		t.Fatalf("the view shows nothing: %q %v", name, err)
	}
	w := &watching{make(chan time.Time, 1)}
	views.Go(func() {
		defer cancel()
		defer got.Body.Close()
		timer := time.AfterFunc(60*time.Second, cancel)
		defer timer.Stop()
		var shown time.Time // the last thing
		var err error
		for err == nil {
			var name string
			if name, err = nextEvent(b); err == nil && name != "bye" {
				shown = time.Now()
			}
		}
		closed := time.Now()
		if err != io.EOF {
			t.Errorf("the view ended by itself: %v", err)
		}
		ended := <-w.ended
		f.view(t, closed.Sub(ended), shown.Sub(ended))
	})
	return w
}
