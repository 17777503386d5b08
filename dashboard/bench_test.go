package dashboard_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"outpost/dashboard"
	"outpost/directory"
	"outpost/internal/testkit/fixture"
	"outpost/models"
)

// much fills the world's one workspace: 100,000 people, all of them in a group and 500 in each of fifty others, a million
// operations and a million audit entries over a hundred days, a run of 10,000, and a few thousand that failed.
const much = `
CREATE FUNCTION v7(ms bigint, i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT (lpad(to_hex(ms), 12, '0') || '7' || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid $$;
CREATE TEMP TABLE k AS SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 60000 AS t0, workspace_id AS w, id AS c FROM connections;
INSERT INTO directory_users (id, workspace_id, connection_id, user_name, user_name_key, external_id, email, email_key, display_name, active, linked, version, period, resource, created_at, updated_at)
	SELECT v7(t0 - 8640000000 + i * 86400::bigint, i), w, c, 'user' || i || '@acme.test', 'user' || i || '@acme.test', '00u' || i, 'user' || i || '@acme.test', 'user' || i || '@acme.test', 'Given' || i % 1000 || ' Family' || i, i % 20 > 0, true, 3, 1,
	('{"userName":"user' || i || '@acme.test","title":"Engineer"}')::json, now(), now() FROM k, generate_series(1, 100000) i;
INSERT INTO members (id, workspace_id, email, email_key, name, role, hand_role, status, directory_user_id, applied_version, period, accepted_at, deactivated_at, created_at, updated_at)
	SELECT v7(t0 - 8640000000 + i * 86400::bigint + 40, i + 7000000), w, 'user' || i || '@acme.test', 'user' || i || '@acme.test', 'Given' || i % 1000 || ' Family' || i, CASE WHEN i % 5000 = 1 THEN 'admin' ELSE 'member' END, 'member',
	CASE WHEN i % 20 = 0 THEN 'deactivated' WHEN i % 3 = 0 THEN 'invited' ELSE 'active' END, v7(t0 - 8640000000 + i * 86400::bigint, i), 3, 1, now(), CASE WHEN i % 20 = 0 THEN now() END, now(), now() FROM k, generate_series(1, 100000) i;
INSERT INTO directory_groups (id, workspace_id, connection_id, display_name, name_key, version, created_at, updated_at) SELECT v7(t0 - 9000000000, i), w, c, 'Group ' || i, 'group ' || i, 9, now(), now() FROM k, generate_series(0, 50) i;
INSERT INTO teams (id, workspace_id, name, group_id, applied_version, created_at, updated_at) SELECT v7(t0 - 8900000000, i), w, 'Group ' || i, v7(t0 - 9000000000, i), 9, now(), now() FROM k, generate_series(0, 50) i;
INSERT INTO memberships SELECT v7(t0 - 9000000000, 0), v7(t0 - 8640000000 + i * 86400::bigint, i), 9, false FROM k, generate_series(1, 100000) i;
INSERT INTO memberships SELECT v7(t0 - 9000000000, i % 50 + 1), v7(t0 - 8640000000 + i * 86400::bigint, i), 9, false FROM k, generate_series(1, 25000) i;
INSERT INTO team_members (workspace_id, team_id, member_id) SELECT w, v7(t0 - 8900000000, 0), v7(t0 - 8640000000 + i * 86400::bigint + 40, i + 7000000) FROM k, generate_series(1, 100000) i WHERE i % 20 > 0;
INSERT INTO team_members (workspace_id, team_id, member_id) SELECT w, v7(t0 - 8900000000, i % 50 + 1), v7(t0 - 8640000000 + i * 86400::bigint + 40, i + 7000000) FROM k, generate_series(1, 25000) i WHERE i % 20 > 0;
INSERT INTO operations (id, workspace_id, connection_id, kind, class, resource_type, resource_id, version, state, attempts, error, claim_no, dispatches, dispatched_at, queue, request_id, created_at, finished_at)
	SELECT v7(t0 - (1000001 - i) * 8640::bigint, i + 10000000), w, c, CASE i % 3 WHEN 0 THEN 'invitation.email' ELSE 'user.upsert' END, CASE i % 3 WHEN 0 THEN 'mail' ELSE 'provision' END, 'User',
	v7(t0 - 8640000000 + (i % 100000 + 1) * 86400::bigint, i % 100000 + 1), 1, CASE WHEN i % 500 = 0 THEN 'failed' ELSE 'done' END, CASE WHEN i % 500 = 0 THEN 1 ELSE 0 END,
	CASE WHEN i % 500 = 0 THEN 'the mail server mx.acme.test refused user@acme.test: 550 5.1.1 no such mailbox' ELSE '' END, 1, 1, now(), 'provision', 'request-' || i,
	to_timestamp((t0 - (1000001 - i) * 8640::bigint) / 1000.0), to_timestamp((t0 - (1000001 - i) * 8640::bigint + 50) / 1000.0) FROM k, generate_series(1, 1000000) i;
INSERT INTO operations (id, workspace_id, connection_id, kind, class, resource_type, resource_id, version, state, claim_no, dispatches, dispatched_at, queue, request_id, created_at, finished_at)
	SELECT v7(t0 + i * 5, i + 50000000), w, c, 'user.upsert', 'provision', 'User', v7(t0 - 8640000000 + i * 86400::bigint, i), 3, 'done', 1, 1, now(), 'provision-bulk', 'request-b' || i,
	to_timestamp((t0 + i * 5) / 1000.0), to_timestamp((t0 + i * 5 + 400) / 1000.0) FROM k, generate_series(1, 10000) i;
INSERT INTO audit_entries (id, workspace_id, connection_id, actor, ip, method, target_type, target_id, status, detail, request_id, provider_request_id, operation_id, changes, at)
	SELECT v7(t0 - (1000001 - i) * 8640::bigint, i + 70000000), w, c, 'token …abcd', '203.0.113.4', 'PATCH', 'User', v7(t0 - 8640000000 + (i % 100000 + 1) * 86400::bigint, i % 100000 + 1)::text, 200, '', 'request-' || i, 'okta-' || i,
	v7(t0 - (1000001 - i) * 8640::bigint, i + 10000000), '[{"attribute":"title","before":"a","after":"b"}]', to_timestamp((t0 - (1000001 - i) * 8640::bigint) / 1000.0) FROM k, generate_series(1, 1000000) i;
INSERT INTO runs (id, workspace_id, connection_id, title, started_at, last_at, ended_at, received, applied) SELECT v7(t0, 1), w, c, 'Assignment of Group 0', to_timestamp(t0 / 1000.0), to_timestamp((t0 + 50000) / 1000.0), to_timestamp((t0 + 50400) / 1000.0), 10000, 10000 FROM k;
`

// BenchmarkPages measures how long the server takes for every page at 100,000 people and 1,000,000 operations:
// go test ./dashboard -run '^$' -bench Pages -benchtime 20x
func BenchmarkPages(b *testing.B) {
	url := fixture.Postgres(b)
	w := fixture.New(b, url, nil)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	for _, sql := range []string{much, "VACUUM ANALYZE"} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	one := func(sql string) (id string) {
		if err := conn.QueryRow(b.Context(), sql).Scan(&id); err != nil {
			b.Fatal(err)
		}
		return id
	}
	if err := w.Directory.MapRole(b.Context(), directory.Caller{WorkspaceID: w.Workspace.ID, ConnectionID: w.Connection.ID, Actor: "bench"}, one("SELECT id::text FROM directory_groups WHERE name_key = 'group 7'"), models.RoleAdmin); err != nil {
		b.Fatal(err)
	}
	s := serve(b, w, func(c *dashboard.Config) { c.OwnersOperate, c.Now = true, time.Now })
	v := s.signIn(b, s.owner(b))
	connection := "/settings/security/directory-sync/" + w.Connection.ID
	group, big := one("SELECT id::text FROM directory_groups WHERE name_key = 'group 9'"), one("SELECT id::text FROM directory_groups WHERE name_key = 'group 0'")
	for _, page := range [][2]string{
		{"security", "/settings/security"}, {"setup", connection + "/setup"}, {"connection", connection}, {"members", "/settings/members"}, {"members-all", "/settings/members?role=member"},
		{"people", "/people"}, {"people-page-1000", "/people?page=1000"}, {"people-invited", "/people?state=invited"}, {"people-search-name", "/people?q=Family4711"}, {"people-search-common", "/people?q=Given7"}, {"people-search-none", "/people?q=zzzz"},
		{"people-search-id", "/people?q=00u4711"}, {"people-of-group", "/people?group=" + group}, {"people-of-big-group", "/people?group=" + big}, {"people-refused", "/people?state=refused"},
		{"person", "/people/" + one("SELECT id::text FROM members WHERE email_key = 'user4711@acme.test'")}, {"person-left", "/people/" + one("SELECT id::text FROM members WHERE email_key = 'user4720@acme.test'")},
		{"groups", "/groups"}, {"group", "/groups/" + group}, {"big-group", "/groups/" + big}, {"runs", "/runs"}, {"run", "/runs/" + one("SELECT id::text FROM runs")},
		{"activity", "/activity"}, {"activity-failed", "/activity?state=failed"}, {"activity-mails", "/activity?tab=mails"}, {"activity-search-person", "/activity?q=user4711"}, {"activity-request-id", "/activity?q=okta-4711234"},
		{"request", "/activity/requests/" + one("SELECT max(id::text) FROM audit_entries WHERE changes IS NOT NULL")}, {"failures", "/activity/failures"}, {"held", "/activity/held"}, {"queues", "/operator/queues"},
	} {
		b.Run(page[0], func(b *testing.B) {
			least := time.Hour
			for b.Loop() {
				began := time.Now()
				if a := v.get(page[1]); a.status != http.StatusOK {
					b.Fatal(fmt.Sprint(page[1], a.status))
				}
				least = min(least, time.Since(began))
			}
			b.ReportMetric(float64(least.Microseconds())/1000, "least-ms") // what it takes where nobody else is at work
		})
	}
}
