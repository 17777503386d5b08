package models

import "time"

// LinkState is what the link of an invitation leads to.
type LinkState string

// The states of an invitation's link.
const (
	LinkOpen      LinkState = "open"      // the person can join by it
	LinkUsed      LinkState = "used"      // the person has joined
	LinkExpired   LinkState = "expired"   // its time is over; the person may ask for another
	LinkNewer     LinkState = "newer"     // another invitation to the same address took its place; so it may be asked for again
	LinkMoved     LinkState = "moved"     // the person has another address by now
	LinkWithdrawn LinkState = "withdrawn" // it was taken back
	LinkBarred    LinkState = "barred"    // the person has no access
)

// Link tells what the invitation's link leads to at now. m is the member it is for, and newer the state of the newest
// invitation of theirs to the same address that was made after this one, "" for none.
func (i Invitation) Link(m Member, newer InvitationState, now time.Time) LinkState {
	switch {
	case m.Status == MemberDeactivated:
		return LinkBarred
	case i.EmailKey != m.EmailKey:
		return LinkMoved
	case m.Status == MemberActive:
		return LinkUsed
	case newer == InvitationVoid:
		return LinkWithdrawn
	case newer != "" || i.Period != m.Period || i.State == InvitationAccepted:
		return LinkNewer
	case i.State == InvitationVoid:
		return LinkWithdrawn
	case i.State == InvitationExpired || !now.Before(i.ExpiresAt):
		return LinkExpired
	}
	return LinkOpen
}
