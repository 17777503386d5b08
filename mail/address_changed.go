package mail

// AddressChanged tells the old address that the directory gave the person a new one: the owner of a mailbox must learn
// that it no longer opens the account.
type AddressChanged struct {
	// ID names the change, for example the operation's id. The Message-ID is <addr.ID@host>.
	ID string
	// To is the old address.
	To         string
	Name       string
	Workspace  string
	Provider   string
	NewAddress string
}

// Message words the notice. host is the host of PUBLIC_URL, with or without its port.
func (a AddressChanged) Message(from Address, host string) (Message, error) {
	m := Message{From: from, To: a.To, Subject: "Your e-mail address on Outpost has changed", MessageID: messageID("addr", a.ID, host)}
	return m.compose("address_changed", a)
}
