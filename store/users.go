package store

import (
	"context"
	"time"

	"outpost/models"
)

// User finds a living person of a connection.
func (s *Store) User(ctx context.Context, connectionID, id string) (models.User, error) {
	var u models.User
	err := s.r(ctx).Raw("SELECT * FROM directory_users WHERE id = ? AND connection_id = ? AND removed_at IS NULL", id, connectionID).Take(&u).Error
	return u, translate(err, "the user "+id)
}

// Users lists living people of a connection.
func (s *Store) Users(ctx context.Context, q Listing) (Page[models.User], error) {
	return page[models.User](ctx, s, "directory_users", q)
}

// Few reports whether an index finds the few rows that meet the condition: what LookUp is for.
func (w *Where) Few() bool { return w != nil && w.few }

// LookUp is Users for a condition that few meet, in no order but their own, through a door: one statement for both.
func (s *Store) LookUp(ctx context.Context, door Door, q Listing) (Page[models.User], error) {
	if q.Limit == 0 {
		return s.lookUpSlowly(ctx, door, q)
	}
	sql, args := s.living("directory_users", q.ConnectionID, q.Where)
	// Past GORM, and without the person: most look-ups of a bulk assignment find nobody.
	rows, err := s.r(ctx).Statement.ConnPool.QueryContext(ctx, numbered("WITH found AS MATERIALIZED (SELECT id FROM directory_users WHERE "+sql+`)
		SELECT c.stamp, found.id FROM connections c LEFT JOIN found ON true WHERE c.id = ? ORDER BY found.id LIMIT ? OFFSET ?`), append(args, door.ConnectionID, q.Limit, q.Offset)...)
	var none Page[models.User]
	if err != nil {
		return none, translate(err, "users")
	}
	defer rows.Close()
	var ids []string
	known := false
	for rows.Next() {
		var stamp int64
		var id *string
		if err := rows.Scan(&stamp, &id); err != nil {
			return none, translate(err, "users")
		}
		if stamp != door.Stamp {
			return none, ErrDoor
		}
		known = true
		if id != nil {
			ids = append(ids, *id)
		}
	}
	switch err := rows.Err(); {
	case err != nil:
		return none, translate(err, "users")
	case !known && q.Offset > 0 || len(ids) == q.Limit: // past the end, or more than a page
		return s.lookUpSlowly(ctx, door, q)
	case !known:
		return none, ErrDoor
	case len(ids) == 0:
		return none, nil
	}
	rows.Close()
	users, err := byID[models.User](ctx, s, "directory_users", q.ConnectionID, ids)
	return Page[models.User]{Rows: users, Total: q.Offset + len(users)}, err
}

// lookUpSlowly is LookUp where the answer takes a count.
func (s *Store) lookUpSlowly(ctx context.Context, door Door, q Listing) (Page[models.User], error) {
	stamp, err := s.Stamp(ctx, door.ConnectionID)
	if err != nil {
		return Page[models.User]{}, err
	}
	if stamp != door.Stamp {
		return Page[models.User]{}, ErrDoor
	}
	return s.Users(ctx, q)
}

// LockUser reads a living person of a connection and locks the row for the transaction.
func (tx *Tx) LockUser(connectionID, id string) (models.User, error) {
	return tx.user("SELECT * FROM directory_users WHERE id = ? AND connection_id = ? AND removed_at IS NULL"+tx.store.dialect.forUpdate, "the user "+id, id, connectionID)
}

// LockUserByName is LockUser by folded userName.
func (tx *Tx) LockUserByName(connectionID, key string) (models.User, error) {
	return tx.user("SELECT * FROM directory_users WHERE user_name_key = ? AND connection_id = ? AND removed_at IS NULL"+tx.store.dialect.forUpdate, "the user "+key, key, connectionID)
}

// LockUserByExternalID is LockUser by the provider's id.
func (tx *Tx) LockUserByExternalID(connectionID, externalID string) (models.User, error) {
	return tx.user("SELECT * FROM directory_users WHERE external_id = ? AND connection_id = ? AND removed_at IS NULL"+tx.store.dialect.forUpdate, "the user "+externalID, externalID, connectionID)
}

// ErrGone says that UnlessGone found somebody, or that the door has closed.
var ErrGone = &models.Error{Code: models.Stale, Detail: "somebody with that name was there before"}

// Nobody who was deleted has the userName, or the externalId.
const (
	noGoneName       = " AND NOT EXISTS (SELECT 1 FROM directory_users g WHERE g.user_name_key = ? AND g.connection_id = ? AND g.removed_at IS NOT NULL)"
	noGoneExternalID = " AND NOT EXISTS (SELECT 1 FROM directory_users g WHERE g.external_id = ? AND g.connection_id = ? AND g.removed_at IS NOT NULL)"
)

// UnlessGone turns the transaction back with ErrGone when a deleted person of the connection has the userName or the
// externalId of u. Ask for it after Require, which it is then a part of, and before anything else.
func (tx *Tx) UnlessGone(u models.User) {
	first := "SELECT 1 WHERE true"
	args := make([]any, 0, 6)
	if tx.first != nil {
		first, args = tx.first.sql, append(args, tx.first.args...)
	}
	args = append(args, u.UserNameKey, u.ConnectionID)
	if u.ExternalID == nil {
		tx.first = &gate{sql: first + noGoneName, args: args, closed: ErrGone}
		return
	}
	tx.first = &gate{sql: first + noGoneName + noGoneExternalID, args: append(args, *u.ExternalID, u.ConnectionID), closed: ErrGone}
}

// LockGoneByExternalID finds and locks the person of a connection who was deleted last with the provider's id.
func (tx *Tx) LockGoneByExternalID(connectionID, externalID string) (models.User, error) {
	return tx.user(`SELECT * FROM directory_users WHERE removed_at IS NOT NULL AND id = (
		SELECT id FROM directory_users WHERE external_id = ? AND connection_id = ? AND removed_at IS NOT NULL ORDER BY removed_at DESC LIMIT 1)`+tx.store.dialect.forUpdate,
		"the user "+externalID, externalID, connectionID)
}

// LockGoneByName is LockGoneByExternalID for who has the userName and the address of u, and no other externalId.
func (tx *Tx) LockGoneByName(u models.User) (models.User, error) {
	return tx.user(`SELECT * FROM directory_users WHERE removed_at IS NOT NULL AND id = (
		SELECT id FROM directory_users WHERE user_name_key = ? AND connection_id = ? AND removed_at IS NOT NULL AND email_key = ? AND (external_id IS NULL OR ?) ORDER BY removed_at DESC LIMIT 1)`+
		tx.store.dialect.forUpdate, "the user "+u.UserName, u.UserNameKey, u.ConnectionID, u.EmailKey, u.ExternalID == nil)
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
	n, err := tx.exec("save the user", `UPDATE directory_users SET user_name = ?, user_name_key = ?, external_id = ?, email = ?, email_key = ?,
		display_name = ?, active = ?, linked = ?, version = ?, period = ?, kept_version = ?, resource = ?, searched = ?, updated_at = ?, removed_at = ? WHERE id = ?`,
		u.UserName, u.UserNameKey, u.ExternalID, u.Email, u.EmailKey, u.DisplayName, u.Active, u.Linked, u.Version, u.Period, u.KeptVersion,
		u.Resource, u.Searched, u.UpdatedAt.UTC(), plain(u.RemovedAt), u.ID)
	return affected(n, err, "the user")
}

// UsersFrom lists people of every connection by their ids, from the one after an id on; the deleted are among them.
func (s *Store) UsersFrom(ctx context.Context, after string, limit int) ([]models.User, error) {
	sql, args := "SELECT * FROM directory_users ORDER BY id LIMIT ?", []any{limit}
	if after != "" {
		sql, args = "SELECT * FROM directory_users WHERE id > ? ORDER BY id LIMIT ?", []any{after, limit}
	}
	var us []models.User
	err := s.r(ctx).Raw(sql, args...).Scan(&us).Error
	return us, translate(err, "users")
}

// SaveSearched writes what filters look at, and nothing else of a person.
func (tx *Tx) SaveSearched(u models.User) error {
	n, err := tx.exec("save the user", "UPDATE directory_users SET searched = ? WHERE id = ?", u.Searched, u.ID)
	return affected(n, err, "the user")
}

// SetEmails makes a person's other addresses those that User.OtherEmails says.
func (tx *Tx) SetEmails(u models.User) error {
	if _, err := tx.exec("save the addresses", "DELETE FROM directory_emails WHERE user_id = ?", u.ID); err != nil {
		return err
	}
	for _, key := range u.OtherEmails {
		tx.Add(&models.DirectoryEmail{ConnectionID: u.ConnectionID, EmailKey: key, UserID: u.ID})
	}
	return nil
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
