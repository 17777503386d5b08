package models

import "time"

// SAMLSetup is how the people of a connection sign in at their provider: SAML 2.0. A connection without one has no single
// sign-on.
type SAMLSetup struct {
	ConnectionID   string `gorm:"primaryKey"`
	WorkspaceID    string
	EntityID       string // the provider's
	SignInURL      string // the provider's, for the redirect binding
	Certificates   string // PEM: one, or two while the provider changes them
	Key            []byte // of signed requests, sealed; nil where they are not signed
	KeyCertificate string // PEM
	// Unrequested answers, begun at the provider (IdP-initiated), are taken.
	Unrequested bool
	// Version rises with whatever an answer is held against.
	Version int64
	// PassedVersion is the Version that a test sign-in passed with last, 0 for none.
	PassedVersion int64
	TestedAt      *time.Time
	TestReport    string // JSON, of the last test
	WarnedDays    int    // the nearest end of a certificate that owners were told of, in days; 0 for none
	UpdatedBy     string
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Tested reports whether a test sign-in has passed with the setup as it is.
func (s SAMLSetup) Tested() bool { return s.PassedVersion == s.Version }

// SignsRequests reports whether our requests to the provider are signed.
func (s SAMLSetup) SignsRequests() bool { return s.Key != nil }

// Purpose is what an answer of a provider is wanted for.
type Purpose string

// The purposes of a SAMLRequest.
const (
	PurposeSignIn Purpose = "signin"
	PurposeAgain  Purpose = "again" // somebody signed in proves again who they are
	PurposeTest   Purpose = "test"  // nobody is signed in by it
)

// SAMLRequest is one question to a provider, from one browser. It is good for one answer.
type SAMLRequest struct {
	ID           string `gorm:"primaryKey"` // of the AuthnRequest
	ConnectionID string
	BrowserHash  []byte
	Purpose      Purpose
	Next         string  // the page to go on to
	MemberID     *string // who was signed in when it asked, and the session
	SessionID    *string
	InvitationID *string // that it came from
	IP           string
	CreatedAt    time.Time
	ExpiresAt    time.Time
	UsedAt       *time.Time
}

// SAMLSubject binds a persistent name identifier of a provider to a person.
type SAMLSubject struct {
	ConnectionID string `gorm:"primaryKey"`
	NameID       string `gorm:"primaryKey"`
	UserID       string
	CreatedAt    time.Time
}
