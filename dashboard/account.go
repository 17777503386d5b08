package dashboard

import (
	"html/template"
	"net/http"
	"slices"

	"outpost/directory"
	"outpost/models"
	"outpost/store"
)

// sessionsPage is where the visitor is signed in.
type sessionsPage struct {
	Rows   []sessionRow
	Others bool // there are sessions beside this one
}

// sessionRow is a living session.
type sessionRow struct {
	ID, Device, IP, Method string
	Here                   bool // it is the one that looks
	Began, Seen, Proved    moment
}

// methodWords say how somebody proved who they are.
var methodWords = map[string]string{models.MethodLink: "e-mail link", models.MethodSAML: "single sign-on"}

// sessionRows are those sessions of a member of the visitor's workspace that still count, the one that looks first.
func (r *request) sessionRows(m models.Member, all []models.Session) (rows []sessionRow) {
	for _, s := range all {
		if !r.d.Gate.Counts(store.Visit{Session: s, Member: m, Workspace: r.workspace()}) {
			continue
		}
		row := sessionRow{
			ID: s.ID, Device: deviceWord(s.UserAgent), IP: s.IP, Method: methodWords[s.Method], Here: s.ID == r.visit.Session.ID,
			Began: r.at(s.CreatedAt), Seen: r.at(s.SeenAt), Proved: r.at(s.ProvedAt),
		}
		if row.Method == "" {
			row.Method = s.Method
		}
		if row.Here {
			row.Seen = r.at(r.now)
			rows = slices.Insert(rows, 0, row)
			continue
		}
		rows = append(rows, row)
	}
	return rows
}

// ownSessions are the living sessions of the visitor in this workspace.
func (r *request) ownSessions() ([]sessionRow, error) {
	all, err := r.d.Store.Sessions(r.ctx, r.member().ID, r.now.Add(-models.SessionLife))
	return r.sessionRows(r.member(), all), err
}

func showSessions(r *request) error {
	rows, err := r.ownSessions()
	if err != nil {
		return err
	}
	return r.page("sessions", head{title: "Your sessions", nav: "sessions"}, sessionsPage{Rows: rows, Others: len(rows) > 1})
}

// endSession signs the visitor out in one browser. A session that is not theirs is not there.
func endSession(r *request) error {
	id := r.PathValue("id")
	if !directory.IsID(id) {
		return errNothing
	}
	if _, err := r.d.Store.Session(r.ctx, r.member().ID, id); err != nil {
		return err
	}
	return r.endSessions(func(s sessionRow) bool { return s.ID == id }, "signed out of", "You are signed out of")
}

// endOtherSessions signs the visitor out in every browser but this one.
func endOtherSessions(r *request) error {
	return r.endSessions(func(s sessionRow) bool { return !s.Here }, "signed out everywhere else:", "You are signed out everywhere else:")
}

// endAllSessions signs the visitor out in every browser.
func endAllSessions(r *request) error {
	return r.endSessions(func(sessionRow) bool { return true }, "signed out everywhere:", "You are signed out everywhere:")
}

// endSessions ends those of the visitor's sessions that which picks, and says so: did begins what the audit tells, and
// note what the next page does. The browsers are out by their next request, and what is live there closes.
func (r *request) endSessions(which func(sessionRow) bool, did, note string) error {
	all, err := r.ownSessions()
	if err != nil {
		return err
	}
	m := r.member()
	var ids, devices []string
	here := false
	for _, s := range all {
		if which(s) {
			ids, devices, here = append(ids, s.ID), append(devices, s.Device), here || s.Here
		}
	}
	if len(ids) == 0 {
		return r.seeOther("/account/sessions", "You were signed out there already.")
	}
	if more := len(devices) - fewNames; more > 0 {
		devices = append(devices[:fewNames], plural(more, "other", "others"))
	}
	err = r.d.Store.Write(r.ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			if err := tx.EndSession(id, r.now); err != nil {
				return err
			}
		}
		tx.Add(r.entry(methodSignOut, http.StatusOK, m.WorkspaceID, m.Name, m.ID, did+" "+words(devices)))
		return nil
	})
	if err != nil {
		return err
	}
	note += " " + words(devices) + "."
	if here {
		r.setCookie(sessionCookie, "", -1)
		return r.seeOther("/signin", note)
	}
	return r.seeOther("/account/sessions", note)
}

// signInRow is a sign-in of a member, or one that was refused.
type signInRow struct {
	At      moment
	State   template.HTML
	Text    string
	From    string
	Request string // the page of the entry
}

// fewSignIns is how many sign-ins the page of a person shows.
const fewSignIns = 5

// signIns are the last sign-ins of a member, and those that were refused.
func (r *request) signIns(memberID string) (rows []signInRow, err error) {
	entries, err := r.d.Store.SignIns(r.ctx, r.workspace().ID, memberID, fewSignIns)
	for _, e := range entries {
		row := signInRow{At: r.at(e.At), Text: sentence(e.Detail), From: comingFrom(e), Request: "/activity/requests/" + e.ID, State: mark("done", "Signed in")}
		if e.Status >= 400 {
			row.State = mark("refused", "Refused")
		}
		rows = append(rows, row)
	}
	return rows, err
}

// comingFrom says from where an act of a person came: "Chrome on Windows from 203.0.113.7", "" where that is not known.
func comingFrom(e models.AuditEntry) string {
	text := device(e.UserAgent)
	switch {
	case e.IP == "":
		return text
	case text == "":
		text = "a browser"
	}
	return text + " from " + e.IP
}
