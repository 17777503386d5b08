package dashboard

import (
	"encoding/json"
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
	Sessions []sessionRow // living ones
	SignIns  []signInRow
	Confirm  string // an act with its question open
	Fault    string // why an act was not done
}

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
	p.Sessions = r.sessionRows(p.Member, sessions)
	p.Lead, p.Details = r.personDetails(p, sessions)
	if p.SignIns, err = r.signIns(p.ID); err != nil {
		return err
	}
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
	last := time.Time{}
	for _, s := range sessions {
		if s.SeenAt.After(last) {
			last = s.SeenAt
		}
	}
	if !last.IsZero() {
		facts = append(facts, detail{Name: "Last click", Text: r.at(last).Ago()})
	}
	switch {
	case len(p.Sessions) > 0: // they have a card of their own
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
