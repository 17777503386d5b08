package models

import "errors"

// Code says in one word what went wrong, for machines.
type Code string

// The codes of an Error.
const (
	NotFound    Code = "not found"   // the thing does not exist, or not for the asker
	Conflict    Code = "conflict"    // a unique value is taken
	Invalid     Code = "invalid"     // the input can never work as it is
	Stale       Code = "stale"       // somebody else was faster; the state has moved on
	Denied      Code = "denied"      // not allowed: plan, role, a paused connection
	Unknown     Code = "unknown"     // nobody we know: no token, or a wrong one
	Unavailable Code = "unavailable" // a part we need is away; try again
)

// Error carries a code for machines and a sentence for the person who will read it.
type Error struct {
	Code   Code
	Detail string
	Err    error // the cause, for the log; may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Detail + ": " + e.Err.Error()
	}
	return e.Detail
}

func (e *Error) Unwrap() error { return e.Err }

// Is reports whether err carries code.
func Is(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
