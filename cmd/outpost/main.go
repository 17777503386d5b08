// Command outpost is Outpost Directory Sync: one binary with every role and every tool of the operator.
// It never decides anything about people or groups: it reads the configuration, puts the parts together and runs them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"outpost/models"
)

// The exit statuses.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	cobra.EnableCommandSorting = false // one for the process; help shows the commands as root lists them
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the process at once
	os.Exit(run(ctx, invocation(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// program is one run of the command.
type program struct {
	called  string // how to call it again
	environ []string
	stdout  io.Writer // the result and nothing else
	stderr  io.Writer
	began   bool // the command line was understood
}

// run runs the command line args until it is done or ctx ends, and returns the exit status.
func run(ctx context.Context, called string, args, environ []string, stdout, stderr io.Writer) int {
	p := &program{called: called, environ: environ, stdout: stdout, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var wrong *usageError
	switch {
	case err == nil:
		return exitOK
	case !p.began || errors.As(err, &wrong):
		fmt.Fprintf(stderr, "outpost: %s (see '%s --help')\n", sentence(err), cmd.CommandPath())
		return exitUsage
	default:
		fmt.Fprintf(stderr, "outpost: %s\n", sentence(err))
		return exitError
	}
}

// usageError is a command line that cannot be carried out as it stands.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func wrongUsage(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// sentence is an error on one line. Some drivers write theirs over several.
func sentence(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

func (p *program) root() *cobra.Command {
	root := p.group("outpost", "Outpost Directory Sync: users and groups from an identity provider, by SCIM 2.0",
		p.devCommand(),
		p.apiCommand(),
		p.workerCommand(),
		p.schedulerCommand(),
		p.migrateCommand(),
		p.workspaceCommand(),
		p.connectionCommand(),
		p.operationsCommand(),
		p.ssoCommand(),
		p.membersCommand(),
		p.verifyCommand(),
		p.simulateCommand(),
		p.doctorCommand(),
		p.versionCommand(),
	)
	root.Long = root.Short + ".\n\n'outpost dev --demo' runs the whole product in one process; it needs nothing else."
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

// group is a command that only holds others.
func (p *program) group(use, short string, commands ...*cobra.Command) *cobra.Command {
	// Flags of a command that is none are let through, so that the error is about the command.
	g := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true}}
	g.AddCommand(commands...)
	g.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, c := range commands {
			names = append(names, c.Name())
		}
		known := strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
		if len(names) == 1 {
			known = names[0]
		}
		if len(args) == 0 {
			return wrongUsage("a command is missing: use %s", known)
		}
		return wrongUsage("there is no command %q: use %s", strings.TrimPrefix(cmd.CommandPath()+" ", "outpost ")+args[0], known)
	}
	return g
}

// command is a command that does something.
func (p *program) command(use, short string, args cobra.PositionalArgs, do func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, DisableFlagsInUseLine: true, RunE: func(cmd *cobra.Command, args []string) error {
		p.began = true
		return do(cmd.Context(), args)
	}}
}

// fault is an error of ours with a sentence for the operator.
func fault(code models.Code, format string, args ...any) error {
	return &models.Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}
