package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"outpost/directory"
	"outpost/models"
	"outpost/outbox"
)

func (p *program) operationsCommand() *cobra.Command {
	return p.group("operations", "See what was done, and run again what failed", p.operationsList(), p.operationsRetry())
}

func (p *program) operationsList() *cobra.Command {
	var slug, state, data string
	var limit int
	var asJSON bool
	cmd := p.command("list --workspace SLUG [--state S] [--limit N]", "List the operations of a workspace, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		if s := models.OperationState(state); s != "" && !s.Valid() {
			return wrongUsage("there is no state %q: choose pending, running, done, superseded, held or failed", state)
		}
		if limit < 0 {
			return wrongUsage("--limit must not be negative")
		}
		db, w, err := p.openWorkspace(ctx, data, slug)
		if err != nil {
			return err
		}
		defer db.Close()
		ops, err := db.Operations(ctx, w.ID, models.OperationState(state), limit)
		if err != nil {
			return err
		}
		type line struct {
			ID           string                `json:"id"`
			Kind         models.Kind           `json:"kind"`
			ResourceType string                `json:"resource_type"`
			ResourceID   string                `json:"resource_id"`
			State        models.OperationState `json:"state"`
			Attempts     int                   `json:"attempts"`
			Error        string                `json:"error"`
			CreatedAt    time.Time             `json:"created_at"`
			FinishedAt   *time.Time            `json:"finished_at"`
		}
		var lines []line
		var rows [][]string
		for _, op := range ops {
			lines = append(lines, line{op.ID, op.Kind, op.ResourceType, op.ResourceID, op.State, op.Attempts, op.Error, op.CreatedAt.UTC(), utc(op.FinishedAt)})
			rows = append(rows, []string{op.ID, string(op.Kind), op.ResourceID, string(op.State), fmt.Sprint(op.Attempts), moment(op.CreatedAt), op.Error})
		}
		if asJSON {
			return printJSON(p.stdout, lines...)
		}
		return printTable(p.stdout, []string{"id", "kind", "scim id", "state", "failures", "created (UTC)", "note"}, rows, "There are no such operations.")
	})
	cmd.Flags().StringVar(&slug, "workspace", "", "`slug` of the workspace")
	cmd.Flags().StringVar(&state, "state", "", "only those in this `state`: pending, running, done, superseded, held or failed")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `N`; 0 lists all")
	requireFlags(cmd, "workspace")
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}

func (p *program) operationsRetry() *cobra.Command {
	var slug, data string
	var allFailed bool
	cmd := p.command("retry ID… | --all-failed --workspace SLUG", "Run failed operations again", cobra.ArbitraryArgs, func(ctx context.Context, ids []string) error {
		switch {
		case allFailed && len(ids) > 0:
			return wrongUsage("give ids or --all-failed, not both")
		case allFailed && slug == "":
			return wrongUsage("--all-failed needs --workspace")
		case !allFailed && len(ids) == 0:
			return wrongUsage("give the ids of failed operations, or --all-failed with --workspace")
		}
		for _, id := range ids {
			if !directory.IsID(id) {
				return wrongUsage("%q is not the id of an operation: 'outpost operations list' shows the ids", id)
			}
		}
		db, err := p.open(ctx, data)
		if err != nil {
			return err
		}
		defer db.Close()
		wanted := map[string][]string{} // ids by workspace; nil is all that failed
		if slug != "" {
			w, err := db.workspace(ctx, slug)
			if err != nil {
				return err
			}
			wanted[w.ID] = nil
		}
		for _, id := range ids {
			op, err := db.Operation(ctx, id)
			if err != nil {
				return err
			}
			if _, known := wanted[op.WorkspaceID]; slug != "" && !known {
				return fault(models.NotFound, "the operation %s does not exist in the workspace %s", id, slug)
			}
			if op.State != models.OperationFailed {
				return fault(models.Stale, "the operation %s is %s: only failed operations can be retried", id, op.State)
			}
			if !slices.Contains(wanted[op.WorkspaceID], id) {
				wanted[op.WorkspaceID] = append(wanted[op.WorkspaceID], id)
			}
		}
		box := outbox.New(db.Store, nil, slog.New(slog.DiscardHandler)) // whoever runs publishes them
		retried := 0
		for workspaceID, chosen := range wanted {
			ops, err := box.Retry(ctx, workspaceID, chosen)
			if err != nil {
				return err
			}
			retried += len(ops)
		}
		if retried == 0 {
			_, err = fmt.Fprintln(p.stdout, "No operation has failed: there is nothing to run again.")
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "%s will run again.\n", plural(retried, "operation"))
		return err
	})
	cmd.Flags().BoolVar(&allFailed, "all-failed", false, "every failed operation of --workspace")
	cmd.Flags().StringVar(&slug, "workspace", "", "`slug` of the workspace")
	dataFlag(cmd, &data)
	return cmd
}
