package sso

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"outpost/models"
)

// inside are spellings of URLs that lead to addresses which are not public, or are no URLs of metadata at all. Names
// under .test resolve as the test's own name server has it.
var inside = []string{
	// this machine
	"https://127.0.0.1/", "https://127.0.0.1:443/", "https://127.1/", "https://127.0.1/", "https://127.255.255.254/", "https://localhost/", "https://LOCALHOST/", "https://localhost./",
	"https://[::1]/", "https://[::1]:443/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[0:0:0:0:0:ffff:127.0.0.1]/", "https://[::127.0.0.1]/", "https://[::]/", "https://0.0.0.0/", "https://0/", "https://0.0.0.0:443/",
	"https://2130706433/", "https://017700000001/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://127.0.0.1./", "https://%31%32%37.0.0.1/", "https://①②⑦.0.0.1/", "https://127。0。0。1/",
	// networks of one's own
	"https://10.0.0.1/", "https://10.255.255.255/", "https://172.16.0.1/", "https://172.31.255.254/", "https://192.168.0.1/", "https://192.168.255.254/", "https://[fc00::1]/", "https://[fd12:3456:789a::1]/", "https://[::ffff:10.0.0.1]/", "https://[::ffff:192.168.1.1]/", "https://167772161/", "https://0xc0a80001/",
	// links, carriers, clouds
	"https://169.254.169.254/latest/meta-data/", "https://[::ffff:169.254.169.254]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://100.64.0.1/", "https://100.127.255.254/", "https://[fd00:ec2::254]/", "https://2852039166/", "https://168.63.129.16.test/",
	// groups, and addresses that stand for others
	"https://224.0.0.1/", "https://239.255.255.255/", "https://255.255.255.255/", "https://240.0.0.1/", "https://[ff02::1]/", "https://192.0.0.192/", "https://192.0.2.1/", "https://198.18.0.1/", "https://203.0.113.1/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a00:1]/", "https://[2002:7f00:1::]/", "https://[2001:0:7f00:1::]/", "https://[2001:db8::1]/", "https://[100::1]/",
	// names
	"https://loopback.test/", "https://LoopBack.test./", "https://private.test/", "https://metadata.test/", "https://mapped.test/", "https://mixed-private.test/", "https://cgnat.test/", "https://unique-local.test/",
	// no URLs of metadata
	"http://127.0.0.1/", "http://93.184.216.34/", "https://user@127.0.0.1/", "https://user:password@93.184.216.34/", "https://93.184.216.34@127.0.0.1/", "https://127.0.0.1:8443/", "https://93.184.216.34:80/", "https://93.184.216.34:22/", "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:443/", "//127.0.0.1/", "127.0.0.1", "https:///etc/passwd", "https://", "https:127.0.0.1", "https://127.0.0.1\\@93.184.216.34/", "https://127.0.0.1#@93.184.216.34/", "https://127.0.0.1?@93.184.216.34/", " https://127.0.0.1/", "https://127.0.0.1 /", "https://\t127.0.0.1/", "data:text/xml,<x/>", "javascript:alert(1)", "",
}

// names is a name server that knows these names, and counts what it is asked.
func names(t *testing.T, known map[string][]string) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			socket.WriteTo(reply(buffer[:n], known), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
}

// reply answers one question for A or AAAA records (RFC 1035).
func reply(question []byte, known map[string][]string) []byte {
	var labels []string
	i := 12
	for question[i] != 0 {
		length := int(question[i])
		labels = append(labels, strings.ToLower(string(question[i+1:i+1+length])))
		i += length + 1
	}
	kind := binary.BigEndian.Uint16(question[i+1:])
	answer := slices.Clone(question[:i+5])
	answer[2], answer[3] = 0x81, 0x80
	clear(answer[6:12])
	addresses, exists := known[strings.Join(labels, ".")]
	if !exists {
		answer[3] |= 3
		return answer
	}
	for _, text := range addresses {
		address := netip.MustParseAddr(text)
		if address.Is4() != (kind == 1) || kind != 1 && kind != 28 {
			continue
		}
		answer[7]++
		answer = append(answer, 0xc0, 12)
		answer = binary.BigEndian.AppendUint16(answer, kind)
		answer = append(answer, 0, 1, 0, 0, 0, 0)
		raw := address.AsSlice()
		answer = binary.BigEndian.AppendUint16(answer, uint16(len(raw)))
		answer = append(answer, raw...)
	}
	return answer
}

// counting is outside's dialer, except that it counts the addresses it was let through to, and connects to none.
func counting(resolver *net.Resolver, reached *sync.Map) dial {
	dialer := guarded(resolver)
	judge := dialer.Control
	dialer.Control = func(network, address string, c syscall.RawConn) error {
		if err := judge(network, address, c); err != nil {
			return err
		}
		reached.Store(address, true)
		return errors.New("reached")
	}
	return dialer.DialContext
}

func TestMetadataIsFetchedFromPublicAddressesOnly(t *testing.T) {
	t.Parallel()
	resolver := names(t, map[string][]string{
		"loopback.test": {"127.0.0.1", "::1"}, "private.test": {"10.1.2.3"}, "metadata.test": {"169.254.169.254"}, "mapped.test": {"::ffff:127.0.0.1"},
		"mixed-private.test": {"192.168.1.1", "fd00::1"}, "cgnat.test": {"100.100.100.200"}, "unique-local.test": {"fd12::1"}, "168.63.129.16.test": {"0.0.0.0"},
		"localhost": {"127.0.0.1"}, "public.test": {"93.184.216.34"},
	})
	if len(inside) < 60 {
		t.Fatalf("there are %d spellings", len(inside))
	}
	var reached sync.Map
	client := visitor(counting(resolver, &reached))
	for _, address := range inside {
		began := time.Now()
		body, err := fetch(t.Context(), client, address)
		if err == nil || body != nil || !models.Is(err, models.Invalid) && !models.Is(err, models.Unavailable) {
			t.Errorf("%q: %v", address, err)
			continue
		}
		if detail := errText(err); detail != errFetch && detail != errText(errAddress) {
			t.Errorf("%q: the error tells more than it may: %s", address, detail)
		}
		if time.Since(began) > fetchTime {
			t.Errorf("%q: it took %s", address, time.Since(began))
		}
	}
	reached.Range(func(address, _ any) bool {
		t.Errorf("%v was reached", address)
		return true
	})
	// The control: a public address is reached, by number and by name.
	for _, address := range []string{"https://93.184.216.34/metadata", "https://public.test/metadata", "https://public.test:443/metadata", "https://[2606:4700:4700::1111]/"} {
		if _, err := fetch(t.Context(), client, address); !models.Is(err, models.Unavailable) {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"93.184.216.34:443", "[2606:4700:4700::1111]:443"} {
		if _, ok := reached.Load(address); !ok {
			t.Errorf("%s was not reached", address)
		}
	}
	t.Logf("%d spellings", len(inside))
}

// A name that leads outside when it is looked up, and inside when it is connected to, is judged when it is connected to.
func TestANameThatMovesInsideIsNotFollowed(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var connections atomic.Int32
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			c.Close()
		}
	}()
	known := map[string][]string{"moving.test": {"93.184.216.34", "127.0.0.1"}}
	var reached sync.Map
	client := visitor(counting(names(t, known), &reached))
	if _, err := fetch(t.Context(), client, "https://moving.test/"); err == nil {
		t.Error("it was fetched")
	}
	if _, ok := reached.Load("127.0.0.1:443"); ok {
		t.Error("it was followed inside")
	}
	// The real dialer does not connect to the listener, though it is there.
	if c, err := outside(nil)(t.Context(), "tcp", listener.Addr().String()); err == nil {
		c.Close()
		t.Error("a connection was made")
	}
	if connections.Load() != 0 {
		t.Errorf("%d connections were made", connections.Load())
	}
}

// served is a server of the internet, as the client sees it.
func served(t *testing.T, handle http.HandlerFunc) *http.Client {
	t.Helper()
	server := httptest.NewTLSServer(handle)
	t.Cleanup(server.Close)
	client := visitor(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	})
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	return client
}

func TestFetchedMetadata(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		size   int // of what is fetched, -1 for a refusal
	}{
		"a document":       {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<x/>")) }, 4},
		"1 MiB":            {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxMetadata)) }, maxMetadata},
		"1 MiB and a byte": {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxMetadata+1)) }, -1},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/other", http.StatusFound)
		}, -1},
		"a redirect to this": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1/", http.StatusMovedPermanently)
		}, -1},
		"an error with a document": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			w.Write([]byte("secret"))
		}, -1},
		"nothing there": {http.NotFound, -1},
		"a broken body": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("<x/>"))
		}, -1},
		"large headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			w.Write([]byte("<x/>"))
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			client := served(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); test.handle(w, r) })
			body, err := fetch(t.Context(), client, "https://example.com/metadata")
			if test.size >= 0 && (err != nil || len(body) != test.size) {
				t.Errorf("%d bytes, %v", len(body), err)
			}
			if test.size < 0 && (!models.Is(err, models.Unavailable) || errText(err) != errFetch || body != nil) {
				t.Errorf("%d bytes, %v", len(body), err)
			}
			if asked.Load() != 1 {
				t.Errorf("the server was asked %d times", asked.Load())
			}
		})
	}
}

func TestASlowServerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	client := served(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		w.Write([]byte("<x>"))
		w.(http.Flusher).Flush()
		<-r.Context().Done() // until the client goes
	})
	client.Timeout = 100 * time.Millisecond
	if _, err := fetch(t.Context(), client, "https://example.com/metadata"); !models.Is(err, models.Unavailable) {
		t.Errorf("got %v", err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open")
	}
	if visitor(nil).Timeout != 5*time.Second || visitor(nil).Transport.(*http.Transport).Proxy != nil {
		t.Error("the client waits longer than five seconds, or uses a proxy")
	}
}

func TestACertificateOfNobodyIsRefused(t *testing.T) {
	t.Parallel()
	client := served(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<x/>")) })
	client.Transport.(*http.Transport).TLSClientConfig = nil
	if _, err := fetch(t.Context(), client, "https://example.com/metadata"); !models.Is(err, models.Unavailable) {
		t.Errorf("got %v", err)
	}
}
