package conformance

import (
	"strings"
	"testing"
)

func TestPatch(t *testing.T) {
	each(t, custom, func(c *client) {
		a := c.create(`"title":"Dr"`)
		id := a.id()
		c.sub("it needs Operations", func(c *client) {
			c.send("PATCH", "/Users/"+id, `{"schemas":["`+messages+`PatchOp"]}`).fails(400, "invalidSyntax", "Operations")
			c.send("PATCH", "/Users/"+id, `{"active":false}`).fails(400, "invalidSyntax", "Operations")
			c.send("PATCH", "/Users/"+id, `{"Operations":{"op":"replace"}}`).fails(400, "invalidSyntax", "Operations")
			c.patch("/Users/"+id, `{"op":"move","path":"title"}`).fails(400, "invalidSyntax", "add, replace or remove")
			c.patch("/Users/"+id, `{"path":"title","value":"x"}`).fails(400, "invalidSyntax", "op")
			c.patch("/Users/"+id, `"replace"`).fails(400, "invalidSyntax", "must be an object")
		})
		c.sub("no operations are nothing to do", func(c *client) {
			c.patch("/Users/"+id).is(200).has("meta/version", a.at("meta/version"))
		})
		c.sub("all of its operations are done, or none", func(c *client) {
			c.patch("/Users/"+id, `{"op":"replace","path":"title","value":"Lost"}`, `{"op":"replace","path":"nonsense","value":1}`).fails(400, "invalidPath", "operation 2")
			c.get("/Users/"+id).is(200).has("title", "Dr").has("meta/version", a.at("meta/version"))
			user, title := c.create().id(), unique("atomic")
			g := c.group(title).id()
			c.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+user+`"}]}`, `{"op":"remove","path":"displayName"}`).fails(400, "mutability")
			c.members(g)
		})
		c.sub("operations see what those before them did", func(c *client) {
			c.patch("/Users/"+id, `{"op":"add","path":"emails","value":[{"value":"a@acme.test","type":"work"}]}`, `{"op":"replace","path":"emails[type eq \"work\"].value","value":"b@acme.test"}`,
				`{"op":"add","path":"emails[value eq \"b@acme.test\"].display","value":"B"}`).is(200).has("emails", raw(`[{"value":"b@acme.test","type":"work","display":"B"}]`))
		})
		c.sub("a user is answered 200 and whole", func(c *client) {
			c.patch("/Users/"+id, `{"op":"replace","path":"title","value":"Prof"}`).is(200).has("title", "Prof").has("userName", a.at("userName"))
		})
		c.sub("a group is answered 204, or 200 where attributes are asked for", func(c *client) {
			g := c.group(unique("patch")).id()
			c.patch("/Groups/"+g, `{"op":"replace","path":"displayName","value":"`+unique("renamed")+`"}`).is(204)
			title := unique("asked")
			c.patch("/Groups/"+g+"?attributes=displayName", `{"op":"replace","path":"displayName","value":"`+title+`"}`).is(200).has("displayName", title).lacks("members")
			c.patch("/Users/"+id+"?attributes=title", `{"op":"replace","path":"title","value":"Dr"}`).is(200).has("title", "Dr").lacks("userName")
		})
		c.sub("a path that names nothing is refused", func(c *client) {
			for _, path := range []string{"shoeSize", "name.shoe", "urn:example:2.0:User:shoe", "emails[", "emails[type eq]", "title[value eq \\\"x\\\"]", "name..givenName", "a b"} {
				c.patch("/Users/"+id, `{"op":"add","path":"`+path+`","value":"x"}`).fails(400, "invalidPath")
			}
			c.patch("/Users/"+id, `{"op":"add","path":"emails[shoe eq \"x\"].value","value":"x"}`).fails(400, "invalidFilter", "shoe")
			g := c.group(unique("patch")).id()
			c.patch("/Groups/"+g, `{"op":"replace","path":"shoeSize","value":"x"}`).fails(400, "invalidPath")
		})
		c.sub("a name of an object that is not known is ignored", func(c *client) {
			c.patch("/Users/"+id, `{"op":"add","value":{"shoeSize":44,"nickName":"Ada"}}`).is(200).has("nickName", "Ada").lacks("shoeSize")
		})
		c.sub("a value of the wrong kind is refused", func(c *client) {
			c.patch("/Users/"+id, `{"op":"replace","path":"active","value":"maybe"}`).fails(400, "invalidValue", "true or false")
			c.patch("/Users/"+id, `{"op":"replace","path":"name","value":true}`).fails(400, "invalidValue", "object")
			c.patch("/Users/"+id, `{"op":"replace","path":"title","value":{"a":1}}`).fails(400, "invalidValue", "string")
			c.patch("/Users/"+id, `{"op":"replace","path":"title"}`).fails(400, "invalidValue", "needs a value")
			c.patch("/Users/"+id, `{"op":"replace","value":"x"}`).fails(400, "invalidValue", "without a path")
		})
		c.sub("nobody is patched who is not there", func(c *client) {
			c.patch("/Users/none", `{"op":"replace","path":"title","value":"x"}`).fails(404, "", "none")
			c.patch("/Groups/none", `{"op":"replace","path":"displayName","value":"x"}`).fails(404, "", "none")
		})
		c.sub("one that changes nothing changes no version", func(c *client) {
			before := c.get("/Users/" + id)
			c.patch("/Users/"+id, `{"op":"replace","path":"title","value":"Dr"}`, `{"op":"replace","path":"active","value":true}`).is(200).has("meta", before.at("meta"))
		})
	})
}

func TestAdd(t *testing.T) {
	each(t, custom, func(c *client) {
		a := c.create(`"name":{"givenName":"Ada"}`, `"emails":[{"value":"a@acme.test","type":"work","primary":true}]`)
		id := a.id()
		at := "/Users/" + id
		c.sub("without path an object is merged in", func(c *client) {
			c.patch(at, `{"op":"add","value":{"title":"Dr","name":{"familyName":"King"},"emails":[{"value":"b@acme.test","type":"home"}]}}`).is(200).
				has("title", "Dr").has("name", raw(`{"givenName":"Ada","familyName":"King"}`)).has("emails/0/value", "a@acme.test").has("emails/1/value", "b@acme.test")
		})
		c.sub("to a complex attribute its parts are merged", func(c *client) {
			c.patch(at, `{"op":"add","path":"name","value":{"middleName":"B."}}`).is(200).has("name", raw(`{"givenName":"Ada","familyName":"King","middleName":"B."}`))
			c.patch(at, `{"op":"add","path":"name.honorificPrefix","value":"Lady"}`).is(200).has("name/honorificPrefix", "Lady").has("name/givenName", "Ada")
		})
		c.sub("to a list it appends, one value or several", func(c *client) {
			c.patch(at, `{"op":"add","path":"phoneNumbers","value":[{"value":"1","type":"work"},{"value":"2","type":"home"}]}`).is(200).has("phoneNumbers/1/value", "2")
			c.patch(at, `{"op":"add","path":"phoneNumbers","value":{"value":"3"}}`).is(200).has("phoneNumbers/2", raw(`{"value":"3"}`))
		})
		c.sub("a value that is there already is not added, and nothing is modified", func(c *client) {
			before := c.get(at).is(200)
			c.patch(at, `{"op":"add","path":"emails","value":[{"value":"a@acme.test","type":"work","primary":true}]}`, `{"op":"add","path":"title","value":"Dr"}`).is(200).
				has("emails", before.at("emails")).has("meta", before.at("meta"))
			g := c.group(unique("add"), id).id()
			was := c.get("/Groups/" + g).is(200)
			c.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`).is(204)
			c.get("/Groups/"+g).is(200).has("meta", was.at("meta")).has("members", was.at("members"))
		})
		c.sub("a single value is set", func(c *client) {
			c.patch(at, `{"op":"add","path":"title","value":"Prof"}`).is(200).has("title", "Prof")
		})
		c.sub("at a filter it changes the value that matches, or makes it", func(c *client) {
			c.patch(at, `{"op":"add","path":"emails[type eq \"home\"].display","value":"At home"}`).is(200).has("emails/1/display", "At home")
			c.patch(at, `{"op":"add","path":"addresses[type eq \"work\"].locality","value":"London"}`).is(200).has("addresses", raw(`[{"locality":"London","type":"work"}]`))
		})
		c.sub("members are added to those that are there", func(c *client) {
			other := c.create().id()
			g := c.group(unique("add"), id).id()
			c.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+other+`"}]}`).is(204)
			c.members(g, id, other)
			third := c.create().id()
			c.patch("/Groups/"+g, `{"op":"add","value":{"members":[{"value":"`+third+`"}]}}`).is(204)
			c.members(g, id, other, third)
		})
	})
}

func TestReplace(t *testing.T) {
	each(t, custom, func(c *client) {
		a := c.create(`"name":{"givenName":"Ada","familyName":"King"}`, `"emails":[{"value":"a@acme.test","type":"work","primary":true},{"value":"b@acme.test","type":"home"}]`)
		at := "/Users/" + a.id()
		c.sub("what is missing is added", func(c *client) {
			c.patch(at, `{"op":"replace","path":"title","value":"Dr"}`, `{"op":"replace","path":"phoneNumbers","value":[{"value":"1"}]}`).is(200).has("title", "Dr").has("phoneNumbers/0/value", "1")
		})
		c.sub("of a complex attribute only the parts that are given change", func(c *client) {
			c.patch(at, `{"op":"replace","path":"name","value":{"familyName":"Lovelace"}}`).is(200).has("name", raw(`{"givenName":"Ada","familyName":"Lovelace"}`))
			c.patch(at, `{"op":"replace","value":{"name":{"familyName":"King"}}}`).is(200).has("name", raw(`{"givenName":"Ada","familyName":"King"}`))
		})
		c.sub("where a filter matches, that value changes and no other", func(c *client) {
			c.patch(at, `{"op":"replace","path":"emails[type eq \"home\"].value","value":"c@acme.test"}`).is(200).has("emails/0/value", "a@acme.test").has("emails/1", raw(`{"value":"c@acme.test","type":"home"}`))
			c.patch(at, `{"op":"replace","path":"emails[type eq \"home\" and value co \"c@\"]","value":{"value":"d@acme.test"}}`).is(200).has("emails/1/value", "d@acme.test")
		})
		c.sub("where a filter matches nothing there is no target", func(c *client) {
			c.patch(at, `{"op":"replace","path":"emails[type eq \"other\"].value","value":"x@acme.test"}`).fails(400, "noTarget", "emails")
			c.patch(at, `{"op":"replace","path":"addresses[type eq \"work\"]","value":{"locality":"London"}}`).fails(400, "noTarget", "addresses")
			c.get(at).is(200).lacks("addresses", "emails/2")
		})
		c.sub("without filter the whole list is replaced", func(c *client) {
			c.patch(at, `{"op":"replace","path":"emails","value":[{"value":"e@acme.test"}]}`).is(200).has("emails", raw(`[{"value":"e@acme.test"}]`))
			c.patch(at, `{"op":"replace","value":{"emails":[{"value":"f@acme.test"}]}}`).is(200).has("emails", raw(`[{"value":"f@acme.test"}]`))
			one, two := c.create().id(), c.create().id()
			g := c.group(unique("replace"), one).id()
			c.patch("/Groups/"+g, `{"op":"replace","path":"members","value":[{"value":"`+two+`"}]}`).is(204)
			c.members(g, two)
			c.patch("/Groups/"+g, `{"op":"replace","path":"members","value":[]}`).is(204)
			c.members(g)
		})
		c.sub("access follows active", func(c *client) {
			c.patch(at, `{"op":"replace","path":"active","value":false}`).is(200).has("active", false)
			c.patch(at, `{"op":"replace","value":{"active":true}}`).is(200).has("active", true)
		})
		c.sub("the userName is replaced, and its old one is free", func(c *client) {
			name := address("new")
			c.patch(at, `{"op":"replace","path":"userName","value":"`+name+`"}`).is(200).has("userName", name)
			c.post("/Users", person(a.at("userName").(string))).is(201)
			c.patch(at, `{"op":"replace","path":"userName","value":""}`).fails(400, "invalidValue", "userName is required")
		})
	})
}

func TestRemove(t *testing.T) {
	each(t, custom, func(c *client) {
		a := c.create(`"title":"Dr"`, `"name":{"givenName":"Ada","familyName":"King"}`, `"emails":[{"value":"a@acme.test","type":"work"},{"value":"b@acme.test","type":"home"},{"value":"c@acme.test","type":"home"}]`, `"phoneNumbers":[{"value":"1"}]`)
		at := "/Users/" + a.id()
		c.sub("it needs a path", func(c *client) {
			c.patch(at, `{"op":"remove"}`).fails(400, "noTarget", "path")
			c.patch(at, `{"op":"remove","value":{"title":"Dr"}}`).fails(400, "noTarget", "path")
			c.patch("/Groups/"+c.group(unique("remove")).id(), `{"op":"remove"}`).fails(400, "noTarget", "path")
		})
		c.sub("a single value is gone, and once more is no error", func(c *client) {
			for range 2 {
				c.patch(at, `{"op":"remove","path":"title"}`).is(200).lacks("title")
			}
			c.patch(at, `{"op":"remove","path":"name.familyName"}`).is(200).has("name", raw(`{"givenName":"Ada"}`))
		})
		c.sub("with a filter the values that match are gone", func(c *client) {
			c.patch(at, `{"op":"remove","path":"emails[type eq \"home\"]"}`).is(200).has("emails", raw(`[{"value":"a@acme.test","type":"work"}]`))
		})
		c.sub("where a filter matches nothing nothing happens", func(c *client) {
			c.patch(at, `{"op":"remove","path":"emails[type eq \"home\"]"}`).is(200).has("emails/0/value", "a@acme.test")
		})
		c.sub("when the last value goes the attribute is unassigned", func(c *client) {
			c.patch(at, `{"op":"remove","path":"emails[value eq \"a@acme.test\"]"}`).is(200).lacks("emails")
			c.finds(`id eq "` + a.id() + `" and emails pr`)
			c.patch(at, `{"op":"remove","path":"name.givenName"}`).is(200).lacks("name")
		})
		c.sub("without filter all values are gone", func(c *client) {
			c.patch(at, `{"op":"remove","path":"phoneNumbers"}`).is(200).lacks("phoneNumbers")
		})
		c.sub("what is required stays", func(c *client) {
			c.patch(at, `{"op":"remove","path":"userName"}`).fails(400, "mutability", "required")
			c.patch("/Groups/"+c.group(unique("remove")).id(), `{"op":"remove","path":"displayName"}`).fails(400, "mutability", "required")
		})
		c.sub("members go by filter, and all of them without", func(c *client) {
			one, two, three := c.create().id(), c.create().id(), c.create().id()
			g := c.group(unique("remove"), one, two, three).id()
			for range 2 {
				c.patch("/Groups/"+g, `{"op":"remove","path":"members[value eq \"`+one+`\"]"}`).is(204)
				c.members(g, two, three)
			}
			c.patch("/Groups/"+g, `{"op":"remove","path":"members[value eq \"`+two+`\" or value eq \"`+one+`\"]"}`).is(204)
			c.members(g, three)
			c.patch("/Groups/"+g, `{"op":"remove","path":"members"}`).is(204)
			c.members(g)
		})
	})
}

func TestPrimary(t *testing.T) {
	each(t, custom, func(c *client) {
		two := `"emails":[{"value":"a@acme.test","type":"work","primary":true},{"value":"b@acme.test","type":"home"}]`
		c.sub("a new one takes the place of the old by add", func(c *client) {
			c.patch("/Users/"+c.create(two).id(), `{"op":"add","path":"emails","value":[{"value":"c@acme.test","primary":true}]}`).is(200).
				has("emails/0/primary", false).has("emails/2", raw(`{"value":"c@acme.test","primary":true}`))
		})
		c.sub("by replace", func(c *client) {
			c.patch("/Users/"+c.create(two).id(), `{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`).is(200).has("emails/0/primary", false).has("emails/1/primary", true)
		})
		c.sub("by add to a part of what a filter matches", func(c *client) {
			c.patch("/Users/"+c.create(two).id(), `{"op":"add","path":"emails[value eq \"b@acme.test\"]","value":{"primary":true}}`).is(200).has("emails/0/primary", false).has("emails/1/primary", true)
		})
		c.sub("of two in one body one is left", func(c *client) {
			both := strings.ReplaceAll(two, `"type":"home"`, `"type":"home","primary":true`)
			a := c.create(both)
			n := 0
			for _, e := range a.list("emails") {
				if step(e, "primary") == true {
					n++
				}
			}
			if n != 1 {
				a.errorf("%d are primary", n)
			}
		})
	})
}
