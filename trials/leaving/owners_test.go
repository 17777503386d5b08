package leaving

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
	"outpost/store"
	"outpost/workspace"
)

// ground is a workspace of its own for one pair of requests.
type ground struct {
	*fixture.World
	db         *sql.DB
	workspace  models.Workspace
	connection models.Connection
	group      models.Group // the people of this round are in it
	people     [][2]ownerOf // two for each round
}

// ownerOf is one of the two owners of a round.
type ownerOf struct{ userID, memberID string }

// pair is two requests that are made at the same instant. a and b are the only active owners, unless ready says otherwise.
type pair struct {
	name        string
	ready       func(g *ground, round int, a, b ownerOf) error
	left, right func(g *ground, round int, a, b ownerOf) error
	// refused is how many of the two are refused, or held.
	refused int
	// after is done once the workers have run.
	after func(g *ground, a, b ownerOf) error
}

var pairs = []pair{
	{name: "SCIM deactivates × SCIM deactivates", left: first(off), right: second(off), refused: 1},
	{name: "SCIM deletes × by hand", left: first(remove), right: second(byOwner), refused: 1},
	{name: "by hand × by hand, each the other", left: first(byOwner), right: second(byOwner), refused: 1},
	{name: "role × by hand", left: first(demote), right: second(byOwner), refused: 1},
	{name: "role × role", left: first(demote), right: second(demote), refused: 1},
	{name: "role × SCIM deactivates", left: first(demote), right: second(off), refused: 1},
	{name: "mapping × SCIM deactivates", left: remap, right: second(off)},
	{name: "mapping × made an owner", ready: onlySecond, left: remap, right: first(promote), after: func(g *ground, _, b ownerOf) error { return off(g, b, b) }},
	{name: "approval × by hand", ready: heldFirst, left: first(approve), right: second(byOwner), refused: 1},
}

func first(do func(g *ground, who, other ownerOf) error) func(*ground, int, ownerOf, ownerOf) error {
	return func(g *ground, _ int, a, b ownerOf) error { return do(g, a, b) }
}

func second(do func(g *ground, who, other ownerOf) error) func(*ground, int, ownerOf, ownerOf) error {
	return func(g *ground, _ int, a, b ownerOf) error { return do(g, b, a) }
}

func (g *ground) caller() directory.Caller {
	return directory.Caller{WorkspaceID: g.workspace.ID, ConnectionID: g.connection.ID, Actor: "token", Method: "PATCH", RequestID: "request"}
}

// as is an owner who acts.
func (g *ground) as(who ownerOf) workspace.By {
	return workspace.By{WorkspaceID: g.workspace.ID, Actor: "an owner", Role: models.RoleOwner, MemberID: who.memberID}
}

func off(g *ground, who, _ ownerOf) error {
	p, err := scim.DecodePatch(strings.NewReader(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`))
	if err == nil {
		_, err = g.Directory.PatchUser(context.Background(), g.caller(), who.userID, p)
	}
	return err
}

func remove(g *ground, who, _ ownerOf) error {
	return g.Directory.DeleteUser(context.Background(), g.caller(), who.userID)
}

func byOwner(g *ground, who, other ownerOf) error {
	return g.Hands.Deactivate(context.Background(), g.as(other), who.memberID)
}

func demote(g *ground, who, other ownerOf) error {
	return g.Hands.ChangeRole(context.Background(), g.as(other), who.memberID, models.RoleMember)
}

func promote(g *ground, who, other ownerOf) error {
	return g.Hands.ChangeRole(context.Background(), g.as(other), who.memberID, models.RoleOwner)
}

// remap lets the group that both are in give another role than before.
func remap(g *ground, round int, _, _ ownerOf) error {
	return g.Directory.MapRole(context.Background(), g.caller(), g.group.ID, []models.Role{models.RoleAdmin, models.RoleMember}[round%2])
}

// onlySecond leaves b the only owner; a has the role that the group gives.
func onlySecond(g *ground, _ int, _, b ownerOf) error { return g.own(b) }

// heldFirst has a removed while they are the only owner, and then makes b one: the removal waits for a decision.
func heldFirst(g *ground, _ int, a, b ownerOf) error {
	if err := g.own(a); err != nil {
		return err
	}
	if err := off(g, a, b); err != nil {
		return err
	}
	return g.own(a, b)
}

func approve(g *ground, who, _ ownerOf) error {
	var id string
	if err := g.db.QueryRow("SELECT id FROM operations WHERE resource_id = $1 AND state = 'held'", who.userID).Scan(&id); err != nil {
		return fmt.Errorf("what is held: %w", err)
	}
	decisions, err := g.Directory.Approve(context.Background(), g.caller(), []string{id}, directory.Decider{Actor: "an owner", Role: models.RoleOwner, SignedInAt: g.Clock.Now()})
	if err == nil {
		err = decisions[0].Err
	}
	return err
}

// own makes these, and nobody else, the active owners of the workspace.
func (g *ground) own(who ...ownerOf) error {
	var before []string
	rows, err := g.db.Query("SELECT id FROM members WHERE workspace_id = $1 AND role = 'owner'", g.workspace.ID)
	if err != nil {
		return err
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		before = append(before, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	set := func(tx *store.Tx, id string, change func(m *models.Member)) error {
		m, err := tx.LockMember(g.workspace.ID, id)
		if err != nil {
			return err
		}
		change(&m)
		return tx.SaveMember(m)
	}
	return g.Store.Write(context.Background(), func(tx *store.Tx) error {
		for _, id := range before {
			if err := set(tx, id, func(m *models.Member) { m.Role, m.HandRole = models.RoleMember, models.RoleMember }); err != nil {
				return err
			}
		}
		for _, o := range who {
			err := set(tx, o.memberID, func(m *models.Member) {
				now := g.Clock.Now()
				m.Status, m.AcceptedAt, m.Role, m.HandRole, m.RoleGroupID = models.MemberActive, &now, models.RoleOwner, models.RoleOwner, nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// TestAWorkspaceAlwaysKeepsAnActiveOwner makes, again and again, two requests at once that could each take one of two
// owners.
func TestAWorkspaceAlwaysKeepsAnActiveOwner(t *testing.T) {
	n := rounds(t, 10)
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			t.Parallel()
			url := database.open(t)
			w := fixture.New(t, url, nil)
			w.Mailbox(nil)
			db, err := sql.Open(database.driver, strings.TrimPrefix(url, "sqlite:"))
			must(t, err)
			t.Cleanup(func() { db.Close() })
			grounds := make([]*ground, len(pairs))
			for i := range pairs {
				grounds[i] = newGround(t, w, db, i)
			}
			looks := watchOwners(t, db)
			refused := make([]int, len(pairs))
			without := 0
			for round := range n {
				if round%atATime == 0 {
					for _, g := range grounds {
						g.hire(t, min(atATime, n-round))
					}
					settled(t, db)
					for _, g := range grounds {
						g.meet(t)
					}
				}
				for i, g := range grounds {
					g.prepare(t, pairs[i], round)
				}
				settled(t, db)
				answers := atOnce(grounds, round)
				settled(t, db)
				for i, g := range grounds {
					p, people := pairs[i], g.people[round]
					if p.after != nil {
						must(t, p.after(g, people[0], people[1]))
						settled(t, db)
					}
					no := g.refused(t, p.name, answers[2*i:2*i+2], people)
					refused[i] += no
					if no != p.refused {
						t.Errorf("%s, round %d: %d of two are refused, want %d", p.name, round, no, p.refused)
					}
					if owners := g.owners(t); owners == 0 {
						without++
						t.Errorf("%s, round %d: no active owner", p.name, round)
					} else if owners != 1 {
						t.Errorf("%s, round %d: %d active owners", p.name, round, owners)
					}
				}
			}
			seen, empty := looks()
			var b strings.Builder
			for i, p := range pairs {
				fmt.Fprintf(&b, "\n%-38s %4d rounds, %4d of %4d requests refused or held", p.name, n, refused[i], 2*n)
			}
			t.Logf("%s: workspaces without an active owner: %d after a round, %d in %d looks meanwhile%s", database.name, without, empty, seen, b.String())
			if empty > 0 {
				t.Errorf("in %d of %d looks a workspace had no active owner", empty, seen)
			}
		})
	}
}

// newGround makes a workspace, which the founder owns.
func newGround(t *testing.T, w *fixture.World, db *sql.DB, number int) *ground {
	t.Helper()
	g := &ground{World: w, db: db}
	var err error
	g.workspace, err = workspace.Create(t.Context(), w.Store, fmt.Sprintf("Pair %d", number), "founder@acme.test", models.PlanEnterprise, w.Clock.Now())
	must(t, err)
	issued, err := w.Directory.CreateConnection(t.Context(), g.workspace, models.ProviderOkta, "test")
	must(t, err)
	g.connection = issued.Connection
	must(t, w.Directory.SetInvitations(t.Context(), g.caller(), g.connection.ID, directory.InvitationSettings{}))
	return g
}

// atATime is for how many rounds people are provisioned at once.
const atATime = 10

// hire provisions the people of n more rounds, all of them in a group of their own.
func (g *ground) hire(t *testing.T, n int) {
	t.Helper()
	var ids []string
	for range n {
		var two [2]ownerOf
		for j := range two {
			u, err := g.Directory.CreateUser(t.Context(), g.caller(), g.Person(fmt.Sprintf("owner%d-%d", len(g.people), j)))
			must(t, err)
			two[j].userID = u.ID
			ids = append(ids, u.ID)
		}
		g.people = append(g.people, two)
	}
	var err error
	g.group, err = g.Directory.CreateGroup(t.Context(), g.caller(), &scim.Group{DisplayName: fmt.Sprintf("Everybody of %d", len(g.people)), Members: fixture.Members(ids...)})
	must(t, err)
}

// meet finds the members that the people have become.
func (g *ground) meet(t *testing.T) {
	t.Helper()
	for i := range g.people {
		for j := range g.people[i] {
			o := &g.people[i][j]
			if o.memberID == "" {
				must(t, g.db.QueryRow("SELECT id FROM members WHERE directory_user_id = $1", o.userID).Scan(&o.memberID))
			}
		}
	}
}

// prepare makes the two of a round what they are before it.
func (g *ground) prepare(t *testing.T, p pair, round int) {
	t.Helper()
	two := g.people[round]
	must(t, g.own(two[0], two[1]))
	if p.ready != nil {
		must(t, p.ready(g, round, two[0], two[1]))
	}
}

// atOnce makes both requests of every pair at the same instant, and gives what they were answered.
func atOnce(grounds []*ground, round int) []error {
	answers, start := make([]error, 2*len(grounds)), make(chan struct{})
	var all sync.WaitGroup
	for i, g := range grounds {
		for j, do := range []func(*ground, int, ownerOf, ownerOf) error{pairs[i].left, pairs[i].right} {
			all.Go(func() {
				<-start
				answers[2*i+j] = do(g, round, g.people[round][0], g.people[round][1])
			})
		}
	}
	close(start)
	all.Wait()
	return answers
}

// refused tells how many of the two were refused with a sentence that says why, or are held with one.
func (g *ground) refused(t *testing.T, name string, answers []error, people [2]ownerOf) (n int) {
	t.Helper()
	for _, err := range answers {
		switch {
		case models.Is(err, models.Denied) && strings.Contains(err.Error(), "last active owner"):
			n++
		case err != nil:
			t.Errorf("%s: %v", name, err)
		}
	}
	denied := n
	for _, o := range people {
		var held int
		must(t, g.db.QueryRow("SELECT count(*) FROM operations WHERE resource_id = $1 AND state = 'held' AND error = $2", o.userID, workspace.HeldLastOwner).Scan(&held))
		n += held
	}
	if name == "approval × by hand" && models.Is(answers[0], models.Denied) { // it goes on waiting
		n = denied
	}
	return n
}

func (g *ground) owners(t *testing.T) (n int) {
	t.Helper()
	must(t, g.db.QueryRow("SELECT count(*) FROM members WHERE workspace_id = $1 AND role = 'owner' AND status = 'active'", g.workspace.ID).Scan(&n))
	return n
}

// settled waits until the workers have nothing to do.
func settled(t *testing.T, db *sql.DB) {
	t.Helper()
	testkit.Eventually(t, 120*time.Second, "no operation is open", func() bool {
		var n int
		must(t, db.QueryRow("SELECT count(*) FROM operations WHERE state IN ('pending', 'running')").Scan(&n))
		return n == 0
	})
}

// watchOwners looks, all the time, whether any workspace is without an active owner.
func watchOwners(t *testing.T, db *sql.DB) (stop func() (looks, empty int)) {
	t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	var looks, empty int
	go func() {
		defer close(ended)
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				var n int
				err := db.QueryRow("SELECT count(*) FROM workspaces w WHERE w.name LIKE 'Pair %' AND NOT EXISTS (SELECT 1 FROM members m WHERE m.workspace_id = w.id AND m.role = 'owner' AND m.status = 'active')").Scan(&n)
				if err != nil {
					t.Errorf("look: %v", err)
					return
				}
				looks++
				if n > 0 {
					empty++
				}
			}
		}
	}()
	return sync.OnceValues(func() (int, int) {
		close(done)
		<-ended
		return looks, empty
	})
}
