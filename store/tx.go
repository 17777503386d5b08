package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"outpost/models"
)

// Tx is one transaction: everything that writes hangs on it. Inside Write use only the Tx, never the Store.
type Tx struct {
	store *Store
	ctx   context.Context
	db    *gorm.DB // nil until the first statement
	rows  []any
	first *gate // comes before everything else
	last  *gate // comes with the added rows, at the end
	then  []func()
}

// gate is a statement that has to find its row for the transaction to go on.
type gate struct {
	sql       string
	args      []any
	returning string // what a WITH needs of it
	closed    error  // what it means when there is no row
}

// Write runs fn in one transaction and commits it. An error from fn, or a panic, rolls everything back.
// A deadlock or a serialization failure runs fn again, so fn has no effect but on tx; three tries in all.
// An error of fn's own comes back as it is. One of code Unavailable may leave it open whether the commit took place;
// callers make writes safe to repeat.
func (s *Store) Write(ctx context.Context, fn func(tx *Tx) error) error {
	for try := 1; ; try++ {
		own, err := s.writeOnce(ctx, fn)
		switch {
		case err == nil || own && !again(err):
			return err
		case !again(err) || try == 3:
			return translate(err, "write")
		}
		// Time for the one that won, or the two meet again at once.
		select {
		case <-time.After(time.Duration(5+rand.IntN(20)) * time.Millisecond * time.Duration(try)):
		case <-ctx.Done():
			return translate(ctx.Err(), "write")
		}
	}
}

// writeOnce is one try; own says that the error is what fn returned.
func (s *Store) writeOnce(ctx context.Context, fn func(tx *Tx) error) (own bool, err error) {
	tx := &Tx{store: s, ctx: ctx}
	err = tx.run(func(tx *Tx) error {
		err := fn(tx)
		own = err != nil
		return err
	})
	if err == nil {
		for _, then := range tx.then {
			then()
		}
	}
	return own, err
}

// run is the transaction from its beginning to its commit.
func (tx *Tx) run(fn func(tx *Tx) error) error {
	committed := false
	defer func() {
		if tx.db != nil && !committed {
			tx.db.Rollback()
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.db == nil && len(tx.rows) > 0 && tx.last == nil && (tx.store.dialect.oneStatement || len(tx.rows) == 1 && tx.first == nil) {
		if done, err := tx.insertAlone(); done {
			return err
		}
	}
	if err := tx.insertAdded(); err != nil {
		return err
	}
	if tx.db == nil {
		return nil
	}
	err := tx.db.Commit().Error
	committed = true // or broken: there is nothing left to roll back
	return err
}

// Then runs fn when the transaction is committed, and only then.
func (tx *Tx) Then(fn func()) { tx.then = append(tx.then, fn) }

// conn is the transaction, begun with the first statement that needs it.
func (tx *Tx) conn() (*gorm.DB, error) {
	if tx.db == nil {
		db := tx.store.write.WithContext(tx.ctx).Begin()
		if db.Error != nil {
			return nil, db.Error
		}
		tx.db = db
		if err := tx.pass(tx.first); err != nil {
			return nil, err
		}
		tx.first = nil
	}
	return tx.db, nil
}

// pass runs a gate's statement inside the transaction.
func (tx *Tx) pass(g *gate) error {
	if g == nil {
		return nil
	}
	var found []int
	r := tx.db.Raw(g.sql+g.returning, g.args...).Scan(&found)
	if r.Error == nil && len(found) == 0 {
		return g.closed
	}
	return r.Error
}

// Require turns the transaction back with ErrDoor when the door has closed. Ask for it before anything else.
func (tx *Tx) Require(d Door) {
	if d != (Door{}) {
		tx.first = &gate{sql: "SELECT 1 FROM connections WHERE id = ? AND stamp = ?", args: []any{d.ConnectionID, d.Stamp}, closed: ErrDoor}
	}
}

// exec runs one statement and tells how many rows it changed.
func (tx *Tx) exec(what, sql string, args ...any) (int64, error) {
	db, err := tx.conn()
	if err != nil {
		return 0, translate(err, what)
	}
	r := db.Exec(sql, args...)
	if r.Error != nil {
		return 0, wrap(r.Error, what)
	}
	return r.RowsAffected, nil
}

// insert writes one row at once, for what follows to refer to it; end is what the statement ends with.
func (tx *Tx) insert(what string, row any, end string) error {
	db, err := tx.conn()
	if err != nil {
		return translate(err, what)
	}
	statement, args, err := insertStatement(tx.ctx, []any{row}, nil)
	if err != nil {
		return err
	}
	_, err = db.Statement.ConnPool.ExecContext(tx.ctx, statement+end, args...)
	return wrap(err, what)
}

// one reads the row that a statement finds; where it finds none, what does not exist.
func one[T any](tx *Tx, what, sql string, args ...any) (T, error) {
	var row T
	n, err := tx.query(&row, what, sql, args...)
	if err == nil && n == 0 {
		err = &models.Error{Code: models.NotFound, Detail: what + " does not exist"}
	}
	return row, err
}

// query scans the rows of one statement into dest, a pointer to a struct, a value, or a slice of either.
func (tx *Tx) query(dest any, what, sql string, args ...any) (int64, error) {
	db, err := tx.conn()
	if err != nil {
		return 0, translate(err, what)
	}
	r := db.Raw(sql, args...).Scan(dest)
	if r.Error != nil {
		return 0, wrap(r.Error, what)
	}
	return r.RowsAffected, nil
}

// wrap translates err, but leaves one that asks for another try to Write.
func wrap(err error, what string) error {
	if again(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return translate(err, what)
}

// Add hands rows (pointers to models) to the transaction. They are written together just before the commit: in one
// statement where the database can, and without a BEGIN around it when nothing else was asked of the transaction.
// The transaction does not read what it added; a conflict shows when Write returns.
func (tx *Tx) Add(rows ...any) { tx.rows = append(tx.rows, rows...) }

// maxTogether bounds the rows that share one statement: few shapes of statement, all of them prepared.
const maxTogether = 12

// insertAlone writes the added rows as one statement that is its own transaction. done is false when they do not fit.
func (tx *Tx) insertAlone() (done bool, err error) {
	if len(tx.rows) > maxTogether {
		return false, nil
	}
	return true, insertTogether(tx.ctx, tx.store.write.WithContext(tx.ctx), tx.rows, tx.first)
}

// insertAdded writes the added rows inside the transaction, and passes the last gate with them.
func (tx *Tx) insertAdded() error {
	if tx.last == nil && len(tx.rows) == 0 {
		return nil
	}
	if _, err := tx.conn(); err != nil {
		return err
	}
	step, last := maxTogether, tx.last
	if !tx.store.dialect.oneStatement {
		step = 1
	}
	if last != nil && (step == 1 || len(tx.rows) == 0) {
		if err := tx.pass(last); err != nil {
			return err
		}
		last = nil
	}
	for at := 0; at < len(tx.rows); at += step {
		if err := insertTogether(tx.ctx, tx.db, tx.rows[at:min(at+step, len(tx.rows))], last); err != nil {
			return err
		}
		last = nil
	}
	return nil
}

// insertTogether writes rows in one statement, behind a gate if there is one.
func insertTogether(ctx context.Context, db *gorm.DB, rows []any, g *gate) error {
	statement, args, err := insertStatement(ctx, rows, g)
	if err != nil {
		return err
	}
	// Past GORM: it looks at every one of some fifty arguments, in the statement that a bulk assignment is made of.
	r, err := db.Statement.ConnPool.ExecContext(ctx, statement, args...)
	if err != nil {
		return wrap(err, "insert")
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 && g != nil {
		return g.closed
	}
	return err
}

var schemas sync.Map // GORM's cache of parsed models

// insertStatement is the INSERT for rows: a plain one for one row, one WITH for several. Behind a gate nothing is
// inserted when that is closed. A column that is NULL, or has its default, is left to the database.
func insertStatement(ctx context.Context, rows []any, g *gate) (string, []any, error) {
	var sql strings.Builder
	args := make([]any, 0, 24*len(rows))
	with := "WITH "
	values, end := "VALUES (", ")"
	if g != nil {
		sql.WriteString("WITH gate AS (" + numbered(g.sql) + g.returning + ")")
		args = append(args, g.args...)
		with, values, end = ", ", "SELECT ", " FROM gate"
	}
	for i, row := range rows {
		if i < len(rows)-1 {
			sql.WriteString(with + "r" + strconv.Itoa(i) + " AS (")
			with = ", "
		} else if i > 0 || len(args) > 0 {
			sql.WriteByte(' ')
		}
		parsed, err := schema.Parse(row, &schemas, namer{})
		if err != nil {
			return "", nil, fmt.Errorf("model %T: %w", row, err)
		}
		sql.WriteString("INSERT INTO " + parsed.Table + " (")
		value, n := reflect.ValueOf(row).Elem(), len(args)
		for _, name := range parsed.DBNames {
			field := parsed.FieldsByDBName[name]
			v, zero := field.ValueOf(ctx, value)
			if zero && (field.HasDefaultValue || field.FieldType.Kind() == reflect.Pointer) {
				continue
			}
			if len(args) > n {
				sql.WriteString(", ")
			}
			sql.WriteString(name)
			args = append(args, plain(v))
		}
		sql.WriteString(") " + values)
		for j := n; j < len(args); j++ {
			if j > n {
				sql.WriteString(", ")
			}
			sql.WriteString("$" + strconv.Itoa(j+1)) // SQLite reads it as well
		}
		sql.WriteString(end)
		if i < len(rows)-1 {
			sql.WriteByte(')')
		}
	}
	return sql.String(), args, nil
}

// numbered gives the parameters of a statement their numbers.
func numbered(statement string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(statement, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		statement = after
	}
}

// plain turns a field's value into one that GORM passes on as it is: bytes stay bytes, times are UTC.
func plain(v any) any {
	switch t := v.(type) {
	case time.Time:
		return t.UTC()
	case *time.Time:
		if t == nil {
			return nil
		}
		return t.UTC()
	}
	return v
}

// Lock takes the exclusive lock called name until the transaction ends. On SQLite the transaction has it already.
func (tx *Tx) Lock(name string) error { return tx.lock(tx.store.dialect.lock, name) }

// TryLock is Lock where another has it not: it does not wait, and tells whether it has the lock now.
func (tx *Tx) TryLock(name string) (bool, error) {
	if tx.store.dialect.tryLock == "" {
		return true, nil
	}
	var got bool
	_, err := tx.query(&got, "lock "+name, tx.store.dialect.tryLock, name)
	return got, err
}

// LockAndShare is Lock(name), and then a share of the lock called shared unless somebody has or waits for it alone: it
// tells whether it has both.
func (tx *Tx) LockAndShare(name, shared string) (bool, error) {
	if tx.store.dialect.tryBoth == "" {
		return true, nil
	}
	var got bool
	_, err := tx.query(&got, "lock "+name, tx.store.dialect.tryBoth, shared, name)
	return got, err
}

func (tx *Tx) lock(sql, name string) error {
	if sql == "" {
		return nil
	}
	_, err := tx.exec("lock "+name, sql, name)
	return err
}

// affected turns "no row changed" into an error of code Stale.
func affected(n int64, err error, what string) error {
	if err == nil && n == 0 {
		return &models.Error{Code: models.Stale, Detail: what + " has changed meanwhile"}
	}
	return err
}
