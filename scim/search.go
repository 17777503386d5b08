package scim

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"strings"
)

// Search is what a list is asked for, as it was sent: the parameters of a query (RFC 7644 section 3.4.2), or a
// SearchRequest (section 3.4.3). "" stands for what is missing.
type Search struct {
	Filter, SortBy, SortOrder, StartIndex, Count, Cursor string
	Attributes, Excluded                                 string // names separated by commas

	Filtered, Paged bool // Filter and Cursor were given, be it empty
}

// DecodeSearch reads a SearchRequest. Its names may be in any case, and its numbers in quotes.
func DecodeSearch(r io.Reader) (*Search, error) {
	data, err := readObject(r)
	if err != nil {
		return nil, err
	}
	s := &Search{}
	seen := map[string]bool{}
	for key, value := range members(data) {
		name := strings.ToLower(key)
		if seen[name] {
			return nil, duplicate(key)
		}
		seen[name] = true
		if isNull(value) {
			continue
		}
		switch name {
		case "filter":
			s.Filtered = true
			s.Filter, err = searchText(key, value)
		case "cursor":
			s.Paged = true
			s.Cursor, err = searchText(key, value)
		case "sortby":
			s.SortBy, err = searchText(key, value)
		case "sortorder":
			s.SortOrder, err = searchText(key, value)
		case "startindex":
			s.StartIndex, err = searchNumber(value)
		case "count":
			s.Count, err = searchNumber(value)
		case "attributes":
			s.Attributes, err = searchNames(key, value)
		case "excludedattributes":
			s.Excluded, err = searchNames(key, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

func searchText(name string, raw []byte) (string, error) {
	if raw[0] != '"' {
		return "", InvalidValue("%s must be a string, but %s was sent; send a string", name, describe(raw))
	}
	return unquote(raw), nil
}

func searchNumber(raw []byte) (string, error) {
	if raw[0] == '"' {
		return unquote(raw), nil
	}
	return string(raw), nil // read, and refused, as the number in a query is
}

// searchNames reads an array of names, or the text that a query would have.
func searchNames(name string, raw []byte) (string, error) {
	if raw[0] == '"' {
		return unquote(raw), nil
	}
	if raw[0] != '[' {
		return "", InvalidValue(`%s must be an array of names, but %s was sent; send an array such as ["userName"]`, name, describe(raw))
	}
	var names []string
	for value := range elements(raw) {
		if value[0] != '"' {
			return "", InvalidValue("%s must be an array of names, but there is %s in it", name, describe(value))
		}
		names = append(names, unquote(value))
	}
	return strings.Join(names, ","), nil
}

// Projection is the choice of attributes for the answer.
func (s *Search) Projection() Projection {
	if s.Attributes == "" && s.Excluded == "" {
		return Projection{}
	}
	return ParseProjection(s.Attributes, s.Excluded)
}

// Query is a search that was understood.
type Query struct {
	Filter     Filter // nil takes all
	SortBy     string // "" is the order in which the resources were made
	Descending bool
	Page       Page
	ByCursor   bool   // RFC 9865: pages follow each other by cursor, and Page.StartIndex is 1
	After      string // the id of the resource that the page before ended with; "" for the first page
	Mark       string // of that place in the order
	Total      int    // as it was counted for the first page, where After is not ""

	print string
}

// Query checks a search. scope says what is searched, so that a cursor of one list is refused by another; a filter, a
// sort order or a scope other than those of the page before are 400 invalidCursor.
func (s *Search) Query(scope string) (Query, error) {
	q := Query{SortBy: strings.TrimSpace(s.SortBy), ByCursor: s.Paged}
	var err error
	if q.Page, err = ParsePage(s.StartIndex, s.Count); err != nil {
		if e, ok := err.(*Error); ok && s.Paged && strings.HasPrefix(e.Detail, "count") {
			e.Type = TypeInvalidCount
		}
		return q, err
	}
	if s.Filtered {
		if q.Filter, err = ParseFilter(s.Filter); err != nil {
			return q, err
		}
	}
	switch order := strings.TrimSpace(s.SortOrder); {
	case order == "", strings.EqualFold(order, "ascending"):
	case strings.EqualFold(order, "descending"):
		q.Descending = q.SortBy != ""
	default:
		return q, InvalidValue("sortOrder must be ascending or descending, but it is %s", describe([]byte(strconv.Quote(order))))
	}
	if !s.Paged {
		return q, nil
	}
	if q.Page.StartIndex != 1 {
		return q, InvalidValue("startIndex and cursor were both sent; send one of them")
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\n%q\n%s\n%t", scope, s.Filter, strings.ToLower(q.SortBy), q.Descending)
	q.print = strconv.FormatUint(h.Sum64(), 36)
	return q, q.resume(s.Cursor)
}

// A cursor is the place where a page ended: the total, the print of the query, the mark of the place and the id of the last
// resource, in characters that need no escaping in a URL. It holds nothing about a person.
const cursorParts = 4

// resume reads the place to go on from.
func (q *Query) resume(cursor string) error {
	if cursor == "" {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	parts := strings.SplitN(string(data), " ", cursorParts)
	if err != nil || len(parts) != cursorParts || parts[3] == "" {
		return InvalidCursor()
	}
	total, err := strconv.Atoi(parts[0])
	if err != nil || total < 0 || parts[1] != q.print {
		return NewError(400, TypeInvalidCursor, "The cursor belongs to another list; send the same filter, sortBy and sortOrder with it, or an empty cursor to begin")
	}
	q.Total, q.Mark, q.After = total, parts[2], parts[3]
	return nil
}

// Next is the cursor of the page after the one that ended with a resource, at a place with that mark; total counts the
// resources on all pages.
func (q Query) Next(id, mark string, total int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(total) + " " + q.print + " " + mark + " " + id))
}

// InvalidCursor is 400: a cursor that this server did not give.
func InvalidCursor() *Error {
	return NewError(400, TypeInvalidCursor, "The cursor is none that this server gave; send nextCursor of the page before as it was, or an empty cursor to begin")
}

// ExpiredCursor is 400: the place where the page before ended is not there any more.
func ExpiredCursor() *Error {
	return NewError(400, TypeExpiredCursor, "The resource that the page before ended with has changed its place in the list, or is gone, so that the list cannot go on; begin again with an empty cursor")
}
