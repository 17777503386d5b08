package mail

import "time"

// SignIn carries the links by which a person signs in: one of our own, one to the provider of their workspace, or both.
type SignIn struct {
	// ID names the request for a link. The Message-ID is <signin.ID@host>.
	ID string
	To string
	// URL signs in by itself, until ExpiresAt; "" where the workspace requires its provider. It must lead to our own host.
	URL       string
	ExpiresAt time.Time
	// ProviderURL begins single sign-on with Provider; "" where there is none. It must lead to our own host.
	ProviderURL, Provider, Workspace string
}

// Message words the mail. host is the host of PUBLIC_URL, with or without its port.
func (s SignIn) Message(from Address, host string) (Message, error) {
	for _, link := range []string{s.URL, s.ProviderURL} {
		if link == "" && s.URL+s.ProviderURL != "" {
			continue
		}
		if err := ownLink(link, host); err != nil {
			return Message{}, err
		}
	}
	subject := "Your sign-in link for Outpost"
	if s.URL == "" {
		subject = "Sign in to Outpost with " + s.Provider
	}
	m := Message{From: from, To: s.To, Subject: subject, MessageID: messageID("signin", s.ID, host)}
	return m.compose("sign_in", s)
}
