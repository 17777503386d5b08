package sso_test

import (
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/sso"
	"outpost/store"
)

// entrance is a world whose connection has single sign-on, and somebody who may use it.
type entrance struct {
	*fixture.World
	by  sso.By
	way sso.Way
}

func newEntrance(t *testing.T, w *fixture.World) entrance {
	t.Helper()
	e := entrance{World: w, by: sso.By{WorkspaceID: w.Workspace.ID, Actor: "test"}}
	w.User("ada")
	w.Serve(w.Worker(nil), fixture.Everything())
	testkit.Eventually(t, 30*time.Second, "ada has a member", func() bool {
		_, there := w.Member("ada@acme.test")
		return there
	})
	e.configure(t)
	return e
}

// configure takes over a provider of its own, and finds the way to it.
func (e *entrance) configure(t *testing.T) {
	t.Helper()
	provider, err := sso.ReadMetadata(testkit.NewIdP(t, e.Clock.Now).Metadata())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = e.Gate.Configure(t.Context(), e.by, e.Connection, provider); err != nil {
		t.Fatal(err)
	}
	if e.way, err = e.Gate.Way(t.Context(), "https://outpost.test", e.Connection.ID); err != nil {
		t.Fatal(err)
	}
}

// enter takes an answer about ada that has passed its checks.
func (e *entrance) enter(t *testing.T, h sso.Heard) (entry sso.Entry, err error) {
	t.Helper()
	h.Assertion.ID, h.Assertion.NameID, h.Assertion.NotOnOrAfter = "_"+sso.Secret(), "ada@acme.test", e.Clock.Now().Add(time.Minute)
	err = e.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
		join := func(tx *store.Tx, m *models.Member, now time.Time) error {
			m.Status, m.AcceptedAt = models.MemberActive, &now
			return tx.SaveMember(*m)
		}
		entry, err = e.Gate.EnterSAML(tx, e.way, h, sso.Origin{}, join)
		return err
	})
	return entry, err
}

func TestWhoeverProvedNothingLatelyHasNot(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		e := newEntrance(t, w)
		now := e.Clock.Now()
		for _, test := range []struct {
			what    string
			instant time.Time
			proved  time.Time
			again   bool // it is enough where the proof was asked for anew
		}{
			{"an hour ago", now.Add(-time.Hour), now.Add(-time.Hour), false},
			{"not said", time.Time{}, time.Time{}, false},
			{"now", now, now, true},
			{"by a clock that is fast", now.Add(30 * time.Second), now, true},
		} {
			entry, err := e.enter(t, sso.Heard{Assertion: sso.Assertion{AuthnInstant: test.instant}})
			if err != nil || entry.Refused != nil || !entry.Session.ProvedAt.Equal(test.proved) {
				t.Errorf("%s: proved %s, %v %v", test.what, entry.Session.ProvedAt, entry.Refused, err)
			}
			asked := models.SAMLRequest{Purpose: models.PurposeAgain, MemberID: &entry.Session.MemberID, CreatedAt: now}
			entry, err = e.enter(t, sso.Heard{Assertion: sso.Assertion{AuthnInstant: test.instant}, Request: asked})
			if err != nil || (entry.Refused == nil) != test.again {
				t.Errorf("%s, asked anew: %v %v", test.what, entry.Refused, err)
			}
		}
	})
}

// TestAnswerHeardUnderOtherSettingsSignsNobodyIn: they changed between the checks and the entry, back and forth even.
func TestAnswerHeardUnderOtherSettingsSignsNobodyIn(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		e := newEntrance(t, w)
		for what, change := range map[string]func(now *entrance) error{
			"an option": func(now *entrance) error {
				return now.Gate.SetOptions(t.Context(), now.by, now.Connection.ID, false, true)
			},
			"switched off and on again, with another provider": func(now *entrance) error {
				if err := now.Gate.Disable(t.Context(), now.by, now.Connection.ID); err != nil {
					return err
				}
				now.Clock.Advance(time.Millisecond)
				now.configure(t)
				return nil
			},
		} {
			e.configure(t)
			if err := e.Gate.Disable(t.Context(), e.by, e.Connection.ID); err != nil {
				t.Fatal(err)
			}
			e.Clock.Advance(time.Millisecond)
			e.configure(t)
			now := e
			if err := change(&now); err != nil {
				t.Fatal(err)
			}
			if entry, err := e.enter(t, sso.Heard{}); !models.Is(err, models.Stale) {
				t.Errorf("%s: %+v %v", what, entry, err)
			}
			if entry, err := now.enter(t, sso.Heard{}); what != "an option" && (err != nil || entry.Refused != nil) {
				t.Errorf("%s, as it is now: %v %v", what, entry.Refused, err)
			}
		}
	})
}
