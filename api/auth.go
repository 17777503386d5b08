package api

import (
	"net/http"
	"strings"

	"outpost/directory"
	"outpost/models"
)

// maxToken bounds what is looked at as a token; ours have 90 characters.
const maxToken = 256

// unknown says nothing about what is wrong: a missing token, a wrong one and one of another connection get one answer.
var unknown = &models.Error{Code: models.Unknown, Detail: "no bearer token"}

// authenticate finds out who asks, by the connection in the path and the token in the header.
func (s *server) authenticate(r *request) error {
	r.introduce(r.Param("connection"))
	token, ok := bearerToken(r.Request.Header["Authorization"])
	if !ok {
		return unknown
	}
	access, ok := directory.Access{}, false
	if r.route.rule == admitted {
		access, ok = s.directory.Admit(r.Param("connection"), token)
	}
	var err error
	if !ok {
		access, err = s.directory.Authenticate(r.ctx, r.Param("connection"), token)
	}
	r.access = access // with a models.Denied, too: it is somebody we know
	if access.ConnectionID != "" {
		r.caller.Access, r.caller.WorkspaceID, r.caller.ConnectionID, r.caller.Actor = access, access.WorkspaceID, access.ConnectionID, "token …"+access.LastFour
	}
	return err
}

// introduce says who asks, as far as that is seen before the token is: connectionID is the path's word.
func (r *request) introduce(connectionID string) {
	if !directory.IsID(connectionID) {
		connectionID = ""
	}
	r.caller = directory.Caller{
		ConnectionID: connectionID, IP: r.ClientIP(), UserAgent: userAgent(r.Request.Header), Method: known(r.Request.Method), RequestID: r.id,
		ProviderRequestID: providerRequestID(r.Request.Header), Arrived: r.arrived,
	}
}

// bearerToken takes the token out of the one Authorization header: `Bearer T` with the scheme in any case, or T alone,
// as an Okta app in header mode sends what the admin typed.
func bearerToken(headers []string) (string, bool) {
	token := sentToken(headers)
	if token == "" || len(headers) != 1 || len(token) > maxToken {
		return "", false
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return "", false
		}
	}
	return token, true
}

// sentToken is what was sent as a token, whatever it looks like.
func sentToken(headers []string) string {
	if len(headers) == 0 {
		return ""
	}
	token := strings.TrimSpace(headers[0])
	if scheme, rest, _ := strings.Cut(token, " "); strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimLeft(rest, " ")
	}
	return token
}

// maxAgent is how many characters of a User-Agent are kept.
const maxAgent = 200

// userAgent is the program that the client says it is.
func userAgent(header http.Header) string {
	agent := header["User-Agent"]
	if len(agent) == 0 {
		return ""
	}
	if len(agent[0]) <= maxAgent {
		return printable(agent[0])
	}
	characters := []rune(printable(agent[0][:min(len(agent[0]), 4*maxAgent)]))
	return string(characters[:min(len(characters), maxAgent)])
}

// providerHeaders carry the provider's own id of a request, the most telling first.
var providerHeaders = [...]string{"X-Okta-Request-Id", "X-Request-Id", "Client-Request-Id", "X-Ms-Client-Request-Id"}

// providerRequestID is the provider's own id of the request: 128 printable ASCII characters at most.
func providerRequestID(header map[string][]string) string {
	for _, name := range providerHeaders {
		values := header[name]
		if len(values) == 0 || values[0] == "" {
			continue
		}
		id := strings.Map(func(c rune) rune {
			if c <= ' ' || c > '~' {
				return -1
			}
			return c
		}, values[0][:min(len(values[0]), 1024)])
		if id = id[:min(len(id), 128)]; id != "" {
			return id
		}
	}
	return ""
}
