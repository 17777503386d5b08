package conformance

import (
	"strings"
	"testing"
)

func TestJumpCloud(t *testing.T) {
	each(t, jumpcloud, func(c *client) {
		c.as("User-Agent", "JumpCloud-SCIM", "Content-Type", "application/json")
		name, title := address("jumpcloud"), unique("JumpCloud")
		var user, group string
		c.sub("activation makes a test user and a test group, and deletes them", func(c *client) {
			c.get("/Users?count=1&startIndex=1").is(200)
			user = c.post("/Users", `{"schemas":["`+userURN+`"],"userName":"`+name+`","name":{"givenName":"Test","familyName":"User"},"emails":[{"value":"`+name+`","primary":true}],"active":true}`).is(201).id()
			c.put("/Users/"+user, person(name, `"active":false`)).is(200).has("active", false)
			group = c.post("/Groups", `{"schemas":["`+groupURN+`"],"displayName":"`+title+`","members":[{"value":"`+user+`"}]}`).is(201).has("members/0/value", user).id()
			c.patch("/Groups/"+group, `{"op":"replace","path":"displayName","value":"`+title+` renamed"}`).is(204)
			c.patch("/Groups/"+group, `{"op":"remove","path":"members","value":[{"value":"`+user+`"}]}`).is(204)
			c.members(group)
			c.delete("/Groups/" + group).is(204)
			c.delete("/Users/" + user).is(204)
			c.get("/Users/"+user).fails(404, "")
		})
		c.sub("activation once more", func(c *client) {
			c.post("/Users", person(name)).is(201).has("active", true)
			c.group(title)
		})
		c.sub("a group of the same name is adopted", func(c *client) {
			c.find("/Groups", `displayName eq "`+strings.ToUpper(title)+`"`).is(200).has("totalResults", 1)
		})
	})
}

func TestOneLogin(t *testing.T) {
	each(t, onelogin, func(c *client) {
		c.as("User-Agent", "OneLogin", "Content-Type", "application/json")
		name := address("mia")
		c.sub("Enable asks at the base URL, and a wrong token is told", func(c *client) {
			c.get("").is(200)
			c.get("/").is(200)
			c.get("", "Authorization", "Bearer wrong").fails(401, "")
		})
		c.sub("a template with the schema of SCIM 1 and nulls", func(c *client) {
			id := c.post("/Users", `{"schemas":["urn:scim:schemas:core:1.0"],"userName":"`+name+`","externalId":"`+unique("ext")+`","name":{"givenName":"Mia","familyName":"Ono","formatted":"Mia Ono"},"emails":[{"value":"`+name+`","type":"work","primary":true}],"title":null,"phoneNumbers":null}`).
				is(201).has("schemas", raw(`["`+userURN+`"]`)).lacks("title").id()
			c.finds(`userName eq "`+name+`"`, id)
			c.put("/Users/"+id, `{"schemas":["urn:scim:schemas:core:1.0"],"userName":"`+name+`","active":false}`).is(200).has("active", false)
			c.patch("/Users/"+id, `{"op":"replace","value":{"active":true}}`).is(200).has("active", true)
		})
		c.sub("a member is added at a filter without a value", func(c *client) {
			user, g := c.create().id(), c.group(unique("Engineering")).id()
			c.patch("/Groups/"+g, `{"op":"add","path":"members[value eq \"`+user+`\"]"}`).is(204)
			c.members(g, user)
			c.patch("/Groups/"+g, `{"op":"remove","path":"members[value eq \"`+user+`\"]"}`).is(204)
			c.members(g)
		})
		c.sub("the delete option is a real DELETE", func(c *client) { c.delete("/Users/" + c.create().id()).is(204) })
	})
}

func TestPing(t *testing.T) {
	each(t, ping, func(c *client) {
		c.as("User-Agent", "Apache-HttpClient/4.5.13 (Java/11)")
		host := unique("ping") + ".test"
		id := c.create(`"emails":[{"value":"Ada.Ping@` + host + `","type":"work"}]`)
		name := id.at("userName").(string)
		c.sub("the filter of the template, attribute and operator in any case", func(c *client) {
			for _, filter := range []string{`username Eq "` + name + `"`, `USERNAME EQ "` + name + `"`, `userName Sw "` + name[:len(name)-3] + `"`, `emails Co "ping@` + host + `"`, `emails.value Co "PING@` + host + `"`, `Emails[Type Eq "work"].Value Eq "ada.ping@` + host + `"`} {
				c.finds(filter, id.id())
			}
		})
		c.sub("an attribute that SCIM does not have is told by name, with one that it has", func(c *client) {
			c.find("/Users", `email Co "ada"`).fails(400, "invalidFilter", `"email"`, "such as emails")
		})
		c.sub("create, update by PUT, disable, delete", func(c *client) {
			a := c.create(`"active":true`)
			c.put("/Users/"+a.id(), person(a.at("userName").(string), `"active":false`)).is(200).has("active", false)
			c.delete("/Users/" + a.id()).is(204)
		})
		c.sub("groups by PATCH", func(c *client) {
			g := c.group(unique("Engineering")).id()
			c.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+id.id()+`"}]}`).is(204)
			c.patch("/Groups/"+g, `{"op":"remove","path":"members[value eq \"`+id.id()+`\"]"}`).is(204)
			c.members(g)
		})
	})
}

func TestGoogleWorkspace(t *testing.T) {
	each(t, google, func(c *client) {
		c.as("User-Agent", "Google-Auto-Provisioning", "Content-Type", "application/json", "Accept", "application/json")
		name := address("ada")
		c.find("/Users", `userName eq "`+name+`"`).is(200).has("totalResults", 0)
		id := c.post("/Users", person(name, `"name":{"givenName":"Ada","familyName":"King"}`, `"emails":[{"value":"`+name+`","primary":true}]`)).is(201).id()
		c.put("/Users/"+id, person(name, `"name":{"givenName":"Ada","familyName":"Lovelace"}`)).is(200).has("name/familyName", "Lovelace")
		c.patch("/Users/"+id, `{"op":"replace","path":"active","value":false}`).is(200).has("active", false)
		c.delete("/Users/" + id).is(204)
	})
}

func TestRippling(t *testing.T) {
	each(t, rippling, func(c *client) {
		c.as("Content-Type", "application/json")
		c.get("/ServiceProviderConfig").is(200).has("patch/supported", true)
		c.get("/Users?startIndex=1&count=100").is(200)
		name := address("ada")
		body := person(name, `"externalId":"`+unique("ext")+`"`, `"name":{"givenName":"Ada","familyName":"King"}`, `"emails":[{"value":"`+name+`","primary":true,"type":"work"}]`, `"active":true`)
		id := c.post("/Users", body).is(201).id()
		c.post("/Users", body).fails(409, "uniqueness", id)
		g := c.post("/Groups", `{"displayName":"`+unique("Engineering")+`"}`).is(201).id()
		c.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`).is(204)
		c.members(g, id)
		c.patch("/Users/"+id, `{"op":"replace","path":"active","value":false}`).is(200).has("active", false)
		c.delete("/Groups/" + g).is(204)
	})
}
