package api

import (
	"net/http"

	"outpost/scim"
)

func (s *server) getProviderConfig(r *request) error {
	return discover(r, func() []byte { return scim.ServiceProviderConfig(s.baseURL(r)) })
}

func (s *server) listResourceTypes(r *request) error {
	return discover(r, func() []byte { return scim.ResourceTypes(s.baseURL(r)) })
}

func (s *server) listSchemas(r *request) error {
	return discover(r, func() []byte { return scim.Schemas(s.baseURL(r)) })
}

func (s *server) getResourceType(r *request) error {
	body, found := scim.ResourceType(s.baseURL(r), r.Param("id"))
	if !found {
		return scim.NotFound("ResourceType %s does not exist: there are User and Group", shorten(r.Param("id")))
	}
	return discover(r, func() []byte { return body })
}

func (s *server) getSchema(r *request) error {
	body, found := scim.Schema(s.baseURL(r), r.Param("id"))
	if !found {
		return scim.NotFound("Schema %s does not exist: /Schemas lists those that do", shorten(r.Param("id")))
	}
	return discover(r, func() []byte { return body })
}

// discover answers with a document about the server itself. RFC 7644 section 4 wants 403 for a filter on one.
func discover(r *request, document func() []byte) error {
	if r.search.Filtered {
		return scim.NewError(http.StatusForbidden, "", "this list cannot be filtered: ask for it without filter")
	}
	r.send(http.StatusOK, scimJSON, document())
	return nil
}
