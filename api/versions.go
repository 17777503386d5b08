package api

import (
	"net/http"
	"strings"

	"outpost/directory"
	"outpost/scim"
)

// preconditions reads If-Match and If-None-Match (RFC 7644 section 3.14). Versions are weak throughout, and compared by
// what stands between the quotes. A header that names no version is an error: without it the change would go through.
func preconditions(header http.Header) (p directory.Preconditions, err error) {
	if p.Match, err = tags(header, "If-Match"); err == nil {
		p.NoneMatch, err = tags(header, "If-None-Match")
	}
	return p, err
}

func tags(header http.Header, name string) (all []string, err error) {
	for _, h := range header[name] {
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
	if len(header[name]) > 0 && len(all) == 0 {
		return nil, scim.InvalidValue(`%s names no version: send meta.version as it was, such as %s: W/"3"`, name, name)
	}
	return all, nil
}

// tag puts the version into the answer's header.
func (r *request) tag(version string) {
	if version != "" {
		r.Writer.Header()["Etag"] = []string{scim.ETag(version)}
	}
}

// unchanged answers a read of a version that the client has already with 304, and says so.
func (r *request) unchanged(version string) bool {
	r.tag(version)
	if !r.caller.If.Known(version) {
		return false
	}
	r.Writer.WriteHeader(http.StatusNotModified)
	return true
}

// dialect is what the connection's provider needs that the RFC does not grant.
func (r *request) dialect() scim.Dialect { return scim.DialectOf(string(r.access.Provider)) }

// location is the absolute address of a resource.
func (s *server) location(r *request, of, id string) string { return s.baseURL(r) + of + id }
