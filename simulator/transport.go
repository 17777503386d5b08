package simulator

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	mediaType = "application/scim+json"
	mostBytes = 256 << 20 // of one answer
)

// NewHTTPClient makes a client that keeps as many connections open as there are parallel requests. It speaks HTTP/1.1,
// as Okta does.
func NewHTTPClient(parallel int) *http.Client {
	parallel = max(parallel, 1)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConns:        parallel,
		MaxIdleConnsPerHost: parallel,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		Protocols:           &protocols,
	}}
}

// A request is one thing to ask of the server, whatever number of attempts that takes.
type request struct {
	kind     string
	method   string
	path     string
	query    string
	body     any
	want     []int               // statuses that are a success
	tolerate func(*answer) bool  // an error status that is none: the caller handles it
	check    func(*answer) error // what the provider checks in a successful answer
}

// An answer is what the server said at the last attempt.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	attempts int
	asked    string // the provider that asked, for sentences
}

// send sends a request until it is answered for good, checks the answer and counts it. An error is an *Error, or the
// context's own when that ended.
func (c *Client) send(ctx context.Context, r request) (*answer, error) {
	var payload []byte
	if r.body != nil {
		var err error
		if payload, err = encode(r.body); err != nil {
			return nil, fmt.Errorf("%s: encode: %w", r.kind, err)
		}
	}
	retry := retry{policy: c.Retry.withDefaults(), jitter: c.clock.jitter}
	first := c.clock.now()
	for attempts := 1; ; attempts++ {
		started := c.clock.now()
		a, err := c.attempt(ctx, r, payload)
		ended := c.clock.now()
		if cause := ctx.Err(); cause != nil && err != nil {
			return nil, fmt.Errorf("%s: %w", r.kind, cause)
		}
		if wait, again := retry.next(a, ended.Sub(started)); again {
			c.record.retried(r.kind)
			if err := c.clock.sleep(ctx, wait); err != nil {
				return nil, fmt.Errorf("%s: %w", r.kind, err)
			}
			continue
		}
		failure := c.judge(r, a, err, attempts)
		c.record.ended(r.kind, first, ended, ended.Sub(started), failure != nil)
		if failure != nil {
			return nil, failure
		}
		a.attempts = attempts
		return a, nil
	}
}

// judge says what is wrong with how a request ended: nil when nothing is.
func (c *Client) judge(r request, a *answer, err error, attempts int) error {
	failure := &Error{Kind: r.kind, Method: r.method, Path: r.path, Attempts: attempts, Err: err}
	if err != nil {
		return failure
	}
	failure.Status, a.attempts = a.status, attempts
	if r.tolerate != nil && r.tolerate(a) {
		return nil
	}
	switch {
	case slices.Contains(r.want, a.status):
	case a.status >= 200 && a.status < 300:
		failure.Problem = fmt.Sprintf("the answer is %d where %s expects %s", a.status, a.asked, words(r.want))
		return failure
	case a.status >= 300 && a.status < 400:
		failure.Problem = fmt.Sprintf("the server redirects (%d) to %q, which %s does not follow", a.status, a.header.Get("Location"), a.asked)
		return failure
	default:
		return a.refused(failure)
	}
	if r.check == nil {
		return nil
	}
	if err := r.check(a); err != nil {
		failure.Problem = err.Error()
		return failure
	}
	return nil
}

func (c *Client) attempt(ctx context.Context, r request, payload []byte) (*answer, error) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = Timeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("timed out after %s", timeout))
	defer cancel()

	address := c.BaseURL + r.path
	if query := strings.Trim(c.dialect.query+"&"+r.query, "&"); query != "" {
		address += "?" + query
	}
	var body io.Reader
	if payload != nil {
		body = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, err
	}
	for name, value := range c.dialect.headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if payload != nil {
		req.Header.Set("Content-Type", c.dialect.contentType)
	}
	resp, err := c.httpClient().Do(req)
	if err != nil {
		return nil, c.blame(ctx, err)
	}
	defer resp.Body.Close()
	content, err := read(resp)
	if err != nil {
		return nil, c.blame(ctx, fmt.Errorf("read the answer: %w", err))
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: content, asked: c.dialect.name}, nil
}

// blame names the time-out where that is what happened, and leaves the address out of the sentence: it is known.
func (c *Client) blame(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var inURL *url.Error
	if errors.As(err, &inURL) {
		return inURL.Err
	}
	return err
}

func (c *Client) httpClient() *http.Client {
	client := c.HTTP
	if client == nil {
		client = c.own
	}
	stay := *client
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &stay
}

// read reads a body to its end, unpacking it: asking for gzip ourselves, as Okta does, turns off Go's own unpacking.
func read(resp *http.Response) ([]byte, error) {
	content, err := readAll(resp.Body)
	if err != nil || len(content) == 0 {
		return content, err
	}
	var unpacked io.Reader
	switch strings.ToLower(resp.Header.Get("Content-Encoding")) {
	case "gzip":
		unpacked, err = gzip.NewReader(bytes.NewReader(content))
	case "deflate":
		unpacked, err = zlib.NewReader(bytes.NewReader(content))
	default:
		return content, nil
	}
	if err != nil {
		return nil, err
	}
	return readAll(unpacked)
}

func readAll(body io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, mostBytes+1))
	if err == nil && len(content) > mostBytes {
		err = fmt.Errorf("it is longer than %d MB", mostBytes>>20)
	}
	return content, err
}

func encode(body any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// exactly is the filter of an exact search. Everything is percent-encoded, the space as %20.
func exactly(attribute, value string) string {
	quoted, _ := encode(value) // a string always encodes
	return "filter=" + escape(attribute+" eq "+string(quoted))
}

func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

func words(statuses []int) string {
	var all []string
	for _, status := range statuses {
		all = append(all, fmt.Sprint(status))
	}
	return strings.Join(all, " or ")
}
