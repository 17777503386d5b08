package scheduler

import (
	"context"
	"time"
)

// Once runs a pass that one scheduler runs in each window.
func (s *Scheduler) Once(ctx context.Context, name string, every time.Duration, run func(context.Context) error) error {
	return s.pass(ctx, name, every, true, run)
}

// Expire, Remind and Prune are the passes of those names.
func (s *Scheduler) Expire(ctx context.Context) error { return s.expire(ctx) }
func (s *Scheduler) Remind(ctx context.Context) error { return s.remind(ctx) }
func (s *Scheduler) Prune(ctx context.Context) error  { return s.prune(ctx) }

// WarnOfCertificates is the pass certificates.
func (s *Scheduler) WarnOfCertificates(ctx context.Context) error { return s.warnOfCertificates(ctx) }

// FollowRuns is the pass of that name.
func (s *Scheduler) FollowRuns(ctx context.Context) error { return s.followRuns(ctx) }
