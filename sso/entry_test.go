package sso_test

import (
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/sso"
	"outpost/store"
)

const persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"

// door is a world whose people sign in by single sign-on.
type door struct {
	*fixture.World
	t      *testing.T
	denied error // why nobody joins, nil where they do
}

func newDoor(t *testing.T, w *fixture.World) door {
	t.Helper()
	provider, err := sso.ReadMetadata(testkit.NewIdP(t, w.Clock.Now).Metadata())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Gate.Configure(t.Context(), sso.By{WorkspaceID: w.Workspace.ID, Actor: "test"}, w.Connection, provider); err != nil {
		t.Fatal(err)
	}
	return door{World: w, t: t}
}

// invited brings somebody, and finds the invitation that is made for them.
func (d door) invited(name string) (models.User, string) {
	d.t.Helper()
	u := d.User(name)
	stop := d.Serve(d.Worker(nil), fixture.Everything())
	defer stop()
	testkit.Eventually(d.t, 30*time.Second, name+" is invited", func() bool { _, ok := d.Member(name + "@acme.test"); return ok })
	m, _ := d.Member(name + "@acme.test")
	var id string
	err := d.Store.Write(d.t.Context(), func(tx *store.Tx) error {
		inv, _, err := tx.LastInvitation(m.Member)
		id = inv.ID
		return err
	})
	if err != nil || id == "" {
		d.t.Fatalf("the invitation of %s: %v", name, err)
	}
	return u, id
}

// knock is an answer that has passed every check of its own, to a request that came from an invitation or, with "", from
// the sign-in page.
func (d door) knock(nameID, format, assertion, invitation string) (sso.Entry, error) {
	d.t.Helper()
	w, err := d.Gate.Way(d.t.Context(), "http://localhost:8080", d.Connection.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	h := sso.Heard{Assertion: sso.Assertion{ID: assertion, NameID: nameID, NameIDFormat: format, NotOnOrAfter: d.Clock.Now().Add(5 * time.Minute)}}
	if invitation != "" {
		h.Request.InvitationID = &invitation
	}
	var e sso.Entry
	err = d.Store.Write(d.t.Context(), func(tx *store.Tx) (err error) {
		e, err = d.Gate.EnterSAML(tx, w, h, sso.Origin{IP: "203.0.113.1"}, func(tx *store.Tx, m *models.Member, now time.Time) error {
			if d.denied != nil {
				return d.denied
			}
			m.Status, m.AcceptedAt = models.MemberActive, &now
			return tx.SaveMember(*m)
		})
		return err
	})
	return e, err
}

// TestPersistentIdentifierIsBoundByTheInvitation: a name that says nothing is tied to who followed the invitation's link,
// and to nobody else.
func TestPersistentIdentifierIsBoundByTheInvitation(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		d := newDoor(t, w)
		ada, adas := d.invited("ada")
		_, bobs := d.invited("bob")
		if e, err := d.knock("G-0001", persistent, "_a1", ""); err != nil || e.Refused == nil {
			t.Fatalf("without an invitation: %+v %v", e, err)
		}
		if e, err := d.knock("G-0001", "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified", "_a2", adas); err != nil || e.Refused == nil {
			t.Errorf("a name that is not persistent was bound: %+v %v", e, err)
		}
		e, err := d.knock("G-0001", persistent, "_a3", adas)
		if err != nil || e.Refused != nil || e.Member.Email != "ada@acme.test" || e.Session.Method != models.MethodSAML {
			t.Fatalf("by the invitation: %+v %v", e, err)
		}
		if e, err := d.knock("G-0001", persistent, "_a4", ""); err != nil || e.Member.Email != "ada@acme.test" {
			t.Errorf("from then on: %+v %v", e, err)
		}
		if e, err := d.knock("G-0001", persistent, "_a5", bobs); err != nil || e.Member.Email != "ada@acme.test" {
			t.Errorf("at another's invitation it is still ada's: %+v %v", e, err)
		}
		if e, err := d.knock("G-0002", persistent, "_a6", adas); err != nil || e.Refused == nil {
			t.Errorf("a used invitation bound another name: %+v %v", e, err)
		}
		d.SetActive(ada.ID, false)
		if e, err := d.knock("G-0001", persistent, "_a7", ""); err != nil || e.Refused == nil || e.Secret != "" {
			t.Errorf("after she has left: %+v %v", e, err)
		}
	})
}

func TestAssertionIsUsedOnceWhoeverItNames(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		d := newDoor(t, w)
		d.invited("ada")
		if e, err := d.knock("nobody", "", "_n1", ""); err != nil || e.Refused == nil {
			t.Fatalf("%+v %v", e, err)
		}
		if _, err := d.knock("nobody", "", "_n1", ""); !models.Is(err, models.Stale) {
			t.Errorf("the assertion about nobody again: %v", err)
		}
		if e, err := d.knock("ada@acme.test", "", "_n2", ""); err != nil || e.Refused != nil {
			t.Fatalf("%+v %v", e, err)
		}
		if _, err := d.knock("ada@acme.test", "", "_n2", ""); !models.Is(err, models.Stale) {
			t.Errorf("ada's again: %v", err)
		}
	})
}

// TestWhoeverMayNotJoinIsNotSignedIn: an admin took the invitation back, and the provider's word does not undo that.
func TestWhoeverMayNotJoinIsNotSignedIn(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		d := newDoor(t, w)
		d.invited("ada")
		d.denied = &models.Error{Code: models.Denied, Detail: "your invitation was withdrawn"}
		e, err := d.knock("ada@acme.test", "", "_w1", "")
		if err != nil || e.Refused == nil || !strings.Contains(e.Refused.Error(), "withdrawn") || e.Secret != "" {
			t.Errorf("%+v %v", e, err)
		}
		if _, err := d.knock("ada@acme.test", "", "_w1", ""); !models.Is(err, models.Stale) {
			t.Errorf("the same answer again: %v", err)
		}
	})
}

func TestSettingsThatChangedMeanwhileRefuseTheAnswer(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		d := newDoor(t, w)
		d.invited("ada")
		way, err := d.Gate.Way(t.Context(), "http://localhost:8080", w.Connection.ID)
		if err != nil {
			t.Fatal(err)
		}
		by := sso.By{WorkspaceID: w.Workspace.ID, Actor: "test"}
		other, err := sso.ReadMetadata(testkit.NewIdP(t, w.Clock.Now).Metadata())
		if err != nil {
			t.Fatal(err)
		}
		for what, change := range map[string]func() error{
			"another provider": func() error { _, err := d.Gate.Configure(t.Context(), by, w.Connection, other); return err },
			"switched off":     func() error { return d.Gate.Disable(t.Context(), by, w.Connection.ID) },
		} {
			if err := change(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			h := sso.Heard{Assertion: sso.Assertion{ID: "_" + what, NameID: "ada@acme.test", NotOnOrAfter: w.Clock.Now().Add(time.Minute)}}
			err := w.Store.Write(t.Context(), func(tx *store.Tx) error {
				_, err := d.Gate.EnterSAML(tx, way, h, sso.Origin{}, nil)
				return err
			})
			if !models.Is(err, models.Stale) {
				t.Errorf("%s: %v", what, err)
			}
			if what == "switched off" {
				if _, err := d.Gate.Way(t.Context(), "http://localhost:8080", w.Connection.ID); !models.Is(err, models.NotFound) {
					t.Errorf("switched off, and there is a way: %v", err)
				}
				if _, err := d.Gate.Configure(t.Context(), by, w.Connection, other); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestKeyOfSignedRequestsIsKeptSealed(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		d := newDoor(t, w)
		by := sso.By{WorkspaceID: w.Workspace.ID, Actor: "test"}
		if err := d.Gate.SetOptions(t.Context(), by, w.Connection.ID, true, false); err != nil {
			t.Fatal(err)
		}
		way, err := d.Gate.Way(t.Context(), "http://localhost:8080", w.Connection.ID)
		if err != nil || way.Service.Key == nil || way.Service.Certificate == nil {
			t.Fatalf("%+v %v", way.Service, err)
		}
		url, err := d.Gate.Ask(t.Context(), way, sso.Question{Purpose: models.PurposeSignIn, Browser: sso.Secret(), Next: "/"})
		if err != nil || !strings.Contains(url, "Signature=") {
			t.Errorf("%q %v", url, err)
		}
		if bytes := way.Setup.Key; len(bytes) == 0 || strings.Contains(string(bytes), "PRIVATE") {
			t.Error("the key is kept in clear")
		}
		another, err := sso.New(w.Store, "another secret of more than thirty-two bytes", w.Clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := another.Way(t.Context(), "http://localhost:8080", w.Connection.ID); !models.Is(err, models.Invalid) || !strings.Contains(err.Error(), "SECRET_KEY") {
			t.Errorf("with another secret: %v", err)
		}
	})
}

func TestWhateverEndsSessionsEndsLinks(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		l, m := ask(t, w, "")
		printed, _ := sso.PrintedLink(m, w.Clock.Now())
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&printed); return nil }); err != nil {
			t.Fatal(err)
		}
		m.SessionEpoch++ // signed out everywhere, or out and back in
		save(t, w, m)
		for _, link := range []models.SignInLink{l, printed} {
			if _, err := enter(w, link); !models.Is(err, models.Stale) || !strings.Contains(err.Error(), "signed out everywhere") {
				t.Errorf("%v", err)
			}
		}
	})
}
