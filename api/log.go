package api

import (
	"log/slog"
	"net/http"
	"time"

	"outpost/directory"
)

// logRequest writes the line of a request: what was asked for by its route, never by names, tokens or bodies. Health
// checks are lines for debugging.
func (s *server) logRequest(r *request) {
	status := r.Writer.Status()
	level := slog.LevelInfo
	switch {
	case r.route.rule == public && status < http.StatusBadRequest:
		level = slog.LevelDebug
	case r.gone(): // nobody reads the answer, and nothing is wrong here
	case status >= http.StatusInternalServerError && status != http.StatusNotImplemented:
		level = slog.LevelWarn
	}
	if !s.log.Enabled(r.ctx, level) {
		return
	}
	connectionID := r.access.ConnectionID
	if connectionID == "" { // as the client says, if it can be one
		if id := r.Param("connection"); directory.IsID(id) {
			connectionID = id
		}
	}
	attrs := [...]slog.Attr{
		slog.String("request_id", r.id), slog.String("connection_id", connectionID), slog.String("method", known(r.Request.Method)), slog.String("route", r.FullPath()),
		slog.Int("status", status), slog.Duration("duration", time.Since(r.arrived)), slog.Int("bytes", max(r.Writer.Size(), 0)), {},
	}
	n := len(attrs) - 1
	if status == http.StatusUnauthorized { // who guesses at tokens
		attrs[n] = slog.String("ip", r.ClientIP())
		n++
	}
	s.log.LogAttrs(r.ctx, level, "request", attrs[:n]...)
}

// logIncomplete tells of a change that is committed but could not be shown whole.
func (s *server) logIncomplete(r *request, err error) {
	s.log.LogAttrs(r.ctx, slog.LevelWarn, "answer is incomplete", slog.String("request_id", r.id), slog.Any("error", err))
}

// known keeps a method of a client's invention out of the log.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
