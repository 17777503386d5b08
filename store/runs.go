package store

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"outpost/models"
)

// RunQuiet is how long nobody new has to come for a run to be over. Whoever comes sooner after its last belongs to it.
const RunQuiet = time.Minute

// Runs lists the runs of a workspace, newest first, from the offset-th on and at most limit, and tells how many there are.
func (s *Store) Runs(ctx context.Context, workspaceID string, offset, limit int) ([]models.Run, int, error) {
	var total int64
	if err := s.r(ctx).Model(&models.Run{}).Where("workspace_id = ?", workspaceID).Count(&total).Error; err != nil {
		return nil, 0, translate(err, "runs")
	}
	var runs []models.Run
	err := s.r(ctx).Where("workspace_id = ?", workspaceID).Order("id DESC").Offset(offset).Limit(limit).Find(&runs).Error
	return runs, int(total), translate(err, "runs")
}

// Run finds a run of a workspace by its id.
func (s *Store) Run(ctx context.Context, workspaceID, id string) (models.Run, error) {
	var run models.Run
	err := s.r(ctx).Where("id = ? AND workspace_id = ?", id, workspaceID).Take(&run).Error
	return run, translate(err, "the run "+id)
}

// Arriving is a connection on which people came, or which has an open run.
type Arriving struct{ WorkspaceID, ConnectionID string }

// Arriving lists the connections with at least n operations about people since then, and those with an open run. It
// reads the operations since then and no others.
func (s *Store) Arriving(ctx context.Context, since time.Time, n int) ([]Arriving, error) {
	var as []Arriving
	err := s.r(ctx).Raw(`SELECT workspace_id, connection_id FROM operations
		WHERE id >= ? AND kind IN ('user.upsert', 'user.deactivate') AND connection_id IS NOT NULL
		GROUP BY workspace_id, connection_id HAVING count(*) >= ?
		UNION SELECT workspace_id, connection_id FROM runs WHERE ended_at IS NULL`, FirstID(since), n).Scan(&as).Error
	return as, translate(err, "operations")
}

// LatestRun finds the newest run of a connection. ok is false when there is none.
func (s *Store) LatestRun(ctx context.Context, a Arriving) (run models.Run, ok bool, err error) {
	r := s.r(ctx).Raw("SELECT * FROM runs WHERE workspace_id = ? AND connection_id = ? ORDER BY id DESC LIMIT 1", a.WorkspaceID, a.ConnectionID).Scan(&run)
	return run, r.RowsAffected > 0, translate(r.Error, "runs")
}

// Arrival is one operation about a person.
type Arrival struct {
	ID         string
	ResourceID string
}

// Arrivals lists the operations about people that came on a connection from then on, oldest first.
func (s *Store) Arrivals(ctx context.Context, a Arriving, from time.Time) ([]Arrival, error) {
	var as []Arrival
	err := s.r(ctx).Raw(`SELECT id, resource_id FROM operations WHERE workspace_id = ? AND id >= ? AND connection_id = ?
		AND kind IN ('user.upsert', 'user.deactivate') ORDER BY id`, a.WorkspaceID, FirstID(from), a.ConnectionID).Scan(&as).Error
	return as, translate(err, "operations")
}

// LastArrival tells when the last person of those came who followed one another on a connection, less than RunQuiet
// apart, after the one at last.
func (s *Store) LastArrival(ctx context.Context, a Arriving, last time.Time) (time.Time, error) {
	for {
		var ids []string
		err := s.r(ctx).Raw(`SELECT id FROM operations WHERE workspace_id = ? AND id >= ? AND id < ? AND connection_id = ?
			AND kind IN ('user.upsert', 'user.deactivate') ORDER BY id DESC LIMIT 1`,
			a.WorkspaceID, FirstID(last.Add(time.Millisecond)), FirstID(last.Add(RunQuiet)), a.ConnectionID).Scan(&ids).Error
		if err != nil || len(ids) == 0 {
			return last, translate(err, "operations")
		}
		last = IDTime(ids[0])
	}
}

// SaveRun writes every changeable column of a run, as long as it is still what was read: an open one (or an ended one,
// when reopens is set) whose last person came at lastAt. It fails with Stale otherwise.
func (tx *Tx) SaveRun(run models.Run, lastAt time.Time, reopens bool) error {
	open := "ended_at IS NULL"
	if reopens {
		open = "ended_at IS NOT NULL"
	}
	n, err := tx.exec("save the run", `UPDATE runs SET title = ?, last_at = ?, ended_at = ?, received = ?, applied = ?, waiting = ?, failed = ?, held = ?
		WHERE id = ? AND last_at = ? AND `+open,
		run.Title, run.LastAt.UTC(), plain(run.EndedAt), run.Received, run.Applied, run.Waiting, run.Failed, run.Held, run.ID, lastAt.UTC())
	return affected(n, err, "the run")
}

// RunFigures is how a run stands, computed from its operations. Whoever came in it counts once: Failed when any operation
// of theirs in it failed, their mails included, else Held when one is held, else Waiting while one about themselves is to
// be applied, else Applied.
type RunFigures struct {
	Received, Applied, Waiting, Failed, Held int

	// Removed of them were deactivated and nothing else.
	Removed int
	// HereAlready of them were members, or known to the connection, before the run; NewPeople are the others.
	NewPeople, HereAlready int
	// Joined of the new people have accepted their invitation by now.
	Joined int
	// Invitations counts people by how the mail that invites them stands; the worst counts where there are several.
	Invitations Invitations `gorm:"embedded;embeddedPrefix:mail_"`
	// Groups are the groups that were synced in the run, in the order of their first sync, ten at most; GroupCount is how
	// many there were.
	Groups     []RunGroup `gorm:"-"`
	GroupCount int        `gorm:"-"`

	// OldestWaiting is how long the oldest of what Waiting counts has waited.
	OldestWaiting time.Duration
	// Slowest is the longest that a person's operation took, from the request to its end.
	Slowest time.Duration
	// AppliedRate and ReceivedRate are people a second, over the last ten seconds.
	AppliedRate, ReceivedRate float64
	// TokenLastFour ends the token that the first request came with, "" where that is not known.
	TokenLastFour string
}

// Invitations counts mails that invite somebody by how they stand. Unknown is a mail of which the mail server did not say
// whether it took it.
type Invitations struct{ Sent, Waiting, Failed, Unknown, Held int }

// RunGroup is a group of a run, with how many people came into it in the run and are still there.
type RunGroup struct {
	ID, Name string
	People   int
}

// TimeLeft is how long the rest will take at the rate of the last ten seconds. ok is false when nothing moves.
func (f RunFigures) TimeLeft() (left time.Duration, ok bool) {
	if f.Waiting == 0 {
		return 0, true
	}
	if f.AppliedRate <= 0 {
		return 0, false
	}
	return time.Duration(float64(f.Waiting) / f.AppliedRate * float64(time.Second)), true
}

// rateOver is the time over which rates are taken.
const rateOver = 10 * time.Second

// inRun narrows operations to those of a run about people: those who came in it, and what followed for them. Its
// parameters are those of runArgs.
const inRun = `workspace_id = ? AND id >= ? AND id < ? AND connection_id = ? AND resource_type = 'User' AND (class = 'mail' OR id < ?)`

// runArgs are the parameters of inRun.
func runArgs(run models.Run, more ...any) []any {
	return append([]any{run.WorkspaceID, FirstID(run.StartedAt), runEnd(run), run.ConnectionID, FirstID(run.LastAt.Add(RunQuiet))}, more...)
}

// runEnd is the id that everything in a run is below. What follows from an operation is written in the transaction that
// ends it, so nothing of an ended run is younger than its end.
func runEnd(run models.Run) string {
	if run.EndedAt == nil {
		return lastID
	}
	return FirstID(run.EndedAt.Add(time.Millisecond))
}

// runYoung is the id that everybody who was there before a run is below. A request makes the id of a person a moment before
// that of the operation about them, and a run begins with an operation.
func runYoung(run models.Run) string { return FirstID(run.StartedAt.Add(-50 * time.Millisecond)) }

// runPeople has one row for each person of a run: worst is 3 for failed, 2 held, 1 waiting, 0 applied; mail is 1 for an
// invitation that was sent, 2 waiting, 3 held, 4 unknown, 5 failed. An operation about a person has another class than mail:
// that is shorter to compare than its kind, for tens of thousands of rows.
func (s *Store) runPeople() string {
	return `SELECT resource_id,
		coalesce(max(CASE state WHEN 'failed' THEN 3 WHEN 'held' THEN 2 WHEN 'superseded' THEN 0 ELSE CASE WHEN class <> 'mail' THEN 1 ELSE 0 END END) FILTER (WHERE state <> 'done'), 0) AS worst,
		max(CASE WHEN state = 'done' THEN CASE WHEN error = '' THEN 1 ELSE 0 END WHEN state = 'superseded' THEN 0 WHEN state = 'held' THEN 3
			WHEN state <> 'failed' THEN 2 WHEN error LIKE 'delivery unknown%' THEN 4 ELSE 5 END) FILTER (WHERE kind = 'invitation.email') AS mail,
		count(*) FILTER (WHERE class = 'provision') AS wanted,
		min(created_at) FILTER (WHERE class <> 'mail') AS came,
		max(finished_at) FILTER (WHERE class <> 'mail') AS went,
		max(` + s.dialect.span("created_at", "finished_at") + `) FILTER (WHERE class <> 'mail') AS took
		FROM operations WHERE ` + inRun + ` GROUP BY resource_id HAVING min(created_at) FILTER (WHERE class <> 'mail') IS NOT NULL`
}

// RunFigures computes how a run stands now. What takes longest to read is read side by side.
func (s *Store) RunFigures(ctx context.Context, run models.Run) (RunFigures, error) {
	var (
		groups  []RunGroup
		count   int
		failure error
		beside  sync.WaitGroup
	)
	beside.Go(func() { groups, count, failure = s.runGroups(ctx, run) })
	f, err := s.runFigures(ctx, run)
	beside.Wait()
	f.Groups, f.GroupCount = groups, count
	return f, cmp.Or(err, failure)
}

func (s *Store) runFigures(ctx context.Context, run models.Run) (RunFigures, error) {
	var row struct {
		RunFigures
		OldestMillis, SlowestMillis *int64
		NewApplied, NewReceived     int
	}
	since, lo := "(SELECT "+s.now(-rateOver)+")", runYoung(run) // asked once, not for each row
	err := s.r(ctx).Raw(`SELECT count(*) AS received, count(*) FILTER (WHERE worst = 0) AS applied, count(*) FILTER (WHERE worst = 1) AS waiting,
		count(*) FILTER (WHERE worst = 2) AS held, count(*) FILTER (WHERE worst = 3) AS failed, count(*) FILTER (WHERE wanted = 0) AS removed,
		count(*) FILTER (WHERE resource_id < ?) AS here_already, count(*) FILTER (WHERE mail = 1) AS mail_sent, count(*) FILTER (WHERE mail = 2) AS mail_waiting,
		count(*) FILTER (WHERE mail = 3) AS mail_held, count(*) FILTER (WHERE mail = 4) AS mail_unknown, count(*) FILTER (WHERE mail = 5) AS mail_failed,
		`+s.dialect.span("min(came) FILTER (WHERE worst = 1)", s.now(0))+` AS oldest_millis, max(took) AS slowest_millis,
		count(*) FILTER (WHERE worst = 0 AND went > `+since+`) AS new_applied, count(*) FILTER (WHERE came > `+since+`) AS new_received
		FROM (`+s.runPeople()+`) AS people`, append([]any{lo}, runArgs(run)...)...).Scan(&row).Error
	if err != nil {
		return RunFigures{}, translate(err, "the run")
	}
	f := row.RunFigures
	f.OldestWaiting, f.Slowest = millis(row.OldestMillis), millis(row.SlowestMillis)
	f.AppliedRate, f.ReceivedRate = float64(row.NewApplied)/rateOver.Seconds(), float64(row.NewReceived)/rateOver.Seconds()
	// Ids tell who is younger than the run. Of the people who are, some were met as members who had been there before.
	var met struct{ Before, Joined int }
	err = s.r(ctx).Raw(`SELECT count(*) FILTER (WHERE m.id < ?) AS before, count(*) FILTER (WHERE m.id >= ? AND m.accepted_at IS NOT NULL) AS joined
		FROM members m WHERE m.directory_user_id >= ? AND m.directory_user_id < ? AND m.workspace_id = ?
		AND (m.id < ? OR m.accepted_at IS NOT NULL) AND EXISTS (SELECT 1 FROM directory_users u WHERE u.id = m.directory_user_id AND u.connection_id = ?)`,
		lo, lo, lo, runComing(run), run.WorkspaceID, lo, run.ConnectionID).Scan(&met).Error
	if err != nil {
		return f, translate(err, "members")
	}
	f.HereAlready += met.Before
	f.NewPeople, f.Joined = f.Received-f.HereAlready, met.Joined
	f.TokenLastFour, err = s.runToken(ctx, run)
	return f, err
}

// millis is a number of milliseconds from the database, which NULL and clocks that disagree leave at none.
func millis(n *int64) time.Duration {
	if n == nil || *n < 0 {
		return 0
	}
	return time.Duration(*n) * time.Millisecond
}

// runGroupsMost is how many groups of a run are told by name.
const runGroupsMost = 10

// runComing is the id that those are below who came in a run, and its group syncs: these are nobody's, and count by their
// time alone.
func runComing(run models.Run) string {
	return min(runEnd(run), FirstID(run.LastAt.Add(RunQuiet)))
}

// runGroups lists the groups that were synced in a run. A membership has the version of its group at which it changed, so
// those who came in the run are found without looking at the others, however large the group is.
func (s *Store) runGroups(ctx context.Context, run models.Run) (groups []RunGroup, count int, err error) {
	var rows []struct {
		RunGroup
		Total int
	}
	err = s.r(ctx).Raw(`SELECT g.id, g.display_name AS name, s.total,
		(SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.version >= s.low AND m.version <= s.high AND NOT m.removed) AS people
		FROM (SELECT resource_id, min(version) AS low, max(version) AS high, min(created_at) AS first, count(*) OVER () AS total FROM operations
			WHERE workspace_id = ? AND id >= ? AND id < ? AND connection_id = ? AND class = 'groups' GROUP BY resource_id ORDER BY min(created_at), resource_id LIMIT ?) AS s
		JOIN directory_groups g ON g.id = s.resource_id ORDER BY s.first, g.id`,
		run.WorkspaceID, FirstID(run.StartedAt), runComing(run), run.ConnectionID, runGroupsMost).Scan(&rows).Error
	for _, r := range rows {
		groups, count = append(groups, r.RunGroup), r.Total
	}
	return groups, count, translate(err, "groups")
}

// runToken is the end of the token that the first request of a run came with.
func (s *Store) runToken(ctx context.Context, run models.Run) (string, error) {
	var actors []string
	err := s.r(ctx).Raw(`SELECT a.actor FROM (SELECT id, resource_id FROM operations WHERE workspace_id = ? AND id >= ? AND id < ? AND connection_id = ? AND resource_type = 'User' ORDER BY id LIMIT 1) AS o
		JOIN audit_entries a ON a.target_id = CAST(o.resource_id AS text) AND a.operation_id = o.id`, run.WorkspaceID, FirstID(run.StartedAt), runEnd(run), run.ConnectionID).Scan(&actors).Error
	if err != nil || len(actors) == 0 {
		return "", translate(err, "the audit log")
	}
	last, ok := strings.CutPrefix(actors[0], "token …")
	if !ok {
		return "", nil
	}
	return last, nil
}

// RunRest tells whether an operation of a run is still to come, and when the last of those that are not was done with.
func (s *Store) RunRest(ctx context.Context, run models.Run) (open bool, finished time.Time, err error) {
	var row struct {
		Open   int
		Millis *int64
	}
	group := []any{run.WorkspaceID, FirstID(run.StartedAt), runComing(run), run.ConnectionID}
	err = s.r(ctx).Raw(`SELECT count(*) FILTER (WHERE state IN ('pending', 'running')) AS open, `+s.dialect.span(s.dialect.epoch, "max(finished_at)")+` AS millis FROM (
		SELECT state, finished_at FROM operations WHERE `+inRun+` AND (class <> 'mail' OR resource_id IN (SELECT resource_id FROM operations WHERE `+inRun+` AND class <> 'mail'))
		UNION ALL SELECT state, finished_at FROM operations WHERE workspace_id = ? AND id >= ? AND id < ? AND connection_id = ? AND class = 'groups') AS o`,
		append(runArgs(run, runArgs(run)...), group...)...).Scan(&row).Error
	if row.Millis != nil {
		finished = time.UnixMilli(*row.Millis).UTC()
	}
	return row.Open > 0, finished, translate(err, "the run")
}

// RunPoint is one stretch of a run's time.
type RunPoint struct {
	At                time.Time // where it begins
	Received, Applied float64   // people a second
}

// RunSeries is the pace of a run from its start to its end, or to now: equal stretches of a second or more, at most
// buckets of them. A person is received with their first operation, and applied when the last one about them was.
func (s *Store) RunSeries(ctx context.Context, run models.Run, buckets int) ([]RunPoint, error) {
	end := s.clock()
	if run.EndedAt != nil {
		end = *run.EndedAt
	}
	total := max(end.Sub(run.StartedAt), time.Second)
	n := min(max(buckets, 1), int(total/time.Second))
	width := total / time.Duration(n)
	points := make([]RunPoint, n)
	for i := range points {
		points[i].At = run.StartedAt.Add(time.Duration(i) * width)
	}
	count := func(column, where string, add func(p *RunPoint, perSecond float64)) error {
		var rows []struct{ Bucket, People int }
		start := "CAST(? AS timestamptz)"
		if s.Embedded() {
			start = "?"
		}
		err := s.r(ctx).Raw("SELECT "+s.dialect.span(start, column)+" / ? AS bucket, count(*) AS people FROM ("+s.runPeople()+") AS people WHERE "+where+" GROUP BY 1",
			append([]any{run.StartedAt.UTC(), width.Milliseconds()}, runArgs(run)...)...).Scan(&rows).Error
		for _, r := range rows {
			add(&points[min(max(r.Bucket, 0), n-1)], float64(r.People)/width.Seconds())
		}
		return translate(err, "the run")
	}
	if err := count("came", "came IS NOT NULL", func(p *RunPoint, v float64) { p.Received += v }); err != nil {
		return nil, err
	}
	return points, count("went", "worst = 0 AND went IS NOT NULL", func(p *RunPoint, v float64) { p.Applied += v })
}
