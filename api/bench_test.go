package api

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"outpost/internal/testkit/fixture"
)

// sink is a client that only counts.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// benchmark measures the handler in this process, over SQLite, with a log that is formatted and thrown away.
func benchmark(b *testing.B, prepare func(k *kit) func(i int64) (method, path, body string, status int)) {
	k := setup(b, fixture.SQLite(b), Config{})
	k.api.log = slog.New(slog.NewJSONHandler(io.Discard, nil))
	request := prepare(k)
	prefix := "/scim/v2/" + k.issued.Connection.ID
	var n atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			method, path, body, status := request(n.Add(1))
			req := httptest.NewRequest(method, prefix+path, strings.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+k.token)
			req.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
			w := &sink{header: http.Header{}}
			k.server.Config.Handler.ServeHTTP(w, req)
			if w.status != status {
				b.Errorf("%s %s: %d", method, path, w.status)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func BenchmarkRefusedToken(b *testing.B) {
	benchmark(b, func(k *kit) func(int64) (string, string, string, int) {
		k.token = "x"
		return func(int64) (string, string, string, int) { return "GET", "/Users", "", 401 }
	})
}

func BenchmarkGetUser(b *testing.B) {
	benchmark(b, func(k *kit) func(int64) (string, string, string, int) {
		id := k.user("ada")
		return func(int64) (string, string, string, int) { return "GET", "/Users/" + id, "", 200 }
	})
}

func BenchmarkFindUser(b *testing.B) {
	benchmark(b, func(k *kit) func(int64) (string, string, string, int) {
		k.user("ada")
		query := "/Users?filter=" + q(`userName eq "ada@acme.test"`) + "&startIndex=1&count=100"
		return func(int64) (string, string, string, int) { return "GET", query, "", 200 }
	})
}

func BenchmarkListHundredUsers(b *testing.B) {
	benchmark(b, func(k *kit) func(int64) (string, string, string, int) {
		for i := range 100 {
			k.user(fmt.Sprint("p", i))
		}
		return func(int64) (string, string, string, int) { return "GET", "/Users?startIndex=1&count=100", "", 200 }
	})
}

func BenchmarkCreateUser(b *testing.B) {
	benchmark(b, func(k *kit) func(int64) (string, string, string, int) {
		return func(i int64) (string, string, string, int) {
			return "POST", "/Users", userBody(fmt.Sprint("p", i)), 201
		}
	})
}

func BenchmarkPatchUser(b *testing.B) {
	benchmark(b, func(k *kit) func(int64) (string, string, string, int) {
		id := k.user("ada")
		return func(i int64) (string, string, string, int) {
			return "PATCH", "/Users/" + id, patchBody(fmt.Sprintf(`{"op":"replace","value":{"title":"T%d"}}`, i)), 200
		}
	})
}

func BenchmarkAddMember(b *testing.B) {
	benchmark(b, func(k *kit) func(int64) (string, string, string, int) {
		id, group := k.user("ada"), k.group("Eng")
		return func(i int64) (string, string, string, int) {
			op := map[bool]string{true: "add", false: "remove"}[i%2 == 0]
			return "PATCH", "/Groups/" + group, patchBody(fmt.Sprintf(`{"op":%q,"path":"members","value":[{"value":%q}]}`, op, id)), 200
		}
	})
}

// BenchmarkOverhead is what the API costs around a handler that does nothing: request id, routing, deadline, log line.
func BenchmarkOverhead(b *testing.B) {
	benchmark(b, func(k *kit) func(int64) (string, string, string, int) {
		return func(int64) (string, string, string, int) { return "GET", "/Nothing", "", 404 }
	})
}

func BenchmarkMask(b *testing.B) {
	body := []byte(userBody("ada"))
	b.ReportAllocs()
	for b.Loop() {
		if s := (&kept{data: body}).masked(true, false); len(s) > len(body) {
			b.Fatal(s)
		}
	}
}
