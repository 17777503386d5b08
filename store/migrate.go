package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"outpost/models"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the schema up to date. It may run in several processes at once.
func (s *Store) Migrate(ctx context.Context) error {
	p, unlock, err := s.migrator(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// CheckSchema reports, in a sentence for the operator, a schema that is not the one this program was built for.
func (s *Store) CheckSchema(ctx context.Context) error {
	p, unlock, err := s.migrator(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return &models.Error{Code: models.Unavailable, Detail: "the database has no schema yet: run 'outpost migrate' first", Err: err}
	}
	sources := p.ListSources()
	if want := sources[len(sources)-1].Version; have < want {
		return &models.Error{Code: models.Unavailable, Detail: fmt.Sprintf("the database schema is at version %d and this program needs %d: run 'outpost migrate' first", have, want)}
	}
	return nil
}

// CheckDurability reports a database that acknowledges commits before they are safe.
func (s *Store) CheckDurability(ctx context.Context) error {
	if s.Embedded() {
		return nil // openSQLite sets synchronous=FULL on each connection
	}
	var level string
	if err := s.r(ctx).Raw("SELECT current_setting('synchronous_commit')").Scan(&level).Error; err != nil {
		return translate(err, "synchronous_commit")
	}
	if level == "off" {
		return &models.Error{Code: models.Unavailable, Detail: "Postgres runs with synchronous_commit=off, which loses acknowledged changes at a crash: set it to on"}
	}
	return nil
}

func (s *Store) migrator(ctx context.Context) (*goose.Provider, func(), error) {
	kind, unlock := goose.DialectSQLite3, func() {}
	pool, err := s.write.DB()
	if err != nil {
		return nil, nil, fmt.Errorf("database pool: %w", err)
	}
	if !s.Embedded() {
		kind = goose.DialectPostgres
		conn, err := pool.Conn(ctx)
		if err != nil {
			return nil, nil, translate(err, "migrate")
		}
		// One process migrates at a time; goose makes its own table under the lock too.
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(hashtextextended('outpost migrations', 0))"); err != nil {
			return nil, nil, errors.Join(translate(err, "migrate"), conn.Close())
		}
		unlock = func() {
			conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtextextended('outpost migrations', 0))")
			conn.Close()
		}
	}
	files, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		unlock()
		return nil, nil, err
	}
	p, err := goose.NewProvider(kind, pool, files, goose.WithVerbose(false))
	if err != nil {
		unlock()
		return nil, nil, fmt.Errorf("read the migrations: %w", err)
	}
	return p, unlock, nil
}
