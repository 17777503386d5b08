// Package directory holds desired state: it is the only writer of connections, directory people, groups and memberships.
// It never changes the workspace, but for the access of a leaver, which ends in the same transaction.
package directory

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/store"
)

// Directory is desired state. All of its writes record an audit entry and the operations they make necessary in their
// own transaction.
type Directory struct {
	store  *store.Store
	outbox *outbox.Outbox
	log    *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	doors    map[string]store.Access // connection id → what was last read about its access
	gathered gathered
	scans    *scans
}

// New makes a Directory; now is the clock.
func New(s *store.Store, o *outbox.Outbox, log *slog.Logger, now func() time.Time) *Directory {
	return &Directory{store: s, outbox: o, log: log, now: now, doors: map[string]store.Access{}, gathered: newGathered(), scans: newScans()}
}

// Caller is who asks for something: a token of a connection, and the request it came with.
type Caller struct {
	Access            Access // as Authenticate or Admit gave it; zero for who has no token
	WorkspaceID       string
	ConnectionID      string
	Actor             string // for people: "token …a1b2"
	IP                string
	UserAgent         string // 200 printable characters at most
	Method            string
	RequestID         string // ours
	ProviderRequestID string // the provider's own, "" where it sends none
	Body              string // as sent, secrets masked
	If                Preconditions
	// Arrived is when the request came in, with a monotonic clock; zero where nothing is to be measured.
	Arrived time.Time
}

// maxAudited is how much of a request's body the audit keeps.
const maxAudited = 16 << 10

// audit is the entry for a change that c asked for.
func (c Caller) audit(now time.Time, targetType, targetID string, status int, detail string, op *models.Operation) *models.AuditEntry {
	e := &models.AuditEntry{
		ID: outbox.ID(), WorkspaceID: c.WorkspaceID, Actor: c.Actor, IP: c.IP, Method: c.Method, TargetType: targetType, TargetID: targetID,
		Status: status, Detail: detail, RequestID: c.RequestID, ProviderRequestID: c.ProviderRequestID, UserAgent: c.UserAgent, At: now,
	}
	if c.ConnectionID != "" {
		e.ConnectionID = &c.ConnectionID
	}
	if op != nil {
		e.OperationID = &op.ID
	}
	if c.Body != "" {
		body := c.Body
		if len(body) > maxAudited {
			body = body[:maxAudited] + " …"
		}
		body = strings.ReplaceAll(strings.ToValidUTF8(body, ""), "\x00", "") // what Postgres takes as text
		e.Request = &body
	}
	return e
}

// Refused records a request that was not accepted, with the answer that the provider got.
func (d *Directory) Refused(ctx context.Context, c Caller, targetType, targetID string, status int, detail string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := d.store.AddAudit(ctx, *c.audit(d.now(), targetType, targetID, status, detail, nil)); err != nil {
		level := slog.LevelWarn
		if models.Is(err, models.Unavailable) {
			level = slog.LevelDebug // said by the request itself
		}
		d.log.Log(ctx, level, "audit of a refused request", "request_id", c.RequestID, "error", err)
	}
}

// notFound turns the absence of a resource into the SCIM error for it.
func notFound(err error, resource, id string) error {
	if models.Is(err, models.NotFound) {
		return missing(resource, id)
	}
	return err
}

// missing says that a resource is not there, and what brings it back.
func missing(resource, id string) error {
	if resource == models.ResourceGroup {
		return scim.NotFound("Group %s does not exist in this connection: if it was deleted here, unlink the group in your identity provider and push it again", id)
	}
	return scim.NotFound("User %s does not exist in this connection: if they were deleted here, remove the person from the application in your identity provider and assign them again", id)
}

// isNotFound reports whether err says that something is not there.
func isNotFound(err error) bool { return models.Is(err, models.NotFound) }
