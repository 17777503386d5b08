package scheduler_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/directory"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/scheduler"
	"outpost/store"
	"outpost/workspace"
)

// patience is how long work in the background may take.
const patience = 30 * time.Second

const day = 24 * time.Hour

// reminding is a world whose people are invited, with what its scheduler does by itself once a minute.
type reminding struct {
	*fixture.World
	box *mail.Mailbox
	by  workspace.By
}

func newReminding(w *fixture.World) *reminding {
	return &reminding{World: w, box: w.Mailbox(nil), by: workspace.By{WorkspaceID: w.Workspace.ID, Actor: "Nadia Verhoeven", Role: models.RoleOwner}}
}

// pass lets a scheduler of its own look once, and waits for what follows.
func (r *reminding) pass() {
	r.T.Helper()
	r.look(workspace.DefaultReminder)
	r.Settled(patience)
}

func (r *reminding) look(after time.Duration) {
	s := scheduler.New(r.Store, r.Outbox, r.Log, r.Clock.Now)
	s.RemindAfter = after
	if err := s.Expire(r.T.Context()); err != nil {
		r.T.Error(err)
	}
	if err := s.Remind(r.T.Context()); err != nil {
		r.T.Error(err)
	}
}

// mails counts the mails to somebody, and the reminders among them.
func (r *reminding) mails(to string) (all, reminders int) {
	for _, m := range r.box.Messages() {
		if m.To == to {
			all++
			if strings.HasPrefix(m.Subject, "Reminder: ") {
				reminders++
			}
		}
	}
	return all, reminders
}

// expect fails the test unless somebody got so many mails, and reminders among them.
func (r *reminding) expect(when, to string, all, reminders int) {
	r.T.Helper()
	if a, m := r.mails(to); a != all || m != reminders {
		r.T.Errorf("%s: %s has %d mails, %d of them reminders, want %d and %d", when, to, a, m, all, reminders)
	}
}

// do is an act by hand, or any other, that must not fail.
func (r *reminding) do(err error) {
	r.T.Helper()
	if err != nil {
		r.T.Fatal(err)
	}
}

func (r *reminding) member(name string) models.Member {
	r.T.Helper()
	m, ok := r.Member(name + "@acme.test")
	if !ok {
		r.T.Fatalf("no member %s", name)
	}
	return m.Member
}

func TestWhoHasNotJoinedIsRemindedOnceAfterThreeDays(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		r := newReminding(w)
		gone := w.User("gone")
		for _, name := range []string{"waits", "joined", "withdrawn", "resent"} {
			w.User(name)
		}
		hand, err := w.Hands.Invite(t.Context(), r.by, "hand@acme.test", "", models.RoleMember)
		r.do(err)
		w.Settled(patience)
		r.do(w.Store.Write(t.Context(), func(tx *store.Tx) error {
			m, err := tx.LockMember(w.Workspace.ID, r.member("joined").ID)
			if err != nil {
				return err
			}
			return workspace.Join(tx, &m, workspace.By{}, "joined", w.Clock.Now())
		}))
		r.do(w.Hands.VoidInvitation(t.Context(), r.by, r.member("withdrawn").ID))
		w.SetActive(gone.ID, false)
		w.Settled(patience)

		w.Clock.Advance(2 * day)
		r.do(w.Hands.ResendInvitation(t.Context(), r.by, r.member("resent").ID))
		w.Settled(patience)
		w.Clock.Advance(day - time.Minute)
		r.pass()
		for _, name := range []string{"waits", "hand", "joined", "withdrawn", "gone"} {
			r.expect("too early", name+"@acme.test", 1, 0)
		}
		w.Clock.Advance(2 * time.Minute)
		for range 3 {
			r.pass()
		}
		r.expect("after three days", "waits@acme.test", 2, 1)
		r.expect("after three days", "hand@acme.test", 2, 1)
		r.expect("joined meanwhile", "joined@acme.test", 1, 0)
		r.expect("withdrawn meanwhile", "withdrawn@acme.test", 1, 0)
		r.expect("gone meanwhile", "gone@acme.test", 1, 0)
		r.expect("a day after it was sent again", "resent@acme.test", 2, 0)
		var first, reminder mail.Stored
		for _, m := range r.box.Messages() {
			if m.To == "waits@acme.test" && strings.HasPrefix(m.Subject, "Reminder: ") {
				reminder = m
			} else if m.To == "waits@acme.test" {
				first = m
			}
		}
		link := "/invite/" + w.Converge.InvitationToken(invitationOf(t, w, r.member("waits")).ID)
		if !strings.Contains(first.Text, link) || !strings.Contains(reminder.Text, link) || !strings.Contains(reminder.Text, "still open") || !strings.Contains(reminder.Text, "works until") || first.MessageID == reminder.MessageID {
			t.Errorf("%+v", reminder)
		}

		w.Clock.Advance(2 * day)
		r.pass()
		r.expect("three days after it was sent again", "resent@acme.test", 3, 1)
		// Nobody is reminded twice, not even of an invitation that was sent again since.
		r.do(w.Hands.ResendInvitation(t.Context(), r.by, hand.ID))
		w.Settled(patience)
		w.Clock.Advance(4 * day)
		r.pass()
		r.expect("sent again after the reminder", "hand@acme.test", 3, 1)
		r.expect("in the end", "waits@acme.test", 2, 1)
		if got := invitationOf(t, w, r.member("waits")).State; got != models.InvitationExpired {
			t.Errorf("after nine days it is %s", got)
		}
		if got := invitationOf(t, w, r.member("hand")).State; got != models.InvitationOpen {
			t.Errorf("four days after it was sent again it is %s", got)
		}
	})
}

func invitationOf(t *testing.T, w *fixture.World, m models.Member) models.Invitation {
	t.Helper()
	p, err := w.Store.Person(t.Context(), w.Workspace.ID, m.ID)
	if err != nil {
		t.Fatal(err)
	}
	return *p.Invitation
}

func TestNobodyIsRemindedOfAnInvitationThatWasNeverMailed(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		r := newReminding(w)
		send := func(on bool) {
			t.Helper()
			r.do(w.Directory.SetInvitations(t.Context(), w.Caller(), w.Connection.ID, directory.InvitationSettings{Send: on}))
		}
		w.User("mailed")
		w.Settled(patience)
		send(false)
		w.User("waits")
		w.Settled(patience)
		w.Clock.Advance(4 * day)
		r.pass()
		r.expect("a connection that does not invite", "waits@acme.test", 0, 0)
		r.expect("a connection that does not invite any more", "mailed@acme.test", 1, 0)
		send(true)
		if n, err := w.Hands.SendWaitingInvitations(t.Context(), r.by, w.Connection.ID); err != nil || n != 1 {
			t.Fatalf("%d %v", n, err)
		}
		w.Settled(patience)
		r.pass()
		r.expect("just sent", "waits@acme.test", 1, 0)
		w.Clock.Advance(3 * day)
		r.look(0)
		w.Settled(patience)
		r.expect("reminders are off", "waits@acme.test", 1, 0)
		r.pass()
		r.expect("three days after it was sent by hand", "waits@acme.test", 2, 1)
	})
}

func TestManySchedulersAtOnceRemindAndExpireOnce(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		r := newReminding(w)
		var names []string
		for i := range 30 {
			names = append(names, "p"+strings.Repeat("x", i))
			w.User(names[i])
		}
		w.Settled(2 * patience)
		atOnce := func() {
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() { r.look(workspace.DefaultReminder) })
			}
			wg.Wait()
			w.Settled(2 * patience)
		}
		w.Clock.Advance(3 * day)
		atOnce()
		for _, name := range names {
			r.expect("six schedulers", name+"@acme.test", 2, 1)
		}
		w.Clock.Advance(4 * day)
		atOnce()
		for _, name := range names {
			r.expect("after its time", name+"@acme.test", 2, 1)
			if got := invitationOf(t, w, r.member(name)).State; got != models.InvitationExpired {
				t.Errorf("%s is %s", name, got)
			}
		}
	})
}

func TestManyInvitationsAreTakenInParts(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		by := workspace.By{WorkspaceID: w.Workspace.ID, Actor: "Nadia Verhoeven", Role: models.RoleOwner}
		m, err := w.Hands.Invite(t.Context(), by, "ada@acme.test", "", models.RoleMember)
		if err != nil {
			t.Fatal(err)
		}
		const n = 1203 // three parts
		for at := 0; at < n; at += 401 {
			if err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
				for range 401 {
					id := outbox.ID()
					tx.Add(&models.Invitation{ID: id, WorkspaceID: m.WorkspaceID, MemberID: m.ID, Email: m.Email, EmailKey: m.EmailKey, TokenHash: []byte(id), State: models.InvitationOpen, CreatedAt: w.Clock.Now(), ExpiresAt: w.Clock.Now().Add(7 * day)})
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		r := &reminding{World: w}
		w.Clock.Advance(7 * day)
		r.look(workspace.DefaultReminder)
		left := int64(0)
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
			left, err = tx.ExpireInvitations(w.Clock.Now(), n)
			return err
		}); err != nil || left != 0 {
			t.Errorf("%d are open still, %v", left, err)
		}
	})
}
