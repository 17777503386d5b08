package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"outpost/jobs"
	"outpost/mail"
	"outpost/models"
	"outpost/store"
)

func (p *program) doctorCommand() *cobra.Command {
	var data string
	cmd := p.command("doctor", "Check the configuration and what it names, and say what to do", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		d := &doctor{p: p}
		d.examine(ctx, data)
		switch {
		case d.err != nil:
			return d.err
		case d.wrong == 1:
			return errors.New("one thing is wrong: the line above says what to do")
		case d.wrong > 1:
			return fmt.Errorf("%d things are wrong: the lines above say what to do", d.wrong)
		}
		return nil
	})
	cmd.Long = "Check the configuration, the database, Redis and the mail server. Each line says ok or what to do; nothing is changed.\nThe exit status is 1 when anything is wrong."
	dataFlag(cmd, &data)
	return cmd
}

// doctor looks at one thing after another, each in a line.
type doctor struct {
	p     *program
	wrong int
	err   error // standard output is gone
}

func (d *doctor) line(mark, what, text string) {
	if _, err := fmt.Fprintf(d.p.stdout, "%-5s  %-13s  %s\n", mark, what, printable(text)); err != nil {
		d.err = err
	}
}

func (d *doctor) ok(what, format string, args ...any) {
	d.line("ok", what, fmt.Sprintf(format, args...))
}
func (d *doctor) note(what, format string, args ...any) {
	d.line("-", what, fmt.Sprintf(format, args...))
}
func (d *doctor) bad(what, format string, args ...any) {
	d.wrong++
	d.line("WRONG", what, fmt.Sprintf(format, args...))
}

// patience is how long one of the things named in the configuration may take to answer.
const patience = 10 * time.Second

func (d *doctor) examine(ctx context.Context, data string) {
	c, faults := parseConfig(d.p.environ)
	at, located := c.locate(data)
	production := c.DatabaseURL != "" && at.url == c.DatabaseURL
	for _, f := range faults {
		d.bad("configuration", "%s", f)
	}
	if missing := c.missing(); production && len(missing) > 0 {
		d.bad("configuration", "%s: api, worker and scheduler do not start", missingSentence(missing))
	} else if len(faults) == 0 {
		d.ok("configuration", "complete for %s", map[bool]string{true: "api, worker and scheduler", false: "dev"}[production])
	}
	if located != nil {
		d.bad("database", "%s", sentence(located))
	} else {
		d.database(ctx, at.url, production)
	}
	d.redis(ctx, c)
	d.mail(ctx, c, production)
}

func (d *doctor) database(ctx context.Context, url string, production bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if path, isFile := cutSQLite(url); isFile {
		if _, err := os.Stat(path); err != nil { // opening it would make it
			d.bad("database", "there is no file %s: run 'outpost migrate' first", path)
			return
		}
	}
	s, err := store.Open(ctx, url, store.Options{MaxConns: 2})
	if err != nil {
		d.bad("database", "%s: check the address in DATABASE_URL, and that the server runs", sentence(err))
		return
	}
	defer s.Close()
	if path, isFile := cutSQLite(url); isFile {
		d.ok("database", "SQLite, %s", path)
	} else {
		d.ok("database", "Postgres answers")
	}
	if err := s.CheckSchema(ctx); err != nil {
		d.bad("schema", "%s", detail(err))
	} else {
		d.ok("schema", "the one that this version needs")
	}
	if err := s.CheckDurability(ctx); err != nil {
		d.bad("durability", "%s", detail(err))
	} else {
		d.ok("durability", "a commit is on disk before it is acknowledged")
	}
	if s.Embedded() && production {
		d.note("database", "SQLite serves one machine only: use Postgres for more")
	}
}

func (d *doctor) redis(ctx context.Context, c config) {
	if c.RedisURL == "" {
		d.note("Redis", "REDIS_URL is not set: dev brings a Redis of its own, and workers ask the database")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := jobs.Connect(c.RedisURL)
	if err != nil {
		d.bad("Redis", "%s", sentence(err))
		return
	}
	defer client.Close()
	version, err := client.CheckServer(ctx)
	var known *models.Error
	switch {
	case err == nil:
		d.ok("Redis", "it answers: version %s, and it drops no keys", version)
	case errors.As(err, &known):
		d.bad("Redis", "%s", known.Detail)
	default:
		d.bad("Redis", "it cannot be reached (%s): check REDIS_URL, and that the server runs; meanwhile workers ask the database", sentence(err))
	}
}

func (d *doctor) mail(ctx context.Context, c config, production bool) {
	if c.SMTPURL == "" {
		if !production {
			d.note("mail", "SMTP_URL is not set: dev keeps all mail in its mailbox")
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := mail.Check(ctx, c.SMTPURL); err != nil {
		d.bad("mail", "%s: check SMTP_URL", sentence(err))
		return
	}
	d.ok("mail", "the mail server takes us; mail is from %s", c.from())
}

// detail is the sentence of an error, without the cause that only we understand.
func detail(err error) string {
	var known *models.Error
	if errors.As(err, &known) {
		return known.Detail
	}
	return sentence(err)
}
