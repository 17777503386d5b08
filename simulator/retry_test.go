package simulator

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

func after(seconds string) map[string]string { return map[string]string{"Retry-After": seconds} }

func seconds(all ...float64) (text []string) {
	for _, s := range all {
		text = append(text, time.Duration(s*float64(time.Second)).String())
	}
	return text
}

func (c *fakeClock) slept() (text []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waits {
		text = append(text, w.String())
	}
	return text
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, fake := s.okta(Put)
	s.fail(fault{on: "POST", status: 503, header: after("7")}, fault{on: "POST", status: 429, header: after("40")})
	ok(t, o.Assign(t.Context(), mia()))
	same(t, "waits", fake.slept(), seconds(7, 40)...)
	same(t, "requests", s.lines(), lookUpMia, "POST /Users", "POST /Users", "POST /Users")
}

func TestRetryAfterThatIsNoNumberBacksOff(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"Wed, 21 Oct 2026 07:28:00 GMT", "0", "-3", ""} {
		s := newServer(t)
		o, fake := s.okta(Put)
		s.fail(fault{status: 429, header: after(value)})
		ok(t, o.TestConnection(t.Context()))
		same(t, value, fake.slept(), seconds(0.2)...)
	}
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, fake := s.okta(Put)
	o.Retry.Patience = 10 * time.Second
	s.fail(fault{status: 429, header: after("6"), body: `{"detail":"slow down"}`}, fault{status: 429, header: after("6"), body: `{"detail":"slow down"}`})
	fails(t, o.TestConnection(t.Context()), "test connection: 429 Too Many Requests: slow down (after 2 attempts)")
	same(t, "waits", fake.slept(), seconds(6)...)
}

func TestBackOffGrowsUntilTheTimeIsUp(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, fake := s.okta(Put)
	o.Retry = RetryPolicy{Total: 5500 * time.Millisecond, Base: 200 * time.Millisecond, Max: 2 * time.Second}
	for range 20 {
		s.fail(fault{status: 500, body: `{"detail":"broken"}`})
	}
	err := o.TestConnection(t.Context())
	fails(t, err, "500 Internal Server Error: broken (after 7 attempts)")
	same(t, "waits", fake.slept(), seconds(0.2, 0.4, 0.8, 1.6, 2, 0.5)...)
}

func TestJitterHalvesADelayAtMost(t *testing.T) {
	t.Parallel()
	r := retry{policy: RetryPolicy{}.withDefaults(), jitter: func() float64 { return 0 }}
	if wait, again := r.next(nil, time.Second); !again || wait != 100*time.Millisecond {
		t.Errorf("wait is %s", wait)
	}
}

func TestOneRepetitionIsMadeEvenAfterATimeOut(t *testing.T) {
	t.Parallel()
	r := retry{policy: RetryPolicy{}.withDefaults(), jitter: func() float64 { return 1 }}
	if _, again := r.next(nil, time.Minute); !again {
		t.Error("no repetition")
	}
	if _, again := r.next(nil, time.Minute); again {
		t.Error("a second repetition")
	}
}

func TestAnswersForGoodAreNotRepeated(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404, 405, 409, 413, 501} {
		s := newServer(t)
		o, fake := s.okta(Patch)
		g := &Group{ID: s.addGroup("Eng"), Name: "Eng"}
		s.fail(fault{status: status, body: `{"detail":"no"}`})
		err := o.RenameGroup(t.Context(), g, "Other")
		fails(t, err, fmt.Sprintf("patch group: %d %s: no", status, http.StatusText(status)))
		if len(fake.slept()) > 0 || g.Name != "Eng" {
			t.Errorf("%d: waits %v, name %s", status, fake.slept(), g.Name)
		}
	}
}

func TestLostAnswerToACreateAdoptsWhatWasCreated(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, fake := s.okta(Put)
	s.fail(fault{on: "POST", commit: true})
	p := mia()
	ok(t, o.Assign(t.Context(), p))
	if p.ID != "u2" {
		t.Errorf("ID is %q", p.ID)
	}
	same(t, "requests", s.lines(), lookUpMia, "POST /Users", "POST /Users", lookUpMia, "GET /Users/u2", "PUT /Users/u2")
	same(t, "waits", fake.slept(), seconds(0.2)...)

	s.fail(fault{on: "POST", commit: true, status: 502, header: map[string]string{"Content-Type": "text/html"}, body: "<html>"})
	g, err := o.PushGroup(t.Context(), "Eng")
	ok(t, err)
	same(t, "requests", s.lines(), lookUpEng, "POST /Groups", "POST /Groups", lookUpEng, "GET /Groups/"+g.ID, "PUT /Groups/"+g.ID)
	for _, q := range o.Requests() {
		if q.Failures > 0 {
			t.Errorf("%s counts as failed", q.Kind)
		}
	}
}

func TestLostAnswerIsNoExcuseForAConflictWithNobody(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	s.fail(fault{on: "POST"}, fault{on: "POST", status: 409, body: `{"scimType":"uniqueness"}`})
	fails(t, o.Assign(t.Context(), mia()), "userName mia@acme.test is taken (409) but does not find anyone by it")
}

func TestLostAnswerToADeleteIsFine(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	g := &Group{ID: s.addGroup("Eng")}
	s.fail(fault{on: "DELETE", commit: true, status: 504})
	ok(t, o.DeleteGroup(t.Context(), g))
}

func TestSilentServerTimesOut(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, _ := s.okta(Put)
	o.Timeout = 10 * time.Millisecond
	o.Retry.Total = -1
	s.hold = func(r *http.Request) { <-r.Context().Done() }
	err := o.UpdateProfile(t.Context(), &Person{ID: "u1"})
	fails(t, err, "read user: no answer: timed out after 10ms")
	if errors.Is(err, context.DeadlineExceeded) {
		t.Error("a time-out of one request looks like the end of the context")
	}
}

func TestCancelledContextIsNotRetried(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o, fake := s.okta(Put)
	ctx, cancel := context.WithCancel(t.Context())
	s.hold = func(r *http.Request) {
		cancel()
		<-r.Context().Done()
	}
	if err := o.Assign(ctx, mia()); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	same(t, "waits", fake.slept())
}

func TestPackedAnswersAreUnpacked(t *testing.T) {
	t.Parallel()
	const body = `{"id":"g2","displayName":"Eng"}`
	var gz, zz bytes.Buffer
	for _, w := range []io.WriteCloser{gzip.NewWriter(&gz), zlib.NewWriter(&zz)} {
		io.WriteString(w, body)
		w.Close()
	}
	for coding, packed := range map[string]string{"gzip": gz.String(), "deflate": zz.String()} {
		s := newServer(t)
		o, _ := s.okta(Patch)
		g := &Group{ID: s.addGroup("Eng"), Name: "Eng"}
		s.fail(fault{status: 200, header: map[string]string{"Content-Encoding": coding}, body: packed})
		ok(t, o.RenameGroup(t.Context(), g, "Eng"))
		s.fail(fault{status: 204, header: map[string]string{"Content-Encoding": coding}})
		ok(t, o.RenameGroup(t.Context(), g, "Eng"))
	}
}
