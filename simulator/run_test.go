package simulator

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func requestsOf(r Report, kind string) RequestReport {
	i := slices.IndexFunc(r.Requests, func(q RequestReport) bool { return q.Kind == kind })
	if i < 0 {
		return RequestReport{}
	}
	return r.Requests[i]
}

func TestRunPlaysThePlanAndReportsIt(t *testing.T) {
	t.Parallel()
	for _, style := range []Style{Put, Patch} {
		t.Run(string(style), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			o, _ := s.okta(style)
			var seen []Progress
			plan := Plan{Users: 230, Group: "Eng", Concurrency: 8, Deactivate: 5, Reactivate: 2}

			report, err := o.Run(t.Context(), plan, func(p Progress) { seen = append(seen, p) })

			ok(t, err)
			if len(report.UserIDs) != 230 || len(report.People) != 230 || report.GroupID == "" {
				t.Errorf("%d ids, group %q", len(report.UserIDs), report.GroupID)
			}
			if n := len(s.members(report.GroupID)); n != 230 {
				t.Errorf("%d members", n)
			}
			inactive := 0
			for _, id := range report.UserIDs {
				if s.user(id)["active"] == false {
					inactive++
				}
			}
			if inactive != 3 || len(report.Deactivated) != 5 || len(report.Reactivated) != 2 {
				t.Errorf("%d inactive, %v, %v", inactive, report.Deactivated, report.Reactivated)
			}
			if q := requestsOf(report, "create user"); q.Count != 230 || q.Failures != 0 || q.Retries != 0 {
				t.Errorf("create user: %+v", q)
			}
			var phases []string
			for _, p := range report.Phases {
				phases = append(phases, p.Phase)
				if p.Done != p.Total || !slices.Contains(seen, Progress{Phase: p.Phase, Total: p.Total}) || !slices.Contains(seen, p.Progress) {
					t.Errorf("phase is %+v", p)
				}
			}
			same(t, "phases", phases, PhaseConnection, PhaseAssign, PhasePushGroup, PhaseMembers, PhaseDeactivate, PhaseReactivate)
			if style == Patch && requestsOf(report, "patch group").Count != 1+3*2 {
				t.Errorf("patch group: %+v", requestsOf(report, "patch group"))
			}
			if len(o.Requests()) != 0 {
				t.Error("the run is counted in the org's own requests")
			}
		})
	}
}

func TestSameSeedFindsThePeopleAgainAndAnotherDoesNot(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	first, err := o.Run(t.Context(), Plan{Users: 20, Group: "Eng"}, nil)
	ok(t, err)
	again, err := o.Run(t.Context(), Plan{Users: 20, Group: "Eng"}, nil)
	ok(t, err)
	same(t, "ids", again.UserIDs, first.UserIDs...)
	if n := requestsOf(again, "create user").Count; n != 0 {
		t.Errorf("%d people created again", n)
	}
	if q := requestsOf(again, "replace user"); q.Count != 20 {
		t.Errorf("replace user: %+v", q)
	}
	other, err := o.Run(t.Context(), Plan{Users: 20, Group: "Eng", Seed: "monday"}, nil)
	ok(t, err)
	if n := requestsOf(other, "create user").Count; n != 20 {
		t.Errorf("%d of 20 people of another seed are new", n)
	}
	if n := len(s.members(first.GroupID)); n != 40 {
		t.Errorf("%d members", n)
	}
}

func TestFailuresDoNotStopARun(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Patch)
	for range 3 {
		s.fail(fault{on: "POST /Users", status: 400, body: `{"scimType":"invalidValue","detail":"no such department"}`})
	}
	s.fail(fault{on: "POST /Users", status: 503, header: after("1")})

	report, err := o.Run(t.Context(), Plan{Users: 12, Group: "Eng", Concurrency: 3}, nil)

	fails(t, err, "3 steps failed, the first with: create user: 400 Bad Request invalidValue: no such department")
	var failed *Error
	if !errors.As(err, &failed) || failed.Status != 400 {
		t.Errorf("error is %#v", err)
	}
	if report.Failed != 3 || len(report.Failures) != 3 || len(report.UserIDs) != 9 || len(s.members(report.GroupID)) != 9 {
		t.Errorf("report is %+v", report)
	}
	f := report.Failures[0]
	if f.Phase != PhaseAssign || f.Kind != "create user" || f.Status != 400 || !strings.HasSuffix(f.Who, "@acme.test") || !strings.Contains(f.Detail, "no such department") {
		t.Errorf("failure is %+v", f)
	}
	if q := requestsOf(report, "create user"); q.Count != 12 || q.Failures != 3 || q.Retries != 1 {
		t.Errorf("create user: %+v", q)
	}
}

func TestFailedConnectionTestEndsARun(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	o.Token = "wrong"
	report, err := o.Run(t.Context(), Plan{Users: 5}, nil)
	fails(t, err, "test connection: authorization failure (401)")
	same(t, "requests", s.lines(), "GET /Users?startIndex=1&count=2")
	if report.Failed != 1 || len(report.Phases) != 1 {
		t.Errorf("report is %+v", report)
	}
}

func TestFailedGroupPushSkipsItsMembers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	s.fail(fault{on: "POST /Groups", status: 403, body: `{"detail":"groups are off"}`})
	report, err := o.Run(t.Context(), Plan{Users: 2, Group: "Eng", Deactivate: 1}, nil)
	fails(t, err, "create group: 403 Forbidden: groups are off")
	if len(report.Deactivated) != 1 || len(report.Phases) != 4 {
		t.Errorf("phases are %+v", report.Phases)
	}
}

func TestCancelledRunReportsWhatWasDone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	report, err := o.Run(ctx, Plan{Users: 500, Group: "Eng", Concurrency: 4}, func(p Progress) {
		if p.Phase == PhaseAssign && p.Done == 20 {
			cancel()
		}
	})

	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if !report.Interrupted || report.Failed != 0 || len(report.UserIDs) < 20 || len(report.UserIDs) > 30 {
		t.Errorf("interrupted %v, failed %d, %d people", report.Interrupted, report.Failed, len(report.UserIDs))
	}
	if report.GroupID != "" || len(report.Phases) != 2 {
		t.Errorf("phases are %+v", report.Phases)
	}
}

func TestTimeOutOfTheCallersClientIsAFailure(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	o.HTTP = &http.Client{Timeout: 10 * time.Millisecond}
	o.Retry.Total = -1
	s.hold = func(r *http.Request) { <-r.Context().Done() }
	report, err := o.Run(t.Context(), Plan{}, nil)
	fails(t, err, "no server answers")
	if report.Failed != 1 || report.Interrupted {
		t.Errorf("report is %+v", report)
	}
}

func TestPlanRefusesNegativeNumbers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	_, err := o.Run(t.Context(), Plan{Users: -1}, nil)
	fails(t, err, "users must not be negative, it is -1")
}

func TestParallelPeopleShareAsManyConnections(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var mu sync.Mutex
	opened := 0
	ts := httptest.NewUnstartedServer(s)
	ts.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			opened++
			mu.Unlock()
		}
	}
	ts.Start()
	t.Cleanup(ts.Close)
	o, _ := s.okta(Put)
	o.BaseURL = ts.URL + "/scim/v2/c1"
	_, err := o.Run(t.Context(), Plan{Users: 300, Concurrency: 100}, nil)
	ok(t, err)
	mu.Lock()
	defer mu.Unlock()
	// A dial that lost the race against a connection that came free stays as a spare one.
	if opened > 200 {
		t.Errorf("%d connections for 601 requests, 100 in parallel", opened)
	}
}
