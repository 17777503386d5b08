package dashboard

import (
	"html/template"
	"strings"

	"outpost/models"
	"outpost/store"
)

// storyDay is a day of a story.
type storyDay struct {
	Head   string
	Events []storyEvent
}

// storyEvent is something that happened, why, and what followed from it.
type storyEvent struct {
	Text    string
	Name    string // ends Text as a link, "" for nothing
	Href    string
	Icon    string
	Mark    string // the class of its sign, "" for nothing that matters
	Because []string
	Request string // the path of the request's page, "" for none
	Jobs    []storyJob
	At      moment
}

// storyJob is an operation that followed.
type storyJob struct {
	State template.HTML
	Words string
	Note  string
	Meta  string
}

// days sets events, newest first, into days as the reader's zone has them.
func (r *request) days(events []store.StoryEvent, tell func(store.StoryEvent) storyEvent) (days []storyDay) {
	for _, e := range events {
		event := tell(e)
		event.At = r.at(e.At())
		if head := event.At.DayHead(); len(days) == 0 || days[len(days)-1].Head != head {
			days = append(days, storyDay{Head: head})
		}
		last := &days[len(days)-1]
		last.Events = append(last.Events, event)
	}
	return days
}

// older leads to what came before the last event of a page of a story; "" where there is nothing.
func (r *request) older(events []store.StoryEvent, more bool) string {
	if !more {
		return ""
	}
	return r.with("before", events[len(events)-1].ID) + "#story"
}

// told tells an event about something called name. by is the provider.
func told(e store.StoryEvent, name, by string) storyEvent {
	out := storyEvent{Icon: "runs"}
	out.Jobs, out.Mark = storyJobs(e.Caused)
	if e.Entry == nil {
		if len(e.Caused) > 0 {
			job := e.Caused[0]
			out.Text = operationPhrase(job.Operation, by).with(name)
			if job.Class == "mail" {
				out.Icon = "mail"
			}
		}
		return out
	}
	out.Request = "/activity/requests/" + e.Entry.ID
	if e.Group != nil {
		return out
	}
	changes := changesOf(*e.Entry)
	deactivates := len(e.Caused) > 0 && e.Caused[0].Kind == models.KindUserDeactivate
	out.Text = entryPhrase(*e.Entry, changes, by, deactivates).with(name)
	out.Because = because(*e.Entry, changes)
	switch {
	case e.Entry.Status >= 400:
		out.Icon, out.Mark = "bad", "failed"
	case e.Entry.Method == methodSignIn:
		out.Icon = "key"
	case e.Entry.Method == methodSignOut:
		out.Icon = "out"
	case e.Entry.Method == methodAccept:
		out.Icon = "in"
	case e.Entry.Method == methodAskAgain:
		out.Icon = "mail"
	case deactivates || e.Entry.Method == "deactivate":
		out.Icon = "lock"
	case !byHTTP(*e.Entry):
		out.Icon = "member"
	case e.Entry.Method == "POST":
		out.Icon = "in"
	case len(changes) == 0:
		out.Icon = "retry"
	default:
		out.Icon = "pen"
	}
	if e.Entry.Detail == noChange && len(changes) == 0 {
		out.Text, out.Icon, out.Mark = by+" sent the same again", "retry", ""
	}
	return out
}

// noChange is what the audit says of a request that asked for what there was already.
const noChange = "no change"

// because says what lies behind an audit entry, a line for each change.
func because(e models.AuditEntry, changes []models.Change) (lines []string) {
	for _, c := range changes {
		if line := changeLine(c); line != "" {
			lines = append(lines, line)
		}
	}
	switch {
	case e.Status >= 400:
		lines = []string{sentence("refused: " + withOrigin(e))}
	case byThemselves(e):
		lines = append(lines, sentence(withOrigin(e)))
	case e.Detail == noChange && len(changes) == 0:
		lines = append(lines, "Nothing to change.")
	case strings.HasPrefix(e.Detail, "held:"):
		lines = append(lines, sentence(strings.TrimSpace(strings.TrimPrefix(e.Detail, "held:"))))
	}
	return lines
}

// byThemselves reports whether an entry is what people do about getting in and out themselves.
func byThemselves(e models.AuditEntry) bool {
	switch e.Method {
	case methodSignIn, methodSignOut, methodAccept, methodAskAgain:
		return true
	}
	return false
}

// withOrigin is what an entry says, and for what people do about signing in from where they did it.
func withOrigin(e models.AuditEntry) string {
	from := comingFrom(e)
	switch {
	case from == "":
	case e.Method == methodSignOut:
		return e.Detail + "; done in " + from
	case byThemselves(e):
		return e.Detail + ", " + from
	}
	return e.Detail
}

// changeLine says one change: "title: Senior engineer → Staff engineer".
func changeLine(c models.Change) string {
	name := c.Attribute
	var parts []string
	if len(c.Added) > 0 {
		parts = append(parts, strings.Join(c.Added, ", ")+" in")
	}
	if len(c.Removed) > 0 {
		parts = append(parts, strings.Join(c.Removed, ", ")+" out")
	}
	if c.More > 0 {
		parts = append(parts, "and "+num(c.More)+" more")
	}
	if len(parts) > 0 {
		return name + ": " + strings.Join(parts, "; ")
	}
	before, after := c.Before, c.After
	if before == "" {
		before = "none"
	}
	if after == "" {
		after = "none"
	}
	if c.Before == "" && c.After == "" {
		return ""
	}
	return name + ": " + before + " → " + after
}

// storyJobs shows the operations under an event, and how they stand together as the class of a sign.
func storyJobs(caused []store.StoryJob) (jobs []storyJob, mark string) {
	mark = "done"
	worst := 0
	for _, c := range caused {
		job := storyJob{State: badge(c.State), Words: jobWords(c.Operation)}
		parts := []string{string(c.Kind)}
		if c.FinishedAt != nil {
			parts = append(parts, dur(c.FinishedAt.Sub(c.CreatedAt)))
		}
		if t := tries(c.Operation); c.State != models.OperationSuperseded && c.State != models.OperationHeld {
			parts = append(parts, t)
		}
		job.Meta = strings.Join(parts, " · ")
		switch {
		case c.Error != "" && c.State == models.OperationPending:
			job.Note = "Tried in vain: " + serverSaid(c.Error)
		case c.Error != "":
			job.Note = serverSaid(strings.TrimSpace(strings.TrimPrefix(c.Error, "held:")))
		case c.Mail != nil && c.Mail.Response != "":
			job.Note = "The mail server said: " + c.Mail.Response
		}
		jobs = append(jobs, job)
		for rank, is := range []struct {
			state models.OperationState
			mark  string
		}{{models.OperationPending, "running"}, {models.OperationRunning, "running"}, {models.OperationHeld, "held"}, {models.OperationFailed, "failed"}} {
			if c.State == is.state && rank >= worst {
				worst, mark = rank, is.mark
			}
		}
	}
	if len(caused) == 1 && caused[0].State == models.OperationSuperseded {
		mark = ""
	}
	return jobs, mark
}
