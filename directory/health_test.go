package directory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"outpost/directory"
	"outpost/internal/testkit/fixture"
	"outpost/models"
)

func TestTwoProcessesCountTogetherAndTheLatestStays(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		id := w.Connection.ID
		other := directory.New(w.Store, w.Outbox, w.Log, w.Clock.Now)
		access, err := other.Authenticate(t.Context(), id, w.Token)
		if err != nil {
			t.Fatal(err)
		}
		known := w.Caller()
		known.Access = access
		hear := func(d *directory.Directory, status int, trouble string) {
			d.Heard(known, directory.Answer{Route: fmt.Sprint("/", status), Status: status, Took: time.Millisecond, Trouble: trouble, Detail: fmt.Sprint(status)})
		}
		w.Clock.Advance(time.Hour - time.Duration(w.Clock.Now().UnixNano())%time.Hour) // a full hour
		began := w.Clock.Now()
		hear(w.Directory, 200, "")
		w.Clock.Advance(time.Minute)
		hear(w.Directory, 400, models.TroubleRequest)
		w.Clock.Advance(time.Minute)
		hear(other, 500, models.TroubleOurs)
		w.Clock.Advance(time.Minute)
		hear(other, 201, "")
		w.Clock.Advance(time.Hour)
		hear(w.Directory, 404, "")
		w.Directory.Flush(t.Context()) // what the other has is older, and comes later
		other.Flush(t.Context())
		other.Flush(t.Context()) // has nothing any more

		h, err := w.Store.Health(t.Context(), id)
		if err != nil || !h.FirstSuccessAt.Equal(began) || h.LastStatus != 404 || h.LastRoute != "/404" || !h.LastAt.Equal(began.Add(63*time.Minute)) ||
			h.ErrorStatus != 500 || h.ErrorKind != models.TroubleOurs || h.ErrorDetail != "500" || !h.ErrorAt.Equal(began.Add(2*time.Minute)) {
			t.Errorf("%+v %v", h, err)
		}
		hours, err := w.Store.Hours(t.Context(), id, began.Add(30*time.Minute))
		if err != nil || len(hours) != 2 || !hours[0].Hour.Equal(began) || hours[0].Requests != 4 || hours[0].Failures != 2 || hours[0].Micros != 4000 || hours[1].Requests != 1 || hours[1].Failures != 0 {
			t.Errorf("%+v %v", hours, err)
		}
		if hours, err := w.Store.Hours(t.Context(), id, began.Add(time.Hour)); err != nil || len(hours) != 1 {
			t.Errorf("of the last hour: %+v %v", hours, err)
		}
	})
}

func TestWhatTheDatabaseDidNotTakeIsWrittenLater(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		away, cancel := context.WithCancel(t.Context())
		cancel()
		w.Knock(w.Token)
		first := w.Clock.Now()
		w.Clock.Advance(time.Second)
		w.Knock(w.Token + "x")
		w.Directory.Flush(away)
		w.Clock.Advance(time.Second)
		w.Knock(w.Token)
		w.Directory.Flush(away)
		w.Directory.Flush(t.Context())

		h, err := w.Store.Health(t.Context(), w.Connection.ID)
		if err != nil || h.FirstSuccessAt == nil || !h.FirstSuccessAt.Equal(first) || h.LastStatus != 200 || !h.LastAt.Equal(first.Add(2*time.Second)) || h.ErrorStatus != 401 {
			t.Errorf("%+v %v", h, err)
		}
		hours, err := w.Store.Hours(t.Context(), w.Connection.ID, first)
		requests := int64(0)
		for _, hour := range hours {
			requests += hour.Requests
		}
		if err != nil || requests != 3 {
			t.Errorf("%+v %v", hours, err)
		}
		if tokens, err := w.Store.Tokens(t.Context(), w.Connection.ID); err != nil || tokens[0].Uses != 2 || !tokens[0].FirstUsedAt.After(first) {
			t.Errorf("%+v %v", tokens, err)
		}
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil || entries[0].Status != 401 || !strings.HasPrefix(entries[0].Actor, "unknown token …") {
			t.Errorf("%+v %v", entries, err)
		}
	})
}

// TestTheFirstContactIsSeen: no process has heard of the connection yet, and the token does not even look like one.
func TestTheFirstContactIsSeen(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		c := directory.Caller{ConnectionID: w.Connection.ID, Method: "GET"}
		for range 500 { // strangers, of whom a hundred are looked at
			w.Directory.Heard(c, directory.Answer{Status: 401, Trouble: models.TroubleToken, Token: "pasted wrong"})
		}
		w.Directory.Flush(t.Context())
		h, err := w.Store.Health(t.Context(), w.Connection.ID)
		if err != nil || h.ErrorKind != models.TroubleToken || h.ErrorDetail != "rong" {
			t.Errorf("%+v %v", h, err)
		}
		hours, err := w.Store.Hours(t.Context(), w.Connection.ID, w.Clock.Now())
		if err != nil || len(hours) != 1 || hours[0].Requests != 100 || hours[0].Failures != 100 {
			t.Errorf("%+v %v", hours, err)
		}
	})
}

func TestAMinuteLaterWrongTokensAreRecordedAgain(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Knock(w.Token) // known by heart
		recorded := func() (n int) {
			for range 30 {
				w.Knock("outp_scim_x")
			}
			w.Directory.Flush(t.Context())
			entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Status == 401 {
					n++
				}
			}
			return n
		}
		if n := recorded(); n != 10 {
			t.Errorf("%d in the first minute", n)
		}
		w.Clock.Advance(59 * time.Second)
		if n := recorded(); n != 10 {
			t.Errorf("%d after 59 seconds", n)
		}
		w.Clock.Advance(2 * time.Second)
		if n := recorded(); n != 20 {
			t.Errorf("%d after a minute", n)
		}
	})
}
