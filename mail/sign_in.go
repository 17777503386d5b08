package mail

import "time"

// SignIn carries the link that signs a person in, or, where their workspace requires single sign-on, leads them there.
type SignIn struct {
	// ID names the request for a link. The Message-ID is <signin.ID@host>.
	ID string
	To string
	// Provider is where the workspace signs in, "" for a link that signs in by itself; Workspace goes with it.
	Provider, Workspace string
	// URL must lead to our own host.
	URL       string
	ExpiresAt time.Time
}

// Message words the mail. host is the host of PUBLIC_URL, with or without its port.
func (s SignIn) Message(from Address, host string) (Message, error) {
	if err := ownLink(s.URL, host); err != nil {
		return Message{}, err
	}
	subject := "Your sign-in link for Outpost"
	if s.Provider != "" {
		subject = "Sign in to Outpost with " + s.Provider
	}
	m := Message{From: from, To: s.To, Subject: subject, MessageID: messageID("signin", s.ID, host)}
	return m.compose("sign_in", s)
}
