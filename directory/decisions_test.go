package directory_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
)

// owner is an owner of the world who signed in an hour ago.
func owner(w *fixture.World) directory.Decider {
	return directory.Decider{Actor: "Olga Owner", Role: models.RoleOwner, SignedInAt: w.Clock.Now().Add(-time.Hour)}
}

// heldOperations lists the ids of what waits, newest first.
func heldOperations(w *fixture.World) []string {
	var ids []string
	for _, op := range w.Operations() {
		if op.State == models.OperationHeld {
			ids = append(ids, op.ID)
		}
	}
	return ids
}

// decided fails the test unless every decision was carried out.
func decided(t *testing.T, ds []directory.Decision, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		if d.Err != nil {
			t.Fatalf("%s: %v", d.OperationID, d.Err)
		}
	}
}

// refused fails the test unless the only decision was refused with the code and a sentence that has each of words.
func refused(t *testing.T, ds []directory.Decision, err error, code models.Code, words ...string) {
	t.Helper()
	if err != nil || len(ds) != 1 || !models.Is(ds[0].Err, code) {
		t.Fatalf("%+v %v, want %s", ds, err, code)
	}
	for _, word := range words {
		if !strings.Contains(ds[0].Err.Error(), word) {
			t.Errorf("%q does not say %q", ds[0].Err, word)
		}
	}
}

// secondOwner makes an active owner by hand.
func secondOwner(t *testing.T, w *fixture.World) models.Member {
	t.Helper()
	now := w.Clock.Now()
	m := models.Member{ID: outbox.ID(), WorkspaceID: w.Workspace.ID, Email: "second@acme.test", EmailKey: "second@acme.test", Name: "Second", Role: models.RoleOwner, HandRole: models.RoleOwner,
		Status: models.MemberActive, AcceptedAt: &now, CreatedAt: now, UpdatedAt: now}
	if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&m); return nil }); err != nil {
		t.Fatal(err)
	}
	return m
}

// linkedOwner links the only owner to a person of the directory.
func linkedOwner(t *testing.T, w *fixture.World) models.User {
	t.Helper()
	u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("owner"))
	if err != nil {
		t.Fatal(err)
	}
	w.Settled(20 * time.Second)
	return u
}

func move(w *fixture.World, id, email string) models.User {
	return w.Patch(id, `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"`+email+`"}]`)
}

func TestApprovedRemovalOfTheLastOwnerWaitsForAnother(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := linkedOwner(t, w)
		w.SetActive(u.ID, false)
		held := heldOperations(w)
		if len(held) != 1 {
			t.Fatalf("held %v", held)
		}
		ds, err := w.Directory.Approve(t.Context(), w.Caller(), held, owner(w))
		refused(t, ds, err, models.Denied, "make somebody else an owner first")
		if m, _ := w.Member("owner@acme.test"); m.Status != models.MemberActive || len(heldOperations(w)) != 1 {
			t.Errorf("a refused approval changed something: %+v", m)
		}
		secondOwner(t, w)
		ds, err = w.Directory.Approve(t.Context(), w.Caller(), held, owner(w))
		decided(t, ds, err)
		if m, _ := w.Member("owner@acme.test"); m.Status != models.MemberDeactivated || m.SessionEpoch == 0 {
			t.Errorf("access has not ended with the approval: %+v", m)
		}
		w.Settled(20 * time.Second)
		op, err := w.Store.Operation(t.Context(), held[0])
		if err != nil || op.State != models.OperationDone || op.ApprovedBy != "Olga Owner" {
			t.Errorf("%+v %v", op, err)
		}
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil || entries[0].Method != "approve" || entries[0].Actor != "Olga Owner" || entries[0].TargetID != u.ID || *entries[0].OperationID != held[0] || !strings.HasPrefix(entries[0].Detail, "held:") {
			t.Errorf("audit %+v %v", entries, err)
		}
	})
}

func TestAddressOfAnOwnerIsApprovedByAnOwnerWhoWasSignedInBefore(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := linkedOwner(t, w)
		move(w, u.ID, "new@acme.test")
		held := heldOperations(w)
		admin := owner(w)
		admin.Role = models.RoleAdmin
		ds, err := w.Directory.Approve(t.Context(), w.Caller(), held, admin)
		refused(t, ds, err, models.Denied, "only an owner")
		late := owner(w)
		late.SignedInAt = w.Clock.Now()
		ds, err = w.Directory.Approve(t.Context(), w.Caller(), held, late)
		refused(t, ds, err, models.Denied, "signed in after")
		if _, err := w.Directory.Approve(t.Context(), w.Caller(), held, directory.Decider{Role: models.RoleMember}); !models.Is(err, models.Denied) {
			t.Errorf("a member decides: %v", err)
		}
		ds, err = w.Directory.Approve(t.Context(), w.Caller(), held, owner(w))
		decided(t, ds, err)
		w.Settled(20 * time.Second)
		if m, ok := w.Member("new@acme.test"); !ok || m.Role != models.RoleOwner {
			t.Errorf("the owner has not moved: %+v", m)
		}
	})
}

func TestApprovalIsForWhatWasShown(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		stop := w.Serve(w.Worker(nil), fixture.Everything())
		u := linkedOwner(t, w)
		stop()
		move(w, u.ID, "new@acme.test")
		first := heldOperations(w)
		ds, err := w.Directory.Approve(t.Context(), w.Caller(), first, owner(w))
		decided(t, ds, err)
		move(w, u.ID, "thief@evil.test") // before a worker has come
		second := heldOperations(w)
		if len(second) != 1 || second[0] == first[0] {
			t.Fatalf("held %v", second)
		}
		w.Mailbox(nil)
		w.Settled(20 * time.Second)
		if _, ok := w.Member("owner@acme.test"); !ok {
			t.Error("the approval of one address moved the owner to another")
		}
		op, err := w.Store.Operation(t.Context(), first[0])
		if err != nil || op.State != models.OperationSuperseded {
			t.Errorf("%+v %v", op, err)
		}
		// A newer change takes the place of what waits.
		move(w, u.ID, "third@acme.test")
		if third := heldOperations(w); len(third) != 1 || third[0] == second[0] {
			t.Errorf("held %v: only the newest waits", third)
		}
		ds, err = w.Directory.Approve(t.Context(), w.Caller(), second, owner(w))
		refused(t, ds, err, models.Stale, "a newer change")
	})
}

func TestDiscardedChangeStaysAsItIsUntilTheDirectoryChangesThePersonAgain(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := linkedOwner(t, w)
		w.SetActive(u.ID, false)
		held := heldOperations(w)
		ds, err := w.Directory.Discard(t.Context(), w.Caller(), held, owner(w))
		decided(t, ds, err)
		if ds[0].UserID != u.ID {
			t.Errorf("%+v", ds)
		}
		if c := w.Settled(20 * time.Second); c.Held != 0 { // no difference either: it was decided so
			t.Errorf("held %d", c.Held)
		}
		op, err := w.Store.Operation(t.Context(), held[0])
		if err != nil || op.State != models.OperationSuperseded || !strings.HasPrefix(op.Error, "discarded by Olga Owner") || op.FinishedAt == nil {
			t.Errorf("%+v %v", op, err)
		}
		ds, err = w.Directory.Approve(t.Context(), w.Caller(), held, owner(w))
		refused(t, ds, err, models.Stale, "discarded by Olga Owner")
		w.Patch(u.ID, `[{"op":"replace","path":"title","value":"Chief"}]`) // still inactive: to be decided anew
		if again := heldOperations(w); len(again) != 1 || again[0] == held[0] {
			t.Errorf("held %v", again)
		}
		if m, _ := w.Member("owner@acme.test"); m.Status != models.MemberActive {
			t.Errorf("the last owner lost access: %+v", m)
		}
	})
}

func TestWhatIsElsewhereOrNothingIsNotFound(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := linkedOwner(t, w)
		w.SetActive(u.ID, false)
		held := heldOperations(w)
		foreign := w.Caller()
		foreign.WorkspaceID = outbox.ID()
		ds, err := w.Directory.Discard(t.Context(), foreign, append(held, "nonsense", outbox.ID()), owner(w))
		if err != nil || len(ds) != 3 {
			t.Fatal(ds, err)
		}
		for _, d := range ds {
			if !models.Is(d.Err, models.NotFound) || d.UserID != "" {
				t.Errorf("%+v", d)
			}
		}
		if len(heldOperations(w)) != 1 {
			t.Error("another workspace decided")
		}
		done := w.Operations()[len(w.Operations())-1]
		ds, err = w.Directory.Approve(t.Context(), w.Caller(), []string{done.ID}, owner(w))
		refused(t, ds, err, models.Stale, "does not wait for a decision")
	})
}

func TestTwoApprovalsAtOnceAreOne(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := linkedOwner(t, w)
		move(w, u.ID, "new@acme.test")
		held := heldOperations(w)
		var wg sync.WaitGroup
		results := make([][]directory.Decision, 2)
		for i := range results {
			wg.Go(func() {
				var err error
				if results[i], err = w.Directory.Approve(t.Context(), w.Caller(), held, owner(w)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		stale := 0
		for _, ds := range results {
			if models.Is(ds[0].Err, models.Stale) {
				stale++
			}
		}
		if stale != 1 {
			t.Errorf("%+v", results)
		}
		w.Settled(20 * time.Second)
	})
}

func TestApprovalBesideANewerChangeNeverAppliesWhatWasNotShown(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := linkedOwner(t, w)
		for round := range 5 {
			address := string(rune('a'+round)) + "@acme.test"
			move(w, u.ID, address)
			held := heldOperations(w)
			var wg sync.WaitGroup
			var ds []directory.Decision
			wg.Go(func() {
				var err error
				if ds, err = w.Directory.Approve(t.Context(), w.Caller(), held, owner(w)); err != nil {
					t.Error(err)
				}
			})
			move(w, u.ID, "thief@evil.test")
			wg.Wait()
			w.Settled(20 * time.Second)
			if m, ok := w.Member("thief@evil.test"); ok {
				t.Fatalf("round %d: %+v, after %+v", round, m, ds)
			}
			if n := len(heldOperations(w)); n != 1 {
				t.Fatalf("round %d: %d operations wait, want the newest", round, n)
			}
		}
	})
}

func TestWhatWasToComeOfAFormerPersonIsOver(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		stop := w.Serve(w.Worker(nil), fixture.Everything())
		old := w.User("ada")
		testkit.Eventually(t, 20*time.Second, "ada is a member", func() bool { _, ok := w.Member("ada@acme.test"); return ok })
		stop()
		w.Patch(old.ID, `[{"op":"replace","path":"title","value":"Chief"}]`)
		waiting := w.Operations()[0]
		if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test"); err != nil {
			t.Fatal(err)
		}
		second, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderOkta, "test")
		if err != nil {
			t.Fatal(err)
		}
		caller := w.Caller()
		caller.ConnectionID = second.Connection.ID
		u, err := w.Directory.CreateUser(t.Context(), caller, w.Person("ada"))
		if err != nil {
			t.Fatal(err)
		}
		linked := w.Operations()[0]
		claim, ok, _, err := w.Store.Claim(t.Context(), linked.ID, 1, "")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := w.Outbox.Apply(t.Context(), claim, func(tx *store.Tx) (outbox.Outcome, error) {
			s, err := tx.Situation(u.ID)
			if err != nil {
				return outbox.Outcome{}, err
			}
			return w.Converge.ConvergeUser(tx, claim, s)
		}); err != nil {
			t.Fatal(err)
		}
		op, err := w.Store.Operation(t.Context(), waiting.ID)
		if err != nil || op.State != models.OperationSuperseded {
			t.Errorf("the former person's operation: %+v %v", op, err)
		}
		if m, _ := w.Member("ada@acme.test"); m.DirectoryUserID == nil || *m.DirectoryUserID != u.ID {
			t.Errorf("%+v", m)
		}
	})
}
