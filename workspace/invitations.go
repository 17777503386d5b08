package workspace

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/store"
)

// Invite adds a member by hand and invites them; only an owner invites an owner. An address that somebody has is a
// Conflict that says who. Should a directory bring the same address later, the two become one person.
func (h *Hands) Invite(ctx context.Context, by By, email, name string, role models.Role) (models.Member, error) {
	email, name = strings.TrimSpace(email), strings.TrimSpace(name)
	if err := by.may(); err != nil {
		return models.Member{}, err
	}
	if err := knownRole(role); err != nil {
		return models.Member{}, err
	}
	if role == models.RoleOwner && by.Role != models.RoleOwner {
		return models.Member{}, denied("only an owner makes somebody an owner: ask one, or invite them as an admin")
	}
	if mail.CheckAddress(email) != nil {
		return models.Member{}, &models.Error{Code: models.Invalid, Detail: fmt.Sprintf("%q is not an e-mail address that mail can be sent to: give a bare one such as ada@example.com", email)}
	}
	if utf8.RuneCountInString(name) > 100 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return models.Member{}, &models.Error{Code: models.Invalid, Detail: "a name has at most 100 characters, on one line"}
	}
	if name == "" {
		name = nameOf(email)
	}
	now := h.workspace.now()
	m := models.Member{
		ID: outbox.ID(), WorkspaceID: by.WorkspaceID, Email: email, EmailKey: scim.Fold(email), Name: name, Role: role, HandRole: role, Status: models.MemberInvited,
		CreatedAt: now, UpdatedAt: now,
	}
	err := h.outbox.Write(ctx, func(tx *store.Tx) ([]models.Operation, error) {
		tx.Add(&m)
		send, err := h.mailInvitation(tx, m, now)
		if err != nil {
			return nil, err
		}
		ops, err := mirror(tx, m, "", now)
		ops = append(ops, send...)
		for i := range ops {
			ops[i].RequestID = by.RequestID
		}
		tx.Add(by.audit(now, "invite", m.ID, "", models.Change{Attribute: "role", After: string(role)}))
		return ops, err
	})
	if store.Violates(err, store.UniqueEmail) {
		return models.Member{}, h.explainTaken(ctx, by.WorkspaceID, m, err)
	}
	return m, err
}

// explainTaken says who has the address of m.
func (h *Hands) explainTaken(ctx context.Context, workspaceID string, m models.Member, err error) error {
	other, lookErr := h.store.MemberAt(ctx, workspaceID, m.EmailKey)
	if lookErr != nil {
		return &models.Error{Code: models.Conflict, Detail: m.Email + " belongs to a member of this workspace already", Err: err}
	}
	move := "they are in already"
	switch other.Status {
	case models.MemberInvited:
		move = "they are invited already; resend that invitation if it did not arrive"
	case models.MemberDeactivated:
		move = "they have no access at present; bring them back instead"
	}
	return &models.Error{Code: models.Conflict, Detail: fmt.Sprintf("%s belongs to %s, a member of this workspace: %s", other.Email, other.Name, move), Err: err}
}

// ResendInvitation mails a member's invitation once more, with the time to accept counted anew; one who has none that
// could be accepted gets another. There is never more than one such mail on its way.
func (h *Hands) ResendInvitation(ctx context.Context, by By, memberID string) error {
	return h.act(ctx, by, "resend invitation", memberID, func(tx *store.Tx, m *models.Member, now time.Time) ([]models.Operation, error) {
		switch {
		case m.Status == models.MemberActive:
			return nil, stale("%s has joined already", m.Name)
		case m.Status == models.MemberDeactivated:
			return nil, stale("%s has no access: bring them back first", m.Name)
		case m.EmailKey == "":
			return nil, &models.Error{Code: models.Invalid, Detail: m.Name + " has no e-mail address: give them one in the directory"}
		}
		return h.mailInvitation(tx, *m, now)
	})
}

// VoidInvitation withdraws a member's open invitation: its link does nothing any more, and a mail that waits stays here.
func (h *Hands) VoidInvitation(ctx context.Context, by By, memberID string) error {
	return h.act(ctx, by, "void invitation", memberID, func(tx *store.Tx, m *models.Member, _ time.Time) ([]models.Operation, error) {
		n, err := tx.VoidInvitations(m.ID, "")
		if err == nil && n == 0 {
			err = stale("%s has no open invitation", m.Name)
		}
		return nil, err
	})
}

// mailInvitation makes the next mail of a locked member's invitation, and opens that again; a member without one that
// could be accepted gets a new one, made by hand: what was withdrawn stays so.
func (h *Hands) mailInvitation(tx *store.Tx, m models.Member, now time.Time) ([]models.Operation, error) {
	inv, there, err := tx.LastInvitation(m)
	if err != nil {
		return nil, err
	}
	if !there {
		return h.mailAnother(tx, m, now)
	}
	number, underWay, err := tx.ReplaceMail(inv.ID)
	if err != nil || underWay {
		return nil, orStale(err, "an invitation to %s is on its way already: see what becomes of it first", m.Email)
	}
	if err := tx.ProlongInvitation(inv.ID, now.Add(h.workspace.invitations.Life)); err != nil {
		return nil, err
	}
	return mailOf(tx, m, inv, number, now)
}

// mailAnother makes another invitation of a locked member, by hand, and its mail. It has a link of its own.
func (h *Hands) mailAnother(tx *store.Tx, m models.Member, now time.Time) ([]models.Operation, error) {
	id := outbox.ID()
	inv := models.Invitation{
		ID: id, WorkspaceID: m.WorkspaceID, MemberID: m.ID, Period: m.Period, Email: m.Email, EmailKey: m.EmailKey,
		TokenHash: TokenHash(h.workspace.invitations.Token(id)), State: models.InvitationOpen, ExpiresAt: now.Add(h.workspace.invitations.Life), CreatedAt: now,
	}
	tx.Add(&inv)
	return mailOf(tx, m, inv, 0, now)
}

// mailOf makes the mail of a member's invitation with its number, and the operation that sends it.
func mailOf(tx *store.Tx, m models.Member, inv models.Invitation, number int, now time.Time) ([]models.Operation, error) {
	op := outbox.Operation(models.KindInvitationEmail, m.WorkspaceID, "", models.ResourceMember, m.ID, 0, now)
	if m.DirectoryUserID != nil {
		u, err := tx.Desired(*m.DirectoryUserID)
		if err != nil {
			return nil, err
		}
		op = outbox.Operation(models.KindInvitationEmail, m.WorkspaceID, u.ConnectionID, models.ResourceUser, u.ID, u.Version, now)
	}
	tx.Add(invitationMail(inv, number, op, now))
	return []models.Operation{op}, nil
}

// invitationMail is the mail of an invitation that op sends; number counts those of one invitation, from 0.
func invitationMail(inv models.Invitation, number int, op models.Operation, now time.Time) *models.Mail {
	return &models.Mail{
		ID: outbox.ID(), WorkspaceID: inv.WorkspaceID, OperationID: op.ID, MemberID: inv.MemberID, InvitationID: &inv.ID, Kind: models.MailInvitation, Copy: number,
		Recipient: inv.Email, State: models.MailReady, CreatedAt: now,
	}
}

// Remind makes the mails that remind of invitations which were last mailed longer ago than after and are still open, each
// once for good, and the operations that send them. It looks at up to limit invitations and tells at how many; any number
// of schedulers may ask at once.
func Remind(tx *store.Tx, after time.Duration, now time.Time, limit int) (ops []models.Operation, looked int, err error) {
	looked, due, err := tx.TakeReminders(now.Add(-after), now, limit)
	for _, r := range due {
		op := outbox.Operation(models.KindInvitationReminder, r.WorkspaceID, "", models.ResourceMember, r.MemberID, 0, now)
		if r.PersonID != nil {
			op = outbox.Operation(models.KindInvitationReminder, r.WorkspaceID, *r.ConnectionID, models.ResourceUser, *r.PersonID, 0, now)
		}
		reminder := invitationMail(r.Invitation, 0, op, now)
		reminder.Kind = models.MailReminder
		tx.Add(reminder)
		ops = append(ops, op)
	}
	return ops, looked, err
}

// sendAtOnce bounds the invitations that one transaction sends.
const sendAtOnce = 200

// SendWaitingInvitations mails the invitations of a connection that wait because its people are not invited as they
// arrive, with the time to accept counted anew. It tells how many; an error leaves those before it sent.
func (h *Hands) SendWaitingInvitations(ctx context.Context, by By, connectionID string) (int, error) {
	if err := by.may(); err != nil {
		return 0, err
	}
	missing := &models.Error{Code: models.NotFound, Detail: "there is no such connection in this workspace: it may have been deleted meanwhile"}
	if !outbox.IsID(connectionID) {
		return 0, missing
	}
	for total, again := 0, 0; ; {
		n := 0
		err := h.outbox.Write(ctx, func(tx *store.Tx) (ops []models.Operation, err error) {
			n = 0
			if err := tx.Lock("waiting invitations of " + connectionID); err != nil {
				return nil, err
			}
			c, err := tx.Connection(connectionID)
			if models.Is(err, models.NotFound) || err == nil && (c.WorkspaceID != by.WorkspaceID || c.Status == models.ConnectionDeleted) {
				return nil, missing
			}
			if err != nil {
				return nil, err
			}
			invitations, err := tx.LockWaitingInvitations(connectionID, sendAtOnce)
			if err != nil || len(invitations) == 0 {
				return nil, err
			}
			now := h.workspace.now()
			for _, inv := range invitations {
				number, _, err := tx.ReplaceMail(inv.ID)
				if err != nil {
					return nil, err
				}
				if err := tx.ProlongInvitation(inv.ID, now.Add(h.workspace.invitations.Life)); err != nil {
					return nil, err
				}
				op := outbox.Operation(models.KindInvitationEmail, inv.WorkspaceID, connectionID, models.ResourceUser, *inv.UserID, 0, now)
				op.RequestID = by.RequestID
				tx.Add(invitationMail(inv, number, op, now))
				ops = append(ops, op)
			}
			e := by.audit(now, "send invitations", connectionID, fmt.Sprintf("%d invitations", len(ops)))
			e.TargetType, e.ConnectionID = "Connection", &connectionID
			tx.Add(e)
			n = len(ops)
			return ops, nil
		})
		switch {
		case models.Is(err, models.Conflict) && again < 3: // somebody resent one of them in the same moment
			again++
		case err != nil || n == 0:
			return total, err
		default:
			total += n
		}
	}
}
