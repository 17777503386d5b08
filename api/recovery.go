package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// recover answers a panic as an internal error. The stack goes to the log.
func (s *server) recover(r *request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { // asks for the connection to be cut
		panic(p)
	}
	err := fmt.Errorf("panic: %v", p)
	s.log.LogAttrs(r.ctx, slog.LevelError, "panic", slog.String("request_id", r.id), slog.String("route", r.FullPath()), slog.Any("error", err), slog.String("stack", string(debug.Stack())))
	s.fail(r, err)
}
