package models

import (
	"strings"
	"time"
)

// Provider is the kind of identity provider behind a connection.
type Provider string

// The providers a connection can be made for.
const (
	ProviderOkta      Provider = "okta"
	ProviderEntra     Provider = "entra"
	ProviderOneLogin  Provider = "onelogin"
	ProviderJumpCloud Provider = "jumpcloud"
	ProviderPing      Provider = "ping"
	ProviderGoogle    Provider = "google"
	ProviderRippling  Provider = "rippling"
	ProviderCustom    Provider = "custom"
)

// Providers lists every provider, in the order shown to people.
var Providers = [...]Provider{ProviderOkta, ProviderEntra, ProviderOneLogin, ProviderJumpCloud, ProviderPing, ProviderGoogle, ProviderRippling, ProviderCustom}

// ProviderChoice names every provider in a sentence: "okta, entra … or custom".
func ProviderChoice() string {
	names := make([]string, len(Providers))
	for i, p := range Providers {
		names[i] = string(p)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// Valid reports whether p is a provider that exists.
func (p Provider) Valid() bool {
	for _, known := range Providers {
		if p == known {
			return true
		}
	}
	return false
}

// Title is the provider's name as people know it.
func (p Provider) Title() string {
	switch p {
	case ProviderOkta:
		return "Okta"
	case ProviderEntra:
		return "Microsoft Entra ID"
	case ProviderOneLogin:
		return "OneLogin"
	case ProviderJumpCloud:
		return "JumpCloud"
	case ProviderPing:
		return "PingOne"
	case ProviderGoogle:
		return "Google Workspace"
	case ProviderRippling:
		return "Rippling"
	default:
		return "Custom SCIM"
	}
}

// SignInTitle is what people sign in with: the provider's name, where it has one that they know.
func (p Provider) SignInTitle() string {
	if p == ProviderCustom {
		return "single sign-on"
	}
	return p.Title()
}

// ConnectionStatus says whether a connection takes requests.
type ConnectionStatus string

// The statuses of a connection. A deleted one keeps its rows for the record; nothing can use it again.
const (
	ConnectionActive  ConnectionStatus = "active"
	ConnectionPaused  ConnectionStatus = "paused"
	ConnectionDeleted ConnectionStatus = "deleted"
)

// Connection joins one identity provider to one workspace.
type Connection struct {
	ID          string `gorm:"primaryKey"`
	WorkspaceID string
	Provider    Provider
	Status      ConnectionStatus
	// Stamp rises whenever what decides about access changes: status, tokens, the workspace's plan.
	Stamp     int64
	CreatedAt time.Time
	CreatedBy string `gorm:"default:''"` // for people: who made it

	// How the people of this connection are invited.
	SenderName      string `gorm:"default:''"` // in the From of invitations, "" for the installation's
	SendInvitations bool   // false: invitations are made, and mailed when an admin says so
	InvitationHold  *int   // seconds that a mail waits; nil takes the installation's
}

// Token is one bearer token of a connection, kept as a hash. A connection has at most two living ones, so that a
// rotation fails no request.
type Token struct {
	ID           string `gorm:"primaryKey"`
	ConnectionID string
	Hash         []byte // SHA-256 of the whole token
	LastFour     string // shown to people
	CreatedAt    time.Time
	CreatedBy    string `gorm:"default:''"` // for people: who made it
	FirstUsedAt  *time.Time
	FirstIP      string     `gorm:"default:''"` // where its first use came from
	LastUsedAt   *time.Time // coarse: flushed each second
	Uses         int64      `gorm:"default:0"` // requests it let in, flushed with LastUsedAt
	EndsAt       *time.Time // from then on the token is refused; nil is open-ended
}

// Living reports whether the token is accepted at now.
func (t Token) Living(now time.Time) bool { return t.EndsAt == nil || now.Before(*t.EndsAt) }

// User is a directory person: what the identity provider wants (desired state). Its ID is the SCIM id.
type User struct {
	ID           string `gorm:"primaryKey"`
	WorkspaceID  string
	ConnectionID string
	UserName     string  // as sent
	UserNameKey  string  // folded; unique in the connection among the living
	ExternalID   *string // unique in the connection among the living
	Email        string  // the member's address derived from the resource, "" for none
	EmailKey     string
	DisplayName  string
	Active       bool
	// Linked is false for a mirror: a member who joined by hand, shown to the provider so that it can link to them.
	Linked bool
	// MirrorOf is the member that this row began as a mirror of, nil for a person the provider made.
	// The other direction, from a member to the person it follows, is Member.DirectoryUserID.
	MirrorOf *string
	// Version rises with each change of desired state; 0 for a mirror.
	Version int64
	// Period rises at each inactive-to-active change: one invitation a period.
	Period int64
	// KeptVersion is the version that an admin decided not to apply; 0 for none.
	KeptVersion int64  `gorm:"default:0"`
	Resource    string // the SCIM resource as JSON, but for active, id and meta
	// Searched is Resource as filters compare it, nil where that is its ASCII lower case.
	Searched *string
	// OtherEmails are the addresses in Resource beside Email, folded: rows of their own, see DirectoryEmail.
	OtherEmails []string `gorm:"-"`
	CreatedAt   time.Time
	UpdatedAt   time.Time
	RemovedAt   *time.Time // deleted by the provider: hidden from SCIM
}

// DirectoryEmail is an e-mail address of a person, folded, that is not their User.Email.
type DirectoryEmail struct {
	ConnectionID string `gorm:"primaryKey"`
	EmailKey     string `gorm:"primaryKey"`
	UserID       string `gorm:"primaryKey"`
}

// Group is a directory group. Its ID is the SCIM id; its members are Membership rows.
type Group struct {
	ID           string `gorm:"primaryKey"`
	WorkspaceID  string
	ConnectionID string
	DisplayName  string
	NameKey      string // folded; unique in the connection among the living
	ExternalID   string
	Version      int64
	// Departures is how many people were deleted while they were in the group.
	Departures int64 `gorm:"default:0"`
	CreatedAt  time.Time
	UpdatedAt  time.Time
	RemovedAt  *time.Time
}

// Membership is one person in one group, with the group version at which it last changed. A removed one stays as a
// tombstone until that version is applied to the team.
type Membership struct {
	GroupID string `gorm:"primaryKey"`
	UserID  string `gorm:"primaryKey"`
	Version int64
	Removed bool
}

// WaitingMember is a value that a group names and that is nobody yet. It joins when a person of the connection gets it
// as id or externalId, and is pruned after 30 days.
type WaitingMember struct {
	GroupID      string `gorm:"primaryKey"`
	Value        string `gorm:"primaryKey"`
	ConnectionID string
	Display      string
	CreatedAt    time.Time
}

// RoleMapping says which role a group gives its people; an owner's stays. Version is the group's version at which it last
// changed. An empty Role is a tombstone, until that version is applied.
type RoleMapping struct {
	GroupID      string `gorm:"primaryKey"`
	WorkspaceID  string
	ConnectionID string
	Role         Role
	Version      int64
	CreatedBy    string // for people
	CreatedAt    time.Time
}

// ConnectionHealth is what a connection's provider did last. It is written about once a second, from memory.
type ConnectionHealth struct {
	ConnectionID   string `gorm:"primaryKey"`
	FirstSuccessAt *time.Time
	LastAt         *time.Time
	LastMethod     string
	LastRoute      string // "/Users/:id"
	LastStatus     int
	LastMicros     int64 // how long the answer took
	LastIP         string
	LastAgent      string
	ErrorAt        *time.Time // of the last request that was refused
	ErrorKind      string     // one of the Trouble constants
	ErrorStatus    int
	ErrorDetail    string // the sentence that the provider got, or the end of the token it sent
}

// What a refused request had wrong, for ConnectionHealth.ErrorKind.
const (
	TroubleToken   = "token"   // missing, wrong or ended
	TroubleURL     = "url"     // a good token at an address that is none
	TroublePlan    = "plan"    // the workspace has no Directory Sync
	TroublePaused  = "paused"  // the connection is paused
	TroubleRequest = "request" // what was asked for cannot be done
	TroubleOurs    = "ours"    // a fault of this side
)

// ConnectionHour counts the requests of a connection in one hour, UTC.
type ConnectionHour struct {
	ConnectionID string    `gorm:"primaryKey"`
	Hour         time.Time `gorm:"primaryKey"`
	Requests     int64
	Failures     int64 // answered 4xx or 5xx, but for 404, 409 and 412: those are answers that providers ask for; 404 where there is no such address is one
	Micros       int64 // of all of them together
}

// Run is a burst of people on one connection. Its figures are as of the scheduler's last pass; the operations in its
// time tell them exactly.
type Run struct {
	ID           string `gorm:"primaryKey"`
	WorkspaceID  string
	ConnectionID string
	Title        string
	StartedAt    time.Time // of its first operation
	LastAt       time.Time // of its newest operation
	EndedAt      *time.Time
	Received     int `gorm:"default:0"` // people
	Applied      int `gorm:"default:0"`
	Waiting      int `gorm:"default:0"`
	Failed       int `gorm:"default:0"`
	Held         int `gorm:"default:0"`
}
