package store

import (
	"context"
	"time"

	"outpost/models"
)

// GroupState is how a directory group and its team stand to each other.
type GroupState string

// The states of a group.
const (
	GroupInSync  GroupState = "in sync"
	GroupWorking GroupState = "working" // a change is to be applied
	GroupFailed  GroupState = "failed"  // the newest change could not be applied
)

// GroupQuery asks for groups of a workspace. What is empty narrows nothing.
type GroupQuery struct {
	WorkspaceID string
	Text        string // part of a name
	Folded      string // Text, folded as names are
	State       GroupState
}

// GroupRow is a directory group with its team.
type GroupRow struct {
	models.Group
	Provider models.Provider
	State    GroupState
	TeamID   string // "" while there is no team
	TeamName string
	Applied  int64       // the version of the group that the team has
	Role     models.Role // that the group gives, "" for none
	People   int         // in the group
	Waiting  int         // values that the group names and that are nobody yet
}

// groupRows are the living groups of a workspace with their teams, one row each; a failed sync is told by the index of
// failures.
const groupRows = `SELECT g.*, c.provider, coalesce(CAST(t.id AS text), '') AS team_id, coalesce(t.name, '') AS team_name, coalesce(t.applied_version, 0) AS applied,
		CASE WHEN g.id IN (SELECT o.resource_id FROM operations o WHERE o.workspace_id = ? AND o.error <> '' AND o.attempts > 0 AND o.state = 'failed' AND o.kind = 'group.sync') AND coalesce(t.applied_version, 0) < g.version THEN 'failed'
			WHEN coalesce(t.applied_version, 0) < g.version THEN 'working' ELSE 'in sync' END AS state
	FROM directory_groups g JOIN connections c ON c.id = g.connection_id AND c.status <> 'deleted' LEFT JOIN teams t ON t.group_id = g.id
	WHERE c.workspace_id = ? AND g.removed_at IS NULL`

// groupFigures reads the role and the figures of the groups of a page. People are counted by an index alone: whoever has
// left is still there as a tombstone until the team has that version, so tombstones are among the newest rows.
const groupFigures = `SELECT f.*, coalesce(r.role, '') AS role, (SELECT count(*) FROM waiting_members w WHERE w.group_id = f.id) AS waiting,
		(SELECT count(*) FROM memberships x WHERE x.group_id = f.id) - (SELECT count(*) FROM memberships x WHERE x.group_id = f.id AND x.version > f.applied AND x.removed) AS people
	FROM (`

// DirectoryGroups lists groups by name, and tells how many meet the query in all.
func (s *Store) DirectoryGroups(ctx context.Context, q GroupQuery, offset, limit int) (rows []GroupRow, total int, err error) {
	where, args := "1 = 1", []any{q.WorkspaceID, q.WorkspaceID}
	if q.Text != "" {
		like := "%" + likeEscape.Replace(q.Folded) + "%"
		where, args = `(g.name_key LIKE ? ESCAPE '\' OR lower(g.team_name) LIKE ? ESCAPE '\')`, append(args, like, like)
	}
	if q.State != "" {
		where, args = where+" AND g.state = ?", append(args, q.State)
	}
	from := "(" + groupRows + ") g WHERE " + where
	if err = s.r(ctx).Raw("SELECT count(*) FROM "+from, args...).Scan(&total).Error; err != nil {
		return nil, 0, translate(err, "groups")
	}
	err = s.r(ctx).Raw(groupFigures+"SELECT g.* FROM "+from+" ORDER BY g.name_key, g.id LIMIT ? OFFSET ?) f LEFT JOIN role_mappings r ON r.group_id = f.id ORDER BY f.name_key, f.id",
		append(args, limit, offset)...).Scan(&rows).Error
	return rows, total, translate(err, "groups")
}

// DirectoryGroup finds a group of a workspace with its figures, as long as its connection is not deleted. One that the
// provider has deleted has no team, no people, and is in sync.
func (s *Store) DirectoryGroup(ctx context.Context, workspaceID, id string) (GroupRow, error) {
	var row GroupRow
	err := s.r(ctx).Raw(groupFigures+groupRows+" AND g.id = ?) f LEFT JOIN role_mappings r ON r.group_id = f.id", workspaceID, workspaceID, id).Take(&row).Error
	if !models.Is(translate(err, ""), models.NotFound) {
		return row, translate(err, "the group "+id)
	}
	if row.Group, err = s.WorkspaceGroup(ctx, workspaceID, id); err != nil {
		return row, err
	}
	row.State = GroupInSync
	err = s.r(ctx).Raw("SELECT provider FROM connections WHERE id = ?", row.ConnectionID).Scan(&row.Provider).Error
	return row, translate(err, "the connection")
}

// WorkspaceGroup finds a directory group of a workspace, one that the provider has deleted included.
func (s *Store) WorkspaceGroup(ctx context.Context, workspaceID, id string) (models.Group, error) {
	var g models.Group
	err := s.r(ctx).Where("id = ? AND workspace_id = ?", id, workspaceID).Take(&g).Error
	return g, translate(err, "the group "+id)
}

// TeamSize counts the members of a team.
func (s *Store) TeamSize(ctx context.Context, teamID string) (int, error) {
	var n int
	err := s.r(ctx).Raw("SELECT count(*) FROM team_members WHERE team_id = ?", teamID).Scan(&n).Error
	return n, translate(err, "the team")
}

// GroupPerson is a person in a group, and the member they are.
type GroupPerson struct {
	UserID   string
	Name     string
	Email    string
	MemberID string // "" while they are no member
	Status   models.MemberStatus
	InTeam   bool
	// OperationID is that of the change with which they came into the group, "" where that is not known.
	OperationID string
}

// Since is when they came into the group; zero where that is not known.
func (p GroupPerson) Since() time.Time {
	if p.OperationID == "" {
		return time.Time{}
	}
	return IDTime(p.OperationID)
}

// GroupPeople lists the people in a group, those last who were first in the directory. Text, if it is not "", is part of
// the name or the address of those who are members. limit + 1 are read: more tells of the last.
func (s *Store) GroupPeople(ctx context.Context, g GroupRow, text, folded string, offset, limit int) (people []GroupPerson, more bool, err error) {
	met, args := "SELECT x.user_id, x.version FROM memberships x WHERE x.group_id = ? AND NOT x.removed ORDER BY x.user_id DESC", []any{g.ID}
	if text != "" {
		like := "%" + likeEscape.Replace(folded) + "%"
		met = `SELECT x.user_id, x.version FROM memberships x JOIN members f ON f.directory_user_id = x.user_id AND f.workspace_id = ? WHERE x.group_id = ? AND NOT x.removed
			AND (lower(f.name) LIKE ? ESCAPE '\' OR f.email_key LIKE ? ESCAPE '\' OR f.name LIKE ? ESCAPE '\') ORDER BY x.user_id DESC`
		args = []any{g.WorkspaceID, g.ID, like, like, "%" + likeEscape.Replace(text) + "%"}
	}
	err = s.r(ctx).Raw(`SELECT x.user_id, u.display_name AS name, u.email, coalesce(CAST(m.id AS text), '') AS member_id, coalesce(m.status, '') AS status, tm.member_id IS NOT NULL AS in_team,
			coalesce((SELECT CAST(o.id AS text) FROM operations o WHERE o.resource_id = ? AND o.version = x.version AND o.kind = ? ORDER BY o.id LIMIT 1), '') AS operation_id
		FROM (`+met+` LIMIT ? OFFSET ?) x JOIN directory_users u ON u.id = x.user_id LEFT JOIN members m ON m.directory_user_id = x.user_id
		LEFT JOIN teams t ON t.group_id = ? LEFT JOIN team_members tm ON tm.team_id = t.id AND tm.member_id = m.id ORDER BY x.user_id DESC`,
		append(append([]any{g.ID, models.KindGroupSync}, args...), limit+1, offset, g.ID)...).Scan(&people).Error
	if more = len(people) > limit; more {
		people = people[:limit]
	}
	return people, more, translate(err, "people")
}

// WaitingIn lists at most limit of the values that wait in a group, the oldest first.
func (s *Store) WaitingIn(ctx context.Context, groupID string, limit int) ([]models.WaitingMember, error) {
	var ws []models.WaitingMember
	err := s.r(ctx).Where("group_id = ?", groupID).Order("created_at, value").Limit(limit).Find(&ws).Error
	return ws, translate(err, "waiting members")
}

// GroupWork lists the operations of a group that are to be done or failed, newest first, and the last one that was done.
func (s *Store) GroupWork(ctx context.Context, g models.Group) (open []models.Operation, last *models.Operation, err error) {
	// The newest change is the one with the group's version; those before it matter no more.
	var ops []models.Operation
	err = s.r(ctx).Raw("SELECT * FROM operations WHERE resource_id = ? AND version >= ? AND workspace_id = ? AND kind = ? ORDER BY id DESC LIMIT ?",
		g.ID, g.Version, g.WorkspaceID, models.KindGroupSync, personMost).Scan(&ops).Error
	for i, op := range ops {
		switch {
		case op.State.Open() || op.State == models.OperationFailed:
			open = append(open, op)
		case op.State == models.OperationDone && last == nil:
			last = &ops[i]
		}
	}
	return open, last, translate(err, "operations")
}
