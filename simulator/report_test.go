package simulator

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReportPrintsAnAlignedTable(t *testing.T) {
	t.Parallel()
	r := Report{
		BaseURL: "http://localhost:8080/scim/v2/c1", Provider: "Okta, wizard app (put)", Group: "Eng", GroupID: "g1", Wall: 12345 * time.Millisecond,
		People:      make([]Person, 1200),
		Deactivated: []string{"u1", "u2"},
		Phases: []PhaseReport{
			{Progress{Phase: PhaseConnection, Done: 1, Total: 1}, 12 * time.Millisecond},
			{Progress{Phase: PhaseAssign, Done: 1200, Total: 1212, Failed: 12}, 10 * time.Second},
		},
		Requests: []RequestReport{
			{Kind: "test connection", Count: 1, P50: 12 * time.Millisecond, P99: 12 * time.Millisecond, Max: 12 * time.Millisecond, Rate: 83},
			{Kind: "create user", Count: 1212, Retries: 4, Failures: 12, P50: 4200 * time.Microsecond, P99: 80 * time.Millisecond, Max: 90 * time.Second, Rate: 121.2},
		},
	}
	for range 12 {
		r.fail(PhaseAssign, "zoë@acme.test", &Error{Kind: "create user", Status: 409, SCIMType: "uniqueness", Detail: "taken", Attempts: 2})
	}
	var out strings.Builder
	ok(t, r.Print(&out))
	want := `Okta, wizard app (put), to http://localhost:8080/scim/v2/c1
1,200 people assigned, group "Eng" pushed, 2 deactivated in 12.3 s

  phase             done  failed     of    time  per second
  connection test      1       0      1   12 ms
  assign people    1,200      12  1,212  10.0 s         120

  request          count  failed  retries     p50    p99    max  per second
  test connection      1       0        0   12 ms  12 ms  12 ms
  create user      1,212      12        4  4.2 ms  80 ms  1m30s         121

12 steps failed; the first 10:
` + strings.Repeat("  zoë@acme.test: create user: 409 Conflict uniqueness: taken\n", 10)
	if out.String() != want {
		t.Errorf("\n got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestReportSaysHowItEnded(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Report{
		"1 person assigned in 0.0 ms; nothing failed":          {People: make([]Person, 1)},
		"0 people assigned in 1m5s; stopped before the end":    {Interrupted: true, Wall: 65 * time.Second},
		"0 people assigned in 500 ms":                          {Failed: 1, Wall: 500 * time.Millisecond},
		"0 people assigned, 1 reactivated in 0.0 ms; nothing ": {Reactivated: []string{"u1"}},
	} {
		if got := r.summary(); !strings.HasPrefix(got, want) {
			t.Errorf("summary is %q, want %q", got, want)
		}
	}
	r := Report{}
	r.fail(PhaseAssign, "a", errors.New("odd"))
	if f := r.Failures[0]; f.Detail != "odd" || f.Kind != "" {
		t.Errorf("failure is %+v", f)
	}
}

func TestPercentilesAreNearestRanks(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for i := range 200 {
		r.ended("read user", at, at.Add(2*time.Second), time.Duration(200-i)*time.Millisecond, i == 0)
	}
	q := r.requests()[0]
	want := RequestReport{Kind: "read user", Count: 200, Failures: 1, P50: 100 * time.Millisecond, P99: 198 * time.Millisecond, Max: 200 * time.Millisecond, Rate: 100}
	if q != want {
		t.Errorf("report is %+v", q)
	}
}
