package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// mostFailures is how many failures a report keeps, and mostPrinted how many of them it prints.
const (
	mostFailures = 100
	mostPrinted  = 10
)

// Report is what a run did and how long it took.
type Report struct {
	BaseURL     string
	Provider    string // and the way it is set up
	Seed        string
	Group       string
	Started     time.Time
	Wall        time.Duration
	Interrupted bool // the context ended before the plan did

	Phases   []PhaseReport
	Requests []RequestReport
	Failed   int       // steps that failed for good
	Failures []Failure // the first 100 of them

	People      []Person // those who were assigned, with their IDs
	UserIDs     []string // of People
	Updated     []string // ids
	GroupID     string
	Deactivated []string // ids, of those too who were reactivated
	Reactivated []string
	Deleted     []string
}

// PhaseReport is a phase that has begun.
type PhaseReport struct {
	Progress
	Wall time.Duration
}

// Failure is one step that failed for good.
type Failure struct {
	Phase  string
	Who    string // userName or group name; empty for the connection test
	Kind   string // the request that failed
	Status int    // zero where there was no answer
	Detail string // the server's own sentence, or ours
}

func (r *Report) fail(phase, who string, err error) {
	r.Failed++
	if len(r.Failures) >= mostFailures {
		return
	}
	failure := Failure{Phase: phase, Who: who, Detail: err.Error()}
	var failed *Error
	if errors.As(err, &failed) {
		failure.Kind, failure.Status, failure.Detail = failed.Kind, failed.Status, failed.Reason()
	}
	r.Failures = append(r.Failures, failure)
}

// Print writes the report as plain, aligned text.
func (r *Report) Print(w io.Writer) error {
	var page strings.Builder
	fmt.Fprintf(&page, "%s, to %s\n", r.Provider, r.BaseURL)
	page.WriteString(r.summary() + "\n\n")

	rows := [][]string{{"phase", "done", "failed", "of", "time", "per second"}}
	for _, p := range r.Phases {
		rows = append(rows, []string{p.Phase, count(p.Done), count(p.Failed), count(p.Total), elapsed(p.Wall), perSecond(p.Done, rate(p.Done, p.Wall))})
	}
	table(&page, rows)

	rows = [][]string{{"request", "count", "failed", "retries", "p50", "p99", "max", "per second"}}
	for _, q := range r.Requests {
		rows = append(rows, []string{q.Kind, count(q.Count), count(q.Failures), count(q.Retries), elapsed(q.P50), elapsed(q.P99), elapsed(q.Max), perSecond(q.Count, q.Rate)})
	}
	if len(rows) > 1 {
		page.WriteString("\n")
		table(&page, rows)
	}

	if r.Failed > 0 {
		shown := r.Failures[:min(len(r.Failures), mostPrinted)]
		fmt.Fprintf(&page, "\n%s failed", plural(r.Failed, "step"))
		if len(shown) < r.Failed {
			fmt.Fprintf(&page, "; the first %d", len(shown))
		}
		page.WriteString(":\n")
		for _, f := range shown {
			fmt.Fprintf(&page, "  %s: %s: %s\n", cmp.Or(f.Who, f.Phase), cmp.Or(f.Kind, f.Phase), f.Detail)
		}
	}
	_, err := io.WriteString(w, page.String())
	return err
}

func (r *Report) summary() string {
	parts := []string{plural(len(r.People), "person") + " assigned"}
	if n := len(r.Updated); n > 0 {
		parts = append(parts, count(n)+" updated")
	}
	if r.GroupID != "" {
		parts = append(parts, fmt.Sprintf("group %q pushed", r.Group))
	}
	if n := len(r.Deactivated); n > 0 {
		parts = append(parts, count(n)+" deactivated")
	}
	if n := len(r.Reactivated); n > 0 {
		parts = append(parts, count(n)+" reactivated")
	}
	if n := len(r.Deleted); n > 0 {
		parts = append(parts, count(n)+" deleted")
	}
	text := strings.Join(parts, ", ") + " in " + elapsed(r.Wall)
	switch {
	case r.Interrupted:
		text += "; stopped before the end"
	case r.Failed == 0:
		text += "; nothing failed"
	}
	return text
}

// table writes rows with the first column to the left and the others to the right.
func table(page *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line += "  " + cell + space
			} else {
				line += "  " + space + cell
			}
		}
		page.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// count writes 12345 as 12,345.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun == "person":
		return count(n) + " people"
	}
	return count(n) + " " + noun + "s"
}

// perSecond is left out where one thing happened: that has no rate.
func perSecond(n int, rate float64) string {
	switch {
	case n < 2 || rate == 0:
		return ""
	case rate < 10:
		return fmt.Sprintf("%.1f", rate)
	}
	return count(int(rate + 0.5))
}

// elapsed is a duration as a person reads it.
func elapsed(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
