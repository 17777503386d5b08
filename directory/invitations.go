package directory

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"outpost/models"
	"outpost/store"
)

// InvitationSettings say how a connection invites its people.
type InvitationSettings struct {
	Send        bool   // as people arrive; else they wait until Hands.SendWaitingInvitations
	HoldSeconds *int   // how long a mail waits, nil for as long as the installation says
	SenderName  string // people see "NAME via Outpost"; "" for the installation's sender
}

// SetInvitations changes how a connection invites. It holds for invitations that are made from then on.
func (d *Directory) SetInvitations(ctx context.Context, c Caller, connectionID string, s InvitationSettings) error {
	name, err := senderName(s.SenderName)
	if err != nil {
		return err
	}
	if s.HoldSeconds != nil && (*s.HoldSeconds < 0 || *s.HoldSeconds > 86400) {
		return &models.Error{Code: models.Invalid, Detail: "an invitation can wait for 0 to 86,400 seconds, which is a day"}
	}
	missing := &models.Error{Code: models.NotFound, Detail: "there is no such connection in this workspace: it may have been deleted meanwhile"}
	if !IsID(connectionID) {
		return missing
	}
	now := d.now()
	c.ConnectionID = connectionID
	return d.store.Write(ctx, func(tx *store.Tx) error {
		connection, err := tx.LockConnection(connectionID)
		if isNotFound(err) || err == nil && (connection.WorkspaceID != c.WorkspaceID || connection.Status == models.ConnectionDeleted) {
			return missing
		}
		if err != nil {
			return err
		}
		connection.SendInvitations, connection.InvitationHold, connection.SenderName = s.Send, s.HoldSeconds, name
		tx.Add(c.audit(now, "Connection", connectionID, 200, "invitations", nil))
		return tx.SaveInvitationSettings(connection)
	})
}

// senderName is a sender's name fit for a header and for people's eyes.
func senderName(s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "", &models.Error{Code: models.Invalid, Detail: "the sender's name contains a control character: type it again, on one line"}
	case utf8.RuneCountInString(s) > 60:
		return "", &models.Error{Code: models.Invalid, Detail: "the sender's name is longer than 60 characters: choose a shorter one, such as Acme IT"}
	}
	return s, nil
}
