// Package store is the database: Postgres, or SQLite for the embedded mode, by one code path.
// It never decides anything: rules live in directory and workspace, and only store knows GORM and SQL.
package store

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"outpost/models"
)

// Store reads. Everything that writes hangs on *Tx, but for the bookkeeping of operations, whose statements are
// transactions of their own.
type Store struct {
	dialect     dialect
	read        *gorm.DB // on SQLite a pool of readers; on Postgres the same as write
	write       *gorm.DB // on SQLite a single connection: SQLite has one writer
	light       *gorm.DB // Postgres: commits without waiting for the disk, see book; nil on SQLite
	clockOffset atomic.Int64
}

// Options are the settings of a Store.
type Options struct {
	// MaxConns bounds the connections to Postgres, a quarter more for bookkeeping; 0 takes 4 per CPU plus 12, at most 32.
	// SQLite ignores it.
	MaxConns int
	// StatementTimeout ends a statement on Postgres that takes longer; 0 leaves it unbounded.
	StatementTimeout time.Duration
}

// Open connects to postgres://… or sqlite:PATH. It neither creates nor checks the schema: see Migrate and CheckSchema.
// A SQLite file is created when it is missing.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.MaxConns == 0 {
		o.MaxConns = min(4*runtime.NumCPU()+12, 32)
	}
	var (
		s   *Store
		err error
	)
	switch {
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		s, err = openPostgres(url, o)
	case strings.HasPrefix(url, "sqlite:"):
		s, err = openSQLite(strings.TrimPrefix(url, "sqlite:"))
	default:
		return nil, &models.Error{Code: models.Invalid, Detail: "DATABASE_URL must begin with postgres:// or sqlite:"}
	}
	if err != nil {
		return nil, err
	}
	if err := s.Ping(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	for _, db := range []*gorm.DB{s.write, s.read} {
		pool, err := db.DB()
		if err != nil {
			return fmt.Errorf("database pool: %w", err)
		}
		if err := pool.PingContext(ctx); err != nil {
			return &models.Error{Code: models.Unavailable, Detail: "the database cannot be reached", Err: err}
		}
	}
	return nil
}

// Close ends every connection.
func (s *Store) Close() error {
	for _, db := range []*gorm.DB{s.write, s.read, s.light} {
		if db == nil {
			continue
		}
		if pool, err := db.DB(); err == nil {
			pool.Close()
		}
	}
	return nil
}

// Embedded reports whether the database is SQLite, in this process.
func (s *Store) Embedded() bool { return s.dialect.name == "sqlite" }

// SetClockOffset moves the database's clock as this Store sees it. Tests use it; it is zero otherwise.
func (s *Store) SetClockOffset(d time.Duration) { s.clockOffset.Store(int64(d)) }

// now is the SQL expression for the database's clock, plus after.
func (s *Store) now(after time.Duration) string {
	return s.dialect.now(time.Duration(s.clockOffset.Load()) + after)
}

// clock is this machine's clock, moved as the database's is: it is for ids, which machines like this one make.
func (s *Store) clock() time.Time {
	return time.Now().UTC().Add(time.Duration(s.clockOffset.Load()))
}

// Stats are the connection figures of the pool that writes.
func (s *Store) Stats() sql.DBStats {
	pool, err := s.write.DB()
	if err != nil {
		return sql.DBStats{}
	}
	return pool.Stats()
}

// r is the reading handle for ctx.
func (s *Store) r(ctx context.Context) *gorm.DB { return s.read.WithContext(ctx) }

// book runs one statement of bookkeeping: who has claimed what, what was published. It is committed for every other
// connection at once, but not awaited on the disk. After a crash of the database's machine it may be as if it had not
// been; any later durable commit, that of an operation's effect above all, makes it durable too, because the log is
// written in order.
func (s *Store) book(ctx context.Context, fn func(db *gorm.DB) *gorm.DB) *gorm.DB {
	if s.light != nil {
		return fn(s.light.WithContext(ctx))
	}
	var result *gorm.DB
	err := s.write.WithContext(ctx).Connection(func(db *gorm.DB) error {
		if err := db.Exec("PRAGMA synchronous = NORMAL").Error; err != nil {
			return err
		}
		defer db.WithContext(context.WithoutCancel(ctx)).Exec("PRAGMA synchronous = FULL")
		result = fn(db)
		return nil
	})
	if err != nil {
		return &gorm.DB{Config: s.write.Config, Error: err}
	}
	return result
}

// gormConfig is how GORM is used here: no transactions, hooks or logging of its own accord.
func gormConfig() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction:   true,
		DisableNestedTransaction: true,
		AllowGlobalUpdate:        false,
		Logger:                   logger.Discard,
		NamingStrategy:           namer{},
		NowFunc:                  func() time.Time { return time.Now().UTC() },
	}
}

// namer gives tables their names: GORM's own, but for the nouns that would be ambiguous in SQL, or have no plural.
type namer struct{ schema.NamingStrategy }

func (n namer) TableName(model string) string {
	switch model {
	case "User":
		return "directory_users"
	case "Group":
		return "directory_groups"
	case "ConnectionHealth":
		return "connection_health"
	}
	return n.NamingStrategy.TableName(model)
}
