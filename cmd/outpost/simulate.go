package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"outpost/simulator"
)

func (p *program) simulateCommand() *cobra.Command {
	return p.group("simulate", "Play an identity provider against a connection", p.simulateOkta())
}

func (p *program) simulateOkta() *cobra.Command {
	var url, token, style string
	var plan simulator.Plan
	cmd := p.command("okta --url BASE --token T [--users N] [--group NAME] [--unassign N] [--style put|patch] [--concurrency C]", "Assign people and push a group as Okta does", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		kind, err := simulator.ParseStyle(style)
		if err != nil {
			return wrongUsage("--style: %v", err)
		}
		if plan.Users < 0 || plan.Concurrency < 1 {
			return wrongUsage("--users must not be negative, and --concurrency must be 1 or more")
		}
		if plan.Deactivate < 0 || plan.Deactivate > plan.Users {
			return wrongUsage("--unassign must be between 0 and --users: those who are unassigned are the last of them")
		}
		okta, err := simulator.New(url, token, kind)
		if err != nil {
			return wrongUsage("%v", err)
		}
		observe, end := progress(p.stderr)
		report, err := okta.Run(ctx, plan, observe)
		end()
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = errors.New("stopped before the end")
		}
		if report.BaseURL != "" {
			err = errors.Join(err, report.Print(p.stdout))
		}
		return err
	})
	cmd.Long = `Assign people to an Okta app and push a group with all of them in it, sending what Okta sends. The people are always the
same: a second run finds and updates those of the first. --unassign takes the app away from the last of them again. --users 0 only tests the connection.`
	cmd.Flags().StringVar(&url, "url", "", "SCIM base `URL` of the connection")
	cmd.Flags().StringVar(&token, "token", "", "bearer `token` of the connection")
	cmd.Flags().IntVar(&plan.Users, "users", 10, "`number` of people to assign")
	cmd.Flags().StringVar(&plan.Group, "group", "", "`name` of a group to push with all of them in it")
	cmd.Flags().IntVar(&plan.Deactivate, "unassign", 0, "`number` of these people, the last ones, who are unassigned at the end")
	cmd.Flags().StringVar(&style, "style", "put", "`put` as an app made with Okta's wizard does, or patch as one from its integration network")
	cmd.Flags().IntVar(&plan.Concurrency, "concurrency", 10, "`number` of people who are assigned at once")
	requireFlags(cmd, "url", "token")
	return cmd
}

// progress shows how a run goes on: a bar on a terminal, elsewhere a line every few seconds. end ends it.
func progress(w io.Writer) (observe simulator.Observer, end func()) {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return bars(w)
	}
	return lines(w, 3*time.Second)
}

// bars shows a bar for each phase.
func bars(w io.Writer) (observe simulator.Observer, end func()) {
	var bar *progressbar.ProgressBar
	var phase string
	end = func() {
		if bar != nil {
			_ = bar.Exit() // a bar that cannot be drawn is no reason to fail
			fmt.Fprintln(w)
		}
	}
	observe = func(at simulator.Progress) {
		if at.Phase != phase {
			end()
			phase = at.Phase
			bar = progressbar.NewOptions(at.Total,
				progressbar.OptionSetWriter(w),
				progressbar.OptionSetWidth(30),
				progressbar.OptionSetTheme(progressbar.ThemeASCII),
				progressbar.OptionShowCount(),
				progressbar.OptionShowIts(),
				progressbar.OptionSetItsString("steps"),
				progressbar.OptionSetPredictTime(at.Total > 1),
				progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionSetRenderBlankState(true),
			)
		}
		text := fmt.Sprintf("%-15s", at.Phase)
		if at.Failed > 0 {
			text += fmt.Sprintf(" (%d failed)", at.Failed)
		}
		bar.Describe(text)
		_ = bar.Set(at.Done + at.Failed)
	}
	return observe, end
}

// lines says every so often where the run stands.
func lines(w io.Writer, every time.Duration) (observe simulator.Observer, end func()) {
	var mu sync.Mutex
	var at simulator.Progress
	var began time.Time
	stop := background(context.Background(), func(ctx context.Context) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				mu.Lock()
				fmt.Fprintln(w, standing(at, time.Since(began)))
				mu.Unlock()
			}
		}
	})
	return func(p simulator.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if p.Phase != at.Phase {
			began = time.Now()
		}
		at = p
	}, stop
}

// standing is where a phase stands after a while: how much, how fast, how much longer.
func standing(at simulator.Progress, since time.Duration) string {
	done := at.Done + at.Failed
	text := fmt.Sprintf("%s: %d of %d", at.Phase, done, at.Total)
	if at.Failed > 0 {
		text += fmt.Sprintf(" (%d failed)", at.Failed)
	}
	if rate := float64(done) / since.Seconds(); done > 0 && rate > 0 {
		text += fmt.Sprintf(", %.1f a second", rate)
		if left := at.Total - done; left > 0 {
			text += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
		}
	}
	return text
}
