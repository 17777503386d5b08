package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/models"
	"outpost/scim"
)

func TestAConnectionThatSendsTooMuchAtOnceIsTurnedAwayAlone(t *testing.T) {
	k := onSQLite(t, Config{Limits: Limits{Running: 2, Waiting: 1}})
	_, other := k.newConnection("Ternharbour")
	// A body that does not end keeps a request running.
	var done sync.WaitGroup
	hold := func(name string) (release func()) {
		body, w := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), "POST", k.base+"/Users", body)
		k.must(err)
		req.Header.Set("Authorization", k.token)
		done.Go(func() {
			if res, err := k.server.Client().Do(req); err != nil || res.StatusCode != 201 {
				t.Errorf("%s: %v %v", name, res, err)
			}
		})
		return func() {
			fmt.Fprint(w, userBody(name))
			w.Close()
		}
	}
	releases := []func(){hold("ada"), hold("ben"), hold("cy")} // the third waits
	testkit.Eventually(t, 10*time.Second, "the connection is full", func() bool { return k.api.gates.here(k.issued.Connection.ID) == 3 })
	a := k.send("POST", "/Users", userBody("dee")).fails(429, "", "Retry-After")
	if a.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	k.send("POST", "/Users", userBody("dee")).is(429)
	k.send("GET", "/Users", "", "Authorization", "Bearer x").is(401)
	own := k.base
	k.base = strings.Replace(own, k.issued.Connection.ID, other.Connection.ID, 1)
	k.send("GET", "/Users", "", "Authorization", other.Token).is(200)
	k.base = own

	for _, release := range releases {
		release()
	}
	done.Wait()
	k.send("POST", "/Users", userBody("dee")).is(201)
	recorded := 0
	for _, e := range k.audit() {
		if e.Status == 429 {
			recorded++
		}
	}
	if recorded != 1 {
		t.Errorf("%d refusals within a second are in the audit", recorded)
	}
}

func TestGatesLetSoManyInAndForgetWhoLeft(t *testing.T) {
	t.Parallel()
	g := gates{running: 1, waiting: 1, open: map[string]*gate{}}
	leave, err := g.enter(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() {
		_, err := g.enter(ended, "a")
		waited <- err
	}()
	testkit.Eventually(t, 10*time.Second, "somebody waits", func() bool { return g.here("a") == 2 })
	if _, err := g.enter(t.Context(), "a"); err != tooMany {
		t.Errorf("the third: %v", err)
	}
	elsewhere, err := g.enter(t.Context(), "b")
	if err != nil {
		t.Errorf("another connection: %v", err)
	}
	cancel()
	if err := <-waited; !models.Is(err, models.Unavailable) {
		t.Errorf("who gave up: %v", err)
	}
	leave()
	elsewhere()
	if len(g.open) != 0 {
		t.Errorf("%d gates stay", len(g.open))
	}
}

func TestQueryParametersAreReadAsSent(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]scim.Search{
		"":                                  {},
		"filter=a%20b&startIndex=1&count=2": {Filter: "a b", StartIndex: "1", Count: "2", Filtered: true},
		"COUNT=3&x=%zz&%zz=1&aadOptscim062020&=&&": {Count: "3"},
		"filter=a+b;c%3Bd%26":                      {Filter: "a b;c;d&", Filtered: true},
		"attributes=a,b&excludedAttributes=c":      {Attributes: "a,b", Excluded: "c"},
		"%66ilter=x":                               {Filter: "x", Filtered: true},
	} {
		if got, err := parseQuery(raw); err != nil || got != want {
			t.Errorf("%q: %+v %v, want %+v", raw, got, err, want)
		}
	}
	for _, raw := range []string{"filter=%zz", "filter=a&Filter=b", "count=1&count=2", "startIndex=%"} {
		if q, err := parseQuery(raw); err == nil {
			t.Errorf("%q: %+v", raw, q)
		}
	}
}

// here is how many requests of a connection run or wait.
func (g *gates) here(connectionID string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at := g.open[connectionID]; at != nil {
		return at.here
	}
	return 0
}
