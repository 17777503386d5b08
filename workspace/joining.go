package workspace

import (
	"context"
	"time"

	"outpost/models"
	"outpost/store"
)

// Accept makes the member whom an invitation's link is for one who has joined, inside the caller's transaction, and returns
// them: the caller begins their session there. It fails with NotFound where the token is none of ours, and with Stale where
// the link is no good any more; models.Invitation.Link says why. Of two who accept at once one gets in, the other Stale.
func Accept(tx *store.Tx, token string, by By, now time.Time) (models.Member, error) {
	_, m, err := lockLinked(tx, token, now, models.LinkOpen)
	if err != nil {
		return m, err
	}
	return m, Join(tx, &m, by, "joined by the e-mailed link", now)
}

// lockLinked locks the member whom a link's invitation is for, and finds the invitation as it is then. It fails with Stale
// unless the link is in one of the states.
func lockLinked(tx *store.Tx, token string, now time.Time, states ...models.LinkState) (models.Invitation, models.Member, error) {
	hash := TokenHash(token)
	inv, err := tx.LinkedInvitation(hash)
	if err != nil {
		return inv.Invitation, models.Member{}, err
	}
	m, err := tx.LockMember(inv.WorkspaceID, inv.MemberID)
	if err == nil {
		inv, err = tx.LinkedInvitation(hash) // as it is under the lock
	}
	if err != nil {
		return inv.Invitation, m, err
	}
	state := inv.Link(m, inv.Newer, now)
	for _, s := range states {
		if s == state {
			return inv.Invitation, m, nil
		}
	}
	return inv.Invitation, m, stale("this invitation has changed meanwhile: open its link again")
}

// Join makes an invited member, whose row the transaction has locked, an active one, and closes their invitation as
// accepted, even when its time is over: who joins proves in another way who they are. how tells it to the audit, "joined
// with Okta"; of by it takes where the request came from. A member who is active already stays as they are. It fails with
// Denied for whoever has no access, and for whom the invitation was withdrawn.
func Join(tx *store.Tx, m *models.Member, by By, how string, now time.Time) error {
	switch m.Status {
	case models.MemberActive:
		return nil
	case models.MemberDeactivated:
		return denied("you have no access to this workspace: ask an owner or admin of it")
	}
	inv, there, err := tx.NewestInvitation(*m)
	switch {
	case err != nil:
		return err
	case there && inv.State == models.InvitationVoid:
		return denied("your invitation was withdrawn: ask an owner or admin of the workspace for another")
	case there && inv.State != models.InvitationAccepted:
		if err := tx.AcceptInvitation(inv.ID); err != nil {
			return err
		}
	}
	if _, err := tx.VoidInvitations(m.ID, ""); err != nil { // none stays open beside it
		return err
	}
	m.Status, m.AcceptedAt, m.UpdatedAt = models.MemberActive, &now, now
	by.WorkspaceID, by.Actor = m.WorkspaceID, m.Name
	tx.Add(by.audit(now, "accept invitation", m.ID, how, models.Change{Attribute: "status", Before: string(models.MemberInvited), After: string(models.MemberActive)}))
	return tx.SaveMember(*m)
}

// AskAgainAfter is how long somebody waits who asks for another mail of their invitation.
const AskAgainAfter = 15 * time.Minute

// RenewInvitation mails an invitation anew because the holder of a link whose time is over asks for it. It goes to the
// address of that link and has a link of its own; if one is open already, that is mailed once more. It fails with Denied
// when the last mail was written less than AskAgainAfter ago, with Stale where the link leads elsewhere by now, and with
// NotFound where the token is none of ours.
func (h *Hands) RenewInvitation(ctx context.Context, token string, by By) error {
	return h.outbox.Write(ctx, func(tx *store.Tx) ([]models.Operation, error) {
		now := h.workspace.now()
		inv, m, err := lockLinked(tx, token, now, models.LinkExpired, models.LinkNewer)
		if err != nil {
			return nil, err
		}
		last, err := tx.LastInvited(m.ID)
		if err != nil || now.Before(last.Add(AskAgainAfter)) {
			return nil, orDenied(err, "an invitation was mailed less than 15 minutes ago: use the newest mail, or ask again later")
		}
		again, there, err := tx.LastInvitation(m)
		if err != nil {
			return nil, err
		}
		var ops []models.Operation
		if there && again.State == models.InvitationOpen && now.Before(again.ExpiresAt) {
			ops, err = h.mailInvitation(tx, m, now)
		} else { // who has an old link must not get it to work again
			ops, err = h.mailAnother(tx, m, now)
		}
		if err != nil {
			return nil, err
		}
		for i := range ops {
			ops[i].RequestID = by.RequestID
		}
		by.WorkspaceID, by.Actor = m.WorkspaceID, m.Name
		tx.Add(by.audit(now, "ask for invitation", m.ID, "asked for a new mail to "+inv.Email+" by an old link"))
		return ops, nil
	})
}
