package conformance

import "testing"

func TestPut(t *testing.T) {
	each(t, custom, func(c *client) {
		c.sub("it replaces: what is left out is cleared", func(c *client) {
			a := c.create(`"title":"Dr"`, `"nickName":"Ada"`, `"externalId":"`+unique("ext")+`"`, `"emails":[{"value":"a@acme.test"}]`, `"`+enterpriseURN+`":{"department":"X"}`)
			c.put("/Users/"+a.id(), person(a.at("userName").(string), `"title":"Prof"`)).is(200).has("title", "Prof").lacks("nickName", "externalId", "emails", enterpriseURN)
			c.get("/Users/"+a.id()).is(200).has("title", "Prof").lacks("nickName", "externalId", "emails", enterpriseURN)
		})
		c.sub("an active that is left out stays as it was", func(c *client) {
			a := c.create()
			name := a.at("userName").(string)
			c.put("/Users/"+a.id(), person(name)).is(200).has("active", true)
			c.put("/Users/"+a.id(), person(name, `"active":false`)).is(200).has("active", false)
			c.put("/Users/"+a.id(), person(name)).is(200).has("active", false)
			c.put("/Users/"+a.id(), person(name, `"active":true`)).is(200).has("active", true)
		})
		c.sub("it never creates", func(c *client) {
			name := address("nobody")
			c.put("/Users/01234567-89ab-7cde-8f01-23456789abcd", person(name)).fails(404, "")
			c.put("/Users/mine", person(name)).fails(404, "", "mine")
			c.finds(`userName eq "` + name + `"`)
			c.put("/Groups/mine", `{"displayName":"x"}`).fails(404, "", "mine")
			c.put("/Users", person(name)).fails(405, "")
		})
		c.sub("it needs what is required", func(c *client) {
			a := c.create()
			c.put("/Users/"+a.id(), `{"schemas":["`+userURN+`"],"active":true}`).fails(400, "invalidValue", "userName is required")
			c.put("/Groups/"+c.group(unique("put")).id(), `{"members":[]}`).fails(400, "invalidValue", "displayName is required")
		})
		c.sub("the name of somebody else is a conflict, one's own is none", func(c *client) {
			a, b := c.create(), c.create()
			c.put("/Users/"+b.id(), person(a.at("userName").(string))).fails(409, "uniqueness")
			c.put("/Users/"+b.id(), person(b.at("userName").(string))).is(200)
			title := unique("put")
			g := c.group(title).id()
			c.put("/Groups/"+g, `{"displayName":"`+title+`"}`).is(200)
			c.put("/Groups/"+g, `{"displayName":"`+unique("renamed")+`"}`).is(200)
			c.group(title)
		})
		c.sub("it answers the whole resource", func(c *client) {
			a := c.create()
			b := c.put("/Users/"+a.id(), person(a.at("userName").(string), `"displayName":"Whole"`)).is(200).has("displayName", "Whole").has("meta/created", a.at("meta/created"))
			c.get("/Users/"+a.id()).is(200).has("meta", b.at("meta"))
		})
		c.sub("of a group it replaces the members", func(c *client) {
			one, two := c.create().id(), c.create().id()
			title := unique("put")
			g := c.group(title, one).id()
			c.put("/Groups/"+g, `{"displayName":"`+title+`","members":[{"value":"`+two+`"}]}`).is(200).has("members/0/value", two)
			c.members(g, two)
			c.put("/Groups/"+g, `{"displayName":"`+title+`","members":[]}`).is(200).has("members", []any{})
			c.members(g)
		})
		c.sub("of a group it leaves members that it does not mention", func(c *client) {
			title, one := unique("put"), c.create().id()
			g := c.group(title, one).id()
			c.put("/Groups/"+g, `{"displayName":"`+title+`"}`).is(200).has("members/0/value", one)
		})
		c.sub("a repeated one changes no version", func(c *client) {
			a := c.create(`"title":"Dr"`)
			c.put("/Users/"+a.id(), person(a.at("userName").(string), `"title":"Dr"`, `"active":true`)).is(200).has("meta", a.at("meta"))
		})
		c.sub("what a GET answered can be put back", func(c *client) {
			a := c.create(`"title":"Dr"`, `"name":{"givenName":"A"}`, `"emails":[{"value":"a@acme.test","type":"work","primary":true}]`, `"`+enterpriseURN+`":{"manager":{"value":"1"}}`)
			c.group(unique("echo"), a.id())
			read := c.get("/Users/" + a.id()).is(200)
			c.put("/Users/"+a.id(), string(read.body)).is(200).has("meta", read.at("meta")).has("emails", read.at("emails")).has(enterpriseURN, read.at(enterpriseURN))
		})
	})
}
