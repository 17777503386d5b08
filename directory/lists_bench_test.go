package directory_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"outpost/internal/testkit/fixture"
	"outpost/scim"
)

// The same people on both databases: ids in the order of their numbers, every second one with another address at home.
const (
	manyInPostgres = `INSERT INTO directory_users (id, workspace_id, connection_id, user_name, user_name_key, external_id, email, email_key, display_name, active, linked, version, period, resource, created_at, updated_at)
		SELECT CAST('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0') AS uuid), c.workspace_id, c.id, 'user' || i || '@acme.test', 'user' || i || '@acme.test', '00u' || i, 'user' || i || '@acme.test', 'user' || i || '@acme.test', 'User ' || i, true, true, 1, 1,
		CAST('{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"00u' || i || '","userName":"user' || i || '@acme.test","title":"Engineer","emails":[{"value":"user' || i || '@acme.test","type":"work","primary":true},{"value":"user' || i || '@home.test","type":"home"}]}' AS json),
		now(), now() FROM connections c, generate_series(1, %d) i;
	INSERT INTO directory_emails (connection_id, email_key, user_id) SELECT connection_id, replace(email_key, '@acme', '@home'), id FROM directory_users WHERE linked;
	ANALYZE`
	manyInSQLite = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
	INSERT INTO directory_users (id, workspace_id, connection_id, user_name, user_name_key, external_id, email, email_key, display_name, active, linked, version, period, resource, created_at, updated_at)
		SELECT '01900000-0000-7000-8000-' || printf('%%012x', i), c.workspace_id, c.id, 'user' || i || '@acme.test', 'user' || i || '@acme.test', '00u' || i, 'user' || i || '@acme.test', 'user' || i || '@acme.test', 'User ' || i, true, true, 1, 1,
		'{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"00u' || i || '","userName":"user' || i || '@acme.test","title":"Engineer","emails":[{"value":"user' || i || '@acme.test","type":"work","primary":true},{"value":"user' || i || '@home.test","type":"home"}]}',
		'2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00' FROM connections c, n;
	INSERT INTO directory_emails (connection_id, email_key, user_id) SELECT connection_id, replace(email_key, '@acme', '@home'), id FROM directory_users WHERE linked;
	ANALYZE`
)

// fill makes a world of n people.
func fill(b *testing.B, database string, n int) *fixture.World {
	b.Helper()
	url, driver, script := fixture.Postgres(b), "pgx", manyInPostgres
	if database == "sqlite" {
		url, driver, script = fixture.SQLite(b), "sqlite", manyInSQLite
	}
	w := fixture.New(b, url, nil)
	db, err := sql.Open(driver, strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for part := range strings.SplitSeq(fmt.Sprintf(script, n), ";") {
		if _, err := db.ExecContext(b.Context(), part); err != nil {
			b.Fatal(err)
		}
	}
	return w
}

// BenchmarkLookUp finds one person among few and among many. BenchmarkPage reads the first page of a list and the last,
// by cursor and by index. Run them by: go test ./directory -run '^$' -bench 'LookUp|Page|IsMember'
func BenchmarkLookUp(b *testing.B) {
	for _, database := range []string{"postgres", "sqlite"} {
		for _, n := range []int{1_000, 200_000} {
			w := fill(b, database, n)
			for name, filter := range map[string]string{
				"userName": `userName eq "USER%d@acme.test"`, "externalId": `externalId eq "00u%d"`, "email": `emails.value eq "user%d@acme.test"`, "work": `emails[type eq "work"].value eq "user%d@acme.test"`,
				"home": `emails[type eq "home" and value eq "user%d@home.test"]`, "nobody": `emails.value eq "nobody%d@acme.test"`, "either": `userName eq "user%d@acme.test" or emails eq "nobody@acme.test" or externalId eq "nobody"`,
			} {
				b.Run(fmt.Sprintf("%s/%s/%d", database, name, n), func(b *testing.B) {
					i := 0
					for b.Loop() {
						i = (i + 7919) % n
						f, err := scim.ParseFilter(fmt.Sprintf(filter, i+1))
						if err != nil {
							b.Fatal(err)
						}
						page, err := w.Directory.Users(b.Context(), w.Caller(), scim.Query{Filter: f, Page: scim.Page{StartIndex: 1, Count: 100}})
						if err != nil || (page.Total != 1) != (name == "nobody") {
							b.Fatal(page.Total, err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkIsMember asks whether somebody is in a group, as Entra does before each change.
func BenchmarkIsMember(b *testing.B) {
	for _, database := range []string{"postgres", "sqlite"} {
		for _, n := range []int{1_000, 200_000} {
			w := fill(b, database, n)
			g := w.Group("Everyone")
			members := make([]scim.Member, n)
			for i := range members {
				members[i].Value = fmt.Sprintf("01900000-0000-7000-8000-%012x", i+1)
			}
			w.Change(g.ID, scim.GroupChange{Kind: scim.AddMembers, Members: members})
			b.Run(fmt.Sprintf("%s/%d", database, n), func(b *testing.B) {
				i := 0
				for b.Loop() {
					i = (i + 7919) % n
					f := mustParse(b, fmt.Sprintf(`id eq "%s" and members eq "%s"`, g.ID, members[i].Value))
					page, err := w.Directory.Groups(b.Context(), w.Caller(), scim.Query{Filter: f, Page: scim.Page{StartIndex: 1, Count: 100}})
					if err != nil || page.Total != 1 {
						b.Fatal(page.Total, err)
					}
				}
			})
		}
	}
}

// BenchmarkPage: see BenchmarkLookUp.
func BenchmarkPage(b *testing.B) {
	const n = 200_000
	for _, database := range []string{"postgres", "sqlite"} {
		w := fill(b, database, n)
		read := func(name string, q scim.Query, want int) {
			b.Run(database+"/"+name, func(b *testing.B) {
				for b.Loop() {
					page, err := w.Directory.Users(b.Context(), w.Caller(), q)
					if err != nil || len(page.Rows) != want {
						b.Fatal(len(page.Rows), err)
					}
				}
			})
		}
		read("cursor/first", scim.Query{ByCursor: true, Page: scim.Page{StartIndex: 1, Count: 100}}, 100)
		last := fmt.Sprintf("01900000-0000-7000-8000-%012x", n-100)
		read("cursor/second", scim.Query{ByCursor: true, After: fmt.Sprintf("01900000-0000-7000-8000-%012x", 100), Total: n, Page: scim.Page{StartIndex: 1, Count: 100}}, 100)
		read("cursor/last", scim.Query{ByCursor: true, After: last, Total: n, Page: scim.Page{StartIndex: 1, Count: 100}}, 100)
		read("index/first", scim.Query{Page: scim.Page{StartIndex: 1, Count: 100}}, 100)
		read("index/last", scim.Query{Page: scim.Page{StartIndex: n - 99, Count: 100}}, 100)
		read("unindexed", scim.Query{Filter: mustParse(b, `title eq "Nobody"`), Page: scim.Page{StartIndex: 1, Count: 100}}, 0)
		read("sorted", scim.Query{SortBy: "title", Page: scim.Page{StartIndex: 1, Count: 100}}, 100)
	}
}

func mustParse(b *testing.B, filter string) scim.Filter {
	f, err := scim.ParseFilter(filter)
	if err != nil {
		b.Fatal(err)
	}
	return f
}
