package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"outpost/models"
)

// StoryEvent is something that happened to a person or a group, with what followed from it.
type StoryEvent struct {
	ID    string // of the audit entry, or of the operation where there is none
	Entry *models.AuditEntry
	// Group is the group that the person came into, for an event that is about that.
	Group  *PersonGroup
	Caused []StoryJob // oldest first
}

// At is when it happened.
func (e StoryEvent) At() time.Time {
	if e.Entry != nil {
		return e.Entry.At
	}
	if len(e.Caused) > 0 {
		return e.Caused[0].CreatedAt
	}
	return IDTime(e.ID)
}

// StoryJob is an operation, with its mail where it sends one.
type StoryJob struct {
	models.Operation
	Mail *models.Mail
}

// maxCaused bounds the operations that are told under the events of one page of a story.
const maxCaused = 500

// PersonStory tells what happened to a person, newest first, limit events at most: from before an event's id, or from now
// for "". more is true when there is something older.
func (s *Store) PersonStory(ctx context.Context, p Person, before string, limit int) (events []StoryEvent, more bool, err error) {
	before = orLast(before)
	for _, id := range p.IDs {
		entries, err := s.storyEntries(ctx, p.WorkspaceID, id, before, limit+1)
		if err != nil {
			return nil, false, err
		}
		for i := range entries {
			events = append(events, StoryEvent{ID: entries[i].ID, Entry: &entries[i]})
		}
	}
	alone, err := s.operationsAlone(ctx, p, before, limit+1)
	if err != nil {
		return nil, false, err
	}
	for _, op := range alone {
		events = append(events, StoryEvent{ID: op.ID, Caused: []StoryJob{{Operation: op}}})
	}
	for i, g := range p.Groups {
		if g.OperationID != "" && g.OperationID < before {
			events = append(events, StoryEvent{ID: g.OperationID, Group: &p.Groups[i]})
		}
	}
	slices.SortFunc(events, func(a, b StoryEvent) int { return strings.Compare(b.ID, a.ID) })
	if more = len(events) > limit; more {
		events = events[:limit]
	}
	if err := s.groupEntries(ctx, p.WorkspaceID, events); err != nil {
		return nil, false, err
	}
	return events, more, s.caused(ctx, p.WorkspaceID, p.IDs, events)
}

// GroupStory tells what happened to a group, as PersonStory does.
func (s *Store) GroupStory(ctx context.Context, g models.Group, before string, limit int) (events []StoryEvent, more bool, err error) {
	entries, err := s.storyEntries(ctx, g.WorkspaceID, g.ID, orLast(before), limit+1)
	if err != nil {
		return nil, false, err
	}
	if more = len(entries) > limit; more {
		entries = entries[:limit]
	}
	for i := range entries {
		events = append(events, StoryEvent{ID: entries[i].ID, Entry: &entries[i]})
	}
	return events, more, s.caused(ctx, g.WorkspaceID, nil, events)
}

// orLast is an id, or one above every id for "".
func orLast(id string) string {
	if id == "" {
		return lastID
	}
	return id
}

// storyEntries lists the newest audit entries about something.
func (s *Store) storyEntries(ctx context.Context, workspaceID, targetID, before string, limit int) ([]models.AuditEntry, error) {
	var entries []models.AuditEntry
	err := s.r(ctx).Raw("SELECT "+listedEntry+" FROM audit_entries a WHERE target_id = ? AND id < ? AND workspace_id = ? ORDER BY target_id DESC, id DESC LIMIT ?",
		targetID, before, workspaceID, limit).Scan(&entries).Error
	return entries, translate(err, "audit entries")
}

// operationsAlone lists the newest operations about a person that follow from no audit entry of theirs: what was sent
// for many at once, what patrols do, and mails with sign-in links.
func (s *Store) operationsAlone(ctx context.Context, p Person, before string, limit int) ([]models.Operation, error) {
	var ops, links []models.Operation
	err := s.r(ctx).Raw("SELECT * FROM operations WHERE workspace_id = ? AND id < ? AND resource_id "+s.dialect.in+`
			AND id NOT IN (SELECT operation_id FROM audit_entries WHERE target_id IN ? AND workspace_id = ? AND operation_id IS NOT NULL)
			AND (request_id = '' OR request_id NOT IN (SELECT request_id FROM audit_entries WHERE target_id IN ? AND workspace_id = ?)) ORDER BY id DESC LIMIT ?`,
		p.WorkspaceID, before, s.dialect.list(p.IDs), p.IDs, p.WorkspaceID, p.IDs, p.WorkspaceID, limit).Scan(&ops).Error
	if err == nil {
		err = s.r(ctx).Raw("SELECT o.* FROM mails x JOIN operations o ON o.id = x.operation_id AND o.workspace_id = x.workspace_id WHERE x.workspace_id = ? AND x.member_id = ? AND x.kind = ? AND o.id < ? ORDER BY o.id DESC LIMIT ?",
			p.WorkspaceID, p.ID, models.MailSignIn, before, limit).Scan(&links).Error
	}
	return append(ops, links...), translate(err, "operations")
}

// groupEntries finds the audit entries of the requests that brought a person into groups: each was written right after
// the operation that it caused.
func (s *Store) groupEntries(ctx context.Context, workspaceID string, events []StoryEvent) error {
	var either []string
	var args []any
	for _, e := range events {
		if e.Group != nil {
			either = append(either, "(target_id = ? AND id > ? AND id < ? AND operation_id = ?)")
			args = append(args, e.Group.ID, e.ID, FirstID(IDTime(e.ID).Add(within)), e.ID)
		}
	}
	if len(either) == 0 {
		return nil
	}
	var entries []models.AuditEntry
	err := s.r(ctx).Raw("SELECT "+listedEntry+" FROM audit_entries a WHERE workspace_id = ? AND ("+strings.Join(either, " OR ")+") ORDER BY id DESC", append([]any{workspaceID}, args...)...).Scan(&entries).Error
	for i, e := range entries {
		for k := range events {
			if events[k].Group != nil && events[k].ID == *e.OperationID {
				events[k].Entry = &entries[i]
			}
		}
	}
	return translate(err, "audit entries")
}

// caused finds the operations that events caused: the one that an entry names, and what followed from its request for
// the same person. Operations of one request go to the last event before them.
func (s *Store) caused(ctx context.Context, workspaceID string, about []string, events []StoryEvent) error {
	var ids, requests []string
	owner := map[string]int{} // operation → event
	for i, e := range events {
		switch {
		case e.Group != nil:
			ids, owner[e.ID] = append(ids, e.ID), i
		case e.Entry != nil && e.Entry.OperationID != nil:
			ids, owner[*e.Entry.OperationID] = append(ids, *e.Entry.OperationID), i // the oldest comes last: what came of it later names it too
		}
		if e.Entry != nil && e.Group == nil && e.Entry.RequestID != "" {
			requests = append(requests, e.Entry.RequestID)
		}
	}
	var ops []models.Operation
	if len(ids)+len(requests) > 0 {
		where, args := "id "+s.dialect.in, []any{workspaceID, s.dialect.list(ids)}
		if len(about) > 0 && len(requests) > 0 {
			where, args = where+" OR resource_id "+s.dialect.in+" AND request_id IN ?", append(args, s.dialect.list(about), requests)
		}
		err := s.r(ctx).Raw("SELECT * FROM operations WHERE workspace_id = ? AND ("+where+") ORDER BY id LIMIT ?", append(args, maxCaused)...).Scan(&ops).Error
		if err != nil {
			return translate(err, "operations")
		}
	}
	for _, op := range ops {
		at, named := owner[op.ID]
		if !named {
			at = slices.IndexFunc(events, func(e StoryEvent) bool {
				return e.Entry != nil && e.Group == nil && e.Entry.RequestID == op.RequestID && e.ID < op.ID
			})
		}
		if at >= 0 {
			events[at].Caused = append(events[at].Caused, StoryJob{Operation: op})
		}
	}
	return s.storyMails(ctx, workspaceID, events)
}

// storyMails finds the mails of the operations under events.
func (s *Store) storyMails(ctx context.Context, workspaceID string, events []StoryEvent) error {
	jobs := map[string]*StoryJob{}
	var ids []string
	for i := range events {
		for k := range events[i].Caused {
			if job := &events[i].Caused[k]; job.Class == "mail" {
				ids, jobs[job.ID] = append(ids, job.ID), job
			}
		}
	}
	mails, err := s.MailsOf(ctx, workspaceID, ids)
	for id, m := range mails {
		jobs[id].Mail = &m
	}
	return err
}
