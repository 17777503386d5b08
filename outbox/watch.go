package outbox

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"outpost/jobs"
	"outpost/models"
	"outpost/store"
)

// How Watch looks: each watchEvery, and back over watchLife.
const (
	watchEvery = 2 * time.Second
	watchLife  = 10 * time.Minute
	// outOver is the time over which what goes is measured: as long as that over which store counts what comes.
	outOver = 10 * time.Second
)

// Watch looks at the queues of the whole installation and remembers the last ten minutes, in memory.
type Watch struct {
	store *store.Store
	queue *jobs.Client // nil where there is no Redis
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	picture Picture
}

// Picture is what Watch saw last.
type Picture struct {
	At         time.Time                  // zero before the first look
	Loads      []Load                     // of every class, most urgent first
	Workspaces []store.WorkspaceWaiting   // the ten with the most waiting
	Points     map[jobs.Class][]LoadPoint // the last ten minutes, oldest first
	Processes  int                        // worker processes
	Unknown    string                     // why Processes and Places are not known, as a sentence; "" when they are
	RedisAway  time.Duration              // 0 while it answers; without Redis always
	Redis      jobs.Facts                 // zero where it does not say
}

// LoadPoint is how a class did at a moment.
type LoadPoint struct {
	At      time.Time
	Open    int // waiting, delayed and running
	Waiting int
	In, Out float64
}

// NewWatch makes a Watch; queue may be nil, now is the clock.
func NewWatch(s *store.Store, queue *jobs.Client, log *slog.Logger, now func() time.Time) *Watch {
	return &Watch{store: s, queue: queue, log: log, now: now}
}

// Run looks every two seconds until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if err := w.Look(ctx); err != nil && ctx.Err() == nil {
			w.log.Debug("look at the queues", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Picture is what was seen last. Whoever gets it may keep it: it does not change any more.
func (w *Watch) Picture() Picture {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.picture
}

// Look takes a picture now. When the database does not answer the last one stays, which its At tells.
func (w *Watch) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	figures, err := w.store.QueueFigures(ctx)
	if err != nil {
		return err
	}
	last := w.Picture()
	p := Picture{At: w.now(), Workspaces: figures.Workspaces, Points: map[jobs.Class][]LoadPoint{}}
	var places map[jobs.Class]jobs.Places
	if servers, err := w.queue.Servers(ctx); err == nil {
		places, p.Processes = jobs.PlacesOf(servers)
	} else {
		p.Unknown = sentenceOf(err)
	}
	if w.queue != nil {
		if p.RedisAway = w.queue.Away(); p.RedisAway == 0 {
			p.Redis, _ = w.queue.Facts(ctx) // what it does not say is not shown
		}
	}
	for _, c := range jobs.Classes {
		f := figures.Classes[string(c.Class)]
		points := last.Points[c.Class]
		points = points[outdated(points, p.At):]
		l := Load{Class: c.Class, ClassFigures: f, Out: outRate(points, p.At, f), RedisAway: p.RedisAway > 0}
		if p.Unknown == "" {
			there := places[c.Class]
			l.Places = &there
		}
		p.Loads = append(p.Loads, l)
		p.Points[c.Class] = append(slices.Clip(points), LoadPoint{p.At, f.Open(), f.Waiting, f.In, l.Out})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.picture = p
	return nil
}

// outdated is how many of the points are older than watchLife.
func outdated(points []LoadPoint, now time.Time) int {
	n := 0
	for n < len(points) && now.Sub(points[n].At) > watchLife {
		n++
	}
	return n
}

// outRate is how many operations a second were done with since some ten seconds ago: what was open then and what came since,
// less what is open now.
func outRate(points []LoadPoint, now time.Time, f store.ClassFigures) float64 {
	for _, p := range points {
		if ago := now.Sub(p.At); ago > 0 && ago <= outOver+watchEvery/2 {
			return max((float64(p.Open)-float64(f.Open()))/ago.Seconds()+f.In, 0)
		}
	}
	return 0
}

func sentenceOf(err error) string {
	var known *models.Error
	if errors.As(err, &known) {
		return known.Detail
	}
	return "it is not known which workers run"
}
