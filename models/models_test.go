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

func TestSessionCountsByWhatTheWorkspaceRequires(t *testing.T) {
	t.Parallel()
	now := time.Now()
	okta, ping, glass := "okta", "ping", "owner"
	link := Session{MemberID: "ada", Method: MethodLink, SeenAt: now, CreatedAt: now}
	through := func(connection *string) Session {
		s := link
		s.Method, s.ConnectionID = MethodSAML, connection
		return s
	}
	of := func(s Session, id string) Session { s.MemberID = id; return s }
	ada, owner := Member{ID: "ada", Role: RoleAdmin, Status: MemberActive}, Member{ID: glass, Role: RoleOwner, Status: MemberActive}
	demoted := owner
	demoted.Role = RoleMember
	free := Workspace{Plan: PlanEnterprise}
	required := Workspace{Plan: PlanEnterprise, RequireSSO: &okta, BreakGlass: &glass}
	downgraded := required
	downgraded.Plan = PlanTeam
	for _, test := range []struct {
		what string
		s    Session
		m    Member
		w    Workspace
		want bool
	}{
		{"a link, where nothing is required", link, ada, free, true},
		{"any provider, where nothing is required", through(&ping), ada, free, true},
		{"a link, where a provider is required", link, ada, required, false},
		{"the provider that is required", through(&okta), ada, required, true},
		{"another provider of the workspace", through(&ping), ada, required, false},
		{"a link of the owner who keeps it", of(link, glass), owner, required, true},
		{"another provider, of that owner", of(through(&ping), glass), owner, required, true},
		{"a link of who was that owner and is none any more", of(link, glass), demoted, required, false},
		{"a link, on a plan without single sign-on", link, ada, downgraded, true},
		{"a provider, on a plan without single sign-on", through(&okta), ada, downgraded, false},
		{"somebody else's", link, owner, free, false},
	} {
		if got := test.s.Living(test.m, test.w, now); got != test.want {
			t.Errorf("%s: %v", test.what, got)
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
