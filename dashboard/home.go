package dashboard

import (
	"net/http"

	"outpost/models"
)

// homePage is what a plain member sees first: where they are, why, and whom to ask.
type homePage struct {
	Teams   []string
	Came    string
	Managed string // who decides about them, "" for nobody
	Ask     string // the names of those who can change something
}

// fewNames is how many owners and admins a member is told to ask.
const fewNames = 5

// showStart sends owners and admins on to what the workspace is here for, and shows everybody else their place in it.
func showStart(r *request) error {
	if !r.manages() {
		return r.home()
	}
	c, err := r.newestConnection()
	if err != nil {
		return err
	}
	to := "/settings/security"
	if c != nil {
		to = connectionPath(c.ID)
	}
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther)
	return nil
}

func (r *request) home() error {
	w := r.workspace()
	found, err := r.d.Store.Person(r.ctx, w.ID, r.member().ID)
	if err != nil {
		return err
	}
	who := personPage{Person: found}
	if who.User != nil {
		who.Provider = who.Connection.Provider.Title()
	}
	p := homePage{Came: r.cameWords(who)}
	for _, t := range who.Person.Teams {
		p.Teams = append(p.Teams, t.Name)
	}
	if who.managed() {
		p.Managed = who.Provider
	}
	if p.Ask, err = r.whomToAsk(); err != nil {
		return err
	}
	return r.page("home", head{title: w.Name, nav: "home"}, p)
}

// cameWords says how and when somebody came into the workspace, to themselves.
func (r *request) cameWords(p personPage) string {
	text := "You were invited by hand"
	if p.DirectoryUserID != nil && p.User != nil && p.User.MirrorOf == nil {
		text = p.Provider + " brought you in"
	}
	text += " on " + r.at(p.CreatedAt).Format("2 January 2006")
	switch {
	case p.AcceptedAt == nil:
		return text + "."
	case r.at(p.CreatedAt).sameDay(r.at(*p.AcceptedAt).Time):
		return text + ", and you joined the same day."
	}
	return text + ", and you joined on " + r.at(*p.AcceptedAt).Format("2 January 2006") + "."
}

// whomToAsk names the owners, and admins while there is room.
func (r *request) whomToAsk() (string, error) {
	rows, total, err := r.d.Store.Roster(r.ctx, r.workspace().ID, "", 0, pageSize)
	if err != nil {
		return "", err
	}
	var names []string
	for _, row := range rows {
		if row.Status != models.MemberActive {
			total--
			continue
		}
		if len(names) < fewNames {
			names = append(names, row.Name+" ("+string(row.Role)+")")
		}
	}
	if more := total - len(names); more > 0 {
		names = append(names, plural(more, "other", "others"))
	}
	return words(names), nil
}
