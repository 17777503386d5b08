package api

import (
	"net/url"
	"strings"

	"outpost/scim"
)

// query is the query parameters that SCIM gives a meaning (RFC 7644 section 3.4.2). All others are ignored, such as
// Entra's ?aadOptscim062020.
type query struct {
	filter, startIndex, count, attributes, excluded string
	filtered                                        bool // filter was given, be it empty
}

// parseQuery reads the raw query. Names are taken in any case. A parameter of ours that cannot be read or comes twice
// is an error, for a list without its filter would show everybody. A semicolon is part of a value: SCIM clients
// separate by & alone.
func parseQuery(raw string) (query, error) {
	var q query
	var seen [5]bool
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(pair, "=")
		if strings.ContainsAny(key, "%+") {
			name, err := url.QueryUnescape(key)
			if err != nil {
				continue // unknown
			}
			key = name
		}
		var into *string
		var at int
		switch {
		case strings.EqualFold(key, "filter"):
			into, at = &q.filter, 0
			q.filtered = true
		case strings.EqualFold(key, "startIndex"):
			into, at = &q.startIndex, 1
		case strings.EqualFold(key, "count"):
			into, at = &q.count, 2
		case strings.EqualFold(key, "attributes"):
			into, at = &q.attributes, 3
		case strings.EqualFold(key, "excludedAttributes"):
			into, at = &q.excluded, 4
		default:
			continue
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return q, badParameter(at, "the query parameter %s is not percent-encoded correctly: write %% as %%25", key)
		}
		if seen[at] {
			return q, badParameter(at, "the query parameter %s is given twice: send it once", key)
		}
		seen[at] = true
		*into = text
	}
	return q, nil
}

func badParameter(at int, format, key string) error {
	if at == 0 {
		return scim.InvalidFilter(format, key)
	}
	return scim.InvalidValue(format, key)
}

// list reads what a list was asked for.
func (q query) list() (scim.Filter, scim.Page, error) {
	page, err := scim.ParsePage(q.startIndex, q.count)
	if err != nil || !q.filtered {
		return nil, page, err
	}
	filter, err := scim.ParseFilter(q.filter)
	return filter, page, err
}

// projection is the choice of attributes for an answer.
func (q query) projection() scim.Projection {
	if q.attributes == "" && q.excluded == "" {
		return scim.Projection{}
	}
	return scim.ParseProjection(q.attributes, q.excluded)
}

// ofChange is the projection for the answer to a change of a group: its members stay out unless attributes asks for
// them, so that a change of one member of 100,000 does not read the others.
func (q query) ofChange() scim.Projection {
	if q.attributes == "" {
		return q.withoutMembers()
	}
	return q.projection()
}

// withoutMembers is the projection with the members left out in any case.
func (q query) withoutMembers() scim.Projection {
	q.excluded += ",members"
	return q.projection()
}
