package dashboard

import (
	"context"
	"encoding/csv"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"outpost/directory"
	"outpost/jobs"
	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/store"
)

// activityPage is what happened, newest first.
type activityPage struct {
	Tabs              []option
	Q                 string
	Kept              []keptValue // the choices that a search keeps
	State, Kind, Time facet
	HasKind           bool
	Clear             string // "" where nothing is chosen
	Export            string
	Zone              string
	Rows              []activityRow
	Newer, Older      string // paths, "" for nowhere
	Further           bool   // older rows may fit, that were not looked at
	Live              string // the stream of news, "" on older pages
	Part              bool   // the list is asked for alone
	Empty             bool   // nothing has happened at all
}

// keptValue is a hidden field of the search form.
type keptValue struct{ Name, Value string }

// activityRow is one thing that happened.
type activityRow struct {
	ID      string
	At      moment
	When    template.HTML
	Verb    string // of a request, "" for what is none
	Phrase  phrase
	Who     person
	Kind    models.Kind // of the operation, "" for none
	Outcome string
	State   template.HTML
	Status  int    // of a request's answer, 0 for what is none
	Request string // the page of the entry, "" for none
	Took    string
}

// activityTabs are the tabs, with what an address calls them.
var activityTabs = [][2]string{{"", "Everything"}, {"requests", "Requests"}, {"jobs", "Jobs"}, {"mails", "Mails"}, {"signins", "Sign-ins"}, {"hand", "By hand"}}

// activityTimes are how far back a list goes.
var activityTimes = [][2]string{{"hour", "last hour"}, {"today", "today"}, {"week", "7 days"}, {"month", "30 days"}}

// since is the moment from which on a list of the chosen time shows things; zero for all of it.
func (r *request) since(chosen string) time.Time {
	now := r.now.In(r.zone)
	switch chosen {
	case "hour":
		return now.Add(-time.Hour)
	case "today":
		return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, r.zone)
	case "week":
		return now.AddDate(0, 0, -7)
	case "month":
		return now.AddDate(0, 0, -30)
	}
	return time.Time{}
}

// activityFacets are what the tab can be narrowed by.
func (r *request) activityFacets(p *activityPage, tab store.ActivityTab) {
	states := [][2]string{{"pending", "Waiting"}, {"running", "Running"}, {"done", "Done"}, {"superseded", "Superseded"}, {"held", "Held"}, {"failed", "Failed"}}
	refused := [2]string{store.ActivityRefused, "Refused"}
	switch tab {
	case store.ActivityAll:
		states = append(states, refused)
	case store.ActivityRequests, store.ActivitySignIns:
		states = [][2]string{refused}
	case store.ActivityHand:
		states = nil
	}
	p.State = r.facet("State", "state", states...)
	if p.HasKind = tab == store.ActivityAll || tab == store.ActivityJobs; p.HasKind && p.State.Value != store.ActivityRefused {
		var kinds [][2]string
		for _, k := range jobs.Kinds {
			kinds = append(kinds, [2]string{string(k.Kind), string(k.Kind)})
		}
		p.Kind = r.facet("Kind", "kind", kinds...)
	} else {
		p.HasKind = false
	}
	p.Time = r.facet("Time", "time", activityTimes...)
}

// activityQuery is what the address asks for.
func (r *request) activityQuery(p *activityPage) (store.ActivityQuery, error) {
	tab := r.URL.Query().Get("tab")
	if !slices.ContainsFunc(activityTabs, func(t [2]string) bool { return t[0] == tab }) {
		return store.ActivityQuery{}, errNothing
	}
	r.activityFacets(p, store.ActivityTab(tab))
	q := store.ActivityQuery{
		WorkspaceID: r.workspace().ID, Tab: store.ActivityTab(tab), State: p.State.Value, Kind: models.Kind(p.Kind.Value), Since: r.since(p.Time.Value), Limit: pageSize,
	}
	if before := r.URL.Query().Get("before"); before != "" {
		if !directory.IsID(before) {
			return q, errNothing
		}
		q.Before = before
	}
	p.Q = strings.TrimSpace(r.URL.Query().Get("q"))
	var found store.ActivityFound
	var err error
	switch id := strings.ToLower(p.Q); {
	case p.Q == "":
		return q, nil
	case directory.IsID(id):
		found, err = r.d.Store.FindActivityByID(r.ctx, q.WorkspaceID, id)
	default:
		found, err = r.d.Store.FindActivityByText(r.ctx, q.WorkspaceID, p.Q, scim.Fold(p.Q))
	}
	q.Found = &found
	return q, err
}

func showActivity(r *request) error {
	var p activityPage
	q, err := r.activityQuery(&p)
	if err != nil {
		return err
	}
	page, err := r.d.Store.Activity(r.ctx, q)
	if err != nil {
		return err
	}
	if p.Rows, err = r.activityRows(page.Rows); err != nil {
		return err
	}
	for _, t := range activityTabs {
		to := url.Values{}
		for _, key := range []string{"q", "time"} {
			if v := r.URL.Query().Get(key); v != "" {
				to.Set(key, v)
			}
		}
		if t[0] != "" {
			to.Set("tab", t[0])
		}
		p.Tabs = append(p.Tabs, option{Word: t[1], Href: pathWith("/activity", to), On: t[0] == string(q.Tab)})
	}
	for _, key := range []string{"tab", "state", "kind", "time"} {
		if v := r.URL.Query().Get(key); v != "" {
			p.Kept = append(p.Kept, keptValue{key, v})
		}
	}
	if p.Q != "" || p.State.Value != "" || p.Kind.Value != "" || p.Time.Value != "" {
		p.Clear = "/activity"
		if q.Tab != "" {
			p.Clear += "?tab=" + string(q.Tab)
		}
	}
	chosen := r.URL.Query()
	chosen.Del("before")
	p.Export = pathWith("/activity.csv", chosen)
	p.Zone = r.at(r.now).ZoneName()
	p.Further = page.Further
	if page.Next != "" {
		p.Older = r.with("before", page.Next)
	}
	if q.Before != "" {
		p.Newer = r.with("before", "")
	} else {
		newest := outbox.ID()
		if len(page.Rows) > 0 {
			newest = page.Rows[0].ID
		}
		chosen.Set("after", newest)
		p.Live = pathWith("/activity/live", chosen)
	}
	p.Part = r.htmx()
	p.Empty = len(p.Rows) == 0 && p.Clear == "" && q.Before == "" && q.Tab == ""
	return r.page("activity", head{title: "Activity", nav: "activity"}, p)
}

func pathWith(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// activityRows are things that happened as they are shown.
func (r *request) activityRows(found []store.ActivityRow) ([]activityRow, error) {
	providers, err := r.d.Store.Providers(r.ctx, r.workspace().ID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, f := range found {
		if id := subject(f); directory.IsID(id) {
			ids = append(ids, id)
		}
	}
	names, err := r.d.Store.Names(r.ctx, r.workspace().ID, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]activityRow, len(found))
	for i, f := range found {
		rows[i] = r.activityRow(f, names, providers)
	}
	return rows, nil
}

// subject is the id of whom or what a row is about.
func subject(f store.ActivityRow) string {
	switch {
	case f.Entry != nil && !(f.Entry.Method == "retry" && f.Operation != nil):
		return f.Entry.TargetID
	case f.Mail != nil:
		return f.Mail.MemberID
	}
	return f.Operation.ResourceID
}

func (r *request) activityRow(f store.ActivityRow, names map[string]store.Named, providers map[string]models.Provider) activityRow {
	row := activityRow{ID: f.ID}
	e, op := f.Entry, f.Operation
	by := "The directory"
	var changes []models.Change
	switch {
	case e != nil:
		row.At, row.Request, row.Took = r.at(e.At), "/activity/requests/"+e.ID, took(e)
		if e.ConnectionID != nil {
			by = providers[*e.ConnectionID].Title()
		}
		if byHTTP(*e) {
			row.Verb, row.Status = e.Method, e.Status
		}
		changes = changesOf(*e)
		row.Phrase = entryPhrase(*e, changes, by, op != nil && op.Kind == models.KindUserDeactivate)
	default:
		row.At = r.at(op.CreatedAt)
		if op.ConnectionID != nil {
			by = providers[*op.ConnectionID].Title()
		}
		row.Phrase = operationPhrase(*op, by)
		if op.FinishedAt != nil {
			row.Took = dur(op.FinishedAt.Sub(op.CreatedAt))
		}
	}
	if op != nil {
		row.Kind = op.Kind
	}
	if n, ok := names[subject(f)]; ok {
		row.Who = personOf(n)
	} else {
		row.Who.Name = unnamed(e)
	}
	if row.When = row.At.When(); !row.At.sameDay(row.At.now) {
		row.When = row.At.Full() // a day without the clock would not tell one row from the next
	}
	row.Outcome = outcome(e, changes, op, f.Mail)
	row.State = mark(stand(e, op))
	return row
}

// news is how much has happened since a page was shown.
type news struct {
	Count int
	Path  string // the newest page with the same choices
}

// mostNews is where counting ends.
const mostNews = 1000

// liveActivity tells how much is newer than what the page shows. It never shows rows: nothing moves under a reader's eyes.
func liveActivity(r *request) error {
	after := r.URL.Query().Get("after")
	if after == "" {
		after = outbox.ID()
	} else if !directory.IsID(after) {
		return errNothing
	}
	if _, err := r.activityQuery(&activityPage{}); err != nil {
		return err
	}
	chosen := r.URL.Query()
	chosen.Del("after")
	key := "activity " + r.workspace().ID + " " + after + " " + chosen.Encode()
	path := pathWith("/activity", chosen)
	return r.stream(key, 2*time.Second, func(ctx context.Context) ([]event, error) {
		q, err := r.viewer(ctx).activityQuery(&activityPage{}) // a search may find somebody new
		if err != nil {
			return nil, err
		}
		q.Before, q.After = "", after
		n, err := r.d.Store.ActivityCount(ctx, q, mostNews)
		if err != nil {
			return nil, err
		}
		e, err := r.d.part("activity", "news", "news", news{n, path})
		return []event{e}, err
	})
}

// exportActivity answers with the list as CSV, all pages of it.
func exportActivity(r *request) error {
	var p activityPage
	q, err := r.activityQuery(&p)
	if err != nil {
		return err
	}
	q.Limit = 1000
	page, err := r.d.Store.Activity(r.ctx, q)
	if err != nil {
		return err // while it can still be said
	}
	h := r.w.Header()
	secureHeaders(h, "default-src 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="activity-`+r.workspace().Slug+`-`+r.now.In(r.zone).Format("2006-01-02")+`.csv"`)
	h.Set("Cache-Control", "no-store")
	out, answer := csv.NewWriter(r.w), http.NewResponseController(r.w)
	write := func(cells ...string) error {
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		return out.Write(cells)
	}
	err = write("Time", "What happened", "About", "What came of it", "State", "Kind", "Who asked", "From", "Method", "Answer", "Request id", "Provider's request id")
	for err == nil {
		var rows []activityRow
		if rows, err = r.activityRows(page.Rows); err != nil {
			break
		}
		for i, row := range rows {
			_, state := stand(page.Rows[i].Entry, page.Rows[i].Operation)
			e := page.Rows[i].Entry
			if e == nil {
				e = &models.AuditEntry{RequestID: page.Rows[i].Operation.RequestID}
			}
			answer := ""
			if row.Status != 0 {
				answer = strconv.Itoa(row.Status)
			}
			if err = write(row.At.Format(time.RFC3339), row.Phrase.with(row.Who.Name), row.Who.Name, row.Outcome, state, string(row.Kind), e.Actor, e.IP, row.Verb, answer, e.RequestID, e.ProviderRequestID); err != nil {
				break
			}
		}
		out.Flush()
		if err = out.Error(); err != nil || page.Next == "" {
			break
		}
		_ = answer.SetWriteDeadline(time.Now().Add(30 * time.Second)) // a test's recorder has none
		q.Before = page.Next
		if page, err = r.d.Store.Activity(r.ctx, q); err == nil {
			err = r.stays()
		}
	}
	if err != nil {
		panic(http.ErrAbortHandler) // the file must not look whole
	}
	return nil
}

// cell keeps a spreadsheet from taking a text for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
