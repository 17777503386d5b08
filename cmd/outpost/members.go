package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"outpost/models"
)

func (p *program) membersCommand() *cobra.Command {
	return p.group("members", "See who is in a workspace", p.membersList())
}

func (p *program) membersList() *cobra.Command {
	var slug, data string
	var asJSON bool
	cmd := p.command("list --workspace SLUG", "List the members of a workspace with their teams, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		db, w, err := p.openWorkspace(ctx, data, slug)
		if err != nil {
			return err
		}
		defer db.Close()
		members, err := db.Members(ctx, w.ID)
		if err != nil {
			return err
		}
		type line struct {
			Email  string              `json:"email"`
			Name   string              `json:"name"`
			Role   models.Role         `json:"role"`
			Status models.MemberStatus `json:"status"`
			Teams  []string            `json:"teams"` // never null
		}
		var lines []line
		var rows [][]string
		for _, m := range members {
			lines = append(lines, line{m.Email, m.Name, m.Role, m.Status, append([]string{}, m.Teams...)})
			rows = append(rows, []string{cmp.Or(m.Email, "-"), m.Name, string(m.Role), string(m.Status), strings.Join(m.Teams, ", ")})
		}
		if asJSON {
			return printJSON(p.stdout, lines...)
		}
		return printTable(p.stdout, []string{"e-mail", "name", "role", "status", "teams"}, rows, "The workspace "+w.Slug+" has no members.")
	})
	cmd.Flags().StringVar(&slug, "workspace", "", "`slug` of the workspace")
	requireFlags(cmd, "workspace")
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}
