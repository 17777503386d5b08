package workspace_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
	"outpost/workspace"
)

// by is somebody of the world with a role, the first owner for RoleOwner.
func by(w *fixture.World, role models.Role) workspace.By {
	b := workspace.By{WorkspaceID: w.Workspace.ID, Actor: "Hana Hand", Role: role, RequestID: "request-2"}
	if role == models.RoleOwner {
		m, _ := w.Member("owner@acme.test")
		b.MemberID = m.ID
	}
	return b
}

// says fails the test unless err has the code and each of words.
func says(t *testing.T, err error, code models.Code, words ...string) {
	t.Helper()
	if !models.Is(err, code) {
		t.Fatalf("%v, want %s", err, code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// member finds a member who has to be there.
func member(t *testing.T, w *fixture.World, name string) store.MemberRow {
	t.Helper()
	m, ok := w.Member(name + "@acme.test")
	if !ok {
		t.Fatalf("no member %s", name)
	}
	return m
}

// joins makes an invited member one who has accepted.
func joins(t *testing.T, w *fixture.World, name string) models.Member {
	t.Helper()
	m, now := member(t, w, name).Member, w.Clock.Now()
	m.Status, m.AcceptedAt = models.MemberActive, &now
	must(t, w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(m) }))
	return m
}

// invite adds a member by hand.
func invite(t *testing.T, w *fixture.World, name string, role models.Role) models.Member {
	t.Helper()
	m, err := w.Hands.Invite(t.Context(), by(w, models.RoleOwner), name+"@acme.test", "", role)
	must(t, err)
	return m
}

func TestInvitedByHandGetsOneMailAndIsShownToTheDirectory(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box := w.Mailbox(nil)
		m, err := w.Hands.Invite(t.Context(), by(w, models.RoleAdmin), " bo.lindahl@acme.test ", "", models.RoleAdmin)
		must(t, err)
		w.Settled(20 * time.Second)
		if got := member(t, w, "bo.lindahl"); got.ID != m.ID || got.Name != "Bo Lindahl" || got.Role != models.RoleAdmin || got.HandRole != models.RoleAdmin || got.Status != models.MemberInvited {
			t.Errorf("%+v", got)
		}
		letters := box.Messages()
		if len(letters) != 1 || letters[0].To != "bo.lindahl@acme.test" || !strings.Contains(letters[0].Text, "/invite/") || !strings.Contains(letters[0].Text, "Acme added you") {
			t.Errorf("%+v", letters)
		}
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil || entries[0].Method != "invite" || entries[0].TargetType != models.ResourceMember || entries[0].TargetID != m.ID || entries[0].Actor != "Hana Hand" || entries[0].RequestID != "request-2" {
			t.Errorf("%+v %v", entries, err)
		}
		name := store.UserNameIs("bo.lindahl@acme.test")
		testkit.Eventually(t, 20*time.Second, "the connection shows them", func() bool {
			page, err := w.Store.Users(t.Context(), store.Listing{ConnectionID: w.Connection.ID, Where: &name, Limit: 1})
			return err == nil && len(page.Rows) == 1 && !page.Rows[0].Linked
		})

		// The directory brings the same person: one member, no second mail, and their role stays.
		w.User("bo.lindahl")
		w.Settled(20 * time.Second)
		if got := member(t, w, "bo.lindahl"); got.ID != m.ID || got.Role != models.RoleAdmin || got.DirectoryUserID == nil {
			t.Errorf("%+v", got)
		}
		if n := len(box.Messages()); n != 1 {
			t.Errorf("%d mails", n)
		}
		// and the one invitation is the directory's from now on
		u := *member(t, w, "bo.lindahl").DirectoryUserID
		w.SetActive(u, false)
		w.Settled(20 * time.Second)
		says(t, w.Hands.VoidInvitation(t.Context(), by(w, models.RoleOwner), m.ID), models.Stale, "no open invitation")
	})
}

func TestInviteRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		invite(t, w, "ada", models.RoleMember)
		try := func(role models.Role, email string, as models.Role) error {
			_, err := w.Hands.Invite(t.Context(), by(w, role), email, "", as)
			return err
		}
		says(t, try(models.RoleAdmin, "ADA@acme.test", models.RoleMember), models.Conflict, "Ada", "invited already")
		says(t, try(models.RoleAdmin, "bob@acme.test", models.RoleOwner), models.Denied, "only an owner")
		says(t, try(models.RoleMember, "bob@acme.test", models.RoleMember), models.Denied)
		says(t, try(models.RoleAdmin, "Bob <bob@acme.test>", models.RoleMember), models.Invalid)
		says(t, try(models.RoleAdmin, "bob@acme.test", "boss"), models.Invalid)
		must(t, try(models.RoleOwner, "bob@acme.test", models.RoleOwner))
		must(t, w.Hands.Deactivate(t.Context(), by(w, models.RoleAdmin), member(t, w, "ada").ID))
		says(t, try(models.RoleAdmin, "ada@acme.test", models.RoleMember), models.Conflict, "bring them back")
		if n := len(w.Operations()); n != 4 {
			t.Errorf("%d operations, want a mail and a mirror for each of two", n)
		}
	})
}

func TestRolesByHand(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		change := func(as models.Role, id string, role models.Role) error {
			return w.Hands.ChangeRole(t.Context(), by(w, as), id, role)
		}
		owner, ada := member(t, w, "owner"), invite(t, w, "ada", models.RoleMember)
		says(t, change(models.RoleOwner, owner.ID, models.RoleMember), models.Denied, "last active owner", "make somebody else an owner first")
		must(t, change(models.RoleAdmin, ada.ID, models.RoleAdmin))
		if m := member(t, w, "ada"); m.Role != models.RoleAdmin || m.HandRole != models.RoleAdmin {
			t.Errorf("%+v", m)
		}
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil || entries[0].Changes == nil || !strings.Contains(*entries[0].Changes, `"before":"member","after":"admin"`) {
			t.Errorf("%+v %v", entries, err)
		}
		says(t, change(models.RoleAdmin, ada.ID, models.RoleOwner), models.Denied, "only an owner")
		must(t, change(models.RoleOwner, ada.ID, models.RoleOwner))
		says(t, change(models.RoleAdmin, ada.ID, models.RoleMember), models.Denied, "only an owner")
		says(t, change(models.RoleOwner, owner.ID, models.RoleAdmin), models.Denied, "last active owner") // ada has not joined
		joins(t, w, "ada")
		must(t, change(models.RoleOwner, owner.ID, models.RoleAdmin))
		says(t, change(models.RoleOwner, outbox.ID(), models.RoleAdmin), models.NotFound)
		says(t, change(models.RoleOwner, "ada", models.RoleAdmin), models.NotFound)
		says(t, change(models.RoleOwner, ada.ID, "boss"), models.Invalid)
		foreign := by(w, models.RoleOwner)
		foreign.WorkspaceID = outbox.ID()
		says(t, w.Hands.SignOutEverywhere(t.Context(), foreign, ada.ID), models.NotFound)
	})
}

func TestRoleOfAGroupIsLockedButForMakingAnOwner(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		ada := w.User("ada")
		g := w.Group("Outpost admins", ada.ID)
		must(t, w.Directory.MapRole(t.Context(), w.Caller(), g.ID, models.RoleAdmin))
		w.Settled(20 * time.Second)
		m := joins(t, w, "ada")
		says(t, w.Hands.ChangeRole(t.Context(), by(w, models.RoleOwner), m.ID, models.RoleMember), models.Denied, "Outpost admins", "Okta", "Roles from groups")
		must(t, w.Hands.ChangeRole(t.Context(), by(w, models.RoleOwner), m.ID, models.RoleOwner))
		w.Settled(20 * time.Second)
		if m := member(t, w, "ada"); m.Role != models.RoleOwner || m.RoleGroupID != nil {
			t.Errorf("%+v", m)
		}
		must(t, w.Hands.ChangeRole(t.Context(), by(w, models.RoleOwner), m.ID, models.RoleMember))
		w.Settled(20 * time.Second)
		if m := member(t, w, "ada"); m.Role != models.RoleAdmin || m.RoleGroupID == nil || m.HandRole != models.RoleMember {
			t.Errorf("the group has a say again: %+v", m)
		}
		must(t, w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test"))
		must(t, w.Hands.ChangeRole(t.Context(), by(w, models.RoleOwner), m.ID, models.RoleMember))
		if m := member(t, w, "ada"); m.Role != models.RoleMember || m.RoleGroupID != nil {
			t.Errorf("a deleted connection gives nothing: %+v", m)
		}
	})
}

func TestOwnersWhoDemoteOneAnotherAtOnceLeaveOne(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		owner, ada := member(t, w, "owner").Member, invite(t, w, "ada", models.RoleOwner)
		joins(t, w, "ada")
		var wg sync.WaitGroup
		results := make([]error, 2)
		for i, id := range []string{owner.ID, ada.ID} {
			wg.Go(func() {
				if i == 0 {
					results[i] = w.Hands.ChangeRole(t.Context(), by(w, models.RoleOwner), id, models.RoleMember)
				} else {
					results[i] = w.Hands.Deactivate(t.Context(), by(w, models.RoleOwner), id)
				}
			})
		}
		wg.Wait()
		if (results[0] == nil) == (results[1] == nil) {
			t.Errorf("%v and %v: one of two goes through", results[0], results[1])
		}
	})
}

func TestDeactivatedByHandStandsAgainstTheDirectoryUntilItBeginsAnew(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := w.User("ada")
		w.Group("Sales", u.ID)
		w.Settled(20 * time.Second)
		m := joins(t, w, "ada")
		must(t, w.Hands.Deactivate(t.Context(), by(w, models.RoleAdmin), m.ID))
		if got := member(t, w, "ada"); got.Status != models.MemberDeactivated || got.RemovedBy != "Hana Hand" || got.SessionEpoch != m.SessionEpoch+1 || got.DeactivatedAt == nil {
			t.Errorf("access has not ended with the answer: %+v", got)
		}
		says(t, w.Hands.Deactivate(t.Context(), by(w, models.RoleAdmin), m.ID), models.Stale, "no access already")
		w.Settled(20 * time.Second) // verify sees no difference
		if got := member(t, w, "ada"); len(got.Teams) != 0 {
			t.Errorf("still in %v", got.Teams)
		}
		// what else changes in the directory does not bring them back
		w.Patch(u.ID, `[{"op":"replace","path":"displayName","value":"Ada B"}]`)
		w.Group("Support", u.ID)
		w.Settled(20 * time.Second)
		if got := member(t, w, "ada"); got.Status != models.MemberDeactivated || got.Name != "Ada B" || len(got.Teams) != 0 {
			t.Errorf("%+v", got)
		}
		// unassigned and assigned again: that does
		w.SetActive(u.ID, false)
		w.Settled(20 * time.Second)
		w.SetActive(u.ID, true)
		w.Settled(20 * time.Second)
		if got := member(t, w, "ada"); got.Status != models.MemberActive || got.RemovedBy != "" || len(got.Teams) != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestBroughtBackWithTheirTeamsIfTheDirectoryWantsThem(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := w.User("ada")
		w.Group("Sales", u.ID)
		w.Settled(20 * time.Second)
		m := joins(t, w, "ada")
		back := func() error { return w.Hands.BringBack(t.Context(), by(w, models.RoleAdmin), m.ID) }
		says(t, back(), models.Stale, "has access already")
		must(t, w.Hands.Deactivate(t.Context(), by(w, models.RoleAdmin), m.ID))
		w.Settled(20 * time.Second)
		must(t, back())
		if got := member(t, w, "ada"); got.Status != models.MemberActive || got.RemovedBy != "" || got.DeactivatedAt != nil {
			t.Errorf("%+v", got)
		}
		w.Settled(20 * time.Second)
		if got := member(t, w, "ada"); len(got.Teams) != 1 {
			t.Errorf("teams %v", got.Teams)
		}
		must(t, w.Hands.Deactivate(t.Context(), by(w, models.RoleAdmin), m.ID))
		w.SetActive(u.ID, false)
		w.Settled(20 * time.Second)
		says(t, back(), models.Denied, "Okta does not want")
		must(t, w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test"))
		must(t, back()) // by hand from then on
		w.Settled(20 * time.Second)
		if got := member(t, w, "ada"); got.Status != models.MemberActive {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhoHadNotJoinedIsInvitedAnewWhenBroughtBack(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box := w.Mailbox(nil)
		w.User("dora")
		w.Settled(20 * time.Second)
		hand := invite(t, w, "ada", models.RoleMember)
		w.Settled(20 * time.Second)
		for _, id := range []string{hand.ID, member(t, w, "dora").ID} {
			must(t, w.Hands.Deactivate(t.Context(), by(w, models.RoleOwner), id))
			w.Settled(20 * time.Second)
			must(t, w.Hands.BringBack(t.Context(), by(w, models.RoleOwner), id))
			w.Settled(20 * time.Second)
		}
		links := map[string][]string{}
		for _, m := range box.Messages() {
			_, link, _ := strings.Cut(m.Text, "/invite/")
			links[m.To] = append(links[m.To], strings.Fields(link)[0])
		}
		for _, name := range []string{"ada", "dora"} {
			if got := links[name+"@acme.test"]; len(got) != 2 || got[0] == got[1] {
				t.Errorf("%s: links %v, want the first and a new one", name, got)
			}
			if m := member(t, w, name); m.Status != models.MemberInvited {
				t.Errorf("%+v", m)
			}
		}
	})
}

func TestDeactivationHasItsRules(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		second := invite(t, w, "second", models.RoleOwner)
		joins(t, w, "second")
		owner := by(w, models.RoleOwner)
		says(t, w.Hands.Deactivate(t.Context(), owner, owner.MemberID), models.Denied, "nobody deactivates themselves")
		says(t, w.Hands.Deactivate(t.Context(), by(w, models.RoleAdmin), second.ID), models.Denied, "only an owner")
		must(t, w.Hands.Deactivate(t.Context(), owner, second.ID))
		says(t, w.Hands.Deactivate(t.Context(), workspace.By{WorkspaceID: w.Workspace.ID, Actor: "cli", Role: models.RoleOwner}, owner.MemberID), models.Denied, "last active owner")
		says(t, w.Hands.ChangeRole(t.Context(), owner, second.ID, models.RoleMember), models.Stale, "bring them back first")
		epoch := member(t, w, "owner").SessionEpoch
		must(t, w.Hands.SignOutEverywhere(t.Context(), owner, owner.MemberID))
		if m := member(t, w, "owner"); m.SessionEpoch != epoch+1 || m.Status != models.MemberActive {
			t.Errorf("%+v", m)
		}
	})
}

func TestWhoIsAboutToMoveByAnApprovalIsNotMadeAnOwner(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.User("ada")
		ada := invite(t, w, "eve", models.RoleMember)
		op := w.Operations()[0]
		for _, o := range w.Operations() {
			if o.Kind == models.KindUserUpsert {
				op = o
			}
		}
		must(t, w.Store.Write(t.Context(), func(tx *store.Tx) error {
			m, err := tx.LockMember(w.Workspace.ID, ada.ID)
			if err != nil {
				return err
			}
			m.DirectoryUserID = &op.ResourceID
			return tx.SaveMember(m)
		}))
		must(t, w.Hands.ChangeRole(t.Context(), by(w, models.RoleOwner), ada.ID, models.RoleAdmin))
		claim, _, _, err := w.Store.Claim(t.Context(), op.ID, 1, "")
		must(t, err)
		must(t, w.Outbox.Apply(t.Context(), claim, func(*store.Tx) (outbox.Outcome, error) {
			return outbox.Outcome{State: models.OperationHeld, Note: "held: for the test"}, nil
		}))
		must(t, w.Store.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.Release(op.ID, "somebody"); return err }))
		says(t, w.Hands.ChangeRole(t.Context(), by(w, models.RoleOwner), ada.ID, models.RoleOwner), models.Stale, "being applied")
	})
}

// smtp gives a world a worker that sends to a real SMTP server.
func smtp(t *testing.T, w *fixture.World) *testkit.SMTPSink {
	t.Helper()
	s := testkit.NewSMTP(t)
	sender, err := mail.NewSMTP(s.URL())
	must(t, err)
	t.Cleanup(func() { sender.Close() })
	w.MailBy(sender)
	return s
}

func TestResentInvitationIsAMailOfItsOwnAndNeverTwoAtOnce(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		m := invite(t, w, "ada", models.RoleMember)
		resend := func() error { return w.Hands.ResendInvitation(t.Context(), by(w, models.RoleAdmin), m.ID) }
		says(t, resend(), models.Stale, "on its way already")
		s := smtp(t, w)
		w.Settled(20 * time.Second)
		w.Clock.Advance(8 * 24 * time.Hour)
		must(t, w.Store.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.ExpireInvitations(w.Clock.Now(), 500); return err }))
		must(t, resend())
		w.Settled(20 * time.Second)
		ms := s.Messages()
		if len(ms) != 2 || ms[0].MessageID == ms[1].MessageID {
			t.Fatalf("%d mails %+v", len(ms), ms)
		}
		for i := range ms {
			_, link, _ := strings.Cut(ms[i].Text, "/invite/")
			if _, other, _ := strings.Cut(ms[0].Text, "/invite/"); strings.Fields(link)[0] != strings.Fields(other)[0] {
				t.Error("the link has changed")
			}
		}
		// Withdrawn: the next one is another, and the old link stays dead.
		must(t, w.Hands.VoidInvitation(t.Context(), by(w, models.RoleAdmin), m.ID))
		says(t, w.Hands.VoidInvitation(t.Context(), by(w, models.RoleAdmin), m.ID), models.Stale)
		must(t, resend())
		ms = s.WaitFor(3, 20*time.Second)
		_, first, _ := strings.Cut(ms[0].Text, "/invite/")
		if _, link, _ := strings.Cut(ms[2].Text, "/invite/"); strings.Fields(link)[0] == strings.Fields(first)[0] {
			t.Error("the withdrawn link was sent again")
		}
		w.Settled(20 * time.Second)
		joins(t, w, "ada")
		says(t, resend(), models.Stale, "joined already")
	})
}

func TestResendTakesThePlaceOfAMailThatFailedOrMayHaveArrived(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := smtp(t, w)
		s.Reject(func(to string) *gosmtp.SMTPError {
			if strings.HasPrefix(to, "ada") {
				return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
			}
			return nil
		})
		ada := invite(t, w, "ada", models.RoleMember)
		w.Settled(20 * time.Second)
		s.Reject(nil)
		s.Drop(testkit.DropBeforeReply, 1)
		bob := invite(t, w, "bob", models.RoleMember)
		w.Settled(20 * time.Second)
		for _, id := range []string{ada.ID, bob.ID} {
			must(t, w.Hands.ResendInvitation(t.Context(), by(w, models.RoleAdmin), id))
		}
		w.Settled(20 * time.Second)
		// Nothing that failed before can be sent beside it.
		again, err := w.Outbox.Retry(t.Context(), w.Workspace.ID, nil)
		must(t, err)
		if len(again) != 0 {
			t.Errorf("a retry would send %d more", len(again))
		}
		count := map[string]int{}
		for _, m := range s.Messages() {
			count[m.To]++
		}
		if count["ada@acme.test"] != 1 || count["bob@acme.test"] != 2 {
			t.Errorf("mails %v", count)
		}
	})
}

func TestTwoWhoResendAtOnceSendOneMail(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box := w.Mailbox(nil)
		w.User("ada")
		w.Settled(20 * time.Second)
		id := member(t, w, "ada").ID
		var wg sync.WaitGroup
		results := make([]error, 4)
		for i := range results {
			wg.Go(func() { results[i] = w.Hands.ResendInvitation(t.Context(), by(w, models.RoleAdmin), id) })
		}
		wg.Wait()
		sent := 0
		for _, err := range results {
			if err == nil {
				sent++
			} else {
				says(t, err, models.Stale, "on its way already")
			}
		}
		w.Settled(20 * time.Second)
		if n := len(box.Messages()); n != 1+sent || sent == 0 {
			t.Errorf("%d mails, %d resent", n, sent)
		}
	})
}

func TestInvitationWithdrawnByHandIsNotOpenedByAProfilePush(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := w.User("ada")
		w.Settled(20 * time.Second)
		m := member(t, w, "ada")
		must(t, w.Hands.VoidInvitation(t.Context(), by(w, models.RoleAdmin), m.ID))
		w.Patch(u.ID, `[{"op":"replace","path":"title","value":"Chief"}]`)
		w.Settled(20 * time.Second)
		says(t, w.Hands.VoidInvitation(t.Context(), by(w, models.RoleAdmin), m.ID), models.Stale, "no open invitation")
	})
}
