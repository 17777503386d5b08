package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/scim"
)

// How many seconds a client is asked to wait: for the queue of its own connection, and for a part that is away.
const (
	retryTooMany     = 2
	retryUnavailable = 5
)

// fail answers a request with the error it ended in, and records a change that was refused. It is the one place that
// answers errors.
func (s *server) fail(r *request, err error) {
	if denied := s.directory.Confirm(r.ctx, r.caller); denied != nil {
		err = denied
		if models.Is(denied, models.Unknown) {
			r.access, r.caller.Access = directory.Access{}, directory.Access{}
		}
	}
	problem := asProblem(err, r.id)
	r.trouble, r.detail = r.troubleOf(err, problem.Status), printable(problem.Detail)
	if problem.Status >= 500 && problem.Status != http.StatusNotImplemented {
		// The cause goes to the log, and only there. Below 500 the sentence may name people, and the answer has it.
		level := slog.LevelError
		switch {
		case r.gone():
			level = slog.LevelDebug
		case problem.Status == http.StatusServiceUnavailable:
			level = slog.LevelWarn
		}
		s.log.LogAttrs(r.ctx, level, "request failed", slog.String("request_id", r.id), slog.Any("error", err))
	}
	if !r.Writer.Written() {
		header := r.Writer.Header()
		switch problem.Status {
		case http.StatusUnauthorized:
			header.Set("WWW-Authenticate", "Bearer")
		case http.StatusTooManyRequests:
			header.Set("Retry-After", strconv.Itoa(retryTooMany))
		case http.StatusServiceUnavailable:
			header.Set("Retry-After", strconv.Itoa(retryUnavailable))
		}
		r.send(problem.Status, scimJSON, problem.Body())
	}
	s.recordRefusal(r, problem)
}

// troubleOf says whose trouble it is that a request failed, in the words of the connection's health; "" where an error
// is the answer that was asked for, or nobody waits for one.
func (r *request) troubleOf(err error, status int) string {
	switch {
	case errors.Is(err, directory.ErrPlan):
		return models.TroublePlan
	case errors.Is(err, directory.ErrPaused):
		return models.TroublePaused
	case status == http.StatusUnauthorized:
		return models.TroubleToken
	case r.route.rule == public && status == http.StatusNotFound:
		return models.TroubleURL
	case status == http.StatusNotFound, status == http.StatusConflict, status == http.StatusPreconditionFailed, r.gone():
		return ""
	case status >= http.StatusInternalServerError && status != http.StatusNotImplemented:
		return models.TroubleOurs
	}
	return models.TroubleRequest
}

// recordRefusal writes a refused request into the audit of its workspace: every change, and a question unless what it
// asks for is just not there, or the fault is ours. Who has no token of the connection is recorded by the directory, which
// does so sparingly: anybody could fill the audit.
func (s *server) recordRefusal(r *request, problem *scim.Error) {
	if r.access.ConnectionID == "" || !changes(r.caller.Method) && (r.trouble == "" || r.trouble == models.TroubleOurs) {
		return
	}
	switch problem.Status {
	case http.StatusTooManyRequests:
		if !s.gates.note(r.access.ConnectionID, time.Now()) {
			return
		}
	case http.StatusServiceUnavailable: // the client does not wait for a record that may be long in coming
		_ = http.NewResponseController(underlying(r.Writer)).Flush()
	}
	id := r.Param("id")
	if !directory.IsID(id) {
		id = ""
	}
	s.directory.Refused(r.ctx, r.caller, r.route.resource, id, problem.Status, r.detail)
}

// asProblem is the answer to an error. What it does not know is an internal error, of which the answer says nothing
// but where to find it.
func asProblem(err error, requestID string) *scim.Error {
	var problem *scim.Error
	if errors.As(err, &problem) {
		return problem
	}
	var known *models.Error
	if errors.As(err, &known) {
		switch known.Code {
		case models.Unknown:
			return unauthorized
		case models.Denied:
			return scim.NewError(http.StatusForbidden, "", "%s", known.Detail)
		case models.NotFound:
			return scim.NotFound("%s", known.Detail)
		case models.Conflict:
			return scim.Uniqueness("%s", known.Detail)
		case models.Invalid:
			return scim.InvalidValue("%s", known.Detail)
		case models.Stale:
			return scim.NewError(http.StatusServiceUnavailable, "", "somebody else changed the same thing at the same time: send the request again")
		case models.Unavailable:
			return scim.NewError(http.StatusServiceUnavailable, "", "%s: nothing is lost, send the request again after the seconds in Retry-After", known.Detail)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return scim.NewError(http.StatusServiceUnavailable, "", "the request took too long: send it again after the seconds in Retry-After")
	}
	return scim.NewError(http.StatusInternalServerError, "", "something went wrong on our side: try again, and if it stays give support the request id %s", requestID)
}

// unauthorized is one and the same for every reason, so that it tells nobody which connections there are.
var unauthorized = scim.NewError(http.StatusUnauthorized, "", "the bearer token is missing, wrong or no longer valid: paste the connection's current token into your identity provider; a token is shown only once, so if it is lost, make a new one in Settings > Security > Directory Sync")

func noRoute(*request) error {
	return scim.NotFound("there is nothing here: SCIM is at /scim/v2/{connection id}, with /Users and /Groups; copy the base URL from Settings > Security > Directory Sync")
}

func noMethod(r *request) error {
	allowed := r.Writer.Header().Get("Allow")
	if strings.Contains(allowed, ",") {
		allowed = "one of " + allowed
	}
	return scim.NewError(http.StatusMethodNotAllowed, "", "%s is not possible here: use %s", shorten(r.Request.Method), allowed)
}

// notOffered answers for a part of SCIM that this server does not have.
func notOffered(what, instead string) handler {
	return func(*request) error { return scim.NotImplemented("%s is not offered: %s", what, instead) }
}
