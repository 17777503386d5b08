package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"outpost/models"
	"outpost/sso"
)

func (p *program) ssoCommand() *cobra.Command {
	return p.group("sso", "Let people sign in at their identity provider (SAML 2.0)", p.ssoConfigure(), p.ssoShow(), p.ssoDisable())
}

// maxMetadata is more than any provider's metadata.
const maxMetadata = 1 << 20

// readMetadata reads a file, or fetches an https address.
func readMetadata(ctx context.Context, from string) ([]byte, error) {
	if strings.Contains(from, "://") {
		return sso.FetchMetadata(ctx, from)
	}
	info, err := os.Stat(from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault(models.NotFound, "there is no file %s: give the metadata's file, or its address, which begins with https://", from)
	case err == nil && info.IsDir():
		return nil, fault(models.Invalid, "%s is a folder: give the metadata's file in it", from)
	case err == nil && info.Size() > maxMetadata:
		return nil, fault(models.Invalid, "%s is larger than 1 MiB: it is not the metadata of an identity provider", from)
	}
	return os.ReadFile(from)
}

func (p *program) ssoConfigure() *cobra.Command {
	var id, metadata, data string
	var require, asJSON bool
	cmd := p.command("configure --connection ID --metadata FILE|URL [--require]", "Sign people in at the provider that the metadata describes, and print what that needs", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		db, c, err := p.openConnection(ctx, data, id)
		if err != nil {
			return err
		}
		defer db.Close()
		base, err := db.base()
		if err != nil {
			return err
		}
		gate, err := db.gate()
		if err != nil {
			return err
		}
		text, err := readMetadata(ctx, metadata)
		if err != nil {
			return err
		}
		provider, err := sso.ReadMetadata(text)
		if err != nil {
			return err
		}
		by := sso.By{WorkspaceID: c.WorkspaceID, Actor: actor, Terminal: true}
		if _, err := gate.Configure(ctx, by, c, provider); err != nil {
			return err
		}
		if require {
			first, err := db.FirstOwner(ctx, c.WorkspaceID)
			if err != nil {
				return err
			}
			if err := gate.Require(ctx, by, c.ID, first.ID); err != nil {
				return err
			}
		}
		return p.printSSO(ctx, db, base, c, "People can sign in with "+c.Provider.Title()+". Paste the first two there; test it under Settings > Security > Single sign-on.", asJSON)
	})
	cmd.Flags().StringVar(&id, "connection", "", "`id` of the connection that brings the people")
	cmd.Flags().StringVar(&metadata, "metadata", "", "the provider's metadata: a `file`, or an https address that is fetched once")
	cmd.Flags().BoolVar(&require, "require", false, "make everybody sign in this way, but for the first owner, who keeps the e-mail link")
	requireFlags(cmd, "connection", "metadata")
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}

// printSSO shows what the provider needs to know about a connection.
func (p *program) printSSO(ctx context.Context, db *database, base string, c models.Connection, head string, asJSON bool) error {
	way, err := db.SAMLWay(ctx, c.ID)
	if err != nil {
		return err
	}
	service := sso.ServiceOf(base, c.ID)
	out := struct {
		EntityID    string `json:"entity_id"`
		ACSURL      string `json:"acs_url"`
		MetadataURL string `json:"metadata_url"`
		LoginURL    string `json:"login_url"`
		RequireSSO  bool   `json:"require_sso"`
	}{service.EntityID, service.ACS, service.EntityID + "/metadata", service.EntityID + "/login", way.Workspace.RequireSSO != nil && *way.Workspace.RequireSSO == c.ID}
	if asJSON {
		return printJSON(p.stdout, out)
	}
	required := "no"
	if out.RequireSSO {
		required = "yes"
	}
	return printFacts(p.stdout, head, [][2]string{
		{"ACS URL", out.ACSURL}, {"Entity ID", out.EntityID}, {"Metadata", out.MetadataURL}, {"Sign in at", out.LoginURL}, {"Provider", way.Setup.EntityID}, {"Required", required},
	})
}

func (p *program) ssoShow() *cobra.Command {
	var id, data string
	var asJSON bool
	cmd := p.command("show --connection ID", "Show what the provider needs to know, and whether single sign-on is required", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		db, c, err := p.openConnection(ctx, data, id)
		if err != nil {
			return err
		}
		defer db.Close()
		base, err := db.base()
		if err != nil {
			return err
		}
		err = p.printSSO(ctx, db, base, c, "People sign in with "+c.Provider.Title()+".", asJSON)
		if models.Is(err, models.NotFound) {
			return fault(models.NotFound, "the connection %s has no single sign-on: 'outpost sso configure' sets it up", c.ID)
		}
		return err
	})
	cmd.Flags().StringVar(&id, "connection", "", "`id` of the connection")
	requireFlags(cmd, "connection")
	jsonFlag(cmd, &asJSON)
	dataFlag(cmd, &data)
	return cmd
}

func (p *program) ssoDisable() *cobra.Command {
	var id, data string
	cmd := p.command("disable --connection ID", "End single sign-on through a connection, and the sessions begun by it", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		db, c, err := p.openConnection(ctx, data, id)
		if err != nil {
			return err
		}
		defer db.Close()
		gate, err := db.gate()
		if err != nil {
			return err
		}
		if err := gate.Disable(ctx, sso.By{WorkspaceID: c.WorkspaceID, Actor: actor}, c.ID); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "Single sign-on through %s is off. Everybody signs in with an e-mail link.\n", c.ID)
		return err
	})
	cmd.Flags().StringVar(&id, "connection", "", "`id` of the connection")
	requireFlags(cmd, "connection")
	dataFlag(cmd, &data)
	return cmd
}

// gate is the door on the command's database.
func (d *database) gate() (*sso.Gate, error) { return sso.New(d.Store, string(d.secret), time.Now) }
