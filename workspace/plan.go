package workspace

import (
	"time"

	"outpost/models"
)

// plan is what has to change so that a member is what the directory wants. It is made without looking at anything but
// the two of them.
type plan struct {
	create bool          // there is no member yet
	member models.Member // as it shall be
	// invite says that the person needs an invitation for this period and address, unless there is one.
	invite bool
	// reopen says that something ends which may have withdrawn the invitation for this period and address.
	reopen bool
	// void says that open invitations, but for the one just made, are withdrawn.
	void bool
	// movedFrom is the address that the person had, "" when it has not changed.
	movedFrom string
	// inTeams says that the person belongs to the teams that their groups name; otherwise to none of them.
	inTeams bool
}

// wants reports whether the directory wants the person to have access.
func wants(u models.User) bool { return u.Active && u.RemovedAt == nil }

// planNew plans a member for a person who has none.
func planNew(u models.User, id string, now time.Time) plan {
	m := models.Member{
		ID: id, WorkspaceID: u.WorkspaceID, Email: u.Email, EmailKey: u.EmailKey, Name: u.DisplayName, Role: models.RoleMember, HandRole: models.RoleMember, Status: models.MemberInvited,
		DirectoryUserID: &u.ID, AppliedVersion: u.Version, Period: u.Period, CreatedAt: now, UpdatedAt: now,
	}
	if !wants(u) {
		m.Status, m.DeactivatedAt = models.MemberDeactivated, &now
	}
	return plan{create: true, member: m, invite: wants(u) && u.EmailKey != "", inTeams: wants(u)}
}

// planChange plans what a member becomes. samePerson is false when the member followed somebody else before, who was
// deleted: then nothing of that person's, their role, their sessions and that they had joined, is handed on.
func planChange(u models.User, m models.Member, samePerson bool, now time.Time) plan {
	p := plan{member: m, inTeams: wants(u)}
	next := &p.member
	if !samePerson {
		next.Role, next.HandRole, next.RoleGroupID, next.RemovedBy, next.AcceptedAt = models.RoleMember, models.RoleMember, nil, "", nil
		next.SessionEpoch++
	}
	next.DirectoryUserID, next.AppliedVersion, next.UpdatedAt = &u.ID, u.Version, now
	next.Name = u.DisplayName
	if u.EmailKey != m.EmailKey {
		p.movedFrom = m.Email
		p.void = true
		next.SessionEpoch++
	}
	next.Email, next.EmailKey = u.Email, u.EmailKey
	if u.Period != m.Period || m.DirectoryUserID != nil && *m.DirectoryUserID != u.ID {
		p.void = true
	}
	if u.Period != m.Period || m.DirectoryUserID == nil || *m.DirectoryUserID != u.ID {
		next.RemovedBy = "" // the directory has begun anew since
	}
	next.Period = u.Period
	if !wants(u) || next.RemovedBy != "" {
		p.void, p.inTeams = true, false
		if m.Status != models.MemberDeactivated {
			block(next, now)
		}
		return p
	}
	switch {
	case next.AcceptedAt != nil:
		next.Status = models.MemberActive
	default:
		next.Status = models.MemberInvited
		p.invite = u.EmailKey != ""
	}
	next.DeactivatedAt = nil
	p.reopen = p.void || m.Status == models.MemberDeactivated
	return p
}

// block takes a member's access away.
func block(m *models.Member, now time.Time) {
	m.Status, m.DeactivatedAt, m.UpdatedAt = models.MemberDeactivated, &now, now
	m.SessionEpoch++
}

// diff tells which of want are not in have, and which of have are not in want.
func diff(want, have []string) (missing, extra []string) {
	count := make(map[string]int, len(want))
	for _, id := range want {
		count[id] = 1
	}
	for _, id := range have {
		if count[id] == 0 {
			extra = append(extra, id)
		}
		count[id]--
	}
	for _, id := range want {
		if count[id] == 1 {
			missing = append(missing, id)
		}
	}
	return missing, extra
}
