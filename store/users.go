package store

import (
	"context"
	"strings"
	"time"

	"outpost/models"
)

// Where is a condition on directory people or groups, made by the functions of this file alone: nothing from outside
// reaches SQL as text.
type Where struct {
	make func(d dialect) (string, []any)
	// few says that hardly any row meets the condition, and that an index finds them.
	few bool
}

func where(few bool, sql string, args ...any) Where {
	return Where{func(dialect) (string, []any) { return sql, args }, few}
}

// The conditions that lists can be narrowed by. Keys are folded.
func IDIs(id string) Where            { return where(true, "id = ?", id) }
func UserNameIs(key string) Where     { return where(true, "user_name_key = ?", key) }
func GroupNameIs(key string) Where    { return where(true, "name_key = ?", key) }
func ExternalIDIs(id string) Where    { return where(true, "external_id = ?", id) }
func ActiveIs(active bool) Where      { return where(false, "active = ?", active) }
func DisplayNameIs(name string) Where { return where(false, "lower(display_name) = lower(?)", name) }

// Nothing is the condition that no row meets.
func Nothing() Where { return where(true, "1 = 0") }

// EmailIs matches people with the e-mail address, whose key is folded; kind "" matches an address of any type.
// An index finds the address a member is reached at; only people with several are searched in their resource.
func EmailIs(key, kind string) Where {
	return Where{few: true, make: func(d dialect) (string, []any) {
		lower := strings.ToLower(key)
		if kind == "" {
			return "((email_key = ? AND email_count = 1) OR (email_count > 1 AND " + d.email + "))", []any{key, lower}
		}
		kind := strings.ToLower(kind)
		return "((email_key = ? AND email_count = 1 AND " + d.emailType + ") OR (email_count > 1 AND " + d.emailOfType + "))", []any{key, kind, lower, kind}
	}}
}

// HasMember matches groups with the person among their members.
func HasMember(userID string) Where {
	return where(false, "EXISTS (SELECT 1 FROM memberships m WHERE m.group_id = directory_groups.id AND m.user_id = ? AND NOT m.removed)", userID)
}

// All matches what meets every one of ws.
func All(ws ...Where) Where {
	few := false
	for _, w := range ws {
		few = few || w.few
	}
	return Where{few: few, make: func(d dialect) (string, []any) {
		sql, args := make([]string, len(ws)), []any{}
		for i, w := range ws {
			s, a := w.make(d)
			sql[i] = s
			args = append(args, a...)
		}
		return "(" + strings.Join(sql, " AND ") + ")", args
	}}
}

// living is the condition for one connection's rows that SCIM shows, narrowed by w.
func (s *Store) living(connectionID string, w *Where) (string, []any) {
	sql, args := "connection_id = ? AND removed_at IS NULL", []any{connectionID}
	if w != nil {
		more, moreArgs := w.make(s.dialect)
		sql, args = sql+" AND "+more, append(args, moreArgs...)
	}
	return sql, args
}

// User finds a living person of a connection.
func (s *Store) User(ctx context.Context, connectionID, id string) (models.User, error) {
	var u models.User
	err := s.r(ctx).Raw("SELECT * FROM directory_users WHERE id = ? AND connection_id = ? AND removed_at IS NULL", id, connectionID).Take(&u).Error
	return u, translate(err, "the user "+id)
}

// Users lists living people of a connection in the order they came, and how many meet w in all.
// A nil w takes everybody. The count is left out, as the length of the page, when the page shows it.
func (s *Store) Users(ctx context.Context, connectionID string, w *Where, offset, limit int) ([]models.User, int, error) {
	var us []models.User
	total, err := s.page(ctx, &us, "directory_users", connectionID, w, offset, limit, func() int { return len(us) })
	return us, total, err
}

// Few reports whether an index finds the few rows that meet the condition: what LookUp is for.
func (w *Where) Few() bool { return w != nil && w.few }

// LookUp is Users for a condition that few meet, through a door: one statement for both.
func (s *Store) LookUp(ctx context.Context, door Door, w *Where, offset, limit int) ([]models.User, int, error) {
	if limit == 0 {
		return s.lookUpSlowly(ctx, door, w, offset, limit)
	}
	sql, args := s.living(door.ConnectionID, w)
	// Past GORM, and without the person: most look-ups of a bulk assignment find nobody.
	rows, err := s.r(ctx).Statement.ConnPool.QueryContext(ctx, numbered("WITH found AS MATERIALIZED (SELECT id FROM directory_users WHERE "+sql+`)
		SELECT c.stamp, found.id FROM connections c LEFT JOIN found ON true WHERE c.id = ? ORDER BY found.id LIMIT ? OFFSET ?`), append(args, door.ConnectionID, limit, offset)...)
	if err != nil {
		return nil, 0, translate(err, "users")
	}
	defer rows.Close()
	var ids []string
	known := false
	for rows.Next() {
		var stamp int64
		var id *string
		if err := rows.Scan(&stamp, &id); err != nil {
			return nil, 0, translate(err, "users")
		}
		if stamp != door.Stamp {
			return nil, 0, ErrDoor
		}
		known = true
		if id != nil {
			ids = append(ids, *id)
		}
	}
	switch err := rows.Err(); {
	case err != nil:
		return nil, 0, translate(err, "users")
	case !known && offset > 0 || len(ids) == limit: // past the end, or more than a page
		return s.lookUpSlowly(ctx, door, w, offset, limit)
	case !known:
		return nil, 0, ErrDoor
	case len(ids) == 0:
		return nil, 0, nil
	}
	rows.Close()
	var users []models.User
	err = s.r(ctx).Raw("SELECT * FROM directory_users WHERE id "+s.dialect.in+" ORDER BY id", s.dialect.list(ids)).Scan(&users).Error
	return users, offset + len(users), translate(err, "users")
}

// lookUpSlowly is LookUp where the answer takes a count.
func (s *Store) lookUpSlowly(ctx context.Context, door Door, w *Where, offset, limit int) ([]models.User, int, error) {
	stamp, err := s.Stamp(ctx, door.ConnectionID)
	if err != nil {
		return nil, 0, err
	}
	if stamp != door.Stamp {
		return nil, 0, ErrDoor
	}
	return s.Users(ctx, door.ConnectionID, w, offset, limit)
}

// page reads one page of a table into dest and counts the whole.
func (s *Store) page(ctx context.Context, dest any, table, connectionID string, w *Where, offset, limit int, got func() int) (int, error) {
	sql, args := s.living(connectionID, w)
	if limit > 0 {
		from := "SELECT * FROM " + table + " WHERE " + sql
		if w != nil && w.few {
			// Left alone, the planner walks the list in its order until it has met the few: all of it.
			from = "WITH found AS MATERIALIZED (" + from + ") SELECT * FROM found"
		}
		err := s.r(ctx).Raw(from+" ORDER BY id LIMIT ? OFFSET ?", append(append([]any{}, args...), limit, offset)...).Scan(dest).Error
		if err != nil {
			return 0, translate(err, table)
		}
		if n := got(); n < limit && (n > 0 || offset == 0) {
			return offset + n, nil
		}
	}
	var total int64
	err := s.r(ctx).Raw("SELECT count(*) FROM "+table+" WHERE "+sql, args...).Scan(&total).Error
	return int(total), translate(err, table)
}

// LockUser reads a living person of a connection and locks the row for the transaction.
func (tx *Tx) LockUser(connectionID, id string) (models.User, error) {
	return tx.user("SELECT * FROM directory_users WHERE id = ? AND connection_id = ? AND removed_at IS NULL"+tx.store.dialect.forUpdate, "the user "+id, id, connectionID)
}

// LockUserByName is LockUser by folded userName.
func (tx *Tx) LockUserByName(connectionID, key string) (models.User, error) {
	return tx.user("SELECT * FROM directory_users WHERE user_name_key = ? AND connection_id = ? AND removed_at IS NULL"+tx.store.dialect.forUpdate, "the user "+key, key, connectionID)
}

// UserByExternalID finds a living person of a connection by the provider's id.
func (tx *Tx) UserByExternalID(connectionID, externalID string) (models.User, error) {
	return tx.user("SELECT * FROM directory_users WHERE external_id = ? AND connection_id = ? AND removed_at IS NULL", "the user "+externalID, externalID, connectionID)
}

// Desired reads a person as the directory wants them now, the deleted included.
func (tx *Tx) Desired(id string) (models.User, error) {
	return tx.user("SELECT * FROM directory_users WHERE id = ?", "the user "+id, id)
}

// LockDesired is Desired with the row locked for the transaction.
func (tx *Tx) LockDesired(id string) (models.User, error) {
	return tx.user("SELECT * FROM directory_users WHERE id = ?"+tx.store.dialect.forUpdate, "the user "+id, id)
}

// KeepVersion records that a person's version, the newest, is not applied: so it was decided.
func (tx *Tx) KeepVersion(id string, version int64) error {
	n, err := tx.exec("keep the member", "UPDATE directory_users SET kept_version = ? WHERE id = ? AND version = ?", version, id, version)
	return affected(n, err, "the user")
}

// Situation is a person as the directory wants them now, with what tells whether more has to be looked at.
type Situation struct {
	models.User      `gorm:"embedded"`
	InGroups         bool // some group names them
	WaitedFor        bool // some group names a value that means them
	OtherConnections bool // the workspace has connections beside theirs
	Mapped           bool // some group of their connection gives a role

	// How the connection invites.
	SendInvitations bool
	InvitationHold  *int
}

// Situation reads Desired and the rest in one statement.
func (tx *Tx) Situation(id string) (Situation, error) {
	return one[Situation](tx, "the user "+id, `SELECT u.*,
		EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = u.id AND NOT m.removed) AS in_groups,
		EXISTS (SELECT 1 FROM waiting_members w WHERE w.value IN (u.external_id, CAST(u.id AS text)) AND w.connection_id = u.connection_id) AS waited_for,
		EXISTS (SELECT 1 FROM connections c WHERE c.workspace_id = u.workspace_id AND c.id <> u.connection_id AND c.status <> 'deleted') AS other_connections,
		EXISTS (SELECT 1 FROM role_mappings r WHERE r.connection_id = u.connection_id) AS mapped,
		own.send_invitations, own.invitation_hold
		FROM directory_users u JOIN connections own ON own.id = u.connection_id WHERE u.id = ?`, id)
}

// OtherClaim finds a living person of a connection that is not deleted, other than id, who is the member: the one that
// the member follows, or one who has linked a mirror of the member and is not applied yet.
func (tx *Tx) OtherClaim(workspaceID, memberID, id string) (models.User, error) {
	return tx.user(`SELECT u.* FROM directory_users u JOIN connections c ON c.id = u.connection_id AND c.status <> 'deleted'
		WHERE u.workspace_id = ? AND u.linked AND u.removed_at IS NULL AND u.id <> ?
		AND (u.mirror_of = ? OR u.id = (SELECT m.directory_user_id FROM members m WHERE m.id = ?)) LIMIT 1`, "the claim", workspaceID, id, memberID, memberID)
}

func (tx *Tx) user(sql, what string, args ...any) (models.User, error) {
	return one[models.User](tx, what, sql, args...)
}

// SaveUser writes every changeable column of a person that the transaction has locked.
func (tx *Tx) SaveUser(u models.User) error {
	n, err := tx.exec("save the user", `UPDATE directory_users SET user_name = ?, user_name_key = ?, external_id = ?, email = ?, email_key = ?, email_count = ?,
		display_name = ?, active = ?, linked = ?, version = ?, period = ?, kept_version = ?, resource = ?, updated_at = ?, removed_at = ? WHERE id = ?`,
		u.UserName, u.UserNameKey, u.ExternalID, u.Email, u.EmailKey, u.EmailCount, u.DisplayName, u.Active, u.Linked, u.Version, u.Period, u.KeptVersion,
		u.Resource, u.UpdatedAt.UTC(), plain(u.RemovedAt), u.ID)
	return affected(n, err, "the user")
}

// DropMirrors deletes the unlinked mirrors of a member in a connection: the person has another row there.
func (tx *Tx) DropMirrors(connectionID, memberID string) error {
	if _, err := tx.exec("drop mirrors", "DELETE FROM memberships WHERE user_id IN (SELECT id FROM directory_users WHERE connection_id = ? AND mirror_of = ? AND NOT linked)", connectionID, memberID); err != nil {
		return err
	}
	_, err := tx.exec("drop mirrors", "DELETE FROM directory_users WHERE connection_id = ? AND mirror_of = ? AND NOT linked", connectionID, memberID)
	return err
}

// AddMirror writes the mirror of a member, unless its userName is there already.
func (tx *Tx) AddMirror(u models.User) error {
	return tx.insert("mirror the member", &u, " ON CONFLICT DO NOTHING")
}

// UnmirroredMembers lists the members of the connection's workspace that the connection shows in no form.
func (tx *Tx) UnmirroredMembers(workspaceID, connectionID string) ([]models.Member, error) {
	var ms []models.Member
	_, err := tx.query(&ms, "members", `SELECT m.* FROM members m WHERE m.workspace_id = ?
		AND NOT EXISTS (SELECT 1 FROM directory_users u WHERE u.connection_id = ? AND u.removed_at IS NULL AND (u.mirror_of = m.id OR u.id = m.directory_user_id)) ORDER BY m.id`, workspaceID, connectionID)
	return ms, err
}

// ResolvedMember is a value that a group named, and the person it stands for.
type ResolvedMember struct{ Value, UserID string }

// ResolveByExternalID finds the living people of a connection whose externalId is among values.
func (tx *Tx) ResolveByExternalID(connectionID string, values []string) ([]ResolvedMember, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var out []ResolvedMember
	_, err := tx.query(&out, "members", "SELECT external_id AS value, id AS user_id FROM directory_users WHERE connection_id = ? AND removed_at IS NULL AND external_id IN ?", connectionID, values)
	return out, err
}

// ResolveByID finds which of ids, all UUIDs, are living people of a connection.
func (tx *Tx) ResolveByID(connectionID string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var out []string
	_, err := tx.query(&out, "members", "SELECT id FROM directory_users WHERE connection_id = ? AND removed_at IS NULL AND id "+tx.store.dialect.in, connectionID, tx.store.dialect.list(ids))
	return out, err
}

// PruneWaiting forgets values that have waited since before.
func (tx *Tx) PruneWaiting(before time.Time) (int64, error) {
	return tx.exec("prune waiting members", "DELETE FROM waiting_members WHERE created_at < ?", before.UTC())
}
