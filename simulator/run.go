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
	Update      int    // how many of the assigned people, the first ones, change jobs afterwards
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
	}{{"users", p.Users}, {"update", p.Update}, {"concurrency", p.Concurrency}, {"deactivate", p.Deactivate}, {"reactivate", p.Reactivate}} {
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
	p.Update = min(p.Update, p.Users)
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

// Phases of a run, in order. Not every provider has all of them.
const (
	PhaseConnection = "connection test"
	PhaseAssign     = "assign people"
	PhaseUpdate     = "update people"
	PhasePushGroup  = "push group"
	PhaseMembers    = "add members"
	PhaseRemove     = "remove members"
	PhaseDeactivate = "deactivate"
	PhaseReactivate = "reactivate"
	PhaseDelete     = "delete"
)

// A script is what a provider does at each step of a run. Nil is a step that it never takes.
type script struct {
	provider   string                    // and the way it is set up, as a report names it
	externalID func(email string) string // the provider's own id of a person; nil leaves Okta's

	test                           func(context.Context) error
	assign, update                 func(context.Context, *Person) error
	push                           func(ctx context.Context, name string) (*Group, error)
	add, remove                    func(context.Context, *Group, []Person) error
	batch                          int // members of one call of add or remove; zero is all
	deactivate, reactivate, delete func(context.Context, *Person) error
}

// play is the Run of every provider. The client is a copy that this run alone uses.
func (c *Client) play(ctx context.Context, s script, plan Plan, observe Observer) (Report, error) {
	plan, err := plan.withDefaults()
	if err != nil {
		return Report{}, err
	}
	c.record = newRecorder()
	if c.HTTP == nil {
		c.own = NewHTTPClient(plan.Concurrency)
		defer c.own.CloseIdleConnections()
	}
	r := &run{client: c, script: s, plan: plan, observe: observe}
	r.report = Report{BaseURL: c.BaseURL, Provider: s.provider, Seed: plan.Seed, Group: plan.Group, Started: c.clock.now()}
	r.play(ctx)
	r.report.Wall = c.clock.now().Sub(r.report.Started)
	r.report.Requests = c.record.requests()
	r.report.Interrupted = ctx.Err() != nil && r.cut
	return r.report, r.verdict(ctx)
}

// A run is a plan being played.
type run struct {
	client  *Client
	script  script
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
		err := r.script.test(ctx)
		connected = err == nil
		return "", err
	})
	if !connected {
		return
	}
	assigned := r.assign(ctx)
	r.update(ctx, assigned)
	var group *Group
	if r.plan.Group != "" {
		group = r.pushGroup(ctx, assigned)
	}
	r.leave(ctx, assigned[len(assigned)-min(r.plan.Deactivate, len(assigned)):], group)
}

func (r *run) assign(ctx context.Context) []Person {
	people := People(r.plan.Seed, r.plan.Users, r.plan.Domain)
	if r.script.externalID != nil {
		for i := range people {
			people[i].ExternalID = r.script.externalID(people[i].Email)
		}
	}
	r.phase(ctx, PhaseAssign, len(people), func(ctx context.Context, i int) (string, error) {
		return people[i].UserName, r.script.assign(ctx, &people[i])
	})
	assigned := slices.DeleteFunc(people, func(p Person) bool { return p.ID == "" })
	r.report.People = assigned
	r.report.UserIDs = ids(assigned)
	return assigned
}

// update gives the first people other jobs, with the next of them as their manager.
func (r *run) update(ctx context.Context, assigned []Person) {
	changing := assigned[:min(r.plan.Update, len(assigned))]
	managers := map[string]string{}
	for i, p := range changing {
		if next := assigned[(i+1)%len(assigned)]; next.ID != p.ID {
			managers[p.ID] = next.ID
		}
	}
	r.report.Updated = ids(r.each(ctx, PhaseUpdate, changing, func(ctx context.Context, p *Person) error {
		changed := *p
		changed.changeJobs()
		changed.Manager = managers[p.ID]
		err := r.script.update(ctx, &changed)
		if err == nil {
			*p = changed
		}
		return err
	}))
}

// pushGroup answers nil where the group could not be pushed.
func (r *run) pushGroup(ctx context.Context, assigned []Person) *Group {
	var group *Group
	r.phase(ctx, PhasePushGroup, 1, func(ctx context.Context, _ int) (string, error) {
		var err error
		group, err = r.script.push(ctx, r.plan.Group)
		return r.plan.Group, err
	})
	if group != nil {
		r.members(ctx, PhaseMembers, group, assigned, r.script.add)
		r.report.GroupID = group.ID
	}
	return group
}

// members changes the members of a group, one update after the other, as each knows the list the one before it left.
func (r *run) members(ctx context.Context, phase string, group *Group, people []Person, change func(context.Context, *Group, []Person) error) {
	batch := r.script.batch
	if batch == 0 {
		batch = max(len(people), 1)
	}
	batches := slices.Collect(slices.Chunk(people, batch))
	r.steps(ctx, phase, len(people), 1, len(batches), func(ctx context.Context, i int) (string, int, error) {
		return group.Name, len(batches[i]), change(ctx, group, batches[i])
	})
}

// leave plays what becomes of people who leave: out of the group, deactivated, some of them back, the others deleted, as
// far as the provider does so.
func (r *run) leave(ctx context.Context, people []Person, group *Group) {
	if group != nil && r.script.remove != nil {
		r.members(ctx, PhaseRemove, group, people, r.script.remove)
	}
	if r.script.deactivate != nil {
		people = r.each(ctx, PhaseDeactivate, people, r.script.deactivate)
		r.report.Deactivated = ids(people)
		back := people[:min(r.plan.Reactivate, len(people))]
		people = people[len(back):]
		r.report.Reactivated = ids(r.each(ctx, PhaseReactivate, back, r.script.reactivate))
	}
	if r.script.delete != nil {
		r.report.Deleted = ids(r.each(ctx, PhaseDelete, people, r.script.delete))
	}
}

// each plays a step for each of the people, and returns those with whom it succeeded.
func (r *run) each(ctx context.Context, phase string, people []Person, step func(context.Context, *Person) error) []Person {
	done := make([]bool, len(people))
	r.phase(ctx, phase, len(people), func(ctx context.Context, i int) (string, error) {
		err := step(ctx, &people[i])
		done[i] = err == nil
		return people[i].UserName, err
	})
	var succeeded []Person
	for i, p := range people {
		if done[i] {
			succeeded = append(succeeded, p)
		}
	}
	return succeeded
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
	started := r.client.clock.now()
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
	r.report.Phases = append(r.report.Phases, PhaseReport{Progress: progress, Wall: r.client.clock.now().Sub(started)})
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
