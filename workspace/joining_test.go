package workspace_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/store"
	"outpost/workspace"
)

// newest is a member's newest invitation.
func newest(t *testing.T, w *fixture.World, name string) models.Invitation {
	t.Helper()
	p, err := w.Store.Person(t.Context(), w.Workspace.ID, member(t, w, name).ID)
	must(t, err)
	if p.Invitation == nil {
		t.Fatalf("%s has no invitation", name)
	}
	return *p.Invitation
}

// join lets a member join as somebody does who proves in another way who they are.
func join(t *testing.T, w *fixture.World, name string) (models.Member, error) {
	t.Helper()
	id := member(t, w, name).ID
	var m models.Member
	err := w.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
		if m, err = tx.LockMember(w.Workspace.ID, id); err != nil {
			return err
		}
		return workspace.Join(tx, &m, workspace.By{IP: "203.0.113.9", UserAgent: "Firefox", RequestID: "join-1"}, "joined with Okta", w.Clock.Now())
	})
	return m, err
}

// accept follows the link of an invitation.
func accept(t *testing.T, w *fixture.World, inv models.Invitation) (m models.Member, err error) {
	t.Helper()
	err = w.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
		m, err = workspace.Accept(tx, w.Converge.InvitationToken(inv.ID), workspace.By{}, w.Clock.Now())
		return err
	})
	return m, err
}

func TestJoiningClosesTheInvitation(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		w.User("ada")
		invite(t, w, "bo", models.RoleAdmin)
		w.Settled(20 * time.Second)
		got, err := join(t, w, "ada")
		must(t, err)
		ada := member(t, w, "ada")
		if ada.Status != models.MemberActive || !ada.AcceptedAt.Equal(w.Clock.Now()) || got.Status != models.MemberActive || newest(t, w, "ada").State != models.InvitationAccepted {
			t.Errorf("%+v %+v", ada, newest(t, w, "ada"))
		}
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if e := entries[0]; err != nil || e.Method != "accept invitation" || e.Actor != "ada Test" || e.TargetID != ada.ID || e.Detail != "joined with Okta" || e.IP != "203.0.113.9" || e.RequestID != "join-1" || e.Changes == nil || !strings.Contains(*e.Changes, `"after":"active"`) {
			t.Errorf("%+v %v", e, err)
		}
		if _, err := join(t, w, "ada"); err != nil {
			t.Errorf("who is in already: %v", err)
		}
		if again, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1); err != nil || again[0].ID != entries[0].ID {
			t.Errorf("who is in already joined again: %+v %v", again, err)
		}

		// One whose time is over is good enough for who proves in another way who they are.
		w.Clock.Advance(8 * 24 * time.Hour)
		if _, err := accept(t, w, newest(t, w, "bo")); !models.Is(err, models.Stale) {
			t.Errorf("an expired link: %v", err)
		}
		must(t, w.Store.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.ExpireInvitations(w.Clock.Now(), 500); return err }))
		_, err = join(t, w, "bo")
		must(t, err)
		if bo := member(t, w, "bo"); bo.Role != models.RoleAdmin || bo.Status != models.MemberActive || newest(t, w, "bo").State != models.InvitationAccepted {
			t.Errorf("%+v", bo)
		}
	})
}

func TestWhoWasRefusedDoesNotJoin(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		u := w.User("ada")
		bo := invite(t, w, "bo", models.RoleMember)
		w.Settled(20 * time.Second)
		inv := newest(t, w, "ada")

		// Withdrawn, even where an older one had merely expired.
		boFirst := newest(t, w, "bo")
		w.Clock.Advance(workspace.DefaultLife)
		must(t, w.Hands.RenewInvitation(t.Context(), w.Converge.InvitationToken(boFirst.ID), workspace.By{RequestID: "renew"}))
		w.Settled(20 * time.Second)
		if second := newest(t, w, "bo"); second.ID == boFirst.ID || second.State != models.InvitationOpen {
			t.Fatalf("%+v", second)
		}
		must(t, w.Hands.VoidInvitation(t.Context(), by(w, models.RoleOwner), bo.ID))
		_, err := join(t, w, "bo")
		says(t, err, models.Denied, "withdrawn", "ask an owner or admin")
		says(t, w.Hands.RenewInvitation(t.Context(), w.Converge.InvitationToken(boFirst.ID), workspace.By{}), models.Stale, "changed meanwhile")
		must(t, w.Hands.ResendInvitation(t.Context(), by(w, models.RoleOwner), bo.ID))
		_, err = accept(t, w, newest(t, w, "bo"))
		must(t, err)

		// Without access.
		w.Clock.Advance(-workspace.DefaultLife)
		w.SetActive(u.ID, false)
		_, err = join(t, w, "ada")
		says(t, err, models.Denied, "no access")
		if _, err := accept(t, w, inv); !models.Is(err, models.Stale) {
			t.Errorf("%v", err)
		}
		w.Settled(20 * time.Second)

		// Another period has another invitation; the old link stays dead.
		w.SetActive(u.ID, true)
		w.Settled(20 * time.Second)
		if _, err := accept(t, w, inv); !models.Is(err, models.Stale) {
			t.Errorf("the link of the last period: %v", err)
		}
		_, err = accept(t, w, newest(t, w, "ada"))
		must(t, err)
		if _, err := accept(t, w, newest(t, w, "ada")); !models.Is(err, models.Stale) {
			t.Errorf("a second time: %v", err)
		}
		unknown := models.Invitation{ID: "nobody's"}
		if _, err := accept(t, w, unknown); !models.Is(err, models.NotFound) {
			t.Errorf("%v", err)
		}
	})
}

// TestAccessThatEndsWhileSomebodyJoinsHasEnded lets both happen at once, again and again: whoever was removed is out.
func TestAccessThatEndsWhileSomebodyJoinsHasEnded(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		w.Mailbox(nil)
		joined := 0
		for i := range 12 {
			name := "p" + strings.Repeat("x", i)
			u := w.User(name)
			w.Settled(20 * time.Second)
			inv := newest(t, w, name)
			var wg sync.WaitGroup
			wg.Go(func() {
				switch _, err := accept(t, w, inv); {
				case err == nil:
					joined++
				case !models.Is(err, models.Stale):
					t.Error(err)
				}
			})
			wg.Go(func() { w.SetActive(u.ID, false) })
			wg.Wait()
			if m := member(t, w, name); m.Status != models.MemberDeactivated {
				t.Errorf("%s is %s", name, m.Status)
			}
			w.Settled(20 * time.Second)
			if m := member(t, w, name); m.Status != models.MemberDeactivated || len(m.Teams) > 0 {
				t.Errorf("in the end %s is %s", name, m.Status)
			}
		}
		t.Logf("%d of 12 joined first", joined)
	})
}
