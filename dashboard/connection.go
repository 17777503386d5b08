package dashboard

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/store"
	"outpost/workspace"
)

// verdict is a page's first sentence: the answer to the question it was opened for.
type verdict struct {
	Class string // good, busy, warn or bad
	Text  string
	More  string
}

// Icon is the sign beside it.
func (v verdict) Icon() string {
	return map[string]string{"good": "ok", "busy": "retry", "warn": "pause", "bad": "bad"}[v.Class]
}

// Badge is the verdict in a word.
func (v verdict) Badge() template.HTML {
	switch v.Class {
	case "good":
		return mark("active", "Healthy")
	case "busy":
		return mark("running", "Working")
	case "warn":
		return mark("held", "Look at it")
	}
	return mark("failed", "Needs you")
}

// connectionPage is how a connection is, and all that can be set about it.
type connectionPage struct {
	models.Connection
	Since      moment
	Owner      bool
	Enterprise bool
	BaseURL    string
	NewToken   string // in clear, in the answer that made it alone
	Tokens     []tokenRow
	Advice     string // about the tokens
	Full       bool   // two tokens live
	Verdict    verdict
	Stats      healthStats
	Mappings   []store.RoleMappingRow
	Groups     []models.Group // that may be mapped
	Waiting    int            // invitations that wait to be sent by hand
	Holds      []hold
	Faults     map[string]string // by the part of the page
	Confirm    string            // "delete" with the dialog open
	Slug       string
	People     int
}

// hold is one choice of how long an invitation waits.
type hold struct {
	Value, Word string
	On          bool
}

// holds are the choices, with what is chosen now among them.
func holds(seconds *int) []hold {
	all := []hold{{"", "As the installation does", seconds == nil}}
	known := seconds == nil
	for _, n := range []int{0, 10, 60, 600, 3600, 86400} {
		word := "Do not wait"
		if n > 0 {
			word = dur(time.Duration(n) * time.Second)
		}
		on := seconds != nil && *seconds == n
		known = known || on
		all = append(all, hold{strconv.Itoa(n), word, on})
	}
	if !known {
		all = append(all, hold{strconv.Itoa(*seconds), dur(time.Duration(*seconds) * time.Second), true})
	}
	return all
}

// tokenRow is a token as people see it.
type tokenRow struct {
	models.Token
	Shown             string
	Made, First, Last moment
	State             template.HTML
	Newest            bool
}

// healthStats are the figures of a connection.
type healthStats struct {
	Provider         models.Provider
	ID               string
	Last             moment
	LastWhat         string
	Requests, Failed int
	Typical          string // duration of an answer
	Trouble          string // the newest one today
	TroubleAt        moment
	Bars             []hourBar
	Label            string // what the chart says
}

// hourBar is one hour of the chart, in its own units.
type hourBar struct {
	X                       int
	Y, Height, BadY, BadTop string
	Bad                     bool
}

func showConnection(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	return r.connectionPage(http.StatusOK, c, connectionPage{Confirm: r.URL.Query().Get("confirm")})
}

// connectionPage completes p, which has what the request was about, and shows it.
func (r *request) connectionPage(status int, c models.Connection, p connectionPage) (err error) {
	p.Connection, p.Since, p.Owner, p.BaseURL, p.Slug = c, r.at(c.CreatedAt), r.member().Role == models.RoleOwner, r.baseURL(c.ID), r.workspace().Slug
	p.Enterprise = r.workspace().Plan.DirectorySync()
	if p.Tokens, p.Advice, err = r.tokenRows(c); err != nil {
		return err
	}
	living := 0
	for _, t := range p.Tokens {
		if t.Living(r.now) {
			living++
		}
	}
	p.Full = living > 1
	live, err := r.d.readConnection(r.ctx, c.ID)
	if err != nil {
		return err
	}
	p.Verdict, p.Stats = r.judge(c, live.health, live.work), r.healthStats(c, live)
	if p.Mappings, err = r.d.Store.RoleMappings(r.ctx, c.ID); err != nil {
		return err
	}
	if p.Groups, err = r.d.Store.MappableGroups(r.ctx, c.ID, 500); err != nil {
		return err
	}
	if !c.SendInvitations {
		if p.Waiting, err = r.d.Store.WaitingInvitations(r.ctx, c.ID); err != nil {
			return err
		}
	}
	if p.Confirm == "delete" {
		size, err := r.d.Store.ConnectionSize(r.ctx, c.ID)
		if err != nil {
			return err
		}
		p.People = size.People
	}
	p.Holds = holds(c.InvitationHold)
	return r.pageWith(status, "connection", head{title: c.Provider.Title(), nav: "connection"}, p)
}

// tokenRows shows the tokens that live, and the last one that ended; advice tells what to do about two of them.
func (r *request) tokenRows(c models.Connection) (rows []tokenRow, advice string, err error) {
	all, err := r.d.Store.Tokens(r.ctx, c.ID)
	if err != nil {
		return nil, "", err
	}
	for i, t := range all {
		if !t.Living(r.now) {
			continue
		}
		row := tokenRow{Token: t, Shown: shownToken(t), Made: r.at(t.CreatedAt), First: r.atPointer(t.FirstUsedAt), Last: r.atPointer(t.LastUsedAt), Newest: i == 0}
		switch {
		case t.EndsAt != nil:
			row.State = mark("superseded", "Ends in "+dur(t.EndsAt.Sub(r.now)))
		case t.FirstUsedAt == nil:
			row.State = mark("pending", "Not used yet")
		default:
			row.State = mark("active", "In use")
		}
		rows = append(rows, row)
	}
	if len(rows) == 2 {
		fresh, old, title := rows[0], rows[1], c.Provider.Title()
		switch {
		case fresh.FirstUsedAt == nil:
			advice = title + " still uses the old token. Paste the new one there; the old one ends 24 hours after the new one is first used."
		case old.LastUsedAt != nil && old.LastUsedAt.After(*fresh.FirstUsedAt):
			advice = title + " uses both tokens: the old one last " + old.Last.Format("15:04:05") + ". Replace it everywhere before you end it."
		default:
			advice = fmt.Sprintf("%s has moved to the new token: %s with it, none with the old one since. You can end the old one safely.", title, plural(int(fresh.Uses), "request", "requests"))
		}
	}
	return rows, advice, nil
}

// liveConnection is what a connection's figures are made of.
type liveConnection struct {
	health models.ConnectionHealth
	hours  []models.ConnectionHour
	work   store.OpenWork
}

func (d *Dashboard) readConnection(ctx context.Context, id string) (l liveConnection, err error) {
	if l.health, err = d.Store.Health(ctx, id); err != nil {
		return l, err
	}
	if l.hours, err = d.Store.Hours(ctx, id, d.Now().Add(-25*time.Hour)); err != nil {
		return l, err
	}
	l.work, err = d.Store.OpenWork(ctx, id)
	return l, err
}

// judge says in one sentence how a connection is.
func (r *request) judge(c models.Connection, h models.ConnectionHealth, w store.OpenWork) verdict {
	title := c.Provider.Title()
	called := "It has not called yet."
	if h.LastAt != nil {
		called = title + " last called " + ago(r.now.Sub(*h.LastAt)) + "."
	}
	ended := h.ErrorAt != nil && (h.LastAt == nil || !h.LastAt.After(*h.ErrorAt)) && r.now.Sub(*h.ErrorAt) < 24*time.Hour
	switch {
	case c.Status == models.ConnectionPaused:
		return verdict{"warn", "Paused. Requests are refused until you resume it.", called + " Nothing is lost: retry the failed tasks in " + title + " afterwards."}
	case !r.workspace().Plan.DirectorySync():
		return verdict{"bad", "The plan does not include Directory Sync. Requests are refused.", called}
	case ended && h.ErrorKind == models.TroubleToken:
		return verdict{"bad", title + " calls with a wrong token.", "Make a new token below and paste it into " + title + "."}
	case ended && (h.ErrorKind == models.TroubleURL || h.ErrorKind == models.TroubleOurs):
		return verdict{"bad", "The last request of " + title + " failed.", sentence(h.ErrorDetail)}
	case h.FirstSuccessAt == nil:
		return verdict{"busy", "Waiting for " + title + "’s first request.", "Follow the setup steps; the first request is the test of the connection."}
	case w.Held > 0:
		return verdict{"warn", plural(w.Held, "change waits", "changes wait") + " for a decision.", called}
	case w.Failed > 0:
		return verdict{"warn", plural(w.Failed, "job has", "jobs have") + " failed and needs you.", called}
	case w.Open > 0:
		return verdict{"busy", "Working: " + plural(w.Open, "job", "jobs") + " to go.", called}
	}
	return verdict{"good", "Healthy. " + called + " Everything it asked for is done.", ""}
}

// ago is a duration since, in words.
func ago(d time.Duration) string {
	if d < 2*time.Second {
		return "a moment ago"
	}
	return dur(d.Truncate(time.Second)) + " ago"
}

func (r *request) healthStats(c models.Connection, l liveConnection) healthStats {
	h := l.health
	s := healthStats{Provider: c.Provider, ID: c.ID, Last: r.atPointer(h.LastAt)}
	if h.LastAt != nil {
		s.LastWhat = fmt.Sprintf("%s %s, %d in %s", h.LastMethod, h.LastRoute, h.LastStatus, dur(time.Duration(h.LastMicros)*time.Microsecond))
	}
	now := r.now.In(r.zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, r.zone)
	var micros int64
	var hours [24]models.ConnectionHour
	most := int64(0)
	for _, hour := range l.hours {
		if !hour.Hour.Before(midnight.Truncate(time.Hour)) {
			s.Requests += int(hour.Requests)
			s.Failed += int(hour.Failures)
			micros += hour.Micros
		}
		if i := 23 - int(r.now.Truncate(time.Hour).Sub(hour.Hour).Hours()); i >= 0 && i < 24 {
			hours[i] = hour
			most = max(most, hour.Requests)
		}
	}
	if s.Requests > 0 {
		s.Typical = dur(time.Duration(micros/int64(s.Requests)) * time.Microsecond)
	}
	if h.ErrorAt != nil && !h.ErrorAt.Before(midnight) {
		s.Trouble, s.TroubleAt = troubleWords[h.ErrorKind], r.atPointer(h.ErrorAt)
	}
	failures := int64(0)
	for i, hour := range hours {
		b := hourBar{X: 1 + 10*i}
		if most > 0 {
			height := 36 * float64(hour.Requests) / float64(most)
			bad := 36 * float64(hour.Failures) / float64(most)
			if hour.Failures > 0 {
				bad = max(bad, 3)
				b.Bad = true
			}
			b.Y, b.Height = fmt.Sprintf("%.1f", 36-height), fmt.Sprintf("%.1f", height)
			b.BadY, b.BadTop = fmt.Sprintf("%.1f", 36-bad), fmt.Sprintf("%.1f", bad)
		}
		failures += hour.Failures
		s.Bars = append(s.Bars, b)
	}
	s.Label = fmt.Sprintf("Requests an hour over the last 24 hours, most %s, %s failed", num(int(most)), num(int(failures)))
	return s
}

// troubleWords name what was wrong with a refused request.
var troubleWords = map[string]string{
	models.TroubleToken: "Wrong token", models.TroubleURL: "Wrong address", models.TroublePlan: "Not on Enterprise",
	models.TroublePaused: "Paused", models.TroubleRequest: "Request refused", models.TroubleOurs: "A fault of ours",
}

// liveSetup keeps the check of the setup dialog as it is.
func liveSetup(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	return r.stream("setup "+c.ID, connectionHealthEvery, func(ctx context.Context) ([]event, error) {
		v := r.viewer(ctx)
		tokens, err := r.d.Store.Tokens(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		k, err := v.check(c, tokens)
		if err != nil {
			return nil, err
		}
		e, err := r.d.part("setup", "check", "check", k)
		return []event{e}, err
	})
}

// liveHealth keeps the verdict and the figures of a connection's page as they are.
func liveHealth(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	return r.stream("connection "+c.ID, time.Second, func(ctx context.Context) ([]event, error) {
		v := r.viewer(ctx)
		c, err := r.d.Store.Connection(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		live, err := r.d.readConnection(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		health, err := r.d.part("connection", "health", "health", v.healthStats(c, live))
		if err != nil {
			return nil, err
		}
		word, err := r.d.part("connection", "verdict", "verdict", v.judge(c, live.health, live.work))
		return []event{health, word}, err
	})
}

// viewer is a live view's reader at a later moment: who, and the clock as it is now.
func (r *request) viewer(ctx context.Context) *request {
	return &request{Request: r.Request, d: r.d, ctx: ctx, visit: r.visit, zone: r.zone, now: r.d.Now()}
}

// newToken rotates the token and shows the new one, this once.
func newToken(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	if err := r.fresh(connectionPath(c.ID)); err != nil {
		return err
	}
	issued, err := r.d.Directory.RotateToken(r.ctx, c, false, r.member().Name)
	if err != nil {
		return err
	}
	return r.connectionPage(http.StatusCreated, c, connectionPage{NewToken: issued.Token})
}

// endToken refuses a token from now on.
func endToken(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	if err := r.d.Directory.EndToken(r.ctx, c, r.PathValue("token"), r.member().Name); err != nil {
		return err
	}
	return r.seeOther(connectionPath(c.ID)+"#tokens", "The token has ended. Requests with it are refused from now on.")
}

// setConnection pauses, resumes or deletes a connection.
func setConnection(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	back, title := connectionPath(c.ID), c.Provider.Title()
	switch r.PostFormValue("status") {
	case "pause":
		if err := r.d.Directory.SetConnectionStatus(r.ctx, c, models.ConnectionPaused, r.member().Name); err != nil {
			return err
		}
		return r.seeOther(back, "Paused. Requests of "+title+" are refused until you resume it.")
	case "resume":
		if err := r.d.Directory.SetConnectionStatus(r.ctx, c, models.ConnectionActive, r.member().Name); err != nil {
			return err
		}
		return r.seeOther(back, "Resumed. Retry the failed tasks in "+title+".")
	case "delete":
		if err := r.fresh(back + "?confirm=delete"); err != nil {
			return err
		}
		if r.PostFormValue("slug") != r.workspace().Slug {
			return r.connectionPage(http.StatusUnprocessableEntity, c, connectionPage{Confirm: "delete", Faults: map[string]string{"delete": "Type " + r.workspace().Slug + " to delete the connection."}})
		}
		if err := r.d.Directory.SetConnectionStatus(r.ctx, c, models.ConnectionDeleted, r.member().Name); err != nil {
			return err
		}
		return r.seeOther("/settings/security", "The connection to "+title+" is deleted. The people it brought stay.")
	}
	return &models.Error{Code: models.Invalid, Detail: "choose pause, resume or delete"}
}

// mapRole lets a group give a role, or takes that back.
func mapRole(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	caller := r.caller("map")
	caller.ConnectionID = c.ID
	role := models.Role(r.PostFormValue("role"))
	if r.PostFormValue("group") == "" {
		return r.connectionPage(http.StatusUnprocessableEntity, c, connectionPage{Faults: map[string]string{"map": "Choose a group."}})
	}
	if role == models.RoleAdmin {
		if err := r.fresh(connectionPath(c.ID)); err != nil {
			return err
		}
	}
	err = r.d.Directory.MapRole(r.ctx, caller, r.PostFormValue("group"), role)
	if known := faultOf(err); known != "" {
		return r.connectionPage(http.StatusUnprocessableEntity, c, connectionPage{Faults: map[string]string{"map": known}})
	}
	if err != nil {
		return err
	}
	note := "The group gives no role any more."
	if role != "" {
		note = "The group gives the role " + string(role) + " from now on."
	}
	return r.seeOther(connectionPath(c.ID)+"#roles", note)
}

// setInvitations changes how the people of a connection are invited.
func setInvitations(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	caller := r.caller("settings")
	caller.ConnectionID = c.ID
	s := directory.InvitationSettings{Send: r.PostFormValue("send") != "", SenderName: r.PostFormValue("from")}
	if hold := r.PostFormValue("hold"); hold != "" {
		seconds, err := strconv.Atoi(hold)
		if err != nil {
			return &models.Error{Code: models.Invalid, Detail: "choose how long an invitation waits from the list"}
		}
		s.HoldSeconds = &seconds
	}
	err = r.d.Directory.SetInvitations(r.ctx, caller, c.ID, s)
	if known := faultOf(err); known != "" {
		c.SendInvitations, c.SenderName, c.InvitationHold = s.Send, s.SenderName, s.HoldSeconds // as typed
		return r.connectionPage(http.StatusUnprocessableEntity, c, connectionPage{Faults: map[string]string{"invitations": known}})
	}
	if err != nil {
		return err
	}
	return r.seeOther(connectionPath(c.ID)+"#invitations", "Saved.")
}

// sendWaiting mails the invitations that waited.
func sendWaiting(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	n, err := r.d.Hands.SendWaitingInvitations(r.ctx, r.by(), c.ID)
	if err != nil {
		return err
	}
	return r.seeOther(connectionPath(c.ID)+"#invitations", plural(n, "invitation is", "invitations are")+" on the way.")
}

// by is the visitor as workspace records them.
func (r *request) by() workspace.By {
	m := r.member()
	return workspace.By{WorkspaceID: r.workspace().ID, Actor: m.Name, Role: m.Role, MemberID: m.ID, IP: r.ip(), UserAgent: r.agent(), RequestID: r.id}
}

// faultOf is the sentence of an error that the form it came from can show, "" for any other.
func faultOf(err error) string {
	var e *models.Error
	if errors.As(err, &e) && (e.Code == models.Invalid || e.Code == models.Denied || e.Code == models.Conflict || e.Code == models.Stale) {
		return sentence(e.Detail)
	}
	return ""
}
