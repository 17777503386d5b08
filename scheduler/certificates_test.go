package scheduler_test

import (
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/scheduler"
	"outpost/sso"
)

// TestOwnersAreToldOfACertificateThatEnds goes through the days before the end of the only certificate.
func TestOwnersAreToldOfACertificateThatEnds(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		box := w.Mailbox(nil)
		provider, err := sso.ReadMetadata(testkit.NewIdP(t, w.Clock.Now).Metadata())
		if err != nil {
			t.Fatal(err)
		}
		by := sso.By{WorkspaceID: w.Workspace.ID, Actor: "test"}
		if _, err := w.Gate.Configure(t.Context(), by, w.Connection, provider); err != nil {
			t.Fatal(err)
		}
		ends := provider.Certificates[0].NotAfter
		told := func() (subjects []string) {
			for range 2 { // two schedulers, or one that was begun again
				if err := scheduler.New(w.Store, w.Outbox, w.Log, w.Clock.Now).WarnOfCertificates(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			w.Settled(patience)
			for _, m := range box.Messages() {
				if m.To == "owner@acme.test" && strings.HasPrefix(m.Subject, "Sign-in with Okta") {
					subjects = append(subjects, m.Subject)
				}
			}
			return subjects
		}
		for _, step := range []struct {
			left time.Duration
			want int
		}{{40 * day, 0}, {30 * day, 1}, {20 * day, 1}, {7*day - time.Hour, 2}, {2 * day, 2}, {day, 3}, {-time.Hour, 3}} {
			w.Clock.Set(ends.Add(-step.left))
			if got := told(); len(got) != step.want {
				t.Errorf("%v before the end: %d mails %q, want %d", step.left, len(got), got, step.want)
			}
		}
		// A new one ends the matter; what was not sent yet stays here.
		if err := w.Gate.Disable(t.Context(), by, w.Connection.ID); err != nil {
			t.Fatal(err)
		}
		if got := told(); len(got) != 3 {
			t.Errorf("after it was switched off: %q", got)
		}
	})
}
