package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"outpost/models"
	"outpost/scim"
)

// maxKept is how much of a body the audit keeps.
const maxKept = 16 << 10

// decode reads a request's body with one of scim's decoders. It sees to the type, the size, and what the audit keeps.
func decode[T any](r *request, with func(io.Reader) (T, error)) (T, error) {
	var none T
	if err := checkContent(r.Request.Header); err != nil {
		return none, err
	}
	limit := r.route.maxBody
	if r.Request.ContentLength > limit {
		return none, r.tooLarge()
	}
	r.body = &kept{from: http.MaxBytesReader(underlying(r.Writer), r.Request.Body, limit)}
	if n := r.Request.ContentLength; n > 0 {
		r.body.data = make([]byte, 0, min(n, maxKept))
	}
	in, err := with(r.body)
	patches := r.Request.Method == http.MethodPatch && r.route.resource == models.ResourceUser || r.route.resource == resourceBulk
	r.caller.Body = r.body.masked(err == nil, patches)
	var asSCIM *scim.Error
	if err != nil && !errors.As(err, &asSCIM) {
		return none, r.unreadable(err)
	}
	return in, err
}

// underlying is the writer that net/http made: MaxBytesReader tells it to close a connection whose body is too large,
// and does not look through Gin's.
func underlying(w http.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return w
}

// checkContent refuses what is not JSON. A body without a type is taken for it.
func checkContent(header http.Header) error {
	for _, coding := range header["Content-Encoding"] {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return scim.NewError(http.StatusUnsupportedMediaType, "", "the Content-Encoding %s is not accepted: send the body as it is", shorten(coding))
		}
	}
	types := header["Content-Type"]
	if len(types) == 0 {
		return nil
	}
	media, _, _ := strings.Cut(types[0], ";")
	switch media = strings.TrimSpace(media); {
	case media == "", strings.EqualFold(media, "application/scim+json"), strings.EqualFold(media, "application/json"):
		return nil
	}
	return scim.NewError(http.StatusUnsupportedMediaType, "", "the Content-Type %s is not accepted: send JSON as application/scim+json", shorten(media))
}

func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

func (r *request) tooLarge() error {
	instead := "send less"
	switch r.route.resource {
	case models.ResourceGroup:
		instead = "send the members in several requests"
	case resourceBulk:
		instead = "send the operations in several requests"
	}
	return scim.NewError(http.StatusRequestEntityTooLarge, "", "the body is larger than %s, the most that is accepted here: %s", inUnits(r.route.maxBody), instead)
}

// inUnits is a size for people.
func inUnits(bytes int64) string {
	switch {
	case bytes >= 1<<20 && bytes%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", bytes>>20)
	case bytes >= 1<<10 && bytes%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// unreadable says why a body could not be read.
func (r *request) unreadable(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return r.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return scim.NewError(http.StatusRequestTimeout, "", "the body did not come in time: send the request again")
	}
	return scim.InvalidSyntax("the body could not be read whole: send the request again")
}

// kept passes a body on and keeps its beginning for the audit.
type kept struct {
	from io.Reader
	data []byte
	cut  bool // there was more
}

func (k *kept) Read(p []byte) (int, error) {
	n, err := k.from.Read(p)
	if room := maxKept - len(k.data); n > room {
		k.data, k.cut = append(k.data, p[:room]...), true
	} else {
		k.data = append(k.data, p[:n]...)
	}
	return n, err
}
