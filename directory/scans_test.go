package directory

import (
	"context"
	"errors"
	"testing"
	"time"

	"outpost/scim"
)

func TestScansTakeTurns(t *testing.T) {
	t.Parallel()
	s := newScans()
	s.turns = make(chan struct{}, 2)
	enter := func(connection string) func() {
		t.Helper()
		leave, err := s.enter(t.Context(), connection)
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	full := func(connection string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 { // a select takes either way where both are open
			if leave, err := s.enter(ctx, connection); err == nil {
				leave()
				t.Fatalf("%s has a turn", connection)
			}
		}
	}
	a := enter("a")
	full("a") // one at a time
	b := enter("b")
	full("c") // all turns are taken
	a()
	c := enter("c")
	b()
	c()
	if len(s.busy) != 0 || len(s.turns) != 0 {
		t.Errorf("%d connections and %d turns are left", len(s.busy), len(s.turns))
	}
}

func TestAScanThatTakesTooLongIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	s := newScans()
	s.most = 20 * time.Millisecond
	err := s.run(t.Context(), "a", func(ctx context.Context) error {
		<-ctx.Done() // as a database that is interrupted
		return ctx.Err()
	})
	var e *scim.Error
	if !errors.As(err, &e) || e.Type != scim.TypeTooMany || e.Status != 400 {
		t.Errorf("%v", err)
	}
	func() {
		defer func() { recover() }()
		_ = s.run(t.Context(), "a", func(context.Context) error { panic("a fault") })
	}()
	if len(s.busy) != 0 || len(s.turns) != 0 {
		t.Error("a fault keeps its turn")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.run(gone, "a", func(ctx context.Context) error { return ctx.Err() }); !errors.Is(err, context.Canceled) {
		t.Errorf("who hung up: %v", err)
	}
}
