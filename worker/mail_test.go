package worker_test

import (
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/jobs"
	"outpost/mail"
	"outpost/models"
	"outpost/store"
	"outpost/worker"
)

// sink gives a world a worker that sends to a real SMTP server.
func sink(t *testing.T, w *fixture.World, change func(*worker.Config)) *testkit.SMTPSink {
	t.Helper()
	s := testkit.NewSMTP(t)
	sender, err := mail.NewSMTP(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sender.Close() })
	w.Mailbox(func(c *worker.Config) {
		c.Sender = sender
		if change != nil {
			change(c)
		}
	})
	return s
}

// mailOperation is the newest operation that sends an invitation.
func mailOperation(w *fixture.World) models.Operation {
	for _, op := range w.Operations() {
		if op.Kind == models.KindInvitationEmail {
			return op
		}
	}
	return models.Operation{}
}

// mailEnds waits until the invitation's operation has the state.
func mailEnds(t *testing.T, w *fixture.World, state models.OperationState) models.Operation {
	t.Helper()
	var op models.Operation
	testkit.Eventually(t, 20*time.Second, "the mail operation is "+string(state), func() bool {
		op = mailOperation(w)
		return op.State == state
	})
	return op
}

func TestInvitationHasAFixedMessageIDAndBothParts(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := sink(t, w, nil)
		w.User("ada")
		m := s.WaitFor(1, 20*time.Second)[0]
		w.Settled(20 * time.Second)
		if m.To != "ada@acme.test" || !strings.HasPrefix(strings.Trim(m.MessageID, "<>"), "inv.") {
			t.Errorf("to %q, message id %q", m.To, m.MessageID)
		}
		for _, part := range []string{m.HTML, m.Text} {
			if !strings.Contains(part, "http://localhost:8080/invite/") || !strings.Contains(part, "Acme") {
				t.Errorf("a part without the link or the workspace: %s", part)
			}
		}
	})
}

func TestRefusedRecipientFailsForGoodWithTheServersWords(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := sink(t, w, nil)
		s.Reject(func(string) *gosmtp.SMTPError {
			return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
		})
		w.User("ada")
		op := mailEnds(t, w, models.OperationFailed)
		if op.Attempts != 1 || !strings.Contains(op.Error, "no such mailbox here") {
			t.Errorf("operation %+v", op)
		}
	})
}

func TestBusyMailServerIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := sink(t, w, nil)
		s.Reject(func(string) *gosmtp.SMTPError {
			return &gosmtp.SMTPError{Code: 451, EnhancedCode: gosmtp.EnhancedCode{4, 3, 0}, Message: "come back later"}
		})
		w.User("ada")
		testkit.Eventually(t, 20*time.Second, "the attempt is recorded", func() bool { return mailOperation(w).Attempts == 1 })
		if op := mailOperation(w); op.State != models.OperationPending || time.Until(op.NotBefore) < 40*time.Second || !strings.Contains(op.Error, "come back later") {
			t.Errorf("operation %+v", op)
		}
		s.Reject(nil)
		w.Store.SetClockOffset(2 * time.Minute)
		mailEnds(t, w, models.OperationDone)
		if n := len(s.Messages()); n != 1 {
			t.Errorf("%d mails", n)
		}
	})
}

func TestAnswerLostAfterTheFinalDotIsUnknownAndNotSentAgain(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := sink(t, w, nil)
		s.Drop(testkit.DropBeforeReply, 1)
		w.User("ada")
		op := mailEnds(t, w, models.OperationFailed)
		if !strings.HasPrefix(op.Error, "delivery unknown: ") {
			t.Errorf("error %q", op.Error)
		}
		if n := len(s.Messages()); n != 1 {
			t.Errorf("%d mails accepted", n)
		}
		if _, err := w.Outbox.Retry(t.Context(), w.Workspace.ID, []string{op.ID}); err != nil {
			t.Fatal(err)
		}
		mailEnds(t, w, models.OperationDone)
		if ms := s.Messages(); len(ms) != 2 || ms[0].MessageID != ms[1].MessageID {
			t.Errorf("after 'send again': %d mails", len(ms))
		}
	})
}

func TestWorkerLostWhileCommittingLeavesDeliveryUnknown(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Serve(w.Worker(nil), map[jobs.Class]int{jobs.Provision: 1})
		w.User("ada")
		testkit.Eventually(t, 20*time.Second, "the invitation is written", func() bool { return mailOperation(w).ID != "" })
		op, ok, _, err := w.Store.Claim(t.Context(), mailOperation(w).ID, 1, "")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
			m, err := tx.LockMail(op.ID)
			if err != nil {
				return err
			}
			m.State, m.ClaimNo = models.MailSending, op.ClaimNo
			return tx.SaveMail(m)
		}); err != nil {
			t.Fatal(err)
		}
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.Committing(op.ID, op.ClaimNo) }); err != nil {
			t.Fatal(err)
		}
		w.Store.SetClockOffset(store.Lease + time.Second) // the worker is gone
		s := sink(t, w, nil)
		if op := mailEnds(t, w, models.OperationFailed); !strings.HasPrefix(op.Error, "delivery unknown: ") {
			t.Errorf("error %q", op.Error)
		}
		if n := s.Attempts(); n != 0 {
			t.Errorf("%d attempts", n)
		}
	})
}

func TestPersonRemovedWhileTheMailWaitsGetsNone(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Serve(w.Worker(nil), map[jobs.Class]int{jobs.Provision: 1})
		ada := w.User("ada")
		testkit.Eventually(t, 20*time.Second, "the invitation is written", func() bool { return mailOperation(w).ID != "" })
		w.SetActive(ada.ID, false)
		s := sink(t, w, nil)
		op := mailEnds(t, w, models.OperationDone)
		if n := s.Attempts(); n != 0 || !strings.HasPrefix(op.Error, "not sent: ") {
			t.Errorf("%d attempts, note %q", n, op.Error)
		}
	})
}

func TestMailsOfAWorkspaceArePaced(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := sink(t, w, func(c *worker.Config) { c.MailPace = 10 * time.Second })
		for _, name := range []string{"ada", "bob", "cyd"} {
			w.User(name)
		}
		testkit.Eventually(t, 20*time.Second, "the first goes out and the others have their moment", func() bool {
			later := 0
			for _, op := range w.Operations() {
				if op.Kind == models.KindInvitationEmail && op.State == models.OperationPending && time.Until(op.NotBefore) > 5*time.Second {
					later++
				}
			}
			return len(s.Messages()) == 1 && later == 2
		})
		w.Store.SetClockOffset(30 * time.Second)
		w.Settled(20 * time.Second)
		if n := len(s.Messages()); n != 3 {
			t.Errorf("%d mails", n)
		}
	})
}

func TestSlowMailServerHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := sink(t, w, nil)
		s.Block()
		t.Cleanup(s.Release)
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			w.User(name)
		}
		s.WaitHeld(4, 20*time.Second) // every place of the mail pool
		gus := w.User("gus")
		w.Group("Ops", gus.ID)
		testkit.Eventually(t, 20*time.Second, "gus joins his team", func() bool {
			m, ok := w.Member("gus@acme.test")
			return ok && len(m.Teams) == 1
		})
		w.SetActive(gus.ID, false)
		testkit.Eventually(t, 20*time.Second, "gus leaves his team", func() bool {
			m, _ := w.Member("gus@acme.test")
			return len(m.Teams) == 0
		})
		s.Release()
		w.Settled(20 * time.Second)
	})
}
