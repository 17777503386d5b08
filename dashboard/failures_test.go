package dashboard_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
	"outpost/workspace"
)

// failed writes a failed operation about a person.
func (s *site) failed(t testing.TB, kind models.Kind, resource, id, why string) models.Operation {
	t.Helper()
	op := outbox.Operation(kind, s.Workspace.ID, s.Connection.ID, resource, id, 1, s.Clock.Now())
	op.State, op.Error, op.Attempts = models.OperationFailed, why, 3
	if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&op); return nil }); err != nil {
		t.Fatal(err)
	}
	return op
}

// operation reads an operation as it is now.
func (s *site) operation(t testing.TB, id string) models.Operation {
	t.Helper()
	op, err := s.Store.Operation(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// adminOf makes a member who is an admin.
func (s *site) adminOf(t testing.TB, name string) models.Member {
	t.Helper()
	m := models.Member{
		ID: outbox.ID(), WorkspaceID: s.Workspace.ID, Email: name + "@acme.test", EmailKey: name + "@acme.test", Name: name, Role: models.RoleAdmin, HandRole: models.RoleAdmin,
		Status: models.MemberActive, CreatedAt: s.Clock.Now(), UpdatedAt: s.Clock.Now(),
	}
	if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&m); return nil }); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNothingFailedTeaches(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		if a := s.signIn(t, s.owner(t)).get("/activity/failures"); a.status != 200 || !a.has("Nothing has failed") || a.has("<form method=\"post\" action=\"/activity/failures/retry\"") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestFailuresAreShownByCauseAndTriedAgain(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		var ops []models.Operation
		for i := range 7 {
			u := w.User(fmt.Sprintf("person%d", i))
			ops = append(ops, s.failed(t, models.KindInvitationEmail, models.ResourceUser, u.ID, fmt.Sprintf("the mail server mx refused person%d@acme.test: 550 5.1.1 no such mailbox", i)))
		}
		ada := w.User("ada")
		taken := s.failed(t, models.KindUserUpsert, models.ResourceUser, ada.ID, `the e-mail address ada@acme.test already belongs to the member "Ben" of this workspace`)
		doubt := s.failed(t, models.KindInvitationEmail, models.ResourceUser, ada.ID, "delivery unknown: the connection broke")

		a := v.get("/activity/failures")
		for _, text := range []string{"Retry 8 of 9", "The mail server refused the address", "Retry all 7", "person6 Test", "550 5.1.1 no such mailbox", `<a href="/activity/failures?cause=mailbox">2 more</a>`,
			"The e-mail belongs to another member", "We cannot know if this mail arrived", "Send again", "Okta was told yes"} {
			if !a.has(text) {
				t.Errorf("the page lacks %q", text)
			}
		}
		if a.has("person0 Test") {
			t.Error("more than five of a cause are shown")
		}
		if a := v.get("/activity/failures?cause=mailbox"); !a.has("person0 Test") || a.has("We cannot know") {
			t.Errorf("the page of one cause: %s", a.body)
		}

		if a := v.post("/activity/failures/retry", url.Values{"op": {taken.ID}}); a.status != 303 || a.header.Get("Location") != "/activity/failures" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := v.get("/activity/failures"); !a.has("1 operation is tried again.") || a.has("The e-mail belongs") {
			t.Errorf("%s", a.body)
		}
		if op := s.operation(t, taken.ID); op.State != models.OperationPending || op.Attempts != 0 {
			t.Errorf("%+v", op)
		}
		v.post("/activity/failures/retry", url.Values{"cause": {"mailbox"}})
		if a := v.get("/activity/failures"); !a.has("7 operations are tried again.") {
			t.Errorf("%s", a.body)
		}
		if op := s.operation(t, ops[0].ID); op.State != models.OperationPending {
			t.Errorf("%+v", op)
		}
		if op := s.operation(t, doubt.ID); op.State != models.OperationFailed {
			t.Errorf("a mail that may have arrived was sent again by the way: %+v", op)
		}
		v.post("/activity/failures/retry", nil)
		if op := s.operation(t, doubt.ID); op.State != models.OperationFailed {
			t.Errorf("retry all sent a mail that may have arrived: %+v", op)
		}
		v.post("/activity/failures/retry", url.Values{"op": {doubt.ID}})
		if op := s.operation(t, doubt.ID); op.State != models.OperationPending {
			t.Errorf("%+v", op)
		}
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 3)
		if err != nil || len(entries) != 3 {
			t.Fatal(err, entries)
		}
		if e := entries[1]; e.Method != "retry" || e.Detail != "7 operations" || e.Actor != s.owner(t).Name || e.OperationID != nil {
			t.Errorf("%+v", e)
		}
		if e := entries[0]; e.Method != "retry" || e.OperationID == nil || *e.OperationID != doubt.ID {
			t.Errorf("%+v", e)
		}
	})
}

func TestFailuresOfAnotherWorkspaceAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		other, err := workspace.Create(t.Context(), w.Store, "Other", "boss@other.test", models.PlanEnterprise, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		op := outbox.Operation(models.KindUserUpsert, other.ID, "", models.ResourceUser, outbox.ID(), 1, w.Clock.Now())
		op.State, op.Error, op.Attempts = models.OperationFailed, "a secret of theirs", 1
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&op); return nil }); err != nil {
			t.Fatal(err)
		}
		v.post("/activity/failures/retry", url.Values{"op": {op.ID}})
		v.post("/activity/failures/retry", nil)
		if got := s.operation(t, op.ID); got.State != models.OperationFailed {
			t.Errorf("%+v", got)
		}
		if a := v.get("/activity/failures"); a.has("secret of theirs") {
			t.Error("another workspace's failure is shown")
		}
		if a := v.post("/activity/failures/retry", url.Values{"op": {"x"}}); a.status != 404 {
			t.Errorf("%d", a.status)
		}
	})
}

func TestHeldChangesAreDecidedByOwners(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		w.Mailbox(nil)
		v := s.signIn(t, s.owner(t))
		if a := v.get("/activity/held"); a.status != 200 || !a.has("Nothing waits for you") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		w.Clock.Advance(time.Minute)
		// The provider meets the owner, who joined by hand, and removes them.
		page, err := w.Store.Users(t.Context(), store.Listing{ConnectionID: w.Connection.ID, Limit: 10})
		mirrors := page.Rows
		if err != nil || len(mirrors) != 1 {
			t.Fatal(err, mirrors)
		}
		w.SetActive(mirrors[0].ID, false)
		a := v.get("/activity/held")
		for _, text := range []string{"The last owner: 1 removal", "Set inactive in Okta", "owner@<wbr>acme.test", ">Keep<", ">Remove<", "Make another owner", "1 change waits"} {
			if !a.has(text) {
				t.Errorf("the page lacks %q: %s", text, a.body)
			}
		}
		held := w.Operations()[0]
		if held.State != models.OperationHeld {
			t.Fatalf("%+v", held)
		}

		admin := s.signIn(t, s.adminOf(t, "helper"))
		if a := admin.get("/activity/held"); a.status != 200 || !a.has("Owners of the workspace decide") || a.has(">Remove<") || !a.has("The last owner: 1 removal") {
			t.Errorf("an admin: %d %s", a.status, a.body)
		}
		if a := admin.post("/activity/held/decide?only="+held.ID, url.Values{"decision": {"discard"}}); a.status != 403 {
			t.Errorf("an admin decided: %d", a.status)
		}

		if a := v.post("/activity/held/decide?only="+held.ID, url.Values{"decision": {"approve"}}); a.status != 409 || !a.has("is the last active owner of this workspace") || !a.has("The last owner: 1 removal") {
			t.Errorf("removing the last owner: %d %s", a.status, a.body)
		}
		if a := v.post("/activity/held/decide", url.Values{"decision": {"discard"}, "group": {"last-owner-okta"}}); a.status != 422 || !a.has("Nothing was chosen") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := v.post("/activity/held/decide", url.Values{"decision": {"discard"}, "op": {held.ID}}); a.status != 303 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := v.get("/activity/held"); !a.has("1 person kept their access.") || !a.has("Nothing waits for you") {
			t.Errorf("%s", a.body)
		}
		if a := v.post("/activity/held/decide?only="+held.ID, url.Values{"decision": {"approve"}}); a.status != 409 || !a.has("decided already") {
			t.Errorf("a second time: %d %s", a.status, a.body)
		}
	})
}

func TestAllOfAGroupAreDecidedAfterAQuestionWithTheirNumber(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		for _, name := range []string{"ada", "ben", "cy"} {
			s.adminOf(t, name) // joined by hand, under another address than the provider will say
		}
		conn, err := w.Directory.CreateConnection(t.Context(), w.Workspace, models.ProviderEntra, "test")
		if err != nil {
			t.Fatal(err)
		}
		w.Connection = conn.Connection
		page, err := w.Store.Users(t.Context(), store.Listing{ConnectionID: w.Connection.ID, Limit: 10})
		mirrors := page.Rows
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mirrors {
			if !strings.HasPrefix(m.UserName, "owner") {
				w.Patch(m.ID, `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"new-`+m.UserName+`"}]`)
			}
		}
		v := s.signIn(t, s.owner(t))
		a := v.get("/activity/held")
		const key = "first-contact-entra"
		for _, text := range []string{"A first contact with another address: 3 people", "new-ada@<wbr>acme.test", "Allow all 3 new addresses…", `href="/activity/held?group=` + key + `&amp;confirm=discard"`} {
			if !a.has(text) {
				t.Errorf("the page lacks %q: %s", text, a.body)
			}
		}
		a = v.get("/activity/held?group=" + key + "&confirm=approve")
		if !a.has("Allow all 3 new addresses?") || !a.has(`data-close="/activity/held"`) {
			t.Fatalf("%s", a.body)
		}
		until := between(a.body, `name="until" value="`, `"`)
		if a := v.post("/activity/held/decide", url.Values{"group": {key}, "until": {until}, "decision": {"approve"}}); a.status != 303 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := v.get("/activity/held"); !a.has("3 people got the new address.") || !a.has("Nothing waits") {
			t.Errorf("%s", a.body)
		}
		w.Mailbox(nil)
		testkit.Eventually(t, 10*time.Second, "the address is changed", func() bool { _, ok := w.Member("new-ada@acme.test"); return ok })
	})
}

// between is what stands in a page between two texts.
func between(page, before, after string) string {
	_, rest, _ := strings.Cut(page, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}
