package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestEveryProviderIsPlayedAgainstTheRealServer plays each provider twice, each with a workspace of its own: the second
// run finds the people of the first, and the workspace ends as the provider has it.
func TestEveryProviderIsPlayedAgainstTheRealServer(t *testing.T) {
	t.Parallel()
	const testUser = "jumpcloud.test.user@acme.test"
	s := newShell(t, "INVITATION_HOLD=5s", "MAIL_RATE=100000") // time enough for JumpCloud to delete its test user
	d := s.start("dev", "--listen", "127.0.0.1:0")
	d.banner()
	plays := []struct {
		slug     string
		provider string
		flags    []string
		report   string // parts of it
	}{
		{"entra", "entra", nil, `Entra, to http|6 people assigned, 1 updated, group "Engineering" pushed, 2 deactivated in `},
		{"entra-flag", "entra", []string{"--compliant", "--delete", "--update", "3"}, `Entra, compliant (aadOptscim062020), to http|6 people assigned, 3 updated, group "Engineering" pushed, 2 deactivated, 2 deleted in `},
		{"onelogin", "onelogin", nil, `OneLogin, leavers are suspended, to http|6 people assigned, 1 updated, group "Engineering" pushed, 2 deactivated in `},
		{"onelogin-old", "onelogin", []string{"--leaver", "delete", "--old-template"}, `OneLogin, leavers are deleted, template of SCIM 1.0, to http|6 people assigned, 1 updated, group "Engineering" pushed, 2 deleted in `},
		{"jumpcloud", "jumpcloud", nil, `JumpCloud, to http|read deleted user|read deleted group|6 people assigned, 1 updated, group "Engineering" pushed, 2 deactivated in `},
	}
	url := ""
	for _, play := range plays {
		s.ok("workspace", "create", "--name", play.slug, "--owner", "ada@owners.test", "--plan", "enterprise")
		c := s.json("connection", "create", "--workspace", play.slug, "--provider", play.provider)
		url = c["scim_base_url"].(string)
		command := append([]string{"simulate", play.provider, "--url", url, "--token", c["bearer_token"].(string),
			"--users", "6", "--group", "Engineering", "--unassign", "2"}, play.flags...)
		for range 2 {
			out := s.simulate(command...)
			for _, want := range strings.Split(play.report, "|") {
				if !strings.Contains(out, want) {
					t.Errorf("%s: the report does not say %q: %s", play.slug, want, out)
				}
			}
		}
	}
	invited := map[string]int{}
	for _, play := range plays {
		s.synced(play.slug)
		verdict := s.json("verify", "--workspace", play.slug)
		if differences, ok := verdict["differences"].([]any); verdict["in_sync"] != true || !ok || len(differences) != 0 || verdict["held_operations"] != 0.0 {
			t.Errorf("%s: verify prints %v", play.slug, verdict)
		}
		in, out := 0, 0
		for _, m := range s.jsonLines("members", "list", "--workspace", play.slug) {
			teams := m["teams"].([]any)
			switch {
			case m["role"] == "owner":
			case m["status"] == "invited" && slices.Equal(teams, []any{"Engineering"}):
				in++
				invited[m["email"].(string)]++
			case m["status"] == "deactivated" && len(teams) == 0:
				if m["email"] != testUser {
					out++
				}
			default:
				t.Errorf("%s: a member is %v", play.slug, m)
			}
		}
		if in != 4 || out > 2 { // one who was deleted before a worker came was never a member
			t.Errorf("%s: %d members are invited and %d deactivated", play.slug, in, out)
		}
	}

	public, _, _ := strings.Cut(url, "/scim/")
	status, body := get(t, public+"/dev/mail.json")
	var mails []struct{ To string }
	if err := json.Unmarshal([]byte(body), &mails); err != nil || status != http.StatusOK {
		t.Fatalf("/dev/mail.json answers %d: %v", status, err)
	}
	for _, m := range mails {
		if m.To == testUser {
			t.Error("JumpCloud's test user got a mail")
		}
		invited[m.To]--
	}
	for address, n := range invited {
		if n > 0 {
			t.Errorf("%s is invited, and %d mails are missing", address, n)
		}
	}
}

func TestConnectionTestOfEachProviderSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	d := s.start("dev", "--demo", "--listen", "127.0.0.1:0")
	simulate := pasted(t, d.banner(), "simulate okta")
	for provider, want := range map[string]string{
		"entra":     "test connection: authorization failure (401)",
		"onelogin":  "test connection: authorization failure (401)",
		"jumpcloud": "look up user: authorization failure (401)",
	} {
		stdout, stderr, status := s.run("simulate", provider, "--url", argument(simulate, "--url"), "--token", argument(simulate, "--token")+"!", "--users", "1")
		if status != exitError || !strings.Contains(stdout, "1 step failed") || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit status %d, standard error %q, standard output %q", provider, status, stderr, stdout)
		}
	}
}
