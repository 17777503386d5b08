package store

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"outpost/models"
)

// translate turns what the database says into a models.Error. It is the one place that does.
// what names the thing, for the sentence "what is not there".
func translate(err error, what string) error {
	if err == nil {
		return nil
	}
	var known *models.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return &models.Error{Code: models.NotFound, Detail: what + " does not exist"}
	}
	if rule, ok := uniqueViolation(err); ok {
		return &models.Error{Code: models.Conflict, Detail: what + " is taken already", Err: &Violation{Rule: rule}}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &models.Error{Code: models.Unavailable, Detail: "the request ended before the database answered", Err: err}
	}
	if away(err) {
		return &models.Error{Code: models.Unavailable, Detail: "the database is not available", Err: err}
	}
	return &internalError{what, err}
}

// Violation names the unique rule that a write broke: one of the Unique constants.
type Violation struct{ Rule string }

func (v *Violation) Error() string { return "breaks " + v.Rule }

// Violates reports whether err is a conflict on rule.
func Violates(err error, rule string) bool {
	var v *Violation
	return errors.As(err, &v) && v.Rule == rule
}

// internalError is a fault of ours: it is logged, never shown.
type internalError struct {
	what string
	err  error
}

func (e *internalError) Error() string { return e.what + ": " + e.err.Error() }
func (e *internalError) Unwrap() error { return e.err }
