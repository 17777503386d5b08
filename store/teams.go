package store

import (
	"context"

	"outpost/models"
)

// LockTeam finds the team that follows a group and locks the row. ok is false when there is none yet.
func (tx *Tx) LockTeam(groupID string) (t models.Team, ok bool, err error) {
	n, err := tx.query(&t, "the team", "SELECT * FROM teams WHERE group_id = ?"+tx.store.dialect.forUpdate, groupID)
	return t, n > 0, err
}

// CreateTeam writes a new team at once, for its members to refer to.
func (tx *Tx) CreateTeam(t models.Team) error {
	return tx.insert("create the team", &t, "")
}

// SaveTeam writes every changeable column of a team that the transaction has locked.
func (tx *Tx) SaveTeam(t models.Team) error {
	n, err := tx.exec("save the team", "UPDATE teams SET name = ?, applied_version = ?, updated_at = ? WHERE id = ?", t.Name, t.AppliedVersion, t.UpdatedAt.UTC(), t.ID)
	return affected(n, err, "the team")
}

// DeleteTeam deletes a team and its members' places in it.
func (tx *Tx) DeleteTeam(id string) error {
	_, err := tx.exec("delete the team", "DELETE FROM teams WHERE id = ?", id)
	return err
}

// SyncTeam gives a team the members that its group names, by the memberships that changed after version.
// Only active people who are members by now come in; the others join by their own operation.
func (tx *Tx) SyncTeam(t models.Team, after int64) (joined, left int64, err error) {
	joined, err = tx.exec("join the team", `INSERT INTO team_members (workspace_id, team_id, member_id)
		SELECT mb.workspace_id, t.id, mb.id FROM memberships m JOIN teams t ON t.id = ?
		JOIN directory_users u ON u.id = m.user_id AND u.active AND u.linked AND u.removed_at IS NULL
		JOIN members mb ON mb.directory_user_id = u.id AND mb.status <> 'deactivated'
		WHERE m.group_id = ? AND m.version > ? AND NOT m.removed ON CONFLICT DO NOTHING`, t.ID, t.GroupID, after)
	if err != nil {
		return 0, 0, err
	}
	left, err = tx.exec("leave the team", `DELETE FROM team_members WHERE team_id = ? AND member_id IN
		(SELECT mb.id FROM memberships m JOIN members mb ON mb.directory_user_id = m.user_id WHERE m.group_id = ? AND m.version > ? AND m.removed)`, t.ID, t.GroupID, after)
	return joined, left, err
}

// TeamsWanted lists the teams whose groups name the person.
func (tx *Tx) TeamsWanted(userID string) ([]string, error) {
	var ids []string
	_, err := tx.query(&ids, "teams", "SELECT t.id FROM memberships m JOIN teams t ON t.group_id = m.group_id WHERE m.user_id = ? AND NOT m.removed ORDER BY t.id", userID)
	return ids, err
}

// TeamsFollowed lists the teams that follow a group and that the member is in. Teams made by hand are left out.
func (tx *Tx) TeamsFollowed(memberID string) ([]string, error) {
	var ids []string
	_, err := tx.query(&ids, "teams", "SELECT t.id FROM team_members tm JOIN teams t ON t.id = tm.team_id WHERE tm.member_id = ? AND t.group_id IS NOT NULL ORDER BY t.id", memberID)
	return ids, err
}

const teamNames = "SELECT t.name FROM team_members tm JOIN teams t ON t.id = tm.team_id WHERE tm.member_id = ? ORDER BY t.name"

// TeamNames lists the names of the teams that a member is in, sorted.
func (s *Store) TeamNames(ctx context.Context, memberID string) ([]string, error) {
	var names []string
	err := s.r(ctx).Raw(teamNames, memberID).Scan(&names).Error
	return names, translate(err, "teams")
}

// TeamNames is Store.TeamNames inside the transaction.
func (tx *Tx) TeamNames(memberID string) ([]string, error) {
	var names []string
	_, err := tx.query(&names, "teams", teamNames, memberID)
	return names, err
}

// TeamMember is one member's place in a team.
type TeamMember struct {
	WorkspaceID string
	TeamID      string `gorm:"primaryKey"`
	MemberID    string `gorm:"primaryKey"`
}

// LeaveTeams takes a member out of teams.
func (tx *Tx) LeaveTeams(memberID string, teamIDs []string) error {
	if len(teamIDs) == 0 {
		return nil
	}
	_, err := tx.exec("leave teams", "DELETE FROM team_members WHERE member_id = ? AND team_id IN ?", memberID, teamIDs)
	return err
}
