package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
	b := testkit.Browser(t).Within(30 * time.Second)

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
	s.simulate(append(simulate, "30")...)
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

	// A mail is refused; the mailbox is made, and the failure retried.
	mara := assign(t, url, token, "mara@acme.test", "mara@acme.test")
	testkit.Eventually(t, patient, "the mail is refused", func() bool {
		b.Open(base + "/activity/failures")
		return b.Has(".cause")
	})
	b.WaitText(".cause", "The mail server refused the address")
	b.WaitText(".cause", "no such mailbox here")
	refuse.Store(false)
	b.Click(".cause button")
	b.WaitText("#toasts", "tried again")
	s.synced("acme")
	b.Open(base + "/activity/failures")
	b.WaitText("h2", "Nothing has failed")
	if n := len(sink.Messages()); n != 501 {
		t.Errorf("%d mails for 501 people", n)
	}

	// Okta removes the only owner: it is held, and discarded.
	ines := assign(t, url, token, "ines@acme.test", "ines@acme.test")
	s.synced("acme")
	patchUser(t, url, token, ines, `{"active":false}`)
	b.Open(base + "/people")
	b.WaitText(".banner-held", "1 change waits for a decision")
	b.Click(".banner-held a")
	b.WaitText("h2", "The last owner: 1 removal")
	b.Click("button[value=approve]")
	b.WaitText("[role=alert]", "make somebody else an owner first")
	b.Click("button[value=discard]")
	b.WaitText("#toasts", "kept")
	b.WaitText("h2", "Nothing waits for you")
	s.synced("acme")

	// Somebody who joined by hand is found by another address: it is held, and approved.
	b.Open(base + "/settings/members")
	b.Fill("#i-mail", "wren@acme.test")
	b.Fill("#i-name", "Wren Castell")
	b.Click("main form button[type=submit]")
	b.WaitText("h1", "Wren Castell")
	testkit.Eventually(t, patient, "Okta finds who was invited by hand", func() bool {
		_, body := get(t, url+"/Users?filter=userName%20eq%20%22wren@acme.test%22", "Authorization", "Bearer "+token)
		return strings.Contains(body, `"totalResults":1`)
	})
	assign(t, url, token, "wren@acme.test", "wren.castell@acme.test")
	b.Open(base + "/activity/held")
	b.WaitText("h2", "A first contact with another address")
	b.Click("button[value=approve]")
	b.WaitText("#toasts", "new address")
	s.synced("acme")

	// The token is rotated, and no request fails meanwhile.
	stop, asked := make(chan struct{}), make(chan [2]int, 1)
	var current atomic.Pointer[string]
	current.Store(&token)
	go func() {
		n := [2]int{}
		for {
			select {
			case <-stop:
				asked <- n
				return
			default:
				r, err := http.NewRequest("GET", url+"/Users?startIndex=1&count=1", nil)
				if err == nil {
					r.Header.Set("Authorization", "Bearer "+*current.Load())
					var got *http.Response
					if got, err = http.DefaultClient.Do(r); err == nil {
						got.Body.Close()
						if got.StatusCode != http.StatusOK {
							n[1]++
						}
					}
				}
				if err != nil {
					n[1]++
				}
				n[0]++
			}
		}
	}()
	b.Open(base + "/settings/security/directory-sync/" + url[len(url)-36:])
	b.Click("#tokens .card-head button")
	b.Wait("#token")
	var fresh string
	b.Eval("document.getElementById('token').value", &fresh)
	if fresh == token || !strings.HasPrefix(fresh, "outp_scim_") {
		t.Fatalf("the new token is %q", fresh)
	}
	b.WaitText("#tokens", "still uses the old token")
	current.Store(&fresh)
	testkit.Eventually(t, patient, "the page sees the new token used", func() bool {
		b.Open(base + "/settings/security/directory-sync/" + url[len(url)-36:])
		return strings.Contains(b.Text("#tokens"), "You can end the old one safely")
	})
	if strings.Contains(b.Text("main"), fresh) {
		t.Error("the token shows a second time")
	}
	b.Click("#tokens tbody tr:nth-child(2) button")
	b.WaitText("#toasts", "The token has ended")
	if status := ask(url+"/Users?startIndex=1&count=2", token); status != http.StatusUnauthorized {
		t.Errorf("the ended token: %d", status)
	}
	close(stop)
	if n := <-asked; n[0] < 20 || n[1] > 0 {
		t.Errorf("%d of %d requests failed while the token was rotated", n[1], n[0])
	}

	// Mara leaves, and her page tells the story.
	patchUser(t, url, fresh, mara, `{"title":"Staff engineer"}`)
	s.synced("acme")
	patchUser(t, url, fresh, mara, `{"active":false}`)
	s.synced("acme")
	b.Open(base + "/people?q=mara%40")
	b.Click("tbody .main a")
	b.WaitText("h1", "mara Keller")
	page := b.URL()
	testkit.Eventually(t, patient, "the time it took is written down", func() bool {
		b.Open(page)
		return strings.Contains(b.Text("main"), "after Okta asked")
	})
	for _, part := range []string{"Deactivated", "after Okta asked", "Okta created", "title", "Staff engineer", "user.deactivate", "invitation.email"} {
		b.WaitText("main", part)
	}
	b.Accessible()
}

// scim sends a request as Okta does and returns the id of the resource in the answer.
func scimRequest(t *testing.T, method, url, token, body string) (status int, id string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/scim+json")
	r.Header.Set("User-Agent", "Okta SCIM Client 1.0.0")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	var resource struct{ ID string }
	if err := json.NewDecoder(got.Body).Decode(&resource); err != nil && got.StatusCode < 300 && method != http.MethodDelete {
		t.Fatalf("%s %s: %d %v", method, url, got.StatusCode, err)
	}
	return got.StatusCode, resource.ID
}

// assign makes a person as Okta does.
func assign(t *testing.T, url, token, userName, email string) (id string) {
	t.Helper()
	name, _, _ := strings.Cut(email, "@")
	status, id := scimRequest(t, "POST", url+"/Users", token, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"name":{"givenName":%q,"familyName":"Keller"},"displayName":"%s Keller","externalId":"00u-%s","emails":[{"primary":true,"value":%q,"type":"work"}],"active":true}`, userName, name, name, name, email))
	if status != http.StatusCreated {
		t.Fatalf("create %s: %d", userName, status)
	}
	return id
}

func patchUser(t *testing.T, url, token, id, value string) {
	t.Helper()
	if status, _ := scimRequest(t, "PATCH", url+"/Users/"+id, token, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":`+value+`}]}`); status != http.StatusOK {
		t.Fatalf("patch %s: %d", value, status)
	}
}
