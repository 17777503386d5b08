package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"outpost/models"
	"outpost/scim"
)

// Limits bound what one request and one connection may take. A zero value takes the default.
type Limits struct {
	UserBody  int64 // bytes of a body sent to /Users; 1 MiB
	GroupBody int64 // bytes of a body sent to /Groups, which may list every member; 16 MiB
	// Running is how many requests of one connection run at once; 64. Waiting is how many more wait for their turn
	// before the next gets 429; 256, and a negative number lets none wait.
	Running, Waiting int
	RequestTimeout   time.Duration // of one request, waiting included; 30 s
}

func (l Limits) withDefaults() Limits {
	if l.UserBody == 0 {
		l.UserBody = 1 << 20
	}
	if l.GroupBody == 0 {
		l.GroupBody = 16 << 20
	}
	if l.Running == 0 {
		l.Running = 64
	}
	if l.Waiting == 0 {
		l.Waiting = 256
	}
	if l.RequestTimeout == 0 {
		l.RequestTimeout = 30 * time.Second
	}
	return l
}

// gates lets so many requests of each connection run at once. A connection has a gate while it has requests.
type gates struct {
	running, waiting int

	mu   sync.Mutex
	open map[string]*gate
}

type gate struct {
	turns chan struct{} // one element a running request
	here  int           // running and waiting, guarded by gates.mu
	noted time.Time     // when a 429 was last recorded in the audit, guarded by gates.mu
}

// tooMany is the answer to a connection that sends more than it may.
var tooMany = scim.NewError(http.StatusTooManyRequests, "", "this connection has too many requests at once: send fewer in parallel, and try this one again after the seconds in Retry-After")

// enter waits for the request's turn; leave ends it.
func (g *gates) enter(ctx context.Context, connectionID string) (leave func(), err error) {
	g.mu.Lock()
	at := g.open[connectionID]
	if at == nil {
		at = &gate{turns: make(chan struct{}, g.running)}
		g.open[connectionID] = at
	}
	if at.here >= g.running+g.waiting {
		g.mu.Unlock()
		return nil, tooMany
	}
	at.here++
	g.mu.Unlock()

	gone := func() {
		g.mu.Lock()
		if at.here--; at.here == 0 {
			delete(g.open, connectionID)
		}
		g.mu.Unlock()
	}
	select {
	case at.turns <- struct{}{}:
	default:
		select {
		case at.turns <- struct{}{}:
		case <-ctx.Done():
			gone()
			return nil, &models.Error{Code: models.Unavailable, Detail: "this connection has too many requests at once and this one's turn did not come in time", Err: ctx.Err()}
		}
	}
	return func() {
		<-at.turns
		gone()
	}, nil
}

// note reports whether a 429 of the connection is to be recorded: one a second is, so that refusing costs nothing.
func (g *gates) note(connectionID string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.open[connectionID]
	if at == nil || now.Sub(at.noted) < time.Second {
		return false
	}
	at.noted = now
	return true
}
