package store

import (
	"context"
	"time"

	"outpost/models"
)

// Group finds a living group of a connection.
func (s *Store) Group(ctx context.Context, connectionID, id string) (models.Group, error) {
	var g models.Group
	err := s.r(ctx).Raw("SELECT * FROM directory_groups WHERE id = ? AND connection_id = ? AND removed_at IS NULL", id, connectionID).Take(&g).Error
	return g, translate(err, "the group "+id)
}

// Groups lists living groups of a connection.
func (s *Store) Groups(ctx context.Context, q Listing) (Page[models.Group], error) {
	return page[models.Group](ctx, s, "directory_groups", q)
}

// GroupMember is one living person in a group.
type GroupMember struct {
	GroupID  string
	UserID   string
	UserName string
}

// GroupMembers lists the living people in each of the groups.
func (s *Store) GroupMembers(ctx context.Context, groupIDs ...string) ([]GroupMember, error) {
	var ms []GroupMember
	err := s.r(ctx).Raw(`SELECT m.group_id, u.id AS user_id, u.user_name FROM memberships m JOIN directory_users u ON u.id = m.user_id
		WHERE m.group_id `+s.dialect.in+` AND NOT m.removed AND u.removed_at IS NULL ORDER BY m.group_id, u.id`, s.dialect.list(groupIDs)).Scan(&ms).Error
	return ms, translate(err, "members")
}

// UserGroup is one living group that a person is in.
type UserGroup struct {
	UserID      string
	GroupID     string
	DisplayName string
}

func userGroups(d dialect) string {
	return `SELECT m.user_id, g.id AS group_id, g.display_name FROM memberships m JOIN directory_groups g ON g.id = m.group_id
		WHERE m.user_id ` + d.in + ` AND NOT m.removed AND g.removed_at IS NULL ORDER BY m.user_id, g.id`
}

// UserGroups lists the groups that each of the people is in.
func (s *Store) UserGroups(ctx context.Context, userIDs ...string) ([]UserGroup, error) {
	var gs []UserGroup
	err := s.r(ctx).Raw(userGroups(s.dialect), s.dialect.list(userIDs)).Scan(&gs).Error
	return gs, translate(err, "groups")
}

// UserGroups lists the groups that a person is in.
func (tx *Tx) UserGroups(userID string) ([]UserGroup, error) {
	var gs []UserGroup
	_, err := tx.query(&gs, "groups", userGroups(tx.store.dialect), tx.store.dialect.list([]string{userID}))
	return gs, err
}

// LockGroup reads a living group of a connection and locks the row for the transaction.
func (tx *Tx) LockGroup(connectionID, id string) (models.Group, error) {
	return tx.group("SELECT * FROM directory_groups WHERE id = ? AND connection_id = ? AND removed_at IS NULL"+tx.store.dialect.forUpdate, id, connectionID)
}

// GroupSituation is a group as the directory wants it now, with what tells whether more has to be looked at.
type GroupSituation struct {
	models.Group `gorm:"embedded"`
	Mapped       bool // it gives its people a role, or did until lately
}

// DesiredGroup reads a group as the directory wants it now, the deleted included.
func (tx *Tx) DesiredGroup(id string) (GroupSituation, error) {
	return one[GroupSituation](tx, "the group "+id, "SELECT g.*, EXISTS (SELECT 1 FROM role_mappings r WHERE r.group_id = g.id) AS mapped FROM directory_groups g WHERE g.id = ?", id)
}

func (tx *Tx) group(sql, id string, args ...any) (models.Group, error) {
	return one[models.Group](tx, "the group "+id, sql, append([]any{id}, args...)...)
}

// SaveGroup writes every changeable column of a group that the transaction has locked.
func (tx *Tx) SaveGroup(g models.Group) error {
	n, err := tx.exec("save the group", "UPDATE directory_groups SET display_name = ?, name_key = ?, external_id = ?, version = ?, updated_at = ?, removed_at = ? WHERE id = ?",
		g.DisplayName, g.NameKey, g.ExternalID, g.Version, g.UpdatedAt.UTC(), plain(g.RemovedAt), g.ID)
	return affected(n, err, "the group")
}

// CreateGroup writes a new group at once, for memberships to refer to.
func (tx *Tx) CreateGroup(g models.Group) error {
	return tx.insert("create the group", &g, "")
}

// AddMemberships puts living people of the group's connection into the group, as of version. It tells how many were
// not in it before.
func (tx *Tx) AddMemberships(g models.Group, version int64, userIDs []string) (int64, error) {
	if len(userIDs) == 0 {
		return 0, nil
	}
	return tx.exec("add members", `INSERT INTO memberships (group_id, user_id, version, removed)
		SELECT g.id, u.id, CAST(? AS bigint), false FROM directory_users u JOIN directory_groups g ON g.id = ?
		WHERE u.id `+tx.store.dialect.in+` AND u.connection_id = g.connection_id AND u.removed_at IS NULL
		ON CONFLICT (group_id, user_id) DO UPDATE SET version = excluded.version, removed = false WHERE memberships.removed`,
		version, g.ID, tx.store.dialect.list(userIDs))
}

// RemoveMemberships takes people out of the group, as of version. It tells how many were in it.
func (tx *Tx) RemoveMemberships(groupID string, version int64, userIDs []string) (int64, error) {
	if len(userIDs) == 0 {
		return 0, nil
	}
	return tx.exec("remove members", `UPDATE memberships SET removed = true, version = ? WHERE group_id = ? AND NOT removed
		AND user_id `+tx.store.dialect.in, version, groupID, tx.store.dialect.list(userIDs))
}

// KeepMemberships takes everybody out of the group but userIDs, as of version. It tells how many were taken out.
func (tx *Tx) KeepMemberships(groupID string, version int64, userIDs []string) (int64, error) {
	if userIDs == nil {
		userIDs = []string{}
	}
	return tx.exec("remove members", `UPDATE memberships SET removed = true, version = ? WHERE group_id = ? AND NOT removed
		AND `+tx.store.dialect.notIn("user_id"), version, groupID, tx.store.dialect.list(userIDs))
}

// ChangedMember is a person who came to a group or left it.
type ChangedMember struct {
	DisplayName string
	Removed     bool
}

// ChangedMembers lists the people who came to the group or left it as of version, at most limit of either, and tells how
// many they are in all. An index finds them: the others in the group are not looked at.
func (tx *Tx) ChangedMembers(groupID string, version int64, limit int) (changed []ChangedMember, total int, err error) {
	var rows []struct {
		ChangedMember
		Total int
	}
	_, err = tx.query(&rows, "members", `SELECT u.display_name, m.removed, m.total FROM (
		SELECT user_id, removed, count(*) OVER () AS total, row_number() OVER (PARTITION BY removed ORDER BY user_id) AS n FROM memberships WHERE group_id = ? AND version = ?) m
		JOIN directory_users u ON u.id = m.user_id WHERE m.n <= ? ORDER BY m.removed, m.n`, groupID, version, limit)
	for _, r := range rows {
		changed, total = append(changed, r.ChangedMember), r.Total
	}
	return changed, total, err
}

// GroupAmong finds one of ids that is a living group of a connection; "" for none.
func (tx *Tx) GroupAmong(connectionID string, ids []string) (string, error) {
	if len(ids) == 0 {
		return "", nil
	}
	var found string
	_, err := tx.query(&found, "groups", "SELECT CAST(id AS text) FROM directory_groups WHERE connection_id = ? AND removed_at IS NULL AND id "+tx.store.dialect.in+" LIMIT 1", connectionID, tx.store.dialect.list(ids))
	return found, err
}

// LeaveGroups forgets every membership of a person: the deleted are in no group. Their groups count the departure, but for
// one whose row another transaction has this moment: that one changes the version in most cases, and nobody's deletion, which
// ends their access, waits for a group.
func (tx *Tx) LeaveGroups(userID string, now time.Time) error {
	_, err := tx.exec("leave groups", `UPDATE directory_groups SET departures = departures + 1, updated_at = ? WHERE id IN (SELECT g.id FROM directory_groups g JOIN memberships m ON m.group_id = g.id
		WHERE m.user_id = ? AND NOT m.removed`+tx.store.dialect.skipLockedOf("g")+`)`, now.UTC(), userID)
	if err != nil {
		return err
	}
	_, err = tx.exec("leave groups", "DELETE FROM memberships WHERE user_id = ?", userID)
	return err
}

// Wait records values that a group names and that are nobody yet. It returns those that are new.
func (tx *Tx) Wait(g models.Group, waiting []models.WaitingMember) (fresh []models.WaitingMember, err error) {
	for _, w := range waiting {
		n, err := tx.exec("waiting member", "INSERT INTO waiting_members (group_id, value, connection_id, display, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			g.ID, w.Value, g.ConnectionID, w.Display, w.CreatedAt.UTC())
		if err != nil {
			return nil, err
		}
		if n > 0 {
			fresh = append(fresh, w)
		}
	}
	return fresh, nil
}

// StopWaiting forgets values that a group named; nil values forgets all of them.
func (tx *Tx) StopWaiting(groupID string, values []string) error {
	if values == nil {
		_, err := tx.exec("stop waiting", "DELETE FROM waiting_members WHERE group_id = ?", groupID)
		return err
	}
	_, err := tx.TakeWaiting(groupID, values)
	return err
}

// TakeWaiting forgets values that a group named, and tells which of them it still waited for.
func (tx *Tx) TakeWaiting(groupID string, values []string) ([]string, error) {
	var taken []string
	for at := 0; at < len(values); at += 1000 {
		var part []string
		if _, err := tx.query(&part, "stop waiting", "DELETE FROM waiting_members WHERE group_id = ? AND value IN ? RETURNING value", groupID, values[at:min(at+1000, len(values))]); err != nil {
			return nil, err
		}
		taken = append(taken, part...)
	}
	return taken, nil
}

// StopWaitingFor forgets the values by which a group waits for people who are there: their ids and externalIds. It
// tells how many.
func (tx *Tx) StopWaitingFor(groupID string, userIDs []string) (int64, error) {
	if len(userIDs) == 0 {
		return 0, nil
	}
	d := tx.store.dialect
	return tx.exec("stop waiting", "DELETE FROM waiting_members WHERE group_id = ? AND value IN (SELECT external_id FROM directory_users WHERE id "+d.in+" UNION SELECT CAST(id AS text) FROM directory_users WHERE id "+d.in+")",
		groupID, d.list(userIDs), d.list(userIDs))
}

// Arrived is a waiting value for which there is a living person now.
type Arrived struct{ GroupID, Value, UserID string }

// ArrivedForUser lists the waiting values that mean the person.
func (tx *Tx) ArrivedForUser(userID string) ([]Arrived, error) {
	var out []Arrived
	_, err := tx.query(&out, "waiting members", `SELECT w.group_id, w.value, u.id AS user_id FROM directory_users u JOIN waiting_members w
		ON w.connection_id = u.connection_id AND w.value IN (u.external_id, CAST(u.id AS text)) WHERE u.id = ? AND u.removed_at IS NULL ORDER BY w.group_id`, userID)
	return out, err
}

// ArrivedForGroup lists the waiting values of a group that are somebody by now.
func (tx *Tx) ArrivedForGroup(groupID string) ([]Arrived, error) {
	var out []Arrived
	_, err := tx.query(&out, "waiting members", `SELECT w.group_id, w.value, u.id AS user_id FROM waiting_members w
		JOIN directory_users u ON u.connection_id = w.connection_id AND u.external_id = w.value AND u.removed_at IS NULL WHERE w.group_id = ?`, groupID)
	return out, err
}

// WaitingMembers lists the values that wait in a group.
func (s *Store) WaitingMembers(ctx context.Context, groupID string) ([]models.WaitingMember, error) {
	var ws []models.WaitingMember
	err := s.r(ctx).Where("group_id = ?", groupID).Order("created_at, value").Find(&ws).Error
	return ws, translate(err, "waiting members")
}

// ForgetTombstones deletes memberships of the group that were removed by version or before: they are applied.
func (tx *Tx) ForgetTombstones(groupID string, version int64) error {
	_, err := tx.exec("forget tombstones", "DELETE FROM memberships WHERE group_id = ? AND removed AND version <= ?", groupID, version)
	return err
}

// EmptyGroup deletes every membership and waiting value of a group that is gone.
func (tx *Tx) EmptyGroup(groupID string) error {
	if _, err := tx.exec("empty the group", "DELETE FROM memberships WHERE group_id = ?", groupID); err != nil {
		return err
	}
	return tx.StopWaiting(groupID, nil)
}

// Tick claims a moment of the clock for one scheduler: true for the first to ask for the kind and window.
func (tx *Tx) Tick(kind string, window time.Time) (bool, error) {
	n, err := tx.exec("tick", "INSERT INTO ticks (kind, window_start) VALUES (?, ?) ON CONFLICT DO NOTHING", kind, window.UTC())
	return n > 0, err
}

// PruneTicks forgets ticks before a moment.
func (tx *Tx) PruneTicks(before time.Time) error {
	_, err := tx.exec("prune ticks", "DELETE FROM ticks WHERE window_start < ?", before.UTC())
	return err
}
