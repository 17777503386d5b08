package simulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Plan is what a run does. Its zero value only tests the connection.
type Plan struct {
	Users       int    // people to assign
	Group       string // group to push with all of them in it; empty pushes none
	Concurrency int    // parallel people; zero is 10
	Deactivate  int    // how many of the assigned people lose the app afterwards
	Reactivate  int    // how many of those get it back
	// Seed names the people: the same seed gives the same people, who are found and updated if they are on the server
	// already; another seed gives others. Empty is a seed too.
	Seed string
	// Domain of the addresses; empty is acme.test, to which no mail can ever go.
	Domain string
}

func (p Plan) withDefaults() (Plan, error) {
	for _, n := range []struct {
		name  string
		value int
	}{{"users", p.Users}, {"concurrency", p.Concurrency}, {"deactivate", p.Deactivate}, {"reactivate", p.Reactivate}} {
		if n.value < 0 {
			return p, fmt.Errorf("%s must not be negative, it is %d", n.name, n.value)
		}
	}
	if p.Concurrency == 0 {
		p.Concurrency = 10
	}
	if p.Domain == "" {
		p.Domain = "acme.test"
	}
	p.Deactivate = min(p.Deactivate, p.Users)
	p.Reactivate = min(p.Reactivate, p.Deactivate)
	return p, nil
}

// Progress is where a phase of a run stands. Done steps succeeded, Failed ones failed for good; a phase is over when
// both make Total.
type Progress struct {
	Phase  string
	Done   int
	Total  int
	Failed int
}

// Observer is told of progress: once as each phase begins, then after each step. Calls never overlap. It may be nil.
type Observer func(Progress)

// Phases of a run, in order.
const (
	PhaseConnection = "connection test"
	PhaseAssign     = "assign people"
	PhasePushGroup  = "push group"
	PhaseMembers    = "add members"
	PhaseDeactivate = "deactivate"
	PhaseReactivate = "reactivate"
)

// Run plays a plan. A failed step does not stop it: the report lists it and the error says how many there were. Only
// the connection test does, as Okta does not save a connection that fails it. When ctx ends, Run returns what was done
// until then, with an error that wraps the context's own.
func (o *Okta) Run(ctx context.Context, plan Plan, observe Observer) (Report, error) {
	plan, err := plan.withDefaults()
	if err != nil {
		return Report{}, err
	}
	measured := *o
	measured.record = newRecorder()
	if o.HTTP == nil {
		measured.own = NewHTTPClient(plan.Concurrency)
		defer measured.own.CloseIdleConnections()
	}
	r := &run{okta: &measured, plan: plan, observe: observe}
	r.report = Report{BaseURL: o.BaseURL, Style: o.Style, Seed: plan.Seed, Group: plan.Group, Started: o.clock.now()}
	r.play(ctx)
	r.report.Wall = o.clock.now().Sub(r.report.Started)
	r.report.Requests = measured.record.requests()
	r.report.Interrupted = ctx.Err() != nil && r.cut
	return r.report, r.verdict(ctx)
}

// A run is a plan being played.
type run struct {
	okta    *Okta
	plan    Plan
	observe Observer
	report  Report

	mu    sync.Mutex
	first error // that was a failure
	cut   bool  // a step was left undone because the context ended
}

func (r *run) play(ctx context.Context) {
	connected := false
	r.phase(ctx, PhaseConnection, 1, func(ctx context.Context, _ int) (string, error) {
		err := r.okta.TestConnection(ctx)
		connected = err == nil
		return "", err
	})
	if !connected {
		return
	}
	assigned := r.assign(ctx)
	if r.plan.Group != "" {
		r.pushGroup(ctx, assigned)
	}
	r.deactivate(ctx, assigned)
}

func (r *run) assign(ctx context.Context) []Person {
	people := People(r.plan.Seed, r.plan.Users, r.plan.Domain)
	r.phase(ctx, PhaseAssign, len(people), func(ctx context.Context, i int) (string, error) {
		return people[i].UserName, r.okta.Assign(ctx, &people[i])
	})
	assigned := slices.DeleteFunc(people, func(p Person) bool { return p.ID == "" })
	r.report.People = assigned
	r.report.UserIDs = ids(assigned)
	return assigned
}

func (r *run) pushGroup(ctx context.Context, assigned []Person) {
	var group *Group
	r.phase(ctx, PhasePushGroup, 1, func(ctx context.Context, _ int) (string, error) {
		var err error
		group, err = r.okta.PushGroup(ctx, r.plan.Group)
		return r.plan.Group, err
	})
	if group == nil {
		return
	}
	r.report.GroupID = group.ID
	// One update after the other, as each knows the list the one before it left. A wizard app sends the whole list anyway.
	batch := MemberBatch
	if r.okta.Style == Put {
		batch = max(len(assigned), 1)
	}
	batches := slices.Collect(slices.Chunk(assigned, batch))
	r.steps(ctx, PhaseMembers, len(assigned), 1, len(batches), func(ctx context.Context, i int) (string, int, error) {
		return r.plan.Group, len(batches[i]), r.okta.AddMembers(ctx, group, batches[i])
	})
}

func (r *run) deactivate(ctx context.Context, assigned []Person) {
	leave := assigned[len(assigned)-min(r.plan.Deactivate, len(assigned)):]
	left := make([]bool, len(leave))
	r.phase(ctx, PhaseDeactivate, len(leave), func(ctx context.Context, i int) (string, error) {
		err := r.okta.Deactivate(ctx, &leave[i])
		left[i] = err == nil
		return leave[i].UserName, err
	})
	var gone []Person
	for i, p := range leave {
		if left[i] {
			gone = append(gone, p)
		}
	}
	r.report.Deactivated = ids(gone)

	back := gone[:min(r.plan.Reactivate, len(gone))]
	returned := make([]bool, len(back))
	r.phase(ctx, PhaseReactivate, len(back), func(ctx context.Context, i int) (string, error) {
		err := r.okta.Reactivate(ctx, &back[i])
		returned[i] = err == nil
		return back[i].UserName, err
	})
	for i, p := range back {
		if returned[i] {
			r.report.Reactivated = append(r.report.Reactivated, p.ID)
		}
	}
}

// phase plays n steps of one thing each, in parallel.
func (r *run) phase(ctx context.Context, name string, n int, step func(context.Context, int) (who string, err error)) {
	r.steps(ctx, name, n, r.plan.Concurrency, n, func(ctx context.Context, i int) (string, int, error) {
		who, err := step(ctx, i)
		return who, 1, err
	})
}

// steps plays a phase of steps that each do some of the total, so many in parallel.
func (r *run) steps(ctx context.Context, name string, total, parallel, steps int, step func(context.Context, int) (who string, size int, err error)) {
	if total == 0 {
		return
	}
	if ctx.Err() != nil {
		r.cut = true
		return
	}
	started := r.okta.clock.now()
	progress := Progress{Phase: name, Total: total}
	r.tell(progress)

	next := make(chan int)
	var workers sync.WaitGroup
	for range min(parallel, steps) {
		workers.Go(func() {
			for i := range next {
				who, size, err := step(ctx, i)
				r.mu.Lock()
				r.settle(ctx, &progress, who, size, err)
				r.mu.Unlock()
			}
		})
	}
	for i := 0; i < steps && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	if progress.Done+progress.Failed < total {
		r.cut = true
	}
	r.report.Phases = append(r.report.Phases, PhaseReport{Progress: progress, Wall: r.okta.clock.now().Sub(started)})
}

// settle counts a step that ended. One that the context cut off is neither done nor failed.
func (r *run) settle(ctx context.Context, progress *Progress, who string, size int, err error) {
	switch {
	case err == nil:
		progress.Done += size
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return
	default:
		progress.Failed += size
		r.report.fail(progress.Phase, who, err)
		if r.first == nil {
			r.first = err
		}
	}
	r.tell(*progress)
}

func (r *run) tell(progress Progress) {
	if r.observe != nil {
		r.observe(progress)
	}
}

func (r *run) verdict(ctx context.Context) error {
	if r.report.Interrupted {
		return fmt.Errorf("stopped before the end: %w", ctx.Err())
	}
	switch r.report.Failed {
	case 0:
		return nil
	case 1:
		return r.first
	}
	return fmt.Errorf("%d steps failed, the first with: %w", r.report.Failed, r.first)
}

func ids(people []Person) []string {
	all := make([]string, 0, len(people))
	for _, p := range people {
		all = append(all, p.ID)
	}
	return all
}
