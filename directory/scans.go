package directory

import (
	"context"
	"runtime"
	"sync"
	"time"

	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// scanTime is how long a list may look through everybody, and how long it waits for its turn.
const scanTime = 10 * time.Second

// scans give turns to the lists that no index answers: one at a time for a connection, and for all of them together no more
// than half of the processors, so that nobody's search slows what others ask for by an index.
type scans struct {
	turns chan struct{}
	most  time.Duration // that one takes, and that one waits

	mu   sync.Mutex
	busy map[string]*scanning // connection id → its turn, while somebody has it or waits for it
}

type scanning struct {
	turn chan struct{}
	here int
}

func newScans() *scans {
	return &scans{turns: make(chan struct{}, max(1, runtime.NumCPU()/2)), most: scanTime, busy: map[string]*scanning{}}
}

// run runs a list that scans when its turn has come. One that takes longer than s.most is 400 tooMany; one whose turn does
// not come in that time is models.Unavailable.
func (s *scans) run(ctx context.Context, connectionID string, list func(ctx context.Context) error) error {
	waits, cancel := context.WithTimeout(ctx, s.most)
	defer cancel()
	leave, err := s.enter(waits, connectionID)
	if err != nil {
		return &models.Error{Code: models.Unavailable, Detail: "other lists that look through everybody are still running", Err: err}
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, s.most)
	defer cancel()
	err = list(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil { // whatever a database says when it is interrupted
		return scim.TooMany("The list has to look through everybody and did not come to an end in %d seconds; filter by userName, externalId, id or an e-mail address with eq, and leave out sortBy", int(s.most.Seconds()))
	}
	return err
}

func (s *scans) enter(ctx context.Context, connectionID string) (leave func(), err error) {
	s.mu.Lock()
	own := s.busy[connectionID]
	if own == nil {
		own = &scanning{turn: make(chan struct{}, 1)}
		s.busy[connectionID] = own
	}
	own.here++
	s.mu.Unlock()
	gone := func() {
		s.mu.Lock()
		if own.here--; own.here == 0 {
			delete(s.busy, connectionID)
		}
		s.mu.Unlock()
	}
	select {
	case own.turn <- struct{}{}:
	case <-ctx.Done():
		gone()
		return nil, ctx.Err()
	}
	select {
	case s.turns <- struct{}{}:
	case <-ctx.Done():
		<-own.turn
		gone()
		return nil, ctx.Err()
	}
	return func() {
		<-s.turns
		<-own.turn
		gone()
	}, nil
}

// searched runs a list: at once where an index answers it, else in its turn.
func (d *Directory) searched(ctx context.Context, c Caller, w *store.Where, sorted bool, list func(ctx context.Context) error) error {
	if !sorted && (w == nil || w.Few()) {
		return list(ctx)
	}
	return d.scans.run(ctx, c.ConnectionID, list)
}
