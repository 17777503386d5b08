package dashboard

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"outpost/models"
)

// funcs are what templates know. States, words and icons have their one place here.
func funcs(static map[string]asset) template.FuncMap {
	return template.FuncMap{
		"asset":    func(name string) string { return "/static/" + name + "?v=" + static[name].version },
		"num":      anyNum,
		"dur":      dur,
		"addr":     addr,
		"initials": initials,
		"plural":   plural,
		"plural64": func(n int64, one, many string) string { return plural(int(n), one, many) },
		"badge":    badge,
		"member":   memberBadge,
		"role":     func(r models.Role) string { return strings.ToUpper(string(r[:1])) + string(r[1:]) },
		"provider": func(p models.Provider) string { return p.Title() },
		"percent":  func(n, of int) string { return percent(n, of) },
		"list":     words,
		"dict":     dict,
	}
}

// dict makes a map of pairs, for a partial that takes several values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d values are not pairs", len(pairs))
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is no string", pairs[i])
		}
		m[key] = pairs[i+1]
	}
	return m, nil
}

// moment is a time as one reader sees it. The zero moment shows as a dash.
type moment struct {
	time.Time
	now time.Time
}

// at is a time in the reader's zone.
func (r *request) at(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{Time: t.In(r.zone), now: r.now.In(r.zone)}
}

// atPointer is at for a time that may not be set.
func (r *request) atPointer(t *time.Time) moment {
	if t == nil {
		return moment{}
	}
	return r.at(*t)
}

func (m moment) element(text string) template.HTML {
	if m.IsZero() {
		return "–"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, m.UTC().Format(time.RFC3339Nano), template.HTMLEscapeString(m.Exact()), template.HTMLEscapeString(text)))
}

// Exact is the time to the millisecond, with its zone, as text.
func (m moment) Exact() string {
	return m.Format("Monday, 2 January 2006, 15:04:05.000 ") + m.ZoneName()
}

// ZoneName is the abbreviation of the reader's zone, or the offset where it has none.
func (m moment) ZoneName() string {
	name, _ := m.Zone()
	if name == "" || name[0] == '+' || name[0] == '-' {
		return m.Format("UTC-07:00")
	}
	return name
}

// Ago is how long ago it was, under an hour; today's clock; or the day.
func (m moment) Ago() template.HTML {
	if m.IsZero() {
		return "–"
	}
	switch d := m.now.Sub(m.Time); {
	case d < 0:
		return m.When()
	case d < 2*time.Second:
		return m.element("now")
	case d < time.Minute:
		return m.element(fmt.Sprintf("%d s ago", int(d.Seconds())))
	case d < time.Hour:
		return m.element(fmt.Sprintf("%d min ago", int(d.Minutes())))
	}
	return m.When()
}

// When is today's clock, or the day.
func (m moment) When() template.HTML {
	switch {
	case m.IsZero():
		return "–"
	case m.sameDay(m.now):
		return m.element(m.Format("15:04:05"))
	case m.Year() == m.now.Year():
		return m.element(m.Format("2 Jan"))
	}
	return m.element(m.Format("2 Jan 2006"))
}

// Full is the day and the clock: "Today, 14:02:11", "9 Nov, 11:03:40".
func (m moment) Full() template.HTML {
	if m.IsZero() {
		return "–"
	}
	return m.element(m.DayWord() + ", " + m.Format("15:04:05"))
}

// Clock is the time of day to the second.
func (m moment) Clock() template.HTML { return m.element(m.Format("15:04:05")) }

// Date is the day with its year.
func (m moment) Date() template.HTML { return m.element(m.Format("2 Jan 2006")) }

// Minute is the day and the time of day with its zone: "1 December 2026, 14:05 CET".
func (m moment) Minute() template.HTML {
	return m.element(m.Format("2 January 2006, 15:04 ") + m.ZoneName())
}

// HourMinute is the time of day with its zone: "14:05 CET".
func (m moment) HourMinute() template.HTML { return m.element(m.Format("15:04 ") + m.ZoneName()) }

// DayWord is "Today", "Yesterday" or the day, as text.
func (m moment) DayWord() string {
	switch {
	case m.sameDay(m.now):
		return "Today"
	case m.sameDay(m.now.AddDate(0, 0, -1)):
		return "Yesterday"
	case m.Year() == m.now.Year():
		return m.Format("2 Jan")
	}
	return m.Format("2 Jan 2006")
}

// DayHead is the heading over a day's events: "Today, 24 November", "Monday, 9 November".
func (m moment) DayHead() string {
	day := m.Format("2 January")
	if m.Year() != m.now.Year() {
		day = m.Format("2 January 2006")
	}
	switch {
	case m.sameDay(m.now):
		return "Today, " + day
	case m.sameDay(m.now.AddDate(0, 0, -1)):
		return "Yesterday, " + day
	}
	return m.Format("Monday, ") + day
}

func (m moment) sameDay(o time.Time) bool {
	return m.Year() == o.Year() && m.YearDay() == o.YearDay()
}

// anyNum is num for the integers that templates meet.
func anyNum(n any) (string, error) {
	switch n := n.(type) {
	case int:
		return num(n), nil
	case int64:
		return num(int(n)), nil
	}
	return "", fmt.Errorf("num: %v is no whole number", n)
}

// num is 1,234.
func num(n int) string {
	s := strconv.Itoa(n)
	from := 0
	if n < 0 {
		from = 1
	}
	for i := len(s) - 3; i > from; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// dur is 41 ms, 6.2 s, 1 min 22 s, 3 h 5 min, 4 days.
func dur(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < 10*time.Second:
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		if s := int(d.Seconds()) % 60; s > 0 {
			return fmt.Sprintf("%d min %d s", int(d.Minutes()), s)
		}
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour, d < 48*time.Hour && d%(24*time.Hour) != 0:
		if m := int(d.Minutes()) % 60; m > 0 {
			return fmt.Sprintf("%d h %d min", int(d.Hours()), m)
		}
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// plural is "1 person", "2 people": the number with its word.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return num(n) + " " + many
}

// percent is a share in whole percent that says 100 only when nothing is missing.
func percent(n, of int) string {
	switch {
	case of == 0 || n >= of:
		return "100"
	case n <= 0:
		return "0"
	}
	return strconv.Itoa(max(min(n*100/of, 99), 1))
}

// addr is an address that may break after its @.
func addr(s string) template.HTML {
	if s == "" {
		return "no e-mail address"
	}
	before, after, found := strings.Cut(s, "@")
	if !found {
		return template.HTML(template.HTMLEscapeString(s))
	}
	return template.HTML(template.HTMLEscapeString(before) + "@<wbr>" + template.HTMLEscapeString(after))
}

// initials are one or two letters for a name.
func initials(name string) string {
	var out []rune
	for _, w := range strings.Fields(name) {
		r, _ := utf8.DecodeRuneInString(w)
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			out = append(out, unicode.ToUpper(r))
		}
	}
	switch {
	case len(out) == 0:
		return "?"
	case len(out) > 2:
		return string([]rune{out[0], out[len(out)-1]})
	}
	return string(out)
}

// words says a list as a person would: "Design, Sales and Berlin".
func words(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

// sentence is an error's text with a capital letter and a full stop.
func sentence(s string) string {
	if s = capital(s); s == "" {
		return ""
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?)") {
		s += "."
	}
	return s
}

// capital is a text with a capital letter.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// mark is a badge: its class and its word.
func mark(class, word string) template.HTML {
	return template.HTML(`<span class="badge badge-` + class + `">` + template.HTMLEscapeString(word) + `</span>`)
}

// badge shows the state of an operation.
func badge(s models.OperationState) template.HTML { return mark(string(s), stateWords[s]) }

var stateWords = map[models.OperationState]string{
	models.OperationPending: "Waiting", models.OperationRunning: "Running", models.OperationDone: "Done",
	models.OperationSuperseded: "Superseded", models.OperationHeld: "Held", models.OperationFailed: "Failed",
}

// memberBadge shows whether a member can get in.
func memberBadge(s models.MemberStatus) template.HTML {
	switch s {
	case models.MemberActive:
		return mark("active", "Active")
	case models.MemberInvited:
		return mark("invited", "Invited")
	}
	return mark("off", "Deactivated")
}

// visible shows characters that would change how a text is read without being seen: direction marks and those of no
// width. Pages of ours have none of their own, so whatever there is came with somebody's name. The joiners stay where
// scripts and emoji need them, and show between letters of the Latin alphabet.
func visible(page []byte) []byte {
	if !hasInvisible(page) {
		return page
	}
	out := make([]byte, 0, len(page)+64)
	var before rune
	for len(page) > 0 {
		r, n := utf8.DecodeRune(page)
		if invisible(r) || (r == '\u200c' || r == '\u200d') && before < 0x250 {
			out = fmt.Appendf(out, "[U+%04X]", r)
		} else {
			out = append(out, page[:n]...)
			before = r
		}
		page = page[n:]
	}
	return out
}

func hasInvisible(page []byte) bool {
	for _, b := range page {
		if b == 0xe2 || b == 0xc2 || b == 0xd8 || b == 0xef || b == 0xf3 { // how those characters begin
			return true
		}
	}
	return false
}

func invisible(r rune) bool {
	switch {
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c, r == 0x200b, r >= 0x2060 && r <= 0x2064, r == 0xfeff, r == 0x00ad,
		r >= 0xe0000 && r <= 0xe007f, r == 0x2028, r == 0x2029:
		return true
	}
	return false
}

// waited is how long something has waited since, to the minute once it is one.
func (r *request) waited(since time.Time) string {
	d := max(r.now.Sub(since).Truncate(time.Second), time.Second)
	if d >= time.Minute {
		d = d.Truncate(time.Minute)
	}
	return dur(d)
}
