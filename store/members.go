package store

import (
	"context"

	"outpost/models"
)

// MemberRow is a member with the names of their teams, sorted.
type MemberRow struct {
	models.Member
	Teams []string
}

// Members lists the members of a workspace with their teams, newest first.
func (s *Store) Members(ctx context.Context, workspaceID string) ([]MemberRow, error) {
	var ms []models.Member
	if err := s.r(ctx).Where("workspace_id = ?", workspaceID).Order("id DESC").Find(&ms).Error; err != nil {
		return nil, translate(err, "members")
	}
	var pairs []struct{ MemberID, Name string }
	if err := s.r(ctx).Raw("SELECT tm.member_id, t.name FROM team_members tm JOIN teams t ON t.id = tm.team_id WHERE tm.workspace_id = ? ORDER BY t.name", workspaceID).Scan(&pairs).Error; err != nil {
		return nil, translate(err, "teams")
	}
	teams := make(map[string][]string, len(ms))
	for _, p := range pairs {
		teams[p.MemberID] = append(teams[p.MemberID], p.Name)
	}
	rows := make([]MemberRow, len(ms))
	for i, m := range ms {
		rows[i] = MemberRow{Member: m, Teams: teams[m.ID]}
		if rows[i].Teams == nil {
			rows[i].Teams = []string{}
		}
	}
	return rows, nil
}

// Member finds a member of a workspace.
func (s *Store) Member(ctx context.Context, workspaceID, id string) (models.Member, error) {
	var m models.Member
	err := s.r(ctx).Where("id = ? AND workspace_id = ?", id, workspaceID).Take(&m).Error
	return m, translate(err, "the member "+id)
}

// MemberAt finds the member of a workspace with the address, whose key is folded.
func (s *Store) MemberAt(ctx context.Context, workspaceID, emailKey string) (models.Member, error) {
	var m models.Member
	err := s.r(ctx).Where("email_key = ? AND workspace_id = ?", emailKey, workspaceID).Take(&m).Error
	return m, translate(err, "the member")
}

// LockMember reads a member of a workspace and locks the row.
func (tx *Tx) LockMember(workspaceID, id string) (models.Member, error) {
	return one[models.Member](tx, "the member "+id, "SELECT * FROM members WHERE id = ? AND workspace_id = ?"+tx.store.dialect.forUpdate, id, workspaceID)
}

// Candidates finds, in one look, the members that a person could be: the one that follows them, the one they began as
// a mirror of, and the one with their address. The rows are locked.
func (tx *Tx) Candidates(u models.User) ([]models.Member, error) {
	var ms []models.Member
	_, err := tx.query(&ms, "members", `SELECT * FROM members WHERE workspace_id = ? AND (directory_user_id = ? OR id = ? OR (email_key = ? AND email_key <> '')) ORDER BY id`+tx.store.dialect.forUpdate,
		u.WorkspaceID, u.ID, u.MirrorOf, u.EmailKey)
	return ms, err
}

// MemberByID finds a member of a workspace inside the transaction, without locking.
func (tx *Tx) MemberByID(workspaceID, id string) (models.Member, error) {
	return one[models.Member](tx, "the member "+id, "SELECT * FROM members WHERE workspace_id = ? AND id = ?", workspaceID, id)
}

// FirstOwner finds the active owner of a workspace who has been one longest.
func (s *Store) FirstOwner(ctx context.Context, workspaceID string) (models.Member, error) {
	var m models.Member
	err := s.r(ctx).Where("workspace_id = ? AND role = 'owner' AND status = 'active'", workspaceID).Order("id").Take(&m).Error
	return m, translate(err, "an active owner of the workspace")
}

// AnyMember finds a member of any workspace: for whoever has proved to be them.
func (tx *Tx) AnyMember(id string) (models.Member, error) {
	return one[models.Member](tx, "the member", "SELECT * FROM members WHERE id = ?", id)
}

// AnyMember finds a member of any workspace, without a transaction.
func (s *Store) AnyMember(ctx context.Context, id string) (models.Member, error) {
	var m models.Member
	err := s.r(ctx).Where("id = ?", id).Take(&m).Error
	return m, translate(err, "the member")
}

// SaveMember writes every changeable column of a member that the transaction has locked.
func (tx *Tx) SaveMember(m models.Member) error {
	n, err := tx.exec("save the member", `UPDATE members SET email = ?, email_key = ?, name = ?, role = ?, status = ?, directory_user_id = ?, applied_version = ?,
		period = ?, accepted_at = ?, hand_role = ?, role_group_id = ?, removed_by = ?, session_epoch = ?, deactivated_at = ?, updated_at = ? WHERE id = ? AND workspace_id = ?`,
		m.Email, m.EmailKey, m.Name, m.Role, m.Status, m.DirectoryUserID, m.AppliedVersion, m.Period, plain(m.AcceptedAt), m.HandRole, m.RoleGroupID, m.RemovedBy, m.SessionEpoch,
		plain(m.DeactivatedAt), m.UpdatedAt.UTC(), m.ID, m.WorkspaceID)
	return affected(n, err, "the member")
}

// OtherActiveOwners counts the active owners of a workspace but for one member.
func (tx *Tx) OtherActiveOwners(workspaceID, but string) (int, error) {
	var n int
	_, err := tx.query(&n, "owners", "SELECT count(*) FROM members WHERE workspace_id = ? AND role = 'owner' AND status = 'active' AND id <> ?", workspaceID, but)
	return n, err
}
