package dashboard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"outpost/store"
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
	done  <-chan struct{}
	log   *slog.Logger
	still func(context.Context, []store.Visit) ([]bool, error) // which viewers may still look
	mu    sync.Mutex
	open  map[string]*topic
}

func newHub(done <-chan struct{}, log *slog.Logger, still func(context.Context, []store.Visit) ([]bool, error)) *hub {
	return &hub{done: done, log: log, still: still, open: map[string]*topic{}}
}

// topic is one thing that is looked at.
type topic struct {
	mu      sync.Mutex
	parts   map[string]version
	order   []string
	changed chan struct{} // closed, and made anew, when a part has changed
	viewers map[*viewer]bool
	stop    context.CancelFunc
}

// viewer is one live view of a topic.
type viewer struct {
	visit store.Visit
	once  sync.Once
	gone  chan struct{} // closed when the holder of the session may not look any more
}

// version is a part as it was last rendered; number rises with each change of any part.
type version struct {
	number int
	html   []byte
}

// join adds a viewer to the topic called key. The first one starts it: state is asked at least every so often, less often
// when it costs much, and gives every part there is.
func (h *hub) join(key string, visit store.Visit, every time.Duration, state func(context.Context) ([]event, error)) (t *topic, v *viewer, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t = h.open[key]
	if t == nil {
		ctx, cancel := context.WithCancel(context.Background())
		t = &topic{parts: map[string]version{}, changed: make(chan struct{}), viewers: map[*viewer]bool{}, stop: cancel}
		h.open[key] = t
		go h.watch(ctx, key, t, every, state)
		go h.guard(ctx, t)
	}
	v = &viewer{visit: visit, gone: make(chan struct{})}
	t.mu.Lock()
	t.viewers[v] = true
	t.mu.Unlock()
	return t, v, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		t.mu.Lock()
		delete(t.viewers, v)
		last := len(t.viewers) == 0
		t.mu.Unlock()
		if last {
			t.stop()
			delete(h.open, key)
		}
	}
}

// lookAgain is how often it is asked, at least, who of a topic's viewers may still look.
const lookAgain = time.Second

// guard sends away, until nobody looks, the viewers who may not look any more.
func (h *hub) guard(ctx context.Context, t *topic) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.done:
			return
		case <-tick.C:
			_ = h.sendAway(ctx, t) // the next tick asks again, and nothing is shown before that was answered
		}
	}
}

// sendAway asks, in one statement for all, which of a topic's viewers may still look, and ends the views of the others.
func (h *hub) sendAway(ctx context.Context, t *topic) error {
	t.mu.Lock()
	viewers := make([]*viewer, 0, len(t.viewers))
	visits := make([]store.Visit, 0, len(t.viewers))
	for v := range t.viewers {
		viewers = append(viewers, v)
		visits = append(visits, v.visit)
	}
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	still, err := h.still(ctx, visits)
	if err != nil {
		return fmt.Errorf("who may still look: %w", err)
	}
	for i, v := range viewers {
		if !still[i] {
			v.once.Do(func() { close(v.gone) })
		}
	}
	return nil
}

// watch keeps a topic's parts as they are, until nobody looks. What has changed is shown to nobody whose access had ended
// when it was read.
func (h *hub) watch(ctx context.Context, key string, t *topic, every time.Duration, state func(context.Context) ([]event, error)) {
	number := 0
	for {
		began := time.Now()
		reading, cancel := context.WithTimeout(ctx, 5*time.Second)
		events, err := state(reading)
		cancel()
		if err == nil && t.differs(events) {
			err = h.sendAway(ctx, t)
		}
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

// differs reports whether any of the events is not what the topic shows.
func (t *topic) differs(events []event) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(events, func(e event) bool {
		old, known := t.parts[e.name]
		return !known || !bytes.Equal(old.html, e.html)
	})
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

const heartbeat = 15 * time.Second

// goodbye tells a page that its viewer may not see it any more.
const goodbye = "event: bye\ndata:\n\n"

// stream answers with server-sent events: the whole state first, then each part that changes, until the visitor leaves,
// loses access, or the process stops. key names what is looked at; viewers of one zone and kind share it.
func (r *request) stream(key string, every time.Duration, state func(context.Context) ([]event, error)) error {
	t, viewer, leave := r.d.live.join(key+" "+r.zone.String(), r.visit, every, state)
	defer leave()
	if err := r.stays(); err != nil { // what was read until now may be shown to them; from now on the topic asks
		return err
	}
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
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for seen := 0; ; {
		select { // whoever is gone sees nothing more, whatever else is ready
		case <-viewer.gone:
			_ = write([]byte(goodbye)) // the view ends either way
			return nil
		default:
		}
		events, ids, next := t.since(seen)
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
		case <-viewer.gone:
		}
	}
}
