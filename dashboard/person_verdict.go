package dashboard

import (
	"fmt"
	"strings"
	"time"

	"outpost/models"
	"outpost/store"
)

// offboarding is how long it took from the request to the end of access.
type offboarding struct {
	Figure  string // "" where it was not measured
	Text    string
	Request string
	Laps    []lap
}

// lap is one moment of it.
type lap struct{ After, Class, Title, Text string }

// dayClock is a moment in a sentence: "today at 14:05:21", "on 9 Nov at 11:03:40".
func dayClock(m moment) string {
	day := m.DayWord()
	if day == "Today" || day == "Yesterday" {
		day = strings.ToLower(day)
	} else {
		day = "on " + day
	}
	return day + " at " + m.Format("15:04:05")
}

// personVerdict says in one sentence how the person stands.
func (r *request) personVerdict(p *personPage, events []store.StoryEvent) verdict {
	var held, failed, open *models.Operation
	for i := range p.Open {
		op := &p.Open[i]
		switch {
		case op.State == models.OperationHeld && held == nil:
			held = op
		case op.State == models.OperationFailed && failed == nil:
			failed = op
		case op.State.Open() && open == nil:
			open = op
		}
	}
	p.Held, p.Failed = held != nil, failed != nil
	by := p.Provider
	switch {
	case held != nil:
		return verdict{"warn", "A change that " + by + " asked for waits for a decision.", sentence(strings.TrimSpace(strings.TrimPrefix(held.Error, "held:"))) + " Until then " + p.Name + " keeps what they have."}
	case failed != nil && mailStanding(p.Person) == store.PeopleUnknown:
		return verdict{"warn", "Invited, but nobody knows whether the mail arrived.", "The mail server took the mail and did not answer. " + p.Name + " may have it. Sending again sends the same link."}
	case failed != nil && p.InvitationMail != nil && failed.ID == p.InvitationMail.OperationID:
		return verdict{"bad", "Invited, but the mail to " + p.Invitation.Email + " was refused.", sentence(serverSaid(failed.Error)) + " Correct the address in " + orDirectory(by) + ", or send again."}
	case failed != nil && failed.Kind == models.KindInvitationReminder:
		return verdict{"warn", "Invited, but the reminder could not be mailed.", serverSaid(failed.Error) + " The invitation itself was mailed before."}
	case failed != nil:
		return verdict{"bad", "The last change of " + p.Name + " could not be applied.", serverSaid(failed.Error)}
	}
	rest := "No job is open and none has failed."
	if open != nil {
		rest = "A job is still open: " + strings.ToLower(jobWords(*open)[:1]) + jobWords(*open)[1:] + "."
	}
	switch p.Status {
	case models.MemberDeactivated:
		return r.goneVerdict(p, rest)
	case models.MemberInvited:
		return r.invitedVerdict(p)
	}
	return r.hereVerdict(p, events, open, rest)
}

// orDirectory is the provider, or what to call it without a name.
func orDirectory(provider string) string {
	if provider == "" {
		return "the directory"
	}
	return provider
}

// goneVerdict is about somebody without access.
func (r *request) goneVerdict(p *personPage, rest string) verdict {
	v := verdict{Class: "good", Text: "No access.", More: rest}
	if p.DeactivatedAt != nil {
		v.Text = "Access ended " + dayClock(r.at(*p.DeactivatedAt))
		if p.Clock != nil && p.Clock.Figure != "" {
			v.Text += ", " + p.Clock.Figure + " after " + orDirectory(p.Provider) + " asked"
		}
		v.Text += "."
	}
	switch {
	case p.RemovedBy != "":
		v.More = "Taken by hand, by " + p.RemovedBy + ". " + rest
		if p.managed() && p.wanted() {
			v.More = "Taken by hand, by " + p.RemovedBy + ". " + p.Provider + " still wants them here: that changes nothing until it assigns them anew. " + rest
		}
	case p.managed() && p.User.RemovedAt != nil:
		v.More = p.Provider + " deleted them. " + rest
	case p.managed() && !p.User.Active:
		v.More = p.Provider + " removed them. " + rest
	}
	return v
}

// invitedVerdict is about somebody who has not joined.
func (r *request) invitedVerdict(p *personPage) verdict {
	switch {
	case p.EmailKey == "":
		return verdict{"bad", "Cannot be invited: there is no e-mail address.", "Give " + p.Name + " one in " + orDirectory(p.Provider) + "."}
	case p.Invitation == nil || p.Invitation.State == models.InvitationAccepted:
		return verdict{"busy", "To be invited.", "The invitation is made when the job is done."}
	case p.Invitation.State == models.InvitationVoid:
		return verdict{"warn", "Their invitation was withdrawn. Nobody can join with it.", "Sending again makes a new one."}
	case p.Invitation.State == models.InvitationExpired || r.now.After(p.Invitation.ExpiresAt):
		return verdict{"warn", "Invited, and the invitation has expired.", "Sending again gives them another " + dur(p.Invitation.ExpiresAt.Sub(p.Invitation.CreatedAt)) + "."}
	case p.InvitationMail == nil:
		return verdict{"warn", "Added, and not invited yet.", "Invitations of this connection are sent by hand: send this one, or all that wait on the connection’s page."}
	case p.InvitationMail.State == models.MailSent && p.InvitationMail.SentAt != nil:
		return verdict{"busy", "Invited " + dayClock(r.at(*p.InvitationMail.SentAt)) + ". The mail was accepted; they have not joined yet.", "Sending again keeps the link and gives it more time."}
	}
	return verdict{"busy", "Invited. The mail is on its way.", "It goes out as soon as its turn comes."}
}

// hereVerdict is about somebody with access.
func (r *request) hereVerdict(p *personPage, events []store.StoryEvent, open *models.Operation, rest string) verdict {
	teams := "no team"
	if n := len(p.Person.Teams); n > 0 {
		teams = plural(n, "team", "teams")
	}
	v := verdict{Class: "good", Text: "An active " + string(p.Member.Role) + " in " + teams}
	switch {
	case open != nil:
		v.Class, v.Text = "busy", v.Text+", with a change on its way."
	case p.managed() && p.User.KeptVersion == p.User.Version && p.User.KeptVersion > 0:
		v.Text += ", kept as they are by decision."
		rest = p.Provider + " wants something else: that waits until it changes them again. " + rest
	case p.managed() && p.wanted():
		v.Text += ", just as " + p.Provider + " wants it."
	case p.managed():
		v.Class, v.Text = "warn", v.Text+", though "+p.Provider+" does not want them here."
	default:
		v.Text += ", added by hand."
	}
	for _, e := range events {
		for _, job := range e.Caused {
			if job.State == models.OperationDone && job.FinishedAt != nil && job.Class != "mail" {
				v.More = fmt.Sprintf("Last change %s, applied in %s. %s", dayClock(r.at(e.At())), dur(job.FinishedAt.Sub(job.CreatedAt)), rest)
				return v
			}
		}
	}
	v.More = rest
	return v
}

// offboarding sets out what is known of the end of somebody's access.
func (r *request) offboarding(p personPage, entry *models.AuditEntry, op *models.Operation) *offboarding {
	if p.DeactivatedAt == nil {
		return nil
	}
	ended := r.at(*p.DeactivatedAt)
	o := &offboarding{Text: "Access ended " + dayClock(ended) + ". How long the request took was not measured."}
	first, after := lap{After: "", Class: "wait"}, ""
	switch {
	case entry == nil:
		o.Text = "Access ended " + dayClock(ended) + ", when a job applied what " + orDirectory(p.Provider) + " wants."
	case byHTTP(*entry):
		o.Request = "/activity/requests/" + entry.ID
		first = lap{"0 ms", "wait", p.Provider + "’s request arrived", r.at(entry.At).Format("15:04:05.000") + ", " + entry.Method}
		if entry.TookMicros != nil {
			after = dur(time.Duration(*entry.TookMicros) * time.Microsecond)
			o.Figure, o.Text = after, "from "+p.Provider+"’s request to the last moment anything was possible"
		}
	default:
		o.Request = "/activity/requests/" + entry.ID
		first = lap{"0 ms", "wait", handPhrase(*entry, changesOf(*entry)).with(p.Name), r.at(entry.At).Format("15:04:05.000")}
		o.Text = "Access ended " + dayClock(ended) + ", in the same moment as it was decided."
	}
	if first.Title != "" {
		o.Laps = append(o.Laps, first)
	}
	o.Laps = append(o.Laps, lap{after, "done", "Access ended", "Every click, link and live view is refused from here on."})
	if op != nil && op.FinishedAt != nil && op.State == models.OperationDone {
		o.Laps = append(o.Laps, lap{dur(op.FinishedAt.Sub(op.CreatedAt)), "running", "Tidied up", "Teams left, open invitations withdrawn."})
	} else if op != nil && op.State.Open() {
		o.Laps = append(o.Laps, lap{"", "wait", "To be tidied up", "Teams are left and open invitations withdrawn when the job’s turn comes."})
	}
	return o
}
