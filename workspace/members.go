package workspace

import (
	"fmt"
	"math"
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/store"
)

// kinds are the operations that converge a person: one applied version settles both.
var kinds = []models.Kind{models.KindUserUpsert, models.KindUserDeactivate}

// LockPerson takes the locks under which one person's access and teams change. Take them before anything else in the
// transaction. It returns false, without waiting, while a group of the connection changes its team.
func LockPerson(tx *store.Tx, userID, connectionID string) (free bool, err error) {
	return tx.LockAndShare(PersonLock(userID), teamsLock(connectionID))
}

// ConvergeUser makes the member what the directory wants of the person now, whatever the operation was written for:
// status, name, address, teams, invitation. It is for both user.upsert and user.deactivate. The caller has LockPerson,
// and read the situation after it.
func (w *Workspace) ConvergeUser(tx *store.Tx, op models.Operation, situation store.Situation) (outbox.Outcome, error) {
	superseded := outbox.Outcome{State: models.OperationSuperseded}
	u := situation.User
	rests := u.KeptVersion > 0 && u.KeptVersion == u.Version
	if !rests && op.Version < u.Version {
		var err error
		if rests, err = tx.HeldAt(u.ID, u.Version); err != nil {
			return superseded, err // an admin decides about the newest version first
		}
	}
	byHand := op.Version == 0 // and not the directory's doing: look at the member again
	if !u.Linked || rests && !byHand {
		return superseded, nil
	}
	f, err := Find(tx, u)
	if err != nil {
		return superseded, err
	}
	m, found := f.Member, f.OK
	follows := found && m.DirectoryUserID != nil && *m.DirectoryUserID == u.ID
	if rests {
		if !follows {
			return superseded, nil
		}
		return outbox.Outcome{}, w.teams(tx, situation, plan{member: m, inTeams: wants(u) && m.Status != models.MemberDeactivated})
	}
	if follows && m.AppliedVersion >= op.Version && !byHand {
		return superseded, nil
	}
	if f.Conflict != nil {
		return superseded, f.Conflict
	}
	if !found && u.RemovedAt != nil {
		return superseded, nil // came and went before anything was done about it
	}
	if found {
		// The request looked at the member it could see; one met only now falls under the same rules.
		if !wants(u) || !f.SamePerson {
			last, err := LastOwner(tx, m)
			if err != nil {
				return superseded, err
			}
			if last {
				return waits(tx, op, u, HeldLastOwner)
			}
		}
		approved := op.ApprovedBy != "" && op.Version == u.Version // an approval is for what was shown
		if why := GuardEmail(m, u); why != "" && u.RemovedAt == nil && !approved {
			return waits(tx, op, u, why)
		}
	}
	applied := int64(0)
	var p plan
	if found {
		if follows {
			applied = m.AppliedVersion
		}
		p = planChange(u, m, f.SamePerson, w.now())
	} else {
		p = planNew(u, outbox.ID(), w.now())
	}
	out := outbox.Outcome{}
	if err := w.apply(tx, &out, situation, m, p, op); err != nil {
		return superseded, err
	}
	if applied+1 < u.Version {
		if _, err := tx.Supersede(op.ID, u.ID, u.Version, kinds...); err != nil {
			return superseded, err
		}
	}
	if wants(u) && u.EmailKey == "" && p.member.AcceptedAt == nil {
		out.Note = "no invitation was sent: the directory gives no e-mail address for this person"
	}
	return out, nil
}

// waits is the outcome of an operation that a rule stops: it is held, in place of any that waited before it. One that is
// not for the newest version makes way for the operation that is.
func waits(tx *store.Tx, op models.Operation, u models.User, why string) (outbox.Outcome, error) {
	if op.Version < u.Version {
		return outbox.Outcome{State: models.OperationSuperseded}, nil
	}
	return outbox.Outcome{State: models.OperationHeld, Note: why}, tx.SupersedeHeld(u.ID, op.ID)
}

// Found is the member that a person is.
type Found struct {
	Member models.Member
	OK     bool // there is one
	// SamePerson is false when the member followed somebody else, who was deleted.
	SamePerson bool
	// Conflict is why the person cannot be applied as they are: their address is somebody else's.
	Conflict error
}

// Find tells which member the person is: the one that follows them, the one they mirror, or, at the first contact, the
// one with their address. The request that ends access asks, and so does the convergence. The row is locked.
func Find(tx *store.Tx, u models.User) (Found, error) {
	candidates, err := tx.Candidates(u)
	if err != nil {
		return Found{}, err
	}
	var own, mirrored, byEmail *models.Member
	for i, c := range candidates {
		switch {
		case c.DirectoryUserID != nil && *c.DirectoryUserID == u.ID:
			own = &candidates[i]
		case u.MirrorOf != nil && c.ID == *u.MirrorOf:
			mirrored = &candidates[i]
		}
		if u.RemovedAt == nil && u.EmailKey != "" && c.EmailKey == u.EmailKey { // the deleted have no claim to an address
			byEmail = &candidates[i]
		}
	}
	if own == nil {
		own = mirrored
	}
	if own != nil && byEmail != nil && byEmail.ID != own.ID {
		conflict, err := taken(tx, u, *byEmail)
		return Found{Member: *own, OK: true, SamePerson: true, Conflict: conflict}, err
	}
	if own == nil {
		own = byEmail
	}
	if own == nil {
		return Found{}, nil
	}
	f := Found{Member: *own, OK: true, SamePerson: true}
	if own.DirectoryUserID == nil || *own.DirectoryUserID == u.ID {
		return f, nil
	}
	other, err := tx.Desired(*own.DirectoryUserID)
	if err != nil {
		return Found{}, err
	}
	if other.RemovedAt != nil {
		f.SamePerson = other.ConnectionID == u.ConnectionID && other.ExternalID != nil && u.ExternalID != nil && *other.ExternalID == *u.ExternalID
		return f, nil
	}
	c, err := tx.Connection(other.ConnectionID)
	if err != nil || c.Status == models.ConnectionDeleted {
		return f, err
	}
	conflict, err := taken(tx, u, *own)
	return Found{Conflict: conflict}, err
}

// taken is the error of a person whose address another member has. It is for good, unless that member is about to move
// to another address: then the order of the two was not the directory's, and the next try sees it.
func taken(tx *store.Tx, u models.User, m models.Member) (conflict, err error) {
	if m.DirectoryUserID != nil {
		other, err := tx.Desired(*m.DirectoryUserID)
		if err != nil {
			return nil, err
		}
		held, err := tx.HeldAt(other.ID, other.Version)
		if err != nil {
			return nil, err
		}
		if other.RemovedAt == nil && other.EmailKey != u.EmailKey && other.KeptVersion != other.Version && !held {
			return &models.Error{Code: models.Unavailable, Detail: fmt.Sprintf("the e-mail address %s is still that of the member %q, who is about to move to another: tried again", m.Email, m.Name)}, nil
		}
	}
	return &models.Error{Code: models.Conflict, Detail: fmt.Sprintf("the e-mail address %s already belongs to the member %q of this workspace: change it for one of the two in the directory, then retry", m.Email, m.Name)}, nil
}

// apply carries out a plan: member, invitation, mails, teams, and what else has to follow.
func (w *Workspace) apply(tx *store.Tx, out *outbox.Outcome, s store.Situation, before models.Member, p plan, op models.Operation) error {
	u := s.User
	if err := takeRole(tx, s, &p.member); err != nil {
		return err
	}
	if p.create {
		m := p.member
		tx.Add(&m)
		if s.OtherConnections {
			mirrors, err := mirror(tx, m, u.ConnectionID, w.now())
			if err != nil {
				return err
			}
			out.Next = append(out.Next, mirrors...)
		}
	} else {
		if before.DirectoryUserID == nil || *before.DirectoryUserID != u.ID {
			if err := tx.DropMirrors(u.ConnectionID, before.ID); err != nil {
				return err
			}
		}
		if before.DirectoryUserID != nil && *before.DirectoryUserID != u.ID { // what was to come of the former person is over
			if _, err := tx.Supersede(op.ID, *before.DirectoryUserID, math.MaxInt64, kinds...); err != nil {
				return err
			}
		}
		if err := tx.SaveMember(p.member); err != nil {
			return err
		}
	}
	if err := w.invite(tx, out, s, p, op); err != nil {
		return err
	}
	return w.teams(tx, s, p)
}

// takeRole gives a member the role that the groups of their person give, or the one given by hand where none does. An
// owner keeps theirs.
func takeRole(tx *store.Tx, s store.Situation, m *models.Member) error {
	if m.Role == models.RoleOwner {
		return nil
	}
	if s.Mapped && s.InGroups {
		g, ok, err := tx.GivenRole(s.ID)
		if err != nil {
			return err
		}
		if ok {
			m.Role, m.RoleGroupID = g.Role, &g.GroupID
			return nil
		}
	}
	if m.RoleGroupID != nil {
		m.Role, m.RoleGroupID = m.HandRole, nil
	}
	return nil
}

// mirror lets the workspace's connections, but for one (which may be ""), show a new member.
func mirror(tx *store.Tx, m models.Member, but string, now time.Time) ([]models.Operation, error) {
	connections, err := tx.LivingConnections(m.WorkspaceID)
	var ops []models.Operation
	for _, id := range connections {
		if id != but {
			ops = append(ops, outbox.Operation(models.KindMemberMirror, m.WorkspaceID, id, models.ResourceMember, m.ID, 0, now))
		}
	}
	return ops, err
}

// invite makes the invitation that the plan asks for, withdraws the ones it ends, and tells the old address of a move.
func (w *Workspace) invite(tx *store.Tx, out *outbox.Outcome, s store.Situation, p plan, op models.Operation) error {
	u, now := s.User, w.now()
	if p.movedFrom != "" {
		told, err := tx.WasTold(p.member.ID)
		if err != nil {
			return err
		}
		if p.member.AcceptedAt != nil || told {
			notice := outbox.Operation(models.KindNoticeEmail, u.WorkspaceID, u.ConnectionID, models.ResourceUser, u.ID, u.Version, now)
			notice.RequestID = op.RequestID
			tx.Add(&models.Mail{ID: outbox.ID(), WorkspaceID: u.WorkspaceID, OperationID: notice.ID, MemberID: p.member.ID, Kind: models.MailAddressChanged, Recipient: p.movedFrom, State: models.MailReady, CreatedAt: now})
			out.Next = append(out.Next, notice)
		}
	}
	var current string
	if p.invite && !p.create {
		inv, there, err := tx.InvitationFor(p.member.ID, u.ID, u.Period, u.EmailKey)
		if err != nil {
			return err
		}
		switch {
		case there:
			current = inv.ID
		default: // somebody may have invited them by hand
			if current, err = tx.AdoptInvitation(p.member.ID, u.ID, u.Period, u.EmailKey); err != nil {
				return err
			}
		}
		p.invite = current == ""
		if there && p.reopen {
			reopened, err := tx.ReopenInvitation(inv.ID, now.Add(w.invitations.Life))
			if err != nil {
				return err
			}
			if reopened && s.SendInvitations { // its mail goes out now if it was kept back while the invitation was withdrawn
				again := w.mailOperation(s, op, now)
				requeued, err := tx.RequeueMail(inv.ID, again.ID)
				if err != nil {
					return err
				}
				if requeued {
					out.Next = append(out.Next, again)
				}
			}
		}
	}
	if p.void {
		if _, err := tx.VoidInvitations(p.member.ID, current); err != nil {
			return err
		}
	}
	if !p.invite {
		return nil
	}
	id := outbox.ID()
	inv := models.Invitation{
		ID: id, WorkspaceID: u.WorkspaceID, MemberID: p.member.ID, UserID: &u.ID, Period: u.Period, Email: u.Email, EmailKey: u.EmailKey,
		TokenHash: TokenHash(w.invitations.Token(id)), State: models.InvitationOpen, ExpiresAt: now.Add(w.invitations.Life), CreatedAt: now,
	}
	tx.Add(&inv)
	if !s.SendInvitations {
		return nil // until an admin sends it
	}
	send := w.mailOperation(s, op, now)
	tx.Add(&models.Mail{
		ID: outbox.ID(), WorkspaceID: u.WorkspaceID, OperationID: send.ID, MemberID: p.member.ID, InvitationID: &inv.ID, Kind: models.MailInvitation, Recipient: u.Email, State: models.MailReady, CreatedAt: now,
	})
	out.Next = append(out.Next, send)
	return nil
}

// mailOperation makes the operation that sends an invitation, after the hold.
func (w *Workspace) mailOperation(s store.Situation, cause models.Operation, now time.Time) models.Operation {
	u, hold := s.User, w.invitations.Hold
	if s.InvitationHold != nil {
		hold = time.Duration(*s.InvitationHold) * time.Second
	}
	op := outbox.Operation(models.KindInvitationEmail, u.WorkspaceID, u.ConnectionID, models.ResourceUser, u.ID, u.Version, now)
	op.NotBefore, op.RequestID = now.Add(hold), cause.RequestID
	return op
}

// teams gives the member the teams that their groups name, and takes the others that follow a group.
func (w *Workspace) teams(tx *store.Tx, s store.Situation, p plan) error {
	var want, have []string
	var err error
	if p.inTeams && s.InGroups {
		if want, err = tx.TeamsWanted(s.ID); err != nil {
			return err
		}
	}
	if !p.create {
		if have, err = tx.TeamsFollowed(p.member.ID); err != nil {
			return err
		}
	}
	join, leave := diff(want, have)
	for _, id := range join {
		tx.Add(&store.TeamMember{WorkspaceID: s.WorkspaceID, TeamID: id, MemberID: p.member.ID})
	}
	return tx.LeaveTeams(p.member.ID, leave)
}
