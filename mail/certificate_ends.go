package mail

import "time"

// CertificateEnds tells an owner that nobody can sign in with their provider any more once a certificate has ended.
type CertificateEnds struct {
	// ID names the warning. The Message-ID is <certificate.ID@host>.
	ID string
	// To is the owner's address.
	To        string
	Workspace string
	Provider  string
	EndsAt    time.Time
	Now       time.Time
	// URL must lead to our own host: where another certificate is added.
	URL string
}

// Ended reports whether it is too late.
func (c CertificateEnds) Ended() bool { return !c.Now.Before(c.EndsAt) }

// Days is how many days are left, rounded up.
func (c CertificateEnds) Days() int {
	return int((c.EndsAt.Sub(c.Now) + 24*time.Hour - 1) / (24 * time.Hour))
}

// Message words the mail. host is the host of PUBLIC_URL, with or without its port.
func (c CertificateEnds) Message(from Address, host string) (Message, error) {
	if err := ownLink(c.URL, host); err != nil {
		return Message{}, err
	}
	subject := "Sign-in with " + c.Provider + " ends soon: its certificate runs out"
	if c.Ended() {
		subject = "Sign-in with " + c.Provider + " has stopped: its certificate has run out"
	}
	m := Message{From: from, To: c.To, Subject: subject, MessageID: messageID("certificate", c.ID, host)}
	return m.compose("certificate_ends", c)
}
