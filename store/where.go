package store

import (
	"strings"
	"time"
)

// Where is a condition on directory people or groups, made by the functions of this file alone: nothing from outside
// reaches SQL as text.
type Where struct {
	make func(d dialect, in scope) (string, []any)
	// few says that hardly any row meets the condition, and that an index finds them.
	few bool
}

// scope is the rows that a condition is about.
type scope struct{ table, connectionID string }

// living is the condition for the rows of a scope that SCIM shows.
func (in scope) living() (string, []any) {
	return "connection_id = ? AND removed_at IS NULL", []any{in.connectionID}
}

func where(few bool, sql string, args ...any) Where {
	return Where{few: few, make: func(dialect, scope) (string, []any) { return sql, args }}
}

// The conditions that an index answers. Keys are folded.
func IDIs(id string) Where         { return where(true, "id = ?", id) }
func UserNameIs(key string) Where  { return where(true, "user_name_key = ?", key) }
func GroupNameIs(key string) Where { return where(true, "name_key = ?", key) }
func ExternalIDIs(id string) Where { return where(true, "external_id = ?", id) }

// MayHaveEmail narrows people to the few that an index finds under an e-mail address: those who have it in any of their
// emails, and those who are reached at it. The key is folded.
func MayHaveEmail(key string) Where {
	return Where{few: true, make: func(_ dialect, in scope) (string, []any) {
		return `id IN (SELECT d.id FROM directory_users d WHERE d.email_key = ? AND d.connection_id = ? AND d.removed_at IS NULL
			UNION ALL SELECT e.user_id FROM directory_emails e WHERE e.email_key = ? AND e.connection_id = ?)`, []any{key, in.connectionID, key, in.connectionID}
	}}
}

// HasMember matches groups with the person among their members.
func HasMember(userID string) Where {
	return where(true, `id IN (SELECT m.group_id FROM memberships m JOIN directory_users u ON u.id = m.user_id WHERE m.user_id = ? AND NOT m.removed AND u.removed_at IS NULL)`, userID)
}

// InGroup matches people who are in the group.
func InGroup(groupID string) Where {
	return where(false, `id IN (SELECT m.user_id FROM memberships m JOIN directory_groups g ON g.id = m.group_id WHERE m.group_id = ? AND NOT m.removed AND g.removed_at IS NULL)`, groupID)
}

// Always is the condition that every row meets, or none.
func Always(all bool) Where {
	if all {
		return where(false, "1 = 1")
	}
	return where(true, "1 = 0")
}

// All matches what meets every one of ws.
func All(ws ...Where) Where {
	few := false
	for _, w := range ws {
		few = few || w.few
	}
	return join(few, " AND ", ws)
}

// Any matches what meets one of ws. Where an index finds the few of each, it finds them one after the other.
func Any(ws ...Where) Where {
	few := true
	for _, w := range ws {
		few = few && w.few
	}
	if !few {
		return join(false, " OR ", ws)
	}
	return Where{few: true, make: func(d dialect, in scope) (string, []any) {
		parts, args := make([]string, len(ws)), []any{}
		for i, w := range ws {
			living, its := in.living()
			sql, more := w.make(d, in)
			parts[i] = "SELECT id FROM " + in.table + " WHERE " + living + " AND " + sql
			args = append(append(args, its...), more...)
		}
		return "id IN (" + strings.Join(parts, " UNION ") + ")", args
	}}
}

func join(few bool, by string, ws []Where) Where {
	return Where{few: few, make: func(d dialect, in scope) (string, []any) {
		sql, args := make([]string, len(ws)), []any{}
		for i, w := range ws {
			s, a := w.make(d, in)
			sql[i] = s
			args = append(args, a...)
		}
		return "(" + strings.Join(sql, by) + ")", args
	}}
}

// Not matches what does not meet w. What SQL calls unknown counts as not met.
func Not(w Where) Where {
	return Where{make: func(d dialect, in scope) (string, []any) {
		sql, args := w.make(d, in)
		return "NOT coalesce(" + sql + ", false)", args
	}}
}

// Field is a value of a row, or of an element of one of its lists: what a condition compares and a list is sorted by.
// It is NULL where there is no value.
type Field struct {
	sql func(d dialect) string
	// list is where the field is a part of each element, and sorting takes that of one.
	list *List
}

func column(sql string) Field { return Field{sql: func(dialect) string { return sql }} }

func textColumn(sql string) Field {
	return Field{sql: func(d dialect) string { return "(" + sql + ")" + d.byBytes }}
}

// Fields of people and groups. Keys are folded.
var (
	ID           = textColumn("CAST(id AS text)")
	UserName     = textColumn("user_name_key")
	GroupName    = textColumn("name_key")
	ExternalID   = textColumn("NULLIF(external_id, '')")
	Active       = column("active")
	Created      = column("created_at")
	LastModified = column("updated_at")
)

// Text is a text in a person's resource. An exact one is as it was sent, another folded.
func Text(exact bool, path ...string) Field {
	return Field{sql: func(d dialect) string { return d.text(d.resource(path[:len(path)-1]), path[len(path)-1], exact) }}
}

// Part is whatever is at the path in a person's resource, to be asked for by Present alone.
func Part(path ...string) Field {
	return Field{sql: func(d dialect) string { return d.resource(path) }}
}

// List is a multi-valued attribute.
type List struct {
	from  func(d dialect) string // FROM and WHERE of its elements
	order func(d dialect) string // the one that is preferred first
	parts map[string]Field       // nil for one in the resource
	id    string                 // the column of an element's id, "" for one in the resource
}

// ListOf is emails and the like: a list in a person's resource, whose elements are objects.
func ListOf(name string) List {
	return List{
		from:  func(d dialect) string { return d.elements(name) + " WHERE true" },
		order: func(d dialect) string { return d.preferred },
	}
}

// The lists that are rows of their own.
var (
	GroupsOfUser = List{
		from: func(dialect) string {
			return "memberships x JOIN directory_groups g ON g.id = x.group_id WHERE x.user_id = directory_users.id AND NOT x.removed AND g.removed_at IS NULL"
		},
		id:    "x.group_id",
		order: func(dialect) string { return "g.id" },
		parts: map[string]Field{"value": textColumn("CAST(g.id AS text)"), "display": textColumn("g.name_key")},
	}
	MembersOfGroup = List{
		from: func(dialect) string {
			return "memberships x JOIN directory_users u ON u.id = x.user_id WHERE x.group_id = directory_groups.id AND NOT x.removed AND u.removed_at IS NULL"
		},
		id:    "x.user_id",
		order: func(dialect) string { return "u.id" },
		parts: map[string]Field{"value": textColumn("CAST(u.id AS text)"), "display": textColumn("u.user_name_key")},
	}
)

// Text is a text of each element; see the function Text.
func (l List) Text(exact bool, part string) Field {
	f, ok := l.parts[part]
	if !ok {
		f = Field{sql: func(d dialect) string { return d.text(d.element, part, exact) }}
	}
	f.list = &l
	return f
}

// Is matches the element with the id, in a list whose elements are rows.
func (l List) Is(id string) Where { return where(false, l.id+" = ?", id) }

// Truth is a boolean of each element.
func (l List) Truth(part string) Field {
	return Field{list: &l, sql: func(d dialect) string { return d.truth(d.element, part) }}
}

// Some matches rows of which one element meets w, whose fields are parts of the list's elements.
func (l List) Some(w Where) Where {
	return Where{make: func(d dialect, in scope) (string, []any) {
		sql, args := w.make(d, in)
		return "EXISTS (SELECT 1 FROM " + l.from(d) + " AND " + sql + ")", args
	}}
}

// Filled matches rows with an element in the list.
func (l List) Filled() Where { return l.Some(Always(true)) }

// Present matches where the field has a value.
func Present(f Field) Where { return f.where(func(sql string) string { return sql + " IS NOT NULL" }) }

// True matches where the field is true.
func True(f Field) Where { return f.where(func(sql string) string { return sql }) }

// The ways in which Compare compares.
const (
	Equal        = " = "
	Greater      = " > "
	GreaterEqual = " >= "
	Less         = " < "
	LessEqual    = " <= "
)

// Compare matches where the field compares with v, a text by its bytes. A field without a value matches nothing.
func Compare(f Field, by string, v any) Where {
	switch by {
	case Equal, Greater, GreaterEqual, Less, LessEqual:
	default:
		panic("store: there is no comparison " + by)
	}
	if t, ok := v.(time.Time); ok {
		v = t.UTC()
	}
	return f.where(func(sql string) string { return sql + by + "?" }, v)
}

// Contains, StartsWith and EndsWith look into a text, where the field has one. s is not empty.
func Contains(f Field, s string) Where {
	return f.within(func(d dialect, text string) (string, int) { return d.contains(text) }, s)
}

// StartsWith: see Contains.
func StartsWith(f Field, s string) Where {
	return f.within(func(d dialect, text string) (string, int) { return d.startsWith(text) }, s)
}

// EndsWith: see Contains.
func EndsWith(f Field, s string) Where {
	return f.within(func(d dialect, text string) (string, int) { return d.endsWith(text) }, s)
}

func (f Field) where(with func(sql string) string, args ...any) Where {
	return Where{make: func(d dialect, _ scope) (string, []any) { return with(f.sql(d)), args }}
}

func (f Field) within(how func(d dialect, text string) (string, int), s string) Where {
	return Where{make: func(d dialect, _ scope) (string, []any) {
		sql, times := how(d, f.sql(d))
		args := make([]any, times)
		for i := range args {
			args[i] = s
		}
		return sql, args
	}}
}

// Order is how a list is sorted; rows without a value come last, or first where it is Descending. Rows that are equal
// come in the order they were made, and so does everything in the zero Order.
type Order struct {
	By         Field
	Descending bool
}

// key is the expression that rows are sorted by; "" for none.
func (o Order) key(d dialect) string {
	switch {
	case o.By.sql == nil:
		return ""
	case o.By.list != nil:
		return "(SELECT " + o.By.sql(d) + " FROM " + o.By.list.from(d) + " ORDER BY " + o.By.list.order(d) + " LIMIT 1)"
	}
	return o.By.sql(d)
}

// literal is a name in a person's resource as SQL. Names come from the schema; what could end the literal has no place
// in one.
func literal(name string) string {
	for i := range len(name) {
		c := name[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == ':' || c == '.' || c == '$' {
			continue
		}
		panic("store: " + name + " is not the name of an attribute")
	}
	return name
}
