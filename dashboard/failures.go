package dashboard

import (
	"net/http"

	"outpost/directory"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
)

// maxFailures is how many failures the page looks at, the newest.
const maxFailures = 2000

// shownFailures is how many of a cause are shown beside the others.
const shownFailures = 5

// failuresPage is the work that stopped for good, by cause.
type failuresPage struct {
	Total  int // that was looked at
	All    int // that there is
	Retry  int // of them that trying again cannot do twice
	Causes []causeRow
	Only   *causeRow // the one cause that is asked for, nil for all
	Pager  pager
	By     string // who sent it, at the beginning of a sentence
}

// causeRow is one cause with those it befell.
type causeRow struct {
	cause
	Count int
	Rows  []failureRow
	More  int // that are not shown
	ids   []string
	found []store.FailureRow
}

// failureRow is one failure.
type failureRow struct {
	ID       string
	What     models.Kind
	Who      person
	Address  string
	Said     string
	Attempts int
}

// person is whom or what a row is about, with where to find them; Href is "" where they have no page.
type person struct {
	Name, Href string
}

// personOf is a name as rows show it.
func personOf(n store.Named) person {
	p := person{Name: n.Name}
	if p.Name == "" {
		p.Name = n.Email
	}
	if p.Name == "" {
		p.Name = "somebody who is gone"
	}
	switch {
	case n.Type == models.ResourceGroup:
		p.Href = "/groups/" + n.ID
	case n.MemberID != "":
		p.Href = "/people/" + n.MemberID
	}
	return p
}

func showFailures(r *request) error {
	all, err := r.failures()
	if err != nil {
		return err
	}
	p := failuresPage{}
	by, err := r.providerName()
	if err != nil {
		return err
	}
	p.By = capital(by)
	if p.All, err = r.d.Store.FailedCount(r.ctx, r.workspace().ID); err != nil {
		return err
	}
	only := r.URL.Query().Get("cause")
	var shown []store.FailureRow
	for i := range all {
		c := &all[i]
		p.Total += c.Count
		if !c.Doubt {
			p.Retry += c.Count
		}
		if only == "" {
			c.found = c.found[:min(len(c.found), shownFailures)]
		} else if c.Key == only {
			p.Only = c
			from := min(r.offset(), len(c.found))
			c.found = c.found[from:min(from+pageSize, len(c.found))]
			p.Pager = r.pager(from, len(c.found), c.Count, "failures")
		} else {
			continue
		}
		c.More = c.Count - len(c.found)
		shown = append(shown, c.found...)
	}
	rows, err := r.failureRows(shown)
	if err != nil {
		return err
	}
	for i := range all {
		c := &all[i]
		for _, f := range c.found {
			if row, ok := rows[f.ID]; ok {
				c.Rows = append(c.Rows, row)
			}
		}
	}
	p.Causes = all
	return r.page("failures", head{title: "Failures", nav: "failures"}, p)
}

// failures are the newest failures of the workspace by cause, the commonest first.
func (r *request) failures() ([]causeRow, error) {
	found, err := r.d.Store.Failures(r.ctx, r.workspace().ID, maxFailures)
	if err != nil {
		return nil, err
	}
	by, err := r.providerName()
	if err != nil {
		return nil, err
	}
	return byCause(found, by), nil
}

// providerName is the provider behind the workspace's people, or a word for all of them.
func (r *request) providerName() (string, error) {
	all, err := r.d.Store.Connections(r.ctx, r.workspace().ID)
	if err != nil || len(all) != 1 {
		return "your identity provider", err
	}
	return all[0].Provider.Title(), nil
}

// failureRows are failures as they are shown, by operation.
func (r *request) failureRows(found []store.FailureRow) (map[string]failureRow, error) {
	rows := make(map[string]failureRow, len(found))
	var operations, about []string
	for _, f := range found {
		operations, about = append(operations, f.ID), append(about, f.ResourceID)
	}
	mails, err := r.d.Store.MailsOf(r.ctx, r.workspace().ID, operations)
	if err != nil {
		return nil, err
	}
	for _, m := range mails {
		about = append(about, m.MemberID)
	}
	names, err := r.d.Store.Names(r.ctx, r.workspace().ID, about)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		n, m := names[f.ResourceID], mails[f.ID]
		if f.ResourceType == models.ResourceSignInLink {
			n = names[m.MemberID]
		}
		row := failureRow{ID: f.ID, What: f.Kind, Who: personOf(n), Address: m.Recipient, Said: serverSaid(f.Error), Attempts: f.Attempts}
		if row.Address == "" {
			row.Address = n.Email
		}
		rows[f.ID] = row
	}
	return rows, nil
}

// retryFailures tries failures again: the one in op, all of the cause, or all that cannot be done twice by that.
func retryFailures(r *request) error {
	var ids []string
	switch op, key := r.PostFormValue("op"), r.PostFormValue("cause"); {
	case op != "":
		if !directory.IsID(op) {
			return errNothing
		}
		ids = []string{op}
	default:
		all, err := r.failures()
		if err != nil {
			return err
		}
		for _, c := range all {
			if c.Key == key || key == "" && !c.Doubt {
				ids = append(ids, c.ids...)
			}
		}
	}
	to := localPath(r.PostFormValue("back"))
	if to == "/" {
		to = "/activity/failures"
	}
	if len(ids) == 0 {
		return r.seeOther(to, "Nothing of that is failed any more.")
	}
	ops, err := r.d.Outbox.Retry(r.ctx, r.workspace().ID, ids, r.retryEntry(ids))
	if err != nil {
		return err
	}
	switch len(ops) {
	case 0:
		return r.seeOther(to, "Nothing of that is failed any more.")
	case 1:
		return r.seeOther(to, "1 operation is tried again.")
	}
	return r.seeOther(to, num(len(ops))+" operations are tried again.")
}

// retryEntry is the audit entry for trying operations again.
func (r *request) retryEntry(ids []string) models.AuditEntry {
	e := models.AuditEntry{
		ID: outbox.ID(), WorkspaceID: r.workspace().ID, Actor: r.member().Name, IP: r.ip(), Method: "retry", TargetType: "Workspace", TargetID: r.workspace().ID,
		Status: http.StatusOK, Detail: plural(len(ids), "operation", "operations"), RequestID: r.id, UserAgent: r.agent(), At: r.now,
	}
	if len(ids) == 1 {
		e.OperationID = &ids[0]
	}
	return e
}
