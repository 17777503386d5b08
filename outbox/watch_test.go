package outbox_test

import (
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/jobs"
	"outpost/outbox"
)

func TestAWatchSeesWhatWaitsAndWhoIsThere(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, r *testkit.RedisServer) {
		watch := outbox.NewWatch(w.Store, w.Queue, w.Log, w.Clock.Now)
		if !watch.Picture().At.IsZero() {
			t.Error("a picture before the first look")
		}
		look := func() outbox.Picture {
			t.Helper()
			if err := watch.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			return watch.Picture()
		}
		for _, name := range []string{"ada", "bob", "cy"} {
			w.User(name)
		}
		provision := 1 // its place among the classes
		p := look()
		l := p.Loads[provision]
		if l.Class != jobs.Provision || l.Waiting != 3 || l.In != 0.3 || l.Places == nil || l.Places.Places != 0 || p.Unknown != "" || p.Processes != 0 || l.OneMore() != "begin with it: no worker serves this queue" {
			t.Errorf("before a worker: %+v", l)
		}
		if len(p.Workspaces) != 1 || p.Workspaces[0].Name != "Acme" || p.Workspaces[0].Waiting != 3 || p.Redis.Version == "" {
			t.Errorf("before a worker: %+v", p)
		}
		w.Schedule()
		w.Mailbox(nil)
		w.Settled(20 * time.Second)
		w.Clock.Advance(10 * time.Second)
		testkit.Eventually(t, 10*time.Second, "the worker is seen", func() bool { return look().Processes == 1 })
		p = look()
		l = p.Loads[provision]
		if l.Waiting != 0 || l.Out < 0.3 || l.Places.Places != 4 || l.OneMore() != "change nothing" {
			t.Errorf("after it: %+v", l)
		}
		if points := p.Points[jobs.Provision]; len(points) < 3 || points[0].Open != 3 || points[len(points)-1].Open != 0 {
			t.Errorf("points: %+v", points)
		}
		r.Kill()
		testkit.Eventually(t, 10*time.Second, "the loss is seen", func() bool { return look().RedisAway > 0 })
		if p = look(); !strings.Contains(p.Unknown, "Redis does not answer") || p.Loads[provision].Places != nil {
			t.Errorf("without Redis: %+v", p)
		}
		w.Clock.Advance(11 * time.Minute)
		if points := look().Points[jobs.Provision]; len(points) != 1 {
			t.Errorf("%d points of more than ten minutes", len(points))
		}
	})
}

func TestAWatchWithoutRedisSaysSo(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		watch := outbox.NewWatch(w.Store, nil, w.Log, w.Clock.Now)
		if err := watch.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p := watch.Picture(); !strings.HasPrefix(p.Unknown, "there is no Redis here") || p.RedisAway != 0 || len(p.Loads) != len(jobs.Classes) {
			t.Errorf("%+v", p)
		}
	})
}
