package conformance

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// oktaClient is Okta as it appears on the wire.
func oktaClient(c *client) *client {
	return c.as("User-Agent", "Okta SCIM Client 1.0.0", "Accept", "application/scim+json", "Accept-Charset", "utf-8", "Accept-Encoding", "gzip,deflate")
}

// oktaUser is the body of a wizard app with the default mapping.
func oktaUser(name, family string, active bool, more ...string) string {
	more = append([]string{
		`"name":{"givenName":"Mia","familyName":"` + family + `"}`, `"emails":[{"primary":true,"value":"` + name + `","type":"work"}]`, `"displayName":"Mia ` + family + `"`, `"locale":"en-US"`,
		`"externalId":"00u-` + name + `"`, `"groups":[]`, fmt.Sprintf(`"active":%t`, active),
	}, more...)
	return person(name, more...)
}

// assign is how Okta looks for somebody: by filter, page and count.
func (c *client) lookUp(path, filter string) answer {
	c.Helper()
	return c.get(path + "?filter=" + url.PathEscape(filter) + "&startIndex=1&count=100").is(200)
}

func TestOktaWizardApp(t *testing.T) {
	each(t, okta, func(c *client) {
		oktaClient(c)
		name, title, renamed := address("mia"), unique("Engineering"), unique("Platform")
		var id, group string
		c.sub("test connector configuration", func(c *client) {
			c.get("/Users?startIndex=1&count=2").is(200).has("startIndex", 1).has("Resources/0/active", true)
			c.get("/Groups?startIndex=1&count=100").is(200).has("startIndex", 1)
			c.get("/Users?startIndex=1&count=2", "Authorization", "Bearer wrong").fails(401, "")
		})
		c.sub("assign somebody new", func(c *client) {
			c.lookUp("/Users", `userName eq "`+name+`"`).has("totalResults", 0)
			id = c.post("/Users", oktaUser(name, "Ono", true, `"password":"placeholder"`)).is(201).has("externalId", "00u-"+name).has("active", true).has("emails/0/primary", true).
				has("name", raw(`{"givenName":"Mia","familyName":"Ono"}`)).has("locale", "en-US").lacks("groups").id()
		})
		c.sub("change the profile: what is read comes back merged", func(c *client) {
			read := c.get("/Users/" + id).is(200)
			body := strings.Replace(string(read.body), `"familyName":"Ono"`, `"familyName":"Okada"`, 1)
			c.put("/Users/"+id, body).is(200).has("name/familyName", "Okada").has("externalId", "00u-"+name).has("meta/created", read.at("meta/created"))
		})
		c.sub("push a group: POST, GET, PUT with all members", func(c *client) {
			c.lookUp("/Groups", `displayName eq "`+title+`"`).has("totalResults", 0)
			group = c.post("/Groups", `{"schemas":["`+groupURN+`"],"displayName":"`+title+`","members":[]}`).is(201).has("members", []any{}).id()
			c.get("/Groups/"+group).is(200).has("displayName", title)
			c.put("/Groups/"+group, `{"schemas":["`+groupURN+`"],"id":"`+group+`","displayName":"`+title+`","members":[{"value":"`+id+`","display":"`+name+`"}]}`).is(200).has("displayName", title).lacks("members")
			c.members(group, id)
		})
		c.sub("rename it, keep its own name, free the old one", func(c *client) {
			for range 2 {
				c.put("/Groups/"+group, `{"schemas":["`+groupURN+`"],"id":"`+group+`","displayName":" `+renamed+` ","members":[{"value":"`+id+`","display":"`+name+`"}]}`).is(200).has("displayName", renamed)
			}
			c.lookUp("/Groups", `displayName eq "`+title+`"`).has("totalResults", 0)
			c.lookUp("/Groups", `displayName eq "`+strings.ToLower(renamed)+`"`).has("Resources/0/id", group)
		})
		c.sub("unassign", func(c *client) {
			read := c.get("/Users/"+id).is(200).has("groups/0/value", group)
			c.put("/Users/"+id, strings.Replace(string(read.body), `"active":true`, `"active":false`, 1)).is(200).has("active", false)
			c.get("/Users/"+id).is(200).has("active", false)
		})
		c.sub("assign again: found, read, put", func(c *client) {
			c.lookUp("/Users", `userName eq "`+strings.ToUpper(name)+`"`).has("totalResults", 1).has("Resources/0/id", id).has("Resources/0/active", false)
			read := c.get("/Users/" + id).is(200)
			c.put("/Users/"+id, strings.Replace(string(read.body), `"active":false`, `"active":true`, 1)).is(200).has("active", true)
			c.members(group, id)
		})
		c.sub("a user that is stale has the last word, as it came last", func(c *client) {
			c.put("/Users/"+id, oktaUser(name, "Okada", true)).is(200)
			c.put("/Users/"+id, oktaUser(name, "Okada", false)).is(200)
			c.get("/Users/"+id).is(200).has("active", false)
			c.put("/Users/"+id, oktaUser(name, "Okada", true)).is(200).has("active", true)
		})
		c.sub("with the enterprise extension, whether schemas lists it or not", func(c *client) {
			c.put("/Users/"+id, oktaUser(name, "Okada", true, `"`+enterpriseURN+`":{"department":"R&D","manager":{"value":"7"}}`)).is(200).has(enterpriseURN+"/department", "R&D").has("schemas/1", enterpriseURN)
		})
		c.sub("import users and groups", func(c *client) {
			seen, total := map[string]int{}, 1
			for start := 1; start <= total; start += 100 {
				page := c.get(fmt.Sprintf("/Users?startIndex=%d&count=100", start)).is(200).has("startIndex", start)
				total = int(page.at("totalResults").(float64))
				for _, user := range page.ids() {
					seen[user]++
				}
			}
			if seen[id] != 1 {
				c.Errorf("the user is imported %d times", seen[id])
			}
			c.get(fmt.Sprintf("/Users?startIndex=%d&count=100", total+100000)).is(200).has("Resources", []any{})
			c.lookUp("/Groups", `displayName eq "`+renamed+`"`).has("Resources/0/members/0/value", id).has("Resources/0/members/0/display", name)
		})
		c.sub("unlink and delete the group", func(c *client) {
			c.delete("/Groups/" + group).is(204)
			c.get("/Groups/"+group).fails(404, "", "unlink the group")
			c.put("/Groups/"+group, `{"displayName":"`+renamed+`"}`).fails(404, "", "push it again")
		})
	})
}

func TestOktaIntegrationNetworkApp(t *testing.T) {
	each(t, okta, func(c *client) {
		oktaClient(c).as("Authorization", c.Token) // header mode: as typed
		name, zoe, title := address("ben"), address("zoe"), unique("Sales")
		var id, other, group string
		c.sub("assign", func(c *client) {
			c.lookUp("/Users", `userName eq "`+name+`"`).has("totalResults", 0)
			id = c.post("/Users", oktaUser(name, "Ono", true, `"password":"placeholder"`)).is(201).id()
			other = c.post("/Users", oktaUser(zoe, "Zen", true)).is(201).id()
		})
		c.sub("the profile by PUT, or by PATCH with and without path", func(c *client) {
			c.put("/Users/"+id, oktaUser(name, "Okada", true)).is(200).has("name/familyName", "Okada")
			c.patch("/Users/"+id, `{"op":"replace","value":{"name":{"familyName":"Oda"},"title":"Dr","`+enterpriseURN+`":{"department":"R&D"}}}`).is(200).has("name", raw(`{"givenName":"Mia","familyName":"Oda"}`)).has("title", "Dr")
			c.patch("/Users/"+id, `{"op":"replace","path":"emails[type eq \"work\"].value","value":"b@acme.test"}`, `{"op":"replace","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}`).is(200).has("emails/0/value", "b@acme.test").has("phoneNumbers/0", raw(`{"value":"1","type":"mobile"}`))
		})
		c.sub("deactivate, and reactivate with a profile push", func(c *client) {
			c.patch("/Users/"+id, `{"op":"replace","value":{"active":false}}`).is(200).has("active", false)
			c.lookUp("/Users", `userName eq "`+name+`"`).has("Resources/0/active", false)
			c.patch("/Users/"+id, `{"op":"replace","value":{"active":true}}`).is(200).has("active", true)
			c.put("/Users/"+id, oktaUser(name, "Oda", true)).is(200).has("active", true)
			c.patch("/Users/"+id, `{"op":"replace","value":{"password":"N3w"}}`).is(200)
		})
		c.sub("push a group and change its members", func(c *client) {
			group = c.post("/Groups", `{"schemas":["`+groupURN+`"],"displayName":"`+title+`","members":[{"value":"`+id+`","display":"`+name+`"}]}`).is(201).id()
			c.get("/Groups/"+group).is(200).has("members/0/value", id)
			c.patch("/Groups/"+group, `{"op":"replace","value":{"id":"`+group+`","displayName":"`+title+` EU"}}`).is(200).has("displayName", title+" EU").lacks("members")
			c.patch("/Groups/"+group, `{"op":"remove","path":"members[value eq \"`+id+`\"]"}`, `{"op":"add","path":"members","value":[{"value":"`+other+`","display":"`+zoe+`"}]}`).is(200)
			c.members(group, other)
		})
		c.sub("push now, with and without path, and of an empty group", func(c *client) {
			c.patch("/Groups/"+group, `{"op":"replace","path":"members","value":[{"value":"`+id+`","display":"`+name+`"},{"value":"`+other+`"}]}`).is(200)
			c.members(group, id, other)
			c.patch("/Groups/"+group, `{"op":"replace","value":{"members":[{"value":"`+other+`"}]}}`).is(200)
			c.members(group, other)
			c.patch("/Groups/"+group, `{"op":"replace","path":"members","value":[]}`).is(200)
			c.members(group)
		})
		c.sub("link to a group that is there: found by name", func(c *client) {
			c.lookUp("/Groups", `displayName eq "`+strings.ToLower(title)+` eu"`).has("Resources/0/id", group)
			c.post("/Groups", `{"displayName":"`+title+` EU"}`).fails(409, "uniqueness", group)
		})
	})
}

// TestOktaSpecAndCrudSuite plays Okta's own suite for the integration network, as far as its steps are known.
func TestOktaSpecAndCrudSuite(t *testing.T) {
	each(t, okta, func(c *client) {
		c.as("User-Agent", "OKTA SCIM Integration", "Content-Type", "application/json")
		name := address("runscope")
		var id string
		c.sub("the first user has all attributes", func(c *client) {
			a := c.get("/Users?count=1&startIndex=1").is(200).has("itemsPerPage", 1).has("startIndex", 1)
			for _, path := range []string{"id", "name/familyName", "name/givenName", "userName", "emails/0/value"} {
				if text, _ := a.at("Resources/0/" + path).(string); text == "" {
					a.errorf("no %s", path)
				}
			}
			a.has("Resources/0/active", true)
			c.get("/Users/"+a.ids()[0]).is(200).has("id", a.ids()[0])
			c.lookUp("/Users", `userName eq "`+a.at("Resources/0/userName").(string)+`"`).has("totalResults", 1)
		})
		c.sub("nobody by a name and by an id that are none", func(c *client) {
			c.lookUp("/Users", `userName eq "`+name+`"`).has("totalResults", 0).has("schemas/0", messages+"ListResponse")
			c.get("/Users/00919288221112222").fails(404, "")
		})
		c.sub("create, and once more is a conflict", func(c *client) {
			body := `{"schemas":["` + userURN + `"],"userName":"` + name + `","name":{"givenName":"Runscope","familyName":"Abc"},"emails":[{"primary":true,"value":"` + name + `","type":"work"}],"displayName":"Runscope Abc","active":true}`
			id = c.post("/Users", body).is(201).has("active", true).has("name/familyName", "Abc").has("userName", name).id()
			c.get("/Users/"+id).is(200).has("name/givenName", "Runscope")
			c.post("/Users", body).fails(409, "uniqueness")
		})
		c.sub("a userName in another case is found", func(c *client) {
			c.lookUp("/Users", `userName eq "`+strings.ToUpper(name)+`"`).has("totalResults", 1).has("Resources/0/id", id)
		})
		c.sub("groups are listed in time", func(c *client) {
			begun := time.Now()
			c.get("/Groups").is(200)
			if took := time.Since(begun); took > 10*time.Second {
				c.Errorf("it took %v", took)
			}
		})
		c.sub("update, deactivate, still readable, reactivate", func(c *client) {
			c.put("/Users/"+id, `{"schemas":["`+userURN+`"],"id":"`+id+`","userName":"`+name+`","name":{"givenName":"Another","familyName":"Abc"},"emails":[{"primary":true,"value":"`+name+`","type":"work"}],"active":true}`).is(200).has("name/givenName", "Another")
			c.patch("/Users/"+id, `{"op":"replace","value":{"active":false}}`).is(200)
			c.get("/Users/"+id).is(200).has("active", false)
			c.patch("/Users/"+id, `{"op":"replace","value":{"active":true}}`).is(200)
			c.get("/Users/"+id).is(200).has("active", true)
		})
		c.sub("a token that is none", func(c *client) { c.get("/Users?count=1", "Authorization", "non-token").fails(401, "") })
	})
}
