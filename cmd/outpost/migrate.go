package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"outpost/store"
)

func (p *program) migrateCommand() *cobra.Command {
	var data string
	cmd := p.command("migrate", "Bring the database's schema up to date", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := readConfig(p.environ, false)
		if err != nil {
			return err
		}
		at, err := c.locate(data)
		if err != nil {
			return err
		}
		s, err := store.Open(ctx, at.url, store.Options{MaxConns: 4})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Migrate(ctx); err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.stdout, "The database's schema is up to date.")
		return err
	})
	cmd.Long = "Bring the schema of DATABASE_URL up to date. Run it before a new version starts; the old version may go on meanwhile."
	dataFlag(cmd, &data)
	return cmd
}
