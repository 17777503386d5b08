package worker_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestAddressHandedOnIsAppliedInAnyOrder(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box, _ := mail.OpenMailbox("")
		stop := w.Serve(w.Worker(func(c *worker.Config) { c.Sender = box }), fixture.Everything())
		ada := w.User("ada")
		w.Settled(20 * time.Second)
		stop()
		// ada marries; the new hire of the same name gets her old address
		w.Patch(ada.ID, `[{"op":"replace","path":"userName","value":"ada.new@acme.test"},{"op":"replace","path":"emails[type eq \"work\"].value","value":"ada.new@acme.test"}]`)
		moved := w.Operations()[0]
		slow, ok, _, err := w.Store.Claim(t.Context(), moved.ID, 1, "provision") // a worker that is slow
		if err != nil || !ok {
			t.Fatal(err)
		}
		if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"ada@acme.test","externalId":"00u-ada2","displayName":"Ada Two","emails":[{"value":"ada@acme.test","primary":true}],"active":true}`)); err != nil {
			t.Fatal(err)
		}
		created := w.Operations()[0]
		w.Serve(w.Worker(func(c *worker.Config) { c.Sender = box }), fixture.Everything())
		testkit.Eventually(t, 10*time.Second, "the second has been looked at", func() bool {
			op, err := w.Store.Operation(t.Context(), created.ID)
			return err == nil && (op.Attempts > 0 || op.State == models.OperationDone)
		})
		if err := w.Store.GiveBack(t.Context(), store.Claimed{ID: slow.ID, ClaimNo: slow.ClaimNo}); err != nil {
			t.Fatal(err)
		}
		w.Settled(20 * time.Second)
		op, _ := w.Store.Operation(t.Context(), created.ID)
		if op.State != models.OperationDone {
			t.Errorf("%s: %s", op.State, op.Error)
		}
	})
}

func TestRemovalOfSomebodyWhoStillWaitsHolds(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		g := w.Group("Secret", "00u-eve")
		eve := w.User("eve")
		w.Change(g.ID, scim.GroupChange{Kind: scim.RemoveMembers, Members: fixture.Members(eve.ID)}) // 200
		w.Mailbox(nil)
		w.Settled(20 * time.Second)
		if m, _ := w.Member("eve@acme.test"); len(m.Teams) != 0 {
			t.Errorf("eve was removed, and is in %v", m.Teams)
		}
	})
}

func TestPersonWhoArrivesWhileTheirGroupIsSyncedJoins(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.Postgres(t), nil)
	stop := w.Serve(w.Worker(nil), map[jobs.Class]int{jobs.Provision: 2, jobs.Groups: 2, jobs.Revoke: 2})
	g := w.Group("Sales")
	testkit.Eventually(t, 5*time.Second, "synced", func() bool { return w.Operations()[0].State == models.OperationDone })
	stop()
	w.Change(g.ID, scim.GroupChange{Kind: scim.SetDisplayName, Text: "Sales 2"}) // v2
	op2 := w.Operations()[0]
	claimed, ok, _, err := w.Store.Claim(t.Context(), op2.ID, 1, "provision")
	if err != nil || !ok {
		t.Fatal(err)
	}

	// v3 names eve before she is there, and commits after she has come and been converged
	named, goOn, committed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		committed <- w.Outbox.Write(context.Background(), func(tx *store.Tx) ([]models.Operation, error) {
			old, err := tx.LockGroup(w.Connection.ID, g.ID)
			if err != nil {
				return nil, err
			}
			found, err := tx.ResolveByExternalID(w.Connection.ID, []string{"00u-eve"})
			if err != nil || len(found) != 0 {
				return nil, fmt.Errorf("%v %w", found, err)
			}
			old.Version++
			if _, err := tx.Wait(old, []models.WaitingMember{{GroupID: g.ID, Value: "00u-eve", ConnectionID: w.Connection.ID, CreatedAt: w.Clock.Now()}}); err != nil {
				return nil, err
			}
			close(named)
			<-goOn
			return []models.Operation{outbox.Operation(models.KindGroupSync, w.Workspace.ID, w.Connection.ID, models.ResourceGroup, g.ID, old.Version, w.Clock.Now())}, tx.SaveGroup(old)
		})
	}()
	<-named
	w.User("eve")
	stop = w.Serve(w.Worker(nil), map[jobs.Class]int{jobs.Provision: 2})
	testkit.Eventually(t, 5*time.Second, "eve is a member", func() bool { _, ok := w.Member("eve@acme.test"); return ok })
	stop()

	// the sync of v2, as worker.groupSync does it, while v3 commits in its middle
	if err := w.Outbox.Apply(t.Context(), claimed, func(tx *store.Tx) (outbox.Outcome, error) {
		if _, err := workspace.LockTeams(tx, w.Connection.ID); err != nil {
			return outbox.Outcome{}, err
		}
		before, err := tx.DesiredGroup(claimed.ResourceID)
		if err != nil {
			return outbox.Outcome{}, err
		}
		arrived, err := tx.ArrivedForGroup(g.ID)
		if err != nil {
			return outbox.Outcome{}, err
		}
		if _, err := directory.Join(tx, w.Connection.ID, arrived, w.Clock.Now()); err != nil {
			return outbox.Outcome{}, err
		}
		close(goOn)
		if err := <-committed; err != nil {
			return outbox.Outcome{}, err
		}
		return w.Converge.ConvergeGroup(tx, claimed, before)
	}); err != nil {
		t.Fatal(err)
	}
	w.Mailbox(nil)
	w.Settled(20 * time.Second)
	if m, _ := w.Member("eve@acme.test"); len(m.Teams) != 1 {
		t.Errorf("eve is in %v", m.Teams)
	}
}

func TestPollingSetsAsideWhatKillsItsWorkers(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.User("ada")
		for i := range 30 {
			ops, err := w.Store.ClaimDue(t.Context(), "provision", 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(ops) == 0 {
				return
			}
			w.Store.SetClockOffset(time.Duration(i+1) * (store.Lease + time.Second)) // the worker died; the next one polls before a sweep
		}
		t.Errorf("claimed 30 times, lapses %d", w.Operations()[0].Lapses)
	})
}

func TestRotationsAtOnceLeaveOneToken(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.Postgres(t), nil)
	for range 30 {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := w.Directory.RotateToken(context.Background(), w.Connection, true, "test"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		a, err := w.Store.Access(t.Context(), w.Connection.ID)
		if err != nil {
			t.Fatal(err)
		}
		living := 0
		for _, k := range a.Tokens {
			if k.Living(w.Clock.Now().Add(time.Millisecond)) {
				living++
			}
		}
		if living > 1 {
			t.Fatalf("%d living tokens after rotations with --now", living)
		}
	}
}

func TestTwoPeopleWithOneAddressAtOnceAreTold(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.Postgres(t), nil)
	for i := range 60 {
		for j := range 2 {
			if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(fmt.Sprintf(`{"userName":"u%d-%d","displayName":"U","emails":[{"value":"u%d@acme.test"}]}`, i, j, i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Serve(w.Worker(nil), map[jobs.Class]int{jobs.Provision: 8})
	testkit.Eventually(t, 20*time.Second, "all looked at", func() bool {
		for _, op := range w.Operations() {
			if op.Class == "provision" && op.FinishedAt == nil {
				return false
			}
		}
		return true
	})
	for _, op := range w.Operations() {
		if op.State == models.OperationFailed && !strings.Contains(op.Error, "belongs to the member") {
			t.Fatalf("error %q", op.Error)
		}
	}
}

func TestOneMemberGoesToOneOfTwoConnections(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.Postgres(t), nil)
	second, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderEntra, "test")
	if err != nil {
		t.Fatal(err)
	}
	callers := []directory.Caller{w.Caller(), {WorkspaceID: w.Workspace.ID, ConnectionID: second.Connection.ID}}
	both := 0
	for i := range 30 {
		m := byHand(t, w, fmt.Sprintf("h%d@acme.test", i), models.RoleMember)
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return directory.Mirror(tx, second.Connection, m, w.Clock.Now()) }); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for _, c := range callers {
			wg.Go(func() {
				if _, err := w.Directory.CreateUser(context.Background(), c, w.Person(fmt.Sprintf("h%d", i))); err == nil {
					mu.Lock()
					taken++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if taken == 2 {
			both++
		}
	}
	if both > 0 {
		t.Errorf("both connections got a 201 for the same member, %d of 30 times", both)
	}
}

func TestAddressesBeyondASCIIAreFound(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		for i, address := range []string{"JÜRGEN@acme.test", "straße@acme.test"} {
			if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(fmt.Sprintf(`{"userName":"u%d","emails":[{"value":%q,"type":"work"}]}`, i, address))); err != nil {
				t.Fatal(err)
			}
			f, err := scim.ParseFilter(fmt.Sprintf(`emails[type eq "work"].value eq %q`, address))
			if err != nil {
				t.Fatal(err)
			}
			if page, err := w.Directory.Users(t.Context(), w.Caller(), scim.Query{Filter: f, Page: scim.Page{StartIndex: 1, Count: 10}}); err != nil || page.Total != 1 {
				t.Errorf("%s: %d found, %v", address, page.Total, err)
			}
		}
	})
}

func TestVerifySeesAnExtraMemberWithoutAPerson(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		g := w.Group("Ops")
		w.Settled(20 * time.Second)
		owner, _ := w.Member("owner@acme.test")
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
			team, _, err := tx.LockTeam(g.ID)
			if err != nil {
				return err
			}
			tx.Add(&store.TeamMember{WorkspaceID: w.Workspace.ID, TeamID: team.ID, MemberID: owner.ID})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		c, err := w.Store.Compare(t.Context(), w.Workspace.ID)
		if err != nil || len(c.Differences) != 1 {
			t.Errorf("differences %v %v", c.Differences, err)
		}
	})
}

// A large group sync holds the teams of its connection alone: the people of that connection are put off, and take no
// places from others.
func TestAGroupOfOneTenantStopsNobodyElse(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.Postgres(t), nil)
	other, err := workspace.Create(t.Context(), w.Store, "Other", "owner@other.test", models.PlanEnterprise, w.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := w.Directory.CreateConnection(t.Context(), other, models.ProviderOkta, "test")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		w.User(fmt.Sprintf("p%d", i))
	}
	locked, done := make(chan struct{}), make(chan struct{})
	go w.Store.Write(context.Background(), func(tx *store.Tx) error { // the group sync of tenant A
		if _, err := workspace.LockTeams(tx, w.Connection.ID); err != nil {
			return err
		}
		close(locked)
		<-done
		return nil
	})
	<-locked
	defer close(done)
	w.Serve(w.Worker(nil), map[jobs.Class]int{jobs.Provision: 16, jobs.Revoke: 4})
	testkit.Eventually(t, 5*time.Second, "people of the first tenant are put off", func() bool {
		for _, op := range w.Operations() {
			if op.ClaimNo > 1 {
				return true
			}
		}
		return false
	})
	bob, err := w.Directory.CreateUser(t.Context(), directory.Caller{WorkspaceID: other.ID, ConnectionID: theirs.Connection.ID}, w.Person("bob"))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, 5*time.Second, "the person of the other tenant is applied", func() bool {
		ops, err := w.Store.Operations(context.Background(), other.ID, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range ops {
			if op.ResourceID == bob.ID && op.State == models.OperationDone {
				return true
			}
		}
		return false
	})
}

func TestSweeperSeesARetryThatRedisLost(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, r *testkit.RedisServer) {
		w.Background(w.Outbox.Run)
		w.User("ada")
		testkit.Eventually(t, 5*time.Second, "published", func() bool { h, err := w.Queue.Head(t.Context(), "provision"); return err == nil && !h.Empty })
		// the task is run before its mark, as most are, and fails once
		op, ok, _, err := w.Store.Claim(t.Context(), w.Operations()[0].ID, 1, "provision")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := w.Store.RecordFailure(t.Context(), store.Claimed{ID: op.ID, ClaimNo: op.ClaimNo}, "busy", time.Second, false); err != nil {
			t.Fatal(err)
		}
		r.Flush() // stands for: Redis lost that one task. Nobody checks the epoch here.
		w.Store.SetClockOffset(10 * time.Minute)
		n, err := w.Outbox.Sweep(t.Context())
		if err != nil || n != 1 {
			t.Errorf("swept %d %v: %+v", n, err, w.Operations()[0])
		}
	})
}
