package store

import (
	"context"
	"time"

	"outpost/models"
)

// VoidInvitations withdraws the open invitations of a member but for one (which may be ""). It tells how many.
func (tx *Tx) VoidInvitations(memberID, but string) (int64, error) {
	sql, args := "UPDATE invitations SET state = 'void' WHERE member_id = ? AND state = 'open'", []any{memberID}
	if but != "" {
		sql, args = sql+" AND id <> ?", append(args, but)
	}
	return tx.exec("void invitations", sql, args...)
}

// InvitationFor finds the invitation of a member for a period and address.
func (tx *Tx) InvitationFor(memberID, userID string, period int64, emailKey string) (models.Invitation, bool, error) {
	var inv models.Invitation
	n, err := tx.query(&inv, "the invitation", "SELECT * FROM invitations WHERE member_id = ? AND user_id = ? AND period = ? AND email_key = ?", memberID, userID, period, emailKey)
	return inv, n > 0, err
}

// Invitation finds an invitation by its id.
func (tx *Tx) Invitation(id string) (models.Invitation, error) {
	return one[models.Invitation](tx, "the invitation", "SELECT * FROM invitations WHERE id = ?", id)
}

// ReopenInvitation makes a withdrawn invitation good again until expires. It tells whether it was one.
func (tx *Tx) ReopenInvitation(id string, expires time.Time) (bool, error) {
	n, err := tx.exec("reopen the invitation", "UPDATE invitations SET state = 'open', expires_at = ?, reminded_at = NULL WHERE id = ? AND state = 'void'", expires.UTC(), id)
	return n > 0, err
}

// ExpireInvitations closes up to limit open invitations whose time is over. It tells how many; those that another has are
// left out.
func (tx *Tx) ExpireInvitations(now time.Time, limit int) (int64, error) {
	return tx.exec("expire invitations", "UPDATE invitations SET state = 'expired' WHERE id IN (SELECT id FROM invitations WHERE state = 'open' AND expires_at <= ? ORDER BY expires_at LIMIT ?"+tx.store.dialect.skipLocked+")", now.UTC(), limit)
}

// Reminder is an invitation to remind of, with the directory person behind its member and their connection, nil for none.
type Reminder struct {
	models.Invitation
	PersonID, ConnectionID *string
}

// TakeReminders marks up to limit open invitations as decided that were made, and last mailed, before then and about which
// nobody has decided whether to remind of them. It tells how many, and those to remind of: mailed with success, never
// reminded of, of people who have not joined and whose connection, if any, invites by itself. Those that another has are
// left out.
func (tx *Tx) TakeReminders(before, now time.Time, limit int) (taken int, due []Reminder, err error) {
	var ids []string
	if _, err := tx.query(&ids, "reminders", `UPDATE invitations SET reminded_at = ? WHERE id IN (SELECT i.id FROM invitations i WHERE i.state = 'open' AND i.reminded_at IS NULL AND i.created_at <= ?
		AND NOT EXISTS (SELECT 1 FROM mails x WHERE x.invitation_id = i.id AND coalesce(x.sent_at, x.created_at) > ?) ORDER BY i.created_at LIMIT ?`+tx.store.dialect.skipLocked+`) RETURNING id`,
		now.UTC(), before.UTC(), before.UTC(), limit); err != nil || len(ids) == 0 {
		return 0, nil, err
	}
	_, err = tx.query(&due, "reminders", `SELECT i.*, u.id AS person_id, u.connection_id FROM invitations i
		JOIN members m ON m.id = i.member_id AND m.status = 'invited' AND m.email_key = i.email_key AND m.period = i.period
		LEFT JOIN directory_users u ON u.id = coalesce(i.user_id, m.directory_user_id) LEFT JOIN connections c ON c.id = u.connection_id
		WHERE i.id `+tx.store.dialect.in+` AND i.expires_at > ? AND (c.id IS NULL OR c.send_invitations AND c.status <> 'deleted')
		AND EXISTS (SELECT 1 FROM mails x WHERE x.invitation_id = i.id AND x.kind = 'invitation' AND x.state = 'sent')
		AND NOT EXISTS (SELECT 1 FROM mails x WHERE x.invitation_id = i.id AND x.kind = 'invitation.reminder') ORDER BY i.id`, tx.store.dialect.list(ids), now.UTC())
	return len(ids), due, err
}

// AdoptInvitation makes an open invitation that somebody made by hand for the member and address the one of a directory
// person in a period. It returns its id, "" when there is none.
func (tx *Tx) AdoptInvitation(memberID, userID string, period int64, emailKey string) (string, error) {
	var id string
	_, err := tx.query(&id, "the invitation", `UPDATE invitations SET user_id = ?, period = ? WHERE id = (SELECT i.id FROM invitations i
		WHERE i.member_id = ? AND i.user_id IS NULL AND i.email_key = ? AND i.state = 'open' ORDER BY i.id DESC LIMIT 1) RETURNING id`, userID, period, memberID, emailKey)
	return id, err
}

// LastInvitation finds the newest invitation of a member for their address and period that was not withdrawn or accepted,
// and locks it.
func (tx *Tx) LastInvitation(m models.Member) (models.Invitation, bool, error) {
	var inv models.Invitation
	n, err := tx.query(&inv, "the invitation", "SELECT * FROM invitations WHERE member_id = ? AND email_key = ? AND period = ? AND state IN ('open', 'expired') ORDER BY id DESC LIMIT 1"+tx.store.dialect.forUpdate, m.ID, m.EmailKey, m.Period)
	return inv, n > 0, err
}

// NewestInvitation finds the newest invitation of a member for their address and period, whatever became of it, and locks
// it.
func (tx *Tx) NewestInvitation(m models.Member) (models.Invitation, bool, error) {
	var inv models.Invitation
	n, err := tx.query(&inv, "the invitation", "SELECT * FROM invitations WHERE member_id = ? AND email_key = ? AND period = ? ORDER BY id DESC LIMIT 1"+tx.store.dialect.forUpdate, m.ID, m.EmailKey, m.Period)
	return inv, n > 0, err
}

// AcceptInvitation closes an invitation that is open, or whose time is over, as accepted.
func (tx *Tx) AcceptInvitation(id string) error {
	n, err := tx.exec("accept the invitation", "UPDATE invitations SET state = 'accepted' WHERE id = ? AND state IN ('open', 'expired')", id)
	return affected(n, err, "the invitation")
}

// LinkedInvitation is an invitation as its link finds it. Newer is the state of the newest one to the same address that was
// made after it, "" for none: what models.Invitation.Link asks for.
type LinkedInvitation struct {
	models.Invitation
	Newer models.InvitationState
}

const linkedInvitation = `SELECT i.*, coalesce((SELECT n.state FROM invitations n WHERE n.member_id = i.member_id AND n.email_key = i.email_key AND n.id > i.id ORDER BY n.id DESC LIMIT 1), '') AS newer
	FROM invitations i WHERE i.token_hash = ?`

// LinkedInvitation finds an invitation by the hash of its link's token.
func (s *Store) LinkedInvitation(ctx context.Context, tokenHash []byte) (LinkedInvitation, error) {
	var inv LinkedInvitation
	err := s.r(ctx).Raw(linkedInvitation, tokenHash).Take(&inv).Error
	return inv, translate(err, "the invitation")
}

// LinkedInvitation finds an invitation by the hash of its link's token inside the transaction.
func (tx *Tx) LinkedInvitation(tokenHash []byte) (LinkedInvitation, error) {
	return one[LinkedInvitation](tx, "the invitation", linkedInvitation, tokenHash)
}

// ProlongInvitation makes an open or expired invitation good until expires.
func (tx *Tx) ProlongInvitation(id string, expires time.Time) error {
	n, err := tx.exec("prolong the invitation", "UPDATE invitations SET state = 'open', expires_at = ?, reminded_at = NULL WHERE id = ? AND state IN ('open', 'expired')", expires.UTC(), id)
	return affected(n, err, "the invitation")
}

// ReplaceMail clears the way for another mail of an invitation: a failed operation of an earlier one is not to be
// retried any more. It tells which copy the next one is, and whether an earlier one is still on its way.
func (tx *Tx) ReplaceMail(invitationID string) (copy int, underWay bool, err error) {
	if _, err := tx.exec("replace the mail", "UPDATE operations SET state = 'superseded', error = 'sent anew by hand' WHERE state = 'failed' AND id IN (SELECT m.operation_id FROM mails m WHERE m.invitation_id = ?)", invitationID); err != nil {
		return 0, false, err
	}
	var found struct {
		Copies, Open int
	}
	_, err = tx.query(&found, "mails", `SELECT coalesce(max(m.copy) + 1, 0) AS copies, count(CASE WHEN o.state IN ('pending', 'running') THEN 1 END) AS open
		FROM mails m JOIN operations o ON o.id = m.operation_id WHERE m.invitation_id = ?`, invitationID)
	return found.Copies, found.Open > 0, err
}

// waiting is the condition for invitations of a connection, which is asked for twice, whose mail was never written, or
// was kept back: those of people who have not joined.
const waiting = `invitations i JOIN members m ON m.id = i.member_id AND m.status = 'invited' AND m.email_key = i.email_key AND m.period = i.period JOIN directory_users u ON u.id = i.user_id
	WHERE m.workspace_id = (SELECT c.workspace_id FROM connections c WHERE c.id = ?) AND u.connection_id = ? AND i.state IN ('open', 'expired')
	AND NOT EXISTS (SELECT 1 FROM mails x WHERE x.invitation_id = i.id AND NOT (x.state = 'failed' AND x.response LIKE 'not sent:%'))`

// WaitingInvitations counts the invitations of a connection that wait to be mailed by hand: its people are not invited as
// they arrive.
func (s *Store) WaitingInvitations(ctx context.Context, connectionID string) (int, error) {
	var n int
	err := s.r(ctx).Raw("SELECT count(*) FROM "+waiting, connectionID, connectionID).Scan(&n).Error
	return n, translate(err, "waiting invitations")
}

// LockWaitingInvitations reads up to limit of the invitations that WaitingInvitations counts, and locks them. Those that
// another has are left out.
func (tx *Tx) LockWaitingInvitations(connectionID string, limit int) ([]models.Invitation, error) {
	var invs []models.Invitation
	_, err := tx.query(&invs, "waiting invitations", "SELECT * FROM invitations WHERE id IN (SELECT i.id FROM "+waiting+" LIMIT ?) ORDER BY id"+tx.store.dialect.skipLocked, connectionID, connectionID, limit)
	return invs, err
}
