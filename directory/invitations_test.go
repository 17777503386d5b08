package directory_test

import (
	"strings"
	"testing"
	"time"

	"outpost/directory"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/outbox"
	"outpost/workspace"
)

// hand is an owner of the world.
func hand(w *fixture.World) workspace.By {
	return workspace.By{WorkspaceID: w.Workspace.ID, Actor: "Olga Owner", Role: models.RoleOwner}
}

func waiting(t *testing.T, w *fixture.World) int {
	t.Helper()
	n, err := w.Store.WaitingInvitations(t.Context(), w.Connection.ID)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestInvitationsWaitUntilTheyAreSent(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box := w.Mailbox(nil)
		if err := w.Directory.SetInvitations(t.Context(), w.Caller(), w.Connection.ID, directory.InvitationSettings{SenderName: " Acme IT "}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"ada", "bob", "cyd"} {
			w.User(name)
		}
		w.Settled(20 * time.Second)
		if n := waiting(t, w); n != 3 || len(box.Messages()) != 0 {
			t.Fatalf("%d wait, %d mails", n, len(box.Messages()))
		}
		if m, _ := w.Member("ada@acme.test"); m.Status != models.MemberInvited {
			t.Errorf("%+v", m)
		}
		// dan leaves at once; bob is sent his by hand; and a week goes by
		dan := w.User("dan")
		w.SetActive(dan.ID, false)
		w.Settled(20 * time.Second)
		if n := waiting(t, w); n != 3 {
			t.Errorf("%d wait: a leaver among them", n)
		}
		bob, _ := w.Member("bob@acme.test")
		if err := w.Hands.ResendInvitation(t.Context(), hand(w), bob.ID); err != nil {
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		if n := waiting(t, w); n != 2 {
			t.Errorf("%d wait after one was sent by hand", n)
		}
		w.Clock.Advance(8 * 24 * time.Hour)

		foreign := hand(w)
		foreign.WorkspaceID = outbox.ID()
		if _, err := w.Hands.SendWaitingInvitations(t.Context(), foreign, w.Connection.ID); !models.Is(err, models.NotFound) {
			t.Errorf("%v", err)
		}
		n, err := w.Hands.SendWaitingInvitations(t.Context(), hand(w), w.Connection.ID)
		if err != nil || n != 2 {
			t.Fatal(n, err)
		}
		if n, err := w.Hands.SendWaitingInvitations(t.Context(), hand(w), w.Connection.ID); err != nil || n != 0 {
			t.Errorf("sent twice: %d %v", n, err)
		}
		w.Settled(20 * time.Second)
		letters := map[string]int{}
		for _, m := range box.Messages() {
			letters[m.To]++
			if !strings.Contains(m.Text, "Acme IT added you") {
				t.Errorf("the mail does not say who invites: %s", m.Text)
			}
		}
		if len(letters) != 3 || letters["ada@acme.test"] != 1 || letters["bob@acme.test"] != 1 || letters["cyd@acme.test"] != 1 {
			t.Errorf("mails %v", letters)
		}
		if n := waiting(t, w); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

func TestTheHoldOfAConnectionOverridesTheInstallations(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Serve(w.Worker(nil), fixture.Everything())
		hour := 3600
		if err := w.Directory.SetInvitations(t.Context(), w.Caller(), w.Connection.ID, directory.InvitationSettings{Send: true, HoldSeconds: &hour}); err != nil {
			t.Fatal(err)
		}
		w.User("ada")
		var op models.Operation
		for op.Kind != models.KindInvitationEmail {
			op = w.Operations()[0]
		}
		if got := op.NotBefore.Sub(op.CreatedAt); got != time.Hour {
			t.Errorf("the mail waits %v", got)
		}
	})
}

func TestInvitationSettingsAreChecked(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		negative, long := -1, 86401
		for what, s := range map[string]directory.InvitationSettings{
			"a line break":   {SenderName: "Acme\r\nBcc: x"},
			"a long name":    {SenderName: strings.Repeat("ü", 61)},
			"a negative one": {HoldSeconds: &negative},
			"over a day":     {HoldSeconds: &long},
		} {
			if err := w.Directory.SetInvitations(t.Context(), w.Caller(), w.Connection.ID, s); !models.Is(err, models.Invalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		foreign := w.Caller()
		foreign.WorkspaceID = outbox.ID()
		if err := w.Directory.SetInvitations(t.Context(), foreign, w.Connection.ID, directory.InvitationSettings{Send: true}); !models.Is(err, models.NotFound) {
			t.Errorf("%v", err)
		}
		day := 86400
		if err := w.Directory.SetInvitations(t.Context(), w.Caller(), w.Connection.ID, directory.InvitationSettings{Send: true, SenderName: strings.Repeat("ü", 60), HoldSeconds: &day}); err != nil {
			t.Error(err)
		}
		c, err := w.Store.Connection(t.Context(), w.Connection.ID)
		if err != nil || !c.SendInvitations || *c.InvitationHold != day || c.SenderName != strings.Repeat("ü", 60) {
			t.Errorf("%+v %v", c, err)
		}
	})
}
