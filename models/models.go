// Package models holds the nouns of Outpost and their state machines.
// It never talks to anything: standard library only, no I/O, no clock of its own.
package models

import "time"

// Plan is what a workspace pays for. Directory Sync is part of PlanEnterprise alone.
type Plan string

// The plans a workspace can be on.
const (
	PlanTeam       Plan = "team"
	PlanEnterprise Plan = "enterprise"
)

// Valid reports whether p is a plan that exists.
func (p Plan) Valid() bool { return p == PlanTeam || p == PlanEnterprise }

// DirectorySync reports whether the plan includes Directory Sync.
func (p Plan) DirectorySync() bool { return p == PlanEnterprise }

// Workspace is one customer's space: the wall between tenants.
type Workspace struct {
	ID        string `gorm:"primaryKey"`
	Slug      string // unique, in URLs and commands
	Name      string
	Plan      Plan
	CreatedAt time.Time
	// RequireSSO is the connection that everybody signs in through but BreakGlass, nil where that is not required.
	RequireSSO *string
	// BreakGlass is the member who, while they are an owner, may always sign in by an e-mailed link.
	BreakGlass *string
}

// RequiresSSO reports whether the member has to sign in through the connection RequireSSO. The way around it is an owner's:
// whoever else a directory puts in their place has none.
func (w Workspace) RequiresSSO(m Member) bool {
	return w.Plan.DirectorySync() && w.RequireSSO != nil && !(m.Role == RoleOwner && w.BreakGlass != nil && *w.BreakGlass == m.ID)
}

// Role is what a member may do in the workspace. SCIM never sets RoleOwner.
type Role string

// The roles of a member.
const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
)

// MemberStatus says whether a member can get in.
type MemberStatus string

// The statuses of a member: invited (has not joined yet), active, deactivated (no access).
const (
	MemberInvited     MemberStatus = "invited"
	MemberActive      MemberStatus = "active"
	MemberDeactivated MemberStatus = "deactivated"
)

// Member is a person's place in one workspace: actual state. A person in two workspaces is two members.
type Member struct {
	ID          string `gorm:"primaryKey"`
	WorkspaceID string
	Email       string
	EmailKey    string // folded; unique in the workspace unless empty
	Name        string
	Role        Role
	Status      MemberStatus

	// DirectoryUserID is the directory person this member follows, nil for one who joined by hand.
	DirectoryUserID *string
	// AppliedVersion is the version of that person last applied here; it never falls while the link stays.
	AppliedVersion int64
	// Period counts memberships: it is the directory's period number last applied.
	Period int64
	// AcceptedAt is when the person first joined, nil while that has not happened.
	AcceptedAt *time.Time
	// HandRole is the role that was given by hand; Role is the same unless a group gives one. An owner's are both RoleOwner.
	HandRole Role `gorm:"default:'member'"`
	// RoleGroupID is the directory group that gives Role, nil for none.
	RoleGroupID *string
	// RemovedBy is who deactivated the member by hand, "" for nobody. It stands against the directory until that
	// begins another period, or a hand takes it back.
	RemovedBy string `gorm:"default:''"`
	// SessionEpoch rises whenever all sessions of the member must end.
	SessionEpoch  int64
	DeactivatedAt *time.Time // when access ended, nil while there is access
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Team is a group of members in the workspace. One with a GroupID follows that directory group.
type Team struct {
	ID             string `gorm:"primaryKey"`
	WorkspaceID    string
	Name           string
	GroupID        *string
	AppliedVersion int64
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// InvitationState is where an invitation stands.
type InvitationState string

// The states of an invitation: open until accepted, void (withdrawn) or expired.
const (
	InvitationOpen     InvitationState = "open"
	InvitationAccepted InvitationState = "accepted"
	InvitationVoid     InvitationState = "void"
	InvitationExpired  InvitationState = "expired"
)

// Invitation lets one member join in one membership period: there is one for each period and address.
// Its link token is derived, never stored: TokenHash is what the link is looked up by.
type Invitation struct {
	ID          string `gorm:"primaryKey"`
	WorkspaceID string
	MemberID    string
	UserID      *string // the directory person behind it, nil for one made by hand
	Period      int64
	Email       string
	EmailKey    string
	TokenHash   []byte
	State       InvitationState
	ExpiresAt   time.Time
	RemindedAt  *time.Time // when it was decided whether to remind of it, nil while that is to come
	CreatedAt   time.Time
}

// MailState is how far one mail has got on its way to the mail server.
type MailState string

// The states of a mail. A crash in MailSending is provably unsent; only MailCommitting is ambiguous, and ends as MailUnknown.
const (
	MailReady      MailState = "ready"
	MailSending    MailState = "sending"
	MailCommitting MailState = "committing"
	MailSent       MailState = "sent"
	MailUnknown    MailState = "unknown"
	MailFailed     MailState = "failed"
)

// MailKind names the template of a mail.
type MailKind string

// The mails that operations send.
const (
	MailInvitation     MailKind = "invitation"
	MailCertificate    MailKind = "certificate.ends"
	MailReminder       MailKind = "invitation.reminder"
	MailAddressChanged MailKind = "address.changed"
	MailSignIn         MailKind = "sign.in"
)

// Mail is one message that an operation sends at most once. MessageID is the same on every attempt of a copy.
type Mail struct {
	ID           string `gorm:"primaryKey"`
	WorkspaceID  string
	OperationID  string // unique: the operation that sends it
	MemberID     string
	InvitationID *string
	Kind         MailKind
	Copy         int    `gorm:"default:0"` // of those for one invitation: more than one only by hand
	Recipient    string // one bare address
	MessageID    string
	State        MailState
	ClaimNo      int64      // the claim that moved it to sending
	SlotAt       *time.Time // the moment that pacing gave it
	Response     string     // what the mail server said
	CreatedAt    time.Time
	SentAt       *time.Time
}

// AuditEntry is one accepted or refused change: who asked, what for, what came of it.
type AuditEntry struct {
	ID                string `gorm:"primaryKey"`
	WorkspaceID       string
	ConnectionID      *string
	Actor             string // "token <last four>", "worker", "cli"
	IP                string
	Method            string // HTTP method, or the verb of another actor
	TargetType        string
	TargetID          string
	Status            int // HTTP status of the answer
	Detail            string
	RequestID         string // ours
	ProviderRequestID string // the provider's, where it sent one
	OperationID       *string
	Request           *string // the body as sent, secrets masked, cut at 16 KiB
	UserAgent         string  `gorm:"default:''"`
	Changes           *string // JSON, a list of Change: what came of it, attribute by attribute
	TookMicros        *int64  // from the request's arrival to its commit, where that was measured
	At                time.Time
}

// Change is one attribute before and after a request, for people to read. A list is told by what came and what went.
type Change struct {
	Attribute string   `json:"attribute"`
	Before    string   `json:"before,omitempty"`
	After     string   `json:"after,omitempty"`
	Added     []string `json:"added,omitempty"`   // at most 20
	Removed   []string `json:"removed,omitempty"` // at most 20
	More      int      `json:"more,omitempty"`    // how many of Added and Removed are left out
}

// Session is one browser in which somebody is signed in to one workspace. The cookie's value is kept as a hash.
type Session struct {
	ID          string `gorm:"primaryKey"`
	WorkspaceID string
	MemberID    string
	TokenHash   []byte
	Method      string // MethodLink or MethodSAML
	// ConnectionID is the connection that the person signed in through, nil for a link.
	ConnectionID *string
	Role         Role  // of the member when the cookie was last renewed
	Epoch        int64 // Member.SessionEpoch when it began: another one has ended the session
	IP           string
	UserAgent    string
	CreatedAt    time.Time
	SeenAt       time.Time // coarse
	ProvedAt     time.Time // when the person last proved who they are
	EndedAt      *time.Time
}

// The ways in which a session begins.
const (
	MethodLink = "link"
	MethodSAML = "saml"
)

// How long a session lasts: SessionIdle without a click, SessionLife in any case.
const (
	SessionIdle = 12 * time.Hour
	SessionLife = 7 * 24 * time.Hour
)

// Living reports whether the session is one of m's in w that still counts at now.
func (s Session) Living(m Member, w Workspace, now time.Time) bool {
	if s.Method == MethodSAML && !w.Plan.DirectorySync() {
		return false
	}
	if w.RequiresSSO(m) && (s.ConnectionID == nil || *s.ConnectionID != *w.RequireSSO) {
		return false
	}
	return s.EndedAt == nil && s.MemberID == m.ID && s.Epoch == m.SessionEpoch && m.Status == MemberActive &&
		now.Before(s.SeenAt.Add(SessionIdle)) && now.Before(s.CreatedAt.Add(SessionLife))
}

// SignInLink is a link that signs somebody in, once. Its token is derived, never stored. An unknown address has one too,
// that leads nowhere, so that asking teaches nothing.
type SignInLink struct {
	ID          string `gorm:"primaryKey"`
	TokenHash   []byte
	EmailKey    string
	MemberID    *string
	BrowserHash []byte // of the cookie of the browser that asked; empty for a printed link, which any browser may use
	Next        string `gorm:"default:''"` // the page to go on to
	IP          string
	Epoch       int64 `gorm:"default:0"` // Member.SessionEpoch when it was made: another one has ended the link
	CreatedAt   time.Time
	ExpiresAt   time.Time
	UsedAt      *time.Time
}
