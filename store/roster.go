package store

import (
	"context"
	"time"

	"outpost/models"
)

// RosterRow is a member with what decides about their role, and when they last clicked.
type RosterRow struct {
	models.Member
	RoleGroup string     // the name of the group that gives the role, "" for none
	Managed   bool       // a directory decides about them
	SeenAt    *time.Time // nil for never
}

// Roster lists members of a workspace by role: newest first; role "" takes owners, then admins.
// It tells how many there are in all.
func (s *Store) Roster(ctx context.Context, workspaceID string, role models.Role, offset, limit int) (rows []RosterRow, total int, err error) {
	which, order, args := "m.role <> 'member'", "CASE m.role WHEN 'owner' THEN 0 ELSE 1 END, ", []any{workspaceID}
	if role != "" {
		which, order, args = "m.role = ?", "", append(args, role)
	}
	if err = s.r(ctx).Raw("SELECT count(*) FROM members m WHERE m.workspace_id = ? AND "+which, args...).Scan(&total).Error; err != nil {
		return nil, 0, translate(err, "members")
	}
	err = s.r(ctx).Raw(`SELECT m.*, coalesce(g.display_name, '') AS role_group, (u.id IS NOT NULL AND u.linked AND u.removed_at IS NULL) AS managed,
		(SELECT max(seen_at) FROM sessions x WHERE x.member_id = m.id) AS seen_at
		FROM (SELECT * FROM members m WHERE m.workspace_id = ? AND `+which+` ORDER BY `+order+`m.id DESC LIMIT ? OFFSET ?) m
		LEFT JOIN directory_groups g ON g.id = m.role_group_id LEFT JOIN directory_users u ON u.id = m.directory_user_id
		ORDER BY `+order+`m.id DESC`, append(args, limit, offset)...).Scan(&rows).Error
	return rows, total, translate(err, "members")
}

// RoleCounts are the members of a workspace that are not deactivated, by role.
type RoleCounts struct{ Owners, Admins, Members int }

// RoleCounts counts them.
func (s *Store) RoleCounts(ctx context.Context, workspaceID string) (RoleCounts, error) {
	var c RoleCounts
	err := s.r(ctx).Raw(`SELECT count(CASE WHEN role = 'owner' THEN 1 END) AS owners, count(CASE WHEN role = 'admin' THEN 1 END) AS admins,
		(SELECT count(*) FROM members WHERE workspace_id = ? AND status IN ('active', 'invited')) - count(*) AS members
		FROM members WHERE workspace_id = ? AND role <> 'member' AND status <> 'deactivated'`, workspaceID, workspaceID).Scan(&c).Error
	return c, translate(err, "members")
}
