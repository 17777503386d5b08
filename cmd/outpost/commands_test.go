package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/simulator"
)

// migrated is a shell with an empty database.
func migrated(t *testing.T) shell {
	s := newShell(t, "DATABASE_URL=sqlite:"+filepath.Join(t.TempDir(), "outpost.db"), "PUBLIC_URL=https://outpost.example.com")
	if out := s.ok("migrate"); !strings.Contains(out, "up to date") {
		t.Errorf("migrate prints %q", out)
	}
	return s
}

func TestCommandsPrintWhatTheyPromise(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	acme := s.json("workspace", "create", "--name", "Acme & Söhne", "--owner", "ada@acme.test", "--plan", "enterprise")
	wantKeys(t, acme, "id", "slug", "name", "plan", "owner_email", "sign_in_url")
	if acme["slug"] != "acme-s-hne" || acme["plan"] != "enterprise" || acme["owner_email"] != "ada@acme.test" || !regexp.MustCompile(`^https://outpost\.example\.com/signin/[\w-]{43}$`).MatchString(acme["sign_in_url"].(string)) {
		t.Errorf("workspace create prints %v", acme)
	}
	if out := s.ok("workspace", "create", "--name", "Globex <&>", "--owner", "bo@globex.test", "--plan", "team", "--json"); !strings.Contains(out, "Globex <&>") {
		t.Errorf("JSON is escaped for HTML: %s", out)
	}
	workspaces := s.jsonLines("workspace", "list")
	if len(workspaces) != 2 || workspaces[0]["slug"] != "globex" || workspaces[1]["slug"] != "acme-s-hne" {
		t.Errorf("workspace list prints %v", workspaces)
	}
	wantKeys(t, workspaces[0], "id", "slug", "name", "plan", "created_at")

	if _, stderr, status := s.run("connection", "create", "--workspace", "globex", "--provider", "okta"); status != exitError || !strings.Contains(stderr, "Enterprise plan") {
		t.Errorf("a connection on the team plan: exit status %d, standard error %q", status, stderr)
	}
	for _, provider := range []string{"okta", "entra", "onelogin", "jumpcloud", "ping", "google", "rippling", "custom"} {
		c := s.json("connection", "create", "--workspace", "acme-s-hne", "--provider", provider)
		wantKeys(t, c, "id", "provider", "scim_base_url", "bearer_token")
		if c["provider"] != provider || c["scim_base_url"] != "https://outpost.example.com/scim/v2/"+c["id"].(string) || strings.Contains(c["scim_base_url"].(string), "_") {
			t.Errorf("connection create prints %v", c)
		}
	}
	connections := s.jsonLines("connection", "list", "--workspace", "acme-s-hne")
	if len(connections) != 8 || connections[0]["provider"] != "custom" {
		t.Errorf("connection list prints %v", connections)
	}
	wantKeys(t, connections[0], "id", "provider", "status", "scim_base_url", "created_at")

	if out := s.ok("operations", "list", "--workspace", "globex", "--json"); out != "" {
		t.Errorf("no operations are printed as %q", out)
	}
	wantKeys(t, s.json("verify", "--workspace", "globex"), "in_sync", "open_operations", "held_operations", "differences")
	owner := s.json("members", "list", "--workspace", "globex")
	if teams, ok := owner["teams"].([]any); !ok || len(teams) != 0 || owner["status"] != "active" || owner["role"] != "owner" {
		t.Errorf("the owner is %v", owner)
	}

	// And for people.
	for _, test := range []struct{ args, want string }{
		{"workspace list", "SLUG        NAME          PLAN        CREATED (UTC)\nglobex      Globex <&>    team"},
		{"workspace set-plan globex enterprise", "on the plan enterprise"},
		{"connection list --workspace acme-s-hne", "Microsoft Entra ID"},
		{"connection list --workspace globex", "has no connections"},
		{"connection create --workspace globex --provider okta", "Bearer token   outp_scim_"},
		{"members list --workspace globex", "bo@globex.test"},
		{"operations list --workspace globex", "There are no such operations."},
		{"verify --workspace globex", "is in sync with its directory"},
	} {
		if out := s.ok(strings.Fields(test.args)...); !strings.Contains(out, test.want) {
			t.Errorf("outpost %s prints %q, want %q", test.args, out, test.want)
		}
	}
	for _, args := range []string{"verify --workspace none", "members list --workspace none", "connection list --workspace none", "operations retry --all-failed --workspace none", "workspace set-plan none team"} {
		if _, stderr, status := s.run(strings.Fields(args)...); status != exitError || !strings.Contains(stderr, `there is no workspace "none"`) {
			t.Errorf("outpost %s: exit status %d, standard error %q", args, status, stderr)
		}
	}
}

func TestAddressesNeedAPublicURL(t *testing.T) {
	t.Parallel()
	s := migrated(t).with("PUBLIC_URL=")
	_, stderr, status := s.run("workspace", "create", "--name", "Acme", "--owner", "ada@acme.test", "--plan", "team")
	if status != exitError || !strings.Contains(stderr, "PUBLIC_URL is not set") {
		t.Errorf("exit status %d, standard error %q", status, stderr)
	}
	if all := s.jsonLines("workspace", "list"); len(all) != 0 {
		t.Errorf("the workspace was made all the same: %v", all)
	}
}

func TestCommandsFindTheDatabaseOfDev(t *testing.T) {
	t.Parallel()
	const url, other = "postgres://u:p@db/one", "postgres://u:p@db/two"
	f := folder(t.TempDir())
	embeddedURL := "sqlite:" + f.database()
	touch := func(path string) {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		what, data         string
		environ            []string
		kept               kept
		file               bool
		wantURL            string
		wantPublic, wantIn string // wantIn is part of the error
	}{
		{what: "nothing", wantIn: "there is no database to work on"},
		{what: "an empty --data", data: string(f), wantIn: "there is no database in the folder"},
		{what: "the folder", file: true, kept: kept{PublicURL: "http://127.0.0.1:1", Database: embedded}, wantURL: embeddedURL, wantPublic: "http://127.0.0.1:1"},
		{what: "the folder by --data", data: string(f), file: true, kept: kept{PublicURL: "http://127.0.0.1:1", Database: embedded}, environ: []string{"DATABASE_URL=" + url}, wantURL: embeddedURL, wantPublic: "http://127.0.0.1:1"},
		{what: "DATABASE_URL before the folder", file: true, kept: kept{PublicURL: "http://127.0.0.1:1", Database: embedded}, environ: []string{"DATABASE_URL=" + url}, wantURL: url},
		{what: "dev on DATABASE_URL", kept: kept{PublicURL: "http://127.0.0.1:1", Database: fingerprint(url)}, environ: []string{"DATABASE_URL=" + url}, wantURL: url, wantPublic: "http://127.0.0.1:1"},
		{what: "dev on DATABASE_URL, by --data", data: string(f), kept: kept{PublicURL: "http://127.0.0.1:1", Database: fingerprint(url)}, environ: []string{"DATABASE_URL=" + url}, wantURL: url, wantPublic: "http://127.0.0.1:1"},
		{what: "dev on another DATABASE_URL", kept: kept{PublicURL: "http://127.0.0.1:1", Database: fingerprint(url)}, environ: []string{"DATABASE_URL=" + other}, wantURL: other},
		{what: "PUBLIC_URL before what is kept", file: true, kept: kept{PublicURL: "http://127.0.0.1:1", Database: embedded}, environ: []string{"PUBLIC_URL=https://x.test"}, wantURL: embeddedURL, wantPublic: "https://x.test"},
	} {
		os.Remove(f.database())
		os.Remove(f.kept())
		if test.file {
			touch(f.database())
		}
		if test.kept != (kept{}) {
			if err := f.write(test.kept); err != nil {
				t.Fatal(err)
			}
		}
		c, err := readConfig(append(test.environ, "OUTPOST_DATA="+string(f)), false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.locate(test.data)
		if got.url != test.wantURL || string(got.publicURL) != test.wantPublic || (err == nil) != (test.wantIn == "") || err != nil && !strings.Contains(err.Error(), test.wantIn) {
			t.Errorf("%s: %q, %q, %v", test.what, got.url, got.publicURL, err)
		}
	}
}

func TestProgressIsSaidEverySoOften(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   simulator.Progress
		took time.Duration
		want string
	}{
		{simulator.Progress{Phase: "assign people", Total: 1000}, time.Second, "assign people: 0 of 1000"},
		{simulator.Progress{Phase: "assign people", Done: 190, Failed: 10, Total: 1000}, 4 * time.Second, "assign people: 200 of 1000 (10 failed), 50.0 a second, 16s left"},
		{simulator.Progress{Phase: "add members", Done: 10, Total: 10}, 2 * time.Second, "add members: 10 of 10, 5.0 a second"},
	} {
		if got := standing(test.at, test.took); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	var w screen
	observe, end := lines(&w, time.Millisecond)
	observe(simulator.Progress{Phase: "assign people", Done: 3, Total: 9})
	testkit.Eventually(t, patient, "a line", func() bool { return w.String() != "" })
	end()
	if !strings.HasPrefix(w.String(), "assign people: 3 of 9, ") {
		t.Errorf("it says %q", w.String())
	}
}
