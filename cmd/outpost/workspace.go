package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"outpost/models"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

func (p *program) workspaceCommand() *cobra.Command {
	return p.group("workspace", "Make and list workspaces", p.workspaceCreate(), p.workspaceList(), p.workspaceSetPlan())
}

func (p *program) workspaceCreate() *cobra.Command {
	var name, owner, plan, data string
	var asJSON bool
	cmd := p.command("create --name N --owner EMAIL --plan enterprise|team", "Make a workspace with its first owner", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		chosen, err := parsePlan(plan)
		if err != nil {
			return err
		}
		db, err := p.open(ctx, data)
		if err != nil {
			return err
		}
		defer db.Close()
		base, err := db.base()
		if err != nil {
			return err
		}
		w, err := workspace.Create(ctx, db.Store, name, owner, chosen, time.Now())
		if err != nil {
			return err
		}
		first, err := db.FirstOwner(ctx, w.ID)
		if err != nil {
			return err
		}
		link, err := printLink(ctx, db.Store, base, first)
		if err != nil {
			return err
		}
		out := struct {
			ID         string      `json:"id"`
			Slug       string      `json:"slug"`
			Name       string      `json:"name"`
			Plan       models.Plan `json:"plan"`
			OwnerEmail string      `json:"owner_email"`
			SignInURL  string      `json:"sign_in_url"`
		}{w.ID, w.Slug, w.Name, w.Plan, owner, link}
		if asJSON {
			return printJSON(p.stdout, out)
		}
		return printFacts(p.stdout, "The workspace "+w.Name+" is there.", [][2]string{
			{"Slug", w.Slug}, {"Plan", string(w.Plan)}, {"Owner", owner}, {"Sign in", out.SignInURL}, {"ID", w.ID},
		})
	})
	cmd.Flags().StringVar(&name, "name", "", "`name` of the workspace")
	cmd.Flags().StringVar(&owner, "owner", "", "`e-mail` address of its first owner, who is active at once")
	cmd.Flags().StringVar(&plan, "plan", "", "`plan`: enterprise (with Directory Sync) or team")
	requireFlags(cmd, "name", "owner", "plan")
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}

// printLink makes a link that signs a member in, once and in any browser, within 15 minutes.
func printLink(ctx context.Context, s *store.Store, base string, m models.Member) (string, error) {
	link, token := sso.PrintedLink(m, time.Now())
	err := s.Write(ctx, func(tx *store.Tx) error {
		tx.Add(&link)
		return nil
	})
	return base + "/signin/" + token, err
}

func parsePlan(s string) (models.Plan, error) {
	if plan := models.Plan(s); plan.Valid() {
		return plan, nil
	}
	return "", wrongUsage("there is no plan %q: choose enterprise or team", s)
}

func (p *program) workspaceList() *cobra.Command {
	var data string
	var asJSON bool
	cmd := p.command("list", "List the workspaces, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		db, err := p.open(ctx, data)
		if err != nil {
			return err
		}
		defer db.Close()
		all, err := db.Workspaces(ctx)
		if err != nil {
			return err
		}
		type line struct {
			ID        string      `json:"id"`
			Slug      string      `json:"slug"`
			Name      string      `json:"name"`
			Plan      models.Plan `json:"plan"`
			CreatedAt time.Time   `json:"created_at"`
		}
		var lines []line
		var rows [][]string
		for _, w := range all {
			lines = append(lines, line{w.ID, w.Slug, w.Name, w.Plan, w.CreatedAt.UTC()})
			rows = append(rows, []string{w.Slug, w.Name, string(w.Plan), moment(w.CreatedAt)})
		}
		if asJSON {
			return printJSON(p.stdout, lines...)
		}
		return printTable(p.stdout, []string{"slug", "name", "plan", "created (UTC)"}, rows, "There are no workspaces: 'outpost workspace create' makes one.")
	})
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}

func (p *program) workspaceSetPlan() *cobra.Command {
	var data string
	cmd := p.command("set-plan SLUG PLAN", "Change the plan of a workspace to enterprise or team", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		plan, err := parsePlan(args[1])
		if err != nil {
			return err
		}
		db, err := p.open(ctx, data)
		if err != nil {
			return err
		}
		defer db.Close()
		w, err := db.workspace(ctx, args[0])
		if err != nil {
			return err
		}
		if err := db.Write(ctx, func(tx *store.Tx) error { return tx.SetPlan(w.ID, plan) }); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "The workspace %s is on the plan %s.\n", w.Slug, plan)
		return err
	})
	dataFlag(cmd, &data)
	return cmd
}
