package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"outpost/jobs"
	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
	"outpost/workspace"
)

// sendMail sends the one mail of an operation, at most once as far as SMTP can tell: the row says sending while the
// server provably has nothing, committing from just before the final dot, sent right after its answer. Only a break
// between the last two is ambiguous; it ends as unknown, and a person decides.
func (w *Worker) sendMail(ctx context.Context, op models.Operation) error {
	var message mail.Message
	ready := false
	err := w.Outbox.Apply(ctx, op, func(tx *store.Tx) (out outbox.Outcome, err error) {
		message, out, err = w.prepare(tx, op)
		ready = out.Continue
		return out, err
	})
	if err != nil || !ready {
		return err
	}
	// Nothing of ours is locked while the mail server is spoken to.
	receipt, err := w.Sender.Send(ctx, message, func() error {
		return w.Store.Write(ctx, func(tx *store.Tx) error { return tx.Committing(op.ID, op.ClaimNo) })
	})
	// From here on the outcome is a fact, and written down even when the worker is being stopped.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	switch class := mail.ClassOf(err); {
	case err == nil:
		return w.conclude(ctx, op, models.MailSent, receipt.Response, outbox.Outcome{})
	case class == mail.Unknown:
		note := "delivery unknown: the connection to the mail server broke after the mail was handed over and before its answer came; retry sends it again"
		return w.conclude(ctx, op, models.MailUnknown, err.Error(), outbox.Outcome{State: models.OperationFailed, Note: note})
	case class == mail.Permanent, class == mail.Policy, class == mail.Invalid:
		return w.conclude(ctx, op, models.MailFailed, err.Error(), outbox.Outcome{State: models.OperationFailed, Note: sentence(err)})
	}
	// Not taken: ready again for the next attempt.
	if undo := w.Store.Write(ctx, func(tx *store.Tx) error {
		m, err := tx.LockMail(op.ID)
		if err != nil || m.ClaimNo != op.ClaimNo || (m.State != models.MailSending && m.State != models.MailCommitting) {
			return err
		}
		m.State = models.MailReady
		return tx.SaveMail(m)
	}); undo != nil {
		return undo
	}
	return err
}

// conclude writes down how a mail ended, together with its operation. It insists: a mail that was taken and is not known
// to be would be asked about.
func (w *Worker) conclude(ctx context.Context, op models.Operation, state models.MailState, response string, out outbox.Outcome) error {
	var err error
	for try := 0; try < 5; try++ {
		err = w.Outbox.Apply(ctx, op, func(tx *store.Tx) (outbox.Outcome, error) {
			m, err := tx.LockMail(op.ID)
			if err != nil {
				return out, err
			}
			m.State, m.Response = state, response
			if state == models.MailSent {
				now := w.Now()
				m.SentAt = &now
			}
			return out, tx.SaveMail(m)
		})
		if err == nil && out.State == models.OperationFailed {
			return &jobs.StopError{Err: errors.New(string(op.Kind) + " failed")}
		}
		if !models.Is(err, models.Unavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond << try):
		}
	}
	return err
}

// prepare decides, under the mail's row lock, whether the mail goes out now, and words it.
func (w *Worker) prepare(tx *store.Tx, op models.Operation) (message mail.Message, out outbox.Outcome, err error) {
	m, err := tx.LockMail(op.ID)
	if err != nil {
		return message, out, err
	}
	switch m.State {
	case models.MailSent:
		return message, out, nil
	case models.MailCommitting:
		m.State = models.MailUnknown
		out.State = models.OperationFailed
		out.Note = "delivery unknown: the worker stopped after the mail was handed over and before the mail server's answer was written down; retry sends it again"
		return message, out, tx.SaveMail(m)
	}
	member, err := tx.MemberByID(op.WorkspaceID, m.MemberID)
	if err != nil {
		return message, out, err
	}
	message, why, err := w.word(tx, m, member, op)
	if err != nil {
		return message, out, err
	}
	if why != "" {
		m.State, m.Response = models.MailFailed, why
		out.Note = why
		return message, out, tx.SaveMail(m)
	}
	now := w.Now()
	if m.SlotAt == nil && w.MailPace > 0 && !jobs.Of(op.Kind).Prompt {
		slot, err := tx.MailSlot(op.WorkspaceID, now, w.MailPace)
		if err != nil {
			return message, out, err
		}
		m.SlotAt = &slot
		if slot.After(now.Add(time.Second)) {
			out.NotBefore = slot
			return message, out, tx.SaveMail(m)
		}
	}
	m.State, m.ClaimNo, m.MessageID = models.MailSending, op.ClaimNo, message.MessageID
	out.Continue = true
	return message, out, tx.SaveMail(m)
}

// word makes the message. why is set when it must not go out any more.
func (w *Worker) word(tx *store.Tx, m models.Mail, member models.Member, op models.Operation) (message mail.Message, why string, err error) {
	space, err := tx.WorkspaceByID(op.WorkspaceID)
	if err != nil {
		return message, "", err
	}
	provider, sender := "", ""
	if op.ConnectionID != nil {
		c, err := tx.Connection(*op.ConnectionID)
		if err != nil {
			return message, "", err
		}
		provider, sender = c.Provider.Title(), c.SenderName
	}
	if m.Kind == models.MailSignIn {
		link, err := tx.SignInLinkByID(op.ResourceID)
		switch {
		case err != nil:
			return message, "", err
		case link.UsedAt != nil || !w.Now().Before(link.ExpiresAt):
			return message, "not sent: the sign-in link had ended when it was due", nil
		}
		signIn := mail.SignIn{ID: link.ID, To: m.Recipient, URL: w.PublicURL + "/signin/" + w.Gate.Token(link.ID), ExpiresAt: link.ExpiresAt}
		c, required, err := tx.SSOOf(space, member)
		if err != nil {
			return message, "", err
		}
		if c.ID != "" {
			signIn.Provider, signIn.Workspace, signIn.ProviderURL = c.Provider.SignInTitle(), space.Name, w.PublicURL+"/saml/"+c.ID+"/login"
		}
		if required {
			signIn.URL = ""
		}
		message, err = signIn.Message(w.From, w.host)
		return message, "", unsendable(err)
	}
	if m.Kind == models.MailCertificate {
		return w.wordCertificate(tx, m, member, space, op)
	}
	if m.Kind == models.MailAddressChanged {
		message, err = mail.AddressChanged{ID: op.ID, To: m.Recipient, Name: member.Name, Workspace: space.Name, Provider: provider, NewAddress: member.Email}.Message(w.From, w.host)
		return message, "", unsendable(err)
	}
	if m.InvitationID == nil {
		return message, "", fmt.Errorf("mail %s has no invitation", m.ID)
	}
	inv, err := tx.Invitation(*m.InvitationID)
	if err != nil {
		return message, "", err
	}
	switch {
	case member.Status == models.MemberDeactivated:
		return message, "not sent: the person had no access any more when it was due", nil
	case member.Status == models.MemberActive:
		return message, "not sent: the person had joined already when it was due", nil
	case inv.State == models.InvitationExpired, inv.State == models.InvitationOpen && !w.Now().Before(inv.ExpiresAt):
		return message, "not sent: the invitation had expired when it was due", nil
	case inv.State != models.InvitationOpen || inv.EmailKey != member.EmailKey:
		return message, "not sent: the invitation was withdrawn before it was due", nil
	}
	teams, err := tx.TeamNames(member.ID)
	if err != nil {
		return message, "", err
	}
	inviter := sender
	if inv.UserID == nil && op.ConnectionID == nil { // by hand: no IT team stands behind it
		inviter = space.Name
	}
	way, _, err := tx.SSOOf(space, member)
	if err != nil {
		return message, "", err
	}
	message, err = mail.Invitation{
		ID: inv.ID, Copy: m.Copy, Reminder: m.Kind == models.MailReminder, SenderName: sender, InvitedBy: inviter, To: inv.Email, Name: member.Name, Workspace: space.Name, Provider: provider, Teams: teams, SignInWithSSO: way.ID != "",
		AcceptURL: w.PublicURL + "/invite/" + w.Workspace.InvitationToken(inv.ID), ExpiresAt: inv.ExpiresAt,
	}.Message(w.From, w.host)
	return message, "", unsendable(err)
}

// wordCertificate words the mail that tells an owner of a certificate that ends.
func (w *Worker) wordCertificate(tx *store.Tx, m models.Mail, member models.Member, space models.Workspace, op models.Operation) (message mail.Message, why string, err error) {
	if member.Status != models.MemberActive || member.Role != models.RoleOwner {
		return message, "not sent: they were no owner any more when it was due", nil
	}
	c, err := tx.Connection(*op.ConnectionID)
	if err != nil {
		return message, "", err
	}
	ends, soon, err := workspace.CertificateEnds(tx, c.ID, w.Now())
	switch {
	case err != nil:
		return message, "", err
	case !soon:
		return message, "not sent: the certificate had been changed when it was due", nil
	}
	message, err = mail.CertificateEnds{
		ID: op.ID, To: m.Recipient, Workspace: space.Name, Provider: c.Provider.Title(), EndsAt: ends, Now: w.Now(), URL: w.PublicURL + "/settings/security/sso?connection=" + c.ID,
	}.Message(w.From, w.host)
	return message, "", unsendable(err)
}

// unsendable marks a mail that cannot be worded, for an address that is none, say, as failed for good.
func unsendable(err error) error {
	if err == nil || mail.ClassOf(err) != mail.Invalid {
		return err
	}
	return &models.Error{Code: models.Invalid, Detail: err.Error()}
}
