package scim

import (
	"errors"
	"strconv"
	"strings"
)

// The bounds of a page (RFC 7644 section 3.4.2.4). Okta asks for 100 and steps by 100
// whatever it gets, so nothing below that may ever be the cap.
const (
	DefaultCount = 100
	MaxCount     = 200
	maxStart     = 1 << 30
)

// Page is the part of a list that was asked for.
type Page struct{ StartIndex, Count int }

// ParsePage reads startIndex and count of a query; "" stands for a missing one. startIndex
// below 1 means 1, a negative count means 0 (the total only), and more than MaxCount is
// answered with MaxCount.
func ParsePage(startIndex, count string) (Page, error) {
	start, err := pageNumber("startIndex", startIndex, 1, 1, maxStart)
	if err != nil {
		return Page{}, err
	}
	n, err := pageNumber("count", count, DefaultCount, 0, MaxCount)
	return Page{start, n}, err
}

func pageNumber(name, s string, missing, least, most int) (int, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range, n is the nearest number
		return 0, InvalidValue("%s must be a whole number, but it is %s", name, describe([]byte(strconv.Quote(s))))
	}
	return min(max(n, least), most), nil
}

// List is what a ListResponse says beside its resources.
type List struct {
	Total      int
	StartIndex int    // of the first resource; 0 where pages follow each other by cursor
	NextCursor string // "" on the last page
}

// AppendList appends a ListResponse (RFC 7644 section 3.4.2, RFC 9865 section 2). Its numbers are JSON integers,
// which Okta insists on, Resources is an array also when empty, and itemsPerPage is the number returned.
func AppendList(dst []byte, l List, resources [][]byte) []byte {
	dst = append(dst, `{"schemas":["`+ListURN+`"],"totalResults":`...)
	dst = strconv.AppendInt(dst, int64(l.Total), 10)
	if l.StartIndex > 0 {
		dst = append(dst, `,"startIndex":`...)
		dst = strconv.AppendInt(dst, int64(l.StartIndex), 10)
	}
	dst = append(dst, `,"itemsPerPage":`...)
	dst = strconv.AppendInt(dst, int64(len(resources)), 10)
	if l.NextCursor != "" {
		dst = appendText(dst, "nextCursor", l.NextCursor)
	}
	dst = append(dst, `,"Resources":[`...)
	for i, r := range resources {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, r...)
	}
	return append(dst, `]}`...)
}
