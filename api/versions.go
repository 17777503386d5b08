package api

import (
	"net/http"
	"strings"

	"outpost/directory"
	"outpost/scim"
)

// preconditions reads If-Match and If-None-Match (RFC 7644 section 3.14). Versions are weak throughout, and compared by
// what stands between the quotes.
func preconditions(header http.Header) directory.Preconditions {
	return directory.Preconditions{Match: tags(header["If-Match"]), NoneMatch: tags(header["If-None-Match"])}
}

func tags(headers []string) []string {
	var all []string
	for _, h := range headers {
		for tag := range strings.SplitSeq(h, ",") {
			tag = strings.TrimSpace(tag)
			if len(tag) > 2 && strings.EqualFold(tag[:2], "W/") {
				tag = tag[2:]
			}
			if tag = strings.Trim(tag, `"`); tag != "" {
				all = append(all, tag)
			}
		}
	}
	return all
}

// tag puts the version into the answer's header.
func (r *request) tag(version string) {
	if version != "" {
		r.Writer.Header()["Etag"] = []string{scim.ETag(version)}
	}
}

// matches reports whether a GET asks for a version other than the one there is, in vain.
func (r *request) matches(version string) bool {
	reads := r.Request.Method == http.MethodGet || r.Request.Method == http.MethodHead
	return reads && version != "" && r.caller.If.NoneMatch != nil && !r.caller.If.Allow(version)
}

// unchanged tags the answer, and answers 304 where the client has that version.
func (r *request) unchanged(status int, version string) bool {
	r.tag(version)
	if status != http.StatusOK || !r.matches(version) {
		return false
	}
	r.Writer.WriteHeader(http.StatusNotModified)
	return true
}

// dialect is what the connection's provider needs that the RFC does not grant.
func (r *request) dialect() scim.Dialect { return scim.DialectOf(string(r.access.Provider)) }

// location is the absolute address of a resource.
func (s *server) location(r *request, of, id string) string { return s.baseURL(r) + of + id }
