package directory

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"outpost/models"
	"outpost/store"
)

// Answer is how a request to a connection ended.
type Answer struct {
	Route    string // that took it, "/Users/:id"; "" for none
	Path     string // as it was asked for
	Resource string // what it was about, for the audit
	Status   int
	Took     time.Duration
	// Trouble is one of the models.Trouble constants, "" where nothing was wrong. A 404 for a look-up, a 409 and a 412 are
	// answers, not trouble: providers ask in order to hear them.
	Trouble string
	Detail  string // the sentence that the provider got
	Token   string // what was sent as a token
}

// What is kept in memory between two flushes is bounded: by the connections that there are, and for those who have no
// token by these.
const (
	maxStrangers = 100   // requests that are set aside to be looked at with the next flush
	maxRefusals  = 10    // audit entries about wrong tokens, a minute and connection
	maxPending   = 1_000 // such entries in all, and measurements, until a flush succeeds
	maxPath      = 200   // characters of an address
	maxSentence  = 500   // characters of a sentence
	maxToken     = 256   // bytes at the end of what was sent as a token; ours have 90
)

// gathered is what requests leave in memory, until Flush writes it down: a request has no statement for it.
type gathered struct {
	mu        sync.Mutex
	uses      map[string]store.TokenUse // by token
	heard     map[string]*heard         // by connection
	strangers []stranger
	minutes   map[string]minute // by connection
	refusals  []models.AuditEntry
	took      []store.Took
}

// heard is what a connection's requests came to.
type heard struct {
	models.ConnectionHealth
	hours []models.ConnectionHour
}

// stranger is a request without a good token, to or from a connection that is not known in memory.
type stranger struct {
	caller Caller
	answer Answer
	at     time.Time
}

// minute counts the audit entries about wrong tokens since it began.
type minute struct {
	began   time.Time
	entries int
}

func newGathered() gathered {
	return gathered{uses: map[string]store.TokenUse{}, heard: map[string]*heard{}, minutes: map[string]minute{}}
}

// Heard tells how a request ended. It waits for nothing: Flush writes it down. A request whose token was found good is
// its connection's, and a use of its token. Any other is the connection's in its path, as one with a wrong token; where
// there is no such connection it is the one's whose good token it carries, as one to a wrong address. What is neither is
// forgotten.
func (d *Directory) Heard(c Caller, a Answer) {
	now := d.now()
	if c.Access.TokenID != "" {
		d.gathered.mu.Lock()
		defer d.gathered.mu.Unlock()
		if a.Trouble == models.TroubleToken { // ended while the request was on its way
			a.Detail = lastFour(a.Token)
		} else {
			d.gathered.use(store.TokenUse{TokenID: c.Access.TokenID, Uses: 1, FirstIP: c.IP, At: now})
		}
		d.gathered.hear(c.ConnectionID, c, a, now)
		return
	}
	known, ok := d.known(c.ConnectionID)
	d.gathered.mu.Lock()
	defer d.gathered.mu.Unlock()
	switch {
	case ok && known.Connection.Status != models.ConnectionDeleted:
		d.gathered.wrongToken(known.Connection, c, a, now)
	case (IsID(c.ConnectionID) || tokenConnection(a.Token) != "") && len(d.gathered.strangers) < maxStrangers:
		a.Path, a.Token = cut(a.Path, maxPath), strings.Clone(a.Token[max(0, len(a.Token)-maxToken):])
		d.gathered.strangers = append(d.gathered.strangers, stranger{c, a, now})
	}
}

// tokenConnection is the connection whose token it says it is, "" where it says no such thing.
func tokenConnection(token string) string {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(rest) < 37 || rest[36] != '_' || !IsID(rest[:36]) {
		return ""
	}
	return rest[:36]
}

// lastFour is as much of what was sent as a token as people get to see, so that they find where they pasted it.
func lastFour(token string) string {
	token = strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return -1
		}
		return c
	}, token)
	return token[max(0, len(token)-4):]
}

func (g *gathered) use(u store.TokenUse) {
	was, ok := g.uses[u.TokenID]
	if ok {
		u.Uses += was.Uses
		u.FirstIP = was.FirstIP
		if was.At.After(u.At) {
			u.At = was.At
		}
	}
	g.uses[u.TokenID] = u
}

// hear counts a request as the connection's.
func (g *gathered) hear(connectionID string, c Caller, a Answer, at time.Time) {
	h := g.of(connectionID)
	if h == nil {
		return
	}
	one := models.ConnectionHealth{
		LastAt: &at, LastMethod: c.Method, LastRoute: a.Route, LastStatus: a.Status, LastMicros: a.Took.Microseconds(), LastIP: c.IP, LastAgent: c.UserAgent,
	}
	failures := int64(0)
	switch {
	case a.Trouble != "":
		failures = 1
		one.ErrorAt, one.ErrorKind, one.ErrorStatus, one.ErrorDetail = &at, a.Trouble, a.Status, cut(a.Detail, maxSentence)
	case a.Status < 400:
		one.FirstSuccessAt = &at
	}
	h.merge(&one)
	h.count(models.ConnectionHour{ConnectionID: connectionID, Hour: at.UTC().Truncate(time.Hour), Requests: 1, Failures: failures, Micros: one.LastMicros})
}

// of is what is gathered about a connection; nil where there is no room for another.
func (g *gathered) of(connectionID string) *heard {
	h := g.heard[connectionID]
	if h == nil && len(g.heard) < maxKnown {
		h = &heard{ConnectionHealth: models.ConnectionHealth{ConnectionID: connectionID}}
		g.heard[connectionID] = h
	}
	return h
}

// merge keeps the later of what two tell.
func (h *heard) merge(other *models.ConnectionHealth) {
	later := func(a, b *time.Time) bool { return a != nil && (b == nil || !a.Before(*b)) }
	if first := other.FirstSuccessAt; first != nil && (h.FirstSuccessAt == nil || first.Before(*h.FirstSuccessAt)) {
		h.FirstSuccessAt = first
	}
	if later(other.LastAt, h.LastAt) {
		h.LastAt, h.LastMethod, h.LastRoute, h.LastStatus = other.LastAt, other.LastMethod, other.LastRoute, other.LastStatus
		h.LastMicros, h.LastIP, h.LastAgent = other.LastMicros, other.LastIP, other.LastAgent
	}
	if later(other.ErrorAt, h.ErrorAt) {
		h.ErrorAt, h.ErrorKind, h.ErrorStatus, h.ErrorDetail = other.ErrorAt, other.ErrorKind, other.ErrorStatus, other.ErrorDetail
	}
}

func (h *heard) count(more models.ConnectionHour) {
	for i := range h.hours {
		if at := &h.hours[i]; at.Hour.Equal(more.Hour) {
			at.Requests += more.Requests
			at.Failures += more.Failures
			at.Micros += more.Micros
			return
		}
	}
	h.hours = append(h.hours, more)
}

// wrongToken counts a request without a good token as that of a connection which exists, and records the first ones of
// each minute in the audit.
func (g *gathered) wrongToken(at models.Connection, c Caller, a Answer, now time.Time) {
	sentence := a.Detail
	a.Detail = lastFour(a.Token)
	g.hear(at.ID, c, a, now)
	m := g.minutes[at.ID]
	if now.Sub(m.began) >= time.Minute {
		m = minute{began: now}
	}
	if m.entries == maxRefusals || len(g.refusals) == maxPending {
		return
	}
	m.entries++
	g.minutes[at.ID] = m
	c.WorkspaceID, c.ConnectionID, c.Actor = at.WorkspaceID, at.ID, "no token"
	if a.Detail != "" {
		c.Actor = "unknown token …" + a.Detail
	}
	g.refusals = append(g.refusals, *c.audit(now, a.Resource, "", a.Status, sentence, nil))
}

// endedAccess notes how long it took a request to end somebody's access, from its arrival until now.
func (g *gathered) endedAccess(c Caller, entryID string) {
	if c.Arrived.IsZero() {
		return
	}
	took := time.Since(c.Arrived).Microseconds()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.took) < maxPending {
		g.took = append(g.took, store.Took{WorkspaceID: c.WorkspaceID, EntryID: entryID, Micros: took})
	}
}

// Run writes down each second what requests left in memory, until ctx ends.
func (d *Directory) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.Flush(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			d.Flush(ctx)
		}
	}
}

// Flush writes down what was gathered since the last one: the use of tokens, what connections were heard to do, who came
// with a wrong token, and how long it took to end access. The first use of a token starts the end of the ones before it.
// What the database does not take while it is away is kept for the next flush.
func (d *Directory) Flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d.recognize(ctx)
	d.gathered.mu.Lock()
	all := &gathered{uses: d.gathered.uses, heard: d.gathered.heard, refusals: d.gathered.refusals, took: d.gathered.took}
	d.gathered.uses, d.gathered.heard = make(map[string]store.TokenUse, len(all.uses)), make(map[string]*heard, len(all.heard))
	d.gathered.refusals, d.gathered.took = nil, nil
	now := d.now()
	maps.DeleteFunc(d.gathered.minutes, func(_ string, m minute) bool { return now.Sub(m.began) >= time.Minute })
	d.gathered.mu.Unlock()

	for id, u := range all.uses {
		err := d.store.Write(ctx, func(tx *store.Tx) error { return tx.TokenUsed(u, overlap) })
		if !d.again(ctx, "record token use", err) {
			delete(all.uses, id)
		}
	}
	if len(all.heard)+len(all.refusals)+len(all.took) > 0 {
		err := d.store.Write(ctx, func(tx *store.Tx) error { return all.write(tx) })
		if !d.again(ctx, "record requests", err) {
			all.heard, all.refusals, all.took = nil, nil, nil
		}
	}
	d.gathered.putBack(all)
}

// write writes down all but the use of tokens. Processes that flush at the same time take their rows in one order.
func (g *gathered) write(tx *store.Tx) error {
	for _, h := range slices.SortedFunc(maps.Values(g.heard), func(a, b *heard) int { return cmp.Compare(a.ConnectionID, b.ConnectionID) }) {
		if err := tx.Heard(h.ConnectionHealth); err != nil {
			return err
		}
		for _, hour := range h.hours {
			if err := tx.AddHour(hour); err != nil {
				return err
			}
		}
	}
	for i := range g.refusals {
		tx.Add(&g.refusals[i])
	}
	if len(g.took) > 0 {
		return tx.RecordTook(g.took)
	}
	return nil
}

// again reports whether to try again what ended in err: while the database is away.
func (d *Directory) again(ctx context.Context, what string, err error) bool {
	if err == nil {
		return false
	}
	d.log.LogAttrs(ctx, slog.LevelWarn, what, slog.Any("error", err))
	return models.Is(err, models.Unavailable)
}

// putBack gathers again what could not be written.
func (g *gathered) putBack(all *gathered) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, u := range all.uses { // they came first
		if later, ok := g.uses[id]; ok {
			u.Uses, u.At = u.Uses+later.Uses, later.At
		}
		g.uses[id] = u
	}
	for id, old := range all.heard {
		h := g.of(id)
		if h == nil {
			continue
		}
		later := h.ConnectionHealth
		h.ConnectionHealth = old.ConnectionHealth
		h.merge(&later)
		for _, hour := range old.hours {
			h.count(hour)
		}
	}
	g.refusals = append(all.refusals, g.refusals...)[:min(len(all.refusals)+len(g.refusals), maxPending)]
	g.took = append(all.took, g.took...)[:min(len(all.took)+len(g.took), maxPending)]
}

// recognize looks, in one statement however many came, at the requests that were set aside.
func (d *Directory) recognize(ctx context.Context) {
	d.gathered.mu.Lock()
	strangers := d.gathered.strangers
	d.gathered.strangers = nil
	d.gathered.mu.Unlock()
	if len(strangers) == 0 {
		return
	}
	var ids []string
	for _, s := range strangers {
		for _, id := range [...]string{s.caller.ConnectionID, tokenConnection(s.answer.Token)} {
			if IsID(id) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	all, err := d.store.Accesses(ctx, ids...)
	if err != nil {
		d.log.LogAttrs(ctx, slog.LevelWarn, "recognize requests", slog.Any("error", err))
		return
	}
	d.gathered.mu.Lock()
	defer d.gathered.mu.Unlock()
	for _, s := range strangers {
		if there, ok := all[s.caller.ConnectionID]; ok && there.Connection.Status != models.ConnectionDeleted {
			d.gathered.wrongToken(there.Connection, s.caller, s.answer, s.at)
			continue
		}
		from, ok := all[tokenConnection(s.answer.Token)]
		if !ok {
			continue
		}
		if access, err := d.judge(from, s.answer.Token); !models.Is(err, models.Unknown) {
			if s.answer.Trouble == models.TroubleToken || s.answer.Trouble == models.TroubleURL { // else the address is right, and the method is wrong
				s.answer.Trouble, s.answer.Detail = models.TroubleURL, s.answer.Path
			}
			d.gathered.hear(access.ConnectionID, s.caller, s.answer, s.at)
		}
	}
}

// cut is as much of a text as n characters.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}
