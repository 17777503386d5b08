package conformance

import (
	"net/url"
	"slices"
	"testing"
)

// TestCursors is about RFC 9865.
func TestCursors(t *testing.T) {
	each(t, custom, func(c *client) {
		c.supports("cursor")
		filter, ids := c.class(`"nickName":"d"`, `"nickName":"b"`, `"nickName":"e"`, `"nickName":"a"`, `"nickName":"c"`)
		// walk follows the cursors from the first page to the last.
		walk := func(c *client, page func(cursor string) answer) (got []string) {
			c.Helper()
			for cursor, pages := "", 0; ; pages++ {
				a := page(cursor).is(200).lacks("startIndex")
				if cursor == "" {
					a.has("totalResults", 5)
				}
				got = append(got, a.ids()...)
				next, more := a.at("nextCursor").(string)
				if !more || pages > 5 {
					return got
				}
				if next != url.QueryEscape(next) {
					a.errorf("the cursor needs escaping in a URL")
				}
				cursor = next
			}
		}
		c.sub("an empty cursor begins, nextCursor goes on, and the last page has none", func(c *client) {
			got := walk(c, func(cursor string) answer { return c.get("/Users?" + filter + "&count=2&cursor=" + cursor) })
			if !slices.Equal(got, ids) {
				c.Errorf("%q, not %q", got, ids)
			}
		})
		c.sub("in a search", func(c *client) {
			f, _ := url.QueryUnescape(filter[len("filter="):])
			got := walk(c, func(cursor string) answer {
				return c.post("/Users/.search", `{"schemas":["`+messages+`SearchRequest"],"filter":`+quote(f)+`,"count":2,"cursor":"`+cursor+`"}`)
			})
			if !slices.Equal(got, ids) {
				c.Errorf("%q, not %q", got, ids)
			}
		})
		c.sub("sorted", func(c *client) {
			got := walk(c, func(cursor string) answer {
				return c.get("/Users?" + filter + "&count=2&sortBy=nickName&sortOrder=descending&cursor=" + cursor)
			})
			if want := []string{ids[2], ids[0], ids[4], ids[1], ids[3]}; !slices.Equal(got, want) {
				c.Errorf("%q, not %q", got, want)
			}
		})
		c.sub("who is made meanwhile puts nobody in twice and leaves nobody out", func(c *client) {
			of, before := c.class(`"nickName":"b"`, `"nickName":"d"`, `"nickName":"f"`)
			first := c.get("/Users?" + of + "&sortBy=nickName&count=2&cursor=").is(200)
			f, _ := url.QueryUnescape(of[len("filter="):])
			kind := c.get("/Users/" + before[0]).at("userType").(string)
			c.create(`"userType":"`+kind+`"`, `"nickName":"a"`)
			second := c.get("/Users?filter=" + url.QueryEscape(f) + "&sortBy=nickName&count=2&cursor=" + first.at("nextCursor").(string)).is(200)
			if !slices.Equal(second.ids(), before[2:]) {
				second.errorf("this is not the last one")
			}
		})
		c.sub("without cursor pages are by index, which is the default", func(c *client) {
			c.get("/Users?"+filter+"&count=2").is(200).has("startIndex", 1).lacks("nextCursor")
			c.get("/ServiceProviderConfig").is(200).has("pagination/cursor", true).has("pagination/index", true).has("pagination/defaultPaginationMethod", "index")
		})
		c.sub("one that is none is invalidCursor", func(c *client) {
			c.get("/Users?"+filter+"&cursor=VZUTiyhEQJ94IR").fails(400, "invalidCursor", "nextCursor")
			c.get("/Users?"+filter+"&cursor=%2B%2B").fails(400, "invalidCursor")
		})
		c.sub("one of another list is invalidCursor", func(c *client) {
			cursor := c.get("/Users?" + filter + "&count=2&cursor=").is(200).at("nextCursor").(string)
			c.get("/Users?count=2&cursor="+cursor).fails(400, "invalidCursor", "another list")
			c.get("/Users?"+filter+"&sortBy=nickName&cursor="+cursor).fails(400, "invalidCursor", "another list")
			c.get("/Groups?cursor="+cursor).fails(400, "invalidCursor", "another list")
		})
		c.sub("one whose place is gone is expiredCursor", func(c *client) {
			of, gone := c.class(`"nickName":"a"`, `"nickName":"b"`)
			cursor := c.get("/Users?" + of + "&count=1&cursor=").is(200).at("nextCursor").(string)
			c.delete("/Users/" + gone[0]).is(204)
			if a := c.get("/Users?" + of + "&count=1&cursor=" + cursor); a.status == 200 {
				a.has("Resources/0/id", gone[1])
			} else {
				a.fails(400, "expiredCursor", "begin again")
			}
		})
		c.sub("a count that is no number is invalidCount", func(c *client) {
			c.get("/Users?"+filter+"&count=x&cursor=").fails(400, "invalidCount", "count")
		})
		c.sub("a cursor and a startIndex are not sent together", func(c *client) {
			c.get("/Users?"+filter+"&startIndex=2&cursor=").fails(400, "invalidValue", "startIndex and cursor")
		})
		c.sub("groups too", func(c *client) {
			name := unique("cursor")
			one, two := c.group(name+" 1").id(), c.group(name+" 2").id()
			first := c.find("/Groups", `displayName sw "`+name+`"`, "count=1", "cursor=").is(200).has("Resources/0/id", one)
			c.find("/Groups", `displayName sw "`+name+`"`, "count=1", "cursor="+first.at("nextCursor").(string)).is(200).has("Resources/0/id", two).lacks("nextCursor")
		})
	})
}
