//go:build bench

package bench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the result: a measurement of both servers, one value a round.
type row struct {
	what, unit    string
	outpost, bare []float64
	lessIsBetter  bool
	noRatio       bool
	target        func(outpost, ratio float64) verdict
}

// verdict is a target, and whether it is met. It is for reading: nothing fails for it.
type verdict struct {
	target string
	met    bool
}

func (v verdict) String() string {
	if v.met {
		return v.target + ": met"
	}
	return v.target + ": NOT met"
}

// figures are the result in the order of the run.
type figures struct{ rows []*row }

// row finds or adds the line of that name.
func (f *figures) row(what, unit string) *row {
	for _, r := range f.rows {
		if r.what == what {
			return r
		}
	}
	r := &row{what: what, unit: unit}
	f.rows = append(f.rows, r)
	return r
}

// add notes a value for a server.
func (r *row) add(server string, value float64) {
	if server == outpostName {
		r.outpost = append(r.outpost, value)
	} else {
		r.bare = append(r.bare, value)
	}
}

// ratio is how fast the product is beside the bare server, the medians compared: 1 is as fast, 0.5 half as fast.
func (r *row) ratio() (float64, bool) {
	if r.noRatio || len(r.outpost) == 0 || len(r.bare) == 0 {
		return 0, false
	}
	a, b := median(r.outpost), median(r.bare)
	if r.lessIsBetter {
		a, b = b, a
	}
	return a / b, true
}

var columns = []string{"", "unit", "outpost", "bare", "ratio", "target"}

func (r *row) cells() []string {
	cells := []string{r.what, r.unit, shown(r.outpost), shown(r.bare), "", ""}
	ratio, ok := r.ratio()
	if ok {
		cells[4] = strconv.FormatFloat(ratio, 'f', 2, 64)
	}
	if r.target != nil && len(r.outpost) > 0 {
		cells[5] = r.target(median(r.outpost), ratio).String()
	}
	return cells
}

// table prints the result for a terminal.
func (f *figures) table(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	for _, r := range f.rows {
		fmt.Fprintln(t, strings.Join(r.cells(), "\t"))
	}
	_ = t.Flush()
}

// markdown prints the result for a document.
func (f *figures) markdown(w io.Writer) {
	fmt.Fprintf(w, "| %s |\n|---|---|---:|---:|---:|---|\n", strings.Join(columns, " | "))
	for _, r := range f.rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(r.cells(), " | "))
	}
}

// shown is a median as people read it: three digits that count, no fraction where it is large.
func shown(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	switch m := median(values); {
	case m >= 100:
		return grouped(int(m + 0.5))
	case m >= 10:
		return strconv.FormatFloat(m, 'f', 1, 64)
	default:
		return strconv.FormatFloat(m, 'f', 2, 64)
	}
}

// grouped writes 12345 as 12,345.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}

// p50 is the middle of sorted durations, in milliseconds.
func p50(sorted []time.Duration) float64 { return milliseconds(sorted[len(sorted)/2]) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func perSecond(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }
