package models

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestPlansAndProvidersAreKnown(t *testing.T) {
	t.Parallel()
	if !PlanEnterprise.DirectorySync() || PlanTeam.DirectorySync() || Plan("gold").Valid() {
		t.Error("Directory Sync is part of Enterprise alone")
	}
	for _, p := range Providers {
		if !p.Valid() || p.Title() == "" {
			t.Errorf("%q", p)
		}
	}
	if Provider("okto").Valid() {
		t.Error("any provider is valid")
	}
}

func TestTokenLivesUntilItsEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	later := now.Add(time.Minute)
	for _, test := range []struct {
		ends *time.Time
		want bool
	}{{nil, true}, {&later, true}, {&now, false}} {
		if got := (Token{EndsAt: test.ends}).Living(now); got != test.want {
			t.Errorf("ends %v: %v", test.ends, got)
		}
	}
}

func TestStatesSayWhetherWorkIsToCome(t *testing.T) {
	t.Parallel()
	for state, open := range map[OperationState]bool{OperationPending: true, OperationRunning: true, OperationDone: false, OperationSuperseded: false, OperationHeld: false, OperationFailed: false} {
		if !state.Valid() || state.Open() != open {
			t.Errorf("%s: valid %v, open %v", state, state.Valid(), state.Open())
		}
	}
	if OperationState("lost").Valid() {
		t.Error("any state is valid")
	}
}

func TestErrorKeepsItsCodeThroughWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	err := fmt.Errorf("insert user: %w", &Error{Code: Unavailable, Detail: "the database is not available", Err: cause})
	if !Is(err, Unavailable) || Is(err, NotFound) || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}
