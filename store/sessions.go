package store

import (
	"context"
	"time"

	"outpost/models"
)

// Visit is a session with the member and the workspace it is for.
type Visit struct {
	Session   models.Session
	Member    models.Member
	Workspace models.Workspace
}

// Visit finds the session with a cookie's hash. Whether it still counts is Session.Living's to say.
func (s *Store) Visit(ctx context.Context, tokenHash []byte) (Visit, error) {
	var v Visit
	if err := s.r(ctx).Where("token_hash = ?", tokenHash).Take(&v.Session).Error; err != nil {
		return v, translate(err, "the session")
	}
	err := s.r(ctx).Where("id = ? AND workspace_id = ?", v.Session.MemberID, v.Session.WorkspaceID).Take(&v.Member).Error
	if err == nil {
		err = s.r(ctx).Where("id = ?", v.Session.WorkspaceID).Take(&v.Workspace).Error
	}
	return v, translate(err, "the session")
}

// SessionHolders finds sessions by their ids with what of their members and workspaces decides whether they count, in one
// statement however many there are: the member's status, epoch and role, and what the workspace asks of a session.
func (s *Store) SessionHolders(ctx context.Context, ids []string) ([]Visit, error) {
	var rows []struct {
		models.Session
		Status models.MemberStatus
		Now    struct {
			Epoch int64
			Role  models.Role
		} `gorm:"embedded;embeddedPrefix:member_"`
		Plan       models.Plan
		RequireSSO *string
		BreakGlass *string
	}
	err := s.r(ctx).Raw(`SELECT s.*, m.status, m.session_epoch AS member_epoch, m.role AS member_role, w.plan, w.require_sso, w.break_glass
		FROM sessions s JOIN members m ON m.id = s.member_id JOIN workspaces w ON w.id = s.workspace_id WHERE s.id `+s.dialect.in, s.dialect.list(ids)).Scan(&rows).Error
	visits := make([]Visit, len(rows))
	for i, row := range rows {
		visits[i] = Visit{
			Session:   row.Session,
			Member:    models.Member{ID: row.MemberID, WorkspaceID: row.WorkspaceID, Status: row.Status, SessionEpoch: row.Now.Epoch, Role: row.Now.Role},
			Workspace: models.Workspace{ID: row.WorkspaceID, Plan: row.Plan, RequireSSO: row.RequireSSO, BreakGlass: row.BreakGlass},
		}
	}
	return visits, translate(err, "sessions")
}

// Sessions lists the sessions of a member that have not ended and began after since, newest first.
func (s *Store) Sessions(ctx context.Context, memberID string, since time.Time) ([]models.Session, error) {
	var all []models.Session
	err := s.r(ctx).Where("member_id = ? AND ended_at IS NULL AND created_at > ?", memberID, since.UTC()).Order("id DESC").Find(&all).Error
	return all, translate(err, "sessions")
}

// Session finds a session of a member, whether it has ended or not.
func (s *Store) Session(ctx context.Context, memberID, id string) (models.Session, error) {
	var one models.Session
	err := s.r(ctx).Where("id = ? AND member_id = ?", id, memberID).Take(&one).Error
	return one, translate(err, "the session")
}

// SignIns lists the last sign-ins of a member, and those that were refused, newest first.
func (s *Store) SignIns(ctx context.Context, workspaceID, memberID string, limit int) ([]models.AuditEntry, error) {
	var entries []models.AuditEntry
	err := s.r(ctx).Raw("SELECT "+listedEntry+" FROM audit_entries a WHERE a.target_id = ? AND a.workspace_id = ? AND a.method = 'signin' ORDER BY a.target_id DESC, a.id DESC LIMIT ?",
		memberID, workspaceID, limit).Scan(&entries).Error
	return entries, translate(err, "sign-ins")
}

// RefusedSignIns counts the sign-ins of a member, or those through a connection that name nobody, that were refused since:
// from one IP address, or from all where ip is "".
func (s *Store) RefusedSignIns(ctx context.Context, workspaceID, targetID, ip string, since time.Time) (int, error) {
	var n int
	err := s.r(ctx).Raw("SELECT count(*) FROM audit_entries WHERE target_id = ? AND workspace_id = ? AND method = 'signin' AND status >= 400 AND at > ? AND (ip = ? OR ? = '')",
		targetID, workspaceID, since.UTC(), ip, ip).Scan(&n).Error
	return n, translate(err, "sign-ins")
}

// SessionSeen records, coarsely, that a session is in use.
func (tx *Tx) SessionSeen(id string, at time.Time) error {
	_, err := tx.exec("session seen", "UPDATE sessions SET seen_at = ? WHERE id = ? AND seen_at < ?", at.UTC(), id, at.UTC())
	return err
}

// RenewSession gives a session a new cookie for a new role. It fails with Stale when another request did.
func (tx *Tx) RenewSession(id string, before, after []byte, role models.Role) error {
	n, err := tx.exec("renew the session", "UPDATE sessions SET token_hash = ?, role = ? WHERE id = ? AND token_hash = ? AND ended_at IS NULL", after, role, id, before)
	return affected(n, err, "the session")
}

// SessionByID finds a session by its id.
func (tx *Tx) SessionByID(id string) (models.Session, error) {
	return one[models.Session](tx, "the session", "SELECT * FROM sessions WHERE id = ?", id)
}

// EndSession ends a session. It is no error when it has ended already.
func (tx *Tx) EndSession(id string, at time.Time) error {
	_, err := tx.exec("end the session", "UPDATE sessions SET ended_at = ? WHERE id = ? AND ended_at IS NULL", at.UTC(), id)
	return err
}

// LeaveSession ends a session that another takes the place of. It fails with Stale when the session has ended already, or
// all sessions of its member have.
func (tx *Tx) LeaveSession(id string, at time.Time) error {
	n, err := tx.exec("leave the session", `UPDATE sessions SET ended_at = ? WHERE id = ? AND ended_at IS NULL
		AND epoch = (SELECT m.session_epoch FROM members m WHERE m.id = sessions.member_id AND m.status = 'active')`, at.UTC(), id)
	return affected(n, err, "the session")
}

// SignInMembers lists the active members with an address, in every workspace, the one last signed in to by a link first: a
// provider's word about an address decides nothing outside its workspace.
func (s *Store) SignInMembers(ctx context.Context, emailKey string) ([]models.Member, error) {
	var ms []models.Member
	err := s.r(ctx).Raw(`SELECT m.* FROM members m WHERE m.email_key = ? AND m.email_key <> '' AND m.status = 'active'
		ORDER BY (SELECT max(seen_at) FROM sessions x WHERE x.member_id = m.id AND x.method = 'link') DESC NULLS LAST, m.id DESC LIMIT 50`, emailKey).Scan(&ms).Error
	return ms, translate(err, "members")
}

// SignInLink finds a link by the hash of its token.
func (s *Store) SignInLink(ctx context.Context, tokenHash []byte) (models.SignInLink, error) {
	var l models.SignInLink
	err := s.r(ctx).Where("token_hash = ?", tokenHash).Take(&l).Error
	return l, translate(err, "the sign-in link")
}

// SignInLinkByID finds a link by its id.
func (tx *Tx) SignInLinkByID(id string) (models.SignInLink, error) {
	return one[models.SignInLink](tx, "the sign-in link", "SELECT * FROM sign_in_links WHERE id = ?", id)
}

// UseSignInLink uses up a link that is good at now: of two who try at once, one gets it, the other Stale.
func (tx *Tx) UseSignInLink(id string, now time.Time) error {
	n, err := tx.exec("use the sign-in link", "UPDATE sign_in_links SET used_at = ? WHERE id = ? AND used_at IS NULL AND expires_at > ?", now.UTC(), id, now.UTC())
	return affected(n, err, "the sign-in link")
}

// SignInsAsked counts the links that were asked for since, for an address and from an IP address.
func (s *Store) SignInsAsked(ctx context.Context, emailKey, ip string, since time.Time) (forAddress, fromIP int, err error) {
	var n struct{ ForAddress, FromIP int }
	err = s.r(ctx).Raw("SELECT (SELECT count(*) FROM sign_in_links WHERE email_key = ? AND created_at > ?) AS for_address, (SELECT count(*) FROM sign_in_links WHERE ip = ? AND created_at > ?) AS from_ip",
		emailKey, since.UTC(), ip, since.UTC()).Scan(&n).Error
	return n.ForAddress, n.FromIP, translate(err, "sign-in links")
}

// PruneSessions forgets sessions and links that ended before, and requests to providers and assertions that nobody took any
// more at untaken.
func (tx *Tx) PruneSessions(before, untaken time.Time) error {
	if _, err := tx.exec("prune sessions", "DELETE FROM sessions WHERE created_at < ?", before.UTC()); err != nil {
		return err
	}
	for table, before := range map[string]time.Time{"sign_in_links": before, "saml_requests": untaken, "saml_assertions": untaken} {
		if _, err := tx.exec("prune "+table, "DELETE FROM "+table+" WHERE expires_at < ?", before.UTC()); err != nil {
			return err
		}
	}
	return nil
}

// WorkspacesOf finds workspaces by their ids.
func (s *Store) WorkspacesOf(ctx context.Context, ids []string) ([]models.Workspace, error) {
	var ws []models.Workspace
	err := s.r(ctx).Raw("SELECT * FROM workspaces WHERE id "+s.dialect.in+" ORDER BY name", s.dialect.list(ids)).Scan(&ws).Error
	return ws, translate(err, "workspaces")
}
