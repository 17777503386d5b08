package sso_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/sso"
	"outpost/store"
)

// begin is a session of the world's owner: the secret of its cookie.
func begin(t *testing.T, w *fixture.World) string {
	t.Helper()
	l, _ := ask(t, w, "")
	secret, err := enter(w, l)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// stillIn reports whether the session of a cookie counts, asked without a click.
func stillIn(t *testing.T, w *fixture.World, secret string) bool {
	t.Helper()
	v, err := w.Store.Visit(t.Context(), sso.Hash(secret))
	if models.Is(err, models.NotFound) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	still, err := w.Gate.Still(t.Context(), []store.Visit{v})
	if err != nil {
		t.Fatal(err)
	}
	return still[0]
}

func TestASessionEndsToTheSecond(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		living := func(secret string) bool {
			t.Helper()
			return stillIn(t, w, secret)
		}
		visits := func(secret string) bool {
			t.Helper()
			_, err := w.Gate.Visit(t.Context(), secret)
			if err != nil && !models.Is(err, models.Unknown) {
				t.Fatal(err)
			}
			return err == nil
		}

		// Without a click.
		idle := begin(t, w)
		w.Clock.Advance(models.SessionIdle - time.Millisecond)
		if !living(idle) {
			t.Error("idle for nearly 12 hours, and ended")
		}
		w.Clock.Advance(time.Millisecond)
		if living(idle) || visits(idle) {
			t.Error("idle for 12 hours, and counts")
		}

		// A click begins the 12 hours anew; looking whether it still counts does not.
		clicked := begin(t, w)
		w.Clock.Advance(models.SessionIdle - time.Millisecond)
		if !visits(clicked) {
			t.Error("the click was too late")
		}
		w.Clock.Advance(models.SessionIdle - time.Millisecond)
		if !living(clicked) {
			t.Error("the click did not count")
		}
		w.Clock.Advance(time.Millisecond)
		if living(clicked) || visits(clicked) {
			t.Error("a look counted as a click")
		}

		// Seven days with a click every hour.
		busy, began := begin(t, w), w.Clock.Now()
		for w.Clock.Now().Before(began.Add(models.SessionLife - time.Hour)) {
			w.Clock.Advance(time.Hour)
			if !visits(busy) {
				t.Fatalf("ended after %s", w.Clock.Now().Sub(began))
			}
		}
		w.Clock.Advance(time.Hour - time.Millisecond)
		if !visits(busy) {
			t.Error("nearly 7 days, and ended")
		}
		w.Clock.Advance(time.Millisecond)
		if living(busy) || visits(busy) {
			t.Error("7 days, and counts")
		}
	})
}

func TestProvingAgainWhoOneIsMakesNoSessionLonger(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	first, began := begin(t, w), w.Clock.Now()
	w.Clock.Advance(6 * time.Hour)
	v, err := w.Gate.Visit(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := ask(t, w, "")
	var again models.Session
	if err := w.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
		again, _, _, err = w.Gate.Enter(tx, l, sso.Origin{}, v.Session)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if !again.CreatedAt.Equal(began) || !again.ProvedAt.Equal(w.Clock.Now()) {
		t.Errorf("it began %s, not %s; proved %s", again.CreatedAt, began, again.ProvedAt)
	}
	if stillIn(t, w, first) {
		t.Error("the cookie from before still counts")
	}
}

func TestACookieIsStoredAsItsHashAlone(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		secret := begin(t, w)
		v, err := w.Store.Visit(t.Context(), sso.Hash(secret))
		if err != nil || bytes.Contains(v.Session.TokenHash, []byte(secret)) || len(v.Session.TokenHash) != 32 {
			t.Errorf("%x %v", v.Session.TokenHash, err)
		}
		if _, err := w.Store.Visit(t.Context(), []byte(secret)); !models.Is(err, models.NotFound) {
			t.Errorf("the session is found by the cookie itself: %v", err)
		}
		if _, err := w.Gate.Visit(t.Context(), string(sso.Hash(secret))); !models.Is(err, models.Unknown) {
			t.Errorf("the hash is as good as the cookie: %v", err)
		}
	})
	url := fixture.SQLite(t)
	w := fixture.New(t, url, nil)
	l, m := ask(t, w, sso.Secret())
	secret, err := enter(w, l)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(strings.TrimPrefix(url, "sqlite:") + "*")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(b, sso.Hash(secret))
		for what, text := range map[string]string{"the cookie": secret, "the token of the link": w.Gate.Token(l.ID)} {
			if bytes.Contains(b, []byte(text)) {
				t.Errorf("%s stands in the database", what)
			}
		}
	}
	if !found {
		t.Errorf("the session of %s is not where it was looked for: %v", m.Email, files)
	}
}
