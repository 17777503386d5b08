package store

import (
	"context"
	"time"

	"outpost/models"
)

// Person is a member with all that tells why they are as they are.
type Person struct {
	models.Member
	// IDs are what their story is told by: the member's, and those of the directory people they follow or are wanted as.
	IDs []string
	// User is the directory person they follow, or are to follow once that is decided; nil for none.
	User *models.User
	// Connection is that of User.
	Connection models.Connection
	// Invitation is the newest one, nil for none, and InvitationMail the newest mail of it.
	Invitation     *models.Invitation
	InvitationMail *models.Mail

	Groups []PersonGroup       // living ones that name them, by name
	Teams  []models.Team       // that they are in, by name
	Waited []models.Group      // that wait for them by the provider's id
	Open   []models.Operation  // that are to be done, are held, or failed, newest first
	Gives  *models.RoleMapping // what gives the role, nil for none
	Giver  models.Group        // whose mapping it is
}

// PersonGroup is a directory group that names a person.
type PersonGroup struct {
	ID, Name string
	TeamID   string // that follows it, "" while there is none
	TeamName string
	InTeam   bool // the person is in that team
	// OperationID is that of the change with which they came into the group, "" where that is not known.
	OperationID string
}

// Since is when they came into the group; zero where that is not known.
func (g PersonGroup) Since() time.Time {
	if g.OperationID == "" {
		return time.Time{}
	}
	return IDTime(g.OperationID)
}

// personMost bounds the lists about one person that have no pages.
const personMost = 200

// Person reads a member of a workspace with all about them.
func (s *Store) Person(ctx context.Context, workspaceID, id string) (p Person, err error) {
	if p.Member, err = s.Member(ctx, workspaceID, id); err != nil {
		return p, err
	}
	var users []models.User
	err = s.r(ctx).Raw(`SELECT * FROM directory_users WHERE workspace_id = ? AND (id = ? OR mirror_of = ? AND linked) ORDER BY id LIMIT ?`, workspaceID, p.DirectoryUserID, id, personMost).Scan(&users).Error
	if err != nil {
		return p, translate(err, "people")
	}
	p.IDs = []string{id}
	for i, u := range users {
		p.IDs = append(p.IDs, u.ID)
		if p.DirectoryUserID == nil || u.ID == *p.DirectoryUserID {
			p.User = &users[i]
		}
	}
	if p.User != nil {
		if err = s.r(ctx).Where("id = ?", p.User.ConnectionID).Take(&p.Connection).Error; err != nil {
			return p, translate(err, "the connection")
		}
		if err = s.personGroups(ctx, &p); err != nil {
			return p, err
		}
	}
	err = s.r(ctx).Raw("SELECT t.* FROM team_members tm JOIN teams t ON t.id = tm.team_id WHERE tm.member_id = ? ORDER BY t.name, t.id LIMIT ?", id, personMost).Scan(&p.Teams).Error
	if err != nil {
		return p, translate(err, "teams")
	}
	if err = s.personInvitation(ctx, &p); err != nil {
		return p, err
	}
	if p.RoleGroupID != nil {
		var gives []models.RoleMapping
		if err = s.r(ctx).Raw("SELECT * FROM role_mappings WHERE group_id = ? AND workspace_id = ?", *p.RoleGroupID, workspaceID).Scan(&gives).Error; err != nil {
			return p, translate(err, "the role of the group")
		}
		if len(gives) > 0 {
			p.Gives = &gives[0]
		}
		if p.Giver, err = s.WorkspaceGroup(ctx, workspaceID, *p.RoleGroupID); err != nil && !models.Is(err, models.NotFound) {
			return p, err
		}
	}
	err = s.r(ctx).Raw("SELECT * FROM operations WHERE resource_id "+s.dialect.in+" AND workspace_id = ? AND state IN ('pending', 'running', 'held', 'failed') ORDER BY id DESC LIMIT ?",
		s.dialect.list(p.IDs), workspaceID, personMost).Scan(&p.Open).Error
	return p, translate(err, "operations")
}

// personGroups reads the groups that name the person, and those that wait for them.
func (s *Store) personGroups(ctx context.Context, p *Person) error {
	err := s.r(ctx).Raw(`SELECT g.id, g.display_name AS name, coalesce(CAST(t.id AS text), '') AS team_id, coalesce(t.name, '') AS team_name, tm.member_id IS NOT NULL AS in_team,
			coalesce((SELECT CAST(o.id AS text) FROM operations o WHERE o.resource_id = x.group_id AND o.version = x.version AND o.kind = ? ORDER BY o.id LIMIT 1), '') AS operation_id
		FROM memberships x JOIN directory_groups g ON g.id = x.group_id AND g.removed_at IS NULL LEFT JOIN teams t ON t.group_id = g.id
		LEFT JOIN team_members tm ON tm.team_id = t.id AND tm.member_id = ?
		WHERE x.user_id = ? AND NOT x.removed ORDER BY g.name_key, g.id LIMIT ?`, models.KindGroupSync, p.ID, p.User.ID, personMost).Scan(&p.Groups).Error
	if err != nil {
		return translate(err, "groups")
	}
	err = s.r(ctx).Raw(`SELECT g.* FROM waiting_members w JOIN directory_groups g ON g.id = w.group_id AND g.removed_at IS NULL
		WHERE w.connection_id = ? AND w.value IN (?, ?) ORDER BY g.name_key, g.id LIMIT ?`, p.User.ConnectionID, p.User.ID, p.User.ExternalID, personMost).Scan(&p.Waited).Error
	return translate(err, "groups")
}

// personInvitation reads the newest invitation of a person, and its newest mail.
func (s *Store) personInvitation(ctx context.Context, p *Person) error {
	var invitations []models.Invitation
	err := s.r(ctx).Raw("SELECT * FROM invitations WHERE member_id = ? ORDER BY id DESC LIMIT 1", p.ID).Scan(&invitations).Error
	if err != nil || len(invitations) == 0 {
		return translate(err, "the invitation")
	}
	p.Invitation = &invitations[0]
	var mails []models.Mail
	err = s.r(ctx).Raw("SELECT * FROM mails WHERE member_id = ? AND invitation_id = ? AND kind = ? ORDER BY id DESC LIMIT 1", p.ID, p.Invitation.ID, models.MailInvitation).Scan(&mails).Error
	if len(mails) > 0 {
		p.InvitationMail = &mails[0]
	}
	return translate(err, "the mail")
}

// AccessEnding finds the audit entry of what ended a person's access, and the operation that tidied up after it. Either is
// nil where it is not known: an entry is written at the moment of the end itself.
func (s *Store) AccessEnding(ctx context.Context, p Person) (*models.AuditEntry, *models.Operation, error) {
	if p.DeactivatedAt == nil {
		return nil, nil, nil
	}
	var entries []models.AuditEntry
	err := s.r(ctx).Raw("SELECT "+listedEntry+" FROM audit_entries a WHERE target_id IN ? AND workspace_id = ? AND id > ? AND id < ? AND status < 400 ORDER BY id DESC LIMIT ?",
		p.IDs, p.WorkspaceID, FirstID(p.DeactivatedAt.Add(-within)), FirstID(p.DeactivatedAt.Add(within)), personMost).Scan(&entries).Error
	if err != nil {
		return nil, nil, translate(err, "audit entries")
	}
	for i, e := range entries {
		if !e.At.Equal(*p.DeactivatedAt) {
			continue
		}
		var ops []models.Operation
		where, args := "id = ?", []any{p.WorkspaceID, e.OperationID}
		if e.OperationID == nil {
			where, args = "resource_id "+s.dialect.in+" AND kind = ? AND request_id = ?", []any{p.WorkspaceID, s.dialect.list(p.IDs), models.KindUserDeactivate, e.RequestID}
		}
		err := s.r(ctx).Raw("SELECT * FROM operations WHERE workspace_id = ? AND "+where+" ORDER BY id DESC LIMIT 1", args...).Scan(&ops).Error
		if err != nil || len(ops) == 0 {
			return &entries[i], nil, translate(err, "operations")
		}
		return &entries[i], &ops[0], nil
	}
	return nil, nil, nil
}
