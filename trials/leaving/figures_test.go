package leaving

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit"
)

// figures are what a trial measured, in one database and one state of the installation.
type figures struct {
	mu       sync.Mutex
	rounds   int
	ways     []tally // as ways is
	requests []time.Duration

	viewsClosed, viewsShown time.Duration // after the end, the longest
	shownAfter              int           // views that received something after the end: it was on its way

	clocks     int           // departures whose duration the product tells
	clock      time.Duration // the longest that it tells
	unseen     time.Duration // the longest from sending a request to its arrival, of which the product cannot know
	short      time.Duration // the most by which it tells less than was measured from the sending
	shortCount int           // and how often
}

// tally is what became of the attempts of one way.
type tally struct{ before, inBefore, onTheWay, after, inAfter int }

func newFigures() *figures { return &figures{ways: make([]tally, len(ways))} }

// count judges the attempts of one round: the end was the moment at which the answer was received. It returns when the
// last attempt began that came in.
func (f *figures) count(t *testing.T, d departure, end answer, attempts []attempt) (last time.Time) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rounds++
	f.requests = append(f.requests, end.arrived.Sub(end.sent))
	for _, a := range attempts {
		if d.stays && a.way.proof {
			continue
		}
		var n *tally
		for i := range ways {
			if a.way == &ways[i] {
				n = &f.ways[i]
			}
		}
		if a.begun.After(end.arrived) {
			n.after++
			if a.in {
				n.inAfter++
				t.Errorf("%s: %s, begun %v after the answer, succeeded", d.name, a.way.name, a.begun.Sub(end.arrived))
			}
			continue
		}
		n.before++
		if !a.in {
			continue
		}
		n.inBefore++
		if a.ended.After(end.arrived) {
			n.onTheWay++
		}
		if a.begun.After(last) {
			last = a.begun
		}
	}
	return last
}

// lateByWire is how long after the answer a live view may receive what was sent before it.
const lateByWire = 250 * time.Millisecond

// view judges a live view that was open: when it closed, and when it last showed something, after the end.
func (f *figures) view(t *testing.T, closed, shown time.Duration) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.viewsClosed = max(f.viewsClosed, closed)
	if closed > 2*time.Second {
		t.Errorf("a live view closed %v after the end", closed)
	}
	if shown > 0 {
		f.shownAfter++
		f.viewsShown = max(f.viewsShown, shown)
	}
	if shown > lateByWire {
		t.Errorf("a live view showed something %v after the end", shown)
	}
}

// checkClock compares how long the product says that a departure took, with what was seen: nobody may have come in later
// than it says.
func (s *site) checkClock(t *testing.T, f *figures, d departure, l *leaver, a answer, arrived, last time.Time) {
	t.Helper()
	var micros *int64
	testkit.Eventually(t, 10*time.Second, "it is told how long the request took to end access", func() bool {
		must(t, s.db.QueryRow("SELECT max(took_micros) FROM audit_entries WHERE target_id = $1", l.userID).Scan(&micros))
		return micros != nil
	})
	owner, err := s.Store.FirstOwner(t.Context(), s.Workspace.ID)
	must(t, err)
	if page, err := s.browse("GET", "/people/"+l.member.ID, nil, s.signIn(owner)); err != nil || !strings.Contains(page.body, "after Okta asked") {
		_, verdict, _ := strings.Cut(page.body, `class="verdict`)
		t.Errorf("the page of who left by %s does not tell it: %d %v %.400s", d.name, page.status, err, verdict)
	}
	told := time.Duration(*micros) * time.Microsecond
	if seen := last.Sub(arrived); told < seen {
		t.Errorf("the product says that access ended %v after the request arrived, and somebody came in %v after it did", told, seen)
	}
	if took := a.arrived.Sub(a.sent); told > took {
		t.Errorf("the product says %v, and the whole request took %v", told, took)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clocks++
	f.clock = max(f.clock, told)
	f.unseen = max(f.unseen, arrived.Sub(a.sent))
	if short := last.Sub(a.sent) - told; short > 0 {
		f.shortCount++
		f.short = max(f.short, short)
	}
}

// report prints the figures.
func (f *figures) report(t *testing.T, where string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d departures\n%-20s %8s %8s %8s %8s %8s\n", where, f.rounds, "", "before", "in", "(on way)", "after", "in")
	var sum tally
	for i, n := range f.ways {
		fmt.Fprintf(&b, "%-20s %8d %8d %8d %8d %8d\n", ways[i].name, n.before, n.inBefore, n.onTheWay, n.after, n.inAfter)
		sum = tally{sum.before + n.before, sum.inBefore + n.inBefore, sum.onTheWay + n.onTheWay, sum.after + n.after, sum.inAfter + n.inAfter}
	}
	fmt.Fprintf(&b, "%-20s %8d %8d %8d %8d %8d\n", "in all", sum.before, sum.inBefore, sum.onTheWay, sum.after, sum.inAfter)
	var longest, total time.Duration
	for _, d := range f.requests {
		longest, total = max(longest, d), total+d
	}
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	fmt.Fprintf(&b, "the requests took %v on average, %v at most\n", round(total/time.Duration(len(f.requests))), round(longest))
	fmt.Fprintf(&b, "live views closed within %v; %d received something after the answer, %v at most\n", round(f.viewsClosed), f.shownAfter, round(f.viewsShown))
	fmt.Fprintf(&b, "the offboarding clock told %d, %v at most; requests arrived %v at most after they were sent; measured from the sending, the last to come in began later than the clock says in %d, by %v at most",
		f.clocks, round(f.clock), round(f.unseen), f.shortCount, round(f.short))
	t.Log(b.String())
}
