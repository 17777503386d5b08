package leaving

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/api"
	"outpost/dashboard"
	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/jobs"
	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/sso"
	"outpost/store"
	"outpost/worker"
	"outpost/workspace"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// rounds is LEAVING_ROUNDS, or how many a short run takes.
func rounds(t *testing.T, short int) int {
	t.Helper()
	asked := os.Getenv("LEAVING_ROUNDS")
	if asked == "" {
		return short
	}
	n, err := strconv.Atoi(asked)
	if err != nil || n < 1 {
		t.Fatalf("LEAVING_ROUNDS=%q is not a number of rounds", asked)
	}
	return n
}

// databases are those that a trial runs on.
var databases = []struct {
	name   string
	driver string
	open   func(testing.TB) string
}{{"sqlite", "sqlite", fixture.SQLite}, {"postgres", "pgx", fixture.Postgres}}

// site is an installation: the API and the dashboard behind one address, as the api role serves them, and its workers.
type site struct {
	*fixture.World
	url         string
	db          *sql.DB // to look, without the product
	databaseURL string
	redis       *testkit.RedisServer
	box         *mail.Mailbox
	stopWorkers func()
	idp         *testkit.IdP

	mu       sync.Mutex
	arrived  map[string]time.Time // by the X-Trial header of a request
	referers []string
}

// newSite serves a new installation with Redis and a worker of every class. Its log goes to log.
func newSite(t *testing.T, driver, databaseURL string, log *slog.Logger) *site {
	t.Helper()
	s := &site{redis: testkit.NewRedis(t), databaseURL: databaseURL, arrived: map[string]time.Time{}}
	queue, err := jobs.Connect(s.redis.URL())
	must(t, err)
	t.Cleanup(func() { queue.Close() })
	w := fixture.New(t, databaseURL, queue)
	s.World = w
	w.Background(func(ctx context.Context) { queue.Watch(ctx, log) })
	testkit.Eventually(t, 10*time.Second, "Redis answers", func() bool { return queue.Away() == 0 })
	// The fixture's parts have a clock that stands still, and no log.
	const secret = "another secret of thirty-two bytes"
	key, err := workspace.InvitationKey(secret)
	must(t, err)
	w.Log, w.Outbox = log, outbox.New(w.Store, queue, log)
	w.Directory = directory.New(w.Store, w.Outbox, log, time.Now)
	w.Converge = workspace.New(workspace.Invitations{Key: key, Life: workspace.DefaultLife}, time.Now)
	w.Gate, err = sso.New(w.Store, secret, time.Now)
	must(t, err)
	w.Hands = workspace.NewHands(w.Store, w.Outbox, w.Converge)
	w.Background(w.Outbox.Run)
	w.Background(w.Directory.Run)
	s.db, err = sql.Open(driver, strings.TrimPrefix(databaseURL, "sqlite:"))
	must(t, err)
	t.Cleanup(func() { s.db.Close() })
	s.box, err = mail.OpenMailbox("")
	must(t, err)
	s.stopWorkers = w.Serve(w.Worker(func(c *worker.Config) { c.Sender, c.Queue, c.Now = s.box, queue, time.Now }), fixture.Everything())

	server, done := httptest.NewUnstartedServer(nil), make(chan struct{})
	s.url = "http://" + server.Listener.Addr().String()
	watch := outbox.NewWatch(w.Store, queue, log, time.Now)
	w.Background(watch.Run)
	proxies := []string{"127.0.0.1"} // each client says that it comes from a place of its own
	pages, err := dashboard.New(dashboard.Config{
		Store: w.Store, Outbox: w.Outbox, Directory: w.Directory, Hands: w.Hands, Gate: w.Gate, Queue: queue, Watch: watch,
		PublicURL: s.url, MailFrom: "outpost@example.com", TrustedProxies: proxies, Version: "trial", Log: log, Now: time.Now, Done: done,
	})
	must(t, err)
	handler, err := api.New(api.Config{Directory: w.Directory, Store: w.Store, PublicURL: s.url, TrustedProxies: proxies, Log: log, Web: pages})
	must(t, err)
	server.Config.Handler = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		s.note(r)
		handler.ServeHTTP(out, r)
	})
	server.Start()
	t.Cleanup(func() {
		close(done)
		server.Close()
	})
	s.idp = testkit.NewIdP(t, time.Now)
	provider, err := sso.ReadMetadata(s.idp.Metadata())
	must(t, err)
	_, err = s.Gate.Configure(t.Context(), sso.By{WorkspaceID: s.Workspace.ID, Actor: "test"}, s.Connection, provider)
	must(t, err)
	metadata, err := s.browse("GET", "/saml/"+s.Connection.ID+"/metadata", nil, "")
	must(t, err)
	s.idp.Trust([]byte(metadata.body))
	return s
}

// note keeps when a marked request arrived, and every Referer.
func (s *site) note(r *http.Request) {
	mark, referer := r.Header.Get("X-Trial"), r.Header.Get("Referer")
	if mark == "" && referer == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if mark != "" {
		s.arrived[mark] = time.Now()
	}
	if referer != "" {
		s.referers = append(s.referers, referer)
	}
}

func (s *site) arrival(mark string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived[mark]
}

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	body    string
	sent    time.Time
	arrived time.Time // the first byte of the answer
}

// session is the value of the session cookie that the answer sets, "" for none.
func (a answer) session() string { return a.cookie("outpost-session") }

func (a answer) cookie(name string) string {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name && c.MaxAge >= 0 {
			return c.Value
		}
	}
	return ""
}

// client never follows and keeps no cookies: each request says itself what it brings.
var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 200, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       60 * time.Second,
}

// request makes a request of a browser with cookies, name=value.
func (s *site) request(ctx context.Context, method, path string, form url.Values, cookies ...string) (*http.Request, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Forwarded-For", somewhere()) // no limit of a network helps here
	if method != http.MethodGet && method != http.MethodHead {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if len(cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	return r, nil
}

// somewhere is a place that nobody has asked from yet.
func somewhere() string { return fmt.Sprintf("10.%d.%d.%d", rand.N(256), rand.N(256), rand.N(256)) }

func send(r *http.Request) (answer, error) {
	a := answer{sent: time.Now()}
	got, err := client.Do(r)
	if err != nil {
		return a, err
	}
	a.arrived = time.Now()
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	a.status, a.header, a.body = got.StatusCode, got.Header, string(b)
	return a, err
}

// browse makes a request of a browser with a session; "" for none.
func (s *site) browse(method, path string, form url.Values, session string) (answer, error) {
	var cookies []string
	if session != "" {
		cookies = append(cookies, "outpost-session="+session)
	}
	r, err := s.request(context.Background(), method, path, form, cookies...)
	if err != nil {
		return answer{}, err
	}
	return send(r)
}

// scim makes a request of the provider.
func (s *site) scim(method, path, body, mark string) answer {
	s.T.Helper()
	r, err := http.NewRequest(method, s.url+"/scim/v2/"+s.Connection.ID+path, bytes.NewReader([]byte(body)))
	if err != nil {
		s.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	r.Header.Set("Content-Type", "application/scim+json")
	r.Header.Set("X-Trial", mark)
	a, err := send(r)
	if err != nil {
		s.T.Fatal(err)
	}
	return a
}

// provision creates a person as Okta does.
func (s *site) provision(name string) (userID string) {
	s.T.Helper()
	a := s.scim("POST", "/Users", person(name, true), "")
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &made); err != nil || a.status != http.StatusCreated {
		s.T.Fatalf("create %s: %d %s", name, a.status, a.body)
	}
	return made.ID
}

// person is a SCIM user as Okta sends one.
func person(name string, active bool) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%[1]s@acme.test","name":{"givenName":"%[1]s","familyName":"Test"},
		"emails":[{"primary":true,"value":"%[1]s@acme.test","type":"work"}],"displayName":"%[1]s Test","locale":"en-US","externalId":"00u-%[1]s","groups":[],"active":%[2]t}`, name, active)
}

// join lets a person who was invited come in, and gives them a role.
func (s *site) join(name string, role models.Role) models.Member {
	s.T.Helper()
	row, ok := s.Member(name + "@acme.test")
	if !ok {
		s.T.Fatalf("no member %s", name)
	}
	m, now := row.Member, time.Now()
	m.Status, m.AcceptedAt, m.Role, m.HandRole = models.MemberActive, &now, role, role
	s.write(func(tx *store.Tx) error { return tx.SaveMember(m) })
	return m
}

func (s *site) write(change func(tx *store.Tx) error) {
	s.T.Helper()
	if err := s.Store.Write(context.Background(), change); err != nil {
		s.T.Fatal(err)
	}
}

// links makes sign-in links of a member that any browser may use, and gives their tokens.
func (s *site) links(m models.Member, n int) []string {
	s.T.Helper()
	tokens := make([]string, n)
	s.write(func(tx *store.Tx) error {
		for i := range tokens {
			var l models.SignInLink
			l, tokens[i] = sso.PrintedLink(m, time.Now())
			l.CreatedAt = l.CreatedAt.Add(-sso.LinkLife) // so that they are not among the few that may be asked for
			tx.Add(&l)
		}
		return nil
	})
	return tokens
}

// signIn begins a session of a member.
func (s *site) signIn(m models.Member) (session string) {
	s.T.Helper()
	a, err := s.browse("POST", "/signin/"+s.links(m, 1)[0], nil, "")
	if err != nil || a.session() == "" {
		s.T.Fatalf("sign in as %s: %d %v %s", m.Email, a.status, err, a.body)
	}
	return a.session()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
