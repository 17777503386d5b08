package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Error is a request that failed for good, or an answer the provider would not accept.
type Error struct {
	Kind     string // the request, as reports name it: "create user"
	Method   string
	Path     string // below the base URL, without the query
	Status   int    // zero where there was no answer
	SCIMType string // as the server gave it
	Detail   string // as the server gave it
	Problem  string // a sentence of our own, where the answer deviates from what the provider accepts
	Attempts int
	Err      error // why there was no answer
}

func (e *Error) Error() string {
	what := e.Reason()
	if e.Attempts > 1 {
		what = fmt.Sprintf("%s (after %d attempts)", what, e.Attempts)
	}
	return e.Kind + ": " + what
}

// Reason is the error without the request's name.
func (e *Error) Reason() string {
	switch {
	case e.Problem != "":
		return e.Problem
	case e.Status != 0:
		text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
		if e.SCIMType != "" {
			text += " " + e.SCIMType
		}
		if e.Detail != "" {
			text += ": " + e.Detail
		}
		return text
	case e.Err != nil:
		return "no answer: " + e.Err.Error()
	}
	return "no answer"
}

func (e *Error) Unwrap() error { return e.Err }

// refused turns an answer with an error status into an Error, reading the SCIM error in it.
func (a *answer) refused(e *Error) *Error {
	var scim struct {
		SCIMType string `json:"scimType"`
		Detail   string `json:"detail"`
	}
	switch {
	case len(a.body) == 0:
		e.Detail = "the answer has no body"
	case a.html():
		e.Detail = "the answer is a web page, not JSON"
	case json.Unmarshal(a.body, &scim) != nil:
		e.Detail = "the answer is not JSON: " + excerpt(a.body)
	default:
		e.SCIMType, e.Detail = scim.SCIMType, scim.Detail
	}
	return e
}

func excerpt(body []byte) string {
	const most = 120
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "?")), " ")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return text
}
