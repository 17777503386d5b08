package models

import "time"

// Kind names what an operation makes true. The table of kinds, with queue and limits, is jobs/kinds.go.
type Kind string

// The kinds of operations.
const (
	KindUserUpsert         Kind = "user.upsert"
	KindUserDeactivate     Kind = "user.deactivate"
	KindGroupSync          Kind = "group.sync"
	KindInvitationEmail    Kind = "invitation.email"
	KindInvitationReminder Kind = "invitation.reminder"
	KindNoticeEmail        Kind = "notice.email"
	KindMemberMirror       Kind = "member.mirror"
	// KindOwnerEmail tells an owner what needs their hand: a certificate of single sign-on that ends.
	KindOwnerEmail  Kind = "owner.email"
	KindSignInEmail Kind = "signin.email"
)

// OperationState is where an operation stands. docs/operations.md shows the picture.
type OperationState string

// The states of an operation.
const (
	// OperationPending waits for a worker. Entered by the request that caused it, by a retry, or by the sweeper.
	OperationPending OperationState = "pending"
	// OperationRunning is claimed by a worker until its lease ends.
	OperationRunning OperationState = "running"
	// OperationDone has had its effect, in the transaction that says so.
	OperationDone OperationState = "done"
	// OperationSuperseded found that a newer version takes its place.
	OperationSuperseded OperationState = "superseded"
	// OperationHeld was stopped by a rule; an admin approves or discards it.
	OperationHeld OperationState = "held"
	// OperationFailed has used its attempts, or can never succeed as things are. It can be retried by hand.
	OperationFailed OperationState = "failed"
)

// Valid reports whether s is a state that exists.
func (s OperationState) Valid() bool {
	switch s {
	case OperationPending, OperationRunning, OperationDone, OperationSuperseded, OperationHeld, OperationFailed:
		return true
	}
	return false
}

// Open reports whether work is still to come.
func (s OperationState) Open() bool { return s == OperationPending || s == OperationRunning }

// The resource types an operation can be about.
const (
	ResourceUser  = "User"
	ResourceGroup = "Group"
	// ResourceMember is a member of the workspace whom no directory brought.
	ResourceMember = "Member"
	// ResourceSignInLink is a sign-in link; its mail is about nothing else.
	ResourceSignInLink = "SignInLink"
	// ResourceAny is what a question about people and groups together is recorded under; no operation has it.
	ResourceAny = "Resource"
)

// MethodSearch is what a question that is sent by POST is recorded as: it changes nothing.
const MethodSearch = "SEARCH"

// Operation is the record that something must be made true. Its id is the whole payload of its Asynq task.
type Operation struct {
	ID           string `gorm:"primaryKey"`
	WorkspaceID  string
	ConnectionID *string
	Kind         Kind
	Class        string // queue class, from the table of kinds
	ResourceType string
	ResourceID   string // the SCIM id
	Version      int64  // of the resource, when the operation was written; 0 when no change of the directory caused it
	State        OperationState
	Attempts     int       `gorm:"default:0"`   // failures recorded
	Error        string    `gorm:"default:''"`  // why it failed or is held, or a note on how it ended
	NotBefore    time.Time `gorm:"default:now"` // zero in a new one: due at once, by the database's clock

	ClaimNo      int64      `gorm:"default:0"` // rises with each claim: the fence
	Lapses       int        `gorm:"default:0"` // claims that ended without a word
	LeaseUntil   *time.Time // by the database's clock
	Dispatches   int        `gorm:"default:0"` // tasks published for it so far
	DispatchedAt *time.Time // when the last one was published; nil when one is owed
	Queue        string     `gorm:"default:''"` // the Asynq queue it was last published to

	// ApprovedBy is who let a held operation go on, "" for nobody. An approved one is not held for the same reason again.
	ApprovedBy string `gorm:"default:''"`
	RequestID  string `gorm:"default:''"` // of the request that caused it
	CreatedAt  time.Time
	FinishedAt *time.Time
}
