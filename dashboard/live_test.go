package dashboard_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"outpost/dashboard"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
)

// TestALiveViewSaysThatItHasLostTheServerAndComesBack cuts a live page off for a while.
func TestALiveViewSaysThatItHasLostTheServerAndComesBack(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	address := httptest.NewUnstartedServer(nil).Listener // an address that is ours
	base := "http://" + address.Addr().String()
	_ = address.Close()
	serveAgain := func() (stop func()) {
		s := serve(t, w, func(c *dashboard.Config) { c.PublicURL = base })
		var l net.Listener
		testkit.Eventually(t, 10*time.Second, "the address is free", func() (ok bool) {
			var err error
			l, err = net.Listen("tcp", strings.TrimPrefix(base, "http://"))
			return err == nil
		})
		server := &http.Server{Handler: s.handler, ReadHeaderTimeout: time.Second}
		go func() { _ = server.Serve(l) }() // until it is closed
		return func() { _ = server.Close() }
	}
	stop := serveAgain()
	s := &site{World: w, URL: base}
	p := s.browse(t, s.owner(t)).Within(30 * time.Second)
	p.Allow("ERR_|Event|SSE")
	p.Open(base + "/settings/security/directory-sync/" + w.Connection.ID)
	p.WaitText("#live-state", "Live")
	p.WaitText(".verdict", "Waiting for Okta’s first request")
	p.Eval("window.stillHere = true", nil)
	stop()
	p.WaitText("#live-state", "Reconnecting, as of ")
	p.Wait(".is-stale")
	w.Knock(w.Token) // Okta calls meanwhile
	w.Directory.Flush(t.Context())
	defer serveAgain()()
	p.WaitText("#live-state", "Live")
	p.WaitText(".verdict", "Okta last called")
	p.WaitGone(".is-stale")
	var still bool
	if p.Eval("window.stillHere === true", &still); !still {
		t.Error("the page was loaded anew")
	}
}

// TestManyViewersAreOneReader watches the same thing from many places: its state is read once for all.
func TestManyViewersAreOneReader(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	v := s.signIn(t, s.owner(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var views atomic.Int64
	for range 50 {
		r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/settings/security/directory-sync/"+w.Connection.ID+"/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer got.Body.Close()
			b := make([]byte, 64<<10)
			for seen := ""; !strings.Contains(seen, "event: verdict"); {
				n, err := got.Body.Read(b)
				if err != nil {
					return
				}
				seen += string(b[:n])
			}
			views.Add(1)
			<-ctx.Done()
		}()
	}
	testkit.Eventually(t, 20*time.Second, "every viewer has the whole state", func() bool { return views.Load() == 50 })
	if n := dashboard.Topics(s.handler); n != 1 {
		t.Errorf("%d topics are read for one thing", n)
	}
	cancel()
	testkit.Eventually(t, 20*time.Second, "nobody reads for nobody", func() bool { return dashboard.Topics(s.handler) == 0 })
}

// TestTheFirstLoadIsSmall sums what a browser fetches for a first page, as it travels.
func TestTheFirstLoadIsSmall(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	full(t, w)
	s := serve(t, w, func(c *dashboard.Config) { c.OwnersOperate = true })
	v := s.signIn(t, s.owner(t))
	packed := func(path string) int {
		a := v.do("GET", path, nil, func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") })
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d", path, a.status)
		}
		return len(a.body)
	}
	for _, path := range []string{"/settings/security", "/activity", "/settings/members"} {
		total := packed(path)
		for _, link := range regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(v.get(path).body, -1) {
			total += packed(link[1])
		}
		if total > 150<<10 {
			t.Errorf("%s takes %d bytes", path, total)
		}
		t.Logf("%s: %d bytes", path, total)
	}
}

// TestAFaultOfOursSaysWhatToDoAndIsLogged meets a database that is away.
func TestAFaultOfOursSaysWhatToDoAndIsLogged(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	v := s.signIn(t, s.owner(t))
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	a := v.get("/settings/security")
	if a.status < 500 || !a.has("Nothing was lost") || !a.has("Request id") || !a.has("Try again") || strings.Contains(a.body, "sql") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestAsynqmonRunsUnderItsOwnPolicy opens it in a browser: what the policy blocks would be reported.
func TestAsynqmonRunsUnderItsOwnPolicy(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, _ *testkit.RedisServer) {
		s := serve(t, w, func(c *dashboard.Config) { c.OwnersOperate = true })
		w.Mailbox(nil)
		w.Background(w.Outbox.Run)
		w.User("ada")
		w.Settled(patience)
		p := s.browse(t, s.owner(t))
		p.Open(s.URL + "/operator/queues")
		p.WaitText(".verdict", "Keeping up")
		p.WaitText("table", "provision")
		p.Open(s.URL + "/monitoring/")
		p.WaitText("#root", "Tasks Processed")
		p.WaitText("#root", "provision")
	})
}

// TestALiveViewOutlivesTheTimeoutsOfTheServer looks at one for longer than a request may be read or written.
func TestALiveViewOutlivesTheTimeoutsOfTheServer(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	v := s.signIn(t, s.owner(t))
	server := httptest.NewUnstartedServer(s.handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 500*time.Millisecond, 500*time.Millisecond
	server.Start()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/settings/security/directory-sync/"+w.Connection.ID+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.http.Jar.Cookies(mustParse(t, s.URL)) {
		r.AddCookie(c)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if _, err := io.Copy(io.Discard, got.Body); !errors.Is(err, context.DeadlineExceeded) || got.StatusCode != http.StatusOK {
		t.Errorf("%d: the view ended by itself: %v", got.StatusCode, err)
	}
}
