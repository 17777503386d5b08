package store

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/libtnb/sqlite"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	msqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"database/sql"

	"outpost/models"
)

// dialect is all that differs between the two databases.
type dialect struct {
	name string
	// now is the expression for the database's clock plus d.
	now func(d time.Duration) string
	// list turns ids, which are UUIDs, into the one parameter of in and notIn, however many there are: few shapes of statement, and a plan
	// that does not depend on how large a table was believed to be.
	list  func(ids []string) string
	in    string
	notIn func(column string) string
	// forUpdate and skipLocked end a SELECT that locks; SQLite has one writer and needs neither.
	forUpdate, skipLocked string
	// skipLockedOf is skipLocked for the rows of one table of a join.
	skipLockedOf func(alias string) string
	// forShare ends a SELECT of rows that must not change before the transaction ends.
	forShare string
	// oneStatement says that several INSERTs may share a statement (data-modifying WITH).
	oneStatement bool
	// byBytes ends a text that is to be looked at byte by byte.
	byBytes string
	// lock takes a lock held to the end of the transaction.
	lock string
	// tryLock asks for the exclusive lock without waiting; tryBoth waits for one and asks for a share of another.
	tryLock, tryBoth string
	// span is the expression for the whole milliseconds from one time to another.
	span func(from, to string) string
	// epoch is the beginning of Unix time.
	epoch string
	// resource is what is at a path in a person's resource, as filters see it: the empty path is all of it.
	resource func(path []string) string
	// elements is the FROM item of the elements of a list of a person's resource, element the JSON of one, and preferred
	// the order in which the primary one comes first, and the others as they were sent.
	elements           func(name string) string
	element, preferred string
	// text is a text below a piece of JSON, in lower case unless it is exact; truth a boolean, false where there is none.
	text  func(json, name string, exact bool) string
	truth func(json, name string) string
	// contains, startsWith and endsWith look for a text in another, and tell how often they name it.
	contains, startsWith, endsWith func(text string) (sql string, times int)
	// tookList reads its parameter, a JSON list of Took, as the rows v.
	tookList string
}

var postgresDialect = dialect{
	name: "postgres",
	now: func(d time.Duration) string {
		if d == 0 {
			return "clock_timestamp()"
		}
		return fmt.Sprintf("(clock_timestamp() + interval '%d microseconds')", d.Microseconds())
	},
	list: func(ids []string) string { return "{" + strings.Join(ids, ",") + "}" },
	in:   "= ANY(CAST(? AS uuid[]))",
	notIn: func(column string) string {
		return "NOT EXISTS (SELECT 1 FROM unnest(CAST(? AS uuid[])) AS v WHERE v = " + column + ")"
	},
	forUpdate:    " FOR NO KEY UPDATE", // what foreign keys ask for goes beside it
	skipLockedOf: func(alias string) string { return " FOR NO KEY UPDATE OF " + alias + " SKIP LOCKED" },
	skipLocked:   " FOR NO KEY UPDATE SKIP LOCKED",
	forShare:     " FOR SHARE",
	oneStatement: true,
	byBytes:      ` COLLATE "C"`,
	lock:         "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))",
	tryLock:      "SELECT pg_try_advisory_xact_lock(hashtextextended(?, 0))",
	tryBoth:      "SELECT pg_try_advisory_xact_lock_shared(hashtextextended(?, 0)) FROM (SELECT pg_advisory_xact_lock(hashtextextended(?, 0)) OFFSET 0) AS held",
	epoch:        "timestamptz '1970-01-01 00:00:00+00'",
	span: func(from, to string) string {
		return "CAST(date_part('epoch', " + to + " - " + from + ") * 1000 AS bigint)"
	},
	resource: func(path []string) string {
		sql := "coalesce(directory_users.searched, directory_users.resource)"
		for _, name := range path {
			sql += "->'" + literal(name) + "'"
		}
		return sql
	},
	elements: func(name string) string {
		return "json_array_elements(coalesce(directory_users.searched, directory_users.resource)->'" + literal(name) + "') WITH ORDINALITY AS e(v, n)"
	},
	element:   "e.v",
	preferred: "coalesce(e.v->>'primary' = 'true', false) DESC, e.n",
	text: func(json, name string, exact bool) string {
		sql := "(" + json + "->>'" + literal(name) + `') COLLATE "C"`
		if exact {
			return "(" + sql + ")"
		}
		return "lower(" + sql + ")" // of a text in C, that is ASCII
	},
	truth: func(json, name string) string {
		return "coalesce(" + json + "->>'" + literal(name) + "' = 'true', false)"
	},
	contains:   func(text string) (string, int) { return "strpos(" + text + ", ?) > 0", 1 },
	startsWith: func(text string) (string, int) { return "starts_with(" + text + ", ?)", 1 },
	endsWith:   func(text string) (string, int) { return "right(" + text + ", length(CAST(? AS text))) = ?", 2 },
	tookList:   "json_to_recordset(CAST(? AS json)) AS v (workspace_id uuid, id uuid, took bigint)",
}

var sqliteDialect = dialect{
	name: "sqlite",
	now: func(d time.Duration) string {
		return "'" + time.Now().UTC().Add(d).Format(sqliteTime) + "'"
	},
	list: func(ids []string) string {
		if len(ids) == 0 {
			return "[]"
		}
		return `["` + strings.Join(ids, `","`) + `"]`
	},
	in:           "IN (SELECT value FROM json_each(?))",
	notIn:        func(column string) string { return column + " NOT IN (SELECT value FROM json_each(?))" },
	skipLockedOf: func(string) string { return "" },
	epoch:        "'1970-01-01 00:00:00+00:00'",
	span: func(from, to string) string {
		return "CAST(round((unixepoch(" + to + ", 'subsec') - unixepoch(" + from + ", 'subsec')) * 1000) AS INTEGER)"
	},
	resource: func(path []string) string {
		sql := "coalesce(directory_users.searched, directory_users.resource)"
		for _, name := range path {
			sql += `->'$."` + literal(name) + `"'`
		}
		return sql
	},
	elements: func(name string) string {
		return `json_each(coalesce(directory_users.searched, directory_users.resource), '$."` + literal(name) + `"') AS e`
	},
	element:   "e.value",
	preferred: `coalesce(e.value->>'$."primary"', 0) DESC, e.key`,
	text: func(json, name string, exact bool) string {
		sql := json + `->>'$."` + literal(name) + `"'`
		if exact {
			return "(" + sql + ")"
		}
		return "lower(" + sql + ")" // without an extension, that is ASCII
	},
	truth:      func(json, name string) string { return "coalesce(" + json + `->>'$."` + literal(name) + `"', false)` },
	contains:   func(text string) (string, int) { return "instr(" + text + ", ?) > 0", 1 },
	startsWith: func(text string) (string, int) { return "substr(" + text + ", 1, length(?)) = ?", 2 },
	endsWith:   func(text string) (string, int) { return "substr(" + text + ", -length(?)) = ?", 2 },
	tookList:   "(SELECT value->>'workspace_id' AS workspace_id, value->>'id' AS id, value->>'took' AS took FROM json_each(?)) AS v",
}

// sqliteTime is how the SQLite driver writes a time with _time_format=sqlite; UTC throughout, so text order is time order.
const sqliteTime = "2006-01-02 15:04:05.999999999-07:00"

func openPostgres(dsn string, o Options) (*Store, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, &models.Error{Code: models.Invalid, Detail: "DATABASE_URL cannot be read as postgres://user:password@host:port/database"}
	}
	if o.StatementTimeout > 0 {
		cfg.RuntimeParams["statement_timeout"] = strconv.FormatInt(o.StatementTimeout.Milliseconds(), 10)
	}
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = "60000"
	cfg.RuntimeParams["timezone"] = "UTC"
	if _, ok := cfg.RuntimeParams["application_name"]; !ok {
		cfg.RuntimeParams["application_name"] = "outpost"
	}
	open := func(conns int) (*gorm.DB, error) {
		pool := stdlib.OpenDB(*cfg.Copy())
		pool.SetMaxOpenConns(conns)
		pool.SetMaxIdleConns(conns)
		pool.SetConnMaxIdleTime(5 * time.Minute)
		db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), gormConfig())
		if err != nil {
			return nil, &models.Error{Code: models.Unavailable, Detail: "the database cannot be reached", Err: err}
		}
		return db, nil
	}
	db, err := open(o.MaxConns)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["synchronous_commit"] = "off"
	light, err := open(max(2, o.MaxConns/4))
	if err != nil {
		return nil, err
	}
	return &Store{dialect: postgresDialect, read: db, write: db, light: light}, nil
}

func openSQLite(path string) (*Store, error) {
	if path == "" {
		return nil, &models.Error{Code: models.Invalid, Detail: "DATABASE_URL needs a path after sqlite:, as in sqlite:outpost.db"}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create the folder of the database: %w", err)
	}
	open := func(conns int, query string) (*gorm.DB, error) {
		pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_time_format=sqlite&_texttotime=1&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"+query)
		if err != nil {
			return nil, err
		}
		pool.SetMaxOpenConns(conns)
		pool.SetMaxIdleConns(conns)
		return gorm.Open(sqlite.New(sqlite.Config{Conn: pool}), gormConfig())
	}
	// One connection writes, and every transaction is BEGIN IMMEDIATE: SQLite has a single writer, and a transaction
	// that began by reading could not become one.
	write, err := open(1, "&_txlock=immediate")
	if err != nil {
		return nil, &models.Error{Code: models.Unavailable, Detail: "the database file cannot be opened", Err: err}
	}
	read, err := open(max(4, runtime.NumCPU()), "")
	if err != nil {
		return nil, &models.Error{Code: models.Unavailable, Detail: "the database file cannot be opened", Err: err}
	}
	return &Store{dialect: sqliteDialect, read: read, write: write}, nil
}

// The unique rules that callers tell apart: names of indexes on Postgres, their columns on SQLite.
const (
	UniqueUserName   = "directory_users_user_name"
	UniqueExternalID = "directory_users_external_id"
	UniqueGroupName  = "directory_groups_name"
	UniqueEmail      = "members_email"
	UniqueSlug       = "workspaces_slug_key"
)

var sqliteUnique = map[string]string{
	"directory_users.user_name_key, directory_users.connection_id": UniqueUserName,
	"directory_users.external_id, directory_users.connection_id":   UniqueExternalID,
	"directory_groups.name_key, directory_groups.connection_id":    UniqueGroupName,
	"members.email_key, members.workspace_id":                      UniqueEmail,
	"workspaces.slug": UniqueSlug,
}

// uniqueViolation names the unique rule that err breaks.
func uniqueViolation(err error) (rule string, ok bool) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.ConstraintName, pg.Code == "23505"
	}
	var lite *msqlite.Error
	if errors.As(err, &lite) && (lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY) {
		_, columns, _ := strings.Cut(lite.Error(), "UNIQUE constraint failed: ")
		columns, _, _ = strings.Cut(columns, " (")
		if rule, ok := sqliteUnique[columns]; ok {
			return rule, true
		}
		return columns, true
	}
	return "", false
}

// again reports whether err says that the same transaction may succeed when repeated.
func again(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// away reports whether err means that the database is not there, or not now.
func away(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:2] {
		case "08", "53", "57": // connection, resources, operator intervention (shutdown, statement timeout)
			return true
		}
		return pg.Code == "25P03" || again(err)
	}
	var lite *msqlite.Error
	if errors.As(err, &lite) {
		code := lite.Code() & 0xff
		return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED || code == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR
	}
	return true
}
