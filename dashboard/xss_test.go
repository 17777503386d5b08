package dashboard_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	gosmtp "github.com/emersion/go-smtp"

	"outpost/dashboard"
	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/mail"
	"outpost/models"
	"outpost/scim"
)

// packed puts as many attacks into one text as the API takes for a name: each still stands by itself, and there are fewer
// pages to open. Longer ones are cut in two.
func packed(attacks []string) (texts []string) {
	const limit = 250
	text := ""
	for _, a := range attacks {
		for a = printable(a); utf8.RuneCountInString(a) > limit; {
			texts, a = append(texts, string([]rune(a)[:limit])), string([]rune(a)[limit:])
		}
		if utf8.RuneCountInString(text)+1+utf8.RuneCountInString(a) > limit {
			texts, text = append(texts, text), ""
		}
		text += " " + a
	}
	return append(texts, text)
}

// TestInBrowserWhatADirectorySendsIsOnlyEverText puts attacks into every attribute that a directory can set, into what it
// says about itself, and into what a mail server answers, and opens every page on which they show.
func TestInBrowserWhatADirectorySendsIsOnlyEverText(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	attacks := testkit.XSSStrings()
	sink := testkit.NewSMTP(t)
	var refused atomic.Int64
	sink.Reject(func(string) *gosmtp.SMTPError {
		line := strings.NewReplacer("\r", " ", "\n", " ").Replace(attacks[int(refused.Add(1))%len(attacks)])
		return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: line}
	})
	sender, err := mail.NewSMTP(sink.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sender.Close() })
	w.MailBy(sender)
	n := 0
	var pages []string
	for _, text := range packed(attacks) {
		n++
		caller := w.Caller()
		caller.UserAgent, caller.ProviderRequestID, caller.Body = text[:min(len(text), 200)], fmt.Sprintf("%.100s", text), text
		resource := map[string]any{
			"userName": text, "externalId": text, "displayName": text, "nickName": text, "title": text + " \u202eevil", "userType": text, "preferredLanguage": text, "locale": text, "timezone": text,
			"profileUrl": "javascript:" + text, "name": map[string]any{"givenName": text, "familyName": text, "formatted": text, "middleName": text, "honorificPrefix": text},
			"emails":       []any{map[string]any{"value": fmt.Sprintf("p%d@acme.test", n), "type": text, "display": text, "primary": true}},
			"photos":       []any{map[string]any{"value": "javascript:" + text, "type": "photo"}},
			"addresses":    []any{map[string]any{"locality": text}},
			"phoneNumbers": []any{map[string]any{"value": text}},
			"roles":        []any{map[string]any{"value": text}},
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": map[string]any{"department": text, "costCenter": text, "organization": text, "division": text, "employeeNumber": text},
		}
		body, err := json.Marshal(resource)
		if err != nil {
			t.Fatal(err)
		}
		in, err := scim.DecodeUser(strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		u, err := w.Directory.CreateUser(t.Context(), caller, in)
		if err != nil {
			t.Fatal(err)
		}
		patch, err := scim.DecodePatch(strings.NewReader(fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":%s}]}`, mustJSON(t, map[string]any{"title": text + " again", "nickName": "plain"}))))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Directory.PatchUser(t.Context(), caller, u.ID, patch); err != nil {
			t.Fatal(err)
		}
		g, err := w.Directory.CreateGroup(t.Context(), caller, &scim.Group{DisplayName: text, Members: []scim.Member{{Value: u.ID, Display: text}, {Value: "nobody-" + text, Display: text}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Directory.MapRole(t.Context(), directory.Caller{WorkspaceID: w.Workspace.ID, ConnectionID: w.Connection.ID, Actor: text, Method: "map"}, g.ID, models.RoleAdmin); err != nil {
			t.Fatal(err)
		}
		w.Directory.Refused(t.Context(), caller, models.ResourceUser, text, http.StatusBadRequest, text)
		pages = append(pages, "/groups/"+g.ID)
	}
	caller := w.Caller()
	if err := w.Directory.SetInvitations(t.Context(), caller, w.Connection.ID, directory.InvitationSettings{Send: true, SenderName: "<img src=x onerror=alert(1)>"}); err != nil {
		t.Fatal(err)
	}
	w.Schedule()
	testkit.Eventually(t, 60*time.Second, "everything has run", func() bool {
		c, err := w.Store.Compare(t.Context(), w.Workspace.ID)
		return err == nil && c.Open == 0
	})
	s := serve(t, w, func(c *dashboard.Config) { c.OwnersOperate = true })
	members, err := w.Store.Members(t.Context(), w.Workspace.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		pages = append(pages, "/people/"+m.ID)
	}
	entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if i%3 == 0 {
			pages = append(pages, "/activity/requests/"+e.ID)
		}
	}
	runs, _, err := w.Store.Runs(t.Context(), w.Workspace.ID, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		pages = append(pages, "/runs/"+r.ID)
	}
	connection := "/settings/security/directory-sync/" + w.Connection.ID
	pages = append(pages, "/settings/security", connection, connection+"/setup", "/settings/members", "/people", "/people?page=2", "/groups", "/runs", "/activity", "/activity?page=2", "/activity/failures", "/activity/held", "/operator/queues")
	owner := s.owner(t)
	for _, text := range packed(attacks) { // what browsers call themselves
		s.signInWith(t, owner, strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return ' '
			}
			return r
		}, text))
	}
	pages = append(pages, "/account/sessions", "/activity?tab=signins")
	v := s.signIn(t, owner)
	p := s.browse(t, owner)
	p.Allow("SSE|EventSource|\\[object Event\\]") // a live view that is left
	shown := 0
	for _, path := range pages {
		if a := v.get(path); a.status != http.StatusOK {
			if a.status == http.StatusNotFound && !strings.Contains(path, "-") {
				continue // a page that does not exist
			}
			t.Errorf("%s: %d", path, a.status)
		}
		p.Open(s.URL + path)
		p.Inert()
		var text string
		p.Eval("document.body.innerText", &text)
		if strings.Contains(text, "xss0") {
			shown++
		}
	}
	if shown < 3*n {
		t.Errorf("the attacks showed on %d pages only, of %d", shown, len(pages))
	}
	for _, q := range attacks { // what a visitor is led to type
		for _, path := range []string{"/people?q=", "/activity?q=", "/groups?q=", "/signin?next="} {
			a := v.get(path + url.QueryEscape(q))
			if strings.Contains(a.body, "<script>") || strings.Contains(a.body, q) && strings.ContainsAny(q, "<>") {
				t.Errorf("%s%s comes back as it is", path, q)
			}
		}
	}
}

// printable is an attack without what the API refuses.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
