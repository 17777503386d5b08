package conformance

import (
	"strings"
	"testing"
)

func TestETag(t *testing.T) {
	each(t, custom, func(c *client) {
		c.supports("etag")
		stale := `W/"0"`
		for _, kind := range []struct {
			name, path string
			make       func(c *client) answer
			body       func(a answer) string
			change     string
		}{
			{"user", "/Users/", func(c *client) answer { return c.create() }, func(a answer) string { return person(a.at("userName").(string), `"title":"put"`) }, `{"op":"add","path":"title","value":"patched"}`},
			{"group", "/Groups/", func(c *client) answer { return c.group(unique("etag")) }, func(a answer) string { return `{"displayName":"` + unique("put") + `"}` }, `{"op":"replace","path":"displayName","value":"` + unique("patched") + `"}`},
		} {
			c.sub(kind.name, func(c *client) {
				made := kind.make(c)
				at := kind.path + made.id()
				tag := made.header.Get("ETag")
				c.sub("it is weak, in the header and in meta.version", func(c *client) {
					if !strings.HasPrefix(tag, `W/"`) {
						made.errorf("ETag is %q", tag)
					}
					made.has("meta/version", tag)
					if got := c.get(at).is(200).header.Get("ETag"); got != tag {
						c.Errorf("GET has the ETag %s, POST had %s", got, tag)
					}
				})
				c.sub("If-None-Match: 304 while nothing has changed", func(c *client) {
					for _, sent := range []string{tag, `"other", ` + tag, "*", strings.TrimPrefix(tag, "W/")} {
						if got := c.get(at, "If-None-Match", sent).is(304).header.Get("ETag"); got != tag {
							c.Errorf("the ETag of a 304 is %q", got)
						}
					}
					c.get(at, "If-None-Match", stale).is(200)
				})
				c.sub("If-Match of another version: 412 and nothing is done", func(c *client) {
					c.send("PATCH", at, patchOp(kind.change), "If-Match", stale).fails(412, "", tag)
					c.send("PUT", at, kind.body(made), "If-Match", stale).fails(412, "", "read it again")
					c.send("DELETE", at, "", "If-Match", stale).fails(412, "")
					c.get(at).is(200).has("meta/version", tag)
				})
				c.sub("If-Match of the version, or of any: it is done, and the version changes", func(c *client) {
					changed := c.send("PATCH", at, patchOp(kind.change), "If-Match", tag)
					next := changed.header.Get("ETag")
					if changed.status >= 300 || next == "" || next == tag {
						changed.errorf("the version is %q after %q", next, tag)
					}
					c.get(at, "If-None-Match", tag).is(200).has("meta/version", next)
					put := c.send("PUT", at, kind.body(made), "If-Match", "*").is(200).header.Get("ETag")
					c.send("DELETE", at, "", "If-Match", next).fails(412, "")
					c.send("DELETE", at, "", "If-Match", put).is(204)
				})
			})
		}
		c.sub("what is shown of groups is a part of the version of a user", func(c *client) {
			a := c.create()
			g := c.group(unique("etag"), a.id()).id()
			in := c.get("/Users/"+a.id(), "If-None-Match", a.header.Get("ETag")).is(200).has("groups/0/value", g).header.Get("ETag")
			c.patch("/Groups/"+g, `{"op":"remove","path":"members"}`).is(204)
			c.get("/Users/"+a.id(), "If-None-Match", in).is(200).lacks("groups")
		})
		c.sub("a member who is deleted changes the version of the group", func(c *client) {
			user := c.create().id()
			g := c.group(unique("etag"), user)
			c.delete("/Users/" + user).is(204)
			c.get("/Groups/"+g.id(), "If-None-Match", g.header.Get("ETag")).is(200).has("members", []any{})
		})
	})
}
