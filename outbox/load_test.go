package outbox

import (
	"testing"
	"time"

	"outpost/jobs"
	"outpost/store"
)

func TestALoadSaysWhatBindsAndWhatOneMoreWorkerWouldDo(t *testing.T) {
	t.Parallel()
	two := &jobs.Places{Processes: 2, Places: 32}
	figures := func(waiting, running, delayed int, in float64) store.ClassFigures {
		return store.ClassFigures{Waiting: waiting, Running: running, Delayed: delayed, In: in}
	}
	for _, test := range []struct {
		what  string
		load  Load
		binds Binds
		empty time.Duration // -1 for no end
		more  string
	}{
		{"nothing waits", Load{Class: jobs.Revoke, ClassFigures: figures(0, 1, 0, 0.2), Out: 0.2, Places: two}, BindsNothing, 0, "change nothing"},
		{"every place is busy", Load{Class: jobs.Provision, ClassFigures: figures(884, 32, 0, 31), Out: 48, Places: two}, BindsWorkers, 52 * time.Second, "empty it in 22 s instead of 52 s"},
		{"more comes than goes, and one would do", Load{Class: jobs.Provision, ClassFigures: figures(900, 32, 0, 60), Out: 48, Places: two}, BindsWorkers, -1, "empty it in 75 s: now more comes than goes"},
		{"more comes than goes, and one would not do", Load{Class: jobs.Provision, ClassFigures: figures(900, 32, 0, 100), Out: 48, Places: two}, BindsWorkers, -1, "not be enough: it takes 3 more to keep up"},
		{"busy, and nothing done", Load{Class: jobs.Provision, ClassFigures: figures(900, 32, 0, 100), Places: two}, BindsWorkers, -1, "do what nobody can tell: nothing was done in the last ten seconds"},
		{"places are free", Load{Class: jobs.Groups, ClassFigures: figures(10, 3, 0, 5), Out: 10, Places: two}, BindsNothing, 2 * time.Second, "change nothing: there are places free"},
		{"a slow mail server", Load{Class: jobs.Mail, ClassFigures: figures(2354, 32, 0, 0.4), Out: 20, Places: two}, BindsMailServer, 2354 * time.Second * 10 / 196, "change nothing: the mail server is the limit"},
		{"a fast mail server", Load{Class: jobs.Mail, ClassFigures: figures(1000, 32, 0, 0), Out: 100, Places: two}, BindsWorkers, 10 * time.Second, "empty it in 7 s instead of 10 s"},
		{"paced mails", Load{Class: jobs.Mail, ClassFigures: figures(0, 0, 100, 0), Out: 10, Places: two}, BindsMailServer, 10 * time.Second, "change nothing: mails wait for their pace or for another attempt"},
		{"no worker", Load{Class: jobs.Groups, ClassFigures: figures(5, 0, 0, 1), Places: &jobs.Places{}}, BindsWorkers, -1, "begin with it: no worker serves this queue"},
		{"no worker for mails", Load{Class: jobs.Mail, ClassFigures: figures(5, 0, 0, 1), Places: &jobs.Places{}}, BindsWorkers, -1, "begin with it: no worker serves this queue"},
		{"Redis is away", Load{Class: jobs.Groups, ClassFigures: figures(5, 0, 0, 1), Out: 2, RedisAway: true}, BindsRedis, 5 * time.Second, "show its use once Redis is back: until then workers ask the database for work"},
		{"there is no Redis", Load{Class: jobs.Groups, ClassFigures: figures(5, 0, 0, 1), Out: 2}, BindsNothing, 5 * time.Second, "do what nobody can tell: without Redis it is not known which workers run"},
	} {
		empty, ok := test.load.EmptyIn()
		if !ok {
			empty = -1
		}
		if test.load.Binds() != test.binds || empty.Round(time.Millisecond) != test.empty.Round(time.Millisecond) || test.load.OneMore() != test.more {
			t.Errorf("%s: %s binds, empty in %v, one more would %s", test.what, test.load.Binds(), empty, test.load.OneMore())
		}
	}
}

func TestWhatGoesIsWhatCameAndIsNotThere(t *testing.T) {
	t.Parallel()
	now := time.Now()
	points := []LoadPoint{{At: now.Add(-14 * time.Second), Open: 9999}, {At: now.Add(-10 * time.Second), Open: 500}, {At: now.Add(-2 * time.Second), Open: 9999}}
	for _, test := range []struct {
		points []LoadPoint
		open   int
		in     float64
		want   float64
	}{
		{points, 300, 10, 30},
		{points, 500, 10, 10},
		{points, 900, 10, 0}, // made due again by hand: none went
		{nil, 300, 10, 0},    // the first look
		{points[:1], 300, 10, 0},
	} {
		if got := outRate(test.points, now, store.ClassFigures{Waiting: test.open, In: test.in}); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
	if n := outdated([]LoadPoint{{At: now.Add(-11 * time.Minute)}, {At: now.Add(-9 * time.Minute)}}, now); n != 1 {
		t.Errorf("%d outdated", n)
	}
}
