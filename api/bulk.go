package api

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"

	"outpost/scim"
)

// inBulk marks the requests that a bulk request is made of: they have its turn.
type inBulk struct{}

// bulk runs each operation as the request that it would be alone: with its own token check, its own transaction and its
// own audit entry, so that what one has acknowledged stays whatever becomes of the others.
func (s *server) bulk(r *request) error {
	in, err := decode(r, scim.DecodeBulk)
	if err != nil {
		return err
	}
	b := bulkRun{server: s, request: r, ops: in.Operations, made: map[string]int{}, state: make([]bulkState, len(in.Operations)), results: make([]scim.BulkResult, len(in.Operations))}
	for i := range b.ops {
		if op := &b.ops[i]; op.Method == http.MethodPost && op.BulkID != "" {
			b.made[op.BulkID] = i
		}
	}
	for i := range b.ops {
		if in.FailOnErrors > 0 && b.errors >= in.FailOnErrors || r.gone() {
			break
		}
		b.run(i)
	}
	b.complete()
	var results []scim.BulkResult
	for i, result := range b.results {
		if b.state[i] == bulkDone {
			results = append(results, result)
		}
	}
	r.render(http.StatusOK, func(dst []byte) []byte { return scim.AppendBulk(dst, results) })
	return nil
}

type bulkState uint8

const (
	bulkNew     bulkState = iota
	bulkRunning           // it waits for what it refers to
	bulkDone
)

// bulkRun is a bulk request at work.
type bulkRun struct {
	server  *server
	request *request
	ops     []scim.BulkOperation
	made    map[string]int // bulkId → the operation that makes it
	state   []bulkState
	results []scim.BulkResult
	partly  []int // operations that went without what they refer to, for that was not there yet
	errors  int
}

// run runs an operation after those that make what it refers to. Where they refer to each other one has to begin: it
// goes without the reference and is completed at the end.
func (b *bulkRun) run(i int) {
	if b.state[i] != bulkNew {
		return
	}
	b.state[i] = bulkRunning
	op := &b.ops[i]
	result := scim.BulkResult{Method: op.Method, BulkID: op.BulkID}
	err := op.Err
	if err == nil {
		for _, ref := range op.References() {
			j, known := b.made[ref]
			if !known {
				err = scim.InvalidValue("bulkId %q is referred to, but no POST of this request has it; give one that bulkId, or refer to another", ref)
				break
			}
			b.run(j)
			if b.state[j] == bulkDone && b.results[j].Status >= 400 {
				err = scim.NewError(http.StatusConflict, "", "bulkId %q is referred to, but could not be created; see the error of the operation that has it", ref)
				break
			}
		}
	}
	if err == nil && b.request.ctx.Err() != nil { // the time of the whole request is over
		err = scim.NewError(http.StatusServiceUnavailable, "", "the bulk request took too long, and this operation was not begun: send it again")
	}
	if err == nil {
		path, data, complete := op.Resolve(b.id)
		if scim.Refers(path) {
			fail(&result, scim.NewError(http.StatusConflict, "", "what the path refers to is made from what this operation makes; refer to it in the data alone"))
		} else {
			b.send(&result, op.Method, path, data, op.Version)
		}
		if !complete && result.Status < 400 {
			b.partly = append(b.partly, i)
		}
	} else {
		fail(&result, err)
	}
	b.finish(i, result)
}

func (b *bulkRun) finish(i int, result scim.BulkResult) {
	if result.Status >= 400 {
		b.errors++
	}
	b.state[i], b.results[i] = bulkDone, result
}

// complete gives the operations that went without a reference what they lack. Each may be repeated: what was made is
// replaced by the same with the reference.
func (b *bulkRun) complete() {
	for _, i := range b.partly {
		op, result := &b.ops[i], &b.results[i]
		path, data, complete := op.Resolve(b.id)
		if !complete {
			fail(result, scim.NewError(http.StatusConflict, "", "the resource was written without what it refers to: that could not be created"))
			continue
		}
		method := op.Method
		if method == http.MethodPost {
			id, _ := b.idOf(i)
			method, path = http.MethodPut, path+"/"+id
		}
		status := result.Status
		b.send(result, method, path, data, "")
		if result.Status < 400 {
			result.Status = status
		}
	}
}

func fail(result *scim.BulkResult, err error) {
	problem := asProblem(err, "")
	result.Status, result.Response = problem.Status, problem.Body()
}

// id is the id of what the POST with a bulkId made.
func (b *bulkRun) id(bulkID string) (string, bool) {
	i, known := b.made[bulkID]
	if !known {
		return "", false
	}
	return b.idOf(i)
}

func (b *bulkRun) idOf(i int) (string, bool) {
	if b.state[i] != bulkDone || b.results[i].Status >= 400 {
		return "", false
	}
	location := b.results[i].Location
	return location[strings.LastIndexByte(location, '/')+1:], true
}

// send sends one operation as a request of its own.
func (b *bulkRun) send(result *scim.BulkResult, method, path string, data []byte, version string) {
	outer := b.request.Request
	ctx := context.WithValue(b.request.ctx, inBulk{}, true)
	inner, err := http.NewRequestWithContext(ctx, method, "/scim/v2/"+b.request.access.ConnectionID+path, bytes.NewReader(data))
	if err != nil {
		fail(result, scim.InvalidValue("the path %s cannot be read", shorten(path)))
		return
	}
	inner.Header = outer.Header.Clone()
	for _, name := range [...]string{"Content-Length", "Content-Encoding", "If-Match", "If-None-Match"} {
		delete(inner.Header, name)
	}
	inner.Header["Content-Type"] = scimJSON
	if version != "" {
		inner.Header["If-Match"] = []string{version}
	}
	inner.RemoteAddr, inner.Host = outer.RemoteAddr, outer.Host
	var answer recorded
	b.server.engine.ServeHTTP(&answer, inner)
	result.Status, result.ETag, result.Response = answer.status, answer.Header().Get("ETag"), nil
	if answer.status >= 400 {
		result.Response = slices.Clone(answer.body.Bytes())
	}
	switch location := answer.Header().Get("Location"); {
	case location != "":
		result.Location = location
	case method != http.MethodPost:
		result.Location = b.server.baseURL(b.request) + path
	}
}

// recorded is an answer that is kept.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is where the answer's header is put together.
func (w *recorded) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader keeps the first status.
func (w *recorded) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorded) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
