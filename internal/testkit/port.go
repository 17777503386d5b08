package testkit

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports come from below the range that outgoing connections are given, so that a server which is down for a moment
// finds its port free again.
const firstPort, endPort = 15000, 30000

var ports struct {
	sync.Mutex
	given map[int]bool
}

// FreePort is a free port on 127.0.0.1, given once in this process.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func freePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
	}
	for range 1000 {
		port := firstPort + rand.IntN(endPort-firstPort)
		if ports.given[port] {
			continue
		}
		listener, err := net.Listen("tcp", local(port))
		if err != nil {
			continue
		}
		_ = listener.Close()
		ports.given[port] = true
		return port, nil
	}
	return 0, errors.New("find a free port on 127.0.0.1: none in 1000 tries")
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
