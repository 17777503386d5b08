package store

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// QueueFigures is what waits in the whole installation, by the rows and not by the queue.
type QueueFigures struct {
	Classes    map[string]ClassFigures // by queue class; one without operations is not there
	Workspaces []WorkspaceWaiting      // the ten with the most waiting
}

// ClassFigures is how a queue class stands.
type ClassFigures struct {
	Waiting int           // due, and nobody works on them
	Running int           // claimed by a worker
	Delayed int           // due later: a mail's hold or pace, or the next attempt
	Oldest  time.Duration // how long the longest of what Waiting counts has been due
	In      float64       // operations a second that came to be done, over the last ten seconds
}

// Open is how many operations are to be done.
func (f ClassFigures) Open() int { return f.Waiting + f.Running + f.Delayed }

// WorkspaceWaiting is how much of a workspace waits, in all classes.
type WorkspaceWaiting struct {
	ID, Name string
	Waiting  int
	Oldest   time.Duration
}

// QueueFigures counts what is open, through the index of that, and what came in the last ten seconds, by its ids.
func (s *Store) QueueFigures(ctx context.Context) (QueueFigures, error) {
	var rows []struct {
		WorkspaceID, Class        string
		Waiting, Running, Delayed int
		Oldest                    *int64
	}
	now := "(SELECT " + s.now(0) + ")" // asked once, not for each row
	if err := s.r(ctx).Raw(`SELECT workspace_id, class, count(*) FILTER (WHERE state = 'pending' AND not_before <= ` + now + `) AS waiting,
		count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'pending' AND not_before > ` + now + `) AS delayed,
		` + s.dialect.span("min(not_before) FILTER (WHERE state = 'pending')", now) + ` AS oldest
		FROM operations WHERE finished_at IS NULL AND state IN ('pending', 'running') GROUP BY workspace_id, class`).Scan(&rows).Error; err != nil {
		return QueueFigures{}, translate(err, "operations")
	}
	var came []struct {
		Class string
		N     int
	}
	if err := s.r(ctx).Raw("SELECT class, count(*) AS n FROM operations WHERE id >= ? AND state <> 'held' GROUP BY class",
		FirstID(s.clock().Add(-rateOver))).Scan(&came).Error; err != nil {
		return QueueFigures{}, translate(err, "operations")
	}
	q := QueueFigures{Classes: map[string]ClassFigures{}}
	spaces := map[string]*WorkspaceWaiting{}
	for _, r := range rows {
		c := q.Classes[r.Class]
		c.Waiting, c.Running, c.Delayed, c.Oldest = c.Waiting+r.Waiting, c.Running+r.Running, c.Delayed+r.Delayed, max(c.Oldest, millis(r.Oldest))
		q.Classes[r.Class] = c
		if r.Waiting == 0 {
			continue
		}
		w := spaces[r.WorkspaceID]
		if w == nil {
			w = &WorkspaceWaiting{ID: r.WorkspaceID}
			spaces[r.WorkspaceID] = w
		}
		w.Waiting, w.Oldest = w.Waiting+r.Waiting, max(w.Oldest, millis(r.Oldest))
	}
	for _, c := range came {
		f := q.Classes[c.Class]
		f.In = float64(c.N) / rateOver.Seconds()
		q.Classes[c.Class] = f
	}
	for _, w := range spaces {
		q.Workspaces = append(q.Workspaces, *w)
	}
	slices.SortFunc(q.Workspaces, func(a, b WorkspaceWaiting) int {
		return cmp.Or(cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(a.ID, b.ID))
	})
	q.Workspaces = q.Workspaces[:min(len(q.Workspaces), 10)]
	return q, s.nameWorkspaces(ctx, q.Workspaces)
}

func (s *Store) nameWorkspaces(ctx context.Context, spaces []WorkspaceWaiting) error {
	ids := make([]string, len(spaces))
	for i, w := range spaces {
		ids[i] = w.ID
	}
	var named []struct{ ID, Name string }
	if err := s.r(ctx).Raw("SELECT id, name FROM workspaces WHERE id "+s.dialect.in, s.dialect.list(ids)).Scan(&named).Error; err != nil {
		return translate(err, "workspaces")
	}
	for _, n := range named {
		spaces[slices.Index(ids, n.ID)].Name = n.Name
	}
	return nil
}
