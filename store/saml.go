package store

import (
	"context"
	"time"

	"outpost/models"
)

// SAMLWay is a connection's single sign-on with all that decides whether it may be used.
type SAMLWay struct {
	Setup      models.SAMLSetup
	Connection models.Connection
	Workspace  models.Workspace
}

// SAMLWay finds the single sign-on of a connection, used or not.
func (s *Store) SAMLWay(ctx context.Context, connectionID string) (SAMLWay, error) {
	var w SAMLWay
	err := s.r(ctx).Where("connection_id = ?", connectionID).Take(&w.Setup).Error
	if err == nil {
		err = s.r(ctx).Where("id = ?", connectionID).Take(&w.Connection).Error
	}
	if err == nil {
		err = s.r(ctx).Where("id = ?", w.Setup.WorkspaceID).Take(&w.Workspace).Error
	}
	return w, translate(err, "the single sign-on")
}

// SAMLSetups lists every single sign-on, for whoever looks after the certificates.
func (s *Store) SAMLSetups(ctx context.Context) ([]models.SAMLSetup, error) {
	var all []models.SAMLSetup
	err := s.r(ctx).Order("connection_id").Find(&all).Error
	return all, translate(err, "the single sign-on")
}

// SSOForSlug finds the connection through which the people of a workspace sign in, "" for none: the one that is
// required, else the newest.
func (s *Store) SSOForSlug(ctx context.Context, slug string) (string, error) {
	return s.ssoConnection(ctx, "w.slug = ?", slug)
}

// SSOForWorkspace is SSOForSlug by the workspace's id.
func (s *Store) SSOForWorkspace(ctx context.Context, id string) (string, error) {
	return s.ssoConnection(ctx, "w.id = ?", id)
}

func (s *Store) ssoConnection(ctx context.Context, where, value string) (string, error) {
	var ids []string
	err := s.r(ctx).Raw(`SELECT x.connection_id FROM saml_setups x JOIN workspaces w ON w.id = x.workspace_id AND w.plan = 'enterprise'
		WHERE `+where+` ORDER BY CASE WHEN x.connection_id = w.require_sso THEN 0 ELSE 1 END, x.connection_id DESC LIMIT 1`, value).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return "", translate(err, "the single sign-on")
	}
	return ids[0], nil
}

// SSOOf finds the connection through which a member may sign in, the zero Connection for none, and whether they get in in
// no other way.
func (tx *Tx) SSOOf(w models.Workspace, m models.Member) (c models.Connection, required bool, err error) {
	if w.RequiresSSO(m) {
		c, err = tx.Connection(*w.RequireSSO)
		return c, true, err
	}
	if !w.Plan.DirectorySync() || m.DirectoryUserID == nil {
		return c, false, nil
	}
	_, err = tx.query(&c, "the single sign-on", `SELECT c.* FROM directory_users u JOIN connections c ON c.id = u.connection_id AND c.status <> 'deleted' JOIN saml_setups s ON s.connection_id = c.id
		WHERE u.id = ?`, *m.DirectoryUserID)
	return c, false, err
}

// LockSAMLSetup reads the single sign-on of a connection and locks it: its changes come one after the other.
func (tx *Tx) LockSAMLSetup(connectionID string) (models.SAMLSetup, error) {
	return one[models.SAMLSetup](tx, "the single sign-on", "SELECT * FROM saml_setups WHERE connection_id = ?"+tx.store.dialect.forUpdate, connectionID)
}

// SAMLSetup reads the single sign-on of a connection, which does not change before the transaction ends.
func (tx *Tx) SAMLSetup(connectionID string) (models.SAMLSetup, error) {
	return one[models.SAMLSetup](tx, "the single sign-on", "SELECT * FROM saml_setups WHERE connection_id = ?"+tx.store.dialect.forShare, connectionID)
}

// SaveSAMLSetup writes every changeable column of a setup that the transaction has locked.
func (tx *Tx) SaveSAMLSetup(s models.SAMLSetup) error {
	n, err := tx.exec("save the single sign-on", `UPDATE saml_setups SET entity_id = ?, sign_in_url = ?, certificates = ?, key = ?, key_certificate = ?,
		unrequested = ?, version = ?, passed_version = ?, tested_at = ?, test_report = ?, warned_days = ?, updated_by = ?, updated_at = ? WHERE connection_id = ?`,
		s.EntityID, s.SignInURL, s.Certificates, s.Key, s.KeyCertificate, s.Unrequested, s.Version, s.PassedVersion, plain(s.TestedAt), s.TestReport, s.WarnedDays,
		s.UpdatedBy, s.UpdatedAt.UTC(), s.ConnectionID)
	return affected(n, err, "the single sign-on")
}

// ForgetSubjects unbinds every name identifier of a connection's provider.
func (tx *Tx) ForgetSubjects(connectionID string) error {
	_, err := tx.exec("forget subjects", "DELETE FROM saml_subjects WHERE connection_id = ?", connectionID)
	return err
}

// EndSAMLSessions ends the sessions that began through a connection.
func (tx *Tx) EndSAMLSessions(connectionID string, at time.Time) error {
	_, err := tx.exec("end sessions", "UPDATE sessions SET ended_at = ? WHERE connection_id = ? AND ended_at IS NULL", at.UTC(), connectionID)
	return err
}

// DropSAML forgets the single sign-on of a connection and ends the sessions that began by it. Where it was required, it is
// not any more.
func (tx *Tx) DropSAML(connectionID string, at time.Time) error {
	if _, err := tx.exec("drop the single sign-on", "DELETE FROM saml_setups WHERE connection_id = ?", connectionID); err != nil {
		return err
	}
	if err := tx.ForgetSubjects(connectionID); err != nil {
		return err
	}
	if err := tx.EndSAMLSessions(connectionID, at); err != nil {
		return err
	}
	_, err := tx.exec("require no single sign-on", "UPDATE workspaces SET require_sso = NULL, break_glass = NULL WHERE require_sso = ?", connectionID)
	return err
}

// RequireSSO makes everybody sign in through a connection but breakGlass; both nil require nothing.
func (tx *Tx) RequireSSO(workspaceID string, connectionID, breakGlass *string) error {
	n, err := tx.exec("require single sign-on", "UPDATE workspaces SET require_sso = ?, break_glass = ? WHERE id = ?", connectionID, breakGlass, workspaceID)
	return affected(n, err, "the workspace")
}

// SAMLRequest finds a request to the provider of a connection.
func (s *Store) SAMLRequest(ctx context.Context, connectionID, id string) (models.SAMLRequest, error) {
	var q models.SAMLRequest
	err := s.r(ctx).Where("id = ? AND connection_id = ?", id, connectionID).Take(&q).Error
	return q, translate(err, "the request")
}

// LastSAMLRequest finds the newest request that a browser made through a connection.
func (s *Store) LastSAMLRequest(ctx context.Context, connectionID string, browserHash []byte) (models.SAMLRequest, error) {
	var q models.SAMLRequest
	err := s.r(ctx).Where("browser_hash = ? AND connection_id = ?", browserHash, connectionID).Order("created_at DESC").Take(&q).Error
	return q, translate(err, "the request")
}

// SAMLRequestsFrom counts the requests that were begun from an IP address since.
func (s *Store) SAMLRequestsFrom(ctx context.Context, ip string, since time.Time) (int, error) {
	var n int
	err := s.r(ctx).Raw("SELECT count(*) FROM saml_requests WHERE ip = ? AND created_at > ?", ip, since.UTC()).Scan(&n).Error
	return n, translate(err, "requests")
}

// UseSAMLRequest uses up a request that is good at now: of two answers, one gets it, the other Stale.
func (tx *Tx) UseSAMLRequest(id string, now time.Time) error {
	n, err := tx.exec("use the request", "UPDATE saml_requests SET used_at = ? WHERE id = ? AND used_at IS NULL AND expires_at > ?", now.UTC(), id, now.UTC())
	return affected(n, err, "the request")
}

// UseAssertion records that an assertion was used, to be remembered until expires. It is Stale when it was before.
func (tx *Tx) UseAssertion(connectionID string, hash []byte, expires time.Time) error {
	n, err := tx.exec("use the assertion", "INSERT INTO saml_assertions (connection_id, assertion_hash, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", connectionID, hash, expires.UTC())
	return affected(n, err, "the assertion")
}

// Subjects finds the people of a connection that a name identifier could mean: by userName, by externalId, or bound to
// it before. Those the provider has deleted are none of them.
func (tx *Tx) Subjects(connectionID, nameID, userNameKey string) ([]models.User, error) {
	var us []models.User
	_, err := tx.query(&us, "people", `SELECT * FROM directory_users WHERE connection_id = ? AND removed_at IS NULL AND id IN (
		SELECT id FROM directory_users WHERE connection_id = ? AND user_name_key = ? AND removed_at IS NULL
		UNION SELECT id FROM directory_users WHERE connection_id = ? AND external_id = ? AND removed_at IS NULL
		UNION SELECT user_id FROM saml_subjects WHERE connection_id = ? AND name_id = ?)`,
		connectionID, connectionID, userNameKey, connectionID, nameID, connectionID, nameID)
	return us, err
}

// SubjectOf finds the person that a name identifier was bound to, "" for none.
func (tx *Tx) SubjectOf(connectionID, nameID string) (string, error) {
	var id string
	_, err := tx.query(&id, "the subject", "SELECT user_id FROM saml_subjects WHERE connection_id = ? AND name_id = ?", connectionID, nameID)
	return id, err
}

// BindSubject ties a name identifier to a person, in place of whatever either was tied to before.
func (tx *Tx) BindSubject(s models.SAMLSubject) error {
	if _, err := tx.exec("unbind the subject", "DELETE FROM saml_subjects WHERE user_id = ? OR connection_id = ? AND name_id = ?", s.UserID, s.ConnectionID, s.NameID); err != nil {
		return err
	}
	_, err := tx.exec("bind the subject", "INSERT INTO saml_subjects (connection_id, name_id, user_id, created_at) VALUES (?, ?, ?, ?)", s.ConnectionID, s.NameID, s.UserID, s.CreatedAt.UTC())
	return err
}

// LockMemberOf reads the member that follows a directory person and locks the row.
func (tx *Tx) LockMemberOf(workspaceID, userID string) (models.Member, error) {
	return one[models.Member](tx, "the member", "SELECT * FROM members WHERE workspace_id = ? AND directory_user_id = ?"+tx.store.dialect.forUpdate, workspaceID, userID)
}

const activeOwners = "SELECT * FROM members WHERE workspace_id = ? AND role = 'owner' AND status = 'active' ORDER BY name, id"

// ActiveOwners lists the active owners of a workspace, by name.
func (s *Store) ActiveOwners(ctx context.Context, workspaceID string) ([]models.Member, error) {
	var ms []models.Member
	err := s.r(ctx).Raw(activeOwners, workspaceID).Scan(&ms).Error
	return ms, translate(err, "owners")
}

// ActiveOwners is Store.ActiveOwners inside the transaction.
func (tx *Tx) ActiveOwners(workspaceID string) ([]models.Member, error) {
	var ms []models.Member
	_, err := tx.query(&ms, "owners", activeOwners, workspaceID)
	return ms, err
}

// OutsideSSO counts the members with access to a workspace, but for the one who keeps the e-mailed link, who could not sign
// in through a connection: its provider has not brought them.
func (s *Store) OutsideSSO(ctx context.Context, workspaceID, connectionID, but string) (int, error) {
	var n int
	err := s.r(ctx).Raw(`SELECT count(*) FROM members m WHERE m.workspace_id = ? AND m.id <> ? AND m.status IN ('active', 'invited')
		AND NOT EXISTS (SELECT 1 FROM directory_users u WHERE u.id = m.directory_user_id AND u.connection_id = ? AND u.active AND u.removed_at IS NULL)`, workspaceID, but, connectionID).Scan(&n).Error
	return n, translate(err, "members")
}
