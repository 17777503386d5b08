package dashboard

import (
	"outpost/models"
	"outpost/store"
)

// whyRole is what decides about a role.
type whyRole struct {
	Word  string
	Group models.Group // that gives it; its ID is "" where none does
	Text  string
}

// whyTeam is a team, or a group whose team they are to be in, and why.
type whyTeam struct{ Name, Href, Text string }

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
