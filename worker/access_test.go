package worker_test

import (
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/jobs"
	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/store"
	"outpost/worker"
	"outpost/workspace"
)

// byHand puts an active member into the workspace, and their mirror into the connection.
func byHand(t *testing.T, w *fixture.World, email string, role models.Role) models.Member {
	t.Helper()
	now := w.Clock.Now()
	m := models.Member{ID: outbox.ID(), WorkspaceID: w.Workspace.ID, Email: email, EmailKey: scim.Fold(email), Name: "By Hand", Role: role, Status: models.MemberActive, AcceptedAt: &now, CreatedAt: now, UpdatedAt: now}
	if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&m); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return directory.Mirror(tx, w.Connection, m, now) }); err != nil {
		t.Fatal(err)
	}
	return m
}

func memberByID(t *testing.T, w *fixture.World, id string) models.Member {
	t.Helper()
	m, err := w.Store.Member(t.Context(), w.Workspace.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAddressOfAnOwnerIsHeldWhileTheyAreInactiveToo(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		second := byHand(t, w, "second@acme.test", models.RoleOwner)
		w.Mailbox(nil)
		u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("second"))
		if err != nil {
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		w.Patch(u.ID, `[{"op":"replace","value":{"active":false}},{"op":"replace","path":"emails[type eq \"work\"].value","value":"thief@evil.test"}]`)
		w.Settled(20 * time.Second)
		w.SetActive(u.ID, true)
		c := w.Settled(20 * time.Second)
		m := memberByID(t, w, second.ID)
		if m.Role == models.RoleOwner && m.Status == models.MemberActive && m.Email == "thief@evil.test" {
			t.Errorf("an owner's address was moved without an approval: %s %s %s, held %d", m.Email, m.Role, m.Status, c.Held)
		}
	})
}

func TestAddressOfAnOwnerIsHeldForANewConnectionToo(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("owner")); err != nil { // links the mirror
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test"); err != nil {
			t.Fatal(err)
		}
		second, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderOkta, "test")
		if err != nil {
			t.Fatal(err)
		}
		caller := directory.Caller{WorkspaceID: w.Workspace.ID, ConnectionID: second.Connection.ID}
		if _, err := w.Directory.CreateUser(t.Context(), caller, w.Resource(`{"userName":"owner@acme.test","displayName":"O","emails":[{"value":"thief@evil.test","primary":true}],"active":true}`)); err != nil {
			t.Fatal(err)
		}
		c := w.Settled(20 * time.Second)
		if m, ok := w.Member("thief@evil.test"); ok {
			t.Errorf("the only owner has been moved at the first contact: %s %s %s, held %d", m.Email, m.Role, m.Status, c.Held)
		}
	})
}

func TestPersonOfADeletedConnectionLosesAccessInTheAnswer(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box, _ := mail.OpenMailbox("")
		stop := w.Serve(w.Worker(func(c *worker.Config) { c.Sender = box }), fixture.Everything())
		w.User("ada")
		w.Settled(20 * time.Second)
		if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test"); err != nil {
			t.Fatal(err)
		}
		second, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderOkta, "test")
		if err != nil {
			t.Fatal(err)
		}
		stop()
		caller := directory.Caller{WorkspaceID: w.Workspace.ID, ConnectionID: second.Connection.ID}
		page, err := w.Directory.Users(t.Context(), caller, scim.Query{Page: scim.Page{StartIndex: 1, Count: 10}})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Rows {
			if u.UserName == "ada@acme.test" {
				if err := w.Directory.DeleteUser(t.Context(), caller, u.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		if m, _ := w.Member("ada@acme.test"); m.Status != models.MemberDeactivated {
			t.Errorf("after the 204 the member is %s", m.Status)
		}
	})
}

func TestPersonKnownByAddressAloneLosesAccessInTheAnswer(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		byHand(t, w, "bob@acme.test", models.RoleMember)
		// userName differs from the address, as with logins that are not e-mail addresses
		u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"bob","externalId":"00u-bob","displayName":"Bob","emails":[{"value":"bob@acme.test","primary":true}],"active":true}`))
		if err != nil {
			t.Fatal(err)
		}
		w.SetActive(u.ID, false) // 200, no worker has run
		if m, _ := w.Member("bob@acme.test"); m.Status != models.MemberDeactivated {
			t.Errorf("after the 200 the member is %s", m.Status)
		}
	})
}

func TestPersonCreatedInactiveLosesAccessInTheAnswer(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		byHand(t, w, "bob@acme.test", models.RoleMember)
		if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"bob","displayName":"Bob","emails":[{"value":"bob@acme.test"}],"active":false}`)); err != nil {
			t.Fatal(err)
		}
		if m, _ := w.Member("bob@acme.test"); m.Status != models.MemberDeactivated {
			t.Errorf("after the 201 with active=false the member is %s (op %s)", m.Status, w.Operations()[0].Kind)
		}
	})
}

func TestOwnerMetByAddressAndMovedInTheSameMomentIsHeld(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.Postgres(t), nil)
	u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"x","displayName":"X","emails":[{"value":"owner@acme.test","primary":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	claimed, ok, _, err := w.Store.Claim(t.Context(), w.Operations()[0].ID, 1, "provision")
	if err != nil || !ok {
		t.Fatal(err)
	}
	if err := w.Outbox.Apply(t.Context(), claimed, func(tx *store.Tx) (outbox.Outcome, error) {
		if _, err := workspace.LockPerson(tx, u.ID, w.Connection.ID); err != nil {
			return outbox.Outcome{}, err
		}
		s, err := tx.Situation(u.ID)
		if err != nil {
			return outbox.Outcome{}, err
		}
		w.Patch(u.ID, `[{"op":"replace","path":"emails","value":[{"value":"thief@evil.test","primary":true}]}]`) // another connection of the pool
		return w.Converge.ConvergeUser(tx, claimed, s)
	}); err != nil {
		t.Fatal(err)
	}
	w.Mailbox(nil)
	c := w.Settled(20 * time.Second)
	if m, ok := w.Member("thief@evil.test"); ok && m.Role == models.RoleOwner {
		t.Errorf("the only owner is %s now; held %d", m.Email, c.Held)
	}
}

func TestPersonCreatedAgainGetsOneInvitationMail(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		stop := w.Serve(w.Worker(nil), map[jobs.Class]int{jobs.Provision: 1})
		ada := w.User("ada")
		testkit.Eventually(t, 20*time.Second, "the invitation is written", func() bool { return mailOperation(w).ID != "" })
		if err := w.Directory.DeleteUser(t.Context(), w.Caller(), ada.ID); err != nil {
			t.Fatal(err)
		}
		again := w.User("ada")
		testkit.Eventually(t, 20*time.Second, "ada is back", func() bool {
			m, _ := w.Member("ada@acme.test")
			return m.DirectoryUserID != nil && *m.DirectoryUserID == again.ID
		})
		stop()
		box := w.Mailbox(nil) // now the revocations and the mails
		w.Settled(20 * time.Second)
		if n := to(box, "ada@acme.test"); n != 1 {
			t.Errorf("%d invitation mails: that of the deleted person went out as well", n)
		}
	})
}

func TestRefusedMailIsNotSentAgainByAProfilePush(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := sink(t, w, nil)
		s.Reject(func(string) *gosmtp.SMTPError {
			return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
		})
		ada := w.User("ada")
		mailEnds(t, w, models.OperationFailed)
		sends := func() (n int) {
			for _, op := range w.Operations() {
				if op.Kind == models.KindInvitationEmail {
					n++
				}
			}
			return n
		}
		before := sends()
		for _, title := range []string{"A", "B", "C"} {
			w.Patch(ada.ID, `[{"op":"replace","path":"title","value":"`+title+`"}]`)
			w.Settled(20 * time.Second)
		}
		if n := sends() - before; n != 0 {
			t.Errorf("%d more attempts at a mailbox that does not exist", n)
		}
	})
}
