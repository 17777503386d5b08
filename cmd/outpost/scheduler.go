package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (p *program) schedulerCommand() *cobra.Command {
	cmd := p.command("scheduler", "Run the clock: publish again what was lost, expire, prune", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := readConfig(p.environ, true)
		if err != nil {
			return err
		}
		return p.serve(ctx, c, role{name: "scheduler", scheduler: true})
	})
	cmd.Long = "Run the clock: publish again what was lost, expire invitations, prune. One is enough; any number may run."
	return cmd
}
