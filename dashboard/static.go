package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// static holds the style sheet, the icon and the scripts: htmx and its sse extension as published (0BSD), and our own.
//
//go:embed static
var staticFiles embed.FS

// asset is one static file, compressed once.
type asset struct {
	body, gzipped []byte
	kind          string // Content-Type
	version       string // of its content, for the URL
}

func assets() map[string]asset {
	all := map[string]asset{}
	names, err := fs.Glob(staticFiles, "static/*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		body, err := staticFiles.ReadFile(name)
		if err != nil {
			panic(err) // it is in the program
		}
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		_, _ = w.Write(body) // into memory
		_ = w.Close()
		sum := sha256.Sum256(body)
		kind := mime.TypeByExtension(path.Ext(name))
		switch path.Ext(name) { // whatever the machine's own table says
		case ".js":
			kind = "text/javascript; charset=utf-8"
		case ".css":
			kind = "text/css; charset=utf-8"
		case ".svg":
			kind = "image/svg+xml"
		}
		all[path.Base(name)] = asset{body: body, gzipped: packed.Bytes(), kind: kind, version: hex.EncodeToString(sum[:6])}
	}
	return all
}

// showStatic serves a file. Its URL names its content, so browsers need not ask again.
func showStatic(r *request) error {
	a, ok := r.d.static[r.PathValue("file")]
	if !ok {
		return errNothing
	}
	h := r.w.Header()
	secureHeaders(h, "default-src 'none'; frame-ancestors 'none'")
	if r.URL.Query().Get("v") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "public, max-age=300")
	}
	h.Set("Content-Type", a.kind)
	h.Set("Vary", "Accept-Encoding")
	body := a.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.gzipped
	}
	r.w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = r.w.Write(body) // an error means that the visitor has left
	}
	return nil
}
