package dashboard_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/workspace"
)

// follower reads a live view.
type follower struct {
	events chan string   // the names, as they come
	closed chan struct{} // closed when the view is
}

// follow opens a live view and waits until all that there is to show has come.
func (v *visitor) follow(path string) *follower {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), "GET", v.site.URL+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	got, err := v.http.Do(r)
	if err != nil || got.StatusCode != http.StatusOK {
		v.t.Fatalf("%s: %v %v", path, got, err)
	}
	f := &follower{make(chan string, 1000), make(chan struct{})}
	go func() {
		defer got.Body.Close()
		defer close(f.closed)
		for lines := bufio.NewScanner(got.Body); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				f.events <- name
			}
		}
	}()
	select {
	case <-f.events:
	case <-time.After(patience):
		v.t.Fatalf("%s shows nothing", path)
	}
	f.quiet(v.t)
	return f
}

// quiet waits until nothing comes any more: twice as long as it takes to read anew what is shown.
func (f *follower) quiet(t testing.TB) {
	t.Helper()
	for quiet := time.NewTimer(1200 * time.Millisecond); ; {
		select {
		case <-f.events:
			quiet.Reset(1200 * time.Millisecond)
		case <-f.closed:
			t.Fatal("the view is closed")
		case <-quiet.C:
			return
		}
	}
}

// TestALiveViewShowsNothingThatCameAfterAccessEnded ends the access of who follows a live view in every way there is,
// while what the view shows goes on changing.
func TestALiveViewShowsNothingThatCameAfterAccessEnded(t *testing.T) {
	t.Parallel()
	type scene struct {
		*site
		ada  models.User
		view *visitor
		seen *follower
		by   workspace.By
		m    models.Member
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, end := range map[string]func(t *testing.T, s scene){
		"deactivated by the directory": func(t *testing.T, s scene) { s.SetActive(s.ada.ID, false) },
		"deactivated by hand":          func(t *testing.T, s scene) { must(t, s.Hands.Deactivate(t.Context(), s.by, s.m.ID)) },
		"signed out by an owner":       func(t *testing.T, s scene) { must(t, s.Hands.SignOutEverywhere(t.Context(), s.by, s.m.ID)) },
		"made a plain member":          func(t *testing.T, s scene) { must(t, s.Hands.ChangeRole(t.Context(), s.by, s.m.ID, models.RoleMember)) },
		"signed out themselves":        func(t *testing.T, s scene) { s.view.post("/signout", nil) },
		"signed out from elsewhere":    func(t *testing.T, s scene) { s.signIn(t, s.m).post("/account/sessions/end-others", nil) },
		"idle too long":                func(t *testing.T, s scene) { s.Clock.Advance(models.SessionIdle) },
		"signed in too long": func(t *testing.T, s scene) {
			for range 14 {
				s.Clock.Advance(models.SessionIdle - time.Minute)
				s.view.get("/people")
			}
			s.seen.quiet(t)
			s.Clock.Advance(20 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fixture.Each(t, func(t *testing.T, w *fixture.World) {
				s := scene{site: serve(t, w, nil)}
				w.Mailbox(nil)
				s.ada = w.User("ada")
				w.Settled(patience)
				now := w.Clock.Now()
				s.save(t, "ada@acme.test", func(m *models.Member) {
					m.Status, m.AcceptedAt, m.Role, m.HandRole = models.MemberActive, &now, models.RoleAdmin, models.RoleAdmin
				})
				row, _ := s.Member("ada@acme.test")
				s.m, s.view = row.Member, s.signIn(t, row.Member)
				owner := s.owner(t)
				s.by = workspace.By{WorkspaceID: w.Workspace.ID, Actor: owner.Name, Role: owner.Role, MemberID: owner.ID}
				path := "/settings/security/directory-sync/" + w.Connection.ID + "/live"
				others := s.signIn(t, owner).follow(path)
				s.seen = s.view.follow(path)

				end(t, s)
				ended := time.Now() // the change is committed: an answer of 2xx follows it
				for over := false; !over; {
					w.Clock.Advance(time.Second)
					w.Knock(w.Token) // what is shown changes
					w.Directory.Flush(t.Context())
					select {
					case <-s.seen.closed:
						over = true
					case <-time.After(20 * time.Millisecond):
					}
					if time.Since(ended) > 10*time.Second {
						t.Fatal("the view stays open")
					}
				}
				took := time.Since(ended)
				if took > 2*time.Second {
					t.Errorf("the view was closed after %s", took)
				}
				t.Logf("closed after %s", took)
				close(s.seen.events)
				bye := false
				for name := range s.seen.events {
					if bye = bye || name == "bye"; name != "bye" {
						t.Errorf("%q came after access had ended", name)
					}
				}
				if !bye {
					t.Error("the view was not told to go")
				}
				if strings.Contains(name, "too long") { // so was the owner
					return
				}
				select {
				case <-others.events:
				case <-time.After(patience):
					t.Error("nothing has come for others either")
				}
			})
		})
	}
}

// TestALiveViewForOwnersEndsWhenItsViewerIsNoneAnyMore stays signed in, as an admin.
func TestALiveViewForOwnersEndsWhenItsViewerIsNoneAnyMore(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		m := joined(t, w, w.Workspace.ID, "second@acme.test", models.RoleOwner)
		v := s.signIn(t, m)
		path := "/settings/security/directory-sync/" + w.Connection.ID
		setup, health := v.follow(path+"/setup/live"), v.follow(path+"/live")
		s.save(t, m.Email, func(m *models.Member) { m.Role, m.HandRole = models.RoleAdmin, models.RoleAdmin })
		select {
		case <-setup.closed:
		case <-time.After(2 * time.Second):
			t.Error("the view for owners stays open")
		}
		select {
		case <-health.closed:
			t.Error("the view for admins is closed")
		default:
		}
	})
}
