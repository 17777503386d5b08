package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"outpost/dashboard"
	"outpost/directory"
	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/jobs"
	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

// routesOf lists the routes of a dashboard with Redis.
func routesOf(t *testing.T) []dashboard.Route {
	t.Helper()
	q, err := jobs.Connect(testkit.NewRedis(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return dashboard.Routes(dashboard.Config{Queue: q})
}

func TestEveryRouteHasARule(t *testing.T) {
	t.Parallel()
	open := []string{"GET /static/{file}", "/", "GET /signin", "POST /signin", "GET /signin/sent", "GET /signin/{token}", "POST /signin/{token}", "POST /theme",
		"GET /signin/sso", "POST /signin/sso", "GET /saml/{id}/metadata", "GET /saml/{id}/login", "POST /saml/{id}/acs", "GET /invite/{token}/sso",
		"GET /invite/{token}", "POST /invite/{token}", "POST /invite/{token}/again", "POST /invite/{token}/signout"}
	for _, r := range routesOf(t) {
		switch {
		case r.Rule == "":
			t.Errorf("%s has no rule", r.Pattern)
		case (r.Rule == "open") != slices.Contains(open, r.Pattern):
			t.Errorf("%s is %s: what is open to everybody is listed here", r.Pattern, r.Rule)
		case strings.Contains(r.Pattern, "/operator") || strings.Contains(r.Pattern, "/monitoring"):
			if r.Rule != "operator" {
				t.Errorf("%s is for %s", r.Pattern, r.Rule)
			}
		}
	}
}

// path fills a pattern with ids that are somebody's.
func fill(pattern string, ids map[string]string) (method, path string) {
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		method, path = "GET", pattern
	}
	path = strings.TrimSuffix(path, "{$}")
	for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		id := ids[name[1]]
		if name[1] == "id" {
			for prefix, of := range map[string]string{"/account/sessions/": "session", "/settings/security/": "connection", "/saml/": "connection", "/people/": "member", "/settings/members/": "member", "/groups/": "group", "/runs/": "run", "/activity/": "audit"} {
				if strings.HasPrefix(path, prefix) {
					id = ids[of]
				}
			}
		}
		path = strings.ReplaceAll(path, name[0], id)
	}
	return method, path
}

// things are the ids of what a workspace has: one of each.
func things(t *testing.T, w *fixture.World, connection models.Connection, member models.Member) map[string]string {
	t.Helper()
	ids := map[string]string{"connection": connection.ID, "member": member.ID, "file": "outpost.css"}
	caller := directory.Caller{WorkspaceID: connection.WorkspaceID, ConnectionID: connection.ID, Actor: "token", Method: "TEST"}
	g, err := w.Directory.CreateGroup(t.Context(), caller, &scim.Group{DisplayName: "G"})
	if err != nil {
		t.Fatal(err)
	}
	ids["group"] = g.ID
	tokens, err := w.Store.Tokens(t.Context(), connection.ID)
	if err != nil {
		t.Fatal(err)
	}
	ids["token"] = tokens[0].ID
	session, _ := sso.Begin(member, sso.Origin{}, w.Clock.Now(), w.Clock.Now())
	ids["session"] = session.ID
	run := models.Run{ID: outbox.ID(), WorkspaceID: connection.WorkspaceID, ConnectionID: connection.ID, Title: "R", StartedAt: w.Clock.Now(), LastAt: w.Clock.Now()}
	entry := models.AuditEntry{ID: outbox.ID(), WorkspaceID: connection.WorkspaceID, Actor: "token", Method: "POST", TargetType: "User", TargetID: outbox.ID(), Status: 201, At: w.Clock.Now()}
	if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&run, &entry, &session); return nil }); err != nil {
		t.Fatal(err)
	}
	ids["run"], ids["audit"] = run.ID, entry.ID
	return ids
}

// joined makes an active member with a role.
func joined(t *testing.T, w *fixture.World, workspaceID, email string, role models.Role) models.Member {
	t.Helper()
	now := w.Clock.Now()
	m := models.Member{ID: outbox.ID(), WorkspaceID: workspaceID, Email: email, EmailKey: scim.Fold(email), Name: "Some " + string(role), Role: role, HandRole: role, Status: models.MemberActive, AcceptedAt: &now, CreatedAt: now, UpdatedAt: now}
	if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&m); return nil }); err != nil {
		t.Fatal(err)
	}
	return m
}

// fetch asks for a route. A live view is left as soon as it begins.
func (v *visitor) fetch(method, path string) answer {
	v.t.Helper()
	if !strings.HasSuffix(path, "/live") {
		var form url.Values
		if method != "GET" {
			form = url.Values{}
		}
		return v.do(method, path, form, nil)
	}
	r, err := http.NewRequest(method, v.site.URL+path+"?after="+outbox.ID(), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	got, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer got.Body.Close()
	b := make([]byte, 20) // "retry: 1000"
	n, _ := got.Body.Read(b)
	return answer{got.StatusCode, got.Header, string(b[:n])}
}

// TestEachRoleReachesWhatItMayInItsOwnWorkspaceAndNothingElsewhere is the matrix of role, route and workspace.
func TestEachRoleReachesWhatItMayInItsOwnWorkspaceAndNothingElsewhere(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, _ *testkit.RedisServer) {
		s := serve(t, w, func(c *dashboard.Config) { c.Operators = []string{"operator@acme.test"} })
		foreign, err := workspace.Create(t.Context(), w.Store, "Globex", "owner@globex.test", models.PlanEnterprise, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		foreignOwner, err := w.Store.FirstOwner(t.Context(), foreign.ID)
		if err != nil {
			t.Fatal(err)
		}
		issued, err := w.Directory.CreateConnection(t.Context(), foreign, models.ProviderEntra, "test")
		if err != nil {
			t.Fatal(err)
		}
		own := things(t, w, w.Connection, joined(t, w, w.Workspace.ID, "somebody@acme.test", models.RoleMember))
		theirs := things(t, w, issued.Connection, foreignOwner)
		nobody := map[string]string{}
		for name := range own {
			nobody[name] = outbox.ID()
		}
		admin := joined(t, w, w.Workspace.ID, "admin@acme.test", models.RoleAdmin)
		visitors := map[string]*visitor{
			"owner": s.signIn(t, s.owner(t)), "admin": s.signIn(t, admin), "operator": s.signIn(t, joined(t, w, w.Workspace.ID, "operator@acme.test", models.RoleAdmin)), "stranger": s.stranger(t),
		}
		visitors["member"] = s.signIn(t, joined(t, w, w.Workspace.ID, "plain@acme.test", models.RoleMember))
		demoted := joined(t, w, w.Workspace.ID, "demoted@acme.test", models.RoleAdmin)
		visitors["demoted"] = s.signIn(t, demoted)
		demoted.Role, demoted.HandRole = models.RoleMember, models.RoleMember
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(demoted) }); err != nil {
			t.Fatal(err)
		}
		may := map[string][]string{"owner": {"signed", "admin", "owner"}, "admin": {"signed", "admin"}, "operator": {"signed", "admin", "operator"}, "member": {"signed"}, "demoted": {"signed"}, "stranger": {}}
		before := state(t, w, foreign.ID)
		for _, r := range routesOf(t) {
			if r.Rule == "open" || r.Pattern == "POST /signout" || r.Pattern == "POST /account/sessions/end-all" {
				continue
			}
			for role, v := range visitors {
				method, path := fill(r.Pattern, own)
				a := v.fetch(method, path)
				allowed := slices.Contains(may[role], r.Rule)
				switch {
				case role == "stranger":
					if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/signin") {
						t.Errorf("a stranger at %s: %d", r.Pattern, a.status)
					}
				case !allowed && a.status != map[bool]int{true: http.StatusNotFound, false: http.StatusForbidden}[r.Rule == "operator"]:
					t.Errorf("%s at %s: %d", role, r.Pattern, a.status)
				case allowed && (a.status == http.StatusForbidden && !a.has("yourself") && !a.has("owner") || a.status == http.StatusNotFound && r.Pattern != "POST /workspace" && !strings.HasPrefix(path, "/people/") && !strings.HasPrefix(path, "/account/") || a.status >= 500):
					t.Errorf("%s at %s (%s): %d %s", role, r.Pattern, path, a.status, a.body)
				}
				if !allowed || !strings.Contains(strings.TrimSuffix(r.Pattern, "{$}"), "{") {
					continue
				}
				v.get("/settings/security") // says what was done, once
				_, path = fill(r.Pattern, theirs)
				_, missing := fill(r.Pattern, nobody)
				a, b := v.fetch(method, path), v.fetch(method, missing)
				if a.status == http.StatusOK || a.status == http.StatusSeeOther && method == "GET" || a.status != b.status || withoutIDs(a.body) != withoutIDs(b.body) {
					t.Errorf("%s at %s of another workspace: %d, and %d for what is not there\n%s\n%s", role, r.Pattern, a.status, b.status, a.body, b.body)
				}
			}
		}
		if after := state(t, w, foreign.ID); before != after {
			t.Errorf("the other workspace has changed: %s\n%s", before, after)
		}
	})
}

var anID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)

func withoutIDs(body string) string { return anID.ReplaceAllString(body, "ID") }

// state is what a workspace is, in one string.
func state(t *testing.T, w *fixture.World, id string) string {
	t.Helper()
	members, err := w.Store.Members(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, m := range members {
		b.WriteString(m.Email + string(m.Role) + string(m.Status))
	}
	connections, err := w.Store.Connections(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range connections {
		b.WriteString(c.ID + string(c.Status) + c.SenderName)
		tokens, err := w.Store.Tokens(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			b.WriteString(token.ID)
			if token.EndsAt != nil {
				b.WriteString(token.EndsAt.String())
			}
		}
	}
	return b.String()
}

// TestOnlyOurOwnPagesChangeAnything sends every changing route what other sites, old browsers and links would send.
func TestOnlyOurOwnPagesChangeAnything(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, _ *testkit.RedisServer) {
		s := serve(t, w, func(c *dashboard.Config) { c.OwnersOperate = true })
		ids := things(t, w, w.Connection, joined(t, w, w.Workspace.ID, "somebody@acme.test", models.RoleMember))
		v := s.signIn(t, s.owner(t))
		before := state(t, w, w.Workspace.ID)
		n := 0
		for _, r := range routesOf(t) {
			method, path := fill(r.Pattern, ids)
			if method != "POST" || strings.HasSuffix(path, "/acs") { // where a provider's answer comes from its site
				continue
			}
			n++
			for name, change := range map[string]func(*http.Request){
				"another site": func(r *http.Request) {
					r.Header.Set("Sec-Fetch-Site", "cross-site")
					r.Header.Set("Origin", "https://evil.test")
				},
				"another host of the site": func(r *http.Request) {
					r.Header.Set("Sec-Fetch-Site", "same-site")
					r.Header.Set("Origin", "https://evil.acme.test")
				},
				"an old browser elsewhere": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.test") },
				"no browser":               func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Del("Origin") },
				"a page without an origin": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
			} {
				if a := v.do("POST", path, url.Values{"status": {"pause"}, "role": {"admin"}, "email": {"x@acme.test"}}, change); a.status != http.StatusForbidden {
					t.Errorf("POST %s from %s: %d", path, name, a.status)
				}
			}
			if a := v.get(path); a.status == http.StatusNoContent || a.status == http.StatusSeeOther && !strings.HasPrefix(path, "/sign") {
				t.Errorf("GET %s: %d", path, a.status)
			}
			for _, other := range []string{"PUT", "DELETE", "PATCH"} {
				if a := v.do(other, path, nil, nil); a.status < 400 {
					t.Errorf("%s %s: %d", other, path, a.status)
				}
			}
		}
		if n < 15 {
			t.Errorf("only %d routes change anything", n)
		}
		if after := state(t, w, w.Workspace.ID); before != after {
			t.Errorf("it has changed: %s\n%s", before, after)
		}
		if a := v.get("/settings/security"); a.status != http.StatusOK {
			t.Errorf("signed out by it: %d", a.status)
		}
	})
}

func TestEveryAnswerCarriesItsHeaders(t *testing.T) {
	t.Parallel()
	fixture.EachWithRedis(t, func(t *testing.T, w *fixture.World, _ *testkit.RedisServer) {
		s := serve(t, w, func(c *dashboard.Config) { c.OwnersOperate = true })
		ids := things(t, w, w.Connection, joined(t, w, w.Workspace.ID, "somebody@acme.test", models.RoleMember))
		v := s.signIn(t, s.owner(t))
		for _, r := range routesOf(t) {
			method, path := fill(r.Pattern, ids)
			if method != "GET" {
				continue
			}
			a := v.fetch(method, path)
			policy := a.header.Get("Content-Security-Policy")
			scripts := policy
			if i := strings.Index(policy, "script-src"); i >= 0 {
				scripts, _, _ = strings.Cut(policy[i:], ";")
			}
			if a.status == http.StatusSeeOther { // carries nothing to run
				continue
			}
			monitoring := strings.HasPrefix(path, "/monitoring")
			switch {
			case !strings.HasPrefix(policy, "default-src 'none'"), !strings.Contains(policy, "frame-ancestors 'none'"), strings.Contains(scripts, "unsafe"), !monitoring && strings.Contains(policy, "unsafe"):
				t.Errorf("%s: policy %q", path, policy)
			case a.header.Get("X-Content-Type-Options") != "nosniff", a.header.Get("Referrer-Policy") != "no-referrer", a.header.Get("Cross-Origin-Opener-Policy") != "same-origin":
				t.Errorf("%s: %v", path, a.header)
			case r.Rule != "open" && a.header.Get("Cache-Control") != "no-store":
				t.Errorf("%s: Cache-Control %q", path, a.header.Get("Cache-Control"))
			}
		}
	})
}

func TestCookiesAreNobodyElsesBusiness(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, fixture.SQLite(t), nil)
	s := serve(t, w, func(c *dashboard.Config) { c.PublicURL = "https://outpost.example.com" })
	v := s.stranger(t)
	a := v.do("POST", "/signin", url.Values{"email": {"owner@acme.test"}}, nil)
	if a.status != http.StatusSeeOther || len(a.header["Set-Cookie"]) == 0 {
		t.Fatalf("%d %v", a.status, a.header)
	}
	if a.header.Get("Strict-Transport-Security") == "" {
		t.Error("a browser is not told to come by https alone")
	}
	for _, c := range a.header["Set-Cookie"] {
		if !strings.HasPrefix(c, "__Host-") || !strings.Contains(c, "; Secure") || !strings.Contains(c, "; HttpOnly") || !strings.Contains(c, "; SameSite=Lax") || !strings.Contains(c, "; Path=/") || strings.Contains(c, "Domain=") {
			t.Errorf("the cookie %q", c)
		}
	}
}

func TestACookieOfAnotherSignInIsNotKept(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		v := s.signIn(t, s.owner(t))
		old := v.http.Jar.Cookies(mustParse(t, s.URL))
		admin := joined(t, w, w.Workspace.ID, "admin@acme.test", models.RoleAdmin)
		next := s.signIn(t, admin)
		if old[0].Value == next.http.Jar.Cookies(mustParse(t, s.URL))[0].Value {
			t.Error("two sessions have one cookie")
		}
		// The first browser signs in as somebody else: its old session ends.
		again := s.as(t, v, admin)
		if again.status != http.StatusSeeOther {
			t.Fatalf("%d %s", again.status, again.body)
		}
		thief := s.stranger(t)
		thief.http.Jar.SetCookies(mustParse(t, s.URL), old)
		if a := thief.get("/settings/security"); a.status != http.StatusSeeOther {
			t.Errorf("the cookie from before still works: %d", a.status)
		}
		// A change of the role gives the next page a new cookie, and the old one stops.
		before := v.http.Jar.Cookies(mustParse(t, s.URL))
		m, err := w.Store.Member(t.Context(), w.Workspace.ID, admin.ID)
		if err != nil {
			t.Fatal(err)
		}
		m.Role, m.HandRole = models.RoleOwner, models.RoleOwner
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(m) }); err != nil {
			t.Fatal(err)
		}
		if a := v.do("GET", "/settings/security", nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "navigate") }); a.status != http.StatusOK || len(a.header["Set-Cookie"]) == 0 {
			t.Fatalf("%d %v", a.status, a.header["Set-Cookie"])
		}
		if a := v.get("/settings/security"); a.status != http.StatusOK {
			t.Errorf("with the new cookie: %d", a.status)
		}
		thief.http.Jar.SetCookies(mustParse(t, s.URL), before)
		if a := thief.get("/settings/security"); a.status != http.StatusSeeOther {
			t.Errorf("with the cookie from before the change: %d", a.status)
		}
	})
}

func TestALiveViewEndsWithItsViewersAccess(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		s := serve(t, w, nil)
		p := s.browse(t, s.owner(t))
		p.Open(s.URL + "/settings/security/directory-sync/" + w.Connection.ID)
		p.WaitText("h1", "Okta")
		m := s.owner(t)
		m.SessionEpoch++
		if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveMember(m) }); err != nil {
			t.Fatal(err)
		}
		p.Within(15*time.Second).WaitText("h1", "Sign in to Outpost")
	})
}
