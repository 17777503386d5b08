package dashboard_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/dashboard"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/store"
	"outpost/workspace"
)

// rows reads every row of every table, as text: bytes in hexadecimal.
func rows(t *testing.T, url string) map[string][]string {
	t.Helper()
	driver, source, list := "pgx", url, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
	if path, lite := strings.CutPrefix(url, "sqlite:"); lite {
		driver, source, list = "sqlite", path, "SELECT name FROM sqlite_master WHERE type = 'table'"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := map[string][]string{}
	for _, name := range column(t, db, list) {
		all[name[0]] = nil
		for _, row := range column(t, db, "SELECT * FROM "+name[0]) {
			all[name[0]] = append(all[name[0]], strings.Join(row, " | "))
		}
		slices.Sort(all[name[0]])
	}
	if len(all["invitations"]) == 0 || len(all["members"]) == 0 {
		t.Fatalf("nothing was read: %v", all)
	}
	return all
}

// column reads what a statement finds, each value as text.
func column(t *testing.T, db *sql.DB, statement string) (found [][]string) {
	t.Helper()
	got, err := db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	names, err := got.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for got.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := got.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(names))
		for i, v := range values {
			switch v := v.(type) {
			case []byte:
				row[i] = hex.EncodeToString(v) + " " + string(v)
			case time.Time:
				row[i] = v.UTC().Format(time.RFC3339Nano)
			default:
				row[i] = fmt.Sprint(v)
			}
		}
		found = append(found, row)
	}
	if err := got.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// onBoth runs test on a fresh world of either database, which it tells the URL of.
func onBoth(t *testing.T, test func(t *testing.T, w *fixture.World, url string)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) string{"sqlite": fixture.SQLite, "postgres": fixture.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := open(t)
			test(t, fixture.New(t, url, nil), url)
		})
	}
}

func TestLookingAtALinkChangesNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *fixture.World, url string) {
		s := serve(t, w, nil)
		m, err := w.Hands.Invite(t.Context(), hand(w), "ada@acme.test", "Ada", models.RoleMember)
		if err != nil {
			t.Fatal(err)
		}
		link := s.linkOf(t, m)
		scan := func(link string, status int) {
			t.Helper()
			before := rows(t, url)
			for i := range 20 {
				for _, method := range []string{"GET", "HEAD", "OPTIONS", "PROPFIND"} {
					v := s.stranger(t)
					agent := func(r *http.Request) { r.Header.Set("User-Agent", fmt.Sprintf("Mozilla/5.0 SafeLinks/%d", i)) }
					a := v.do(method, link, nil, agent)
					if (method == "GET" || method == "HEAD") && a.status != status || method == "HEAD" && a.body != "" {
						t.Fatalf("%s: %d %q", method, a.status, a.body)
					}
					for _, path := range []string{link + "/again", link + "/signout"} { // what only a form does
						if a := v.do(method, path, nil, agent); a.status < 400 {
							t.Fatalf("%s %s: %d", method, path, a.status)
						}
					}
				}
			}
			// A script on another site, and one that says nothing of itself, do not get in.
			for name, change := range map[string]func(*http.Request){
				"another site": func(r *http.Request) {
					r.Header.Set("Sec-Fetch-Site", "cross-site")
					r.Header.Set("Origin", "https://evil.test")
				},
				"nowhere": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Del("Origin") },
			} {
				for _, path := range []string{link, link + "/again", link + "/signout"} {
					if a := s.stranger(t).do("POST", path, nil, change); a.status != http.StatusForbidden {
						t.Errorf("from %s: %d", name, a.status)
					}
				}
			}
			after := rows(t, url)
			for _, table := range slices.Sorted(maps.Keys(after)) {
				if !slices.Equal(before[table], after[table]) {
					t.Errorf("%s has changed:\n%s\n%s", table, strings.Join(before[table], "\n"), strings.Join(after[table], "\n"))
				}
			}
		}
		scan(link, 200)
		w.Clock.Advance(workspace.DefaultLife)
		scan(link, 410)
		w.Clock.Advance(-workspace.DefaultLife)
		if a := s.stranger(t).post(link, nil); a.status != 303 || a.header.Get("Location") != "/" {
			t.Fatalf("the link does not work any more: %d %s", a.status, a.body)
		}
		scan(link, 410)
	})
}

// book is a log that is read while it is written.
type book struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestTheTokenOfALinkIsKeptNowhere(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *fixture.World, url string) {
		written := &book{}
		log := slog.New(slog.NewTextHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w.Log = log
		box := w.Mailbox(nil)
		w.User("ada")
		w.User("bo")
		w.Settled(patience)
		links := []string{invited(t, box, "ada@acme.test", 1), invited(t, box, "bo@acme.test", 1)}
		s := serve(t, w, func(c *dashboard.Config) { c.Log = log })
		look := func(link string, status int) {
			t.Helper()
			a := s.stranger(t).get(link)
			if a.status != status || a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", a.status, a.header)
			}
			for _, part := range strings.Split(a.body, `"`) { // nothing leads elsewhere, with the page's address or without
				if strings.Contains(part, "://") {
					t.Errorf("the page leads to %s", part)
				}
			}
		}
		look(links[0], 200)
		v := s.stranger(t)
		if a := v.post(links[0], nil); a.status != 303 || a.header.Get("Referrer-Policy") != "" && a.header.Get("Referrer-Policy") != "no-referrer" {
			t.Fatalf("%d %v", a.status, a.header)
		}
		look(links[0], 410)
		w.Clock.Advance(workspace.DefaultReminder)
		if err := w.Outbox.Write(t.Context(), func(tx *store.Tx) ([]models.Operation, error) {
			ops, _, err := workspace.Remind(tx, workspace.DefaultReminder, w.Clock.Now(), 10)
			return ops, err
		}); err != nil {
			t.Fatal(err)
		}
		w.Schedule()
		if again := invited(t, box, "bo@acme.test", 2); again != links[1] {
			t.Error("the reminder has another link")
		}
		w.Clock.Advance(workspace.DefaultLife)
		look(links[1], 410)
		if a := s.stranger(t).post(links[1]+"/again", nil); a.status != 303 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		links = append(links, invited(t, box, "bo@acme.test", 3))
		w.Store.Close() // even an error does not tell
		for _, link := range links {
			if a := s.stranger(t).get(link); a.status < 500 {
				t.Errorf("without a database: %d", a.status)
			}
			s.stranger(t).post(link, nil)
			s.stranger(t).post(link+"/again", nil)
		}
		if !strings.Contains(written.String(), "/invite/{token}") {
			t.Errorf("the log does not tell of the errors: %s", written)
		}
		all := rows(t, url)
		for _, link := range links {
			token := strings.TrimPrefix(link, "/invite/")
			raw, err := base64.RawURLEncoding.DecodeString(token)
			if err != nil || len(raw) != 32 {
				t.Fatalf("%s: %v", link, err)
			}
			for _, form := range []string{token, hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), hex.EncodeToString([]byte(token))} {
				for table, rows := range all {
					for _, row := range rows {
						if strings.Contains(row, form) {
							t.Errorf("%s has the token: %s", table, row)
						}
					}
				}
				if strings.Contains(written.String(), form) {
					t.Errorf("the log has the token")
				}
			}
		}
	})
}
