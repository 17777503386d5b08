package dashboard_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
)

// TestTheFirstRequestAfterADeactivationIsRefused uses old cookies from many sides while access ends: what was asked after
// the commit is refused, all of it.
func TestTheFirstRequestAfterADeactivationIsRefused(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		w.Mailbox(nil)
		ada := w.User("ada")
		w.Settled(patience)
		for range 5 {
			now := w.Clock.Now()
			m := s.save(t, "ada@acme.test", func(m *models.Member) {
				m.Status, m.AcceptedAt, m.Role, m.HandRole = models.MemberActive, &now, models.RoleAdmin, models.RoleAdmin
			})
			browsers := []*visitor{s.signIn(t, m), s.signIn(t, m)}
			var over atomic.Bool
			var before, after, late atomic.Int64
			stop := make(chan struct{})
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					v, path := browsers[i%len(browsers)], []string{"/people", "/account/sessions", "/activity.csv", "/people/" + m.ID}[i%4]
					for {
						select {
						case <-stop:
							return
						default:
						}
						ended := over.Load() // before the request begins
						got := v.get(path)
						switch {
						case !ended && got.status == http.StatusOK:
							before.Add(1)
						case ended && got.status == http.StatusSeeOther:
							after.Add(1)
						case ended:
							late.Add(1)
						}
					}
				})
			}
			testkit.Eventually(t, patience, "every browser is at work", func() bool { return before.Load() > 50 })
			w.SetActive(ada.ID, false)
			over.Store(true)
			testkit.Eventually(t, patience, "every browser has asked again", func() bool { return after.Load()+late.Load() > 50 })
			close(stop)
			all.Wait()
			if n := late.Load(); n > 0 {
				t.Errorf("%d requests were answered after access had ended", n)
			}
			w.SetActive(ada.ID, true)
			w.Settled(patience)
		}
	})
}
