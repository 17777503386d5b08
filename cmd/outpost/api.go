package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// linger is how long the API still serves after /readyz has begun to fail, for whoever distributes requests to notice.
const linger = 2 * time.Second

func (p *program) apiCommand() *cobra.Command {
	cmd := p.command("api", "Serve SCIM and the dashboard on LISTEN_ADDR", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := readConfig(p.environ, true)
		if err != nil {
			return err
		}
		return p.serve(ctx, c, role{name: "api", api: true, linger: linger})
	})
	cmd.Long = "Serve SCIM and the dashboard on LISTEN_ADDR; health, metrics and the queues on METRICS_ADDR. Any number may run."
	return cmd
}
