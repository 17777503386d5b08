package store

import (
	"context"
	"strings"

	"outpost/models"
)

// PeopleState narrows a list of people: one of the statuses of a member, or how the mail that invites them stands.
type PeopleState string

// The states beside those of models.MemberStatus: of people who are invited and have no invitation, as far as is known.
const (
	PeopleRefused PeopleState = "refused" // the mail was refused
	PeopleUnknown PeopleState = "unknown" // the mail server did not say whether it took the mail
)

// PeopleQuery asks for members of a workspace. What is empty narrows nothing.
type PeopleQuery struct {
	WorkspaceID string
	Text        string // part of a name or an address, or the provider's id
	Folded      string // Text, folded as addresses are
	State       PeopleState
	Role        models.Role
	GroupID     string // a directory group that names them
	From        string // the connection whose directory they follow, or PeopleByHand
	Before      string // those with a smaller id than this
}

// PeopleByHand is the From of people who follow no directory.
const PeopleByHand = "hand"

// Plain reports whether the query asks for everybody, or by a status alone: PeopleCounts tells how many they are.
func (q PeopleQuery) Plain() bool {
	return q.Text == "" && q.Role == "" && q.GroupID == "" && q.From == "" && q.State != PeopleRefused && q.State != PeopleUnknown
}

// PersonRow is a member in a list.
type PersonRow struct {
	models.Member
	Provider   models.Provider // of the directory they follow, "" for none
	UserName   string          // in the directory
	ExternalID *string         // the provider's id
	Teams      []string        `gorm:"-"` // the first few, by name
	TeamCount  int
	Mail       PeopleState // PeopleRefused or PeopleUnknown of the newest invitation of an invited member, else ""
}

// PeopleCounts are the members of a workspace by status.
type PeopleCounts struct{ Active, Invited, Deactivated int }

// All is how many they are together.
func (c PeopleCounts) All() int { return c.Active + c.Invited + c.Deactivated }

// Of is how many have a status, or all of them for "".
func (c PeopleCounts) Of(state PeopleState) int {
	switch models.MemberStatus(state) {
	case models.MemberActive:
		return c.Active
	case models.MemberInvited:
		return c.Invited
	case models.MemberDeactivated:
		return c.Deactivated
	}
	return c.All()
}

// PeopleCounts counts the members of a workspace.
func (s *Store) PeopleCounts(ctx context.Context, workspaceID string) (PeopleCounts, error) {
	var c PeopleCounts
	err := s.r(ctx).Raw(`SELECT count(CASE WHEN status = 'active' THEN 1 END) AS active, count(CASE WHEN status = 'invited' THEN 1 END) AS invited,
		count(CASE WHEN status = 'deactivated' THEN 1 END) AS deactivated FROM members WHERE workspace_id = ?`, workspaceID).Scan(&c).Error
	return c, translate(err, "members")
}

// PeopleCame reports whether anybody follows a directory, or did.
func (s *Store) PeopleCame(ctx context.Context, workspaceID string) (bool, error) {
	var ids []string
	err := s.r(ctx).Raw("SELECT id FROM members WHERE workspace_id = ? AND directory_user_id IS NOT NULL LIMIT 1", workspaceID).Scan(&ids).Error
	return len(ids) > 0, translate(err, "members")
}

// People lists members, newest first. mostTeams bounds the names of teams of each.
func (s *Store) People(ctx context.Context, q PeopleQuery, offset, limit, mostTeams int) ([]PersonRow, error) {
	where, args, err := s.peopleWhere(ctx, q)
	if err != nil {
		return nil, err
	}
	var rows []PersonRow
	met := "SELECT id FROM members m WHERE " + where
	if q.Text != "" { // most are looked at and few meet it: one pass over all of them, and not one by one in the order of the list
		met = "WITH met AS MATERIALIZED (" + met + ") SELECT id FROM met m"
	}
	err = s.r(ctx).Raw(`SELECT m.*, coalesce(c.provider, '') AS provider, coalesce(u.user_name, '') AS user_name, u.external_id
		FROM (`+met+` ORDER BY m.id DESC LIMIT ? OFFSET ?) page JOIN members m ON m.id = page.id
		LEFT JOIN directory_users u ON u.id = m.directory_user_id LEFT JOIN connections c ON c.id = u.connection_id ORDER BY m.id DESC`,
		append(args, limit, offset)...).Scan(&rows).Error
	if err != nil {
		return nil, translate(err, "members")
	}
	if err := s.peopleTeams(ctx, rows, mostTeams); err != nil {
		return nil, err
	}
	return rows, s.peopleMails(ctx, rows)
}

// PeopleCount counts members, up to most.
func (s *Store) PeopleCount(ctx context.Context, q PeopleQuery, most int) (int, error) {
	where, args, err := s.peopleWhere(ctx, q)
	if err != nil {
		return 0, err
	}
	var n int
	err = s.r(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM members m WHERE "+where+" LIMIT ?) AS met", append(args, most)...).Scan(&n).Error
	return n, translate(err, "members")
}

// peopleWhere is the condition for the members that q asks for.
func (s *Store) peopleWhere(ctx context.Context, q PeopleQuery) (where string, args []any, err error) {
	where, args = "m.workspace_id = ?", []any{q.WorkspaceID}
	and := func(sql string, more ...any) { where, args = where+" AND "+sql, append(args, more...) }
	if q.Before != "" {
		and("m.id < ?", q.Before)
	}
	switch q.State {
	case "":
	case PeopleRefused, PeopleUnknown:
		unknown := "x.state <> 'unknown'"
		if q.State == PeopleUnknown {
			unknown = "x.state = 'unknown'"
		}
		and(`m.status = 'invited' AND m.id IN (SELECT x.member_id FROM operations o JOIN mails x ON x.operation_id = o.id
			WHERE o.workspace_id = ? AND o.error <> '' AND o.attempts > 0 AND o.state = 'failed' AND x.kind = 'invitation' AND `+unknown+")", q.WorkspaceID)
	default:
		and("m.status = ?", q.State)
	}
	if q.Role != "" {
		and("m.role = ?", q.Role)
	}
	if q.GroupID != "" {
		and("m.directory_user_id IN (SELECT x.user_id FROM memberships x JOIN directory_groups g ON g.id = x.group_id WHERE g.workspace_id = ? AND x.group_id = ? AND NOT x.removed)", q.WorkspaceID, q.GroupID)
	}
	switch q.From {
	case "":
	case PeopleByHand:
		and("m.directory_user_id IS NULL")
	default:
		and("EXISTS (SELECT 1 FROM directory_users u WHERE u.id = m.directory_user_id AND u.connection_id = ?)", q.From)
	}
	if q.Text == "" {
		return where, args, nil
	}
	users, err := s.peopleByExternalID(ctx, q)
	if err != nil {
		return "", nil, err
	}
	if len(users) > 0 {
		and("m.directory_user_id "+s.dialect.in, s.dialect.list(users))
		return where, args, nil
	}
	by := s.dialect.byBytes // a scan of many names: without the rules of a language it takes a third of the time
	either, like := "lower(m.name"+by+`) LIKE ? ESCAPE '\' OR m.email_key`+by+` LIKE ? ESCAPE '\'`, []any{containing(q.Folded), containing(q.Folded)}
	if !ascii(q.Text) { // whose small letters need those rules, and some databases do not know them
		either, like = either+` OR lower(m.name) LIKE ? ESCAPE '\' OR m.name LIKE ? ESCAPE '\'`, append(like, containing(q.Folded), containing(q.Text))
	}
	and("("+either+")", like...)
	return where, args, nil
}

// peopleByExternalID finds the people whose id with the provider is the text. Only what could be such an id is looked for.
func (s *Store) peopleByExternalID(ctx context.Context, q PeopleQuery) ([]string, error) {
	if len(q.Text) < 4 || strings.ContainsAny(q.Text, " @") || !strings.ContainsAny(q.Text, "0123456789") {
		return nil, nil
	}
	var ids []string
	err := s.r(ctx).Raw("SELECT id FROM directory_users WHERE connection_id IN (SELECT id FROM connections WHERE workspace_id = ?) AND removed_at IS NULL AND external_id = ?", q.WorkspaceID, q.Text).Scan(&ids).Error
	return ids, translate(err, "people")
}

// containing is the pattern for texts that have part in them.
func containing(part string) string { return "%" + likeEscape.Replace(part) + "%" }

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}

// peopleTeams names the first few teams of each of the members.
func (s *Store) peopleTeams(ctx context.Context, rows []PersonRow, most int) error {
	if len(rows) == 0 {
		return nil
	}
	at := make(map[string]*PersonRow, len(rows))
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i], at[rows[i].ID] = rows[i].ID, &rows[i]
	}
	var teams []struct {
		MemberID, Name string
		Total          int
	}
	err := s.r(ctx).Raw(`SELECT member_id, name, total FROM (SELECT tm.member_id, t.name, count(*) OVER (PARTITION BY tm.member_id) AS total,
			row_number() OVER (PARTITION BY tm.member_id ORDER BY t.name, t.id) AS n FROM team_members tm JOIN teams t ON t.id = tm.team_id WHERE tm.member_id `+s.dialect.in+`) AS all_teams
		WHERE n <= ? ORDER BY member_id, n`, s.dialect.list(ids), most).Scan(&teams).Error
	for _, t := range teams {
		row := at[t.MemberID]
		row.Teams, row.TeamCount = append(row.Teams, t.Name), t.Total
	}
	return translate(err, "teams")
}

// peopleMails tells how the newest invitation of each of the invited members stands.
func (s *Store) peopleMails(ctx context.Context, rows []PersonRow) error {
	at := map[string]*PersonRow{}
	var ids []string
	for i := range rows {
		if rows[i].Status == models.MemberInvited {
			ids, at[rows[i].ID] = append(ids, rows[i].ID), &rows[i]
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var mails []struct {
		MemberID string
		State    models.MailState
		Failed   bool
	}
	err := s.r(ctx).Raw(`SELECT x.member_id, x.state, o.state = 'failed' AS failed FROM mails x JOIN operations o ON o.id = x.operation_id
		WHERE x.member_id `+s.dialect.in+" AND x.kind = 'invitation' ORDER BY x.id", s.dialect.list(ids)).Scan(&mails).Error
	for _, m := range mails { // the newest comes last
		row := at[m.MemberID]
		switch {
		case !m.Failed:
			row.Mail = ""
		case m.State == models.MailUnknown:
			row.Mail = PeopleUnknown
		default:
			row.Mail = PeopleRefused
		}
	}
	return translate(err, "mails")
}

// PeopleGroups lists at most limit living groups of a workspace by name, for people to be narrowed by.
func (s *Store) PeopleGroups(ctx context.Context, workspaceID string, limit int) ([]models.Group, error) {
	var gs []models.Group
	err := s.r(ctx).Raw(`SELECT g.* FROM directory_groups g JOIN connections c ON c.id = g.connection_id AND c.status <> 'deleted'
		WHERE c.workspace_id = ? AND g.removed_at IS NULL ORDER BY g.name_key, g.id LIMIT ?`, workspaceID, limit).Scan(&gs).Error
	return gs, translate(err, "groups")
}

// AllConnections lists the connections of a workspace, newest first, the deleted included: people came from these too.
func (s *Store) AllConnections(ctx context.Context, workspaceID string) ([]models.Connection, error) {
	var cs []models.Connection
	err := s.r(ctx).Where("workspace_id = ?", workspaceID).Order("id DESC").Find(&cs).Error
	return cs, translate(err, "connections")
}
