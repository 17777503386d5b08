package dashboard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// event is one named part of a page, rendered: what an element with sse-swap of that name shows.
type event struct {
	name string
	html []byte
}

// part renders a named template of a page as an event.
func (d *Dashboard) part(page, template, name string, data any) (event, error) {
	var b bytes.Buffer
	if err := d.pages[page].ExecuteTemplate(&b, template, data); err != nil {
		return event{}, fmt.Errorf("render %s: %w", template, err)
	}
	return event{name, visible(b.Bytes())}, nil
}

// hub keeps live views: however many people look at the same thing, its state is read and rendered once.
type hub struct {
	done <-chan struct{}
	log  *slog.Logger
	mu   sync.Mutex
	open map[string]*topic
}

func newHub(done <-chan struct{}, log *slog.Logger) *hub {
	return &hub{done: done, log: log, open: map[string]*topic{}}
}

// topic is one thing that is looked at.
type topic struct {
	mu      sync.Mutex
	parts   map[string]version
	order   []string
	changed chan struct{} // closed, and made anew, when a part has changed
	viewers int
	stop    context.CancelFunc
}

// version is a part as it was last rendered; number rises with each change of any part.
type version struct {
	number int
	html   []byte
}

// join adds a viewer to the topic called key. The first one starts it: state is asked at least every so often, less often
// when it costs much, and gives every part there is.
func (h *hub) join(key string, every time.Duration, state func(context.Context) ([]event, error)) (t *topic, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t = h.open[key]
	if t == nil {
		ctx, cancel := context.WithCancel(context.Background())
		t = &topic{parts: map[string]version{}, changed: make(chan struct{}), stop: cancel}
		h.open[key] = t
		go h.watch(ctx, key, t, every, state)
	}
	t.viewers++
	return t, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if t.viewers--; t.viewers == 0 {
			t.stop()
			delete(h.open, key)
		}
	}
}

// watch keeps a topic's parts as they are, until nobody looks.
func (h *hub) watch(ctx context.Context, key string, t *topic, every time.Duration, state func(context.Context) ([]event, error)) {
	number := 0
	for {
		began := time.Now()
		reading, cancel := context.WithTimeout(ctx, 5*time.Second)
		events, err := state(reading)
		cancel()
		if err != nil && ctx.Err() == nil {
			h.log.Debug("live view", "error", err) // the page says since when it is still
		}
		if err == nil {
			t.mu.Lock()
			before := number
			for _, e := range events {
				old, known := t.parts[e.name]
				if known && bytes.Equal(old.html, e.html) {
					continue
				}
				if !known {
					t.order = append(t.order, e.name)
				}
				number++
				t.parts[e.name] = version{number, e.html}
			}
			if number != before {
				close(t.changed)
				t.changed = make(chan struct{})
			}
			t.mu.Unlock()
		}
		// A state that costs much is read less often: never more than a twentieth of a core.
		timer := time.NewTimer(max(every, 20*time.Since(began)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-h.done:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// since gives the parts that changed after a version number, the number now, and what tells of the next change.
func (t *topic) since(number int) (events []event, ids []int, next <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range t.order {
		if p := t.parts[name]; p.number > number {
			events = append(events, event{name, p.html})
			ids = append(ids, p.number)
		}
	}
	return events, ids, t.changed
}

const (
	heartbeat = 15 * time.Second
	lookAgain = time.Second // how often a live view asks, while nothing is sent, whether its viewer may still see it
)

// goodbye tells a page that its viewer may not see it any more.
const goodbye = "event: bye\ndata:\n\n"

// stream answers with server-sent events: the whole state first, then each part that changes, until the visitor leaves,
// loses access, or the process stops. What is sent was read before the visitor was last seen to have access, so nothing
// leaves that came to be after it ended. key names what is looked at; viewers of one zone and kind share it.
func (r *request) stream(key string, every time.Duration, state func(context.Context) ([]event, error)) error {
	t, leave := r.d.live.join(key+" "+r.zone.String(), every, state)
	defer leave()
	h := r.w.Header()
	secureHeaders(h, pagePolicy)
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(r.w)
	write := func(b []byte) error {
		if err := out.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := r.w.Write(b); err != nil {
			return err
		}
		return out.Flush()
	}
	if write([]byte("retry: 1000\n\n")) != nil {
		return nil
	}
	beat, look := time.NewTicker(heartbeat), time.NewTicker(lookAgain)
	defer beat.Stop()
	defer look.Stop()
	for seen := 0; ; {
		events, ids, next := t.since(seen)
		still, err := r.still()
		if err != nil {
			events = nil // nobody can tell whether they may go out: they wait for the next look
		} else if !still {
			_ = write([]byte(goodbye)) // the view ends either way
			return nil
		}
		var b bytes.Buffer
		for i, e := range events {
			fmt.Fprintf(&b, "id: %d\nevent: %s\n", ids[i], e.name)
			for line := range bytes.SplitSeq(e.html, []byte("\n")) {
				b.WriteString("data: ")
				b.Write(bytes.TrimSuffix(line, []byte("\r")))
				b.WriteByte('\n')
			}
			b.WriteByte('\n')
			seen = max(seen, ids[i])
		}
		if b.Len() > 0 && write(b.Bytes()) != nil {
			return nil
		}
		select {
		case <-next:
		case <-r.ctx.Done():
			return nil
		case <-r.d.Done:
			return nil
		case <-beat.C:
			if write([]byte(":\n\n")) != nil {
				return nil
			}
		case <-look.C:
		}
	}
}
