package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
)

// TestAnAssignedPersonJoinsWithOktaAndIsOutWhenUnassigned is the story of one membership, in a real browser: assigned,
// invited, in by single sign-on, and out with the next click after the provider has said so.
//
// It runs by itself, before what runs beside one another: every story has a browser of its own.
func TestAnAssignedPersonJoinsWithOktaAndIsOutWhenUnassigned(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		joiningStory(t, newShell(t))
	})
	t.Run("Postgres and Redis", func(t *testing.T) {
		joiningStory(t, newShell(t, "DATABASE_URL="+fixture.Postgres(t), "REDIS_URL="+testkit.NewRedis(t).URL()))
	})
}

var inviteLink = regexp.MustCompile(`http://\S+/invite/[A-Za-z0-9_-]+`)

func joiningStory(t *testing.T, s shell) {
	sink := testkit.NewSMTP(t)
	idp := testkit.NewIdP(t, nil)
	s = s.with("SMTP_URL="+sink.URL(), "INVITATION_HOLD=0s")
	d := s.start("dev", "--listen", "127.0.0.1:0")
	d.banner()
	s.json("workspace", "create", "--name", "Acme", "--owner", "ines@acme.test", "--plan", "enterprise")
	connection := s.json("connection", "create", "--workspace", "acme", "--provider", "okta")

	// Single sign-on, by the command line.
	file := filepath.Join(t.TempDir(), "metadata.xml")
	if err := os.WriteFile(file, idp.Metadata(), 0o600); err != nil {
		t.Fatal(err)
	}
	id := connection["id"].(string)
	sso := s.json("sso", "configure", "--connection", id, "--metadata", file)
	base := strings.TrimSuffix(connection["scim_base_url"].(string), "/scim/v2/"+id)
	for key, want := range map[string]any{
		"entity_id": base + "/saml/" + id, "acs_url": base + "/saml/" + id + "/acs", "metadata_url": base + "/saml/" + id + "/metadata", "login_url": base + "/saml/" + id + "/login", "require_sso": false,
	} {
		if sso[key] != want {
			t.Errorf("sso configure prints %s %v, not %v", key, sso[key], want)
		}
	}
	status, metadata := get(t, sso["metadata_url"].(string))
	if status != http.StatusOK {
		t.Fatalf("our metadata: %d", status)
	}
	idp.Trust([]byte(metadata))

	// The simulator assigns somebody; the mail arrives; programs look at its link.
	simulate := []string{"simulate", "okta", "--url", connection["scim_base_url"].(string), "--token", connection["bearer_token"].(string), "--users", "1", "--group", "Engineering"}
	s.simulate(simulate...)
	s.synced("acme")
	mails := sink.WaitFor(1, patient)
	link := inviteLink.FindString(mails[0].Text)
	if link == "" || !strings.Contains(mails[0].Text, "You sign in with Okta") {
		t.Fatalf("the mail: %s", mails[0].Text)
	}
	for range 20 {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r, err := http.NewRequest(method, link, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got.Body.Close()
			if got.StatusCode != http.StatusOK {
				t.Fatalf("%s of the link: %d", method, got.StatusCode)
			}
		}
	}
	address := mails[0].Recipients[0]
	idp.Person(address)
	member := func() map[string]any {
		for _, m := range s.jsonLines("members", "list", "--workspace", "acme") {
			if m["email"] == address {
				return m
			}
		}
		t.Fatalf("%s is no member", address)
		return nil
	}
	if m := member(); m["status"] != "invited" {
		t.Fatalf("before the link was followed: %v", m)
	}

	// The person follows the link, continues with Okta, and is in.
	b := testkit.Browser(t).Within(30 * time.Second)
	b.Allow(regexp.QuoteMeta(idp.URL)) // what the provider's own pages do wrong
	b.Open(link)
	b.WaitText("h1", "Join Acme")
	b.WaitText("main", "in the team Engineering")
	b.Click("main a.btn-primary")
	b.Wait("input[name=password]")
	signInThere(b, address)
	b.WaitText("main", "Acme")
	b.WaitText("main", "Engineering")
	if !strings.HasPrefix(b.URL(), base) {
		t.Errorf("in at %s", b.URL())
	}
	if m := member(); m["status"] != "active" {
		t.Errorf("after joining: %v", m)
	}
	b.Open(link)
	if strings.Contains(b.URL(), "/invite/") {
		t.Errorf("the used link, for who is in, stays at %s", b.URL())
	}

	// The simulator unassigns them: the next click is out, and there is no way back in.
	s.simulate(append(simulate, "--unassign", "1")...)
	b.Click("a[href='/account/sessions']")
	b.WaitText("h1", "Sign in to Outpost")
	b.Click("a[href^='/signin/sso']")
	b.Fill("#find", "acme")
	b.Click("form button[type=submit]")
	b.WaitText("h1", "Sign in to Acme")
	b.Click("main a.btn-primary")
	b.WaitText("h1", "You are not signed in") // the provider still has them signed in, and answers at once
	b.WaitText("main", "Ask your admin to assign you to Outpost again")
	s.synced("acme")
	if m := member(); m["status"] != "deactivated" || len(m["teams"].([]any)) != 0 {
		t.Errorf("after all: %v", m)
	}
}

// signInThere fills in the provider's form.
func signInThere(b *testkit.Page, address string) {
	b.Fill("input[name=user]", address)
	b.Fill("input[name=password]", testkit.Password)
	b.Click("input[type=submit], button[type=submit]")
}
