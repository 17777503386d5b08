package mail

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// mailboxSize is how many mails the mailbox keeps.
const mailboxSize = 50_000

// Stored is one mail of the mailbox.
type Stored struct {
	// N numbers the mails of a mailbox from 1; it stays the same across restarts.
	N         int       `json:"-"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	MessageID string    `json:"message_id"`
	Text      string    `json:"text"`
	HTML      string    `json:"html"`
	At        time.Time `json:"at"` // in UTC
}

// record is a line of the mailbox's file.
type record struct {
	N int `json:"n"`
	Stored
}

// Mailbox is the Sender of development: it keeps every mail, as often as it was sent, and shows them on a page. Only an
// index lives in memory if there is a file. One process at a time may have the file open.
type Mailbox struct {
	mu     sync.RWMutex
	path   string
	file   *os.File // nil: the bytes stay in memory
	size   int64
	lines  int // in the file, forgotten mails included
	keep   int
	mails  []entry // oldest first
	next   int
	closed bool
	now    func() time.Time
}

// entry is what the list page shows, and where the rest is.
type entry struct {
	n           int
	to, subject string
	at          time.Time
	offset      int64
	length      int
	line        []byte // without a file
}

// OpenMailbox opens the mailbox kept in the file at path, or one in memory if path is "". It keeps the newest 50,000.
func OpenMailbox(path string) (*Mailbox, error) { return openMailbox(path, mailboxSize, time.Now) }

func openMailbox(path string, keep int, now func() time.Time) (*Mailbox, error) {
	m := &Mailbox{path: path, keep: keep, next: 1, now: now}
	if path == "" {
		return m, nil
	}
	if err := m.load(); err != nil {
		return nil, fmt.Errorf("open mailbox %s: %w", path, err)
	}
	if m.lines > 2*keep {
		if err := m.compact(); err != nil {
			return nil, errors.Join(fmt.Errorf("shorten mailbox %s: %w", path, err), m.file.Close())
		}
	}
	return m, nil
}

// load opens the file and indexes it. What cannot be read, such as a last line cut short by a crash, is passed over.
func (m *Mailbox) load() error {
	f, err := os.OpenFile(m.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	m.file, m.size, m.lines, m.mails = f, 0, 0, nil
	r := bufio.NewReaderSize(f, 1<<16)
	for {
		line, err := r.ReadBytes('\n')
		var rec record
		if len(line) > 0 && json.Unmarshal(line, &rec) == nil && rec.N > 0 {
			m.index(rec, m.size, line)
		}
		m.size += int64(len(line))
		if errors.Is(err, io.EOF) {
			if len(line) > 0 { // so that the next mail begins a line
				if _, err := f.Write([]byte("\n")); err != nil {
					return errors.Join(err, f.Close())
				}
				m.size++
			}
			return nil
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
}

func (m *Mailbox) index(rec record, offset int64, line []byte) {
	e := entry{n: rec.N, to: rec.To, subject: rec.Subject, at: rec.At, offset: offset, length: len(line)}
	if m.file == nil {
		e.line = line
	}
	m.mails = append(m.mails, e)
	m.lines++
	m.next = max(m.next, rec.N+1)
	if extra := len(m.mails) - m.keep; extra > 0 {
		clear(m.mails[:extra]) // let go of the bytes
		m.mails = m.mails[extra:]
	}
}

// Send stores m. Like a mail server it calls committing before it does.
func (m *Mailbox) Send(ctx context.Context, msg Message, committing func() error) (Receipt, error) {
	if err := msg.Check(); err != nil {
		return Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return Receipt{}, &Error{Class: Temporary, Phase: phaseConnect, Text: "storing the mail was broken off", Err: err}
	}
	if committing != nil {
		if err := committing(); err != nil {
			return Receipt{}, fmt.Errorf("give up the mail before it is stored: %w", err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return Receipt{}, &Error{Class: Temporary, Phase: phaseConnect, Text: "the mailbox is closed"}
	}
	rec := record{N: m.next, Stored: Stored{
		To: msg.To, Subject: msg.Subject, MessageID: msg.MessageID, Text: msg.Text, HTML: msg.HTML,
		At: m.now().UTC().Truncate(time.Millisecond),
	}}
	line, err := json.Marshal(rec)
	if err != nil {
		return Receipt{}, fmt.Errorf("store mail: %w", err)
	}
	line = append(line, '\n')
	if m.file != nil {
		if n, err := m.file.Write(line); err != nil {
			m.size += int64(n)
			// Half a line would spoil the next one, too.
			if n > 0 && m.file.Truncate(m.size-int64(n)) == nil {
				m.size -= int64(n)
			}
			return Receipt{}, &Error{Class: Temporary, Phase: phaseDot, Text: "the mailbox file cannot be written", Err: err}
		}
	}
	m.index(rec, m.size, line)
	m.size += int64(len(line))
	if m.file != nil && m.lines > 2*m.keep {
		// The mail is stored whatever comes of this; if it fails the file stays long, and the next mail tries again.
		_ = m.compact()
	}
	return Receipt{Response: fmt.Sprintf("stored as mail %d of the mailbox", rec.N)}, nil
}

// compact rewrites the file without the mails that are no longer kept.
func (m *Mailbox) compact() error {
	tmp, err := os.CreateTemp(filepath.Dir(m.path), filepath.Base(m.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed
	w := bufio.NewWriter(tmp)
	for _, e := range m.mails {
		line, err := m.line(e)
		if err == nil {
			_, err = w.Write(line)
		}
		if err != nil {
			return errors.Join(err, tmp.Close())
		}
	}
	if err := errors.Join(w.Flush(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), m.path); err != nil {
		return err
	}
	short := &Mailbox{path: m.path, keep: m.keep, next: 1}
	if err := short.load(); err != nil {
		return err
	}
	old := m.file
	m.file, m.size, m.lines, m.mails = short.file, short.size, short.lines, short.mails
	return old.Close()
}

func (m *Mailbox) line(e entry) ([]byte, error) {
	if e.line != nil {
		return e.line, nil
	}
	line := make([]byte, e.length)
	if _, err := m.file.ReadAt(line, e.offset); err != nil {
		return nil, fmt.Errorf("read mail %d: %w", e.n, err)
	}
	return line, nil
}

func (m *Mailbox) stored(e entry) (Stored, error) {
	line, err := m.line(e)
	if err != nil {
		return Stored{}, err
	}
	var rec record
	if err := json.Unmarshal(line, &rec); err != nil {
		return Stored{}, fmt.Errorf("read mail %d: %w", e.n, err)
	}
	rec.Stored.N = rec.N
	rec.At = rec.At.UTC()
	return rec.Stored, nil
}

// Messages returns all mails, newest first. A mail whose file has been cut under us is left out.
func (m *Mailbox) Messages() []Stored {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]Stored, 0, len(m.mails))
	for _, e := range slices.Backward(m.mails) {
		if s, err := m.stored(e); err == nil {
			all = append(all, s)
		}
	}
	return all
}

// Get returns mail n, and false if there is none or it is no longer kept.
func (m *Mailbox) Get(n int) (Stored, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, found := m.find(n)
	if !found {
		return Stored{}, false
	}
	s, err := m.stored(m.mails[at])
	return s, err == nil
}

// raw returns the line of mail n.
func (m *Mailbox) raw(n int) ([]byte, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, found := m.find(n)
	if !found {
		return nil, false
	}
	line, err := m.line(m.mails[at])
	return line, err == nil
}

// find returns the place of mail n.
func (m *Mailbox) find(n int) (int, bool) {
	return slices.BinarySearchFunc(m.mails, n, func(e entry, n int) int { return e.n - n })
}

// search returns one page of the mails to addresses that contain q, newest first, and how many there are in all.
func (m *Mailbox) search(q string, skip, limit int) (page []entry, total int) {
	q = strings.ToLower(q)
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, e := range slices.Backward(m.mails) {
		if q != "" && !strings.Contains(strings.ToLower(e.to), q) {
			continue
		}
		if total >= skip && len(page) < limit {
			page = append(page, e)
		}
		total++
	}
	return page, total
}

// writeJSON writes the array of all mails, newest first. The lock is taken once a mail, so that a slow reader stops no
// Send; mails that are forgotten meanwhile are left out.
func (m *Mailbox) writeJSON(w io.Writer) error {
	m.mu.RLock()
	numbers := make([]int, 0, len(m.mails))
	for _, e := range slices.Backward(m.mails) {
		numbers = append(numbers, e.n)
	}
	m.mu.RUnlock()

	out := bufio.NewWriterSize(w, 1<<16)
	separator := []byte("[\n")
	for _, n := range numbers {
		line, ok := m.raw(n)
		if !ok {
			continue
		}
		// A line is a mail with its number in front, so that no mail need be taken apart here.
		_, rest, _ := bytes.Cut(line, []byte(","))
		out.Write(separator)
		out.WriteByte('{')
		out.Write(bytes.TrimSpace(rest))
		separator = []byte(",\n")
	}
	if separator[0] == '[' {
		out.WriteString("[")
	}
	out.WriteString("]\n")
	return out.Flush()
}

// Close closes the file. The mails can no longer be read after that.
func (m *Mailbox) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}
