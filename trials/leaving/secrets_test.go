package leaving

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit"
	"outpost/models"
	"outpost/sso"
)

// tape keeps all that is written to it.
type tape struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *tape) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *tape) bytes() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.b.Bytes())
}

// secrets are all that were issued, by what they are.
type secrets map[string][]string

func (all secrets) add(what, secret string) string {
	if !slices.Contains(all[what], secret) {
		all[what] = append(all[what], secret)
	}
	return secret
}

// forms are the ways in which a secret can stand somewhere: as it is, its bytes where it is base64 itself, and either as
// hex or base64.
func forms(secret string) map[string][]byte {
	f := map[string][]byte{"as it is": []byte(secret), "in hex": []byte(hex.EncodeToString([]byte(secret))), "in base64": []byte(strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="))}
	if raw, err := base64.RawURLEncoding.DecodeString(secret); err == nil && len(raw) >= 16 {
		f["its bytes"], f["its bytes in hex"], f["its bytes in base64"] = raw, []byte(hex.EncodeToString(raw)), []byte(base64.RawStdEncoding.EncodeToString(raw))
	}
	return f
}

var mailed = regexp.MustCompile(`/(signin|invite)/([A-Za-z0-9_-]{43})`)

// TestNoSecretIsKeptOrTold plays a story in which every kind of secret is issued, and looks for each of them wherever
// the installation keeps or writes anything.
func TestNoSecretIsKeptOrTold(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			t.Parallel()
			text, lines := &tape{}, &tape{}
			debug := &slog.HandlerOptions{Level: slog.LevelDebug}
			log := slog.New(slog.NewMultiHandler(slog.NewTextHandler(text, debug), slog.NewJSONHandler(lines, debug)))
			s := newSite(t, database.driver, database.open(t), log)
			told := s.monitor(t)
			all := s.tell(t)
			for what, some := range map[string]int{"SCIM token": 2, "sign-in link": 4, "session": 4, "browser": 2, "invitation": 2, "password": 1} {
				if len(all[what]) < some {
					t.Errorf("%d secrets of the kind %q were issued, want %d", len(all[what]), what, some)
				}
			}

			places := map[string][]byte{
				"the log": text.bytes(), "the log in JSON": lines.bytes(), "what Redis was told": told(), "Redis": s.dumpRedis(t),
				"a Referer": []byte(strings.Join(s.referers, "\n")), "the database": s.dump(t),
			}
			maps.Copy(places, s.files(t))
			// What has to be found, so that it is known that the looking finds.
			found := func(place, what string) {
				if !bytes.Contains(places[place], []byte(what)) {
					t.Errorf("%s (%d bytes) does not have %q", place, len(places[place]), what)
				}
			}
			found("the database", hex.EncodeToString(sso.Hash(all["session"][0])))
			found("the database", "ada@acme.test")
			found("the log", "request_id=")
			found("the log in JSON", `"request_id":`)
			found("what Redis was told", "op:")
			found("a Referer", s.url)
			looked, size := 0, 0
			for place, b := range places {
				size += len(b)
				for what, some := range all {
					for _, secret := range some {
						for form, needle := range forms(secret) {
							looked++
							if at := bytes.Index(b, needle); at >= 0 {
								t.Errorf("%s has a secret (%s, %s): …%q", place, what, form, b[max(0, at-120):at])
							}
						}
					}
				}
			}
			n := 0
			for _, some := range all {
				n += len(some)
			}
			t.Logf("%s: %d secrets in all their forms were looked for %d times in %d places, %d bytes", database.name, n, looked, len(places), size)
		})
	}
}

// tell is the story. It gives every secret in it.
func (s *site) tell(t *testing.T) secrets {
	t.Helper()
	all := secrets{}
	owner, err := s.Store.FirstOwner(t.Context(), s.Workspace.ID)
	must(t, err)
	ask := func(method, path string, form url.Values, session string) answer {
		t.Helper()
		a, err := s.browse(method, path, form, session)
		must(t, err)
		if next := a.session(); next != "" {
			all.add("session", next)
		}
		return a
	}

	// The provider, with its token, one that is cut off, and a password in what it sends.
	token := all.add("SCIM token", s.Token)
	all.add("SCIM token", token[len(token)-38:])
	password := all.add("password", "correct-horse-battery-staple")
	s.provision("ada")
	s.provision("bob")
	if a := s.scim("POST", "/Users", strings.Replace(person("eve", true), `"active"`, `"password":"`+password+`","active"`, 1), ""); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.scim("POST", "/Users", `{"userName":"","password":"`+password+`"}`, "")
	s.Token = token[:len(token)-1]
	s.scim("GET", "/Users?filter=userName%20eq%20%22ada@acme.test%22&access_token="+url.QueryEscape(token), "", "")
	s.Token = token
	s.Settled(60 * time.Second)

	// Invitations: by the directory and by hand. Their links are opened.
	must(t, s.rows("SELECT id FROM invitations", func(id string) { all.add("invitation", s.Converge.InvitationToken(id)) }))
	for _, secret := range all["invitation"] {
		ask("GET", "/invite/"+secret, nil, "")
	}

	// The owner signs in, in a browser, by a mailed link, and looks around.
	b := testkit.Browser(t).Within(60 * time.Second)
	b.Open(s.url + "/signin")
	b.Fill("#email", "owner@acme.test")
	b.Click("button[type=submit]")
	b.WaitText("h1", "Check your mail")
	for _, c := range b.Cookies() {
		if c.Name == "outpost-browser" {
			all.add("browser", c.Value)
		}
	}
	var link string
	testkit.Eventually(t, 30*time.Second, "the link is mailed", func() bool {
		for _, m := range s.box.Messages() {
			if found := mailed.FindStringSubmatch(m.Text); found != nil && found[1] == "signin" {
				link = all.add("sign-in link", found[2])
			}
		}
		return link != ""
	})
	s.scanned(t, link)
	b.Open(s.url + "/signin/" + link)
	b.Click("main button[type=submit]")
	b.WaitText("h1", "Okta")
	for _, c := range b.Cookies() {
		if c.Name == "outpost-session" {
			all.add("session", c.Value)
		}
	}
	b.Click("nav a[href='/people']")
	b.WaitText("h1", "People")

	// Ada signs in with the provider.
	s.idp.Person("ada@acme.test")
	r, err := s.answered(&leaver{member: models.Member{Email: "ada@acme.test"}})
	must(t, err)
	for _, c := range r.Cookies() {
		all.add("browser", c.Value)
	}
	a, err := send(r)
	if err != nil || a.session() == "" {
		t.Fatalf("single sign-on: %d %v", a.status, err)
	}
	all.add("session", a.session())

	// More of each: links that are used, used twice, cut off, not used; a session that is switched, renewed, ended.
	links := s.links(owner, 4)
	for _, secret := range links {
		all.add("sign-in link", secret)
	}
	session := ask("POST", "/signin/"+links[0], url.Values{}, "").session()
	ask("POST", "/signin/"+links[0], url.Values{}, "")
	ask("GET", "/signin/"+links[1][:42], nil, "")
	ask("GET", "/people?q="+links[2], nil, "")
	session = ask("POST", "/workspace", url.Values{"workspace": {s.Workspace.ID}}, session).session()
	ask("POST", "/signin/again", url.Values{}, session)
	testkit.Eventually(t, 30*time.Second, "another link is mailed", func() bool {
		for _, m := range s.box.Messages() {
			if found := mailed.FindStringSubmatch(m.Text); found != nil && found[1] == "signin" {
				all.add("sign-in link", found[2])
			}
		}
		return len(all["sign-in link"]) >= 6
	})
	ask("POST", "/settings/members", url.Values{"email": {"hand@acme.test"}, "role": {"admin"}}, session)

	// A new token for the provider, shown once, and used.
	page := ask("POST", "/settings/security/directory-sync/"+s.Connection.ID+"/tokens", url.Values{}, session)
	fresh := regexp.MustCompile(`outp_scim_[0-9a-f-]{36}_[0-9A-Za-z]{38}`).FindString(page.body)
	if fresh == "" {
		t.Fatalf("no new token is shown: %d", page.status)
	}
	all.add("SCIM token", fresh)
	all.add("SCIM token", fresh[len(fresh)-38:])
	s.Token = fresh
	s.provision("zoe")
	s.Settled(60 * time.Second)
	must(t, s.rows("SELECT id FROM invitations", func(id string) { all.add("invitation", s.Converge.InvitationToken(id)) }))

	// What is told of failures: the last request comes when the session has ended.
	ask("POST", "/people/"+owner.ID+"/sign-out", url.Values{}, session)
	r, err = s.request(t.Context(), "GET", "/people", nil, "outpost-session="+session)
	must(t, err)
	r.Header.Set("Referer", s.url+"/settings/security")
	if a, err := send(r); err != nil || !toSignIn(a) {
		t.Errorf("signed out everywhere: %d %v", a.status, err)
	}
	s.Directory.Flush(t.Context())
	return all
}

// scanned lets programs that look at the links of mails look at one, and fails if that uses it up.
func (s *site) scanned(t *testing.T, token string) {
	t.Helper()
	for range 20 {
		for _, method := range []string{"GET", "HEAD"} {
			if a, err := s.browse(method, "/signin/"+token, nil, ""); err != nil || a.status != http.StatusOK || a.session() != "" {
				t.Errorf("%s of an unused link: %d %v", method, a.status, err)
			}
		}
	}
	var used sql.NullTime
	must(t, s.db.QueryRow("SELECT used_at FROM sign_in_links WHERE token_hash = $1", sso.Hash(token)).Scan(&used))
	if used.Valid {
		t.Error("looking at a link uses it up")
	}
}

// rows runs a query for one column.
func (s *site) rows(query string, each func(string)) error {
	rows, err := s.db.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return err
		}
		each(v)
	}
	return rows.Err()
}
