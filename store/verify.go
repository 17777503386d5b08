package store

import (
	"context"

	"outpost/models"
)

// Difference is one way in which a workspace is not what its directory says.
type Difference struct {
	Kind       string `json:"kind"`        // person.missing, person.status, person.name, person.email, person.role, team.missing, team.name, team.extra, team.member.missing, team.member.extra
	ResourceID string `json:"resource_id"` // the SCIM id of the person or group
	Want       string `json:"want"`
	Have       string `json:"have"`
}

// Comparison is a workspace beside its directory, from one snapshot.
type Comparison struct {
	OpenCounts
	Differences []Difference
}

// excused is the condition for people whom a held operation or an admin's decision to keep explains.
const excused = `(u.kept_version = u.version AND u.version > 0) OR EXISTS (SELECT 1 FROM operations o WHERE o.resource_id = u.id AND o.state = 'held')`

// person joins each person with the member they are.
const person = `directory_users u JOIN connections c ON c.id = u.connection_id AND c.status <> 'deleted' LEFT JOIN members m ON m.directory_user_id = u.id`

// comparisons are the checks of verify: each returns kind, resource_id, want and have.
var comparisons = []string{
	`SELECT 'person.missing' AS kind, u.id AS resource_id, u.user_name AS want, '' AS have FROM ` + person + `
		WHERE u.workspace_id = ? AND u.linked AND u.removed_at IS NULL AND m.id IS NULL AND NOT (` + excused + `)`,
	`SELECT 'person.status' AS kind, u.id AS resource_id, CASE WHEN u.active AND u.removed_at IS NULL THEN 'active' ELSE 'deactivated' END AS want, m.status AS have FROM ` + person + `
		WHERE u.workspace_id = ? AND u.linked AND m.id IS NOT NULL AND (u.active AND u.removed_at IS NULL) <> (m.status <> 'deactivated') AND NOT (m.removed_by <> '' AND m.status = 'deactivated') AND NOT (` + excused + `)`,
	`SELECT 'person.name' AS kind, u.id AS resource_id, u.display_name AS want, m.name AS have FROM ` + person + `
		WHERE u.workspace_id = ? AND u.linked AND u.removed_at IS NULL AND m.id IS NOT NULL AND u.display_name <> m.name AND NOT (` + excused + `)`,
	`SELECT 'person.email' AS kind, u.id AS resource_id, u.email AS want, m.email AS have FROM ` + person + `
		WHERE u.workspace_id = ? AND u.linked AND u.removed_at IS NULL AND m.id IS NOT NULL AND u.email <> m.email AND NOT (` + excused + `)`,
	`SELECT 'person.role' AS kind, p.id AS resource_id, coalesce(r.role, p.hand_role) AS want, p.role AS have FROM (
		SELECT u.id, m.role, m.hand_role, m.role_group_id, (SELECT r.group_id ` + given + `u.id` + givenEnd + `) AS group_id FROM ` + person + `
		WHERE u.workspace_id = ? AND u.linked AND m.role <> 'owner' AND (m.role_group_id IS NOT NULL OR EXISTS (SELECT 1 FROM role_mappings r WHERE r.connection_id = u.connection_id)) AND NOT (` + excused + `)) AS p
		LEFT JOIN role_mappings r ON r.group_id = p.group_id WHERE p.role <> coalesce(r.role, p.hand_role) OR p.role_group_id IS DISTINCT FROM p.group_id`,
	`SELECT 'team.missing' AS kind, g.id AS resource_id, g.display_name AS want, '' AS have FROM directory_groups g
		JOIN connections c ON c.id = g.connection_id AND c.status <> 'deleted' LEFT JOIN teams t ON t.group_id = g.id WHERE g.workspace_id = ? AND g.removed_at IS NULL AND t.id IS NULL`,
	`SELECT 'team.name' AS kind, g.id AS resource_id, g.display_name AS want, t.name AS have FROM directory_groups g
		JOIN connections c ON c.id = g.connection_id AND c.status <> 'deleted' JOIN teams t ON t.group_id = g.id WHERE g.workspace_id = ? AND g.removed_at IS NULL AND t.name <> g.display_name`,
	`SELECT 'team.extra' AS kind, g.id AS resource_id, '' AS want, t.name AS have FROM directory_groups g
		JOIN connections c ON c.id = g.connection_id AND c.status <> 'deleted' JOIN teams t ON t.group_id = g.id WHERE g.workspace_id = ? AND g.removed_at IS NOT NULL`,
	`SELECT 'team.member.missing' AS kind, t.group_id AS resource_id, u.user_name AS want, '' AS have FROM memberships x JOIN teams t ON t.group_id = x.group_id
		JOIN directory_users u ON u.id = x.user_id JOIN connections c ON c.id = u.connection_id AND c.status <> 'deleted' JOIN members m ON m.directory_user_id = u.id
		WHERE t.workspace_id = ? AND NOT x.removed AND u.active AND u.linked AND u.removed_at IS NULL AND m.removed_by = ''
		AND NOT EXISTS (SELECT 1 FROM team_members tm WHERE tm.team_id = t.id AND tm.member_id = m.id) AND NOT (` + excused + `)`,
	`SELECT 'team.member.extra' AS kind, t.group_id AS resource_id, '' AS want, m.email AS have FROM team_members tm JOIN teams t ON t.id = tm.team_id
		JOIN directory_groups g ON g.id = t.group_id JOIN connections c ON c.id = g.connection_id AND c.status <> 'deleted' JOIN members m ON m.id = tm.member_id
		LEFT JOIN directory_users u ON u.id = m.directory_user_id
		WHERE t.workspace_id = ? AND NOT EXISTS (SELECT 1 FROM memberships x WHERE x.group_id = t.group_id AND x.user_id = u.id AND NOT x.removed AND u.active AND u.removed_at IS NULL AND m.removed_by = '')
		AND (u.id IS NULL OR NOT (` + excused + `))`,
}

// Compare reads a workspace and its directory in one snapshot: existence, status, name, e-mail and role of every
// linked person, but for the status of those removed by hand; teams, their names, and their members among active people. Mirrors and teams made by hand are left out.
func (s *Store) Compare(ctx context.Context, workspaceID string) (Comparison, error) {
	out := Comparison{Differences: []Difference{}}
	tx := s.read.WithContext(ctx).Begin()
	if tx.Error != nil {
		return out, translate(tx.Error, "compare")
	}
	defer tx.Rollback()
	if !s.Embedded() { // a SQLite transaction is a snapshot from its first read
		if err := tx.Exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").Error; err != nil {
			return out, translate(err, "compare")
		}
	}
	for _, sql := range comparisons {
		var ds []Difference
		if err := tx.Raw(sql, workspaceID).Scan(&ds).Error; err != nil {
			return out, translate(err, "compare")
		}
		out.Differences = append(out.Differences, ds...)
	}
	err := tx.Raw(`SELECT count(CASE WHEN state IN ('pending', 'running') AND class <> 'upkeep' THEN 1 END) AS open, count(CASE WHEN state = 'held' THEN 1 END) AS held
		FROM operations WHERE workspace_id = ? AND finished_at IS NULL AND state IN ('pending', 'running', 'held')`, workspaceID).Scan(&out.OpenCounts).Error
	return out, translate(err, "compare")
}

// AddAudit writes an audit entry outside any other transaction: for what was refused.
func (s *Store) AddAudit(ctx context.Context, entries ...models.AuditEntry) error {
	return s.Write(ctx, func(tx *Tx) error {
		for i := range entries {
			tx.Add(&entries[i])
		}
		return nil
	})
}

// Audit lists audit entries of a workspace, newest first.
func (s *Store) Audit(ctx context.Context, workspaceID string, limit int) ([]models.AuditEntry, error) {
	var es []models.AuditEntry
	err := s.r(ctx).Where("workspace_id = ?", workspaceID).Order("id DESC").Limit(limit).Find(&es).Error
	return es, translate(err, "audit entries")
}
