package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"
)

// schemaCheck remembers that the database's schema was found good: migrations are only ever added.
type schemaCheck struct{ good atomic.Bool }

// health says that the process is up.
func (s *server) health(r *request) error {
	r.send(http.StatusOK, plainJSON, []byte(`{"status":"ok"}`+"\n"))
	return nil
}

// readiness is the body of /readyz. Redis is told but not needed: workers poll the database without it.
type readiness struct {
	Status   string `json:"status"`   // "ready" or "not ready"
	Database string `json:"database"` // "ok" or "away"
	Schema   string `json:"schema"`   // "ok", "not migrated", or "unknown" while the database is away
	Redis    string `json:"redis"`    // "ok", "away" or "none"
}

// ready says whether requests can be served: the database answers and has the schema that this program needs.
func (s *server) ready(r *request) error {
	ctx, cancel := context.WithTimeout(r.ctx, 2*time.Second)
	defer cancel()
	state := readiness{Status: "not ready", Database: "away", Schema: "unknown", Redis: s.redis()}
	err := s.store.Ping(ctx)
	if err == nil {
		state.Database, state.Schema = "ok", "not migrated"
		if !s.schema.good.Load() {
			err = s.store.CheckSchema(ctx)
		}
	}
	status := http.StatusServiceUnavailable
	if err == nil {
		s.schema.good.Store(true)
		state.Status, state.Schema = "ready", "ok"
		status = http.StatusOK
	} else {
		s.log.Warn("not ready", "request_id", r.id, "error", err)
	}
	body, err := json.Marshal(state)
	if err != nil {
		return err
	}
	r.send(status, plainJSON, append(body, '\n'))
	return nil
}
