package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"outpost/models"
	"outpost/store"
)

// folder is the data of the embedded mode: --data, OUTPOST_DATA or ./outpost-data.
type folder string

func (f folder) file(name string) string { return filepath.Join(string(f), name) }

func (f folder) database() string { return f.file("outpost.db") }
func (f folder) mailbox() string  { return f.file("mailbox.jsonl") }
func (f folder) kept() string     { return f.file("kept.env") }

// kept is what dev keeps in the folder for its next start and for the commands beside it.
type kept struct {
	PublicURL publicURL
	SecretKey secretKey
	// Database tells which database it was: embedded, or a fingerprint of DATABASE_URL.
	Database string
}

const embedded = "embedded"

// fingerprint names a database without its password.
func fingerprint(databaseURL string) string {
	if databaseURL == "" {
		return embedded
	}
	sum := sha256.Sum256([]byte(databaseURL))
	return hex.EncodeToString(sum[:8])
}

// read gives what is kept; nothing at all in a folder that is new.
func (f folder) read() (kept, error) {
	var k kept
	text, err := os.ReadFile(f.kept())
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("read what outpost dev keeps: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		switch name, value, _ := strings.Cut(lines.Text(), "="); name {
		case "PUBLIC_URL":
			k.PublicURL = publicURL(value)
		case "SECRET_KEY":
			k.SecretKey = secretKey(value)
		case "DATABASE":
			k.Database = value
		}
	}
	return k, nil
}

// write replaces what is kept: the old or the new is there, whenever the power goes.
func (f folder) write(k kept) error {
	text := fmt.Sprintf("# Kept by outpost dev. Whoever has SECRET_KEY can make invitation links.\nPUBLIC_URL=%s\nSECRET_KEY=%s\nDATABASE=%s\n", k.PublicURL, k.SecretKey, k.Database)
	tmp, err := os.CreateTemp(string(f), "kept-*") // 0600
	if err != nil {
		return fmt.Errorf("keep the settings of outpost dev: %w", err)
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), f.kept())
	}
	if err != nil {
		return fmt.Errorf("keep the settings of outpost dev: %w", err)
	}
	return nil
}

// claim makes the folder this process's own, so that no two outpost dev work in it.
func (f folder) claim() (release func(), err error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	file, err := os.OpenFile(f.file("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data folder: %w", err)
	}
	if err := lock(file); err != nil {
		file.Close()
		return nil, fault(models.Unavailable, "another 'outpost dev' works in the data folder %s: stop it, or give this one a folder of its own with --data", f)
	}
	return func() { file.Close() }, nil
}

// makeSecret makes a SECRET_KEY.
func makeSecret() secretKey {
	var b [32]byte
	rand.Read(b[:])
	return secretKey(hex.EncodeToString(b[:]))
}

// dataFlag adds --data to a command.
func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", "", "`folder` of the embedded database (default OUTPOST_DATA, else ./outpost-data)")
}

// database is where a command finds its rows.
type database struct {
	*store.Store
	publicURL publicURL // "" when nothing tells it
	secret    secretKey // "" when nothing tells it
}

// open opens the database that a command works on: the embedded one of --data, else DATABASE_URL, else the embedded one
// of OUTPOST_DATA.
func (p *program) open(ctx context.Context, data string) (*database, error) {
	c, err := readConfig(p.environ, false)
	if err != nil {
		return nil, err
	}
	at, err := c.locate(data)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, at.url, store.Options{MaxConns: 4})
	if err != nil {
		return nil, err
	}
	if err := s.CheckSchema(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return &database{Store: s, publicURL: at.publicURL, secret: at.secret}, nil
}

// openWorkspace is open for a command about one workspace.
func (p *program) openWorkspace(ctx context.Context, data, slug string) (*database, models.Workspace, error) {
	db, err := p.open(ctx, data)
	if err != nil {
		return nil, models.Workspace{}, err
	}
	w, err := db.workspace(ctx, slug)
	if err != nil {
		db.Close()
		return nil, w, err
	}
	return db, w, nil
}

// openConnection is open for a command about one connection.
func (p *program) openConnection(ctx context.Context, data, id string) (*database, models.Connection, error) {
	db, err := p.open(ctx, data)
	if err != nil {
		return nil, models.Connection{}, err
	}
	c, err := db.connection(ctx, id)
	if err != nil {
		db.Close()
		return nil, c, err
	}
	return db, c, nil
}

// located is a database that a command works on, with the settings that go with it.
type located struct {
	url       string
	publicURL publicURL
	secret    secretKey
}

// locate finds the database that a command works on.
func (c config) locate(data string) (located, error) {
	f := folder(cmp.Or(data, c.Data))
	k, err := f.read()
	if err != nil {
		return located{}, err
	}
	if c.DatabaseURL != "" && (data == "" || k.Database == fingerprint(c.DatabaseURL)) {
		if k.Database != fingerprint(c.DatabaseURL) {
			k = kept{} // of another database
		}
		return located{c.DatabaseURL, cmp.Or(c.PublicURL, k.PublicURL), cmp.Or(c.SecretKey, k.SecretKey)}, nil
	}
	if _, err := os.Stat(f.database()); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return located{}, fmt.Errorf("look for the embedded database: %w", err)
		}
		if data != "" {
			return located{}, fault(models.NotFound, "there is no database in the folder %s: give the one that 'outpost dev' works in", f)
		}
		return located{}, fault(models.NotFound, "there is no database to work on: set DATABASE_URL, or start 'outpost dev', or name its data folder with --data (there is none at %s)", f)
	}
	return located{"sqlite:" + f.database(), cmp.Or(c.PublicURL, k.PublicURL), cmp.Or(c.SecretKey, k.SecretKey)}, nil
}

// base is PUBLIC_URL, for commands that print an address.
func (d *database) base() (string, error) {
	if d.publicURL == "" {
		return "", fault(models.Invalid, "PUBLIC_URL is not set: set it to the address people reach Outpost at, as in https://outpost.example.com")
	}
	return string(d.publicURL), nil
}

// workspace finds the workspace of --workspace.
func (d *database) workspace(ctx context.Context, slug string) (models.Workspace, error) {
	w, err := d.WorkspaceBySlug(ctx, slug)
	if models.Is(err, models.NotFound) {
		err = fault(models.NotFound, "there is no workspace %q: 'outpost workspace list' shows those there are", slug)
	}
	return w, err
}

// cutSQLite gives the path of a sqlite: URL.
func cutSQLite(url string) (path string, ok bool) { return strings.CutPrefix(url, "sqlite:") }
