// Package jobs is the queue: the kinds of operations, their queues and retry policy in one table, and Asynq behind it.
// It never knows what a job does, and its tasks carry an operation id and nothing else.
package jobs

import (
	"math/rand/v2"
	"time"

	"outpost/models"
)

// Class is a group of queues by urgency. Each class has its own Asynq server, so that one cannot hold up another.
type Class string

// The queue classes, most urgent first.
const (
	Revoke    Class = "revoke"    // access that must go
	Provision Class = "provision" // people who come or change
	Groups    Class = "groups"    // teams
	Mail      Class = "mail"      // SMTP is slow
	Upkeep    Class = "upkeep"    // what can wait
)

// Classes lists every class with how many operations a worker runs at once by default.
var Classes = [...]struct {
	Class       Class
	Concurrency int
}{
	{Revoke, 4},
	{Provision, 16},
	{Groups, 4},
	{Mail, 16},
	{Upkeep, 2},
}

// Queue is the Asynq queue for operations of the class; bulk is for workspaces with a long backlog, so that nobody
// waits behind another's bulk run.
func (c Class) Queue(bulk bool) string {
	if bulk {
		return string(c) + "-bulk"
	}
	return string(c)
}

// BulkFrom is the number of open operations of a workspace in a class from which on it goes to the bulk queue.
const BulkFrom = 200

// Policy is all that is decided about a kind.
type Policy struct {
	Kind     models.Kind
	Task     string        // the Asynq type name
	Class    Class         // which queues
	Attempts int           // recorded failures until the operation is failed
	Timeout  time.Duration // of one attempt
	backoff  []time.Duration
	Prompt   bool // somebody sits and waits for it: never in a bulk queue, never paced
}

// quick is the back-off for work in our own database: some twenty minutes in all.
var quick = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute}

// patient is the back-off for mail servers: a day in all.
var patient = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour}

// soon is the back-off for a mail that is worth nothing after a quarter of an hour.
var soon = []time.Duration{2 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute}

// Kinds is the table of kinds. A new kind is one row here, one function in worker, and one line in docs/operations.md.
var Kinds = [...]Policy{
	{models.KindUserDeactivate, "user:deactivate", Revoke, 25, 10 * time.Second, quick, false},
	{models.KindUserUpsert, "user:upsert", Provision, 25, 10 * time.Second, quick, false},
	{models.KindGroupSync, "group:sync", Groups, 25, 20 * time.Second, quick, false},
	{models.KindInvitationEmail, "invitation:email", Mail, 16, 20 * time.Second, patient, false},
	{models.KindInvitationReminder, "invitation:reminder", Mail, 16, 20 * time.Second, patient, false},
	{models.KindNoticeEmail, "notice:email", Mail, 16, 20 * time.Second, patient, false},
	{models.KindSignInEmail, "signin:email", Mail, 8, 20 * time.Second, soon, true},
	{models.KindMemberMirror, "member:mirror", Upkeep, 25, 10 * time.Second, quick, false},
}

// Of is the policy of a kind. A kind that is not in the table gets one that runs once, in upkeep.
func Of(kind models.Kind) Policy {
	for _, p := range Kinds {
		if p.Kind == kind {
			return p
		}
	}
	return Policy{Kind: kind, Task: string(kind), Class: Upkeep, Attempts: 1, Timeout: 10 * time.Second, backoff: quick}
}

// Delay is how long to wait after the failure that makes attempts, counted from 1: growing, with jitter of a fifth.
func (p Policy) Delay(attempts int) time.Duration {
	d := p.backoff[min(max(attempts, 1), len(p.backoff))-1]
	return d - d/10 + rand.N(d/5+1)
}
