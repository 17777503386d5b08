//go:build bench

package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"outpost/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// settings are the size of the run.
type settings struct{ users, rounds, group, backlog int }

func readSettings(t *testing.T) settings {
	t.Helper()
	setting := func(name string, otherwise, least int) int {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < least {
			t.Fatalf("%s is %q: it must be a number from %d", name, text, least)
		}
		return n
	}
	return settings{
		users:   setting("BENCH_USERS", 2000, workers),
		rounds:  setting("BENCH_ROUNDS", 3, 1),
		group:   setting("BENCH_GROUP", 10_000, smallGroup+1),
		backlog: setting("BENCH_BACKLOG", 5000, workers),
	}
}

const (
	smallGroup = 100
	singleRuns = 200 // members added and removed one by one, in a round and group
)

// TestBench runs everything and prints the figures.
func TestBench(t *testing.T) {
	size, out, whole := readSettings(t), &figures{}, newMeter()
	g := newGround(t)
	measureSCIM(t, g, size, out)
	measureWorker(t, g, size, out)

	fmt.Printf("\nPeople a round: %d. Rounds: %d, of which the medians are shown. %d CPUs, %s, %s/%s, %v in all.\n%s\n"+
		"The ratio is how fast outpost is beside bare: 1 is as fast, 0.50 half as fast.\n\n",
		size.users, size.rounds, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		time.Since(whole.start).Round(time.Second), busyMachine(whole))
	out.table(os.Stdout)
	fmt.Println()
	out.markdown(os.Stdout)
	fmt.Println()
}

// side is one of the two servers as the rounds see it.
type side struct {
	*client
	settle func() time.Duration // waits for what the server still does for its last turn
	memory func() (float64, bool)

	groups  []string // the small one and the large one
	members []person // of the large one; the first of them are the small one's
	spare   []person // in neither

	round []person
	group string
}

// measureSCIM measures requests, with the worker and the scheduler stopped: phase by phase the two servers take turns.
func measureSCIM(t *testing.T, g *ground, size settings, out *figures) {
	t.Helper()
	p := g.install("outpost_scim", 0)
	api := p.start("api")
	bareClient, bareProcess := g.startBare(1)
	sides := []*side{
		{client: p.tenant("Bench").scim, settle: p.published, memory: func() (float64, bool) { return peakMemory(api) }},
		{client: bareClient, settle: func() time.Duration { return 0 }, memory: func() (float64, bool) { return peakMemory(bareProcess) }},
	}
	declare(size, out)
	for _, s := range sides {
		s.prepare(t, size)
	}
	for round := range size.rounds {
		measureRound(t, sides, round, size, out)
	}
	memory := out.row(rowMemory, "MB")
	for _, s := range sides {
		for i, group := range s.groups {
			must(t, s.checkMembers(group, s.members[:[]int{smallGroup, size.group}[i]]))
		}
		if megabytes, ok := s.memory(); ok {
			memory.add(s.name, megabytes)
		}
	}
	end(t, api)
	bareProcess.Kill()
}

// prepare warms a server up and makes the two groups for single members.
func (s *side) prepare(t *testing.T, size settings) {
	t.Helper()
	_, err := s.pairs(people("warm", 200))
	must(t, err)
	all := people("large", size.group+singleRuns*size.rounds)
	must(t, s.createAll(all))
	s.members, s.spare = all[:size.group], all[size.group:]
	for _, n := range []int{smallGroup, size.group} {
		group, err := s.createGroup("Group of " + grouped(n))
		must(t, err)
		_, err = s.fill(group, s.members[:n])
		must(t, err)
		must(t, s.checkMembers(group, s.members[:n]))
		s.groups = append(s.groups, group)
	}
	s.settle()
}

const (
	rowPairs      = "look-up + create, 16 at once"
	rowPairTime   = "processor time of a pair, all parts"
	rowFill       = "fill a group, 100 a request"
	rowDeactivate = "deactivate, 16 at once"
	rowPublished  = "tasks published after the last pair"
	rowGrowth     = "add one: large group ÷ small group"
	rowMemory     = "memory of the API, peak"
)

func rowSingle(verb string, members int) string {
	return verb + " one member of " + grouped(members) + ", p50"
}

// declare puts the rows into their order, with what is asked of them.
func declare(size settings, out *figures) {
	out.row(rowPairs, "pairs/s").target = func(_, ratio float64) verdict { return verdict{"ratio ≥ 0.60", ratio >= 0.60} }
	out.row(rowPairTime, "ms").lessIsBetter = true
	published := out.row(rowPublished, "ms")
	published.noRatio = true
	out.row(rowFill, "members/s")
	for _, n := range []int{smallGroup, size.group} {
		for _, verb := range []string{"add", "remove"} {
			out.row(rowSingle(verb, n), "ms").lessIsBetter = true
		}
	}
	growth := out.row(rowGrowth, "×")
	growth.noRatio = true
	growth.target = func(outpost, _ float64) verdict { return verdict{"≤ 1.2", outpost <= 1.2} }
	out.row(rowDeactivate, "people/s")
	memory := out.row(rowMemory, "MB")
	memory.noRatio = true
	memory.target = func(outpost, _ float64) verdict { return verdict{"< 150 MB", outpost < 150} }
}

// measureRound gives both servers one turn in each phase, then checks what is there.
func measureRound(t *testing.T, sides []*side, round int, size settings, out *figures) {
	t.Helper()
	note := func(s *side, what string, value float64) {
		r := out.row(what, "")
		r.add(s.name, value)
		t.Logf("round %d: %-40s %-8s %8s %s", round+1, what, s.name, shown([]float64{value}), r.unit)
	}
	mark := "round" + strconv.Itoa(round+1)
	for _, s := range sides {
		before, err := s.total()
		must(t, err)
		s.round = people(mark, size.users)
		used := newMeter()
		took, err := s.pairs(s.round)
		must(t, err)
		note(s, rowPairs, perSecond(size.users, took))
		lag := s.settle()
		if spent, ok := used.spent(); ok {
			note(s, rowPairTime, milliseconds(spent)/float64(size.users))
		}
		if s.name == outpostName {
			note(s, rowPublished, milliseconds(lag))
		}
		after, err := s.total()
		must(t, err)
		if after != before+size.users {
			t.Fatalf("%s: totalResults went from %d to %d with %d new people", s.name, before, after, size.users)
		}
	}
	for _, s := range sides {
		var err error
		s.group, err = s.createGroup("Group of " + mark)
		must(t, err)
		took, err := s.fill(s.group, s.round)
		must(t, err)
		note(s, rowFill, perSecond(size.users, took))
		s.settle()
		must(t, s.checkMembers(s.group, s.round))
	}
	for _, s := range sides {
		took, err := s.singles(s.groups, s.spare[round*singleRuns:(round+1)*singleRuns])
		must(t, err)
		for i, n := range []int{smallGroup, size.group} {
			note(s, rowSingle("add", n), p50(took[i].add))
			note(s, rowSingle("remove", n), p50(took[i].remove))
		}
		note(s, rowGrowth, p50(took[1].add)/p50(took[0].add))
		s.settle()
	}
	leavers := max(1, size.users/5)
	for _, s := range sides {
		took, err := s.deactivate(s.round[:leavers])
		must(t, err)
		note(s, rowDeactivate, perSecond(leavers, took))
		s.settle()
	}
	for _, s := range sides {
		must(t, s.check(s.round[:leavers], false))
		must(t, s.check(s.round[leavers:], true))
		must(t, s.check(slices.Concat(s.members[:1], s.spare[:1]), true))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
