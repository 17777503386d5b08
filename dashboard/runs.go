package dashboard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/store"
)

// runsPage lists the runs.
type runsPage struct {
	Provider string // "" without a connection
	Rows     []runRow
	Pager    pager
}

// runRow is a run in one line.
type runRow struct {
	models.Run
	bar
	Started moment
	Took    string
}

// bar is how far people are: shares of 100, as an SVG wants them.
type bar struct {
	Percent                    string
	DoneX, FailedX, HeldX      string
	DoneW, FailedW, HeldW      string
	Live                       bool
	Received, Applied, Waiting int
	Failed, Held               int
}

// barOf makes the bar of a run's figures.
func barOf(received, applied, waiting, failed, held int, live bool) bar {
	b := bar{Live: live, Received: received, Applied: applied, Waiting: waiting, Failed: failed, Held: held, Percent: percent(applied, received)}
	if !live && waiting == 0 {
		b.Percent = "100"
	}
	share := func(n int) float64 {
		if received == 0 {
			return 0
		}
		return 100 * float64(n) / float64(received)
	}
	done, bad, kept := share(applied), share(failed), share(held)
	text := func(f float64) string { return fmt.Sprintf("%.2f", f) }
	b.DoneX, b.DoneW, b.FailedX, b.FailedW, b.HeldX, b.HeldW = "0", text(done), text(done), text(bad), text(done+bad), text(kept)
	return b
}

func showRuns(r *request) error {
	offset := r.offset()
	runs, total, err := r.d.Store.Runs(r.ctx, r.workspace().ID, offset, pageSize)
	if err != nil {
		return err
	}
	p := runsPage{Pager: r.pager(offset, len(runs), total, "runs")}
	c, err := r.newestConnection()
	if err != nil {
		return err
	}
	if c != nil {
		p.Provider = c.Provider.Title()
	}
	for _, run := range runs {
		row := runRow{Run: run, Started: r.at(run.StartedAt), bar: barOf(run.Received, run.Applied, run.Waiting, run.Failed, run.Held, run.EndedAt == nil)}
		if run.EndedAt == nil {
			row.Took = dur(r.now.Sub(run.StartedAt).Truncate(time.Second)) + " so far"
		} else {
			row.Took = dur(run.EndedAt.Sub(run.StartedAt).Truncate(time.Second))
		}
		p.Rows = append(p.Rows, row)
	}
	return r.page("runs", head{title: "Runs", nav: "runs"}, p)
}

// runPage is one run, live or afterwards.
type runPage struct {
	models.Run
	Provider       string
	Started, Ended moment
	Live           bool
	Verdict        verdict // of a finished one
	Progress       progress
	Rate           chart
	Figures        store.RunFigures
	Latest         []store.RunPerson
}

// progress is the card with the bar and the figures.
type progress struct {
	bar
	Left, Pace, Note string
	Figures          store.RunFigures
	OldestWaiting    string
	Slowest, In      string
}

// chart is two lines over time.
type chart struct {
	Applied, Area, Received string // paths
	Label                   string
	From, To                moment
}

func (r *request) run() (models.Run, error) {
	id := r.PathValue("id")
	if !directory.IsID(id) {
		return models.Run{}, errNothing
	}
	return r.d.Store.Run(r.ctx, r.workspace().ID, id)
}

func showRun(r *request) error {
	run, err := r.run()
	if err != nil {
		return err
	}
	p := runPage{Run: run, Started: r.at(run.StartedAt), Ended: r.atPointer(run.EndedAt), Live: run.EndedAt == nil}
	c, err := r.d.Store.Connection(r.ctx, run.ConnectionID)
	if err != nil {
		return err
	}
	p.Provider = c.Provider.Title()
	if p.Figures, err = r.d.Store.RunFigures(r.ctx, run); err != nil {
		return err
	}
	if p.Rate, err = r.chart(run); err != nil {
		return err
	}
	if p.Latest, err = r.d.Store.RunLatest(r.ctx, run, 20); err != nil {
		return err
	}
	p.Progress = progressOf(run, p.Provider, p.Figures)
	if !p.Live {
		p.Verdict = runVerdict(run, p.Figures)
	}
	return r.page("run", head{title: run.Title, nav: "runs"}, p)
}

// progressOf says how far a run is.
func progressOf(run models.Run, provider string, f store.RunFigures) progress {
	p := progress{Figures: f, bar: barOf(f.Received, f.Applied, f.Waiting, f.Failed, f.Held, run.EndedAt == nil), OldestWaiting: dur(f.OldestWaiting.Truncate(time.Second)), Slowest: dur(f.Slowest)}
	if run.EndedAt != nil {
		p.In = dur(run.LastAt.Sub(run.StartedAt).Truncate(time.Second))
		return p
	}
	p.Pace = pace(f.AppliedRate) + " people a second"
	left, ok := f.TimeLeft()
	switch {
	case f.Waiting == 0 && f.Invitations.Waiting > 0:
		p.Left = plural(f.Invitations.Waiting, "invitation", "invitations") + " to go"
	case f.Waiting == 0:
		p.Left = "nothing waits"
	case ok:
		p.Left = "about " + dur(max(left.Round(time.Second), time.Second))
	default:
		p.Left = "nothing moves right now"
	}
	switch {
	case f.ReceivedRate > 0:
		p.Note = provider + " is still sending, " + pace(f.ReceivedRate) + " people a second now. The bar counts what has arrived, so it may step back."
	default:
		p.Note = provider + " has stopped sending. The run ends a minute after its last request, once nothing waits."
	}
	return p
}

// pace is a rate as people say it.
func pace(rate float64) string {
	if rate >= 10 || rate == float64(int(rate)) {
		return num(int(rate + 0.5))
	}
	return fmt.Sprintf("%.1f", rate)
}

// runVerdict says how a run ended.
func runVerdict(run models.Run, f store.RunFigures) verdict {
	took := dur(run.EndedAt.Sub(run.StartedAt).Truncate(time.Second))
	if f.Removed == f.Received {
		v := verdict{"good", fmt.Sprintf("Finished. %s lost access, after %s.", plural(f.Applied, "person", "people"), took), "Nothing is waiting."}
		if f.Held > 0 {
			v.Class, v.More = "warn", plural(f.Held, "removal waits", "removals wait")+" for a decision."
		}
		return v
	}
	v := verdict{"good", fmt.Sprintf("Finished. %s of %s are in, after %s.", num(f.Applied), plural(f.Received, "person", "people"), took), "Everything is done; nothing is waiting."}
	if f.Failed+f.Held > 0 {
		v.Class = "warn"
		var open []string
		if f.Failed > 0 {
			open = append(open, plural(f.Failed, "person has", "people have")+" something that failed")
		}
		if f.Held > 0 {
			open = append(open, plural(f.Held, "change waits", "changes wait")+" for a decision")
		}
		v.More = sentence(words(open)) + " Everything else is done."
	}
	return v
}

const chartBuckets = 60

// chart draws the pace of a run.
func (r *request) chart(run models.Run) (chart, error) {
	points, err := r.d.Store.RunSeries(r.ctx, run, chartBuckets)
	if err != nil {
		return chart{}, err
	}
	c := chart{From: r.at(run.StartedAt), To: r.at(r.now)}
	if run.EndedAt != nil {
		c.To = r.atPointer(run.EndedAt)
	}
	most, applied, received := 1.0, 0.0, 0.0
	for _, p := range points {
		applied, received = max(applied, p.Applied), max(received, p.Received)
	}
	most = max(most, applied, received)
	line := func(value func(store.RunPoint) float64) string {
		var b strings.Builder
		for i, p := range points {
			x := 600.0
			if len(points) > 1 {
				x = 600 * float64(i) / float64(len(points)-1)
			}
			fmt.Fprintf(&b, "%s%.0f %.0f", map[bool]string{true: "M", false: " L"}[i == 0], x, 120-110*value(p)/most)
		}
		return b.String()
	}
	c.Applied, c.Received = line(func(p store.RunPoint) float64 { return p.Applied }), line(func(p store.RunPoint) float64 { return p.Received })
	if c.Applied != "" {
		c.Area = c.Applied + " L600 120 L0 120Z"
	}
	c.Label = fmt.Sprintf("People a second since the start: applied up to %s, received up to %s", pace(applied), pace(received))
	return c, nil
}

// liveRun keeps a run's page as it is, until the run ends.
func liveRun(r *request) error {
	run, err := r.run()
	if err != nil {
		return err
	}
	c, err := r.d.Store.Connection(r.ctx, run.ConnectionID)
	if err != nil {
		return err
	}
	provider := c.Provider.Title()
	var drawn time.Time
	var rate event
	return r.stream("run "+run.ID, 400*time.Millisecond, func(ctx context.Context) ([]event, error) {
		v := r.viewer(ctx)
		run, err := r.d.Store.Run(ctx, run.WorkspaceID, run.ID)
		if err != nil {
			return nil, err
		}
		if run.EndedAt != nil {
			return []event{{name: "done"}}, nil
		}
		f, err := r.d.Store.RunFigures(ctx, run)
		if err != nil {
			return nil, err
		}
		p := progressOf(run, provider, f)
		events := make([]event, 0, 4)
		for _, part := range []struct {
			name string
			data any
		}{{"progress", p}, {"does", runPage{Run: run, Provider: provider, Figures: f, Live: true}}} {
			e, err := r.d.part("run", part.name, part.name, part.data)
			if err != nil {
				return nil, err
			}
			events = append(events, e)
		}
		if now := time.Now(); now.Sub(drawn) > 2*time.Second {
			c, err := v.chart(run)
			if err != nil {
				return nil, err
			}
			if rate, err = r.d.part("run", "rate", "rate", c); err != nil {
				return nil, err
			}
			drawn = now
		}
		latest, err := r.d.Store.RunLatest(ctx, run, 20)
		if err != nil {
			return nil, err
		}
		e, err := r.d.part("run", "latest", "latest", latest)
		return append(events, rate, e), err
	})
}
