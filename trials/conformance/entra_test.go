package conformance

import (
	"net/url"
	"strings"
	"testing"
)

func entraClient(c *client) *client {
	return c.as("User-Agent", "Microsoft Azure AD SCIM provisioning 1.0", "Accept", "application/scim+json", "Content-Type", "application/scim+json; charset=utf-8")
}

const entraGroupURN = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"

func entraUser(name, external string) string {
	return `{"schemas":["` + userURN + `","` + enterpriseURN + `"],"externalId":"` + external + `","userName":"` + name + `","active":true,"displayName":"` + name + `","emails":[{"primary":true,"type":"work","value":"` + name + `"}],
		"meta":{"resourceType":"User"},"name":{"formatted":"First Last","familyName":"Last","givenName":"First"},"roles":[],"` + enterpriseURN + `":{"department":"Bobs"}}`
}

// entraTwice plays a part of a cycle with the tenant URL as it is and with the flag for the RFC's own PATCH.
func entraTwice(t *testing.T, play func(c *client, flag string)) {
	t.Parallel()
	for name, flag := range map[string]string{"as it is": "", "with the flag": "aadOptscim062020"} {
		t.Run(name, func(t *testing.T) {
			each(t, entra, func(c *client) { play(entraClient(c), flag) })
		})
	}
}

// flagged is a path with the query that the tenant URL has.
func flagged(path, flag string) string {
	if flag == "" {
		return path
	}
	return path + "?" + flag
}

func TestEntraTestConnection(t *testing.T) {
	entraTwice(t, func(c *client, flag string) {
		for _, lookup := range []struct{ path, filter string }{
			{"/Users", `userName eq "3d1a7a2d-0c4d-4b2e-9a0e-3a6f6f1c9a11"`}, {"/Users", `externalId eq "none"`}, {"/Users", `emails[type eq "work"].value eq "none@acme.test"`}, {"/Groups", `displayName eq "none"`}, {"/Groups", `externalId eq "none"`},
		} {
			more := []string{"excludedAttributes=members"}
			if flag != "" {
				more = append(more, flag)
			}
			c.find(lookup.path, lookup.filter, more...).is(200).has("totalResults", 0).has("Resources", []any{})
		}
	})
}

func TestEntraUsers(t *testing.T) {
	entraTwice(t, func(c *client, flag string) {
		name, external := address("ada"), unique("ext")
		var at string
		patch := func(c *client, operations ...string) answer {
			c.Helper()
			return c.patch(flagged(at, flag), operations...)
		}
		c.sub("create", func(c *client) {
			at = "/Users/" + c.post(flagged("/Users", flag), entraUser(name, external)).is(201).has("externalId", external).has(enterpriseURN+"/department", "Bobs").id()
			c.finds(`userName eq "`+name+`"`, at[len("/Users/"):])
			c.finds(`externalId eq "`+external+`"`, at[len("/Users/"):])
			c.finds(`emails[type eq "work"].value eq "`+name+`"`, at[len("/Users/"):])
		})
		c.sub("disable and enable, with booleans in quotes", func(c *client) {
			patch(c, `{"op":"Replace","path":"active","value":"False"}`).is(200).has("active", false)
			patch(c, `{"op":"Replace","path":"active","value":"True"}`).is(200).has("active", true)
			patch(c, `{"op":"replace","path":"active","value":false}`).is(200).has("active", false)
			patch(c, `{"op":"replace","value":{"active":true}}`).is(200).has("active", true)
		})
		c.sub("paths to values that may be absent", func(c *client) {
			patch(c, `{"op":"Add","path":"emails[type eq \"home\"].value","value":"h@acme.test"}`, `{"op":"Replace","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}`, `{"op":"Add","path":"addresses[type eq \"work\"].postalCode","value":"98052"}`,
				`{"op":"Replace","path":"name.givenName","value":"Ada"}`, `{"op":"Add","path":"`+enterpriseURN+`:department","value":"Engines"}`, `{"op":"Replace","path":"`+userURN+`:title","value":"Dr"}`).is(200).
				has("emails/1", raw(`{"value":"h@acme.test","type":"home"}`)).has("phoneNumbers", raw(`[{"value":"1","type":"mobile"}]`)).has("addresses", raw(`[{"postalCode":"98052","type":"work"}]`)).
				has("name/givenName", "Ada").has(enterpriseURN+"/department", "Engines").has("title", "Dr")
		})
		c.sub("roles: the primary one, with its boolean in quotes", func(c *client) {
			patch(c, `{"op":"Add","path":"roles","value":[{"primary":"True","type":"WindowsAzureActiveDirectoryRole","value":"Engineer"}]}`).is(200).has("roles/0/primary", true)
			patch(c, `{"op":"Replace","path":"roles[primary eq \"True\"].value","value":"Lead"}`).is(200).has("roles/0/value", "Lead")
		})
		c.sub("an add once more changes nothing", func(c *client) {
			before := c.get(at).is(200)
			patch(c, `{"op":"Add","path":"emails[type eq \"home\"].value","value":"h@acme.test"}`, `{"op":"Add","path":"emails","value":[{"type":"home","value":"h@acme.test"}]}`).is(200).has("emails", before.at("emails")).has("meta", before.at("meta"))
		})
		c.sub("without path, with names that are paths", func(c *client) {
			patch(c, `{"op":"replace","value":{"displayName":"Ada K","name.familyName":"King","`+enterpriseURN+`:employeeNumber":"1","emails[type eq \"work\"].value":"work@acme.test"}}`).is(200).
				has("displayName", "Ada K").has("name/familyName", "King").has(enterpriseURN+"/employeeNumber", "1").has("emails/0/value", "work@acme.test")
		})
		c.sub("the manager comes as a text or as an object, and goes by an empty one", func(c *client) {
			manager := enterpriseURN + ":manager"
			patch(c, `{"op":"Add","path":"`+manager+`","value":"26118915"}`).is(200).has(enterpriseURN+"/manager/value", "26118915")
			patch(c, `{"op":"Replace","path":"`+manager+`","value":{"value":"7"}}`).is(200).has(enterpriseURN+"/manager/value", "7")
			patch(c, `{"op":"Replace","path":"`+manager+`","value":{"value":""}}`).is(200).lacks(enterpriseURN + "/manager")
			patch(c, `{"op":"Add","path":"`+manager+`","value":"8"}`).is(200)
			patch(c, `{"op":"Remove","path":"`+manager+`"}`).is(200).lacks(enterpriseURN + "/manager")
		})
		c.sub("an attribute that is not known is ignored", func(c *client) {
			patch(c, `{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:CustomExtension:2.0:User:tag","value":"x"}`, `{"op":"Add","path":"shoeSize","value":"44"}`).is(200)
		})
		c.sub("soft delete, then hard delete", func(c *client) {
			patch(c, `{"op":"Replace","path":"active","value":"False"}`).is(200).has("active", false)
			c.delete(flagged(at, flag)).is(204)
			c.get(flagged(at, flag)).fails(404, "")
		})
	})
}

func TestEntraGroups(t *testing.T) {
	entraTwice(t, func(c *client, flag string) {
		one, two := c.create().id(), c.create().id()
		title, external := unique("Engineering"), unique("ext")
		g := c.post(flagged("/Groups", flag), `{"schemas":["`+groupURN+`","`+entraGroupURN+`"],"externalId":"`+external+`","displayName":"`+title+`","meta":{"resourceType":"Group"}}`).is(201).has("members", []any{}).id()
		at := flagged("/Groups/"+g, flag)
		c.sub("found by name and by externalId, without members", func(c *client) {
			for _, filter := range []string{`displayName eq "` + strings.ToLower(title) + `"`, `externalId eq "` + external + `"`} {
				c.get("/Groups?excludedAttributes=members&filter="+url.QueryEscape(filter)).is(200).has("Resources/0/id", g).lacks("Resources/0/members")
			}
			c.get("/Groups/" + g + "?excludedAttributes=members").is(200).lacks("members")
		})
		c.sub("members are added, and once more", func(c *client) {
			for range 2 {
				c.patch(at, `{"op":"Add","path":"members","value":[{"$ref":null,"value":"`+one+`"},{"value":"`+two+`"}]}`).is(204)
				c.members(g, one, two)
			}
			c.get("/Groups?attributes=id&filter="+url.QueryEscape(`id eq "`+g+`" and members eq "`+one+`"`)).is(200).has("totalResults", 1)
		})
		c.sub("those that are named are removed, in either form", func(c *client) {
			c.patch(at, `{"op":"Remove","path":"members","value":[{"$ref":null,"value":"`+one+`"}]}`).is(204)
			c.members(g, two)
			c.patch(at, `{"op":"Remove","path":"members[value eq \"`+two+`\"]"}`).is(204)
			c.members(g)
		})
		c.sub("all are removed where none is named", func(c *client) {
			c.patch(at, `{"op":"Add","path":"members","value":[{"value":"`+one+`"}]}`).is(204)
			c.patch(at, `{"op":"Remove","path":"members"}`).is(204)
			c.members(g)
		})
		c.sub("rename and delete", func(c *client) {
			c.patch(at, `{"op":"Replace","path":"displayName","value":"`+title+` 2"}`).is(204)
			c.get(at).is(200).has("displayName", title+" 2")
			c.delete(at).is(204)
			c.get(at).fails(404, "")
		})
	})
}
