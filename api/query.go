package api

import (
	"net/url"
	"strings"

	"outpost/scim"
)

// parameters are the query parameters that SCIM gives a meaning (RFC 7644 section 3.4.2, RFC 9865 section 2). All others
// are ignored, such as Entra's ?aadOptscim062020.
var parameters = [...]struct {
	name string
	into func(*scim.Search) *string
}{
	{"filter", func(s *scim.Search) *string { s.Filtered = true; return &s.Filter }},
	{"startIndex", func(s *scim.Search) *string { return &s.StartIndex }},
	{"count", func(s *scim.Search) *string { return &s.Count }},
	{"attributes", func(s *scim.Search) *string { return &s.Attributes }},
	{"excludedAttributes", func(s *scim.Search) *string { return &s.Excluded }},
	{"sortBy", func(s *scim.Search) *string { return &s.SortBy }},
	{"sortOrder", func(s *scim.Search) *string { return &s.SortOrder }},
	{"cursor", func(s *scim.Search) *string { s.Paged = true; return &s.Cursor }},
}

// parseQuery reads the raw query. Names are taken in any case. A parameter of ours that cannot be read or comes twice
// is an error, for a list without its filter would show everybody. A semicolon is part of a value: SCIM clients
// separate by & alone.
func parseQuery(raw string) (scim.Search, error) {
	var s scim.Search
	var seen [len(parameters)]bool
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
		for at, p := range parameters {
			if !strings.EqualFold(key, p.name) {
				continue
			}
			into := p.into(&s)
			text, err := url.QueryUnescape(value)
			if err != nil {
				return s, badParameter(at, "the query parameter %s is not percent-encoded correctly: write %% as %%25", key)
			}
			if seen[at] {
				return s, badParameter(at, "the query parameter %s is given twice: send it once", key)
			}
			seen[at] = true
			*into = text
		}
	}
	return s, nil
}

func badParameter(at int, format, key string) error {
	if parameters[at].name == "filter" {
		return scim.InvalidFilter(format, key)
	}
	return scim.InvalidValue(format, key)
}

// list reads what a list of the route's resources was asked for.
func (r *request) list() (scim.Query, error) {
	return r.search.Query(r.access.ConnectionID + r.route.resource)
}

// withoutMembers is the projection with the members left out in any case.
func (r *request) withoutMembers() scim.Projection {
	s := r.search
	s.Excluded += ",members"
	return s.Projection()
}
