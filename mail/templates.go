package mail

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"net"
	"net/url"
	"strings"
	texttemplate "text/template"
	"time"
)

//go:embed templates
var templateFiles embed.FS

// Both kinds of template know the same functions. `tenant` shows a name a tenant chose, in the way that suits the part.
var (
	htmlTemplates = htmltemplate.Must(htmltemplate.New("").Funcs(htmltemplate.FuncMap{
		"tenant": func(s string) string { return unlinkHTML(tenantName(s)) },
		"names":  func(n []string) string { return names(n, unlinkHTML) },
		"when":   when, "day": day, "clock": clock, "amount": amount,
	}).ParseFS(templateFiles, "templates/*.html"))
	textTemplates = texttemplate.Must(texttemplate.New("").Funcs(texttemplate.FuncMap{
		"tenant": func(s string) string { return unlink(tenantName(s)) },
		"names":  func(n []string) string { return names(n, unlink) },
		"when":   when, "day": day, "clock": clock, "amount": amount,
	}).ParseFS(templateFiles, "templates/*.txt"))
)

// compose fills both templates called name with data and finishes the message.
func (m Message) compose(name string, data any) (Message, error) {
	var text, html bytes.Buffer
	if err := textTemplates.ExecuteTemplate(&text, name+".txt", data); err != nil {
		return Message{}, fmt.Errorf("compose the text of %s: %w", name, err)
	}
	if err := htmlTemplates.ExecuteTemplate(&html, name+".html", data); err != nil {
		return Message{}, fmt.Errorf("compose the page of %s: %w", name, err)
	}
	m.Text, m.HTML = wrap(text.String()), html.String()
	if err := m.Check(); err != nil {
		return Message{}, err
	}
	return m, nil
}

// messageID is <kind.id@host>. host may carry a port, which is cut.
func messageID(kind, id, host string) string {
	return "<" + kind + "." + id + "@" + hostname(host) + ">"
}

func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "[IPv6:" + host + "]"
	}
	return host
}

// ownLink refuses every link that does not lead to host: no mail of ours may carry one.
func ownLink(link, host string) error {
	u, err := url.Parse(link)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil ||
		!strings.EqualFold(hostname(u.Host), hostname(host)) || strings.ContainsAny(link, " \t\r\n<>\"") || !isASCII(link) {
		return &Error{Class: Invalid, Phase: phaseMessage, Text: fmt.Sprintf("the mail would link to somewhere other than %s", hostname(host))}
	}
	return nil
}

// names says the first five as a person would: "Design, Sales and 3 more".
func names(all []string, unlink func(string) string) string {
	const shown = 5
	var out []string
	for _, n := range all {
		if n = unlink(tenantName(n)); n != "" {
			out = append(out, n)
		}
	}
	if rest := len(out) - shown; rest > 0 {
		out = append(out[:shown:shown], fmt.Sprintf("%d more", rest))
	}
	if len(out) < 2 {
		return strings.Join(out, "")
	}
	return strings.Join(out[:len(out)-1], ", ") + " and " + out[len(out)-1]
}

// when is "Tuesday, 1 December 2026, 14:05 (CET)": the zone is the one the time carries, and always said.
func when(t time.Time) string {
	return t.Format("Monday, 2 January 2006, 15:04") + " (" + zone(t) + ")"
}

func day(t time.Time) string { return t.Format("2 January 2006") }

func clock(t time.Time) string { return t.Format("15:04 ") + zone(t) }

// zone is the abbreviation, or the offset where the zone has none.
func zone(t time.Time) string {
	name, _ := t.Zone()
	if name == "" || name[0] == '+' || name[0] == '-' {
		return t.Format("UTC-07:00")
	}
	return name
}

// amount is 1,234.
func amount(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
