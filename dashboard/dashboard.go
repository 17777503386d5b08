// Package dashboard is the web for people: pages from html/template, swapped in parts by htmx, alive by server-sent events.
// It never changes a row by itself: each act is one call to directory or workspace, which decide and record it.
package dashboard

import (
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"outpost/directory"
	"outpost/jobs"
	"outpost/mail"
	"outpost/outbox"
	"outpost/sso"
	"outpost/store"
	"outpost/workspace"
)

// Config is all that the dashboard needs.
type Config struct {
	Store     *store.Store
	Outbox    *outbox.Outbox
	Directory *directory.Directory
	Hands     *workspace.Hands
	Gate      *sso.Gate
	Queue     *jobs.Client  // nil where there is no Redis
	Watch     *outbox.Watch // whose Run is at work
	// PublicURL is where people reach the dashboard. https makes its cookies __Host- and Secure.
	PublicURL string
	// MailFrom is the address that our mails come from, for people to look for.
	MailFrom string
	// Operators are the addresses, folded, of the people who may look at all queues. With OwnersOperate every owner may.
	Operators     []string
	OwnersOperate bool
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []string
	// Mailbox is the built-in mailbox of development, shown at /dev/mail; nil where mails really leave.
	Mailbox *mail.Mailbox
	Version string
	Log     *slog.Logger
	Now     func() time.Time
	// Done is closed when the process stops: live views end then. nil is never.
	Done <-chan struct{}
}

// Dashboard serves every page that is not SCIM or health.
type Dashboard struct {
	Config
	handler   http.Handler
	pages     map[string]*template.Template
	secure    bool // PublicURL is https
	proxies   []netip.Prefix
	operators map[string]bool
	live      *hub
	static    map[string]asset
}

// New makes a Dashboard.
func New(c Config) (*Dashboard, error) {
	public, err := url.Parse(c.PublicURL)
	if err != nil || public.Host == "" {
		return nil, fmt.Errorf("the public URL %q is not one", c.PublicURL)
	}
	d := &Dashboard{Config: c, secure: public.Scheme == "https", operators: map[string]bool{}, static: assets()}
	d.live = newHub(c.Done, c.Log, c.Gate.Still)
	for _, address := range c.Operators {
		d.operators[address] = true
	}
	for _, p := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			address, err := netip.ParseAddr(p)
			if err != nil {
				return nil, fmt.Errorf("trusted proxy %q is neither an address nor a network", p)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		d.proxies = append(d.proxies, prefix)
	}
	if d.pages, err = parsePages(d.static); err != nil {
		return nil, err
	}
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, err
	}
	protection.AddInsecureBypassPattern("POST /saml/{id}/acs") // the answer of a provider comes from its site
	protection.SetDenyHandler(d.handle(route{rule: open, do: refuseCrossOrigin}))
	d.handler = protection.Handler(d.mux())
	return d, nil
}

// ServeHTTP implements http.Handler.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// mux routes every request.
func (d *Dashboard) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range d.routes() {
		mux.Handle(r.pattern, d.handle(r))
	}
	if d.Mailbox != nil {
		mux.Handle("/dev/mail", http.StripPrefix("/dev/mail", d.Mailbox.Handler()))
		mux.Handle("/dev/mail/", http.StripPrefix("/dev/mail", d.Mailbox.Handler()))
		mux.Handle("/dev/mail.json", d.Mailbox.JSON())
	}
	return mux
}
