package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"outpost/models"
)

// ActivityTab is a part of what happened.
type ActivityTab string

// The parts of what happened.
const (
	ActivityAll      ActivityTab = ""         // audit entries, and the operations that follow from no entry by themselves
	ActivityRequests ActivityTab = "requests" // of providers
	ActivityJobs     ActivityTab = "jobs"     // operations
	ActivityMails    ActivityTab = "mails"    // operations that send one
	ActivitySignIns  ActivityTab = "signins"  // and the refused ones, and what people end of their own
	ActivityHand     ActivityTab = "hand"     // what people did themselves
)

// ActivityRefused is the state, beside those of operations, of a request that was refused.
const ActivityRefused = "refused"

// ActivityQuery narrows what happened in a workspace. A state, or a kind, is that of an operation: with one of them
// operations are listed, each with the entry that caused it, but for ActivityRefused.
type ActivityQuery struct {
	WorkspaceID string
	Tab         ActivityTab
	State       string         // an operation's, ActivityRefused, or "" for all
	Kind        models.Kind    // "" for all
	Since       time.Time      // zero for all
	Before      string         // an id: what is older alone; "" for the newest
	After       string         // an id: what is newer alone
	Found       *ActivityFound // what a search found, nil where nothing is searched for
	Limit       int
	Look        int // how many operations at most are looked at where no index knows those that fit; 0 for 100,000
}

// ActivityRow is one thing that happened: an audit entry with the operation it caused, or an operation, with its cause
// where that is an entry. One of Entry and Operation is always set. An entry comes without the body of the request, but
// for a refused one.
type ActivityRow struct {
	ID        string // by which the list is ordered
	Entry     *models.AuditEntry
	Operation *models.Operation
	Mail      *models.Mail // that the operation sends
}

// listedEntry is what lists read of an audit entry.
const listedEntry = `a.id, a.workspace_id, a.connection_id, a.actor, a.ip, a.method, a.target_type, a.target_id, a.status, a.detail, a.request_id, a.provider_request_id,
	a.operation_id, CASE WHEN a.status >= 400 THEN a.request END AS request, a.user_agent, a.changes, a.took_micros, a.at`

// ActivityPage is a part of what happened, newest first.
type ActivityPage struct {
	Rows []ActivityRow
	Next string // Before of the next page, "" where there is nothing older
	// Further says that the page ends where the look did: older rows may fit as well.
	Further bool
}

// Activity lists what happened.
func (s *Store) Activity(ctx context.Context, q ActivityQuery) (p ActivityPage, err error) {
	var entries []models.AuditEntry
	var ops []models.Operation
	if q.Look == 0 {
		q.Look = 100_000
	}
	rest := q
	if where, args, ok := s.entriesWhere(q); ok {
		if err := s.r(ctx).Raw("SELECT "+listedEntry+" FROM audit_entries a WHERE "+where+" ORDER BY a.id DESC LIMIT ?", append(args, q.Limit+1)...).Scan(&entries).Error; err != nil {
			return p, translate(err, "audit entries")
		}
		if len(entries) > q.Limit { // what is older is for another page, and need not be looked for
			rest.After = max(q.After, entries[q.Limit].ID)
		}
	}
	blind := q.Found == nil && (q.Kind != "" || q.Tab == ActivityMails || q.State != "") && (q.State == "" || q.State == string(models.OperationDone) || q.State == string(models.OperationSuperseded))
	if where, args, ok := s.operationsWhere(rest); ok {
		from := "operations o"
		if blind {
			span, spanArgs := s.span("o", rest)
			from, args = "(SELECT * FROM operations o WHERE "+span+" ORDER BY o.id DESC LIMIT ?) o", append(append(spanArgs, q.Look), args...)
		}
		if err := s.r(ctx).Raw("SELECT o.* FROM "+from+" WHERE "+where+" ORDER BY o.id DESC LIMIT ?", append(args, q.Limit+1)...).Scan(&ops).Error; err != nil {
			return p, translate(err, "operations")
		}
		if blind && len(ops) <= q.Limit {
			span, spanArgs := s.span("o", rest)
			if err := s.r(ctx).Raw("SELECT o.id FROM operations o WHERE "+span+" ORDER BY o.id DESC LIMIT 1 OFFSET ?", append(spanArgs, q.Look-1)...).Scan(&p.Next).Error; err != nil {
				return p, translate(err, "operations")
			}
			p.Further = p.Next != ""
		}
	}
	for i := range entries {
		p.Rows = append(p.Rows, ActivityRow{ID: entries[i].ID, Entry: &entries[i]})
	}
	for i := range ops {
		p.Rows = append(p.Rows, ActivityRow{ID: ops[i].ID, Operation: &ops[i]})
	}
	slices.SortFunc(p.Rows, func(a, b ActivityRow) int { return strings.Compare(b.ID, a.ID) })
	if len(p.Rows) > q.Limit {
		p.Rows = p.Rows[:q.Limit]
		p.Next = p.Rows[q.Limit-1].ID
	}
	if err := s.causes(ctx, q.WorkspaceID, p.Rows); err != nil {
		return p, err
	}
	if err := s.effects(ctx, q.WorkspaceID, p.Rows); err != nil {
		return p, err
	}
	return p, s.mails(ctx, q.WorkspaceID, p.Rows)
}

// ActivityCount counts what happened, up to most.
func (s *Store) ActivityCount(ctx context.Context, q ActivityQuery, most int) (int, error) {
	total := 0
	count := func(table, where string, args []any) error {
		var n int
		err := s.r(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM "+table+" WHERE "+where+" LIMIT ?) AS newest", append(args, most)...).Scan(&n).Error
		total += n
		return translate(err, "activity")
	}
	if where, args, ok := s.entriesWhere(q); ok {
		if err := count("audit_entries a", where, args); err != nil {
			return 0, err
		}
	}
	if where, args, ok := s.operationsWhere(q); ok && total < most {
		if err := count("operations o", where, args); err != nil {
			return 0, err
		}
	}
	return min(total, most), nil
}

// byHTTP is the condition for the entries of a provider's requests: their methods are HTTP's. The index for the others
// has the same words.
const byHTTP = "(a.method = upper(a.method) OR a.method = 'other')"

// entriesWhere is the condition for the audit entries that q asks for. ok is false when it asks for none.
func (s *Store) entriesWhere(q ActivityQuery) (where string, args []any, ok bool) {
	operations := q.Kind != "" || q.State != "" && q.State != ActivityRefused
	if operations || q.Tab == ActivityJobs || q.Tab == ActivityMails {
		return "", nil, false
	}
	where, args = s.span("a", q)
	switch q.Tab {
	case ActivityRequests:
		where += " AND " + byHTTP
	case ActivitySignIns:
		where += " AND NOT " + byHTTP + " AND a.method IN ('signin', 'signout')"
	case ActivityHand:
		where += " AND NOT " + byHTTP + " AND a.method NOT IN ('signin', 'signout')"
	}
	if q.State == ActivityRefused {
		where += " AND a.status >= 400"
	}
	if f := q.Found; f != nil {
		if len(f.About)+len(f.Entries) == 0 {
			return "", nil, false
		}
		either := "1 = 0"
		if len(f.About) > 0 {
			either, args = "a.target_id IN ?", append(args, f.About)
		}
		if len(f.Entries) > 0 {
			either, args = either+" OR a.id "+s.dialect.in, append(args, s.dialect.list(f.Entries))
		}
		where += " AND (" + either + ")"
	}
	return where, args, true
}

// operationsWhere is the condition for the operations that q asks for. ok is false when it asks for none.
func (s *Store) operationsWhere(q ActivityQuery) (where string, args []any, ok bool) {
	if q.State == ActivityRefused || q.Tab == ActivityRequests || q.Tab == ActivitySignIns || q.Tab == ActivityHand {
		return "", nil, false
	}
	where, args = s.span("o", q)
	if q.Tab == ActivityMails {
		where += " AND o.class = 'mail'"
	}
	if q.Kind != "" {
		where, args = where+" AND o.kind = ?", append(args, q.Kind)
	}
	switch state := models.OperationState(q.State); state {
	case "":
	case models.OperationPending, models.OperationRunning:
		where, args = where+" AND o.finished_at IS NULL AND o.state = ?", append(args, state)
	case models.OperationFailed:
		where += " AND o.error <> '' AND o.attempts > 0 AND o.state = 'failed'"
	case models.OperationHeld:
		where += " AND o.error LIKE 'held:%' AND o.state = 'held'"
	default:
		where, args = where+" AND o.state = ?", append(args, state)
	}
	if f := q.Found; f != nil {
		if len(f.About)+len(f.Operations) == 0 {
			return "", nil, false
		}
		where, args = where+" AND (o.resource_id "+s.dialect.in+" OR o.id "+s.dialect.in+")", append(args, s.dialect.list(f.About), s.dialect.list(f.Operations))
	}
	if q.Tab == ActivityAll && q.State == "" && q.Kind == "" {
		// An entry is written right after the operation it caused: the first look into the index finds it.
		where += " AND NOT EXISTS (SELECT 1 FROM audit_entries c WHERE c.target_id = CAST(o.resource_id AS text) AND c.id > o.id AND c.operation_id = o.id)"
	}
	return where, args, true
}

// span is the condition for the part of a list that q asks for, by id: ids are made in the order of time.
func (s *Store) span(table string, q ActivityQuery) (where string, args []any) {
	where, args = table+".workspace_id = ?", []any{q.WorkspaceID}
	if q.Before != "" {
		where, args = where+" AND "+table+".id < ?", append(args, q.Before)
	}
	after := q.After
	if !q.Since.IsZero() {
		after = max(after, FirstID(q.Since))
	}
	if after != "" {
		where, args = where+" AND "+table+".id > ?", append(args, after)
	}
	return where, args
}

// within bounds how long after a request began, or an operation was made, its audit entry comes.
const within = time.Minute

// causes finds the entries that caused listed operations.
func (s *Store) causes(ctx context.Context, workspaceID string, rows []ActivityRow) error {
	var about, ops []string
	for _, r := range rows {
		if r.Entry == nil {
			about, ops = append(about, r.Operation.ResourceID), append(ops, r.ID)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	var entries []models.AuditEntry // newest first, as rows are
	err := s.r(ctx).Raw("SELECT "+listedEntry+" FROM audit_entries a WHERE a.workspace_id = ? AND a.target_id IN ? AND a.operation_id "+s.dialect.in+" AND a.id > ? AND a.id < ? ORDER BY a.id DESC",
		workspaceID, about, s.dialect.list(ops), ops[len(ops)-1], FirstID(IDTime(ops[0]).Add(within))).Scan(&entries).Error
	if err != nil {
		return translate(err, "audit entries")
	}
	first := map[string]*models.AuditEntry{} // the later ones are about what became of it
	for i := range entries {
		first[*entries[i].OperationID] = &entries[i]
	}
	for i, r := range rows {
		if r.Entry == nil {
			rows[i].Entry = first[r.ID]
		}
	}
	return nil
}

// effects finds the operations that listed entries caused.
func (s *Store) effects(ctx context.Context, workspaceID string, rows []ActivityRow) error {
	var ids []string
	for _, r := range rows {
		if r.Operation == nil && r.Entry.OperationID != nil {
			ids = append(ids, *r.Entry.OperationID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var ops []models.Operation
	if err := s.r(ctx).Raw("SELECT * FROM operations WHERE workspace_id = ? AND id "+s.dialect.in, workspaceID, s.dialect.list(ids)).Scan(&ops).Error; err != nil {
		return translate(err, "operations")
	}
	byID := make(map[string]*models.Operation, len(ops))
	for i := range ops {
		byID[ops[i].ID] = &ops[i]
	}
	for i, r := range rows {
		if r.Operation == nil && r.Entry.OperationID != nil {
			rows[i].Operation = byID[*r.Entry.OperationID]
		}
	}
	return nil
}

// mails finds the mails of listed operations.
func (s *Store) mails(ctx context.Context, workspaceID string, rows []ActivityRow) error {
	var ids []string
	for _, r := range rows {
		if r.Operation != nil && r.Operation.Class == "mail" {
			ids = append(ids, r.Operation.ID)
		}
	}
	mails, err := s.MailsOf(ctx, workspaceID, ids)
	if err != nil {
		return err
	}
	for i, r := range rows {
		if r.Operation != nil {
			if m, ok := mails[r.Operation.ID]; ok {
				rows[i].Mail = &m
			}
		}
	}
	return nil
}

// ActivityFound is what a search of the activity found.
type ActivityFound struct {
	About      []string // people, groups and members
	Entries    []string
	Operations []string
}

// maxFound bounds what a search finds of each kind.
const maxFound = 20

// FindActivityByID finds what an id of ours means: a person, a group, a member, an audit entry, an operation, or a request.
func (s *Store) FindActivityByID(ctx context.Context, workspaceID, id string) (ActivityFound, error) {
	f := ActivityFound{About: []string{id}, Operations: []string{id}}
	var others []string // the person that a member follows, and the member who follows a person
	err := s.r(ctx).Raw(`SELECT directory_user_id FROM members WHERE workspace_id = ? AND id = ? AND directory_user_id IS NOT NULL
		UNION ALL SELECT id FROM members WHERE workspace_id = ? AND directory_user_id = ?`, workspaceID, id, workspaceID, id).Scan(&others).Error
	if err != nil {
		return f, translate(err, "members")
	}
	f.About = append(f.About, others...)
	return f, s.addEntries(ctx, &f, "a.workspace_id = ? AND (a.id = ? OR (a.id >= ? AND a.id < ? AND a.request_id = ?))", workspaceID, id, id, FirstID(IDTime(id).Add(within)), id)
}

// FindActivityByText finds the people and groups that text names, in small letters, and the requests that a provider
// knows by it, as it was typed.
func (s *Store) FindActivityByText(ctx context.Context, workspaceID, text, small string) (ActivityFound, error) {
	var f ActivityFound
	if err := s.addEntries(ctx, &f, "a.workspace_id = ? AND a.provider_request_id = ? AND a.provider_request_id <> ''", workspaceID, text); err != nil || len(f.Entries) > 0 {
		return f, err
	}
	like := "%" + likeEscape.Replace(small) + "%"
	var members []struct{ ID, DirectoryUserID string }
	err := s.r(ctx).Raw(`SELECT id, directory_user_id FROM members WHERE workspace_id = ? AND (lower(name) LIKE ? ESCAPE '\' OR email_key LIKE ? ESCAPE '\') ORDER BY id DESC LIMIT ?`, workspaceID, like, like, maxFound/2).Scan(&members).Error
	if err != nil {
		return f, translate(err, "members")
	}
	for _, m := range members {
		f.About = append(f.About, m.ID)
		if m.DirectoryUserID != "" {
			f.About = append(f.About, m.DirectoryUserID)
		}
	}
	// Who is no member yet is found by the whole of their name with the provider, or of their address.
	var others []string
	err = s.r(ctx).Raw(`SELECT u.id FROM directory_users u JOIN connections c ON c.id = u.connection_id WHERE c.workspace_id = ? AND u.removed_at IS NULL AND (u.user_name_key = ? OR u.email_key = ?)
		UNION SELECT id FROM (SELECT id FROM directory_groups WHERE workspace_id = ? AND lower(display_name) LIKE ? ESCAPE '\' ORDER BY id DESC LIMIT ?) AS groups`,
		workspaceID, small, small, workspaceID, like, maxFound/2).Scan(&others).Error
	f.About = append(f.About, others...)
	return f, translate(err, "people and groups")
}

var likeEscape = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// addEntries adds to f the entries that meet a condition, and the operations that their requests caused.
func (s *Store) addEntries(ctx context.Context, f *ActivityFound, where string, args ...any) error {
	var entries []models.AuditEntry
	err := s.r(ctx).Raw("SELECT "+listedEntry+" FROM audit_entries a WHERE "+where+" ORDER BY a.id DESC LIMIT ?", append(args, maxFound)...).Scan(&entries).Error
	if err != nil {
		return translate(err, "audit entries")
	}
	for _, e := range entries {
		f.Entries = append(f.Entries, e.ID)
		ops, err := s.CausedBy(ctx, e)
		if err != nil {
			return err
		}
		for _, op := range ops {
			f.Operations = append(f.Operations, op.ID)
		}
	}
	return nil
}

// Entry finds an audit entry of a workspace, whole.
func (s *Store) Entry(ctx context.Context, workspaceID, id string) (models.AuditEntry, error) {
	var e models.AuditEntry
	err := s.r(ctx).Where("workspace_id = ? AND id = ?", workspaceID, id).Take(&e).Error
	return e, translate(err, "the request "+id)
}

// CausedBy lists the operations that a request caused, oldest first: its own, and for a person what followed from that.
func (s *Store) CausedBy(ctx context.Context, e models.AuditEntry) ([]models.Operation, error) {
	var ops []models.Operation
	if e.OperationID == nil {
		return nil, nil
	}
	where, args := "workspace_id = ? AND id = ?", []any{e.WorkspaceID, *e.OperationID}
	if e.TargetType == models.ResourceUser && e.RequestID != "" {
		where, args = "workspace_id = ? AND (id = ? OR (resource_id = ? AND request_id = ?))", append(args, e.TargetID, e.RequestID)
	}
	err := s.r(ctx).Raw("SELECT * FROM operations WHERE "+where+" ORDER BY id LIMIT ?", append(args, maxFound)...).Scan(&ops).Error
	return ops, translate(err, "operations")
}

// Providers tells the provider of each connection of a workspace, the deleted included.
func (s *Store) Providers(ctx context.Context, workspaceID string) (map[string]models.Provider, error) {
	var cs []models.Connection
	err := s.r(ctx).Raw("SELECT id, provider FROM connections WHERE workspace_id = ?", workspaceID).Scan(&cs).Error
	providers := make(map[string]models.Provider, len(cs))
	for _, c := range cs {
		providers[c.ID] = c.Provider
	}
	return providers, translate(err, "connections")
}
