package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"outpost/jobs"
	"outpost/models"
)

// site is one address that HTTP is served on.
type site struct {
	listener net.Listener
	server   *http.Server
}

// listen takes an address; with is where it can be chosen.
func listen(address, with string) (*site, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fault(models.Unavailable, "the address %s is taken, perhaps by another outpost: stop that program, or choose another address with %s", address, with)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return &site{listener: l, server: &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    32 << 10,
	}}, nil
}

// listenMetrics takes METRICS_ADDR. Where that is not set and its port is taken, as when several roles run on one
// machine, any free port does.
func listenMetrics(c config, log *slog.Logger) (*site, error) {
	if c.MetricsAddr != "" {
		return listen(string(c.MetricsAddr), "METRICS_ADDR")
	}
	s, err := listen(defaultMetricsAddr, "METRICS_ADDR")
	if err == nil {
		return s, nil
	}
	if s, err = listen("127.0.0.1:0", "METRICS_ADDR"); err == nil {
		log.Warn("the default METRICS_ADDR is taken: a free port is used instead", "default", defaultMetricsAddr, "metrics_addr", s.listener.Addr().String())
	}
	return s, err
}

// url is where the site is reached from this machine.
func (s *site) url() string {
	a := s.listener.Addr().(*net.TCPAddr)
	host := a.IP.String()
	if a.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(a.Port))
}

// serve answers requests from now on. If that ends by itself, failed is told.
func (s *site) serve(h http.Handler, log *slog.Logger, failed chan<- error) {
	s.server.Handler = h
	s.server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	go func() {
		if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
		}
	}()
}

// drainTime is how long requests that run may take to end.
const drainTime = 20 * time.Second

// drain takes no new requests and lets those that run end. For linger it still takes new ones, on connections that
// close after each, so that whoever distributes requests can notice that this process is not ready any more.
func (s *site) drain(ctx context.Context, linger time.Duration) {
	s.server.SetKeepAlivesEnabled(false)
	if linger > 0 {
		timer := time.NewTimer(linger)
		defer timer.Stop()
		<-timer.C
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		s.server.Close()
	}
}

// Close ends everything at once.
func (s *site) Close() {
	s.server.Close()
	s.listener.Close()
}

// health knows whether the process can do its work.
type health struct {
	stopping atomic.Bool
	database func(context.Context) error
	queue    *jobs.Client // nil where there is no Redis
}

// redis is the state of Redis as /readyz tells it.
func (h *health) redis() string {
	switch {
	case h.queue == nil:
		return "none"
	case h.queue.Away() > 0:
		return "away"
	}
	return "ok"
}

// readiness is the body of /readyz. Redis is told but not needed: workers poll the database without it.
type readiness struct {
	Status   string `json:"status"`   // "ready", "not ready" or "stopping"
	Database string `json:"database"` // "ok", "away" or, while stopping, "unknown"
	Schema   string `json:"schema"`   // "ok": a role does not start with another one
	Redis    string `json:"redis"`    // "ok", "away" or "none"
}

// ready answers /readyz.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	state, status := readiness{Status: "ready", Database: "ok", Schema: "ok", Redis: h.redis()}, http.StatusOK
	switch {
	case h.stopping.Load():
		state.Status, state.Database, status = "stopping", "unknown", http.StatusServiceUnavailable
	case h.database(ctx) != nil:
		state.Status, state.Database, status = "not ready", "away", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(state) // an error means that the asker has left
}

// before lets h's readiness fail first: it answers /readyz itself once the process is stopping.
func (h *health) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.stopping.Load() && r.URL.Path == "/readyz" {
			h.ready(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
