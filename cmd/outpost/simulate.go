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
	return p.group("simulate", "Play an identity provider against a connection",
		p.simulateOkta(), p.simulateEntra(), p.simulateOneLogin(), p.simulateJumpCloud())
}

func (p *program) simulateOkta() *cobra.Command {
	var style string
	var plan simulator.Plan
	cmd := p.simulate("okta --url BASE --token T [--users N] [--group NAME] [--unassign N] [--style put|patch] [--concurrency C]", "Assign people and push a group as Okta does", &plan, func(url, token string) (player, error) {
		kind, err := simulator.ParseStyle(style)
		if err != nil {
			return nil, fmt.Errorf("--style: %w", err)
		}
		return simulator.New(url, token, kind)
	})
	cmd.Long = `Assign people to an Okta app and push a group with all of them in it, sending what Okta sends. The people are always the
same: a second run finds and updates those of the first. --unassign takes the app away from the last of them again. --users 0 only tests the connection.`
	cmd.Flags().StringVar(&style, "style", "put", "`put` as an app made with Okta's wizard does, or patch as one from its integration network")
	return cmd
}

func (p *program) simulateEntra() *cobra.Command {
	var compliant, hard bool
	var plan simulator.Plan
	cmd := p.simulate("entra --url BASE --token T [--users N] [--update N] [--group NAME] [--unassign N] [--delete] [--compliant] [--concurrency C]", "Provision people and a group as Microsoft Entra ID does", &plan, func(url, token string) (player, error) {
		entra, err := simulator.NewEntra(url, token, compliant)
		if err != nil {
			return nil, err
		}
		entra.HardDelete = hard
		return entra, nil
	})
	cmd.Long = `Provision people and a group with all of them in it, sending what an enterprise application of Microsoft Entra ID
sends: it looks for everybody, creates who is missing, and patches what differs of the others. The people are always
the same: a second run finds those of the first. --unassign takes the last of them out of the group and disables them.
--users 0 is Entra's Test Connection alone.

Without --compliant a PATCH has the shape of Entra's own: capitalised operations, "True" and "False" as text, members
removed by a list. A --url that ends in ?aadOptscim062020, as in Entra's Tenant URL, says --compliant as well.`
	updates(cmd, &plan)
	cmd.Flags().BoolVar(&compliant, "compliant", false, "send each PATCH as the standard has it, as Entra does with aadOptscim062020 in its Tenant URL")
	cmd.Flags().BoolVar(&hard, "delete", false, "delete those who were unassigned, as Entra does later, and look whether they are gone")
	return cmd
}

func (p *program) simulateOneLogin() *cobra.Command {
	var leaver string
	var old bool
	var plan simulator.Plan
	cmd := p.simulate("onelogin --url BASE --token T [--users N] [--update N] [--group NAME] [--unassign N] [--leaver suspend|delete] [--old-template] [--concurrency C]", "Assign people and push a group as OneLogin does", &plan, func(url, token string) (player, error) {
		kind, err := simulator.ParseLeaver(leaver)
		if err != nil {
			return nil, fmt.Errorf("--leaver: %w", err)
		}
		oneLogin, err := simulator.NewOneLogin(url, token, kind)
		if err != nil {
			return nil, err
		}
		oneLogin.OldTemplate = old
		return oneLogin, nil
	})
	cmd.Long = `Assign people to a OneLogin app and push a group with all of them in it, sending what OneLogin sends: a look-up of
everybody, and the admin's JSON template filled in. The people are always the same: a second run finds and updates those
of the first. --unassign takes the app away from the last of them again; --leaver says what OneLogin does about them.
--users 0 only probes the base URL, as Enable in OneLogin does: whatever answers is taken for alive, but for 401, 403
and 5xx.`
	updates(cmd, &plan)
	cmd.Flags().StringVar(&leaver, "leaver", "suspend", "`suspend` those who were unassigned, or delete them")
	cmd.Flags().BoolVar(&old, "old-template", false, "declare urn:scim:schemas:core:1.0 in every user, as old templates do")
	return cmd
}

func (p *program) simulateJumpCloud() *cobra.Command {
	var plan simulator.Plan
	cmd := p.simulate("jumpcloud --url BASE --token T [--users N] [--update N] [--group NAME] [--unassign N] [--concurrency C]", "Assign people and push a group as JumpCloud does", &plan, func(url, token string) (player, error) {
		return simulator.NewJumpCloud(url, token)
	})
	cmd.Long = `Assign people to a JumpCloud application and push a group with all of them in it, sending what JumpCloud sends. It
begins with an activation: a test user and a test group are created, deleted, and must be gone. The people are always the
same: a second run finds and updates those of the first. --unassign takes the last of them out of the group and
deactivates them. --users 0 only activates.`
	updates(cmd, &plan)
	return cmd
}

// player is a provider that plays a plan.
type player interface {
	Run(context.Context, simulator.Plan, simulator.Observer) (simulator.Report, error)
}

// simulate is a command that plays a provider, with the flags that all of them have. An error of begin is one of usage.
func (p *program) simulate(use, short string, plan *simulator.Plan, begin func(url, token string) (player, error)) *cobra.Command {
	var url, token string
	cmd := p.command(use, short, cobra.NoArgs, func(ctx context.Context, _ []string) error {
		if plan.Users < 0 || plan.Concurrency < 1 {
			return wrongUsage("--users must not be negative, and --concurrency must be 1 or more")
		}
		if plan.Update < 0 {
			return wrongUsage("--update must not be negative")
		}
		if plan.Deactivate < 0 || plan.Deactivate > plan.Users {
			return wrongUsage("--unassign must be between 0 and --users: those who are unassigned are the last of them")
		}
		provider, err := begin(url, token)
		if err != nil {
			return wrongUsage("%v", err)
		}
		observe, end := progress(p.stderr)
		report, err := provider.Run(ctx, *plan, observe)
		end()
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = errors.New("stopped before the end")
		}
		if report.BaseURL != "" {
			err = errors.Join(err, report.Print(p.stdout))
		}
		return err
	})
	cmd.Flags().StringVar(&url, "url", "", "SCIM base `URL` of the connection")
	cmd.Flags().StringVar(&token, "token", "", "bearer `token` of the connection")
	cmd.Flags().IntVar(&plan.Users, "users", 10, "`number` of people to assign")
	cmd.Flags().StringVar(&plan.Group, "group", "", "`name` of a group to push with all of them in it")
	cmd.Flags().IntVar(&plan.Deactivate, "unassign", 0, "`number` of these people, the last ones, who are unassigned at the end")
	cmd.Flags().IntVar(&plan.Concurrency, "concurrency", 10, "`number` of people who are assigned at once")
	requireFlags(cmd, "url", "token")
	return cmd
}

// updates lets some of the people change jobs.
func updates(cmd *cobra.Command, plan *simulator.Plan) {
	cmd.Flags().IntVar(&plan.Update, "update", 1, "`number` of these people, the first ones, who change jobs once they are assigned")
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
