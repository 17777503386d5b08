package dashboard

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/store"
	"outpost/workspace"
)

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
