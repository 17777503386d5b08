package store

import (
	"context"
	"strings"
)

// grown lists tables that have more than doubled since Postgres last looked at them.
const grown = `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = current_schema() AND c.relkind = 'r' AND c.relname NOT LIKE 'goose%'
	AND pg_relation_size(c.oid) / current_setting('block_size')::int > 2 * greatest(c.relpages, 4)`

// KeepStatistics lets Postgres look at tables that have grown much. A plan that it made while a table was nearly empty
// takes every index for as good as another, and is kept for as long as nobody looks: for the first minute of a bulk
// assignment into a new installation, autovacuum does not. It is cheap where nothing has grown, and any number of
// processes may call it.
func (s *Store) KeepStatistics(ctx context.Context) error {
	if s.Embedded() {
		return nil // SQLite takes a unique index wherever one fits
	}
	var tables []string
	if err := s.light.WithContext(ctx).Raw(grown).Scan(&tables).Error; err != nil || len(tables) == 0 {
		return translate(err, "statistics")
	}
	// Another process that is at it already is good enough.
	err := s.light.WithContext(ctx).Exec("ANALYZE (SKIP_LOCKED) " + strings.Join(tables, ", ")).Error
	return translate(err, "statistics")
}
