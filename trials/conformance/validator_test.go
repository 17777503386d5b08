package conformance

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestEntraValidator plays the 24 checks of Microsoft's SCIM Validator, and the seven that are in preview.
func TestEntraValidator(t *testing.T) {
	each(t, entra, func(c *client) {
		entraClient(c)
		name := func() string { return strings.ReplaceAll(address("Lonny"), "-", ".") }
		user := func(c *client) (at, userName string) {
			c.Helper()
			userName = name()
			return "/Users/" + c.post("/Users", validatorUser(userName)).is(201).id(), userName
		}
		group := func(c *client, members ...string) (at, displayName string) {
			c.Helper()
			displayName = unique("XCYZQ")
			return "/Groups/" + c.group(displayName, members...).id(), displayName
		}
		filtered := func(c *client, path, attribute, value string, more ...string) answer {
			c.Helper()
			return c.find(path, attribute+` eq "`+value+`"`, more...).is(200)
		}

		c.sub("create a user", func(c *client) {
			n := name()
			a := c.post("/Users", validatorUser(n)).is(201).has("userName", n).has("active", true).has("emails/0/value", "a@contoso.com").has("roles/0/value", "Engineer").has(enterpriseURN+"/manager/value", "M1")
			c.get("/Users/"+a.id()).is(200).has("userName", n)
		})
		c.sub("create a duplicate user", func(c *client) {
			_, n := user(c)
			c.post("/Users", validatorUser(n)).fails(409, "uniqueness", n)
		})
		c.sub("filter for an existing user", func(c *client) {
			at, n := user(c)
			filtered(c, "/Users", "userName", n).has("totalResults", 1).has("Resources/0/id", at[len("/Users/"):])
		})
		c.sub("filter for a user who does not exist", func(c *client) {
			filtered(c, "/Users", "userName", unique("nobody")).has("totalResults", 0).has("Resources", []any{})
		})
		c.sub("filter for an existing user with a different case", func(c *client) {
			at, n := user(c)
			filtered(c, "/Users", "userName", strings.ToUpper(n)).has("totalResults", 1).has("Resources/0/id", at[len("/Users/"):]).has("Resources/0/userName", n)
		})
		c.sub("PATCH: replace each attribute, one operation each", func(c *client) {
			at, _ := user(c)
			for _, path := range slices.Sorted(maps.Keys(validatorAttributes)) {
				value := unique("value")
				c.patch(at, fmt.Sprintf(`{"op":"replace","path":%s,"value":"%s"}`, quote(path), value)).is(200).has(validatorAttributes[path], value)
			}
		})
		c.sub("PATCH: update the userName", func(c *client) {
			at, _ := user(c)
			n := name()
			c.patch(at, `{"op":"replace","path":"userName","value":"`+n+`"}`).is(200).has("userName", n)
			c.get(at).is(200).has("userName", n)
		})
		c.sub("PATCH: disable a user", func(c *client) {
			at, _ := user(c)
			c.patch(at, `{"op":"replace","path":"active","value":false}`).is(200).has("active", false)
			c.get(at).is(200).has("active", false)
		})
		manager := enterpriseURN + ":manager"
		for _, op := range []string{"add", "replace"} {
			c.sub("PATCH: "+op+" the manager", func(c *client) {
				at, _ := user(c)
				boss, _ := user(c)
				c.patch(at, `{"op":"`+op+`","path":"`+manager+`","value":"`+boss[len("/Users/"):]+`"}`).is(200).has(enterpriseURN+"/manager/value", boss[len("/Users/"):])
			})
		}
		c.sub("PATCH: remove the manager", func(c *client) {
			at, _ := user(c)
			c.patch(at, `{"op":"remove","path":"`+manager+`"}`).is(200).lacks(enterpriseURN + "/manager")
			c.get(at).is(200).lacks(enterpriseURN + "/manager")
		})
		c.sub("delete a user", func(c *client) {
			at, n := user(c)
			c.delete(at).is(204)
			c.get(at).fails(404, "")
			filtered(c, "/Users", "userName", n).has("totalResults", 0)
		})
		c.sub("get a group without its members", func(c *client) {
			member, _ := user(c)
			at, n := group(c, member[len("/Users/"):])
			c.get(at+"?excludedAttributes=members").is(200).has("displayName", n).lacks("members")
		})
		c.sub("filter for a group without its members", func(c *client) {
			member, _ := user(c)
			_, n := group(c, member[len("/Users/"):])
			filtered(c, "/Groups", "displayName", n, "excludedAttributes=members").has("totalResults", 1).lacks("Resources/0/members")
		})
		c.sub("filter for an existing group", func(c *client) {
			at, n := group(c)
			filtered(c, "/Groups", "displayName", n).has("Resources/0/id", at[len("/Groups/"):])
		})
		c.sub("filter for a group that does not exist", func(c *client) {
			filtered(c, "/Groups", "displayName", unique("nothing")).has("totalResults", 0).has("Resources", []any{})
		})
		c.sub("filter for an existing group with a different case", func(c *client) {
			at, n := group(c)
			filtered(c, "/Groups", "displayName", strings.ToLower(n)).has("Resources/0/id", at[len("/Groups/"):])
		})
		c.sub("create a group", func(c *client) {
			n := unique("group")
			a := c.post("/Groups", `{"externalId":"`+unique("ext")+`","displayName":"`+n+`","schemas":["`+groupURN+`","`+entraGroupURN+`"]}`).is(201).has("displayName", n)
			c.get("/Groups/"+a.id()).is(200).has("displayName", n)
		})
		c.sub("create a duplicate group", func(c *client) {
			_, n := group(c)
			c.post("/Groups", `{"displayName":"`+n+`"}`).fails(409, "uniqueness", n)
		})
		c.sub("PATCH: replace the attributes of a group", func(c *client) {
			at, _ := group(c)
			n := unique("group")
			c.patch(at, `{"op":"replace","path":"displayName","value":"`+n+`"}`, `{"op":"replace","path":"externalId","value":"`+n+`"}`).is(204)
			c.get(at).is(200).has("displayName", n).has("externalId", n)
		})
		c.sub("PATCH: update the displayName of a group", func(c *client) {
			at, _ := group(c)
			n := unique("group")
			c.patch(at, `{"op":"Replace","path":"displayName","value":"`+n+`"}`).is(204)
			c.get(at).is(200).has("displayName", n)
		})
		c.sub("PATCH: add a member, and remove it", func(c *client) {
			member, _ := user(c)
			at, _ := group(c)
			c.patch(at, `{"op":"add","path":"members","value":[{"value":"`+member[len("/Users/"):]+`"}]}`).is(204)
			c.members(at[len("/Groups/"):], member[len("/Users/"):])
			c.patch(at, `{"op":"remove","path":"members[value eq \"`+member[len("/Users/"):]+`\"]"}`).is(204)
			c.members(at[len("/Groups/"):])
		})
		c.sub("delete a group", func(c *client) {
			at, n := group(c)
			c.delete(at).is(204)
			c.get(at).fails(404, "")
			filtered(c, "/Groups", "displayName", n).has("totalResults", 0)
		})

		for _, op := range []string{"add", "replace", "remove"} {
			c.sub("preview, PATCH: "+op+" many attributes in one request", func(c *client) {
				at, _ := user(c)
				value := unique("value")
				var operations []string
				for _, path := range slices.Sorted(maps.Keys(validatorAttributes)) {
					given := ""
					if op != "remove" {
						given = `,"value":"` + value + `"`
					}
					operations = append(operations, `{"op":"`+op+`","path":`+quote(path)+given+`}`)
				}
				a := c.patch(at, operations...).is(200)
				if op == "remove" {
					a.lacks("displayName", "title", "name", enterpriseURN+"/department")
					return
				}
				for _, shown := range validatorAttributes {
					a.has(shown, value)
				}
			})
		}
		c.sub("preview: delete somebody who does not exist, and somebody twice", func(c *client) {
			c.delete("/Users/9d1a7a2d-0c4d-4b2e-9a0e-3a6f6f1c9a11").fails(404, "")
			at, _ := user(c)
			c.delete(at).is(204)
			c.delete(at).fails(404, "")
		})
		c.sub("preview: delete a group that does not exist, and one twice", func(c *client) {
			c.delete("/Groups/9d1a7a2d-0c4d-4b2e-9a0e-3a6f6f1c9a11").fails(404, "")
			at, _ := group(c)
			c.delete(at).is(204)
			c.delete(at).fails(404, "")
		})
		c.sub("preview: add and remove members in one PATCH", func(c *client) {
			one, _ := user(c)
			two, _ := user(c)
			at, _ := group(c, one[len("/Users/"):])
			c.patch(at, `{"op":"remove","path":"members[value eq \"`+one[len("/Users/"):]+`\"]"}`, `{"op":"add","path":"members","value":[{"value":"`+two[len("/Users/"):]+`"}]}`).is(204)
			c.members(at[len("/Groups/"):], two[len("/Users/"):])
		})
		c.sub("schemas are read by apps of the gallery", func(c *client) {
			c.get("/Schemas?"+url.QueryEscape("aadOptscim062020")).is(200).has("totalResults", 3)
		})
	})
}

// validatorAttributes are the paths that the validator replaces, with where the answer shows them.
var validatorAttributes = map[string]string{
	"displayName": "displayName", "title": "title", "nickName": "nickName", "userType": "userType", "preferredLanguage": "preferredLanguage", "locale": "locale", "timezone": "timezone", "profileUrl": "profileUrl", "externalId": "externalId",
	"name.givenName": "name/givenName", "name.familyName": "name/familyName", "name.formatted": "name/formatted", "name.middleName": "name/middleName", "name.honorificPrefix": "name/honorificPrefix", "name.honorificSuffix": "name/honorificSuffix",
	`emails[type eq "work"].value`: "emails/0/value", `phoneNumbers[type eq "work"].value`: "phoneNumbers/0/value", `phoneNumbers[type eq "mobile"].value`: "phoneNumbers/1/value", `phoneNumbers[type eq "fax"].value`: "phoneNumbers/2/value",
	`addresses[type eq "work"].formatted`: "addresses/0/formatted", `addresses[type eq "work"].streetAddress`: "addresses/0/streetAddress", `addresses[type eq "work"].locality`: "addresses/0/locality", `addresses[type eq "work"].region`: "addresses/0/region",
	`addresses[type eq "work"].postalCode`: "addresses/0/postalCode", `addresses[type eq "work"].country`: "addresses/0/country", `roles[primary eq "True"].display`: "roles/0/display", `roles[primary eq "True"].value`: "roles/0/value", `roles[primary eq "True"].type`: "roles/0/type",
	enterpriseURN + ":employeeNumber": enterpriseURN + "/employeeNumber", enterpriseURN + ":department": enterpriseURN + "/department", enterpriseURN + ":costCenter": enterpriseURN + "/costCenter",
	enterpriseURN + ":organization": enterpriseURN + "/organization", enterpriseURN + ":division": enterpriseURN + "/division", enterpriseURN + ":manager": enterpriseURN + "/manager/value",
}

func validatorUser(name string) string {
	return person(name, `"active":true`, `"displayName":"BIAJ"`, `"title":"QFKZ"`, `"nickName":"X"`, `"externalId":"`+unique("ext")+`"`, `"name":{"givenName":"Lonny","familyName":"Kub","formatted":"Amelie"}`,
		`"emails":[{"type":"work","value":"a@contoso.com","primary":true}]`, `"phoneNumbers":[{"type":"work","value":"1","primary":true},{"type":"mobile","value":"2"},{"type":"fax","value":"3"}]`,
		`"addresses":[{"type":"work","formatted":"F","streetAddress":"S","locality":"L","region":"R","postalCode":"P","country":"C","primary":true}]`, `"roles":[{"primary":true,"display":"D","value":"Engineer","type":"T"}]`,
		`"`+enterpriseURN+`":{"employeeNumber":"E1","department":"D1","costCenter":"C1","organization":"O1","division":"V1","manager":{"value":"M1"}}`)
}
