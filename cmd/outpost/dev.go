package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"outpost/jobs"
	"outpost/models"
	"outpost/store"
	"outpost/workspace"
)

func (p *program) devCommand() *cobra.Command {
	var listen, data string
	var demo bool
	cmd := p.command("dev [--listen ADDR] [--data DIR] [--demo]", "Run everything in one process, with nothing to install", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := readConfig(p.environ, false)
		if err != nil {
			return err
		}
		if listen != "" {
			if c.ListenAddr, err = parseAddress(listen); err != nil {
				return wrongUsage("--listen: %v", err)
			}
		}
		f := folder(cmp.Or(data, c.Data))
		release, err := f.claim()
		if err != nil {
			return err
		}
		defer release()
		return p.serve(ctx, c, role{name: "dev", api: true, worker: allClasses(), scheduler: true, embedded: &embeddedMode{
			data: f,
			up:   func(ctx context.Context, r running) error { return p.greet(ctx, r, c, f, demo) },
		}})
	})
	cmd.Long = `Run the API, the workers and the scheduler in one process: a SQLite file in the data folder, a Redis inside the process
and a mailbox at /dev/mail. DATABASE_URL, REDIS_URL and SMTP_URL are used where they are set.`
	cmd.Flags().StringVar(&listen, "listen", "", "`address` to serve on (default LISTEN_ADDR, else "+defaultListenAddr+")")
	cmd.Flags().StringVar(&data, "data", "", "`folder` that everything is kept in (default OUTPOST_DATA, else ./outpost-data)")
	cmd.Flags().BoolVar(&demo, "demo", false, "make the workspace Acme with an Okta connection, and print a command that plays Okta")
	return cmd
}

func allClasses() map[jobs.Class]int {
	all := map[jobs.Class]int{}
	for _, c := range jobs.Classes {
		all[c.Class] = c.Concurrency
	}
	return all
}

// prepare completes the configuration with what the folder keeps, and keeps what is new. It tells which database to use.
func (e *embeddedMode) prepare(c *config, url string) (databaseURL string, err error) {
	k, err := e.data.read()
	if err != nil {
		return "", err
	}
	before := k
	k.PublicURL = cmp.Or(c.PublicURL, publicURL(url))
	if k.SecretKey == "" {
		k.SecretKey = makeSecret()
	}
	k.Database = fingerprint(c.DatabaseURL)
	if k != before {
		if err := e.data.write(k); err != nil {
			return "", err
		}
	}
	c.PublicURL, c.SecretKey = k.PublicURL, cmp.Or(c.SecretKey, k.SecretKey)
	return cmp.Or(c.DatabaseURL, "sqlite:"+e.data.database()), nil
}

// greet tells what runs and where, and what to do next.
func (p *program) greet(ctx context.Context, r running, c config, f folder, demo bool) error {
	var b strings.Builder
	b.WriteString("\nOutpost is running; Ctrl-C stops it.\n\n")
	row := func(name, value string) { fmt.Fprintf(&b, "  %-15s %s\n", name, value) }
	row("Dashboard", r.publicURL+"/")
	if c.SMTPURL == "" {
		row("Mailbox", r.publicURL+"/dev/mail")
	}
	row("Queues", r.publicURL+"/monitoring")
	row("Metrics", r.metrics+"/metrics")
	row("Data", string(f))
	var d demonstration
	if demo {
		var err error
		if d, err = openDemo(ctx, r); err != nil {
			return err
		}
	}
	if link, who, err := anOwnersLink(ctx, r); err != nil {
		return err
	} else if link != "" {
		fmt.Fprintf(&b, "\nSign in as %s, once and within 15 minutes:\n\n  %s\n", who, link)
	}
	if demo {
		fmt.Fprintf(&b, "\nThe workspace %s of %s has a connection to Okta:\n\n", d.workspace.Name, demoOwner)
		row("SCIM base URL", d.baseURL)
		row("Bearer token", d.token)
		b.WriteString("\nPlay Okta's part from a second terminal:\n\n")
		fmt.Fprintf(&b, "  %s simulate okta --url %s --token %s --users 1000 --group \"Engineering\"\n", p.called, d.baseURL, d.token)
		b.WriteString("\nand see what came of it:\n\n")
		fmt.Fprintf(&b, "  %s verify --workspace %s%s\n\n", p.called, d.workspace.Slug, dataArgument(f))
	} else {
		b.WriteString("\nMake a workspace and connect it, from a second terminal:\n\n")
		fmt.Fprintf(&b, "  %s workspace create --name Acme --owner you@example.com --plan enterprise%s\n", p.called, dataArgument(f))
		fmt.Fprintf(&b, "  %s connection create --workspace acme --provider okta%s\n\n", p.called, dataArgument(f))
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

// anOwnersLink makes a sign-in link for an owner of the newest workspace, "" where there is none.
func anOwnersLink(ctx context.Context, r running) (link, who string, err error) {
	all, err := r.store.Workspaces(ctx)
	if err != nil || len(all) == 0 {
		return "", "", err
	}
	m, err := r.store.FirstOwner(ctx, all[0].ID)
	if models.Is(err, models.NotFound) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	link, err = printLink(ctx, r.store, r.publicURL, m)
	return link, m.Email + " of " + all[0].Name, err
}

// dataArgument is the --data that a command in another terminal needs to find the folder, "" for none.
func dataArgument(f folder) string {
	if f == defaultData {
		return ""
	}
	return " --data " + quoted(string(f))
}

// The demo's workspace.
const (
	demoName    = "Acme"
	demoSlug    = "acme"
	demoOwner   = "owner@acme.test"
	demoSetting = "demo.connection" // the id of its connection
)

// demonstration is a connection to play with.
type demonstration struct {
	workspace models.Workspace
	baseURL   string
	token     string
}

// openDemo makes the demo's workspace and connection where they are missing, and gives the connection a fresh token.
func openDemo(ctx context.Context, r running) (d demonstration, err error) {
	d.workspace, err = r.store.WorkspaceBySlug(ctx, demoSlug)
	if models.Is(err, models.NotFound) {
		d.workspace, err = workspace.Create(ctx, r.store, demoName, demoOwner, models.PlanEnterprise, time.Now())
	}
	if err != nil {
		return d, err
	}
	id, err := r.store.Setting(ctx, demoSetting)
	if err != nil {
		return d, err
	}
	if id != "" {
		c, err := r.store.Connection(ctx, id)
		if err == nil && c.Status != models.ConnectionDeleted {
			issued, err := r.directory.RotateToken(ctx, c, false, actor)
			d.baseURL, d.token = scimBaseURL(r.publicURL, c.ID), issued.Token
			return d, err
		}
		if err != nil && !models.Is(err, models.NotFound) {
			return d, err
		}
	}
	issued, err := r.directory.CreateConnection(ctx, d.workspace, models.ProviderOkta, actor)
	if err != nil {
		return d, err
	}
	d.baseURL, d.token = scimBaseURL(r.publicURL, issued.Connection.ID), issued.Token
	return d, r.store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(demoSetting, issued.Connection.ID) })
}

// invocation is how this program is called from the user's shell.
func invocation() string {
	path, err := os.Executable()
	if err == nil && madeByGoRun(path) {
		if _, err := os.Stat(filepath.FromSlash("cmd/outpost/dev.go")); err == nil {
			return "go run ./cmd/outpost"
		}
		return "go run outpost/cmd/outpost"
	}
	typed := os.Args[0]
	if _, err := exec.LookPath(typed); err != nil && path != "" {
		typed = path
	}
	return quoted(typed)
}

// goRun matches where go run puts the program: a folder of its own, or the build cache.
var goRun = regexp.MustCompile(`[/\\](go-build\d+[/\\]b\d+[/\\]exe|[0-9a-f]{64}-d)[/\\][^/\\]+$`)

func madeByGoRun(path string) bool { return goRun.MatchString(path) }

// plainWord needs no quotes in any shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quoted is a word as it can be pasted into a shell.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
