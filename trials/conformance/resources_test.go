package conformance

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCreated201(t *testing.T) {
	each(t, custom, func(c *client) {
		before := time.Now().Add(-time.Minute)
		for _, kind := range []struct{ path, body, name string }{
			{"/Users", person(address("created"), `"name":{"givenName":"Ada"}`), "User"},
			{"/Groups", `{"displayName":"` + unique("created") + `"}`, "Group"},
		} {
			c.sub(kind.name, func(c *client) {
				a := c.post(kind.path, kind.body).is(201)
				location := c.URL + kind.path + "/" + a.id()
				if got := a.header.Get("Location"); got != location || !strings.HasPrefix(got, "http") {
					a.errorf("Location is %q, not %q", got, location)
				}
				a.has("meta/location", location).has("meta/resourceType", kind.name)
				created, err := time.Parse(time.RFC3339, a.at("meta/created").(string))
				if err != nil || created.Before(before) || created.After(time.Now().Add(time.Minute)) {
					a.errorf("meta.created is not now")
				}
				a.has("meta/lastModified", a.at("meta/created"))
				c.get(kind.path+"/"+a.id()).is(200).has("", a.at("")).has("meta", a.at("meta"))
			})
		}
		c.sub("the answer is the whole user, read again at once", func(c *client) {
			a := c.create(`"active":true`, `"emails":[{"value":"x@acme.test","type":"work","primary":true}]`).has("active", true).has("emails/0/primary", true)
			c.finds(`userName eq "`+a.at("userName").(string)+`"`, a.id())
		})
		c.sub("a user without active is active", func(c *client) { c.create().has("active", true) })
	})
}

func TestDelete(t *testing.T) {
	each(t, custom, func(c *client) {
		a := c.create(`"externalId":"` + unique("ext") + `"`)
		id, name := a.id(), a.at("userName").(string)
		group := c.group(unique("delete"), id).id()
		c.sub("it is answered 204", func(c *client) { c.delete("/Users/" + id).is(204) })
		c.sub("afterwards there is nobody", func(c *client) {
			for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
				body := map[string]string{"PUT": person(name), "PATCH": patchOp(`{"op":"replace","value":{"active":true}}`)}[method]
				c.send(method, "/Users/"+id, body).fails(404, "", id)
			}
		})
		c.sub("nor in a list", func(c *client) {
			c.finds(`userName eq "` + name + `"`)
			c.finds(`id eq "` + id + `"`)
			c.finds(`externalId eq "` + a.at("externalId").(string) + `"`)
		})
		c.sub("nor in a group", func(c *client) { c.members(group) })
		c.sub("the userName is free again", func(c *client) {
			c.post("/Users", person(name)).is(201).has("userName", name).has("active", true)
		})
		c.sub("a group goes too, and leaves its people", func(c *client) {
			title, user := unique("gone"), c.create().id()
			g := c.group(title, user).id()
			c.delete("/Groups/" + g).is(204)
			for _, method := range []string{"GET", "DELETE"} {
				c.send(method, "/Groups/"+g, "").fails(404, "", g)
			}
			c.find("/Groups", `displayName eq "`+title+`"`).is(200).has("totalResults", 0)
			c.get("/Users/"+user).is(200).lacks("groups").has("active", true)
			c.group(title)
		})
		c.sub("what never was cannot go", func(c *client) {
			c.delete("/Users/none").fails(404, "", "none")
			c.delete("/Groups/01234567-89ab-7cde-8f01-23456789abcd").fails(404, "")
		})
	})
}

// TestReturning is about people who are pushed again after they left: they come back, as themselves.
func TestReturning(t *testing.T) {
	each(t, custom, func(c *client) {
		c.sub("a POST for a deactivated person brings them back under their id", func(c *client) {
			a := c.create(`"externalId":"`+unique("ext")+`"`, `"title":"Old"`)
			name, ext := a.at("userName").(string), a.at("externalId").(string)
			c.patch("/Users/"+a.id(), `{"op":"replace","path":"active","value":false}`).is(200).has("active", false)
			c.post("/Users", person(name, `"externalId":"`+ext+`"`, `"title":"New"`)).is(201).has("id", a.id()).has("active", true).has("title", "New")
			c.get("/Users/"+a.id()).is(200).has("active", true)
		})
		c.sub("with another userName they are known by their externalId", func(c *client) {
			a := c.create(`"externalId":"` + unique("ext") + `"`)
			c.patch("/Users/"+a.id(), `{"op":"replace","path":"active","value":false}`).is(200)
			name := address("married")
			c.post("/Users", person(name, `"externalId":"`+a.at("externalId").(string)+`"`)).is(201).has("id", a.id()).has("userName", name).has("active", true)
		})
		c.sub("a POST for a deleted person brings them back under their id", func(c *client) {
			a := c.create(`"externalId":"` + unique("ext") + `"`)
			c.delete("/Users/" + a.id()).is(204)
			c.post("/Users", person(a.at("userName").(string), `"externalId":"`+a.at("externalId").(string)+`"`)).is(201).has("id", a.id()).has("active", true)
			c.get("/Users/" + a.id()).is(200)
		})
		c.sub("a namesake with another externalId is somebody else", func(c *client) {
			a := c.create(`"externalId":"` + unique("ext") + `"`)
			c.delete("/Users/" + a.id()).is(204)
			b := c.post("/Users", person(a.at("userName").(string), `"externalId":"`+unique("ext")+`"`)).is(201)
			if b.id() == a.id() {
				b.errorf("somebody else has the id of who was deleted")
			}
		})
		c.sub("a POST that is inactive brings nobody back", func(c *client) {
			a := c.create()
			c.patch("/Users/"+a.id(), `{"op":"replace","path":"active","value":false}`).is(200)
			c.post("/Users", person(a.at("userName").(string), `"active":false`)).fails(409, "uniqueness", a.id())
		})
	})
}

// TestConflicts is about errors that say with whom.
func TestConflicts(t *testing.T) {
	each(t, custom, func(c *client) {
		a := c.create(`"displayName":"Ada King"`, `"externalId":"`+unique("ext")+`"`)
		b := c.create()
		name, ext := a.at("userName").(string), a.at("externalId").(string)
		names := []string{"Ada King", name, a.id()}
		c.sub("a POST with the userName of somebody", func(c *client) {
			c.post("/Users", person(name)).fails(409, "uniqueness", names...)
		})
		c.sub("a POST with the externalId of somebody", func(c *client) {
			c.post("/Users", person(address("new"), `"externalId":"`+ext+`"`)).fails(409, "uniqueness", names...)
		})
		c.sub("a PUT", func(c *client) {
			c.put("/Users/"+b.id(), person(name)).fails(409, "uniqueness", names...)
			c.put("/Users/"+b.id(), person(address("new"), `"externalId":"`+ext+`"`)).fails(409, "uniqueness", names...)
		})
		c.sub("a PATCH", func(c *client) {
			c.patch("/Users/"+b.id(), `{"op":"replace","path":"userName","value":"`+strings.ToUpper(name)+`"}`).fails(409, "uniqueness", names...)
			c.patch("/Users/"+b.id(), `{"op":"add","value":{"externalId":"`+ext+`"}}`).fails(409, "uniqueness", names...)
		})
		c.sub("who is deactivated and has another externalId", func(c *client) {
			d := c.create(`"externalId":"` + unique("ext") + `"`)
			c.patch("/Users/"+d.id(), `{"op":"replace","path":"active","value":false}`).is(200)
			c.post("/Users", person(d.at("userName").(string), `"externalId":"`+unique("ext")+`"`)).fails(409, "uniqueness", d.id(), "deactivated", d.at("externalId").(string))
		})
		c.sub("a group", func(c *client) {
			title := unique("Conflict")
			g, other := c.group(title).id(), c.group(unique("Other")).id()
			c.post("/Groups", `{"displayName":" `+title+` "}`).fails(409, "uniqueness", title, g)
			c.put("/Groups/"+other, `{"displayName":"`+title+`"}`).fails(409, "uniqueness", title, g)
			c.patch("/Groups/"+other, `{"op":"replace","path":"displayName","value":"`+title+`"}`).fails(409, "uniqueness", title, g)
		})
		c.sub("of many POSTs at once for one name one is done", func(c *client) {
			for _, kind := range []struct{ path, body string }{{"/Users", person(address("race"))}, {"/Groups", `{"displayName":"` + unique("race") + `"}`}} {
				var side sync.WaitGroup
				var created, refused atomic.Int64
				for range 10 {
					side.Go(func() {
						switch c.post(kind.path, kind.body).status {
						case 201:
							created.Add(1)
						case 409:
							refused.Add(1)
						}
					})
				}
				side.Wait()
				if created.Load() != 1 || refused.Load() != 9 {
					c.Errorf("%s: %d are created and %d refused", kind.path, created.Load(), refused.Load())
				}
			}
		})
		c.sub("a refused change changes nothing", func(c *client) {
			c.get("/Users/"+b.id()).is(200).has("userName", b.at("userName")).has("meta/version", b.at("meta/version")).lacks("externalId")
		})
	})
}
