//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"
)

// target is a SCIM base URL and its token, as the bytes that every request to it has.
type target struct {
	addr   string
	prefix string // of every path
	head   string // from behind the path to the end of the fields that never change
}

func newTarget(base, token string) (*target, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return nil, fmt.Errorf("the SCIM base URL %q is not http://host:port/path", base)
	}
	return &target{addr: u.Host, prefix: u.Path, head: " HTTP/1.1\r\nHost: " + u.Host + "\r\nAuthorization: Bearer " + token +
		"\r\nUser-Agent: Okta SCIM Client 1.0.0\r\nAccept: application/scim+json\r\nAccept-Charset: utf-8\r\n"}, nil
}

// conn is one keep-alive connection with its buffers: net/http's client would cost as much as the servers do.
type conn struct {
	*target
	socket  net.Conn
	reader  *bufio.Reader
	used    time.Time
	request []byte
	scratch []byte // for whoever builds a body
	body    []byte // of the last answer, good until the next request
}

func (t *target) conn() *conn { return &conn{target: t, reader: bufio.NewReaderSize(nil, 32<<10)} }

// patience bounds one request; idle is how long a connection is trusted to stay open unused.
const patience, idle = time.Minute, 20 * time.Second

// do sends a request and reads the whole answer. A nil content is a request without a body.
func (c *conn) do(method, path string, content []byte) (status int, err error) {
	now := time.Now()
	if c.socket != nil && now.Sub(c.used) > idle {
		c.close()
	}
	if c.socket == nil {
		if c.socket, err = net.DialTimeout("tcp", c.addr, patience); err != nil {
			return 0, err
		}
		c.reader.Reset(c.socket)
	}
	c.used = now
	if err = c.socket.SetDeadline(now.Add(patience)); err == nil {
		if err = c.send(method, path, content); err == nil {
			status, err = c.receive()
		}
	}
	if err != nil {
		c.close()
		return 0, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return status, nil
}

func (c *conn) close() {
	if c.socket != nil {
		_ = c.socket.Close()
		c.socket = nil
	}
}

func (c *conn) send(method, path string, content []byte) error {
	r := append(c.request[:0], method...)
	r = append(r, ' ')
	r = append(r, c.prefix...)
	r = append(r, path...)
	r = append(r, c.head...)
	if content != nil {
		r = append(r, "Content-Type: application/scim+json; charset=utf-8\r\nContent-Length: "...)
		r = strconv.AppendInt(r, int64(len(content)), 10)
		r = append(r, "\r\n"...)
	}
	r = append(r, "\r\n"...)
	r = append(r, content...)
	c.request = r
	_, err := c.socket.Write(r)
	return err
}

// receive reads an answer: a status line, fields, and a body of a known length or in chunks.
func (c *conn) receive() (status int, err error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("the answer begins with %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked, last := -1, false, false
	for {
		if line, err = c.line(); err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
	c.body = c.body[:0]
	switch {
	case status == 204:
	case chunked:
		err = c.chunks()
	case length >= 0:
		if cap(c.body) < length {
			c.body = make([]byte, 0, 2*length)
		}
		c.body = c.body[:length]
		_, err = io.ReadFull(c.reader, c.body)
	default:
		err = errors.New("the answer does not say how long it is")
	}
	if last {
		c.close()
	}
	return status, err
}

func (c *conn) chunks() error {
	body := bytes.NewBuffer(c.body)
	if _, err := body.ReadFrom(httputil.NewChunkedReader(c.reader)); err != nil {
		return err
	}
	c.body = body.Bytes()
	for { // what may follow the last chunk, up to the empty line
		if line, err := c.line(); err != nil || len(line) == 0 {
			return err
		}
	}
}

func (c *conn) line() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return bytes.TrimRight(line, "\r\n"), err
}

// field is the first value of that name in the last answer: the text of a string, else the word as it stands. It reads
// no JSON, which is enough for answers that are checked in full after the clock has stopped.
func (c *conn) field(name string) string {
	quoted := append(append(append(make([]byte, 0, 32), '"'), name...), '"')
	at := bytes.Index(c.body, quoted)
	if at < 0 {
		return ""
	}
	rest := bytes.TrimLeft(c.body[at+len(quoted):], ": \t\r\n")
	if len(rest) > 0 && rest[0] == '"' {
		value, _, _ := bytes.Cut(rest[1:], []byte(`"`))
		return string(value)
	}
	if end := bytes.IndexAny(rest, ",}] \t\r\n"); end >= 0 {
		rest = rest[:end]
	}
	return string(rest)
}

// wrong describes the last answer as an error.
func (c *conn) wrong(status int, what string, args ...any) error {
	return fmt.Errorf("%s: the answer was %d %.400s", fmt.Sprintf(what, args...), status, c.body)
}
