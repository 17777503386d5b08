package store

import (
	"context"
	"time"

	"outpost/models"
)

// Access is all that decides whether a request to a connection may go on.
type Access struct {
	Connection models.Connection
	Plan       models.Plan
	Tokens     []models.Token // newest first, ended ones included
}

// Access reads a connection with its tokens and its workspace's plan, in one statement.
func (s *Store) Access(ctx context.Context, connectionID string) (Access, error) {
	all, err := s.Accesses(ctx, connectionID)
	if err != nil {
		return Access{}, err
	}
	a, ok := all[connectionID]
	if !ok {
		return Access{}, &models.Error{Code: models.NotFound, Detail: "the connection does not exist"}
	}
	return a, nil
}

// Accesses is Access for several connections, by id, in one statement. Those that do not exist are left out. The ids are
// UUIDs.
func (s *Store) Accesses(ctx context.Context, connectionIDs ...string) (map[string]Access, error) {
	var rows []struct {
		models.Connection
		Plan  models.Plan
		Token struct {
			ID       *string
			Hash     []byte
			LastFour string
			EndsAt   *time.Time
			First    *time.Time
		} `gorm:"embedded;embeddedPrefix:token_"`
	}
	err := s.r(ctx).Raw(`SELECT c.id, c.workspace_id, c.provider, c.status, c.stamp, c.created_at, w.plan,
		t.id AS token_id, t.hash AS token_hash, coalesce(t.last_four, '') AS token_last_four, t.ends_at AS token_ends_at, t.first_used_at AS token_first
		FROM connections c JOIN workspaces w ON w.id = c.workspace_id LEFT JOIN tokens t ON t.connection_id = c.id
		WHERE c.id `+s.dialect.in+` ORDER BY t.id DESC`, s.dialect.list(connectionIDs)).Scan(&rows).Error
	if err != nil {
		return nil, translate(err, "the connection")
	}
	all := make(map[string]Access, len(connectionIDs))
	for _, r := range rows {
		a := all[r.Connection.ID]
		a.Connection, a.Plan = r.Connection, r.Plan
		if r.Token.ID != nil {
			a.Tokens = append(a.Tokens, models.Token{ID: *r.Token.ID, ConnectionID: r.Connection.ID, Hash: r.Token.Hash, LastFour: r.Token.LastFour, FirstUsedAt: r.Token.First, EndsAt: r.Token.EndsAt})
		}
		all[r.Connection.ID] = a
	}
	return all, nil
}

// Door is what a request was let in by: a connection as it stood when its token was checked. Whoever goes through it is
// turned back when the connection has changed since. The zero Door is open.
type Door struct {
	ConnectionID string
	Stamp        int64
}

// ErrDoor turns a request back: what decided about its access has changed, and has to be looked at again.
var ErrDoor = &models.Error{Code: models.Stale, Detail: "the connection has changed meanwhile"}

// Stamp reads what a Door is compared with; a connection that does not exist has -1.
func (s *Store) Stamp(ctx context.Context, connectionID string) (int64, error) {
	var stamps []int64
	if err := s.r(ctx).Raw("SELECT stamp FROM connections WHERE id = ?", connectionID).Scan(&stamps).Error; err != nil {
		return 0, translate(err, "the connection")
	}
	if len(stamps) == 0 {
		return -1, nil
	}
	return stamps[0], nil
}

// Connection finds a connection by its id.
func (s *Store) Connection(ctx context.Context, id string) (models.Connection, error) {
	var c models.Connection
	err := s.r(ctx).Where("id = ?", id).Take(&c).Error
	return c, translate(err, "the connection "+id)
}

// ConnectionOf finds the connection that brought a directory person.
func (s *Store) ConnectionOf(ctx context.Context, userID string) (models.Connection, error) {
	var c models.Connection
	err := s.r(ctx).Raw("SELECT c.* FROM directory_users u JOIN connections c ON c.id = u.connection_id WHERE u.id = ?", userID).Take(&c).Error
	return c, translate(err, "the connection")
}

// Connections lists the connections of a workspace that are not deleted, newest first.
func (s *Store) Connections(ctx context.Context, workspaceID string) ([]models.Connection, error) {
	var cs []models.Connection
	err := s.r(ctx).Where("workspace_id = ? AND status <> ?", workspaceID, models.ConnectionDeleted).Order("id DESC").Find(&cs).Error
	return cs, translate(err, "connections")
}

// Connection finds a connection by its id, inside the transaction.
func (tx *Tx) Connection(id string) (models.Connection, error) {
	return one[models.Connection](tx, "the connection "+id, "SELECT * FROM connections WHERE id = ?", id)
}

// LockConnection locks the row of a connection: changes of its access come one after the other.
func (tx *Tx) LockConnection(id string) (models.Connection, error) {
	return one[models.Connection](tx, "the connection "+id, "SELECT * FROM connections WHERE id = ?"+tx.store.dialect.forUpdate, id)
}

// LivingConnections lists the ids of the workspace's connections that are not deleted.
func (tx *Tx) LivingConnections(workspaceID string) ([]string, error) {
	var ids []string
	_, err := tx.query(&ids, "connections", "SELECT id FROM connections WHERE workspace_id = ? AND status <> 'deleted' ORDER BY id", workspaceID)
	return ids, err
}

// SaveInvitationSettings writes how a connection invites its people.
func (tx *Tx) SaveInvitationSettings(c models.Connection) error {
	n, err := tx.exec("save the connection", "UPDATE connections SET send_invitations = ?, invitation_hold = ?, sender_name = ? WHERE id = ? AND status <> 'deleted'", c.SendInvitations, c.InvitationHold, c.SenderName, c.ID)
	return affected(n, err, "the connection")
}

// CreateConnection writes a new connection at once, for its people to refer to.
func (tx *Tx) CreateConnection(c models.Connection) error {
	return tx.insert("create the connection", &c, "")
}

// SetConnectionStatus changes the status of a connection that is not deleted.
func (tx *Tx) SetConnectionStatus(id string, status models.ConnectionStatus) error {
	n, err := tx.exec("change the connection", "UPDATE connections SET status = ?, stamp = stamp + 1 WHERE id = ? AND status <> 'deleted'", status, id)
	return affected(n, err, "the connection")
}

// LivingTokens lists the tokens of a connection that are accepted at now, newest first, and locks them.
func (tx *Tx) LivingTokens(connectionID string, now time.Time) ([]models.Token, error) {
	var ts []models.Token
	_, err := tx.query(&ts, "tokens", "SELECT * FROM tokens WHERE connection_id = ? AND (ends_at IS NULL OR ends_at > ?) ORDER BY id DESC"+tx.store.dialect.forUpdate, connectionID, now.UTC())
	return ts, err
}

// EndToken refuses a token from at on, unless it ends earlier already.
func (tx *Tx) EndToken(t models.Token, at time.Time) error {
	if _, err := tx.exec("end the token", "UPDATE tokens SET ends_at = ? WHERE id = ? AND (ends_at IS NULL OR ends_at > ?)", at.UTC(), t.ID, at.UTC()); err != nil {
		return err
	}
	return tx.ChangeAccess(t.ConnectionID)
}

// ChangeAccess makes every request look at the connection's tokens anew.
func (tx *Tx) ChangeAccess(connectionID string) error {
	_, err := tx.exec("change access", "UPDATE connections SET stamp = stamp + 1 WHERE id = ?", connectionID)
	return err
}

// TokenUse is what was gathered about the use of one token.
type TokenUse struct {
	TokenID string
	Uses    int64
	FirstIP string    // where the first of them came from
	At      time.Time // of the last of them
}

// TokenUsed records that a token was used. The first use of a token lets the older ones of its connection end after
// overlap.
func (tx *Tx) TokenUsed(use TokenUse, overlap time.Duration) error {
	id, at := use.TokenID, use.At
	n, err := tx.exec("token used", "UPDATE tokens SET first_used_at = ?, first_ip = ? WHERE id = ? AND first_used_at IS NULL", at.UTC(), use.FirstIP, id)
	if err != nil {
		return err
	}
	if n > 0 {
		if _, err := tx.exec("end older tokens", `UPDATE tokens SET ends_at = ? WHERE ends_at IS NULL AND id < ? AND connection_id = (SELECT connection_id FROM tokens WHERE id = ?)`,
			at.Add(overlap).UTC(), id, id); err != nil {
			return err
		}
		if _, err := tx.exec("change access", "UPDATE connections SET stamp = stamp + 1 WHERE id = (SELECT connection_id FROM tokens WHERE id = ?)", id); err != nil {
			return err
		}
	}
	_, err = tx.exec("token used", "UPDATE tokens SET uses = uses + ?, last_used_at = CASE WHEN last_used_at > ? THEN last_used_at ELSE ? END WHERE id = ?", use.Uses, at.UTC(), at.UTC(), id)
	return err
}

// ConnectionSize is how many people and groups a provider has brought.
type ConnectionSize struct{ People, Groups int }

// ConnectionSize counts the linked people and the groups of a connection that are not removed.
func (s *Store) ConnectionSize(ctx context.Context, connectionID string) (ConnectionSize, error) {
	var size ConnectionSize
	err := s.r(ctx).Raw(`SELECT (SELECT count(*) FROM directory_users WHERE connection_id = ? AND removed_at IS NULL AND linked) AS people,
		(SELECT count(*) FROM directory_groups WHERE connection_id = ? AND removed_at IS NULL) AS groups`, connectionID, connectionID).Scan(&size).Error
	return size, translate(err, "the connection")
}

// OpenWork is what of a connection's operations is not at rest, or came to rest badly.
type OpenWork struct{ Open, Failed, Held int }

// OpenWork counts the operations of a connection that are open, failed and held.
func (s *Store) OpenWork(ctx context.Context, connectionID string) (OpenWork, error) {
	var w OpenWork
	err := s.r(ctx).Raw(`SELECT (SELECT count(*) FROM operations WHERE finished_at IS NULL AND state IN ('pending', 'running') AND connection_id = ?) AS open,
		(SELECT count(*) FROM operations o JOIN connections c ON c.id = ? AND c.workspace_id = o.workspace_id WHERE o.error <> '' AND o.attempts > 0 AND o.state = 'failed' AND o.connection_id = c.id) AS failed,
		(SELECT count(*) FROM operations o JOIN connections c ON c.id = ? AND c.workspace_id = o.workspace_id WHERE o.error LIKE 'held:%' AND o.state = 'held' AND o.connection_id = c.id) AS held`,
		connectionID, connectionID, connectionID).Scan(&w).Error
	return w, translate(err, "operations")
}

// MappableGroups lists up to limit of the groups of a connection, by name.
func (s *Store) MappableGroups(ctx context.Context, connectionID string, limit int) ([]models.Group, error) {
	var gs []models.Group
	err := s.r(ctx).Raw("SELECT * FROM directory_groups WHERE connection_id = ? AND removed_at IS NULL ORDER BY name_key, id LIMIT ?", connectionID, limit).Scan(&gs).Error
	return gs, translate(err, "groups")
}
