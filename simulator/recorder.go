package simulator

import (
	"math"
	"slices"
	"sync"
	"time"
)

// RequestReport measures all requests of one kind.
type RequestReport struct {
	Kind     string
	Count    int // ended requests, each counted once however often it was repeated
	Retries  int // repetitions
	Failures int // requests that failed for good, or were answered in a way the provider does not accept
	// P50, P99 and Max are of the attempt that ended each request: what came before it is in Retries.
	P50, P99, Max time.Duration
	Rate          float64 // a second, from the start of the first to the end of the last
}

// kinds in the order of a report.
var kinds = []string{
	"test connection",
	"look up user", "create user", "read user", "replace user", "patch user", "delete user", "read deleted user",
	"look up group", "create group", "read group", "replace group", "patch group", "delete group", "read deleted group",
}

// A recorder counts requests as they end.
type recorder struct {
	mu      sync.Mutex
	tallies map[string]*tally
}

type tally struct {
	retries, failures int
	took              []time.Duration
	first, last       time.Time
}

func newRecorder() *recorder {
	return &recorder{tallies: map[string]*tally{}}
}

func (r *recorder) of(kind string) *tally {
	t := r.tallies[kind]
	if t == nil {
		t = &tally{}
		r.tallies[kind] = t
	}
	return t
}

func (r *recorder) retried(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of(kind).retries++
}

func (r *recorder) ended(kind string, first, last time.Time, took time.Duration, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.of(kind)
	t.took = append(t.took, took)
	if failed {
		t.failures++
	}
	if t.first.IsZero() || first.Before(t.first) {
		t.first = first
	}
	if last.After(t.last) {
		t.last = last
	}
}

func (r *recorder) requests() []RequestReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []RequestReport
	for _, kind := range kinds {
		t := r.tallies[kind]
		if t == nil {
			continue
		}
		took := slices.Sorted(slices.Values(t.took))
		report := RequestReport{Kind: kind, Count: len(took), Retries: t.retries, Failures: t.failures}
		if len(took) > 0 {
			report.P50, report.P99, report.Max = percentile(took, 0.5), percentile(took, 0.99), took[len(took)-1]
			report.Rate = rate(len(took), t.last.Sub(t.first))
		}
		all = append(all, report)
	}
	return all
}

// percentile is the nearest rank of sorted values.
func percentile(sorted []time.Duration, p float64) time.Duration {
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func rate(n int, wall time.Duration) float64 {
	if wall <= 0 {
		return 0
	}
	return float64(n) / wall.Seconds()
}
