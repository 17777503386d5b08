package mail

import (
	"fmt"
	"time"
)

// Brake tells an owner that removals are held and wait for a decision.
type Brake struct {
	// ID names this stop and this recipient. The Message-ID is <brake.ID@host>.
	ID        string
	To        string
	Workspace string
	Provider  string
	// Removed went through before the brake, Held wait. Their sum is what the provider asked for.
	Removed, Held int
	// Limit is the number of removals an hour that needs no decision.
	Limit int
	// During is how long the provider took to ask for all that.
	During    time.Duration
	FirstHeld time.Time
	// URL is the page that decides; it must lead to our own host.
	URL string
}

// Asked is the number of removals the provider asked for.
func (b Brake) Asked() int { return b.Removed + b.Held }

// Minutes is During in words.
func (b Brake) Minutes() string {
	switch n := int(b.During.Round(time.Minute) / time.Minute); {
	case n <= 1:
		return "one minute"
	case n < 120:
		return fmt.Sprintf("%d minutes", n)
	default:
		return fmt.Sprintf("%d hours", (n+30)/60)
	}
}

// Title is the subject and the heading.
func (b Brake) Title() string {
	if b.Held == 1 {
		return "1 removal waits for you"
	}
	return amount(b.Held) + " removals wait for you"
}

// Message words the alert. host is the host of PUBLIC_URL, with or without its port.
func (b Brake) Message(from Address, host string) (Message, error) {
	if err := ownLink(b.URL, host); err != nil {
		return Message{}, err
	}
	m := Message{From: from, To: b.To, Subject: b.Title(), MessageID: messageID("brake", b.ID, host)}
	return m.compose("brake", b)
}
