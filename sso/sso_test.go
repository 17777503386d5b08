package sso_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/sso"
	"outpost/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// ask writes a link for the world's owner.
func ask(t *testing.T, w *fixture.World, browser string) (models.SignInLink, models.Member) {
	t.Helper()
	m, err := w.Store.FirstOwner(t.Context(), w.Workspace.ID)
	if err != nil {
		t.Fatal(err)
	}
	l := w.Gate.NewLink(sso.Ask{EmailKey: m.EmailKey, Member: &m, Browser: browser, IP: "203.0.113.1"})
	if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&l); return nil }); err != nil {
		t.Fatal(err)
	}
	return l, m
}

func save(t *testing.T, w *fixture.World, m models.Member) {
	t.Helper()
	if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(m) }); err != nil {
		t.Fatal(err)
	}
}

func enter(w *fixture.World, l models.SignInLink) (secret string, err error) {
	err = w.Store.Write(w.T.Context(), func(tx *store.Tx) (err error) {
		_, _, secret, err = w.Gate.Enter(tx, l, sso.Origin{}, models.Session{})
		return err
	})
	return secret, err
}

func TestALinkLetsOneInOfTwentyWhoTryAtOnce(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		l, _ := ask(t, w, "")
		var wg sync.WaitGroup
		var mu sync.Mutex
		in := 0
		for range 20 {
			wg.Go(func() {
				_, err := enter(w, l)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					in++
				} else if !models.Is(err, models.Stale) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if in != 1 {
			t.Errorf("%d came in", in)
		}
	})
}

func TestALinkEndsByTimeAndWithTheMember(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		l, m := ask(t, w, "")
		if got, same, err := w.Gate.Link(t.Context(), w.Gate.Token(l.ID), ""); err != nil || !same || got.ID != l.ID {
			t.Errorf("a good one: %v %v", same, err)
		}
		if _, _, err := w.Gate.Link(t.Context(), w.Gate.Token(l.ID)[1:]+"x", ""); !models.Is(err, models.NotFound) {
			t.Errorf("a token of nobody's: %v", err)
		}
		w.Clock.Advance(sso.LinkLife)
		if _, _, err := w.Gate.Link(t.Context(), w.Gate.Token(l.ID), ""); !models.Is(err, models.Stale) {
			t.Errorf("an old one: %v", err)
		}
		if _, err := enter(w, l); !models.Is(err, models.Stale) {
			t.Errorf("an old one is used: %v", err)
		}
		for name, change := range map[string]func(*models.Member){
			"deactivated":  func(m *models.Member) { m.Status = models.MemberDeactivated },
			"invited":      func(m *models.Member) { m.Status = models.MemberInvited },
			"moved":        func(m *models.Member) { m.Email, m.EmailKey = "new@acme.test", "new@acme.test" },
			"plain member": func(m *models.Member) { m.Role, m.HandRole = models.RoleMember, models.RoleMember },
		} {
			l, _ = ask(t, w, "")
			changed := m
			change(&changed)
			save(t, w, changed)
			_, err := enter(w, l)
			if name == "plain member" && err != nil || name != "plain member" && !models.Is(err, models.Denied) {
				t.Errorf("%s: %v", name, err)
			}
			save(t, w, m)
		}
	})
}

func TestALinkKnowsTheBrowserThatAsked(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		browser := sso.Secret()
		l, _ := ask(t, w, browser)
		for secret, want := range map[string]bool{browser: true, sso.Secret(): false, "": false} {
			if _, same, err := w.Gate.Link(t.Context(), w.Gate.Token(l.ID), secret); err != nil || same != want {
				t.Errorf("%q: %v %v", secret, same, err)
			}
		}
	})
}

func TestASessionIsItsMembersAlone(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		l, m := ask(t, w, "")
		secret, err := enter(w, l)
		if err != nil {
			t.Fatal(err)
		}
		v, err := w.Gate.Visit(t.Context(), secret)
		if err != nil || v.Member.ID != m.ID || v.Workspace.ID != w.Workspace.ID {
			t.Fatalf("%+v %v", v, err)
		}
		renewed := v
		renewed.Session.TokenHash = sso.Hash(sso.Secret())
		if still, err := w.Gate.Still(t.Context(), []store.Visit{v, renewed, {Session: models.Session{ID: w.Workspace.ID}}}); err != nil || !slices.Equal(still, []bool{true, false, false}) {
			t.Errorf("still %v %v", still, err)
		}
		for _, other := range []string{"", sso.Secret(), secret[:42]} {
			if _, err := w.Gate.Visit(t.Context(), other); !models.Is(err, models.Unknown) {
				t.Errorf("%q: %v", other, err)
			}
		}
		for name, change := range map[string]func(*models.Member){
			"signed out everywhere": func(m *models.Member) { m.SessionEpoch++ },
			"deactivated":           func(m *models.Member) { m.Status = models.MemberDeactivated },
		} {
			changed := m
			change(&changed)
			save(t, w, changed)
			if _, err := w.Gate.Visit(t.Context(), secret); !models.Is(err, models.Unknown) {
				t.Errorf("%s: %v", name, err)
			}
			if still, err := w.Gate.Still(t.Context(), []store.Visit{v}); err != nil || still[0] {
				t.Errorf("%s: still %v %v", name, still, err)
			}
			save(t, w, m)
		}
		demoted := m
		demoted.Role, demoted.HandRole = models.RoleMember, models.RoleMember
		save(t, w, demoted)
		if still, err := w.Gate.Still(t.Context(), []store.Visit{v}); err != nil || still[0] {
			t.Errorf("with another role: still %v %v", still, err)
		}
		if v, err := w.Gate.Visit(t.Context(), secret); err != nil || v.Member.Role != models.RoleMember {
			t.Errorf("with another role: %s %v", v.Member.Role, err)
		}
		w.Clock.Advance(models.SessionIdle + time.Second)
		if _, err := w.Gate.Visit(t.Context(), secret); !models.Is(err, models.Unknown) {
			t.Errorf("idle too long: %v", err)
		}
	})
}

// TestASessionThatHasEndedIsNotSwitched signs somebody out everywhere just before their switch to another workspace, which
// had let them in already, is written.
func TestASessionThatHasEndedIsNotSwitched(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		begin := func() (models.Session, models.Member) {
			l, m := ask(t, w, "")
			secret, err := enter(w, l)
			if err != nil {
				t.Fatal(err)
			}
			v, err := w.Gate.Visit(t.Context(), secret)
			if err != nil {
				t.Fatal(err)
			}
			return v.Session, m
		}
		change := func(before models.Session, m models.Member) (secret string, err error) {
			err = w.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
				secret, err = w.Gate.Switch(tx, before, m, sso.Origin{})
				return err
			})
			return secret, err
		}
		s, m := begin()
		secret, err := change(s, m)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := w.Gate.Visit(t.Context(), secret); err != nil || !v.Session.CreatedAt.Equal(s.CreatedAt) {
			t.Errorf("%+v %v", v, err)
		}
		if _, err := change(s, m); !models.Is(err, models.Unknown) {
			t.Errorf("a second time: %v", err)
		}
		s, m = begin()
		m.SessionEpoch++
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(m) }); err != nil {
			t.Fatal(err)
		}
		if _, err := change(s, m); !models.Is(err, models.Unknown) {
			t.Errorf("signed out everywhere: %v", err)
		}
	})
}
