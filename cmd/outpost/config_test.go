package main

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"outpost/jobs"
)

func TestConfigurationHasItsDefaults(t *testing.T) {
	t.Parallel()
	c, err := readConfig([]string{"REDIS_URL=", "PATH=/bin"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if c.listen() != "127.0.0.1:8080" || c.Data != "./outpost-data" || c.InvitationHold != 10*time.Second || c.mailPace() != 20*time.Millisecond || c.from().Email != "no-reply@localhost" {
		t.Errorf("the defaults are %+v", c)
	}
	if !c.logger(nil, slog.LevelInfo).Enabled(t.Context(), slog.LevelInfo) || c.logger(nil, slog.LevelWarn).Enabled(t.Context(), slog.LevelInfo) {
		t.Error("the level of the log is not the role's")
	}
}

func TestConfigurationIsRead(t *testing.T) {
	t.Parallel()
	c, err := readConfig([]string{
		"DATABASE_URL=postgres://u:p@db/outpost", "REDIS_URL=redis-sentinel://a:1,b:2?master=m", "SMTP_URL=smtp://u:p@mail.test:587",
		"MAIL_FROM=Ada <ada@acme.test>", "PUBLIC_URL=https://Outpost.Example.com/", "PORT=9000", "SECRET_KEY=" + strings.Repeat("k", 32),
		"OPERATOR_EMAILS=a@x.test, b@x.test", "TRUSTED_PROXIES=10.0.0.0/8, 192.0.2.1", "LOG_LEVEL=DEBUG", "LOG_FORMAT=json", "INVITATION_HOLD=0s", "MAIL_RATE=0.5", "INVITATION_DAYS=2", "INVITATION_REMINDER_DAYS=0",
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	if c.PublicURL != "https://outpost.example.com" || c.listen() != "0.0.0.0:9000" || c.from().Name != "Ada" || c.mailPace() != 2*time.Second || c.InvitationHold != 0 || c.InvitationDays.duration() != 48*time.Hour || c.ReminderDays != 0 ||
		!slices.Equal(c.trustedProxies(), []string{"10.0.0.0/8", "192.0.2.1"}) || !slices.Equal(c.OperatorEmails, []bareAddress{"a@x.test", "b@x.test"}) {
		t.Errorf("read as %+v", c)
	}
	if !c.logger(nil, slog.LevelWarn).Enabled(t.Context(), slog.LevelDebug) {
		t.Error("LOG_LEVEL does not count")
	}
	c.ListenAddr = "127.0.0.1:1"
	if c.listen() != "127.0.0.1:1" {
		t.Errorf("PORT comes before LISTEN_ADDR")
	}
}

func TestWrongConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ variable, want string }{
		{"DATABASE_URL=mysql://x", "DATABASE_URL: it begins neither"},
		{"REDIS_URL=localhost:6379", "REDIS_URL: it begins neither"},
		{"SMTP_URL=mail.test", "SMTP_URL: the mail server's URL"},
		{"SMTP_URL=smtp://u:hunter2@mail.test?tls=maybe", "SMTP_URL: the mail server's URL has an unknown tls="},
		{"MAIL_FROM=Outpost", "MAIL_FROM: "},
		{"PUBLIC_URL=outpost.example.com", "PUBLIC_URL: "},
		{"PUBLIC_URL=http://outpost.example.com", "PUBLIC_URL: it must begin with https://"},
		{"PUBLIC_URL=https://outpost.example.com/app", "PUBLIC_URL: it must end after the host"},
		{"PUBLIC_URL=https://outpost.example.com?a=b", "PUBLIC_URL: it must end after the host"},
		{"PUBLIC_URL=https://out_post.example.com", "underscore"},
		{"PUBLIC_URL=https://u:p@outpost.example.com", "user or password"},
		{"LISTEN_ADDR=8080", "LISTEN_ADDR: "},
		{"METRICS_ADDR=localhost:http", "METRICS_ADDR: "},
		{"PORT=none", "PORT: "},
		{"SECRET_KEY=short", "SECRET_KEY: it has 5 bytes and needs 32"},
		{"OPERATOR_EMAILS=a@x.test,b", "OPERATOR_EMAILS: "},
		{"TRUSTED_PROXIES=10.0.0.0/99", "TRUSTED_PROXIES: "},
		{"LOG_LEVEL=loud", `LOG_LEVEL: there is no level "loud"`},
		{"LOG_FORMAT=xml", `LOG_FORMAT: there is no format "xml"`},
		{"INVITATION_HOLD=10", `INVITATION_HOLD: "10" is not a duration`},
		{"INVITATION_HOLD=-1s", "INVITATION_HOLD: "},
		{"INVITATION_DAYS=0", "INVITATION_DAYS: an invitation is good for one day or more"},
		{"INVITATION_DAYS=a week", `INVITATION_DAYS: "a week" is not a number of days`},
		{"INVITATION_DAYS=3", "INVITATION_REMINDER_DAYS: 3 is not less than INVITATION_DAYS, which is 3: choose fewer days, or 0 for no reminder"},
		{"INVITATION_REMINDER_DAYS=7", "INVITATION_REMINDER_DAYS: 7 is not less than INVITATION_DAYS"},
		{"INVITATION_REMINDER_DAYS=-1", "INVITATION_REMINDER_DAYS: "},
		{"MAIL_RATE=0", "MAIL_RATE: "},
		{"MAIL_RATE=NaN", "MAIL_RATE: "},
		{"OUTPOST_DAT=x", "there is no variable OUTPOST_DAT; the nearest one is OUTPOST_DATA"},
		{"OUTPOST_DATABASE_URL=x", "the nearest one is DATABASE_URL"},
		{"OUTPOST_PORT=8080", "the nearest one is PORT"},
	} {
		_, err := readConfig([]string{test.variable}, false)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.variable, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error holds the password", test.variable)
		}
	}
	_, err := readConfig([]string{"LOG_LEVEL=loud", "SECRET_KEY=short", "OUTPOST_X=1"}, false)
	if err == nil || strings.Count(err.Error(), "; ") < 2 {
		t.Errorf("several faults are told as %v", err)
	}
}

func TestServiceLinksOfKubernetesAreNoFaults(t *testing.T) {
	t.Parallel()
	_, err := readConfig([]string{
		"OUTPOST_SERVICE_HOST=10.0.0.1", "OUTPOST_SERVICE_PORT=80", "OUTPOST_SERVICE_PORT_HTTP=80", "OUTPOST_PORT=tcp://10.0.0.1:80", "OUTPOST_PORT_80_TCP=tcp://10.0.0.1:80",
		"OUTPOST_PORT_80_TCP_ADDR=10.0.0.1", "OUTPOST_API_PORT_80_TCP_PROTO=tcp", "OUTPOST_API_SERVICE_HOST=10.0.0.2",
	}, false)
	if err != nil {
		t.Error(err)
	}
}

func TestProductionRolesNameAllThatIsMissing(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"api", "worker", "scheduler"} {
		_, stderr, status := newShell(t).run(role)
		for _, name := range []string{"DATABASE_URL", "SMTP_URL", "PUBLIC_URL", "SECRET_KEY"} {
			if !strings.Contains(stderr, name) {
				t.Errorf("outpost %s does not name %s: %q", role, name, stderr)
			}
		}
		if status != exitError || strings.Count(stderr, "\n") != 1 {
			t.Errorf("outpost %s: exit status %d, standard error %q", role, status, stderr)
		}
	}
	_, stderr, _ := newShell(t, "DATABASE_URL=sqlite:x.db", "SMTP_URL=smtp://mail.test", "PUBLIC_URL=https://outpost.test", "SECRET_KEY=short").run("api")
	if strings.Contains(stderr, "are not set") || !strings.Contains(stderr, "SECRET_KEY: it has 5 bytes and needs 32") {
		t.Errorf("a short SECRET_KEY is told as %q", stderr)
	}
	_, stderr, _ = newShell(t, "DATABASE_URL=sqlite:x.db", "PUBLIC_URL=http://outpost.test", "SECRET_KEY="+strings.Repeat("k", 32)).run("worker")
	if !strings.Contains(stderr, "SMTP_URL (smtp://user:password@host:port) is not set; PUBLIC_URL: it must begin with https://") {
		t.Errorf("a missing and a wrong variable are told as %q", stderr)
	}
}

func TestQueuesAreRead(t *testing.T) {
	t.Parallel()
	chosen, err := parseQueues("revoke, provision:20")
	if err != nil || len(chosen) != 2 || chosen[jobs.Revoke] != 4 || chosen[jobs.Provision] != 20 {
		t.Errorf("read as %v, %v", chosen, err)
	}
	if all, err := parseQueues(""); err != nil || len(all) != len(jobs.Classes) {
		t.Errorf("nothing is read as %v, %v", all, err)
	}
}

func TestGoRunIsRecognised(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/tmp/go-build3748427939/b001/exe/outpost":                                                                true,
		"/home/ada/.cache/go-build/9f/9f2f7b93c368bb69efa33de0e0ca36f18eb1e6ef29885e55241571a48eaf33bf-d/outpost": true,
		`C:\Users\ada\AppData\Local\Temp\go-build12\b001\exe\outpost.exe`:                                         true,
		"/usr/local/bin/outpost": false, "/home/ada/go-build/bin/outpost": false, "/srv/outpost/bin/outpost": false,
	} {
		if madeByGoRun(path) != want {
			t.Errorf("%s: %v, want %v", path, !want, want)
		}
	}
}

func TestWordsArePastedAsTheyAre(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"./bin/outpost": "./bin/outpost", "/home/a b/outpost": "'/home/a b/outpost'", "it's": `'it'\''s'`, "": "''"} {
		if got := quoted(word); got != want {
			t.Errorf("%q is quoted as %s, want %s", word, got, want)
		}
	}
}
