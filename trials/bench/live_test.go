//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"outpost/internal/testkit"
)

const (
	liveViews  = 200
	liveTime   = 20 * time.Second
	livePeople = 200 // a second
)

// TestBenchLive measures what live views cost the API during a bulk run: the same run without and with 200 of them.
func TestBenchLive(t *testing.T) {
	g := newGround(t)
	p := g.install("outpost_live", 3)
	api := p.start("api")
	p.start("scheduler")
	p.start("worker")
	var alone, watched []float64
	for round := range 2 {
		alone = append(alone, liveRound(t, p, api, fmt.Sprintf("Alone %d", round), 0))
		watched = append(watched, liveRound(t, p, api, fmt.Sprintf("Watched %d", round), liveViews))
	}
	cost := median(watched) - median(alone)
	fmt.Printf("\n%d people a second for %v. The API takes %.3f of a core alone, %.3f with %d live views: they cost %.3f of a core (at most 0.100).\n\n",
		livePeople, liveTime, median(alone), median(watched), liveViews, cost)
}

// liveRound assigns people at a steady pace, with views open, and tells how much of a core the API took.
func liveRound(t *testing.T, p *product, api *testkit.Process, name string, views int) float64 {
	t.Helper()
	var workspace struct {
		Slug   string
		SignIn string `json:"sign_in_url"`
	}
	p.runJSON(&workspace, "workspace", "create", "--name", name, "--owner", "owner@bench.test", "--plan", "enterprise")
	var connection struct {
		ID    string
		Base  string `json:"scim_base_url"`
		Token string `json:"bearer_token"`
	}
	p.runJSON(&connection, "connection", "create", "--workspace", workspace.Slug, "--provider", "okta")
	c, err := newClient(outpostName, connection.Base, connection.Token)
	must(t, err)
	all := people(name, 30+livePeople*int(liveTime/time.Second))
	must(t, c.createAll(all[:30]))
	var run string
	testkit.Eventually(t, 30*time.Second, "the run has begun", func() bool {
		run = query[string](t, p.db, "SELECT coalesce(max(id::text), '') FROM runs WHERE connection_id = $1", connection.ID)
		return run != ""
	})

	jar, err := cookiejar.New(nil)
	must(t, err)
	browser := &http.Client{Jar: jar, Transport: &http.Transport{MaxConnsPerHost: 0}}
	r, err := http.NewRequest("POST", workspace.SignIn, nil)
	must(t, err)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	got, err := browser.Do(r)
	must(t, err)
	got.Body.Close()
	var open sync.WaitGroup
	var received atomic.Int64
	done := make(chan struct{})
	for i := range views {
		path := "/runs/" + run + "/live"
		if i%4 == 3 {
			path = "/settings/security/directory-sync/" + connection.ID + "/live"
		}
		view, err := browser.Get(p.base + path)
		must(t, err)
		if view.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", path, view.StatusCode)
		}
		open.Go(func() {
			n, _ := io.Copy(io.Discard, view.Body) // until it is closed below
			received.Add(n)
		})
		go func() { <-done; view.Body.Close() }()
	}

	before, began := processTime(t, api), time.Now()
	tick := time.NewTicker(time.Second / livePeople)
	defer tick.Stop()
	_, err = c.each(1, len(all)-30, func(k *conn, i int) error {
		<-tick.C
		return create(k, &all[30+i], 30+i)
	})
	must(t, err)
	share := (processTime(t, api) - before).Seconds() / time.Since(began).Seconds()
	close(done)
	open.Wait()
	t.Logf("%s: %.3f of a core over %v, %d bytes to the views", name, share, time.Since(began).Round(time.Second), received.Load())
	if views > 0 && received.Load() < int64(views)*1000 {
		t.Errorf("%d views received %d bytes in all", views, received.Load())
	}
	return share
}

// processTime is the processor time that a process has taken.
func processTime(t *testing.T, process *testkit.Process) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process.Pid()))
	must(t, err)
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	fields := bytes.Fields(rest)
	var sum int
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.Atoi(string(field))
		must(t, err)
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond
}
