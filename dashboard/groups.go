package dashboard

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// groupsPage lists the groups of the directories.
type groupsPage struct {
	Provider string // of the newest connection, "" without one
	Setup    string // the path of its setup steps
	Owner    bool
	Empty    bool // there is no group at all
	Part     bool // what is around the list is told beside it
	Q        string
	Keep     []pair
	State    facet
	Chosen   bool
	Rows     []groupRow
	Pager    pager
}

// groupRow is a group in the list.
type groupRow struct {
	store.GroupRow
	Changed moment
}

// Badge shows how the group and its team stand.
func (g groupRow) Badge() template.HTML { return groupBadge(g.GroupRow) }

func groupBadge(g store.GroupRow) template.HTML {
	switch {
	case g.RemovedAt != nil:
		return mark("off", "Deleted")
	case g.State == store.GroupFailed:
		return mark("failed", "Failed")
	case g.State == store.GroupWorking:
		return mark("running", "Working")
	case g.People == 0:
		return mark("done", "In sync, empty")
	}
	return mark("done", "In sync")
}

func showGroups(r *request) error {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	state := r.facet("State", "state", [2]string{string(store.GroupInSync), "In sync"}, [2]string{string(store.GroupWorking), "Working"}, [2]string{string(store.GroupFailed), "Failed"})
	p := groupsPage{Owner: r.member().Role == models.RoleOwner, Part: r.htmx(), Q: text, State: state, Chosen: text != "" || state.Value != "", Keep: r.keep("state")}
	c, err := r.newestConnection()
	if err != nil {
		return err
	}
	if c != nil {
		p.Provider, p.Setup = c.Provider.Title(), connectionPath(c.ID)+"/setup"
	}
	offset := r.offset()
	rows, total, err := r.d.Store.DirectoryGroups(r.ctx, store.GroupQuery{WorkspaceID: r.workspace().ID, Text: text, Folded: scim.Fold(text), State: store.GroupState(state.Value)}, offset, pageSize)
	if err != nil {
		return err
	}
	for _, row := range rows {
		p.Rows = append(p.Rows, groupRow{row, r.at(row.UpdatedAt)})
	}
	p.Empty = total == 0 && !p.Chosen
	p.Pager = r.pager(offset, len(rows), total, "groups")
	return r.page("groups", head{title: "Groups", nav: "groups"}, p)
}

// groupPage is one group: whether the same people are in it there and here.
type groupPage struct {
	store.GroupRow
	Provider string
	Since    moment
	Badge    template.HTML
	Verdict  verdict
	Team     int // people in the team
	Failed   bool
	Owner    bool
	Waits    []waitRow
	MoreWait int
	Part     bool
	Q        string
	People   []groupPerson
	Shown    string // "51–100"
	Prev     string
	Next     string
	Story    []storyDay
	Older    string
	Gives    string // the sentence about its role
}

// waitRow is a value that the group names and that is nobody yet.
type waitRow struct {
	models.WaitingMember
	Since moment
}

// groupPerson is a person in the group.
type groupPerson struct {
	store.GroupPerson
	Came  moment
	Badge template.HTML
}

// How much of a group is shown at once.
const (
	groupEvents  = 20
	groupWaiting = 10
)

func showGroup(r *request) error {
	id := r.PathValue("id")
	if !directory.IsID(id) {
		return errNothing
	}
	g, err := r.d.Store.DirectoryGroup(r.ctx, r.workspace().ID, id)
	if err != nil {
		return err
	}
	p := groupPage{GroupRow: g, Provider: g.Provider.Title(), Since: r.at(g.CreatedAt), Badge: groupBadge(g), Part: r.htmx(), Q: strings.TrimSpace(r.URL.Query().Get("q")), Owner: r.member().Role == models.RoleOwner}
	if err := r.groupPeople(&p); err != nil {
		return err
	}
	if p.Part && r.Header.Get("HX-Target") == "list" {
		return r.page("group", head{}, p)
	}
	if g.TeamID != "" {
		if p.Team, err = r.d.Store.TeamSize(r.ctx, g.TeamID); err != nil {
			return err
		}
	}
	if g.Waiting > 0 {
		waits, err := r.d.Store.WaitingIn(r.ctx, id, groupWaiting)
		if err != nil {
			return err
		}
		for _, w := range waits {
			p.Waits = append(p.Waits, waitRow{w, r.at(w.CreatedAt)})
		}
		p.MoreWait = g.Waiting - len(waits)
	}
	before := r.URL.Query().Get("before")
	if !directory.IsID(before) {
		before = ""
	}
	events, more, err := r.d.Store.GroupStory(r.ctx, g.Group, before, groupEvents)
	if err != nil {
		return err
	}
	p.Story, p.Older = r.days(events, func(e store.StoryEvent) storyEvent { return told(e, g.DisplayName, p.Provider) }), r.older(events, more)
	open, last, err := r.d.Store.GroupWork(r.ctx, g.Group)
	if err != nil {
		return err
	}
	p.Verdict = r.groupVerdict(&p, open, last)
	p.Gives = "Gives no role. People keep theirs unless another group says otherwise."
	if g.Role != "" {
		p.Gives = "Gives the role " + string(g.Role) + " to everybody in it; owners stay owners."
	}
	return r.pageWith(http.StatusOK, "group", head{title: g.DisplayName, nav: "groups"}, p)
}

// groupPeople reads a page of the people in the group.
func (r *request) groupPeople(p *groupPage) error {
	offset := r.offset()
	people, more, err := r.d.Store.GroupPeople(r.ctx, p.GroupRow, p.Q, scim.Fold(p.Q), offset, pageSize)
	if err != nil {
		return err
	}
	for _, g := range people {
		row := groupPerson{GroupPerson: g, Came: r.at(g.Since()), Badge: mark("pending", "No member yet")}
		if g.MemberID != "" {
			row.Badge = memberBadge(g.Status)
		}
		p.People = append(p.People, row)
	}
	total := offset + len(people)
	if more {
		total++
	}
	pages := r.pager(offset, len(people), total, "people")
	p.Prev, p.Next = pages.Prev, pages.Next
	p.Shown = num(offset+1) + "–" + num(offset+len(people))
	if p.Q == "" {
		p.Shown += " of " + num(max(p.GroupRow.People, offset+len(people)))
	}
	return nil
}

// groupVerdict says whether the same people are in the group there and here.
func (r *request) groupVerdict(p *groupPage, open []models.Operation, last *models.Operation) verdict {
	g, by := p.GroupRow, p.Provider
	for _, op := range open {
		p.Failed = p.Failed || op.State == models.OperationFailed
	}
	switch {
	case g.RemovedAt != nil:
		return verdict{"good", by + " deleted this group " + dayClock(r.at(*g.RemovedAt)) + ".", "Its team is gone with it. The people stay members."}
	case p.Failed:
		return verdict{"bad", "The last change of this group could not be applied.", serverSaid(open[0].Error)}
	case g.State == store.GroupWorking:
		return verdict{"busy", fmt.Sprintf("Working. %s in %s, %s in the team so far.", plural(g.People, "person", "people"), by, num(p.Team)), "The team follows as soon as the job’s turn comes."}
	}
	v := verdict{Class: "good", Text: fmt.Sprintf("In sync. %s in %s, the same %s in the team.", plural(g.People, "person", "people"), by, num(p.Team))}
	if g.People == 0 && p.Team == 0 {
		v.Text = "In sync. Nobody is in it, there or here."
	}
	if missing := g.People - p.Team; missing > 0 {
		v.Text = fmt.Sprintf("In sync. %s in %s, %s in the team.", plural(g.People, "person", "people"), by, num(p.Team))
		v.More = plural(missing, "person is", "people are") + " not in the team: they have no access, or are no members yet. "
	}
	if g.Waiting > 0 {
		v.More += plural(g.Waiting, "value", "values") + " that " + by + " sent " + map[bool]string{true: "is", false: "are"}[g.Waiting == 1] + " nobody yet. They join when " + by + " sends the person. "
	}
	if last != nil && last.FinishedAt != nil {
		v.More += "Last change " + dayClock(r.at(last.CreatedAt)) + ", applied in " + dur(max(last.FinishedAt.Sub(last.CreatedAt), time.Millisecond)) + "."
	}
	return v
}
