package simulator

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryPolicy says how long a request is repeated before it counts as failed.
//
// A real Okta org repeats by itself only where the answer carries Retry-After. A 5xx or a broken connection it leaves to
// an admin, who presses Retry on the Dashboard task. Nobody sits at a simulator, so it presses Retry itself, with a
// growing, jittered delay.
type RetryPolicy struct {
	// Total is how long a request is repeated after network errors, 5xx and 429 without Retry-After; zero is 30 s. At
	// least one repetition is made, even if the first attempt alone used up the time. Negative means none of any kind.
	Total time.Duration
	// Patience is how long a request waits altogether where the server itself names the time in Retry-After (429 and
	// 503, whole seconds); zero is 5 minutes.
	Patience time.Duration
	// Base is the first delay and Max the longest; zero is 200 ms and 5 s.
	Base, Max time.Duration
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.Total == 0 {
		p.Total = 30 * time.Second
	}
	if p.Patience == 0 {
		p.Patience = 5 * time.Minute
	}
	if p.Base <= 0 {
		p.Base = 200 * time.Millisecond
	}
	if p.Max <= 0 {
		p.Max = 5 * time.Second
	}
	p.Max = max(p.Max, p.Base)
	return p
}

// A retry is the memory of one request's attempts.
type retry struct {
	policy   RetryPolicy
	jitter   func() float64
	backoffs int
	spent    time.Duration // on attempts that failed and the delays after them
	waited   time.Duration // because the server asked for it
}

// next says how long to wait before the next attempt, or that there is none. The answer is nil where there was none.
func (r *retry) next(a *answer, took time.Duration) (time.Duration, bool) {
	if r.policy.Total < 0 {
		return 0, false
	}
	if a != nil {
		if !repeatable(a.status) {
			return 0, false
		}
		if wait, ok := retryAfter(a); ok {
			if r.waited+wait > r.policy.Patience {
				return 0, false
			}
			r.waited += wait
			return wait, true
		}
	}
	r.spent += took
	left := r.policy.Total - r.spent
	if left <= 0 && r.backoffs > 0 {
		return 0, false
	}
	full := r.policy.Base << min(r.backoffs, 20)
	if full <= 0 || full > r.policy.Max {
		full = r.policy.Max
	}
	r.backoffs++
	wait := full/2 + time.Duration(r.jitter()*float64(full/2))
	if left > 0 {
		wait = min(wait, left)
	}
	r.spent += wait
	return wait, true
}

// repeatable: 501 is an answer for good, the other 5xx are accidents.
func repeatable(status int) bool {
	return status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented
}

// retryAfter reads the seconds a 429 or 503 asks for. A date or a zero says too little to wait by.
func retryAfter(a *answer) (time.Duration, bool) {
	if a.status != http.StatusTooManyRequests && a.status != http.StatusServiceUnavailable {
		return 0, false
	}
	seconds, err := strconv.Atoi(strings.TrimSpace(a.header.Get("Retry-After")))
	if err != nil || seconds <= 0 || seconds > 24*60*60 {
		return 0, false
	}
	return time.Duration(seconds) * time.Second, true
}

// A clock is what the simulator knows of time, so that tests need not wait.
type clock struct {
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
	jitter func() float64
}

func systemClock() clock {
	return clock{now: time.Now, sleep: sleep, jitter: rand.Float64}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
