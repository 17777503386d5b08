package dashboard_test

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/outbox"
	"outpost/store"
	"outpost/workspace"
)

// happened lists the names of the rows of an activity page in their order, with the sentence around them.
func happened(a answer) []string {
	var rows []string
	for part := range strings.SplitSeq(a.body, `<td class="main" role="cell">`) {
		text, _, found := strings.Cut(part, `<span class="sub">`)
		if found && !strings.Contains(text, "<html") {
			rows = append(rows, plainText(text))
		}
	}
	return rows
}

// plainText is HTML without its tags.
func plainText(html string) string {
	var b strings.Builder
	inside := false
	for _, r := range html {
		switch {
		case r == '<':
			inside = true
		case r == '>':
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return b.String()
}

var olderIn = regexp.MustCompile(`href="([^"]*)" rel="next"`)

func TestActivityShowsRequestsWithTheirJobsAndWhatFollowed(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		w.Mailbox(nil)
		c := w.Caller()
		c.Method, c.Body, c.ProviderRequestID, c.RequestID = "POST", `{"userName":"ada@acme.test","password":"***"}`, "okta-request-77", outbox.ID()
		ada, err := w.Directory.CreateUser(t.Context(), c, w.Person("ada"))
		if err != nil {
			t.Fatal(err)
		}
		w.Settled(10 * time.Second)
		refused := c
		refused.RequestID, refused.ProviderRequestID = outbox.ID(), "okta-request-78"
		w.Directory.Refused(t.Context(), refused, models.ResourceUser, "", 409, "userName is taken")

		a := v.get("/activity")
		rows := happened(a)
		for _, want := range []string{"Okta created ada Test", "The invitation to ada Test was mailed", "Okta tried to create ada@acme.test", s.owner(t).Name + " signed in"} {
			if !slices.Contains(rows, want) {
				t.Errorf("%q is not among %q", want, rows)
			}
		}
		if n := strings.Count(strings.Join(rows, "\n"), "ada Test was brought up to date"); n != 0 {
			t.Errorf("a job of a request is shown a second time: %q", rows)
		}
		if !a.has("user.upsert") || !a.has("badge-refused") || !a.has(">409<") {
			t.Errorf("%s", a.body)
		}

		for path, want := range map[string][]string{
			"/activity?tab=requests":                                   {"Okta tried to create ada@acme.test", "Okta created ada Test"},
			"/activity?tab=requests&state=refused":                     {"Okta tried to create ada@acme.test"},
			"/activity?tab=mails":                                      {"The invitation to ada Test was mailed"},
			"/activity?tab=jobs&kind=user.upsert":                      {"Okta created ada Test"},
			"/activity?kind=invitation.email&state=done":               {"The invitation to ada Test was mailed"},
			"/activity?state=failed":                                   nil,
			"/activity?q=okta-request-77":                              {"The invitation to ada Test was mailed", "Okta created ada Test"},
			"/activity?q=" + c.RequestID:                               {"The invitation to ada Test was mailed", "Okta created ada Test"},
			"/activity?q=" + strings.ToUpper(ada.ID):                   {"The invitation to ada Test was mailed", "Okta created ada Test"},
			"/activity?q=ADA":                                          {"The invitation to ada Test was mailed", "Okta created ada Test"},
			"/activity?q=nobody":                                       nil,
			"/activity?q=%25":                                          nil,
			"/activity?q=okta-request-78&time=hour":                    {"Okta tried to create ada@acme.test"},
			"/activity?tab=mails&q=okta-request-78":                    nil,
			"/activity?before=00000000-0000-7000-8000-000000000000":    nil,
			"/activity?tab=jobs&q=ada&kind=group.sync":                 nil,
			"/activity?tab=jobs&q=ada&kind=invitation.email&time=week": {"The invitation to ada Test was mailed"},
		} {
			a := v.get(path)
			if got := happened(a); a.status != 200 || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %d %q, want %q", path, a.status, got, want)
			}
			if want == nil && !a.has("Nothing matches") {
				t.Errorf("%s does not say that nothing matches", path)
			}
		}
		if a := v.get("/activity?tab=hand"); a.status != 200 || !strings.Contains(strings.Join(happened(a), "\n"), "test made the connection") {
			t.Errorf("by hand: %q", happened(a))
		}
		if got := happened(v.get("/activity?tab=signins")); len(got) != 1 || !strings.HasSuffix(got[0], "signed in") {
			t.Errorf("sign-ins: %q", got)
		}
		for _, path := range []string{"/activity?tab=x", "/activity?before=x", "/activity/live?after=x", "/activity/requests/x", "/activity/requests/" + outbox.ID()} {
			if a := v.get(path); a.status != 404 {
				t.Errorf("%s: %d", path, a.status)
			}
		}
		part := v.do("GET", "/activity?q=ada", nil, func(r *http.Request) {
			r.Header.Set("HX-Request", "true")
			r.Header.Set("HX-Target", "list")
		})
		if !strings.HasPrefix(part.body, `<div id="list"`) || part.has("<html") || !part.has(`hx-swap-oob="true"`) || !part.has(`href="/activity?q=ada&amp;tab=mails"`) {
			t.Errorf("the list alone: %s", part.body)
		}
	})
}

func TestActivityIsPagedWithoutGapsOrRepeats(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		want := map[string]int{}
		for i := range 70 {
			name := fmt.Sprintf("p%02d", i)
			u := w.User(name)
			want["Okta updated "+name+" Test"]++ // the fixture's method is no POST
			if i%3 == 0 {                        // what follows from no request
				op := outbox.Operation(models.KindUserUpsert, w.Workspace.ID, w.Connection.ID, models.ResourceUser, u.ID, 1, w.Clock.Now())
				if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&op); return nil }); err != nil {
					t.Fatal(err)
				}
				want[name+" Test is to be brought up to date"]++
			}
		}
		got := map[string]int{}
		pages := 0
		for path := "/activity?tab="; path != "" && pages < 10; pages++ {
			a := v.get(path)
			for _, row := range happened(a) {
				got[row]++
			}
			path = ""
			if older := olderIn.FindStringSubmatch(a.body); older != nil {
				path = strings.ReplaceAll(older[1], "&amp;", "&")
			}
		}
		if pages != 2 {
			t.Errorf("%d pages", pages)
		}
		for row, n := range want {
			if got[row] != n {
				t.Errorf("%q is there %d times", row, got[row])
			}
		}
	})
}

func TestARequestShowsWhatWasSentAndWhatCameOfIt(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		w.Mailbox(nil)
		c := w.Caller()
		c.Method, c.Body, c.ProviderRequestID, c.RequestID, c.IP, c.UserAgent, c.Actor = "POST", `{"userName":"ada@acme.test","password":"***","title":"<b>"}`, "okta-request-77", outbox.ID(), "203.0.113.40", "Okta SCIM Client 1.0.0", "token …wZr1"
		ada, err := w.Directory.CreateUser(t.Context(), c, w.Person("ada"))
		if err != nil {
			t.Fatal(err)
		}
		w.Settled(10 * time.Second)
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		a := v.get("/activity/requests/" + entries[0].ID)
		for _, text := range []string{"Okta created ada Test", "Accepted and done.", `<span class="mask">hidden, not stored</span>`, `<span class="k">&#34;userName&#34;</span>`, "&lt;b&gt;", "<code>/Users</code>",
			"Person brought up to date", "Invitation mailed", "invitation.email", "1st try", "okta-request-77", c.RequestID, "203.0.113.40", "Okta SCIM Client 1.0.0", "token …wZr1", "answered 201"} {
			if !a.has(text) {
				t.Errorf("the page lacks %q", text)
			}
		}
		c.Method, c.Body = "PATCH", ""
		w.Patch(ada.ID, `[{"op":"replace","value":{"title":"Staff engineer"}}]`)
		entries, err = w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		if a := v.get("/activity/requests/" + entries[0].ID); !a.has("<td>title</td>") || !a.has("<ins>Staff engineer</ins>") {
			t.Errorf("%s", a.body)
		}

		other, err := workspace.Create(t.Context(), w.Store, "Other", "boss@other.test", models.PlanEnterprise, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		e := models.AuditEntry{ID: outbox.ID(), WorkspaceID: other.ID, Method: "POST", TargetType: "User", Status: 201, Detail: "secret", At: w.Clock.Now()}
		if err := w.Store.AddAudit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		foreign, missing := v.get("/activity/requests/"+e.ID), v.get("/activity/requests/"+outbox.ID())
		if foreign.status != 404 || foreign.body != missing.body {
			t.Errorf("a foreign request is told from a missing one: %d", foreign.status)
		}
	})
}

func TestActivityIsExportedAsCSV(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		if _, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"evil@acme.test","displayName":"=cmd|' /C calc'!A0"}`)); err != nil {
			t.Fatal(err)
		}
		var entries []models.AuditEntry
		for range 1200 {
			entries = append(entries, models.AuditEntry{ID: outbox.ID(), WorkspaceID: w.Workspace.ID, Method: "PATCH", TargetType: "User", TargetID: "", Status: 400, Detail: "no", At: w.Clock.Now()})
		}
		if err := w.Store.AddAudit(t.Context(), entries...); err != nil {
			t.Fatal(err)
		}
		a := v.get("/activity.csv")
		if a.status != 200 || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment; ") {
			t.Fatalf("%d %v", a.status, a.header)
		}
		records, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(records) < 1203 || records[0][1] != "What happened" {
			t.Errorf("%d records, %q", len(records), records[0])
		}
		if !a.has("'=cmd") || a.has(",=cmd") || a.has("\n=cmd") {
			t.Error("a name is a formula")
		}
		if a := v.get("/activity.csv?tab=signins"); strings.Count(a.body, "\n") != 2 {
			t.Errorf("the filter does not count: %s", a.body)
		}
	})
}

func TestNewsAreCountedAndNotPushed(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		w.User("ada")
		a := v.get("/activity")
		live := strings.ReplaceAll(between(a.body, `sse-connect="`, `"`), "&amp;", "&")
		if !strings.HasPrefix(live, "/activity/live?after=") {
			t.Fatalf("%q", live)
		}
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+live, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		lines := make(chan string, 100)
		go func() {
			defer close(lines)
			for sc := bufio.NewScanner(got.Body); sc.Scan(); {
				lines <- sc.Text()
			}
		}()
		next := func(part string) string {
			timeout := time.After(20 * time.Second)
			for {
				select {
				case line := <-lines:
					if strings.Contains(line, part) {
						return line
					}
				case <-timeout:
					t.Fatalf("%q never came", part)
				}
			}
		}
		next("event: news")
		if line := next("data:"); strings.Contains(line, "new") {
			t.Errorf("news before there are any: %s", line)
		}
		w.User("ben")
		w.User("cy")
		line := next(" new, show them")
		if strings.Contains(line, "ben") || !strings.Contains(line, `href="/activity"`) {
			t.Errorf("%s", line)
		}
		if !strings.Contains(line, "2 new") {
			next("2 new, show them")
		}
	})
}
