package worker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
	"outpost/scim"
	"outpost/worker"
)

// to counts the mails to an address.
func to(box *mail.Mailbox, address string) (n int) {
	for _, m := range box.Messages() {
		if m.To == address {
			n++
		}
	}
	return n
}

func TestAssignedPeopleBecomeMembersWithOneInvitationEach(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box := w.Mailbox(nil)
		var ids []string
		for i := range 30 {
			ids = append(ids, w.User(fmt.Sprintf("p%02d", i)).ID)
		}
		w.Group("Engineering", ids...)
		w.Settled(30 * time.Second)
		for i := range 30 {
			address := fmt.Sprintf("p%02d@acme.test", i)
			m, ok := w.Member(address)
			if !ok || m.Status != models.MemberInvited || !slices.Equal(m.Teams, []string{"Engineering"}) || m.Role != models.RoleMember {
				t.Errorf("%s: %+v", address, m)
			}
			if n := to(box, address); n != 1 {
				t.Errorf("%s got %d mails", address, n)
			}
		}
	})
}

func TestDeactivatedUserIsBlockedInTheRequestWithNoWorkerAtAll(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box, err := mail.OpenMailbox("")
		if err != nil {
			t.Fatal(err)
		}
		stop := w.Serve(w.Worker(func(c *worker.Config) { c.Sender = box }), fixture.Everything())
		ada := w.User("ada")
		w.Group("Engineering", ada.ID)
		w.Settled(20 * time.Second)
		before, _ := w.Member("ada@acme.test")
		stop()

		w.SetActive(ada.ID, false)

		m, _ := w.Member("ada@acme.test")
		if m.Status != models.MemberDeactivated || m.DeactivatedAt == nil || m.SessionEpoch <= before.SessionEpoch {
			t.Fatalf("after the answer the member is %+v", m)
		}
		w.Serve(w.Worker(func(c *worker.Config) { c.Sender = box }), fixture.Everything())
		w.Settled(20 * time.Second)
		if m, _ := w.Member("ada@acme.test"); len(m.Teams) != 0 {
			t.Errorf("still in teams %v", m.Teams)
		}
		w.SetActive(ada.ID, true)
		w.Settled(20 * time.Second)
		if m, _ := w.Member("ada@acme.test"); m.Status != models.MemberInvited || !slices.Equal(m.Teams, []string{"Engineering"}) {
			t.Errorf("after the return: %+v", m)
		}
		if n := to(box, "ada@acme.test"); n != 2 {
			t.Errorf("%d invitations for two membership periods", n)
		}
	})
}

func TestPeopleNamedBeforeTheyExistJoinWhenTheyCome(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		g := w.Group("Sales", "00u-eve", "nobody-ever")
		w.Settled(20 * time.Second)
		w.User("eve")
		w.Settled(20 * time.Second)
		if m, ok := w.Member("eve@acme.test"); !ok || !slices.Equal(m.Teams, []string{"Sales"}) {
			t.Errorf("eve: %+v", m)
		}
		waiting, err := w.Store.WaitingMembers(t.Context(), g.ID)
		if err != nil || len(waiting) != 1 || waiting[0].Value != "nobody-ever" {
			t.Errorf("waiting: %v %v", waiting, err)
		}
	})
}

func TestGroupRenameDeleteAndRecreation(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		ada, bob := w.User("ada"), w.User("bob")
		g := w.Group("Ops", ada.ID, bob.ID)
		w.Settled(20 * time.Second)
		w.Change(g.ID, scim.GroupChange{Kind: scim.SetDisplayName, Text: "Platform"}, scim.GroupChange{Kind: scim.RemoveMembers, Members: fixture.Members(bob.ID)})
		w.Settled(20 * time.Second)
		if m, _ := w.Member("ada@acme.test"); !slices.Equal(m.Teams, []string{"Platform"}) {
			t.Errorf("ada is in %v", m.Teams)
		}
		if m, _ := w.Member("bob@acme.test"); len(m.Teams) != 0 {
			t.Errorf("bob is in %v", m.Teams)
		}
		if err := w.Directory.DeleteGroup(t.Context(), w.Caller(), g.ID); err != nil {
			t.Fatal(err)
		}
		w.Group("Platform", bob.ID)
		w.Settled(20 * time.Second)
		if m, _ := w.Member("ada@acme.test"); len(m.Teams) != 0 {
			t.Errorf("ada is in %v", m.Teams)
		}
		if m, _ := w.Member("bob@acme.test"); !slices.Equal(m.Teams, []string{"Platform"}) {
			t.Errorf("bob is in %v", m.Teams)
		}
	})
}

func TestEmailChangeMovesTheMemberAndTellsTheOldAddress(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box := w.Mailbox(nil)
		ada := w.User("ada")
		w.Settled(20 * time.Second)
		w.Patch(ada.ID, `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"ada.new@acme.test"}]`)
		w.Settled(20 * time.Second)
		if _, there := w.Member("ada@acme.test"); there {
			t.Error("the old address is still a member's")
		}
		if _, there := w.Member("ada.new@acme.test"); !there {
			t.Error("the new address is no member's")
		}
		if n := to(box, "ada@acme.test"); n != 2 {
			t.Errorf("the old address got %d mails, want the invitation and the notice", n)
		}
		if n := to(box, "ada.new@acme.test"); n != 1 {
			t.Errorf("the new address got %d mails, want an invitation", n)
		}
	})
}

func TestLastOwnerIsHeld(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		page, err := w.Directory.Users(t.Context(), w.Caller(), scim.Query{Page: scim.Page{StartIndex: 1, Count: 10}})
		us := page.Rows
		if err != nil || len(us) != 1 || us[0].UserName != "owner@acme.test" {
			t.Fatalf("the owner is not mirrored: %v %v", us, err)
		}
		u := w.SetActive(us[0].ID, false)
		if u.Active {
			t.Error("SCIM does not show what was asked")
		}
		c := w.Settled(20 * time.Second)
		if m, _ := w.Member("owner@acme.test"); m.Status != models.MemberActive || c.Held != 1 {
			t.Errorf("owner %+v, held %d", m, c.Held)
		}
	})
}

func TestTakenAddressFailsForGoodAndSaysWhose(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		w.User("ada")
		w.Settled(20 * time.Second)
		if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"ada2@acme.test","displayName":"Ada Two","emails":[{"value":"ADA@acme.test"}]}`)); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, 20*time.Second, "the operation fails", func() bool { return w.Operations()[0].State == models.OperationFailed })
		if got := w.Operations()[0].Error; got == "" || w.Operations()[0].Attempts != 1 {
			t.Errorf("error %q", got)
		}
	})
}

func TestUserCreatedAndDeletedAtOnceGetsNoInvitation(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		ada := w.User("ada")
		if err := w.Directory.DeleteUser(t.Context(), w.Caller(), ada.ID); err != nil {
			t.Fatal(err)
		}
		box := w.Mailbox(nil)
		w.Settled(20 * time.Second)
		if n := to(box, "ada@acme.test"); n != 0 {
			t.Errorf("%d mails", n)
		}
		again := w.User("ada")
		w.Settled(20 * time.Second)
		if m, ok := w.Member("ada@acme.test"); !ok || m.Status != models.MemberInvited || *m.DirectoryUserID != again.ID {
			t.Errorf("re-created: %+v", m)
		}
	})
}
