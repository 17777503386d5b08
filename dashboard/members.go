package dashboard

import (
	"net/http"
	"strings"

	"outpost/directory"
	"outpost/models"
	"outpost/store"
)

// membersPage is who may do what, and who decides about it.
type membersPage struct {
	Counts  store.RoleCounts
	Decides string // the provider that decides about the people it brought, "" for none
	Role    facet
	Rows    []rosterRow
	Pager   pager
	Owner   bool
	Form    inviteForm
	Fault   string // about a change of a role
}

// rosterRow is a member with their role, and why it can or cannot be changed here.
type rosterRow struct {
	store.RosterRow
	Why    string
	Locked bool
	Seen   moment
	Roles  []models.Role
	You    bool
}

// inviteForm is what was typed to invite somebody by hand.
type inviteForm struct {
	Email, Name, Role, Error string
}

func showMembers(r *request) error {
	return r.members(http.StatusOK, membersPage{Form: inviteForm{Role: "member"}})
}

func (r *request) members(status int, p membersPage) (err error) {
	p.Owner = r.member().Role == models.RoleOwner
	if p.Counts, err = r.d.Store.RoleCounts(r.ctx, r.workspace().ID); err != nil {
		return err
	}
	c, err := r.newestConnection()
	if err != nil {
		return err
	}
	if c != nil {
		p.Decides = c.Provider.Title()
	}
	p.Role = r.facet("Role", "role", [2]string{"owner", "Owner"}, [2]string{"admin", "Admin"}, [2]string{"member", "Member"})
	offset := r.offset()
	rows, total, err := r.d.Store.Roster(r.ctx, r.workspace().ID, models.Role(p.Role.Value), offset, pageSize)
	if err != nil {
		return err
	}
	for _, row := range rows {
		p.Rows = append(p.Rows, r.rosterRow(row, p.Counts, p.Owner))
	}
	noun := "people"
	if p.Role.Value == "" {
		noun = "owners and admins"
	}
	p.Pager = r.pager(offset, len(rows), total, noun)
	return r.pageWith(status, "members", head{title: "Members and roles", nav: "members"}, p)
}

func (r *request) rosterRow(row store.RosterRow, counts store.RoleCounts, byOwner bool) rosterRow {
	out := rosterRow{RosterRow: row, Seen: r.atPointer(row.SeenAt), Why: "by hand", You: row.ID == r.member().ID}
	out.Roles = []models.Role{models.RoleAdmin, models.RoleMember}
	if byOwner {
		out.Roles = []models.Role{models.RoleOwner, models.RoleAdmin, models.RoleMember}
	}
	switch {
	case row.Status == models.MemberDeactivated:
		out.Locked, out.Why = true, "deactivated"
	case row.Role == models.RoleOwner && counts.Owners == 1:
		out.Locked, out.Why = true, "the only owner, cannot be changed"
	case row.Role == models.RoleOwner && !byOwner:
		out.Locked, out.Why = true, "an owner is changed by an owner"
	case row.RoleGroup != "":
		out.Why = "the group " + row.RoleGroup
		out.Locked = !byOwner
		if byOwner {
			out.Roles = []models.Role{models.RoleOwner, row.Role} // what the group gives stays, unless they become an owner
		}
	}
	return out
}

// inviteMember invites somebody by hand.
func inviteMember(r *request) error {
	form := inviteForm{Email: strings.TrimSpace(r.PostFormValue("email")), Name: strings.TrimSpace(r.PostFormValue("name")), Role: r.PostFormValue("role")}
	m, err := r.d.Hands.Invite(r.ctx, r.by(), form.Email, form.Name, models.Role(form.Role))
	if form.Error = faultOf(err); form.Error != "" {
		return r.members(http.StatusUnprocessableEntity, membersPage{Form: form})
	}
	if err != nil {
		return err
	}
	return r.seeOther("/people/"+m.ID, "The invitation to "+m.Email+" is on its way.")
}

// changeRole gives a member another role.
func changeRole(r *request) error {
	id, role := r.PathValue("id"), models.Role(r.PostFormValue("role"))
	if !directory.IsID(id) {
		return errNothing
	}
	if role == models.RoleOwner {
		if err := r.fresh("/settings/members"); err != nil {
			return err
		}
	}
	err := r.d.Hands.ChangeRole(r.ctx, r.by(), id, role)
	if fault := faultOf(err); fault != "" {
		return r.members(http.StatusUnprocessableEntity, membersPage{Form: inviteForm{Role: "member"}, Fault: fault})
	}
	if err != nil {
		return err
	}
	return r.seeOther("/settings/members", "The role is changed.")
}
