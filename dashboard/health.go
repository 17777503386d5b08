package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"time"

	"outpost/models"
	"outpost/store"
)

// verdict is a page's first sentence: the answer to the question it was opened for.
type verdict struct {
	Class string // good, busy, warn or bad
	Text  string
	More  string
}

// Icon is the sign beside it.
func (v verdict) Icon() string {
	return map[string]string{"good": "ok", "busy": "retry", "warn": "pause", "bad": "bad"}[v.Class]
}

// Badge is the verdict in a word.
func (v verdict) Badge() template.HTML {
	switch v.Class {
	case "good":
		return mark("active", "Healthy")
	case "busy":
		return mark("running", "Working")
	case "warn":
		return mark("held", "Look at it")
	}
	return mark("failed", "Needs you")
}

// healthStats are the figures of a connection.
type healthStats struct {
	Provider         models.Provider
	ID               string
	Last             moment
	LastWhat         string
	Requests, Failed int
	Typical          string // duration of an answer
	Trouble          string // the newest one today
	TroubleAt        moment
	Bars             []hourBar
	Label            string // what the chart says
}

// hourBar is one hour of the chart, in its own units.
type hourBar struct {
	X                       int
	Y, Height, BadY, BadTop string
	Bad                     bool
}

// liveConnection is what a connection's figures are made of.
type liveConnection struct {
	health models.ConnectionHealth
	hours  []models.ConnectionHour
	work   store.OpenWork
}

func (d *Dashboard) readConnection(ctx context.Context, id string) (l liveConnection, err error) {
	if l.health, err = d.Store.Health(ctx, id); err != nil {
		return l, err
	}
	if l.hours, err = d.Store.Hours(ctx, id, d.Now().Add(-25*time.Hour)); err != nil {
		return l, err
	}
	l.work, err = d.Store.OpenWork(ctx, id)
	return l, err
}

// judge says in one sentence how a connection is.
func (r *request) judge(c models.Connection, h models.ConnectionHealth, w store.OpenWork) verdict {
	title := c.Provider.Title()
	called := "It has not called yet."
	if h.LastAt != nil {
		called = title + " last called " + ago(r.now.Sub(*h.LastAt)) + "."
	}
	ended := h.ErrorAt != nil && (h.LastAt == nil || !h.LastAt.After(*h.ErrorAt)) && r.now.Sub(*h.ErrorAt) < 24*time.Hour
	switch {
	case c.Status == models.ConnectionPaused:
		return verdict{"warn", "Paused. Requests are refused until you resume it.", called + " Nothing is lost: retry the failed tasks in " + title + " afterwards."}
	case !r.workspace().Plan.DirectorySync():
		return verdict{"bad", "The plan does not include Directory Sync. Requests are refused.", called}
	case ended && h.ErrorKind == models.TroubleToken:
		return verdict{"bad", title + " calls with a wrong token.", "Make a new token below and paste it into " + title + "."}
	case ended && (h.ErrorKind == models.TroubleURL || h.ErrorKind == models.TroubleOurs):
		return verdict{"bad", "The last request of " + title + " failed.", sentence(h.ErrorDetail)}
	case h.FirstSuccessAt == nil:
		return verdict{"busy", "Waiting for " + title + "’s first request.", "Follow the setup steps; the first request is the test of the connection."}
	case w.Held > 0:
		return verdict{"warn", plural(w.Held, "change waits", "changes wait") + " for a decision.", called}
	case w.Failed > 0:
		return verdict{"warn", plural(w.Failed, "job has", "jobs have") + " failed and needs you.", called}
	case w.Open > 0:
		return verdict{"busy", "Working: " + plural(w.Open, "job", "jobs") + " to go.", called}
	}
	return verdict{"good", "Healthy. " + called + " Everything it asked for is done.", ""}
}

// ago is a duration since, in words.
func ago(d time.Duration) string {
	if d < 2*time.Second {
		return "a moment ago"
	}
	return dur(d.Truncate(time.Second)) + " ago"
}

func (r *request) healthStats(c models.Connection, l liveConnection) healthStats {
	h := l.health
	s := healthStats{Provider: c.Provider, ID: c.ID, Last: r.atPointer(h.LastAt)}
	if h.LastAt != nil {
		s.LastWhat = fmt.Sprintf("%s %s, %d in %s", h.LastMethod, h.LastRoute, h.LastStatus, dur(time.Duration(h.LastMicros)*time.Microsecond))
	}
	now := r.now.In(r.zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, r.zone)
	var micros int64
	var hours [24]models.ConnectionHour
	most := int64(0)
	for _, hour := range l.hours {
		if !hour.Hour.Before(midnight.Truncate(time.Hour)) {
			s.Requests += int(hour.Requests)
			s.Failed += int(hour.Failures)
			micros += hour.Micros
		}
		if i := 23 - int(r.now.Truncate(time.Hour).Sub(hour.Hour).Hours()); i >= 0 && i < 24 {
			hours[i] = hour
			most = max(most, hour.Requests)
		}
	}
	if s.Requests > 0 {
		s.Typical = dur(time.Duration(micros/int64(s.Requests)) * time.Microsecond)
	}
	if h.ErrorAt != nil && !h.ErrorAt.Before(midnight) {
		s.Trouble, s.TroubleAt = troubleWords[h.ErrorKind], r.atPointer(h.ErrorAt)
	}
	failures := int64(0)
	for i, hour := range hours {
		b := hourBar{X: 1 + 10*i}
		if most > 0 {
			height := 36 * float64(hour.Requests) / float64(most)
			bad := 36 * float64(hour.Failures) / float64(most)
			if hour.Failures > 0 {
				bad = max(bad, 3)
				b.Bad = true
			}
			b.Y, b.Height = fmt.Sprintf("%.1f", 36-height), fmt.Sprintf("%.1f", height)
			b.BadY, b.BadTop = fmt.Sprintf("%.1f", 36-bad), fmt.Sprintf("%.1f", bad)
		}
		failures += hour.Failures
		s.Bars = append(s.Bars, b)
	}
	s.Label = fmt.Sprintf("Requests an hour over the last 24 hours, most %s, %s failed", num(int(most)), num(int(failures)))
	return s
}

// troubleWords name what was wrong with a refused request.
var troubleWords = map[string]string{
	models.TroubleToken: "Wrong token", models.TroubleURL: "Wrong address", models.TroublePlan: "Not on Enterprise",
	models.TroublePaused: "Paused", models.TroubleRequest: "Request refused", models.TroubleOurs: "A fault of ours",
}

// liveSetup keeps the check of the setup dialog as it is.
func liveSetup(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	return r.stream("setup "+c.ID, connectionHealthEvery, func(ctx context.Context) ([]event, error) {
		v := r.viewer(ctx)
		tokens, err := r.d.Store.Tokens(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		k, err := v.check(c, tokens)
		if err != nil {
			return nil, err
		}
		e, err := r.d.part("setup", "check", "check", k)
		return []event{e}, err
	})
}

// liveHealth keeps the verdict and the figures of a connection's page as they are.
func liveHealth(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	return r.stream("connection "+c.ID, time.Second, func(ctx context.Context) ([]event, error) {
		v := r.viewer(ctx)
		c, err := r.d.Store.Connection(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		live, err := r.d.readConnection(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		health, err := r.d.part("connection", "health", "health", v.healthStats(c, live))
		if err != nil {
			return nil, err
		}
		word, err := r.d.part("connection", "verdict", "verdict", v.judge(c, live.health, live.work))
		return []event{health, word}, err
	})
}

// viewer is a live view's reader at a later moment: who, and the clock as it is now.
func (r *request) viewer(ctx context.Context) *request {
	return &request{Request: r.Request, d: r.d, ctx: ctx, visit: r.visit, zone: r.zone, now: r.d.Now()}
}
