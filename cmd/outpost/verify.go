package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"outpost/models"
	"outpost/store"
)

func (p *program) verifyCommand() *cobra.Command {
	var slug, data string
	var asJSON bool
	cmd := p.command("verify --workspace SLUG", "Compare a workspace with its directory in full", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		db, w, err := p.openWorkspace(ctx, data, slug)
		if err != nil {
			return err
		}
		defer db.Close()
		found, err := db.Compare(ctx, w.ID)
		if err != nil {
			return err
		}
		out := verdict{InSync: len(found.Differences) == 0, OpenOperations: found.Open, HeldOperations: found.Held, Differences: found.Differences}
		if asJSON {
			err = printJSON(p.stdout, out)
		} else {
			err = p.printVerdict(w, out)
		}
		if err != nil {
			return err
		}
		return out.err(w)
	})
	cmd.Long = `Compare a workspace with its directory in full, in one snapshot: every person's existence, status, name and e-mail, every
team, its name and its members. The exit status is 0 when nothing differs and nothing is open, else 1.`
	cmd.Flags().StringVar(&slug, "workspace", "", "`slug` of the workspace")
	requireFlags(cmd, "workspace")
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}

// verdict is what verify found.
type verdict struct {
	InSync         bool               `json:"in_sync"`
	OpenOperations int                `json:"open_operations"`
	HeldOperations int                `json:"held_operations"`
	Differences    []store.Difference `json:"differences"`
}

// err says why the workspace is not done, nil when it is.
func (v verdict) err(w models.Workspace) error {
	var reasons []string
	if n := len(v.Differences); n > 0 {
		reasons = append(reasons, plural(n, "difference"))
	}
	if v.OpenOperations > 0 {
		reasons = append(reasons, plural(v.OpenOperations, "open operation"))
	}
	if len(reasons) == 0 {
		return nil
	}
	return fault(models.Stale, "the workspace %s has %s", w.Slug, strings.Join(reasons, " and "))
}

// printVerdict shows the verdict to people.
func (p *program) printVerdict(w models.Workspace, v verdict) error {
	head := "is in sync with its directory"
	if !v.InSync {
		head = "is not in sync with its directory"
	}
	_, err := fmt.Fprintf(p.stdout, "The workspace %s %s: %s, %s, %s.\n", w.Slug, head,
		plural(len(v.Differences), "difference"), plural(v.OpenOperations, "open operation"), plural(v.HeldOperations, "held operation"))
	if err != nil {
		return err
	}
	if v.OpenOperations > 0 {
		fmt.Fprintln(p.stdout, "Work is under way: mails wait a few seconds on purpose, and leave at a pace. Ask again in a moment.")
	}
	if len(v.Differences) == 0 {
		return nil
	}
	var rows [][]string
	for _, d := range v.Differences[:min(len(v.Differences), mostDifferences)] {
		rows = append(rows, []string{d.Kind, d.ResourceID, cmp.Or(d.Want, "-"), cmp.Or(d.Have, "-")})
	}
	fmt.Fprintln(p.stdout)
	if err := printTable(p.stdout, []string{"what", "scim id", "directory", "workspace"}, rows, ""); err != nil {
		return err
	}
	if rest := len(v.Differences) - len(rows); rest > 0 {
		_, err = fmt.Fprintf(p.stdout, "… and %d more; --json lists them all.\n", rest)
	}
	return err
}

// mostDifferences is how many differences people are shown.
const mostDifferences = 20
