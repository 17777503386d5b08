package dashboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/hibiken/asynqmon"

	"outpost/directory"
)

// Redis is the way to Redis that jobs.Client.Connection returns.
type Redis interface{ MakeRedisClient() any }

// notShown stands for whatever a task carries besides an operation id.
const notShown = "(not shown)"

// Monitoring is Asynqmon below root, "/monitoring" for one, to look at and not to touch: tasks show as the ids of their
// operations, and the page loads nothing from elsewhere. Who may see it is the caller's to decide.
func Monitoring(redis Redis, root string) http.Handler {
	mon := asynqmon.New(asynqmon.Options{
		RootPath: root, RedisConnOpt: redis, ReadOnly: true,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(func(_ string, payload []byte) string { return idOnly(payload) }),
		ResultFormatter:  asynqmon.ResultFormatterFunc(func(_ string, result []byte) string { return idOnly(result) }),
	})
	page := indexPage(mon, root)
	policy := "default-src 'none'; script-src 'self' " + scriptHashes(page) + "; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
		"connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeaders(w.Header(), policy)
		w.Header().Set("Cache-Control", "no-store")
		below := strings.TrimPrefix(r.URL.Path, root)
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "The queues can only be looked at here.", http.StatusMethodNotAllowed)
		case strings.HasPrefix(below, "/api/"):
			mon.ServeHTTP(w, r)
		case path.Ext(below) != "": // script, icon, picture
			w.Header().Set("Cache-Control", "private, max-age=3600")
			mon.ServeHTTP(w, r)
		default: // the page, at whatever address its script gave it
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(page)
		}
	})
}

func idOnly(b []byte) string {
	if s := string(b); s == "" || directory.IsID(s) {
		return s
	}
	return notShown
}

// outside is a link to fonts on another server. Asynqmon's page has two; system fonts and its own icons do as well.
var outside = regexp.MustCompile(`<link rel="stylesheet" href="https?://[^"]*"/?>`)

// indexPage is Asynqmon's page as it is for root, without what it would load from elsewhere.
func indexPage(mon http.Handler, root string) []byte {
	rec := recorder{header: http.Header{}}
	mon.ServeHTTP(&rec, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: root + "/"}, Header: http.Header{}})
	return outside.ReplaceAll(rec.body.Bytes(), nil)
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

var inline = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// scriptHashes lists the scripts that stand in the page, as a Content-Security-Policy wants them.
func scriptHashes(page []byte) string {
	var hashes []string
	for _, script := range inline.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(script[1])
		hashes = append(hashes, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	return strings.Join(hashes, " ")
}
