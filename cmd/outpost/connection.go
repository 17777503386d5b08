package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"outpost/directory"
	"outpost/models"
	"outpost/outbox"
)

// actor is who changes something, in the audit.
const actor = "cli"

func (p *program) connectionCommand() *cobra.Command {
	return p.group("connection", "Connect identity providers to workspaces",
		p.connectionCreate(),
		p.connectionList(),
		p.connectionStatus("pause", "Answer a connection's requests with 403 until it is resumed", models.ConnectionPaused, "is paused: its requests are answered with 403 until 'outpost connection resume'"),
		p.connectionStatus("resume", "Take a connection's requests again", models.ConnectionActive, "is active"),
		p.connectionStatus("delete", "End a connection and its tokens for good; its people stay members", models.ConnectionDeleted, "is deleted: its tokens are refused, and the people it made stay members"),
		p.connectionRotate(),
	)
}

// scimBaseURL is what the admin pastes into the identity provider.
func scimBaseURL(publicURL, connectionID string) string {
	return publicURL + "/scim/v2/" + connectionID
}

// directory is desired state on the command's database. What it writes is published by whoever runs.
func (d *database) directory() *directory.Directory {
	log := slog.New(slog.DiscardHandler)
	return directory.New(d.Store, outbox.New(d.Store, nil, log), log, time.Now)
}

// connection finds a connection that is not deleted.
func (d *database) connection(ctx context.Context, id string) (models.Connection, error) {
	if !directory.IsID(id) {
		return models.Connection{}, wrongUsage("%q is not the id of a connection: 'outpost connection list' shows the ids", id)
	}
	c, err := d.Connection(ctx, id)
	if err == nil && c.Status == models.ConnectionDeleted {
		err = fault(models.NotFound, "the connection %s is deleted", id)
	}
	return c, err
}

func (p *program) connectionCreate() *cobra.Command {
	var slug, provider, data string
	var asJSON bool
	cmd := p.command("create --workspace SLUG --provider okta|entra|onelogin|jumpcloud|ping|google|rippling|custom", "Connect an identity provider, and print what it needs", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		provider = strings.ToLower(provider)
		if !models.Provider(provider).Valid() {
			return wrongUsage("there is no provider %q: choose %s", provider, models.ProviderChoice())
		}
		db, err := p.open(ctx, data)
		if err != nil {
			return err
		}
		defer db.Close()
		if _, err := db.base(); err != nil {
			return err // before a token is made that could not be shown
		}
		w, err := db.workspace(ctx, slug)
		if err != nil {
			return err
		}
		issued, err := db.directory().CreateConnection(ctx, w, models.Provider(provider), actor)
		if err != nil {
			return err
		}
		return p.printIssued(db, issued, fmt.Sprintf("%s is connected to the workspace %s.", issued.Connection.Provider.Title(), w.Slug), asJSON)
	})
	cmd.Flags().StringVar(&slug, "workspace", "", "`slug` of the workspace, which must be on the enterprise plan")
	cmd.Flags().StringVar(&provider, "provider", "", "`kind` of identity provider: "+models.ProviderChoice())
	requireFlags(cmd, "workspace", "provider")
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}

func (p *program) connectionRotate() *cobra.Command {
	var now, asJSON bool
	var data string
	cmd := p.command("rotate ID [--now]", "Give a connection a new token", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		db, c, err := p.openConnection(ctx, data, args[0])
		if err != nil {
			return err
		}
		defer db.Close()
		if _, err := db.base(); err != nil {
			return err // before a token is made that could not be shown
		}
		issued, err := db.directory().RotateToken(ctx, c, now, actor)
		if err != nil {
			return err
		}
		head := "The connection has a new token; the old one ends 24 hours after the first use of this one."
		if now {
			head = "The connection has a new token; the old one has ended."
		}
		return p.printIssued(db, issued, head, asJSON)
	})
	cmd.Flags().BoolVar(&now, "now", false, "end the old token at once")
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}

// printIssued shows a token, the one time that it can be shown.
func (p *program) printIssued(db *database, issued directory.IssuedToken, head string, asJSON bool) error {
	base, err := db.base()
	if err != nil {
		return err
	}
	out := struct {
		ID          string          `json:"id"`
		Provider    models.Provider `json:"provider"`
		SCIMBaseURL string          `json:"scim_base_url"`
		BearerToken string          `json:"bearer_token"`
	}{issued.Connection.ID, issued.Connection.Provider, scimBaseURL(base, issued.Connection.ID), issued.Token}
	if asJSON {
		return printJSON(p.stdout, out)
	}
	return printFacts(p.stdout, head+" Paste both into "+issued.Connection.Provider.Title()+"; the token is shown this once.", [][2]string{
		{"SCIM base URL", out.SCIMBaseURL}, {"Bearer token", out.BearerToken}, {"Connection ID", out.ID},
	})
}

func (p *program) connectionList() *cobra.Command {
	var slug, data string
	var asJSON bool
	cmd := p.command("list --workspace SLUG", "List the connections of a workspace, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		db, w, err := p.openWorkspace(ctx, data, slug)
		if err != nil {
			return err
		}
		defer db.Close()
		all, err := db.Connections(ctx, w.ID)
		if err != nil {
			return err
		}
		type line struct {
			ID          string                  `json:"id"`
			Provider    models.Provider         `json:"provider"`
			Status      models.ConnectionStatus `json:"status"`
			SCIMBaseURL *string                 `json:"scim_base_url"` // null where PUBLIC_URL is not known
			CreatedAt   time.Time               `json:"created_at"`
		}
		var lines []line
		var rows [][]string
		for _, c := range all {
			l := line{ID: c.ID, Provider: c.Provider, Status: c.Status, CreatedAt: c.CreatedAt.UTC()}
			if db.publicURL != "" {
				u := scimBaseURL(string(db.publicURL), c.ID)
				l.SCIMBaseURL = &u
			}
			lines = append(lines, l)
			rows = append(rows, []string{c.ID, c.Provider.Title(), string(c.Status), moment(c.CreatedAt)})
		}
		if asJSON {
			return printJSON(p.stdout, lines...)
		}
		return printTable(p.stdout, []string{"id", "provider", "status", "created (UTC)"}, rows, "The workspace "+w.Slug+" has no connections: 'outpost connection create' makes one.")
	})
	cmd.Flags().StringVar(&slug, "workspace", "", "`slug` of the workspace")
	requireFlags(cmd, "workspace")
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}

// connectionStatus is pause, resume or delete.
func (p *program) connectionStatus(verb, short string, status models.ConnectionStatus, said string) *cobra.Command {
	var data string
	cmd := p.command(verb+" ID", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		db, c, err := p.openConnection(ctx, data, args[0])
		if err != nil {
			return err
		}
		defer db.Close()
		if err := db.directory().SetConnectionStatus(ctx, c, status, actor); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "The connection %s %s.\n", c.ID, said)
		return err
	})
	dataFlag(cmd, &data)
	return cmd
}
