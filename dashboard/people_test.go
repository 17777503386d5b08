package dashboard_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
	"outpost/workspace"
)

// save changes a member behind the back of the directory.
func (s *site) save(t testing.TB, email string, change func(*models.Member)) models.Member {
	t.Helper()
	row, ok := s.Member(email)
	if !ok {
		t.Fatalf("nobody has the address %s", email)
	}
	m := row.Member
	change(&m)
	if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(m) }); err != nil {
		t.Fatal(err)
	}
	return m
}

// refusing delivers mail through a server that does not know some addresses.
func refusing(t *testing.T, w *fixture.World, unknown ...string) {
	t.Helper()
	sink := testkit.NewSMTP(t)
	sink.Reject(func(to string) *gosmtp.SMTPError {
		for _, u := range unknown {
			if to == u {
				return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
			}
		}
		return nil
	})
	sender, err := mail.NewSMTP(sink.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sender.Close() })
	w.MailBy(sender)
}

// by is the owner acting.
func (s *site) by(t testing.TB) workspace.By {
	o := s.owner(t)
	return workspace.By{WorkspaceID: s.Workspace.ID, Actor: o.Name, Role: o.Role, MemberID: o.ID, RequestID: outbox.ID()}
}

// shows reports whether a list has the person, as a link.
func (a answer) shows(name string) bool {
	return regexp.MustCompile(`<a href="/people/[0-9a-f-]{36}">` + regexp.QuoteMeta(name) + "</a>").MatchString(a.body)
}

func TestPeopleAreFoundAndNarrowed(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		refusing(t, w, "mara@acme.test")
		ada, grace := w.User("ada"), w.User("grace")
		w.User("mara")
		leaver := w.User("leaver")
		engineering := w.Group("Engineering", ada.ID, grace.ID)
		for i := range 4 {
			w.Group(fmt.Sprintf("Guild %d", i), ada.ID)
		}
		w.Settled(20 * time.Second)
		s.save(t, "ada@acme.test", func(m *models.Member) {
			m.Status, m.Role, m.HandRole = models.MemberActive, models.RoleAdmin, models.RoleAdmin
		})
		w.SetActive(leaver.ID, false)
		w.Settled(20 * time.Second)
		if _, err := w.Hands.Invite(t.Context(), s.by(t), "guest@studio.test", "Łucja Guest", models.RoleMember); err != nil {
			t.Fatal(err)
		}
		v := s.signIn(t, s.owner(t))

		all := v.get("/people")
		if all.status != http.StatusOK || !all.has("6 people: 2 active, 3 invited, 1 deactivated.") {
			t.Fatalf("the lead of the list: %d %s", all.status, all.body)
		}
		for _, text := range []string{"Engineering, Guild 0, Guild 1 and 2 more", "none any more", "Okta</td>", "by hand</td>", "Mail refused", ">Deactivated</span>", `<span class="num">1–6</span> of <span class="num">6</span> people`, "ada@<wbr>acme.test", `href="/settings/members"`} {
			if !all.has(text) {
				t.Errorf("the list does not say %q", text)
			}
		}
		everybody := []string{"ada Test", "grace Test", "mara Test", "leaver Test", "Łucja Guest", "Owner"}
		for query, want := range map[string][]string{
			"q=ada":                           {"ada Test"},
			"q=ADA+test":                      {"ada Test"},
			"q=acme.test":                     {"ada Test", "grace Test", "mara Test", "leaver Test", "Owner"},
			"q=00u-grace":                     {"grace Test"},
			"q=%C5%81ucja":                    {"Łucja Guest"},
			"q=100%25":                        {},
			"state=active":                    {"ada Test", "Owner"},
			"state=invited":                   {"grace Test", "mara Test", "Łucja Guest"},
			"state=deactivated":               {"leaver Test"},
			"state=refused":                   {"mara Test"},
			"state=unknown":                   {},
			"role=admin":                      {"ada Test"},
			"role=owner":                      {"Owner"},
			"from=hand":                       {"Łucja Guest", "Owner"},
			"from=" + w.Connection.ID:         {"ada Test", "grace Test", "mara Test", "leaver Test"},
			"group=" + engineering.ID:         {"ada Test", "grace Test"},
			"group=" + outbox.ID():            everybody, // nothing that can be chosen
			"state=nonsense":                  everybody,
			"state=invited&from=hand&q=guest": {"Łucja Guest"},
		} {
			got := v.get("/people?" + query)
			for _, name := range everybody {
				if wanted := slices.Contains(want, name); got.shows(name) != wanted {
					t.Errorf("?%s shows %s: %v", query, name, !wanted)
				}
			}
			if len(want) == 0 && !got.has("Nothing matches") {
				t.Errorf("?%s does not say that nothing matches", query)
			}
		}
		// htmx gets the list, and what depends on the search beside it.
		part := v.do("GET", "/people?q=ada", nil, func(r *http.Request) {
			r.Header.Set("HX-Request", "true")
			r.Header.Set("HX-Target", "list")
		})
		if !part.shows("ada Test") || part.has("<html") || !part.has(`href="/people.csv?q=ada" hx-swap-oob="true"`) || !part.has("q=ada&amp;state=active") {
			t.Errorf("the part of the list: %s", part.body)
		}

		export := v.get("/people.csv?state=invited")
		if ct := export.header.Get("Content-Type"); ct != "text/csv; charset=utf-8" || !strings.Contains(export.header.Get("Content-Disposition"), "attachment; filename=\"people-") {
			t.Errorf("the export is %s, %s", ct, export.header.Get("Content-Disposition"))
		}
		rows, err := csv.NewReader(strings.NewReader(export.body)).ReadAll()
		mara := slices.IndexFunc(rows, func(row []string) bool { return row[0] == "mara Test" })
		if err != nil || len(rows) != 4 || rows[0][0] != "Name" || mara < 0 || rows[mara][3] != "mail refused" || rows[mara][7] != "00u-mara" {
			t.Errorf("the export: %v %q", err, rows)
		}
	})
}

func TestExportedCellsAreNeverFormulas(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	w.Mailbox(nil)
	for i, name := range []string{"=1+1", "+1", "-1", "@SUM(A1)"} {
		if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(fmt.Sprintf(`{"userName":"f%d@acme.test","displayName":%q,"active":true}`, i, name))); err != nil {
			t.Fatal(err)
		}
	}
	w.Settled(20 * time.Second)
	rows, err := csv.NewReader(strings.NewReader(s.signIn(t, s.owner(t)).get("/people.csv?from=" + url.QueryEscape(w.Connection.ID)).body)).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%v %q", err, rows)
	}
	for _, row := range rows[1:] {
		if !strings.HasPrefix(row[0], "'") {
			t.Errorf("%q is a formula", row[0])
		}
	}
}

func TestPeopleTeachesWhereNobodyHasComeYet(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, nil)
	v := s.signIn(t, s.owner(t))
	if got := v.get("/people"); !got.has("Nobody has come from Okta yet") || !got.has("Show the steps in Okta") || got.has("<table") {
		t.Errorf("before anybody came: %s", got.body)
	}
	if _, err := w.Hands.Invite(t.Context(), s.by(t), "guest@studio.test", "Wren Castell", models.RoleMember); err != nil {
		t.Fatal(err)
	}
	if got := v.get("/people"); !got.has("Nobody has come from Okta yet") || !got.shows("Wren Castell") {
		t.Error("who was invited by hand is not shown beside the lesson")
	}
	if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test"); err != nil {
		t.Fatal(err)
	}
	if got := v.get("/people"); !got.has("No identity provider is connected yet") || !got.has("Connect a provider") {
		t.Error("without a connection the page does not lead to one")
	}
}
