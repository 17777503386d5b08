package conformance

import (
	"strings"
	"testing"
)

func TestMedia(t *testing.T) {
	each(t, custom, func(c *client) {
		for _, kind := range []string{"application/scim+json", "application/scim+json; charset=utf-8", "application/json", "application/json;charset=UTF-8", "Application/JSON", ""} {
			c.sub("a body may be "+kind, func(c *client) {
				c.send("POST", "/Users", person(address("media")), "Content-Type", kind).is(201)
			})
		}
		for _, kind := range []string{"text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
			c.sub("a body is never "+kind, func(c *client) {
				for _, method := range []string{"POST", "PUT", "PATCH"} {
					path := map[string]string{"POST": "/Users", "PUT": "/Users/x", "PATCH": "/Groups/x"}[method]
					c.send(method, path, person(address("media")), "Content-Type", kind).fails(415, "", "application/scim+json")
				}
			})
		}
		c.sub("a body that is compressed is refused in words", func(c *client) {
			c.send("POST", "/Users", person(address("media")), "Content-Encoding", "gzip").fails(415, "", "gzip")
		})
		for _, accept := range []string{"application/scim+json", "application/json", "*/*", "application/json, text/plain;q=0.5", ""} {
			c.sub("who accepts "+accept+" is answered", func(c *client) { c.get("/Users?count=0", "Accept", accept).is(200) })
		}
		c.sub("text is UTF-8", func(c *client) {
			name := "Ådä 李 😀 <b>&amp;"
			a := c.create(`"displayName":"`+name+`"`).has("displayName", name)
			c.get("/Users/"+a.id()).is(200).has("displayName", name)
			c.finds(`id eq "`+a.id()+`" and displayName co "李 😀"`, a.id())
			c.create(`"nickName":"\u00c5d\u00e4 \ud83d\ude00"`).has("nickName", "Ådä 😀")
		})
		c.sub("text that is not is refused", func(c *client) {
			c.post("/Users", "{\"userName\":\"caf\xe9@acme.test\"}").fails(400, "invalidSyntax", "UTF-8")
			c.post("/Groups", "{\"displayName\":\"caf\xe9\"}").fails(400, "invalidSyntax", "UTF-8")
		})
		c.sub("a query parameter that is not known is ignored", func(c *client) {
			c.get("/Users?count=0&aadOptscim062020&foo=bar").is(200)
			c.get("/Users?aadOptscim062020&count=0").is(200)
		})
		c.sub("an address may end in a slash, and have one too many", func(c *client) {
			id := c.create().id()
			c.get("/Users/" + id + "/").is(200)
			c.get("/Users/?count=0").is(200)
			c.get("//Users/" + id).is(200)
			c.post("/Groups/", `{"displayName":"`+unique("slash")+`"}`).is(201)
		})
		c.sub("HEAD is a GET without body", func(c *client) {
			a := c.create()
			got := c.send("HEAD", "/Users/"+a.id(), "").is(200)
			if got.header.Get("ETag") != a.header.Get("ETag") || !strings.HasPrefix(got.header.Get("Content-Type"), "application/scim+json") {
				got.errorf("the headers are %v", got.header)
			}
			c.send("HEAD", "/Users/none", "").is(404)
		})
		c.sub("nothing is to be stored on the way", func(c *client) {
			if got := c.get("/Users?count=0").header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
				c.Errorf("Cache-Control is %q", got)
			}
		})
		c.sub("a token comes as Bearer in any case, or bare", func(c *client) {
			for _, sent := range []string{"Bearer " + c.Token, "bearer " + c.Token, "BEARER  " + c.Token, c.Token} {
				c.get("/Users?count=0", "Authorization", sent).is(200)
			}
		})
		c.sub("a 401 says how to authenticate, and not what was wrong", func(c *client) {
			missing := c.get("/Users", "Authorization", "").fails(401, "", "bearer token")
			for _, sent := range []string{"Bearer", "Bearer x", "Basic dXNlcjpwYXNz", "Bearer " + c.Token + "x", "Bearer " + c.Token + ", Bearer " + c.Token, "Bearer  "} {
				a := c.get("/Users", "Authorization", sent).fails(401, "", missing.detail())
				if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
					a.errorf("WWW-Authenticate is %q", got)
				}
			}
			c.get("/Users?access_token="+c.Token, "Authorization", "").fails(401, "", missing.detail())
			c.post("/Bulk?", "").fails(400, "invalidSyntax")
		})
	})
}
