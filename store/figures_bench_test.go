package store_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/store"
)

// manyOperations fills a Postgres world with a million finished operations of fifty workspaces over a day, a run of ten
// thousand people in the last minute on top, and waiting operations of the fifty.
const manyOperations = `
CREATE FUNCTION v7(ms bigint, i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT (lpad(to_hex(ms), 12, '0') || '7' || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid $$;
CREATE TEMP TABLE k AS SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 55000 AS t0, workspace_id AS w, id AS c FROM connections;
INSERT INTO workspaces SELECT md5('w' || i)::uuid, 's' || i, 'W' || i, 'enterprise', now() FROM generate_series(0, 49) i;
INSERT INTO directory_users (id, workspace_id, connection_id, user_name, user_name_key, email, email_key, display_name, active, linked, version, period, resource, created_at, updated_at)
	SELECT v7(t0 - CASE WHEN i <= 1000 THEN 86400000 ELSE 0 END + i * 5, i), w, c, 'u' || i, 'u' || i, 'u' || i, 'u' || i, 'User ' || i, true, true, 1, 1, '{}', now(), now() FROM k, generate_series(1, 10000) i;
INSERT INTO members (id, workspace_id, email, email_key, name, role, status, directory_user_id, created_at, updated_at)
	SELECT v7(t0 - CASE WHEN i <= 1000 THEN 86400000 ELSE 0 END + i * 5 + 40, i + 7000000), w, 'u' || i, 'u' || i, 'User ' || i, 'member', 'invited', v7(t0 - CASE WHEN i <= 1000 THEN 86400000 ELSE 0 END + i * 5, i), now(), now() FROM k, generate_series(1, 9000) i;
INSERT INTO directory_groups (id, workspace_id, connection_id, display_name, name_key, version, created_at, updated_at) SELECT v7(t0 - 99000000, i), w, c, 'G' || i, 'g' || i, 1, now(), now() FROM k, generate_series(1, 3) i;
INSERT INTO memberships SELECT v7(t0 - 99000000, i % 3 + 1), v7(t0 - CASE WHEN i <= 1000 THEN 86400000 ELSE 0 END + i * 5, i), 1 + i % 60, false FROM k, generate_series(1, 10000) i;
INSERT INTO operations (id, workspace_id, connection_id, kind, class, resource_type, resource_id, version, state, claim_no, dispatches, dispatched_at, queue, request_id, created_at, finished_at)
	SELECT v7(t0 - (1000001 - i) * 86, i + 10000000), CASE WHEN i % 20 = 0 THEN w ELSE md5('w' || i % 50)::uuid END, CASE WHEN i % 20 = 0 THEN c ELSE md5('c' || i % 50)::uuid END,
	CASE i % 3 WHEN 0 THEN 'invitation.email' ELSE 'user.upsert' END, CASE i % 3 WHEN 0 THEN 'mail' ELSE 'provision' END, 'User', v7(t0 - (1000001 - i) * 86, i + 20000000), 1, 'done', 1, 1, now(), 'provision', 'request-' || i,
	to_timestamp((t0 - (1000001 - i) * 86) / 1000.0), to_timestamp((t0 - (1000001 - i) * 86 + 50) / 1000.0) FROM k, generate_series(1, 1000000) i;
INSERT INTO operations (id, workspace_id, connection_id, kind, class, resource_type, resource_id, version, state, claim_no, dispatches, dispatched_at, queue, request_id, created_at, finished_at, error, attempts)
	SELECT v7(ms, i * 10 + n + 50000000), w, c, kind, class, 'User', person, 1, state, 1, 1, now(), class || '-bulk', 'request-' || i, to_timestamp(ms / 1000.0),
	CASE WHEN state IN ('done', 'failed') THEN to_timestamp(ms / 1000.0) + interval '1.5 s' END, CASE state WHEN 'failed' THEN 'the mail server refused the address' ELSE '' END, CASE state WHEN 'failed' THEN 1 ELSE 0 END FROM (
		SELECT i, n, w, c, v7(t0 - CASE WHEN i <= 1000 THEN 86400000 ELSE 0 END + i * 5, i) AS person, t0 + i * 5 + n * 40 AS ms, CASE n WHEN 1 THEN 'invitation.email' ELSE 'user.upsert' END AS kind, CASE n WHEN 1 THEN 'mail' ELSE 'provision' END AS class,
		CASE WHEN n = 0 AND i > 9000 THEN 'pending' WHEN n = 1 AND i % 500 = 0 THEN 'failed' WHEN n = 1 AND i % 10 < 5 THEN 'pending' ELSE 'done' END AS state
		FROM k, generate_series(1, 10000) i, generate_series(0, 2) n WHERE NOT (n = 1 AND i > 9000) AND NOT (n = 2 AND i > 6000) ORDER BY t0 + i * 5 + n * 40) AS run;
INSERT INTO operations (id, workspace_id, connection_id, kind, class, resource_type, resource_id, version, state, created_at, finished_at)
	SELECT v7(t0 + i * 100, i + 90000000), w, c, 'group.sync', 'groups', 'Group', v7(t0 - 99000000, i % 3 + 1), i, 'done', now(), now() FROM k, generate_series(1, 60) i;
`

const manyWaiting = `
INSERT INTO operations (id, workspace_id, connection_id, kind, class, resource_type, resource_id, version, state, dispatches, dispatched_at, queue, request_id, created_at, not_before)
	SELECT v7(t0 - 3600000 + i, i + 30000000), md5('w' || i % 50)::uuid, md5('c' || i % 50)::uuid, 'user.upsert', (ARRAY['provision', 'mail', 'groups', 'revoke'])[i % 4 + 1], 'User', v7(t0 - i, i + 40000000), 1, 'pending', 1, now(), 'provision-bulk', 'request-' || i,
	to_timestamp((t0 - 3600000 + i) / 1000.0), now() + CASE i % 5 WHEN 0 THEN interval '1 hour' ELSE interval '-1 minute' END FROM k, generate_series(1, 100000) i;
`

// BenchmarkFigures measures what the live pages ask for each second: go test ./store -run '^$' -bench Figures
func BenchmarkFigures(b *testing.B) {
	url := fixture.Postgres(b)
	w := fixture.New(b, url, nil)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	fill := func(sql string) {
		b.Helper()
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Exec(b.Context(), "VACUUM ANALYZE"); err != nil {
			b.Fatal(err)
		}
	}
	fill(manyOperations)
	var t0 int64
	if err := conn.QueryRow(b.Context(), "SELECT t0 FROM k").Scan(&t0); err != nil {
		b.Fatal(err)
	}
	run := models.Run{ID: store.FirstID(time.UnixMilli(t0)), WorkspaceID: w.Workspace.ID, ConnectionID: w.Connection.ID, StartedAt: time.UnixMilli(t0), LastAt: time.UnixMilli(t0 + 50000)}
	f, err := w.Store.RunFigures(b.Context(), run)
	if err != nil || f.Received != 10000 || f.Waiting != 1000 || f.Failed != 18 || f.HereAlready != 1000 || f.GroupCount != 3 || f.Invitations.Waiting != 4482 {
		b.Fatalf("%+v %v", f, err)
	}
	measure := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			least := time.Hour
			for b.Loop() {
				began := time.Now()
				if err := do(); err != nil {
					b.Fatal(err)
				}
				least = min(least, time.Since(began))
			}
			b.ReportMetric(float64(least.Microseconds())/1000, "least-ms") // what it takes where nobody else is at work
		})
	}
	measure("Run", func() error { _, err := w.Store.RunFigures(b.Context(), run); return err })
	measure("RunSeries", func() error { _, err := w.Store.RunSeries(b.Context(), run, 60); return err })
	measure("RunLatest", func() error { _, err := w.Store.RunLatest(b.Context(), run, 10); return err })
	measure("RunRest", func() error { _, _, err := w.Store.RunRest(b.Context(), run); return err })
	measure("ArrivingInABurst", func() error { _, err := w.Store.Arriving(b.Context(), time.Now().Add(-70*time.Second), 20); return err })
	measure("ArrivingInPeace", func() error { _, err := w.Store.Arriving(b.Context(), time.Now().Add(time.Hour), 20); return err })
	fill(manyWaiting)
	measure("Queues", func() error { _, err := w.Store.QueueFigures(b.Context()); return err })
}
