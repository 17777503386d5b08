package dashboard

import (
	"encoding/csv"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// peoplePage is everybody in the workspace, searched and narrowed.
type peoplePage struct {
	Counts   store.PeopleCounts
	Provider string // the newest connection's, "" without one
	Setup    string // the path of its setup steps
	Owner    bool
	Nobody   bool // nobody has come from a directory yet
	Part     bool // what is around the list is told beside it
	Q        string
	Keep     []pair // the rest of what is chosen, for the form
	Facets   []facet
	Chosen   bool // something narrows the list
	Export   string
	Rows     []personRow
	Pager    pager
}

// pair is one value of a query.
type pair struct{ Key, Value string }

// personRow is a member in the list.
type personRow struct {
	store.PersonRow
	Changed moment
}

// From is where the person came from.
func (p personRow) From() string {
	if p.Provider == "" {
		return "by hand"
	}
	return p.Provider.Title()
}

// TeamWords are the person's teams, the first few by name.
func (p personRow) TeamWords() string {
	switch more := p.TeamCount - len(p.Teams); {
	case p.TeamCount == 0 && p.Status == models.MemberDeactivated:
		return "none any more"
	case p.TeamCount == 0:
		return "none"
	case more > 0:
		return strings.Join(p.Teams, ", ") + " and " + num(more) + " more"
	}
	return strings.Join(p.Teams, ", ")
}

// Badge is the person's state: whether they can get in, or what keeps them from it.
func (p personRow) Badge() template.HTML { return standing(p.Status, p.Mail) }

// standing shows a member's status with how their invitation stands.
func standing(status models.MemberStatus, mail store.PeopleState) template.HTML {
	switch {
	case status == models.MemberInvited && mail == store.PeopleRefused:
		return mark("failed", "Mail refused")
	case status == models.MemberInvited && mail == store.PeopleUnknown:
		return mark("unknown", "Delivery unknown")
	}
	return memberBadge(status)
}

// How much lists of people show and count.
const (
	fewTeams    = 3
	fewGroups   = 30   // in a menu
	countPeople = 1000 // how far people who meet a condition are counted
)

// peopleQuery is what the query of the request asks for, with the facets to choose by.
func (r *request) peopleQuery() (q store.PeopleQuery, facets []facet, err error) {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	q = store.PeopleQuery{WorkspaceID: r.workspace().ID, Text: text, Folded: scim.Fold(text)}
	state := r.facet("State", "state", [2]string{"active", "Active"}, [2]string{"invited", "Invited"}, [2]string{"deactivated", "Deactivated"},
		[2]string{string(store.PeopleRefused), "Mail refused"}, [2]string{string(store.PeopleUnknown), "Delivery unknown"})
	role := r.facet("Role", "role", [2]string{"owner", "Owner"}, [2]string{"admin", "Admin"}, [2]string{"member", "Member"})
	q.State, q.Role = store.PeopleState(state.Value), models.Role(role.Value)
	groups, err := r.groupFacet()
	if err != nil {
		return q, nil, err
	}
	connections, err := r.d.Store.AllConnections(r.ctx, q.WorkspaceID)
	if err != nil {
		return q, nil, err
	}
	var from [][2]string
	for _, c := range connections {
		word := c.Provider.Title()
		if c.Status == models.ConnectionDeleted {
			word = c.Provider.Title() + " of " + r.at(c.CreatedAt).Format("2 Jan 2006") + ", deleted"
		}
		from = append(from, [2]string{c.ID, word})
	}
	came := r.facet("Came from", "from", append(from, [2]string{store.PeopleByHand, "By hand"})...)
	q.GroupID, q.From = groups.Value, came.Value
	return q, []facet{state, role, groups, came}, nil
}

// groupFacet lets people be narrowed by a group: the first few by name, and the one that is chosen.
func (r *request) groupFacet() (facet, error) {
	groups, err := r.d.Store.PeopleGroups(r.ctx, r.workspace().ID, fewGroups)
	if err != nil {
		return facet{}, err
	}
	chosen, known := r.URL.Query().Get("group"), false
	var choices [][2]string
	for _, g := range groups {
		known = known || g.ID == chosen
		choices = append(choices, [2]string{g.ID, g.DisplayName})
	}
	if !known && directory.IsID(chosen) {
		g, err := r.d.Store.WorkspaceGroup(r.ctx, r.workspace().ID, chosen)
		if err != nil && !models.Is(err, models.NotFound) {
			return facet{}, err
		}
		if err == nil {
			choices = append([][2]string{{g.ID, g.DisplayName}}, choices...)
		}
	}
	f := r.facet("Group", "group", choices...)
	if len(groups) == fewGroups {
		f.Options = append(f.Options, option{Word: "All groups", Href: "/groups"})
	}
	return f, nil
}

func showPeople(r *request) error {
	q, facets, err := r.peopleQuery()
	if err != nil {
		return err
	}
	p := peoplePage{Owner: r.member().Role == models.RoleOwner, Part: r.htmx(), Q: q.Text, Facets: facets, Export: "/people.csv"}
	for _, f := range facets {
		p.Chosen = p.Chosen || f.Value != ""
	}
	p.Chosen = p.Chosen || q.Text != ""
	p.Keep = r.keep("state", "role", "group", "from")
	query := url.Values{}
	for _, k := range append(p.Keep, pair{"q", q.Text}) {
		if k.Value != "" {
			query.Set(k.Key, k.Value)
		}
	}
	if len(query) > 0 {
		p.Export += "?" + query.Encode()
	}
	c, err := r.newestConnection()
	if err != nil {
		return err
	}
	if c != nil {
		p.Provider, p.Setup = c.Provider.Title(), connectionPath(c.ID)+"/setup"
	}
	offset := r.offset()
	if q.Plain() || !p.Part {
		if p.Counts, err = r.d.Store.PeopleCounts(r.ctx, q.WorkspaceID); err != nil {
			return err
		}
	}
	if !p.Chosen && !p.Part {
		came, err := r.d.Store.PeopleCame(r.ctx, q.WorkspaceID)
		if err != nil {
			return err
		}
		p.Nobody = !came
	}
	rows, err := r.d.Store.People(r.ctx, q, offset, pageSize, fewTeams)
	if err != nil {
		return err
	}
	for _, row := range rows {
		p.Rows = append(p.Rows, personRow{row, r.at(row.UpdatedAt)})
	}
	total := p.Counts.Of(q.State)
	if !q.Plain() {
		if total, err = r.peopleTotal(q, offset, len(rows)); err != nil {
			return err
		}
	}
	p.Pager = r.pager(offset, len(rows), total, "people")
	p.Pager.Over = !q.Plain() && total > countPeople
	return r.page("people", head{title: "People", nav: "people"}, p)
}

// peopleTotal counts the people who meet q, of whom a page shows some. More than countPeople are not counted.
func (r *request) peopleTotal(q store.PeopleQuery, offset, shown int) (int, error) {
	if shown < pageSize && (shown > 0 || offset == 0) {
		return offset + shown, nil
	}
	total, err := r.d.Store.PeopleCount(r.ctx, q, countPeople+1)
	return max(total, offset+shown), err
}

// keep are the values of the request's query, for a form to send again.
func (r *request) keep(keys ...string) (all []pair) {
	for _, k := range keys {
		if v := r.URL.Query().Get(k); v != "" {
			all = append(all, pair{k, v})
		}
	}
	return all
}

// exportPage is how many people an export reads at once.
const exportPage = 1000

// exportPeople streams the list as CSV: the same people that the page shows, all of them.
func exportPeople(r *request) error {
	q, _, err := r.peopleQuery()
	if err != nil {
		return err
	}
	rows, err := r.d.Store.People(r.ctx, q, 0, exportPage, exportPage)
	if err != nil {
		return err // while there is still a page to say so on
	}
	h := r.w.Header()
	secureHeaders(h, pagePolicy)
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="people-`+r.workspace().Slug+"-"+r.at(r.now).Format("2006-01-02")+`.csv"`)
	h.Set("Cache-Control", "no-store")
	out := csv.NewWriter(r.w)
	_ = out.Write([]string{"Name", "E-mail", "Role", "State", "Teams", "Came from", "User name", "Provider id", "Joined", "Access ended", "Changed", "Id"}) // what goes wrong there, Error tells
	for {
		for _, row := range rows {
			state := string(row.Status)
			if row.Mail != "" {
				state = map[store.PeopleState]string{store.PeopleRefused: "mail refused", store.PeopleUnknown: "delivery unknown"}[row.Mail]
			}
			external := ""
			if row.ExternalID != nil {
				external = *row.ExternalID
			}
			cells := []string{row.Name, row.Email, string(row.Role), state, strings.Join(row.Teams, "; "), personRow{PersonRow: row}.From(), row.UserName, external,
				stamp(row.AcceptedAt), stamp(row.DeactivatedAt), stamp(&row.UpdatedAt), row.ID}
			for i := range cells {
				cells[i] = cell(cells[i])
			}
			_ = out.Write(cells)
		}
		out.Flush()
		if len(rows) < exportPage || out.Error() != nil {
			return nil // an error means that the visitor has left
		}
		q.Before = rows[len(rows)-1].ID
		if rows, err = r.d.Store.People(r.ctx, q, 0, exportPage, exportPage); err == nil {
			err = r.stays()
		}
		if err != nil {
			// A file that ends early must not look whole.
			r.d.Log.Warn("export of people", "request_id", r.id, "error", err)
			panic(http.ErrAbortHandler)
		}
	}
}

// stamp is a time for a table, in UTC; "" for none.
func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
