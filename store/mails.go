package store

import (
	"context"
	"time"

	"outpost/models"
)

// LockMail reads the mail that an operation sends and locks the row.
func (tx *Tx) LockMail(operationID string) (models.Mail, error) {
	return one[models.Mail](tx, "the mail of operation "+operationID, "SELECT * FROM mails WHERE operation_id = ?"+tx.store.dialect.forUpdate, operationID)
}

// SaveMail writes every changeable column of a mail that the transaction has locked.
func (tx *Tx) SaveMail(m models.Mail) error {
	n, err := tx.exec("save the mail", "UPDATE mails SET state = ?, claim_no = ?, slot_at = ?, message_id = ?, response = ?, sent_at = ? WHERE id = ?",
		m.State, m.ClaimNo, plain(m.SlotAt), m.MessageID, m.Response, plain(m.SentAt), m.ID)
	return affected(n, err, "the mail")
}

// WasTold reports whether an invitation's mail may have reached the member.
func (tx *Tx) WasTold(memberID string) (bool, error) {
	var n int
	_, err := tx.query(&n, "mails", "SELECT count(*) FROM invitations i JOIN mails m ON m.invitation_id = i.id WHERE i.member_id = ? AND m.state IN ('committing', 'sent', 'unknown')", memberID)
	return n > 0, err
}

// lastInvited is when the newest mail that invites a member was written.
const lastInvited = "SELECT created_at FROM mails WHERE member_id = ? AND kind = 'invitation' ORDER BY id DESC LIMIT 1"

// LastInvited tells when the newest mail that invites a member was written, zero for never.
func (s *Store) LastInvited(ctx context.Context, memberID string) (time.Time, error) {
	var at []time.Time
	if err := s.r(ctx).Raw(lastInvited, memberID).Scan(&at).Error; err != nil || len(at) == 0 {
		return time.Time{}, translate(err, "mails")
	}
	return at[0], nil
}

// LastInvited is Store.LastInvited inside the transaction.
func (tx *Tx) LastInvited(memberID string) (time.Time, error) {
	var at []time.Time
	if _, err := tx.query(&at, "mails", lastInvited, memberID); err != nil || len(at) == 0 {
		return time.Time{}, err
	}
	return at[0], nil
}

// RequeueMail gives the newest mail of an invitation, if it was kept back, to another operation. It tells whether there was one.
func (tx *Tx) RequeueMail(invitationID, operationID string) (bool, error) {
	n, err := tx.exec("send the mail after all", "UPDATE mails SET operation_id = ?, state = 'ready', slot_at = NULL, response = '' WHERE invitation_id = ? AND kind = ? AND state = 'failed' AND response LIKE 'not sent:%' AND copy = (SELECT max(c.copy) FROM mails c WHERE c.invitation_id = mails.invitation_id AND c.kind = mails.kind)",
		operationID, invitationID, models.MailInvitation)
	return n > 0, err
}

// Committing records, in a transaction of its own and before the final dot, that the mail server may have the mail from
// now on. It fails with Stale when the claim is lost or the mail has been dealt with.
func (tx *Tx) Committing(operationID string, claimNo int64) error {
	n, err := tx.exec("commit the mail", `UPDATE mails SET state = 'committing' WHERE operation_id = ? AND state = 'sending' AND claim_no = ?
		AND EXISTS (SELECT 1 FROM operations o WHERE o.id = mails.operation_id AND o.state = 'running' AND o.claim_no = ?)`, operationID, claimNo, claimNo)
	return affected(n, err, "the mail")
}

// MailSlot gives a workspace's next mail its moment: now, or as long after the last one as pace says.
func (tx *Tx) MailSlot(workspaceID string, now time.Time, pace time.Duration) (time.Time, error) {
	if err := tx.Lock("mail pace " + workspaceID); err != nil {
		return time.Time{}, err
	}
	var next []time.Time
	if _, err := tx.query(&next, "mail pace", "SELECT next_at FROM mail_pace WHERE workspace_id = ?", workspaceID); err != nil {
		return time.Time{}, err
	}
	slot := now
	if len(next) > 0 && next[0].After(now) {
		slot = next[0]
	}
	_, err := tx.exec("mail pace", "INSERT INTO mail_pace (workspace_id, next_at) VALUES (?, ?) ON CONFLICT (workspace_id) DO UPDATE SET next_at = excluded.next_at", workspaceID, slot.Add(pace).UTC())
	return slot, err
}
