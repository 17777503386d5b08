//go:build bench

package bench

import (
	"syscall"
	"testing"
	"time"

	"outpost/internal/testkit"
)

// measureWorker measures, once a round, how fast one worker process applies a backlog of user.upsert operations that was
// written while neither it nor the scheduler ran. It has an installation of its own, so that nothing else is waiting.
func measureWorker(t *testing.T, g *ground, size settings, out *figures) {
	t.Helper()
	p := g.install("outpost_worker", 2)
	p.start("api")
	warm := p.tenant("Warm-up")
	must(t, warm.scim.createAll(people("warm", 200)))
	p.published()

	// A new Redis makes the first scheduler dispatch everything again. That happens once in the life of an installation,
	// so it is over before the clock runs.
	scheduler := p.start("scheduler")
	testkit.Eventually(t, time.Minute, "the scheduler knows this Redis", func() bool {
		return query[int](t, p.db, "SELECT count(*) FROM settings WHERE key = 'redis.epoch'") > 0
	})
	p.published()
	worker := p.start("worker", "--queues", "provision:16")
	drain(t, p, warm.workspaceID, 200)
	end(t, worker, scheduler)

	rate := out.row("user.upsert applied, backlog of "+grouped(size.backlog), "operations/s")
	rate.target = func(outpost, _ float64) verdict { return verdict{"≥ 1,000/s", outpost >= 1000} }
	processor := out.row("processor time of a user.upsert, all parts", "ms")
	for round := range size.rounds {
		tenant := p.tenant("Backlog " + grouped(round+1))
		must(t, tenant.scim.createAll(people("backlog", size.backlog)))
		p.published()
		scheduler, worker := p.start("scheduler"), p.start("worker", "--queues", "provision:16")
		used := newMeter()
		value := drain(t, p, tenant.workspaceID, size.backlog)
		if spent, ok := used.spent(); ok {
			processor.add(outpostName, milliseconds(spent)/float64(size.backlog))
		}
		end(t, worker, scheduler)
		invited := query[int](t, p.db, "SELECT count(*) FROM members WHERE workspace_id = $1 AND status = 'invited'", tenant.workspaceID)
		if invited != size.backlog {
			t.Fatalf("%d people are invited members, want %d", invited, size.backlog)
		}
		rate.add(outpostName, value)
		t.Logf("round %d: %-40s %8.0f operations/s", round+1, "worker", value)
	}
}

// drain waits until n user.upsert operations of a workspace are done, and tells how many became so per second from the
// first look that found any to the last.
func drain(t *testing.T, p *product, workspaceID string, n int) float64 {
	t.Helper()
	const sql = "SELECT count(*) FROM operations WHERE workspace_id = $1 AND kind = 'user.upsert' AND state = 'done'"
	const stuck = 30 * time.Second
	var first, progress time.Time
	begin, last := 0, -1
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for progress = time.Now(); ; <-tick.C {
		done, now := query[int](t, p.db, sql, workspaceID), time.Now()
		if first.IsZero() && done > 0 {
			first, begin = now, done
		}
		switch {
		case done >= n && now.Equal(first):
			return 0 // too few to be measured
		case done >= n:
			return perSecond(done-begin, now.Sub(first))
		case done > last:
			last, progress = done, now
		case now.Sub(progress) > stuck:
			t.Fatalf("%d of %d user.upsert operations are done, and for %v none was added", done, n, stuck)
		}
	}
}

// end stops roles in good order.
func end(t *testing.T, processes ...*testkit.Process) {
	t.Helper()
	for _, p := range processes {
		p.Signal(syscall.SIGTERM)
	}
	for _, p := range processes {
		if status := p.Wait(time.Minute); status != 0 {
			t.Fatalf("process %d ended with status %d\n%s", p.Pid(), status, p.Stderr())
		}
	}
}
