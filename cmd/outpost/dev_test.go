package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"outpost/internal/testkit"
)

// pasted takes a command out of a banner, as the shell would take it apart.
func pasted(t *testing.T, banner, command string) []string {
	t.Helper()
	_, rest, found := strings.Cut(banner, "\n  outpost "+command)
	if !found {
		t.Fatalf("the banner has no 'outpost %s': %s", command, banner)
	}
	line, _, _ := strings.Cut(rest, "\n")
	var words []string
	for _, word := range strings.Fields(command + line) {
		words = append(words, strings.Trim(word, `"'`))
	}
	return words
}

// simulate plays Okta without a failure. Where that takes long, standard error says how far it is.
func (s shell) simulate(args ...string) string {
	s.t.Helper()
	stdout, stderr, status := s.run(args...)
	if status != exitOK || strings.Contains(stderr, "outpost: ") || !strings.Contains(stdout, "; nothing failed") {
		s.t.Fatalf("outpost %s: exit status %d, standard error %q, standard output %s", strings.Join(args, " "), status, stderr, stdout)
	}
	return stdout
}

// argument is the value of a flag in a command.
func argument(args []string, flag string) string {
	for i, arg := range args {
		if arg == flag {
			return args[i+1]
		}
	}
	return ""
}

func TestDevProvisionsABulkAssignment(t *testing.T) {
	t.Parallel()
	const people = 200
	s := newShell(t, "INVITATION_HOLD=0s", "MAIL_RATE=100000")
	d := s.start("dev", "--demo", "--listen", "127.0.0.1:0")
	banner := d.banner()
	simulate := pasted(t, banner, "simulate okta")
	base := argument(simulate, "--url")
	public, _, _ := strings.Cut(base, "/scim/v2/")
	if argument(simulate, "--users") != "1000" || argument(simulate, "--group") != "Engineering" {
		t.Errorf("the banner's command is %q", simulate)
	}
	for i, arg := range simulate {
		if arg == "1000" {
			simulate[i] = fmt.Sprint(people)
		}
	}

	if out := s.simulate(simulate...); !strings.Contains(out, fmt.Sprintf("%d people assigned", people)) {
		t.Fatalf("simulate prints %s", out)
	}
	s.synced("acme")

	verdict := s.json("verify", "--workspace", "acme")
	wantKeys(t, verdict, "in_sync", "open_operations", "held_operations", "differences")
	if differences, ok := verdict["differences"].([]any); verdict["in_sync"] != true || !ok || len(differences) != 0 {
		t.Errorf("verify prints %v", verdict)
	}

	members := s.jsonLines("members", "list", "--workspace", "acme")
	if len(members) != people+1 {
		t.Errorf("there are %d members, want %d and the owner", len(members), people)
	}
	invited := map[string]int{}
	for _, m := range members {
		wantKeys(t, m, "email", "name", "role", "status", "teams")
		teams, ok := m["teams"].([]any)
		switch {
		case m["email"] == demoOwner:
			if m["role"] != "owner" || m["status"] != "active" || !ok || len(teams) != 0 {
				t.Errorf("the owner is %v", m)
			}
		case m["status"] != "invited" || len(teams) != 1 || teams[0] != "Engineering":
			t.Errorf("a member is %v", m)
		default:
			invited[m["email"].(string)] = 0
		}
	}

	status, body := get(t, public+"/dev/mail.json")
	var mails []map[string]any
	if err := json.Unmarshal([]byte(body), &mails); err != nil || status != http.StatusOK {
		t.Fatalf("/dev/mail.json answers %d: %v", status, err)
	}
	for _, m := range mails {
		wantKeys(t, m, "to", "subject", "message_id", "text", "html", "at")
		invited[m["to"].(string)]++
	}
	for address, n := range invited {
		if n != 1 {
			t.Errorf("%s got %d mails", address, n)
		}
	}

	for _, op := range s.jsonLines("operations", "list", "--workspace", "acme", "--limit", "3") {
		wantKeys(t, op, "id", "kind", "resource_type", "resource_id", "state", "attempts", "error", "created_at", "finished_at")
		if op["state"] != "done" && op["state"] != "superseded" || op["error"] != "" {
			t.Errorf("an operation is %v", op)
		}
		for _, key := range []string{"created_at", "finished_at"} {
			if at, err := time.Parse(time.RFC3339, op[key].(string)); err != nil || at.Location() != time.UTC {
				t.Errorf("%s is %v", key, op[key])
			}
		}
	}

	// A second run finds everybody and changes nothing.
	before := len(s.jsonLines("operations", "list", "--workspace", "acme"))
	s.simulate(simulate...)
	s.synced("acme")
	if after := len(s.jsonLines("operations", "list", "--workspace", "acme")); after > before+2 {
		t.Errorf("the second run made %d operations", after-before)
	}

	monitor := regexp.MustCompile(`http://\S+/monitoring`).FindString(banner)
	metrics := regexp.MustCompile(`http://\S+/metrics`).FindString(banner)
	for url, want := range map[string]string{
		public + "/healthz":  `"ok"`,
		public + "/readyz":   `"redis":"ok"`,
		public + "/dev/mail": "<html",
		strings.TrimSuffix(metrics, "metrics") + "healthz": `"ok"`,
		strings.TrimSuffix(metrics, "metrics") + "readyz":  `"redis":"ok"`,
		metrics: "go_sql_open_connections",
	} {
		if status, body := get(t, url); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d without %s: %.300s", url, status, want, body)
		}
	}
	if status, body := get(t, monitor+"/api/queues"); strings.Contains(body, `"queue":"provision"`) {
		t.Errorf("everybody sees the queues: %d", status)
	}
	owner := signIn(t, regexp.MustCompile(`http://\S+/signin/\S+`).FindString(banner))
	for url, want := range map[string]string{monitor: "<html", monitor + "/api/queues": `"queue":"provision"`, public + "/settings/security": "How people join"} {
		r, err := owner.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s answers the owner %d %v without %s: %.300s", url, r.StatusCode, err, want, body)
		}
	}
	d.stop()
	if out := d.stdout.String(); out != "\n"+banner+"\n" {
		t.Errorf("standard output holds more than the banner: %q", out)
	}
}

func TestDevKeepsItsDataAndGivesAFreshToken(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	first := s.start("dev", "--demo", "--listen", "127.0.0.1:0")
	one := pasted(t, first.banner(), "simulate okta")

	if _, stderr, status := s.run("dev", "--listen", "127.0.0.1:0"); status != exitError || !strings.Contains(stderr, "another 'outpost dev' works in the data folder") {
		t.Errorf("a second dev in the folder: exit status %d, standard error %q", status, stderr)
	}
	host := strings.TrimPrefix(strings.Split(argument(one, "--url"), "/scim/")[0], "http://")
	if _, stderr, status := s.run("dev", "--listen", host, "--data", t.TempDir()); status != exitError || !strings.Contains(stderr, "is taken") || !strings.Contains(stderr, "--listen") {
		t.Errorf("a second dev on the address: exit status %d, standard error %q", status, stderr)
	}
	k, err := s.data().read()
	if err != nil || len(k.SecretKey) != 64 || "http://"+host != string(k.PublicURL) {
		t.Errorf("it keeps %+v, %v", k, err)
	}
	if info, err := os.Stat(s.data().kept()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what it keeps has the mode %v, %v", info.Mode(), err)
	}
	first.stop()

	second := s.start("dev", "--demo", "--listen", host)
	two := pasted(t, second.banner(), "simulate okta")
	if argument(one, "--url") != argument(two, "--url") || argument(one, "--token") == argument(two, "--token") {
		t.Errorf("the commands are %q and then %q", one, two)
	}
	if len(s.jsonLines("connection", "list", "--workspace", "acme")) != 1 || len(s.jsonLines("workspace", "list")) != 1 {
		t.Error("the second start made the demo again")
	}
	again, err := s.data().read()
	if err != nil || again.SecretKey != k.SecretKey {
		t.Errorf("the second start made another secret: %v", err)
	}
	for _, command := range [][]string{one, two} { // the old token lives on for a day
		s.simulate("simulate", "okta", "--url", argument(command, "--url"), "--token", argument(command, "--token"), "--users", "0")
	}
	second.stop()

	third := s.start("dev", "--listen", "127.0.0.1:0")
	if banner := third.banner(); strings.Contains(banner, "Bearer token") || !strings.Contains(banner, "workspace create --name") {
		t.Errorf("without --demo the banner is %s", banner)
	}
	// Another address is kept for the commands beside it.
	third.stop()
	if k, err := s.data().read(); err != nil || string(k.PublicURL) == "http://"+host {
		t.Errorf("it keeps %+v, %v", k, err)
	}
}

func TestConnectionsArePausedResumedRotatedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	d := s.start("dev", "--listen", "127.0.0.1:0")
	d.banner()
	s.ok("workspace", "create", "--name", "Acme", "--owner", "ada@acme.test", "--plan", "enterprise")
	made := s.json("connection", "create", "--workspace", "acme", "--provider", "okta")
	wantKeys(t, made, "id", "provider", "scim_base_url", "bearer_token")
	id, base := made["id"].(string), made["scim_base_url"].(string)
	first := made["bearer_token"].(string)
	want := func(token string, status int) {
		t.Helper()
		if got, body := get(t, base+"/Users?count=1", "Authorization", "Bearer "+token); got != status {
			t.Errorf("the answer is %d, want %d: %s", got, status, body)
		}
	}
	want(first, http.StatusOK)

	s.ok("connection", "pause", id)
	want(first, http.StatusForbidden)
	_, stderr, status := s.run("simulate", "okta", "--url", base, "--token", first, "--users", "1")
	if status != exitError || !strings.Contains(stderr, "this connection is paused") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("simulate against a paused connection: exit status %d, standard error %q", status, stderr)
	}
	s.ok("connection", "resume", id)
	want(first, http.StatusOK)

	rotated := s.json("connection", "rotate", id)
	wantKeys(t, rotated, "id", "provider", "scim_base_url", "bearer_token")
	second := rotated["bearer_token"].(string)
	if rotated["id"] != id || rotated["scim_base_url"] != base || second == first {
		t.Errorf("rotate prints %v", rotated)
	}
	want(first, http.StatusOK)
	want(second, http.StatusOK)
	third := s.json("connection", "rotate", id, "--now")["bearer_token"].(string)
	want(first, http.StatusUnauthorized)
	want(second, http.StatusUnauthorized)
	want(third, http.StatusOK)

	s.ok("workspace", "set-plan", "acme", "team")
	want(third, http.StatusForbidden)
	s.ok("workspace", "set-plan", "acme", "enterprise")

	s.ok("connection", "delete", id)
	want(third, http.StatusUnauthorized)
	if _, stderr, status := s.run("connection", "resume", id); status != exitError || !strings.Contains(stderr, "is deleted") {
		t.Errorf("resume after delete: exit status %d, standard error %q", status, stderr)
	}
	if left := s.jsonLines("connection", "list", "--workspace", "acme"); len(left) != 0 {
		t.Errorf("the deleted connection is listed: %v", left)
	}
}

func TestFailedOperationsAreRetried(t *testing.T) {
	t.Parallel()
	sink := testkit.NewSMTP(t)
	sink.Reject(func(string) *smtp.SMTPError {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	})
	s := newShell(t, "INVITATION_HOLD=0s", "SMTP_URL="+sink.URL())
	d := s.start("dev", "--demo", "--listen", "127.0.0.1:0")
	simulate := pasted(t, d.banner(), "simulate okta")
	s.simulate("simulate", "okta", "--url", argument(simulate, "--url"), "--token", argument(simulate, "--token"), "--users", "3")
	s.synced("acme") // a mail that failed is no difference

	failed := s.jsonLines("operations", "list", "--workspace", "acme", "--state", "failed")
	if len(failed) != 3 {
		t.Fatalf("%d operations failed, want 3: %v", len(failed), failed)
	}
	for _, op := range failed {
		if op["kind"] != "invitation.email" || op["attempts"] != 1.0 || !strings.Contains(op["error"].(string), "no such user") {
			t.Errorf("a failed operation is %v", op)
		}
	}
	done := s.jsonLines("operations", "list", "--workspace", "acme", "--state", "done")
	if _, stderr, status := s.run("operations", "retry", done[0]["id"].(string)); status != exitError || !strings.Contains(stderr, "is done: only failed operations can be retried") {
		t.Errorf("retry of one that is done: exit status %d, standard error %q", status, stderr)
	}

	sink.Reject(nil)
	if out := s.ok("operations", "retry", failed[0]["id"].(string)); out != "1 operation will run again.\n" {
		t.Errorf("retry prints %q", out)
	}
	sink.WaitFor(1, patient)
	if out := s.ok("operations", "retry", "--all-failed", "--workspace", "acme"); out != "2 operations will run again.\n" {
		t.Errorf("retry --all-failed prints %q", out)
	}
	sink.WaitFor(3, patient)
	s.synced("acme")
	if out := s.ok("operations", "retry", "--all-failed", "--workspace", "acme"); !strings.HasPrefix(out, "No operation has failed") {
		t.Errorf("retry of nothing prints %q", out)
	}
	if n := len(sink.Messages()); n != 3 {
		t.Errorf("%d mails were sent, want 3", n)
	}
}

func TestSimulationThatFailsSaysSo(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	d := s.start("dev", "--demo", "--listen", "127.0.0.1:0")
	simulate := pasted(t, d.banner(), "simulate okta")
	token := argument(simulate, "--token")
	stdout, stderr, status := s.run("simulate", "okta", "--url", argument(simulate, "--url"), "--token", token[:len(token)-1]+"!")
	if status != exitError || !strings.Contains(stdout, "1 step failed") || !strings.Contains(stderr, "bearer token") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit status %d, standard error %q, standard output %q", status, stderr, stdout)
	}
}

func TestDevUsesTheServersThatAreSet(t *testing.T) {
	t.Parallel()
	sink := testkit.NewSMTP(t)
	s := newShell(t, "INVITATION_HOLD=0s", "DATABASE_URL="+testkit.Postgres(t), "REDIS_URL="+testkit.Redis(t), "SMTP_URL="+sink.URL(), "MAIL_FROM=Acme IT <it@acme.test>")
	d := s.start("dev", "--demo", "--listen", "127.0.0.1:0")
	banner := d.banner()
	if strings.Contains(banner, "/dev/mail") {
		t.Errorf("there is no mailbox, and yet the banner is %s", banner)
	}
	command := pasted(t, banner, "simulate okta")
	s.simulate("simulate", "okta", "--url", argument(command, "--url"), "--token", argument(command, "--token"), "--users", "3", "--group", "Sales")
	s.synced("acme")
	for _, m := range sink.WaitFor(3, patient) {
		if m.From != "it@acme.test" {
			t.Errorf("a mail is from %s", m.From)
		}
	}
	// The commands beside it find its database and its address, by DATABASE_URL and by --data alike.
	for _, args := range [][]string{nil, {"--data", string(s.data())}} {
		c := s.json(append([]string{"connection", "create", "--workspace", "acme", "--provider", "custom"}, args...)...)
		if !strings.HasPrefix(argument(command, "--url"), strings.Split(c["scim_base_url"].(string), "/scim/")[0]+"/") {
			t.Errorf("connection create prints %v beside %q", c, command)
		}
	}
	if _, err := os.Stat(s.data().database()); err == nil {
		t.Error("it made a SQLite file all the same")
	}
	d.stop()
}

func TestTheMetricsPortGivesWay(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", defaultMetricsAddr); err == nil { // else somebody has it, which is as good
		defer l.Close()
	}
	s := newShell(t).with("METRICS_ADDR=")
	d := s.start("dev", "--listen", "127.0.0.1:0")
	d.banner()
	address := d.find(&d.stderr, `metrics_addr=(\S+)`)
	if status, _ := get(t, "http://"+address+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz at %s answers %d", address, status)
	}
	_, stderr, status := s.with("METRICS_ADDR="+address).run("dev", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	if status != exitError || !strings.Contains(stderr, "METRICS_ADDR") {
		t.Errorf("a METRICS_ADDR that is set and taken: exit status %d, standard error %q", status, stderr)
	}
	d.stop()
}

// signIn uses a printed sign-in link as a browser does, and returns that browser.
func signIn(t *testing.T, link string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: patient, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequest("POST", link, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	got, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/" {
		t.Fatalf("%s answers %d and leads to %s", link, got.StatusCode, got.Header.Get("Location"))
	}
	return browser
}
