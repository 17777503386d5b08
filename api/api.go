// Package api is SCIM 2.0 over HTTP: routes, bearer auth, limits, the bridge between scim and directory, SCIM errors.
// It never decides what a change means and never touches a row: each handler makes one call to directory.
package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"outpost/directory"
	"outpost/store"
)

// Config is all that the API needs.
type Config struct {
	Directory *directory.Directory
	Store     *store.Store // for /readyz
	// PublicURL is where clients reach this server, http(s)://host[:port][/prefix]. Locations begin with it.
	PublicURL string
	// TrustedProxies are the addresses or CIDRs whose X-Forwarded-For is believed; none by default.
	TrustedProxies []string
	Log            *slog.Logger
	// RedisState is shown by /readyz: "ok", "away" or "none". nil counts as none.
	RedisState func() string
	Limits     Limits
	// Web answers whatever is neither SCIM nor health. nil answers 404.
	Web http.Handler
}

// server is the API at work.
type server struct {
	directory *directory.Directory
	store     *store.Store
	base      string // PublicURL + "/scim/v2/"
	log       *slog.Logger
	redis     func() string
	limits    Limits
	gates     gates
	schema    schemaCheck
	engine    *gin.Engine // for the operations of a bulk request
}

// New makes the handler of everything that is served over HTTP. It sets Gin's mode, which is one for the process, to
// release. The caller sets the timeouts of the http.Server around it.
func New(c Config) (http.Handler, error) {
	s, err := newServer(c)
	if err != nil {
		return nil, err
	}
	return s.handler(c)
}

func newServer(c Config) (*server, error) {
	if c.Directory == nil || c.Store == nil {
		return nil, errors.New("the API needs a Directory and a Store")
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the public URL %q must be http://… or https://… without query and fragment", c.PublicURL)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.RedisState == nil {
		c.RedisState = func() string { return "none" }
	}
	limits := c.Limits.withDefaults()
	return &server{
		directory: c.Directory, store: c.Store, base: strings.TrimRight(c.PublicURL, "/") + "/scim/v2/", log: c.Log, redis: c.RedisState,
		limits: limits, gates: gates{running: limits.Running, waiting: max(limits.Waiting, 0), open: map[string]*gate{}},
	}, nil
}

func (s *server) handler(c Config) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.RedirectTrailingSlash = false // each route is there in both forms: a redirect would lose the body
	engine.HandleMethodNotAllowed = true
	if err := engine.SetTrustedProxies(c.TrustedProxies); err != nil {
		return nil, fmt.Errorf("trusted proxies: %w", err)
	}
	s.register(engine)
	s.engine = engine
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A base URL that was pasted with a slash at its end makes …//Users of it.
		if strings.HasPrefix(r.URL.Path, "/scim/v2/") && strings.Contains(r.URL.Path, "//") {
			for strings.Contains(r.URL.Path, "//") {
				r.URL.Path = strings.ReplaceAll(r.URL.Path, "//", "/")
			}
			r.URL.RawPath = ""
		}
		switch p := r.URL.Path; {
		case c.Web == nil, strings.HasPrefix(p, "/scim/"), p == "/scim", p == "/healthz", p == "/readyz":
			engine.ServeHTTP(w, r)
		default:
			c.Web.ServeHTTP(w, r)
		}
	}), nil
}
