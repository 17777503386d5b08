package mail

import (
	"strconv"
	"time"
)

// Invitation invites a person to a workspace.
type Invitation struct {
	// ID is the invitation's id. The Message-ID is <inv.ID@host>, the same in every attempt of a copy.
	ID string
	To string
	// Name is the person's, for the greeting; empty greets without one.
	Name      string
	Workspace string
	// InvitedBy is who stands behind it, such as "Larkfield IT"; empty says "Your IT team".
	InvitedBy string
	// Provider is the identity provider's name, such as Okta.
	Provider string
	// Teams the person joins with it; the first five are named.
	Teams []string
	// AcceptURL must lead to our own host.
	AcceptURL string
	ExpiresAt time.Time
	// SignInWithSSO tells people that they sign in with Provider, so that nobody looks for a password.
	SignInWithSSO bool
	// SenderName is whom the mail is shown to come from, as "NAME via Outpost"; empty leaves the sender's own name.
	SenderName string
	// Copy counts the mails of one invitation that a person asked for, beyond the first: <inv.ID.COPY@host>.
	Copy int
	// Reminder words it as a reminder. It is a mail of its own: <inv.ID.reminder@host>.
	Reminder bool
}

// Message words the invitation. host is the host of PUBLIC_URL, with or without its port.
func (i Invitation) Message(from Address, host string) (Message, error) {
	if err := ownLink(i.AcceptURL, host); err != nil {
		return Message{}, err
	}
	id := i.ID
	if i.Copy > 0 {
		id += "." + strconv.Itoa(i.Copy)
	}
	if name := tenantName(i.SenderName); name != "" {
		from.Name = name + " via Outpost"
	}
	m := Message{From: from, To: i.To, Subject: "Join " + subject(i.Workspace, "a workspace") + " on Outpost", MessageID: messageID("inv", id, host)}
	if i.Reminder {
		m.Subject = "Reminder: join " + subject(i.Workspace, "a workspace") + " on Outpost"
		m.MessageID = messageID("inv", id+".reminder", host)
	}
	return m.compose("invitation", i)
}

// subject is a tenant's name fit for the middle of a subject line.
func subject(name, otherwise string) string {
	if name = tenantName(name); name == "" {
		return otherwise
	}
	return name
}
