package store

import (
	"context"
	"time"

	"outpost/models"
)

// FailureRow is a failed operation with what tells its cause.
type FailureRow struct {
	ID           string
	Kind         models.Kind
	ResourceType string
	ResourceID   string
	Error        string
	Attempts     int
	FinishedAt   *time.Time
}

// Failures lists at most limit failed operations of a workspace, newest first.
func (s *Store) Failures(ctx context.Context, workspaceID string, limit int) ([]FailureRow, error) {
	var rows []FailureRow
	err := s.r(ctx).Raw(`SELECT id, kind, resource_type, resource_id, error, attempts, finished_at FROM operations
		WHERE workspace_id = ? AND error <> '' AND attempts > 0 AND state = 'failed' ORDER BY id DESC LIMIT ?`, workspaceID, limit).Scan(&rows).Error
	return rows, translate(err, "failed operations")
}

// MailsOf finds the mails that operations of a workspace send, by operation.
func (s *Store) MailsOf(ctx context.Context, workspaceID string, operationIDs []string) (map[string]models.Mail, error) {
	var mails []models.Mail
	if len(operationIDs) == 0 {
		return nil, nil
	}
	err := s.r(ctx).Raw("SELECT * FROM mails WHERE workspace_id = ? AND operation_id "+s.dialect.in, workspaceID, s.dialect.list(operationIDs)).Scan(&mails).Error
	byOperation := make(map[string]models.Mail, len(mails))
	for _, m := range mails {
		byOperation[m.OperationID] = m
	}
	return byOperation, translate(err, "mails")
}

// HeldRow is a held operation with the person it is about, as the directory wants them and as they are.
type HeldRow struct {
	ID        string
	Kind      models.Kind
	Error     string // why it is held
	CreatedAt time.Time

	UserID  string
	Name    string // of the person in the directory
	Email   string // that the directory wants
	Active  bool   // what the directory wants
	Removed bool   // deleted by the provider

	MemberID    string // "" where the person is no member yet
	MemberName  string
	MemberEmail string
	Role        models.Role
	Provider    models.Provider
}

// HeldRows lists at most limit held operations of a workspace, the one that waits longest first.
func (s *Store) HeldRows(ctx context.Context, workspaceID string, limit int) ([]HeldRow, error) {
	var rows []HeldRow
	err := s.r(ctx).Raw(`SELECT o.id, o.kind, o.error, o.created_at, u.id AS user_id, u.display_name AS name, u.email, u.active, u.removed_at IS NOT NULL AS removed,
		m.id AS member_id, coalesce(m.name, '') AS member_name, coalesce(m.email, '') AS member_email, coalesce(m.role, '') AS role, c.provider
		FROM (SELECT * FROM operations WHERE workspace_id = ? AND error LIKE 'held:%' AND state = 'held' ORDER BY id LIMIT ?) o
		JOIN directory_users u ON u.id = o.resource_id JOIN connections c ON c.id = u.connection_id
		LEFT JOIN members m ON m.id = coalesce((SELECT f.id FROM members f WHERE f.directory_user_id = u.id), u.mirror_of,
			(SELECT e.id FROM members e WHERE e.workspace_id = u.workspace_id AND e.email_key = u.email_key AND e.email_key <> ''))
		ORDER BY o.id`, workspaceID, limit).Scan(&rows).Error
	return rows, translate(err, "held operations")
}

// Named is what people know something by that an operation or an audit entry is about.
type Named struct {
	ID       string
	Type     string // one of the Resource constants
	Name     string
	Email    string
	MemberID string // of a person who is a member, "" for others
}

// Names finds what ids of a workspace mean, the deleted included: people of a directory, groups and members.
func (s *Store) Names(ctx context.Context, workspaceID string, ids []string) (map[string]Named, error) {
	names := map[string]Named{}
	if len(ids) == 0 {
		return names, nil
	}
	list := s.dialect.list(ids)
	var rows []Named
	err := s.r(ctx).Raw(`SELECT u.id, 'User' AS type, u.display_name AS name, u.email, coalesce(m.id, u.mirror_of) AS member_id FROM directory_users u LEFT JOIN members m ON m.directory_user_id = u.id
			WHERE u.workspace_id = ? AND u.id `+s.dialect.in+`
		UNION ALL SELECT id, 'Group', display_name, '', NULL FROM directory_groups WHERE workspace_id = ? AND id `+s.dialect.in+`
		UNION ALL SELECT id, 'Member', name, email, id FROM members WHERE workspace_id = ? AND id `+s.dialect.in,
		workspaceID, list, workspaceID, list, workspaceID, list).Scan(&rows).Error
	for _, n := range rows {
		names[n.ID] = n
	}
	return names, translate(err, "names")
}
