package sso

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"outpost/models"
)

const fetchTime = 5 * time.Second // for all of it: name, connection, document

var (
	errAddress = &models.Error{Code: models.Invalid, Detail: "give the metadata's URL as https://host/path, without a port, a user or a password, or paste the XML instead"}
	errFetch   = "the metadata could not be fetched: its URL must answer with the XML itself, over https, in 5 seconds, and be reachable from the internet; or paste the XML instead"
)

// FetchMetadata fetches an identity provider's metadata. It reaches public addresses only, whatever names and numbers
// the URL has for others, and follows no redirect. The error says nothing of what was found: it is Invalid for a URL that
// cannot work, Unavailable for everything else.
func FetchMetadata(ctx context.Context, address string) ([]byte, error) {
	return fetch(ctx, visitor(outside(nil)), address)
}

func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Port() != "" && u.Port() != "443" || u.Opaque != "" || len(address) > 2048 {
		return nil, errAddress
	}
	u.Fragment = ""
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errAddress
	}
	request.Header.Set("Accept", "application/samlmetadata+xml, application/xml, text/xml")
	response, err := client.Do(request)
	if err != nil {
		return nil, &models.Error{Code: models.Unavailable, Detail: errFetch, Err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxMetadata+1))
	switch {
	case err != nil:
	case response.StatusCode != http.StatusOK:
		err = errors.New(response.Status)
	case len(body) > maxMetadata:
		err = errors.New("larger than 1 MiB")
	default:
		return body, nil
	}
	return nil, &models.Error{Code: models.Unavailable, Detail: errFetch, Err: err}
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// visitor is a client that connects with dial and goes nowhere it is not told to: no proxy, no redirect.
func visitor(dial dial) *http.Client {
	return &http.Client{
		Timeout:       fetchTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dial,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 64 << 10,
			TLSHandshakeTimeout:    fetchTime,
		},
	}
}

// outside connects to public addresses only.
func outside(resolver *net.Resolver) dial { return guarded(resolver).DialContext }

// guarded is the dialer of outside. It judges the address itself, at the last moment before the connection, so that no
// name, spelling or change of a name in between leads elsewhere.
func guarded(resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{
		Timeout:  fetchTime,
		Resolver: resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !public(to.Addr()) || to.Port() != 443 {
				return errors.New("not a public address")
			}
			return nil
		},
	}
}

// public reports whether an address is of the internet at large (the registries of RFC 6890 and RFC 4291).
func public(address netip.Addr) bool {
	if address.Zone() != "" {
		return false
	}
	address = address.Unmap()
	if address.Is6() && !global.Contains(address) {
		return false
	}
	for _, prefix := range special {
		if prefix.Contains(address) {
			return false
		}
	}
	return address.IsValid() && !address.IsMulticast()
}

var global = netip.MustParsePrefix("2000::/3")

// special are the addresses that are somebody's own, or stand for others.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carriers' NAT
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), // link-local, and clouds' metadata
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("224.0.0.0/3"),
	netip.MustParsePrefix("2001::/23"), // among them Teredo
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4: an IPv4 address inside
	netip.MustParsePrefix("3fff::/20"),
}
