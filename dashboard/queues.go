package dashboard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"outpost/jobs"
	"outpost/outbox"
	"outpost/store"
)

// queuesPage is how the queues of the whole installation do.
type queuesPage struct {
	Verdict    verdict
	Totals     queueTotals
	Rows       []queueRow
	Points     []bindPoint
	Workspaces []store.WorkspaceWaiting
	Asynqmon   bool
}

// queueTotals are the figures over all classes.
type queueTotals struct {
	Waiting, Delayed, Queues int
	Oldest, OldestIn         string
	In, Out                  string
	Processes                string
	Workers                  string // about the workers, below
}

// queueRow is a class of queues.
type queueRow struct {
	Class       jobs.Class
	What        string
	Waiting     int
	Delayed     int
	Oldest      string
	In, Out     string
	Line, Area  string // of what waited over the last ten minutes
	Places      string
	EmptyIn     string
	OneMore     string
	BusyPercent int
}

// bindPoint is one thing that could bind, and whether it does.
type bindPoint struct {
	OK        bool
	What, Got string
}

// classWords say what a class is for.
var classWords = map[jobs.Class]string{
	jobs.Revoke: "access removals", jobs.Provision: "people", jobs.Groups: "teams and roles", jobs.Mail: "invitations and notices", jobs.Upkeep: "mirrors, pruning",
}

func showQueues(r *request) error {
	return r.page("queues", head{title: "Queues", nav: "queues", wide: true}, r.d.queues())
}

// liveQueues keeps the page as it is.
func liveQueues(r *request) error {
	return r.stream("queues", 2*time.Second, func(context.Context) ([]event, error) {
		p := r.d.queues()
		var events []event
		for _, name := range []string{"queue-verdict", "totals", "queues", "binds", "workspaces"} {
			e, err := r.d.part("queues", name, name, p)
			if err != nil {
				return nil, err
			}
			events = append(events, e)
		}
		return events, nil
	})
}

// queues puts into words what was seen last.
func (d *Dashboard) queues() queuesPage {
	seen := d.Watch.Picture()
	p := queuesPage{Workspaces: seen.Workspaces, Asynqmon: d.Queue != nil}
	var in, out float64
	var oldest time.Duration
	places, busy := 0, 0
	bound := map[outbox.Binds]bool{}
	var slow []string
	for _, l := range seen.Loads {
		row := queueRow{Class: l.Class, What: classWords[l.Class], Waiting: l.Waiting, Delayed: l.Delayed, Oldest: "–", In: pace(l.In), Out: pace(l.Out), OneMore: l.OneMore(), Places: "?", EmptyIn: "no end in sight"}
		if l.Waiting > 0 {
			row.Oldest = dur(l.Oldest)
		}
		if left, ok := l.EmptyIn(); ok {
			row.EmptyIn = "now"
			if left > 0 {
				row.EmptyIn = dur(left.Round(time.Second))
			}
		}
		if l.Places != nil {
			row.Places = fmt.Sprintf("%d of %d", l.Running, l.Places.Places)
			places, busy = places+l.Places.Places, busy+l.Running
		}
		row.Line, row.Area = waitingLine(seen.Points[l.Class])
		p.Rows = append(p.Rows, row)
		p.Totals.Waiting += l.Waiting
		p.Totals.Delayed += l.Delayed
		if l.Waiting > 0 {
			p.Totals.Queues++
		}
		if l.Waiting > 0 && l.Oldest > oldest {
			oldest, p.Totals.OldestIn = l.Oldest, string(l.Class)
		}
		in, out = in+l.In, out+l.Out
		bound[l.Binds()] = true
		if l.Waiting > 0 && l.Oldest > 10*time.Second {
			slow = append(slow, string(l.Class))
		}
	}
	p.Totals.Oldest = "–"
	if oldest > 0 {
		p.Totals.Oldest = dur(oldest)
	}
	p.Totals.In, p.Totals.Out = pace(in), pace(out)
	p.Totals.Processes, p.Totals.Workers = num(seen.Processes), map[bool]string{true: "worker process", false: "worker processes"}[seen.Processes == 1]
	if seen.Unknown != "" {
		p.Totals.Processes, p.Totals.Workers = "?", sentence(seen.Unknown)
	}
	p.Points = []bindPoint{
		{!bound[outbox.BindsWorkers], "Workers", busyWords(places, busy, seen.Unknown)},
		{!bound[outbox.BindsMailServer], "Mail server", map[bool]string{true: "the limit now: its own speed, or the pace of a workspace", false: "not the limit"}[bound[outbox.BindsMailServer]]},
		{seen.RedisAway == 0, "Redis", redisWords(seen, d.Queue != nil)},
	}
	p.Verdict = queuesVerdict(seen, p.Totals, bound, slow)
	return p
}

func busyWords(places, busy int, unknown string) string {
	switch {
	case unknown != "":
		return "not known"
	case places == 0:
		return "none runs"
	}
	return fmt.Sprintf("%d of %d places busy", busy, places)
}

func redisWords(seen outbox.Picture, there bool) string {
	switch {
	case !there:
		return "none: workers ask the database for work"
	case seen.RedisAway > 0:
		return "away for " + dur(seen.RedisAway.Truncate(time.Second)) + ": workers ask the database for work"
	}
	facts := []string{"up"}
	if seen.Redis.Version != "" {
		facts = append(facts, "version "+seen.Redis.Version)
	}
	if seen.Redis.Memory > 0 {
		facts = append(facts, fmt.Sprintf("%.1f MB", float64(seen.Redis.Memory)/1e6))
	}
	return strings.Join(facts, ", ")
}

// queuesVerdict says whether the installation keeps up.
func queuesVerdict(seen outbox.Picture, t queueTotals, bound map[outbox.Binds]bool, slow []string) verdict {
	switch {
	case seen.At.IsZero():
		return verdict{"busy", "Looking at the queues for the first time.", "The figures follow in a moment."}
	case t.Waiting == 0 && t.Delayed == 0:
		return verdict{"good", "Keeping up. Nothing waits.", ""}
	case seen.Unknown == "" && seen.Processes == 0 && t.Waiting > 0:
		return verdict{"bad", "No worker runs, and " + plural(t.Waiting, "job waits", "jobs wait") + ".", "Start one: outpost worker."}
	case len(slow) == 0:
		return verdict{"good", "Keeping up. " + plural(t.Waiting, "job waits", "jobs wait") + ", none for long.", delayedWords(t.Delayed)}
	case bound[outbox.BindsMailServer] && !bound[outbox.BindsWorkers]:
		return verdict{"busy", "Keeping up, except mail: it waits for the mail server, not for us.", "More workers would not help."}
	case bound[outbox.BindsWorkers]:
		return verdict{"warn", "Work waits for workers: " + words(slow) + ".", "See below what one more would change."}
	}
	return verdict{"busy", "Working it off: " + words(slow) + " " + map[bool]string{true: "has", false: "have"}[len(slow) == 1] + " waited longest.", delayedWords(t.Delayed)}
}

func delayedWords(n int) string {
	if n == 0 {
		return ""
	}
	return plural(n, "job is", "jobs are") + " due later: a hold, a pace or another attempt."
}

// waitingLine draws what waited.
func waitingLine(points []outbox.LoadPoint) (line, area string) {
	if len(points) < 2 {
		return "", ""
	}
	most := 1
	for _, p := range points {
		most = max(most, p.Waiting)
	}
	step := max(1, len(points)/60)
	var b strings.Builder
	for i := 0; i < len(points); i += step {
		fmt.Fprintf(&b, "%s%.1f %.1f", map[bool]string{true: "M", false: " L"}[i == 0], 120*float64(i)/float64(len(points)-1), 30-26*float64(points[i].Waiting)/float64(most))
	}
	return b.String(), b.String() + " L120 32 L0 32Z"
}
