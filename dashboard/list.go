package dashboard

import (
	"net/url"
	"strconv"
)

// pageSize is how many rows a list shows.
const pageSize = 50

// pager leads through the pages of a list. An empty Prev or Next leads nowhere.
type pager struct {
	From, To, Total int
	Over            bool   // there are more than Total, which was counted so far
	Noun            string // "people"
	Prev, Next      string
}

// offset is the first row of the page that the query asks for.
func (r *request) offset() int {
	n, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || n < 1 || n > 100_000 {
		return 0
	}
	return (n - 1) * pageSize
}

// pager makes the pager of a list of which shown rows from offset on are shown.
func (r *request) pager(offset, shown, total int, noun string) pager {
	p := pager{From: offset + 1, To: offset + shown, Total: total, Noun: noun}
	page := offset/pageSize + 1
	if page > 1 {
		p.Prev = r.with("page", strconv.Itoa(page-1))
	}
	if offset+shown < total {
		p.Next = r.with("page", strconv.Itoa(page+1))
	}
	return p
}

// with is the request's own address with one value of its query set, or removed where value is "". Any other change than
// that of the page leads to the first page.
func (r *request) with(key, value string) string {
	q := url.Values{}
	for k, v := range r.URL.Query() {
		q[k] = v
	}
	if key != "page" && key != "before" {
		q.Del("page")
		q.Del("before")
	}
	if value == "" || key == "page" && value == "1" {
		q.Del(key)
	} else {
		q.Set(key, value)
	}
	if len(q) == 0 {
		return r.URL.Path
	}
	return r.URL.Path + "?" + q.Encode()
}

// facet is one way to narrow a list: a menu of links.
type facet struct {
	Label, Value, Word string
	Options            []option
}

// option is one value of a facet, or of a menu.
type option struct {
	Word, Href string
	On         bool
}

// facet makes the facet that the query's key chooses; choices are pairs of value and word.
func (r *request) facet(label, key string, choices ...[2]string) facet {
	f := facet{Label: label, Value: r.URL.Query().Get(key)}
	known := false
	for _, c := range choices {
		on := c[0] == f.Value
		if on {
			f.Word, known = c[1], true
		}
		href := r.with(key, c[0])
		if on {
			href = r.with(key, "") // a second click takes it back
		}
		f.Options = append(f.Options, option{Word: c[1], Href: href, On: on})
	}
	if !known {
		f.Value = ""
	}
	return f
}
