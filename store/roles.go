package store

import (
	"context"
	"time"

	"outpost/models"
)

// RoleMappingRow is a group that gives its people a role, for people to read.
type RoleMappingRow struct {
	GroupID   string
	GroupName string
	Role      models.Role
	People    int // in the group
	CreatedBy string
	CreatedAt time.Time
}

// RoleMappings lists the living groups of a connection that give a role, by name.
func (s *Store) RoleMappings(ctx context.Context, connectionID string) ([]RoleMappingRow, error) {
	var rows []RoleMappingRow
	err := s.r(ctx).Raw(`SELECT r.group_id, g.display_name AS group_name, r.role, r.created_by, r.created_at,
		(SELECT count(*) FROM memberships x WHERE x.group_id = r.group_id AND NOT x.removed) AS people
		FROM role_mappings r JOIN directory_groups g ON g.id = r.group_id AND g.removed_at IS NULL
		WHERE r.connection_id = ? AND r.role <> '' ORDER BY g.name_key, g.id`, connectionID).Scan(&rows).Error
	return rows, translate(err, "roles from groups")
}

// RoleMapping finds what a group gives. ok is false when there is nothing, not even a tombstone.
func (tx *Tx) RoleMapping(groupID string) (r models.RoleMapping, ok bool, err error) {
	n, err := tx.query(&r, "the role of the group", "SELECT * FROM role_mappings WHERE group_id = ?", groupID)
	return r, n > 0, err
}

// SaveRoleMapping writes what a group gives, in place of what it gave.
func (tx *Tx) SaveRoleMapping(r models.RoleMapping) error {
	return tx.insert("save the role of the group", &r, ` ON CONFLICT (group_id) DO UPDATE SET role = excluded.role, version = excluded.version,
		created_by = excluded.created_by, created_at = excluded.created_at`)
}

// ForgetRoleMapping deletes what a group gave: a tombstone that is applied, or whatever it is when the group is gone.
func (tx *Tx) ForgetRoleMapping(groupID string, version int64, gone bool) error {
	_, err := tx.exec("forget the role of the group", "DELETE FROM role_mappings WHERE group_id = ? AND version <= ? AND (role = '' OR ?)", groupID, version, gone)
	return err
}

// given and givenEnd, around a person's id, find the groups that give the person a role, the best first.
const given, givenEnd = `FROM memberships x JOIN role_mappings r ON r.group_id = x.group_id AND r.role <> ''
	JOIN directory_groups g ON g.id = r.group_id AND g.removed_at IS NULL WHERE NOT x.removed AND x.user_id = `,
	` ORDER BY CASE r.role WHEN 'admin' THEN 0 ELSE 1 END, r.group_id LIMIT 1`

// GivenRole is the role that a group gives.
type GivenRole struct {
	GroupID string
	Role    models.Role
}

// GivenRole tells the highest role that the living groups of a person give. ok is false when none gives one.
func (tx *Tx) GivenRole(userID string) (g GivenRole, ok bool, err error) {
	n, err := tx.query(&g, "the role from groups", "SELECT r.group_id, r.role "+given+"?"+givenEnd, userID)
	return g, n > 0, err
}

// GiveRoles gives members, owners excepted, the role of their groups, or the one given by hand where no group gives one:
// those whose membership of the group changed after version; after 0 also everybody who has their role from it. It
// tells how many changed.
func (tx *Tx) GiveRoles(groupID string, after int64, now time.Time) (int64, error) {
	who, args := "SELECT k.id FROM memberships c JOIN members k ON k.directory_user_id = c.user_id WHERE c.group_id = ? AND c.version > ?", []any{now.UTC(), groupID, after}
	if after == 0 {
		who, args = who+" UNION SELECT k.id FROM members k WHERE k.role_group_id = ?", append(args, groupID)
	}
	return tx.exec("give roles", `UPDATE members SET role = coalesce(n.role, members.hand_role), role_group_id = n.group_id, updated_at = ?
		FROM (SELECT p.id, r.group_id, r.role FROM (SELECT m.id, (SELECT r.group_id `+given+`m.directory_user_id`+givenEnd+`) AS group_id FROM members m WHERE m.id IN (`+who+`)) AS p
			LEFT JOIN role_mappings r ON r.group_id = p.group_id) AS n
		WHERE members.id = n.id AND members.role <> 'owner' AND (members.role <> coalesce(n.role, members.hand_role) OR members.role_group_id IS DISTINCT FROM n.group_id)`, args...)
}

// RoleSource is the group that a role comes from, for people to read.
type RoleSource struct {
	Name     string
	Provider models.Provider
}

// RoleSource tells which group a role comes from. ok is false when its connection is deleted: it gives nothing any more.
func (tx *Tx) RoleSource(groupID string) (source RoleSource, ok bool, err error) {
	n, err := tx.query(&source, "the group", "SELECT g.display_name AS name, c.provider FROM directory_groups g JOIN connections c ON c.id = g.connection_id AND c.status <> 'deleted' WHERE g.id = ?", groupID)
	return source, n > 0, err
}
