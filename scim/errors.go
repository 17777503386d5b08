package scim

import (
	"fmt"
	"strconv"
)

// The scimType words of RFC 7644 section 3.12, table 9, and RFC 9865 section 2.2 that this server answers.
const (
	TypeInvalidFilter = "invalidFilter"
	TypeTooMany       = "tooMany"
	TypeUniqueness    = "uniqueness"
	TypeMutability    = "mutability"
	TypeInvalidSyntax = "invalidSyntax"
	TypeInvalidPath   = "invalidPath"
	TypeNoTarget      = "noTarget"
	TypeInvalidValue  = "invalidValue"
	TypeInvalidCursor = "invalidCursor"
	TypeExpiredCursor = "expiredCursor"
	TypeInvalidCount  = "invalidCount"
)

// Error is a SCIM error (RFC 7644 section 3.12). Detail is read by the admin of
// the identity provider: it says what was wrong and what to change.
type Error struct {
	Status int    // HTTP status
	Type   string // scimType, or "" where the RFC names none
	Detail string
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// Body returns the JSON of RFC 7644 section 3.12. The status is a string there.
func (e *Error) Body() []byte {
	b := make([]byte, 0, 128+len(e.Detail))
	b = append(b, `{"schemas":["`+ErrorURN+`"],"status":"`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, '"')
	if e.Type != "" {
		b = append(b, `,"scimType":`...)
		b = appendString(b, e.Type)
	}
	b = append(b, `,"detail":`...)
	b = appendString(b, e.Detail)
	return append(b, '}')
}

// NewError returns an error of any status; scimType may be "".
func NewError(status int, scimType, format string, args ...any) *Error {
	return &Error{Status: status, Type: scimType, Detail: fmt.Sprintf(format, args...)}
}

// InvalidSyntax is 400: the body is not JSON or not the message that was expected.
func InvalidSyntax(format string, args ...any) *Error {
	return NewError(400, TypeInvalidSyntax, format, args...)
}

// InvalidValue is 400: a required value is missing, or a value has the wrong type or form.
func InvalidValue(format string, args ...any) *Error {
	return NewError(400, TypeInvalidValue, format, args...)
}

// InvalidFilter is 400: a filter that cannot be read, or that is not supported.
func InvalidFilter(format string, args ...any) *Error {
	return NewError(400, TypeInvalidFilter, format, args...)
}

// InvalidPath is 400: the path of a PATCH operation cannot be read or names nothing known.
func InvalidPath(format string, args ...any) *Error {
	return NewError(400, TypeInvalidPath, format, args...)
}

// NoTarget is 400: the path of a PATCH operation matches nothing, or is missing.
func NoTarget(format string, args ...any) *Error {
	return NewError(400, TypeNoTarget, format, args...)
}

// Mutability is 400: an attempt to change what the server owns or to remove what is required.
func Mutability(format string, args ...any) *Error {
	return NewError(400, TypeMutability, format, args...)
}

// TooMany is 400: more results or operations than the server handles in one request.
func TooMany(format string, args ...any) *Error {
	return NewError(400, TypeTooMany, format, args...)
}

// Uniqueness is 409: another resource has the value already.
func Uniqueness(format string, args ...any) *Error {
	return NewError(409, TypeUniqueness, format, args...)
}

// NotFound is 404; RFC 7644 gives it no scimType.
func NotFound(format string, args ...any) *Error {
	return NewError(404, "", format, args...)
}

// NotImplemented is 501: a part of SCIM that this server does not offer (/Bulk, /Me).
func NotImplemented(format string, args ...any) *Error {
	return NewError(501, "", format, args...)
}
