package models

import (
	"testing"
	"time"
)

func TestAnInvitationsLinkLeadsToOneThing(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 14, 5, 0, 0, time.UTC)
	open := Invitation{Period: 1, EmailKey: "ada@acme.test", State: InvitationOpen, ExpiresAt: now.Add(time.Second)}
	with := func(change func(*Invitation)) Invitation {
		i := open
		change(&i)
		return i
	}
	invited := Member{Period: 1, EmailKey: "ada@acme.test", Status: MemberInvited}
	member := func(change func(*Member)) Member {
		m := invited
		change(&m)
		return m
	}
	void := with(func(i *Invitation) { i.State = InvitationVoid })
	expired := with(func(i *Invitation) { i.State = InvitationExpired })
	over := with(func(i *Invitation) { i.ExpiresAt = now })
	accepted := with(func(i *Invitation) { i.State = InvitationAccepted })
	active := member(func(m *Member) { m.Status = MemberActive })
	gone := member(func(m *Member) { m.Status = MemberDeactivated })
	moved := member(func(m *Member) { m.EmailKey = "ada.new@acme.test" })
	again := member(func(m *Member) { m.Period = 2 })
	for _, test := range []struct {
		what  string
		i     Invitation
		m     Member
		newer InvitationState
		want  LinkState
	}{
		{"open", open, invited, "", LinkOpen},
		{"in its last moment", over, invited, "", LinkExpired},
		{"expired", expired, invited, "", LinkExpired},
		{"withdrawn", void, invited, "", LinkWithdrawn},
		{"accepted", accepted, active, "", LinkUsed},
		{"joined in another way", open, active, "", LinkUsed},
		{"joined after it was withdrawn", void, active, "", LinkUsed},
		{"accepted by whom the member followed before", accepted, invited, "", LinkNewer},
		{"without access", open, gone, "", LinkBarred},
		{"without access, and moved", open, member(func(m *Member) { m.Status, m.EmailKey = MemberDeactivated, "x" }), "", LinkBarred},
		{"another address", void, moved, "", LinkMoved},
		{"another address, and joined", accepted, member(func(m *Member) { m.Status, m.EmailKey = MemberActive, "x" }), "", LinkMoved},
		{"no address any more", open, member(func(m *Member) { m.EmailKey = "" }), "", LinkMoved},
		{"another period", open, again, "", LinkNewer},
		{"another period, withdrawn before", void, again, "", LinkNewer},
		{"expired, and sent anew", expired, invited, InvitationOpen, LinkNewer},
		{"expired, sent anew, and that expired too", expired, invited, InvitationExpired, LinkNewer},
		{"expired, sent anew, and that withdrawn", expired, invited, InvitationVoid, LinkWithdrawn},
		{"withdrawn, and sent anew", void, invited, InvitationOpen, LinkNewer},
		{"open beside a newer one", open, invited, InvitationOpen, LinkNewer},
	} {
		if got := test.i.Link(test.m, test.newer, now); got != test.want {
			t.Errorf("%s: %s, want %s", test.what, got, test.want)
		}
	}
}
