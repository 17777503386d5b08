package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"outpost/directory"
	"outpost/outbox"
	"outpost/scim"
)

// handler answers a request, or returns why it cannot: fail answers then.
type handler func(*request) error

// request is one request on its way through the API.
type request struct {
	*gin.Context
	ctx    context.Context // ends with the client, or with Limits.RequestTimeout
	route  route
	id     string // ours: X-Request-Id
	caller directory.Caller
	access directory.Access // empty until the token was found good
	search scim.Search      // the query
	body   *kept            // the beginning of the body, while it is read
	leave  func()           // ends the request's turn; nil before it has one

	arrived         time.Time
	trouble, detail string // what was wrong, and the sentence about it
}

// gone reports whether the client hung up before it was answered.
func (r *request) gone() bool { return errors.Is(r.Request.Context().Err(), context.Canceled) }

// serve makes Gin's handler for a route: request id, deadline, log line and recovery for all of them; token, turn and
// query for those that need a token.
func (s *server) serve(rt route) gin.HandlerFunc {
	return func(c *gin.Context) {
		rt := rt
		if rt.path == connection && !directory.IsID(c.Param("connection")) { // the id was forgotten
			rt = nowhere
		}
		r := &request{Context: c, route: rt, id: outbox.ID(), arrived: time.Now()}
		header := c.Writer.Header()
		header["X-Request-Id"] = []string{r.id}
		header["Cache-Control"] = noStore
		ctx, cancel := context.WithTimeout(c.Request.Context(), s.limits.RequestTimeout)
		r.ctx = ctx
		defer cancel()
		defer s.logRequest(r)
		defer s.heard(r)
		defer r.end()
		defer s.recover(r)
		if err := s.answer(r); err != nil {
			s.fail(r, err)
		}
	}
}

func (s *server) answer(r *request) (err error) {
	if r.route.rule == public {
		return r.route.handle(r)
	}
	denied := s.authenticate(r)
	if r.access.ConnectionID == "" {
		return denied
	}
	// Who is known but denied waits for a turn as well: the refusal is recorded, and that costs.
	if r.ctx.Value(inBulk{}) == nil {
		if r.leave, err = s.gates.enter(r.ctx, r.access.ConnectionID); err != nil {
			return err
		}
	}
	if denied != nil {
		return denied
	}
	if r.caller.If, err = preconditions(r.Request.Header); err != nil {
		return err
	}
	if r.search, err = parseQuery(r.Request.URL.RawQuery); err != nil {
		return err
	}
	return r.route.handle(r)
}

// heard tells the directory how a request to SCIM ended.
func (s *server) heard(r *request) {
	path := r.Request.URL.Path
	if r.route.rule == public {
		if !strings.HasPrefix(path, "/scim/") {
			return
		}
		r.introduce("") // nobody has looked at the token yet
	}
	s.directory.Heard(r.caller, directory.Answer{
		Route: strings.TrimPrefix(r.route.path, connection), Path: printable(path), Resource: r.route.resource, Status: r.Writer.Status(), Took: time.Since(r.arrived),
		Trouble: r.trouble, Detail: r.detail, Token: sentToken(r.Request.Header["Authorization"]),
	})
}

// end gives the request's turn to the next.
func (r *request) end() {
	if r.leave != nil {
		r.leave()
	}
}

// baseURL is the SCIM base URL that the request came to.
func (s *server) baseURL(r *request) string { return s.base + r.access.ConnectionID }

var (
	noStore   = []string{"no-store"}
	scimJSON  = []string{"application/scim+json; charset=utf-8"}
	plainJSON = []string{"application/json; charset=utf-8"}
)

// send answers with body. The header maps share their values: nothing changes a value in place.
func (r *request) send(status int, contentType []string, body []byte) {
	header := r.Writer.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	r.Writer.WriteHeader(status)
	if r.Request.Method != http.MethodHead {
		_, _ = r.Writer.Write(body) // an error means that the client has left
	}
}

// buffers are reused for answers. A list of large groups is not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const keepBuffer = 256 << 10

// render builds a SCIM answer in a pooled buffer and sends it.
func (r *request) render(status int, build func(dst []byte) []byte) {
	buffer := buffers.Get().(*[]byte)
	*buffer = build((*buffer)[:0])
	r.send(status, scimJSON, *buffer)
	release(buffer)
}

func release(buffer *[]byte) {
	if cap(*buffer) <= keepBuffer {
		buffers.Put(buffer)
	}
}

// renderList sends one page of a list; resource appends its i-th resource.
func (r *request) renderList(l scim.List, n int, resource func(dst []byte, i int) []byte) {
	buffer := buffers.Get().(*[]byte)
	all, ends := (*buffer)[:0], make([]int, n)
	for i := range n {
		all = resource(all, i)
		ends[i] = len(all)
	}
	parts, from := make([][]byte, n), 0
	for i, end := range ends {
		parts[i], from = all[from:end], end
	}
	r.render(http.StatusOK, func(dst []byte) []byte { return scim.AppendList(dst, l, parts) })
	*buffer = all
	release(buffer)
}
