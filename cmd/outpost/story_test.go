package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	gosmtp "github.com/emersion/go-smtp"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
)

// TestAnAdminConnectsOktaAndWatchesAllThatFollows is the product's own story, in a real browser: from the printed link to
// a working connection, a bulk assignment watched to its end, and everything an admin decides afterwards.
func TestAnAdminConnectsOktaAndWatchesAllThatFollows(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		story(t, newShell(t))
	})
	t.Run("Postgres and Redis", func(t *testing.T) {
		t.Parallel()
		story(t, newShell(t, "DATABASE_URL="+fixture.Postgres(t), "REDIS_URL="+testkit.NewRedis(t).URL()))
	})
}

func story(t *testing.T, s shell) {
	var refuse atomic.Bool
	refuse.Store(true)
	sink := testkit.NewSMTP(t)
	sink.Reject(func(to string) *gosmtp.SMTPError {
		if refuse.Load() && to == "mara@acme.test" {
			return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
		}
		return nil
	})
	s = s.with("SMTP_URL="+sink.URL(), "INVITATION_HOLD=1s")
	d := s.start("dev", "--listen", "127.0.0.1:0")
	d.banner()
	acme := s.json("workspace", "create", "--name", "Acme", "--owner", "ines@acme.test", "--plan", "enterprise")
	b := testkit.Browser(t).Within(patient)

	// From the printed link to the two values.
	b.Open(acme["sign_in_url"].(string))
	b.Click("main button")
	b.WaitText("h1", "Security")
	b.Click("main a.btn-primary")
	b.WaitText("dialog h2", "Configure Directory Sync")
	b.Click("dialog button[type=submit]")
	b.WaitText("dialog h2", "Connect Okta")
	var url, token string
	b.Eval("document.getElementById('url').value", &url)
	b.Eval("document.getElementById('token').value", &token)
	b.WaitText("#live-check", "Waiting for Okta’s first request")

	// Okta calls with a wrong token, with the right one at a wrong address, and then as it should.
	ask := func(url, token string) int {
		status, _ := get(t, url, "Authorization", "Bearer "+token)
		return status
	}
	if status := ask(url+"/Users?startIndex=1&count=2", token[:len(token)-4]+"k2Pa"); status != http.StatusUnauthorized {
		t.Fatalf("a wrong token: %d", status)
	}
	b.WaitText("#live-check", "with the wrong token")
	b.WaitText("#live-check", "k2Pa")
	ask(strings.TrimSuffix(url, url[len(url)-36:])+"Users", token)
	b.WaitText("#live-check", "at an address that is none")
	if status := ask(url+"/Users?startIndex=1&count=2", token); status != http.StatusOK {
		t.Fatalf("the right token: %d", status)
	}
	b.WaitText("#live-check", "Okta is connected")
	if b.Has(".check-wait") || b.Has(".check-bad") {
		t.Error("the check is not green")
	}

	// 500 people are assigned, the first 30 of them a little earlier, and watched.
	base := strings.Split(url, "/scim/")[0]
	simulate := []string{"simulate", "okta", "--url", url, "--token", token, "--group", "Engineering", "--users"}
	s.ok(append(simulate, "30")...)
	testkit.Eventually(t, patient, "the run is listed", func() bool {
		b.Open(base + "/runs")
		return b.Has("tbody .main a")
	})
	b.Click("tbody .main a")
	b.WaitText("h1", "Assignment of")
	assigned := make(chan string, 1)
	go func() {
		stdout, stderr, status := s.run(append(simulate, "500")...)
		assigned <- fmt.Sprintf("%d %s %s", status, stdout, stderr)
	}()
	b.Eval("window.stillHere = true", nil) // a reload would forget it
	steps := map[string]bool{}
	testkit.Eventually(t, patient, "the run is at 500 of 500", func() bool {
		var now string
		b.Eval("document.querySelector('[role=progressbar]').getAttribute('aria-valuenow') + ' % of ' + document.querySelector('#progress .stat dd').textContent", &now)
		steps[now] = true
		return now == "100 % of 500"
	})
	var still bool
	if b.Eval("window.stillHere === true", &still); !still {
		t.Error("the page was loaded anew while it was watched")
	}
	if len(steps) < 3 {
		t.Errorf("the bar moved over %v", steps)
	}
	if out := <-assigned; !strings.HasPrefix(out, "0 ") {
		t.Fatalf("simulate: %s", out)
	}
	s.synced("acme")
	b.WaitText("#progress", "500")
}
