package dashboard_test

import (
	"strings"
	"testing"

	"outpost/dashboard"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
)

// tabTo presses Tab until the focus is on what is described so.
func tabTo(t *testing.T, p *testkit.Page, what string) {
	t.Helper()
	var seen []string
	for range 120 {
		p.Tab(1)
		at := p.Focused()
		if strings.Contains(at, what) {
			return
		}
		seen = append(seen, at)
	}
	t.Fatalf("Tab never reaches %q: %q", what, seen)
}

// TestInBrowserEverythingIsDoneByKeyboardAlone sets up a connection, rotates its token, invites somebody,
// decides, and finds its way.
func TestInBrowserEverythingIsDoneByKeyboardAlone(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	if err := w.Directory.SetConnectionStatus(t.Context(), w.Connection, models.ConnectionDeleted, "test"); err != nil {
		t.Fatal(err)
	}
	w.Mailbox(nil)
	s := serve(t, w, func(c *dashboard.Config) { c.OwnersOperate = true })
	p := s.browse(t, s.owner(t))

	// The first Tab of a page is the way past the navigation.
	p.Open(s.URL + "/settings/security")
	p.Tab(1)
	if !strings.Contains(p.Focused(), "Skip to content") {
		t.Errorf("the first Tab reaches %s", p.Focused())
	}
	p.Press("Enter")
	tabTo(t, p, "Configure")
	p.Press("Enter")
	p.WaitText("dialog h2", "Configure Directory Sync")
	if !strings.Contains(p.Focused(), "input") {
		t.Errorf("the dialog opens on %s", p.Focused())
	}
	p.Press("ArrowDown") // Entra
	p.Press("ArrowUp")   // Okta again
	for range 12 {       // the focus stays in the dialog
		p.Tab(1)
		var inside bool
		p.Eval("document.activeElement === document.body || !!document.activeElement.closest('dialog')", &inside)
		if !inside {
			t.Fatalf("the focus left the dialog for %s", p.Focused())
		}
	}
	tabTo(t, p, "Save changes")
	p.Press("Enter")
	p.WaitText("dialog h2", "Connect Okta")
	tabTo(t, p, "Copy OAuth Bearer Token")
	p.Press("Escape")
	p.WaitText("h1", "Okta")

	// A new token.
	tabTo(t, p, "New token")
	p.Press("Enter")
	p.Wait("#token")

	// The menu of the connection, and its question, which Esc takes back.
	tabTo(t, p, "More")
	p.Press("Enter")
	tabTo(t, p, "Delete the connection")
	p.Press("Enter")
	p.WaitText("dialog h2", "Delete the connection to Okta?")
	if !strings.Contains(p.Focused(), "slug") {
		t.Errorf("the question opens on %s", p.Focused())
	}
	p.Press("Escape")
	p.WaitGone("dialog[open]")

	// Letters lead around.
	for keys, heading := range map[string]string{"r": "Runs", "a": "Activity", "f": "Failures", "h": "Held", "s": "Security"} {
		p.Press("g", keys)
		p.WaitText("h1", heading)
	}
	p.Press("?")
	p.WaitText("dialog[open] h2", "Keyboard")
	p.Press("Escape")
	p.WaitGone("dialog[open]")
	p.Press("/")
	if !strings.Contains(p.Focused(), "input") {
		t.Errorf("/ reaches %s", p.Focused())
	}

	// Somebody is invited by hand.
	p.Open(s.URL + "/settings/members")
	tabTo(t, p, "i-mail")
	p.Press("g", "@", "x", ".", "t", "e", "s", "t") // letters are letters in a field
	p.Press("Enter")
	p.WaitText("h1", "G")
	w.Settled(patience)

	// What is held is decided.
	mirror, err := w.Store.Connections(t.Context(), w.Workspace.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.Connection = mirror[0]
	u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Person("owner"))
	if err != nil {
		t.Fatal(err)
	}
	w.Settled(patience)
	w.SetActive(u.ID, false)
	p.Open(s.URL + "/activity/held")
	p.WaitText("h2", "The last owner")
	tabTo(t, p, "Keep: owner Test")
	p.Press("Enter")
	p.WaitText("h2", "Nothing waits for you")
}
