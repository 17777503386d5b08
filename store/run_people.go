package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"outpost/models"
)

// RunPerson is one person of a run, with what happened to them last.
type RunPerson struct {
	UserID   string
	MemberID *string // nil while they are no member
	Name     string
	Known    bool                  // they were a member, or known to the connection, before the run
	Kind     models.Kind           // of the operation that tells how they stand
	State    models.OperationState // failed or held when anything of theirs is, else that of the newest
	Error    string                // of that operation
	Attempts int
	Took     time.Duration // from the request to the end of the newest operation about the person; 0 while there is none
	Teams    []string      // that follow a group and that they are in, sorted
}

// Badge is the person's place among the five figures of the run: failed, held, pending or done.
func (p RunPerson) Badge() models.OperationState {
	switch {
	case p.State == models.OperationFailed || p.State == models.OperationHeld:
		return p.State
	case p.State.Open() && !p.mail():
		return models.OperationPending
	}
	return models.OperationDone
}

func (p RunPerson) mail() bool {
	return p.Kind == models.KindInvitationEmail || p.Kind == models.KindNoticeEmail
}

// What says in words what happened to the person.
func (p RunPerson) What() string {
	switch {
	case p.State == models.OperationFailed && p.Error != "":
		return upperFirst(p.Error)
	case p.State == models.OperationHeld:
		return "Held: " + strings.TrimSpace(strings.TrimPrefix(p.Error, "held:"))
	case p.Kind == models.KindInvitationEmail && p.State.Open():
		return "Invitation waiting for the mail worker"
	case p.Kind == models.KindInvitationEmail && p.State == models.OperationDone && p.Error == "":
		return "Invitation sent"
	case p.Kind == models.KindInvitationEmail:
		return "Invitation withdrawn"
	case p.Kind == models.KindNoticeEmail:
		return "Address changed"
	case p.State == models.OperationRunning:
		return "Being applied"
	case p.State == models.OperationPending && p.Attempts > 0:
		return "To be tried again: " + p.Error
	case p.State == models.OperationPending:
		return "Waiting for a worker"
	case p.Kind == models.KindUserDeactivate:
		return "Access ended"
	case p.Known:
		return "Profile updated, was here already"
	case len(p.Teams) > 0:
		return "Joined " + andList(p.Teams, 3)
	}
	return "Joined the workspace"
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// andList is "A, B and C", with no more than most names.
func andList(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most-1], ", ") + " and others"
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// RunLatest lists the n people of a run to whom something happened last, newest first.
func (s *Store) RunLatest(ctx context.Context, run models.Run, n int) ([]RunPerson, error) {
	// A person has a few operations in a run; those of n people are among the newest 6 n unless somebody changes all the time.
	var newest []string
	err := s.r(ctx).Raw("SELECT resource_id FROM operations WHERE "+inRun+" ORDER BY id DESC LIMIT ?", runArgs(run, 6*n)...).Scan(&newest).Error
	if err != nil || len(newest) == 0 {
		return nil, translate(err, "the run")
	}
	var ids []string
	for _, id := range newest {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	ops := map[string][]models.Operation{}
	var all []models.Operation
	if err := s.r(ctx).Raw("SELECT * FROM operations WHERE resource_id "+s.dialect.in+" AND "+inRun+" ORDER BY id DESC", append([]any{s.dialect.list(ids)}, runArgs(run)...)...).Scan(&all).Error; err != nil {
		return nil, translate(err, "the run")
	}
	for _, op := range all {
		ops[op.ResourceID] = append(ops[op.ResourceID], op)
	}
	var people []RunPerson
	for _, id := range ids {
		if p, came := runPerson(ops[id]); came && len(people) < n {
			p.Known = id < runYoung(run)
			people = append(people, p)
		}
	}
	return people, s.nameRunPeople(ctx, run, people)
}

// runPerson tells how a person stands by their operations in a run, newest first. came is false for one who came before it.
func runPerson(ops []models.Operation) (p RunPerson, came bool) {
	weight := func(op models.Operation) int {
		switch {
		case op.State == models.OperationFailed:
			return 3
		case op.State == models.OperationHeld:
			return 2
		case op.State.Open() && op.Class != "mail":
			return 1
		}
		return 0
	}
	worst := slices.MaxFunc(ops, func(a, b models.Operation) int { return cmp.Compare(weight(a), weight(b)) }) // the first of equals
	p = RunPerson{UserID: worst.ResourceID, Kind: worst.Kind, State: worst.State, Error: worst.Error, Attempts: worst.Attempts}
	for _, op := range ops {
		if op.Class == "mail" {
			continue
		}
		if !came && op.FinishedAt != nil {
			p.Took = max(op.FinishedAt.Sub(op.CreatedAt), 0)
		}
		came = true
	}
	return p, came
}

// nameRunPeople fills in who the people are.
func (s *Store) nameRunPeople(ctx context.Context, run models.Run, people []RunPerson) error {
	byID := map[string]*RunPerson{}
	ids := make([]string, len(people))
	for i := range people {
		ids[i] = people[i].UserID
		byID[ids[i]] = &people[i]
	}
	var rows []struct {
		ID, Name string
		MemberID *string
		Team     *string
	}
	err := s.r(ctx).Raw(`SELECT u.id, u.display_name AS name, m.id AS member_id, t.name AS team FROM directory_users u
		LEFT JOIN members m ON m.directory_user_id = u.id
		LEFT JOIN team_members tm ON tm.member_id = m.id LEFT JOIN teams t ON t.id = tm.team_id AND t.group_id IS NOT NULL
		WHERE u.id `+s.dialect.in+` ORDER BY u.id, t.name`, s.dialect.list(ids)).Scan(&rows).Error
	for _, r := range rows {
		p := byID[r.ID]
		p.Name, p.MemberID = r.Name, r.MemberID
		p.Known = p.Known || r.MemberID != nil && *r.MemberID < runYoung(run)
		if r.Team != nil {
			p.Teams = append(p.Teams, *r.Team)
		}
	}
	return translate(err, "people")
}
