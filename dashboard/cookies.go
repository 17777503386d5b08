package dashboard

import (
	"net/http"
	"net/url"
	"time"
)

// The cookies. Each is HttpOnly but zoneCookie, which the browser's script writes.
const (
	sessionCookie = "outpost-session"
	browserCookie = "outpost-browser" // tells the browser that asked for a sign-in link
	samlCookie    = "outpost-saml"    // tells the browser that was sent to a provider
	askedCookie   = "outpost-asked"   // the address a link was asked for
	noteCookie    = "outpost-note"    // what the next page says once
	themeCookie   = "outpost-theme"
	zoneCookie    = "outpost-zone" // the browser's time zone
)

// cookieName is the name of a cookie as it travels. With https no other host, not even a sub-domain, can set it.
func (d *Dashboard) cookieName(name string) string {
	if d.secure && name != zoneCookie {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie for a while; life 0 ends with the browser, a negative one removes it.
func (r *request) setCookie(name, value string, life time.Duration) {
	c := &http.Cookie{Name: r.d.cookieName(name), Value: value, Path: "/", Secure: r.d.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(life / time.Second)}
	if life < 0 {
		c.MaxAge = -1
	}
	if name == samlCookie && r.d.secure { // the provider's page sends the form that needs it
		c.SameSite = http.SameSiteNoneMode
	}
	http.SetCookie(r.w, c)
}

// cookie is the value of a cookie, "" for none.
func (r *request) cookie(name string) string {
	c, err := r.Cookie(r.d.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// note takes what the last request wanted to be said.
func (r *request) note() string {
	value := r.cookie(noteCookie)
	if value == "" {
		return ""
	}
	r.setCookie(noteCookie, "", -1)
	note, err := url.QueryUnescape(value)
	if err != nil || len(note) > 500 {
		return ""
	}
	return note
}

// zoneOf is the reader's time zone, UTC where it is not known.
func zoneOf(r *http.Request) *time.Location {
	if c, err := r.Cookie(zoneCookie); err == nil && len(c.Value) < 64 {
		if name, err := url.QueryUnescape(c.Value); err == nil && name != "Local" {
			if zone, err := time.LoadLocation(name); err == nil {
				return zone
			}
		}
	}
	return time.UTC
}
