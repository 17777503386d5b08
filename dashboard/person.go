package dashboard

import (
	"encoding/json"
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

// personPage is one member: how they stand, why, and what happened to them.
type personPage struct {
	store.Person
	Provider string // of the directory they follow, or are to follow; "" for none
	Lead     string
	Badge    template.HTML
	Verdict  verdict
	Held     bool // something about them waits for a decision
	Failed   bool // something about them failed
	Clock    *offboarding
	Story    []storyDay
	Older    string
	Role     whyRole
	Teams    []whyTeam
	Back     string // what happens if they come back, "" while they are here
	Mail     *invitationCard
	Details  []detail
	Acts     personActs
	Confirm  string // an act with its question open
	Fault    string // why an act was not done
}

// whyRole is what decides about a role.
type whyRole struct {
	Word  string
	Group models.Group // that gives it; its ID is "" where none does
	Text  string
}

// whyTeam is a team, or a group whose team they are to be in, and why.
type whyTeam struct{ Name, Href, Text string }

// invitationCard is how an invitation stands.
type invitationCard struct{ Rows []detail }

// detail is one fact.
type detail struct {
	Name string
	Text template.HTML
	Mono bool
}

// personActs are the things that the visitor can do to the person now.
type personActs struct{ Resend, Void, Deactivate, Restore, SignOut bool }

// Any reports whether there are any beside the first button.
func (a personActs) Any() bool { return a.Void || a.Deactivate || a.SignOut }

// offboarding is how long it took from the request to the end of access.
type offboarding struct {
	Figure  string // "" where it was not measured
	Text    string
	Request string
	Laps    []lap
}

// lap is one moment of it.
type lap struct{ After, Class, Title, Text string }

// storyLength is how many events a page of a story has.
const storyLength = 50

func showPerson(r *request) error {
	return r.personPage(http.StatusOK, r.URL.Query().Get("confirm"), "")
}

// personPage shows the member in the path.
func (r *request) personPage(status int, confirm, fault string) error {
	id := r.PathValue("id")
	if !directory.IsID(id) {
		return errNothing
	}
	found, err := r.d.Store.Person(r.ctx, r.workspace().ID, id)
	if err != nil {
		return err
	}
	p := personPage{Person: found, Confirm: confirm, Fault: fault}
	if p.User != nil {
		p.Provider = p.Connection.Provider.Title()
	}
	sessions, err := r.d.Store.Sessions(r.ctx, id, r.now.Add(-models.SessionLife))
	if err != nil {
		return err
	}
	before := r.URL.Query().Get("before")
	if !directory.IsID(before) {
		before = ""
	}
	events, more, err := r.d.Store.PersonStory(r.ctx, found, before, storyLength)
	if err != nil {
		return err
	}
	p.Story, p.Older = r.days(events, func(e store.StoryEvent) storyEvent { return p.tell(e) }), r.older(events, more)
	if p.Status == models.MemberDeactivated {
		entry, op, err := r.d.Store.AccessEnding(r.ctx, found)
		if err != nil {
			return err
		}
		p.Clock, p.Back = r.offboarding(p, entry, op), p.comeBack()
	}
	p.Badge = standing(p.Status, mailStanding(found))
	p.Verdict = r.personVerdict(&p, events)
	p.Role, p.Teams = p.whyRole(r), p.whyTeams(r)
	p.Acts = r.personActs(p)
	p.Mail = r.invitationCard(p)
	p.Lead, p.Details = r.personDetails(p, sessions)
	return r.pageWith(status, "person", head{title: p.Name, nav: "people"}, p)
}

// mailStanding is how the newest invitation stands that was not accepted.
func mailStanding(p store.Person) store.PeopleState {
	for _, op := range p.Open {
		if p.InvitationMail == nil || op.ID != p.InvitationMail.OperationID || op.State != models.OperationFailed {
			continue
		}
		if p.InvitationMail.State == models.MailUnknown {
			return store.PeopleUnknown
		}
		return store.PeopleRefused
	}
	return ""
}

// managed reports whether a directory decides about the person.
func (p personPage) managed() bool {
	return p.User != nil && p.DirectoryUserID != nil && p.Connection.Status != models.ConnectionDeleted
}

// wanted reports whether the directory wants the person to have access.
func (p personPage) wanted() bool { return p.User.Active && p.User.RemovedAt == nil }

// tell tells an event of the person's story.
func (p personPage) tell(e store.StoryEvent) storyEvent {
	by := p.Provider
	if by == "" {
		by = "The provider"
	}
	out := told(e, p.Name, by)
	if g := e.Group; g != nil {
		out.Text, out.Name, out.Href, out.Icon = p.Name+" came into the group", g.Name, "/groups/"+g.ID, "in"
		if e.Entry != nil {
			out.Text = by + " added " + p.Name + " to the group"
			for _, c := range changesOf(*e.Entry) {
				if n := len(c.Added) + len(c.Removed) + c.More; c.Attribute == "members" && n > 1 {
					out.Because = append(out.Because, "One of "+num(n)+" changes in one request.")
				}
			}
		}
	}
	return out
}

// whyRole says what decides about the role.
func (p personPage) whyRole(r *request) whyRole {
	w := whyRole{Word: string(p.Member.Role)}
	switch {
	case p.Member.Role == models.RoleOwner:
		w.Text = "Given by hand. No group can make an owner, or take that back."
	case p.RoleGroupID != nil && p.Giver.ID != "":
		w.Group = p.Giver
		if p.Gives != nil {
			w.Text = "Mapping made by " + p.Gives.CreatedBy + ", " + r.at(p.Gives.CreatedAt).Format("2 Jan 2006") + ". "
		}
		w.Text += "Outside the group they are " + article(string(p.HandRole)) + "."
	case p.Member.Role == models.RoleAdmin:
		w.Text = "Given by hand. No group gives them a role."
	default:
		w.Text = "Everybody is a member unless a group or an owner says otherwise."
	}
	return w
}

// whyTeams says why the person is in their teams, and which groups name them beside those.
func (p personPage) whyTeams(r *request) (all []whyTeam) {
	following := map[string]store.PersonGroup{}
	for _, g := range p.Groups {
		following[g.TeamID] = g
	}
	for _, t := range p.Person.Teams {
		w := whyTeam{Name: t.Name, Text: "by hand"}
		if t.GroupID != nil {
			w.Href, w.Text = "/groups/"+*t.GroupID, p.Provider+" group"
			if g, ok := following[t.ID]; !ok {
				w.Text += ", to be left"
			} else if since := g.Since(); !since.IsZero() {
				w.Text += ", since " + sinceWord(r.at(since))
			}
		}
		all = append(all, w)
	}
	for _, g := range p.Groups {
		if !g.InTeam && p.Status != models.MemberDeactivated {
			all = append(all, whyTeam{Name: g.Name, Href: "/groups/" + g.ID, Text: p.Provider + " group, to be joined"})
		}
	}
	for _, g := range p.Waited {
		all = append(all, whyTeam{Name: g.DisplayName, Href: "/groups/" + g.ID, Text: "waits for them by their id, to be joined"})
	}
	return all
}

// sinceWord is today's clock, or the day.
func sinceWord(m moment) string {
	switch {
	case m.sameDay(m.now):
		return m.Format("15:04")
	case m.Year() == m.now.Year():
		return m.Format("2 Jan")
	}
	return m.Format("2 Jan 2006")
}

// comeBack says what happens when the person is wanted again.
func (p personPage) comeBack() string {
	if !p.managed() {
		return ""
	}
	names := make([]string, len(p.Groups))
	for i, g := range p.Groups {
		names[i] = g.Name
	}
	text := "When " + p.Provider + " assigns them again, they are invited anew"
	if p.AcceptedAt != nil {
		text = "When " + p.Provider + " assigns them again, they are a member at once, without an invitation"
	}
	if len(names) > 0 {
		text += ", in the teams of their groups: " + words(names)
	} else {
		text += ", in the teams of the groups they are in then"
	}
	return text + "."
}

// personActs tells what the visitor may do to the person now.
func (r *request) personActs(p personPage) personActs {
	mine := p.Member.Role != models.RoleOwner || r.member().Role == models.RoleOwner
	return personActs{
		Resend:     p.Status == models.MemberInvited && p.EmailKey != "",
		Void:       p.Status == models.MemberInvited && p.Invitation != nil && p.Invitation.State == models.InvitationOpen,
		Deactivate: p.Status != models.MemberDeactivated && p.ID != r.member().ID && mine,
		SignOut:    p.Status == models.MemberActive,
		Restore:    p.Status == models.MemberDeactivated && (!p.managed() || p.wanted() && p.RemovedBy != ""),
	}
}

// invitationCard tells how the invitation of somebody stands who has not joined.
func (r *request) invitationCard(p personPage) *invitationCard {
	if p.Status != models.MemberInvited || p.Invitation == nil {
		return nil
	}
	c := &invitationCard{}
	add := func(name string, text template.HTML) { c.Rows = append(c.Rows, detail{Name: name, Text: text}) }
	plain := func(s string) template.HTML { return template.HTML(template.HTMLEscapeString(s)) }
	add("To", addr(p.Invitation.Email))
	if m := p.InvitationMail; m == nil {
		add("Mail", "not sent yet")
	} else {
		if m.SentAt != nil {
			add("Sent", r.at(*m.SentAt).Full())
		}
		add("Mail", plain(map[models.MailState]string{
			models.MailReady: "waits to be sent", models.MailSending: "being sent", models.MailCommitting: "being sent", models.MailSent: "accepted by the mail server",
			models.MailUnknown: "handed over, no answer came", models.MailFailed: "not taken",
		}[m.State]))
		if m.Response != "" {
			add("Answer", plain(strings.TrimPrefix(m.Response, "not sent: ")))
		}
	}
	switch p.Invitation.State {
	case models.InvitationOpen:
		word := "Valid until"
		if r.now.After(p.Invitation.ExpiresAt) {
			word = "Ended"
		}
		add(word, r.at(p.Invitation.ExpiresAt).Full())
	case models.InvitationExpired:
		add("Ended", r.at(p.Invitation.ExpiresAt).Full())
	case models.InvitationVoid:
		add("State", "withdrawn")
	}
	return c
}

// personDetails are the facts about a person, and the line under their name.
func (r *request) personDetails(p personPage, sessions []models.Session) (lead string, facts []detail) {
	add := func(name, text string, mono bool) {
		if text != "" {
			facts = append(facts, detail{Name: name, Text: template.HTML(template.HTMLEscapeString(text)), Mono: mono})
		}
	}
	lead = p.Email
	if p.Email != "" {
		facts = append(facts, detail{Name: "E-mail", Text: addr(p.Email)})
	}
	if u := p.User; u != nil {
		title, department := titleOf(u.Resource)
		if line := strings.Trim(title+", "+department, ", "); line != "" {
			lead = line
		}
		facts = append(facts, detail{Name: "User name", Text: addr(u.UserName)})
		add("Title", title, false)
		add("Department", department, false)
		if u.ExternalID != nil {
			add(p.Provider+" id", *u.ExternalID, true)
		}
	}
	came := "By hand"
	switch {
	case p.DirectoryUserID != nil && p.User != nil && p.User.MirrorOf != nil:
		came = "By hand, now managed by " + p.Provider
	case p.DirectoryUserID != nil:
		came = "From " + p.Provider
	}
	add("Came", came+", "+r.at(p.CreatedAt).Format("2 Jan 2006"), false)
	if p.AcceptedAt != nil {
		add("Joined", r.at(*p.AcceptedAt).Format("2 Jan 2006"), false)
	}
	living, last := 0, time.Time{}
	for _, s := range sessions {
		if s.Living(p.Member, r.now) {
			living++
		}
		if s.SeenAt.After(last) {
			last = s.SeenAt
		}
	}
	if !last.IsZero() {
		facts = append(facts, detail{Name: "Last click", Text: r.at(last).Ago()})
	}
	switch {
	case living > 0:
		add("Sessions", plural(living, "browser", "browsers"), false)
	case p.AcceptedAt == nil && p.Status == models.MemberInvited:
		add("Sessions", "none yet", false)
	default:
		add("Sessions", "none", false)
	}
	return lead, facts
}

// titleOf reads title and department from a stored resource.
func titleOf(resource string) (title, department string) {
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(resource), &all) != nil {
		return "", ""
	}
	for name, value := range all {
		switch {
		case strings.EqualFold(name, "title"):
			_ = json.Unmarshal(value, &title) // what is no text is none
		case strings.EqualFold(name, scim.EnterpriseURN):
			var enterprise struct{ Department string }
			if json.Unmarshal(value, &enterprise) == nil {
				department = enterprise.Department
			}
		}
	}
	return title, department
}

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
		return verdict{"bad", "Invited, but the mail to " + p.Invitation.Email + " was refused.", serverSaid(failed.Error) + " Correct the address in " + orDirectory(by) + ", or send again."}
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

// DeactivateMore says whether and how it can be undone.
func (p personPage) DeactivateMore() string {
	text := "You can bring them back here at any time."
	if p.managed() {
		text += " " + p.Provider + " still wants them here: it brings them back only when it assigns them anew. To remove them for good, remove them there."
	}
	return text
}

// RestoreText says what bringing somebody back means.
func (p personPage) RestoreText() string {
	if p.AcceptedAt == nil {
		return "They are invited anew, as " + article(string(p.Member.Role)) + "."
	}
	text := "They have access again at once, as " + article(string(p.Member.Role)) + ", and sign in as before."
	if p.managed() {
		text += " Their teams follow."
	}
	return text
}
