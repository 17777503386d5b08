package dashboard_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
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

// cut is a browser that takes a file; began is called with its first bytes.
type cut struct {
	*httptest.ResponseRecorder
	began func()
}

func (c *cut) Write(b []byte) (int, error) {
	if c.Body.Len() == 0 {
		c.began()
	}
	return c.ResponseRecorder.Write(b)
}

func TestAnExportStopsWhereAccessEnds(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		for range 3 {
			if err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
				for range 1200 {
					id := outbox.ID()
					tx.Add(&models.Member{ID: id, WorkspaceID: w.Workspace.ID, Email: id + "@acme.test", EmailKey: id + "@acme.test", Name: "N", Role: models.RoleMember, HandRole: models.RoleMember, Status: models.MemberInvited, CreatedAt: w.Clock.Now(), UpdatedAt: w.Clock.Now()},
						&models.AuditEntry{ID: outbox.ID(), WorkspaceID: w.Workspace.ID, Actor: "cli", Method: "invite", TargetType: models.ResourceMember, TargetID: id, Status: 200, At: w.Clock.Now()})
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range []string{"/people.csv", "/activity.csv"} {
			lines := func(began func(v *visitor)) (n int, whole bool) {
				v := s.signIn(t, s.owner(t))
				r := httptest.NewRequest("GET", path, nil)
				for _, c := range v.http.Jar.Cookies(mustParse(t, s.URL)) {
					r.AddCookie(c)
				}
				got := &cut{httptest.NewRecorder(), func() { began(v) }}
				defer func() {
					whole = recover() == nil
					n = bytes.Count(got.Body.Bytes(), []byte("\n"))
				}()
				s.handler.ServeHTTP(got, r)
				return n, true
			}
			if n, whole := lines(func(*visitor) {}); n < 3600 || !whole {
				t.Errorf("%s has %d lines, whole %v", path, n, whole)
			}
			if n, whole := lines(func(v *visitor) { v.post("/signout", nil) }); n > 1001 || whole {
				t.Errorf("%s has %d lines after access has ended, whole %v", path, n, whole)
			}
		}
	})
}
