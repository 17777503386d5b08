package conformance

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	each(t, custom, func(c *client) {
		name := address("names")
		made := c.post("/Users", `{"SCHEMAS":["`+userURN+`"],"USERNAME":"`+name+`","Name":{"GIVENNAME":"Ada","familyname":"Lovelace"},
			"EMails":[{"VALUE":"`+name+`","TYPE":"work","Primary":true}],"`+strings.ToUpper(enterpriseURN)+`":{"DEPARTMENT":"Engines"}}`).is(201)
		id := made.id()
		c.sub("attributes of a body are in any case and answered in the schema's", func(c *client) {
			c.get("/Users/"+id).is(200).has("userName", name).has("name", raw(`{"givenName":"Ada","familyName":"Lovelace"}`)).
				has("emails/0", raw(`{"value":"`+name+`","type":"work","primary":true}`)).has(enterpriseURN+"/department", "Engines")
		})
		c.sub("messages of a PATCH are in any case", func(c *client) {
			c.send("PATCH", "/Users/"+id, `{"SCHEMAS":["`+messages+`PatchOp"],"OPERATIONS":[{"OP":"REPLACE","Path":"NAME.givenname","VALUE":"Augusta"}]}`).
				is(200).has("name/givenName", "Augusta")
		})
		c.sub("attributes and operators of a filter are in any case", func(c *client) {
			c.finds(`USERNAME Eq "`+name+`"`, id)
			c.finds(`UserName EQ "`+name+`" AND NOT (Active eQ false)`, id)
			c.finds(`userName eq "`+name+`" and EMAILS[Type EQ "work" And Value CO "@"]`, id)
		})
		c.sub("URNs are in any case", func(c *client) {
			c.finds(`URN:IETF:params:scim:schemas:CORE:2.0:user:userName eq "`+name+`"`, id)
			c.get("/Schemas/" + strings.ToUpper(userURN)).is(200)
			c.patch("/Users/"+id, `{"op":"replace","path":"`+strings.ToUpper(enterpriseURN)+`:department","value":"Looms"}`).is(200).has(enterpriseURN+"/department", "Looms")
		})
		c.sub("parameters of a query are in any case", func(c *client) {
			c.get("/Users?FILTER=id+eq+%22"+id+"%22&STARTINDEX=1&Count=1&attributes=USERNAME").is(200).has("totalResults", 1).has("Resources/0/userName", name).lacks("Resources/0/name")
		})
		c.sub("an attribute that is given twice is refused", func(c *client) {
			c.post("/Users", `{"userName":"`+address("a")+`","USERNAME":"`+address("b")+`"}`).fails(400, "invalidSyntax", "userName is given twice")
		})
		c.sub("values are not in any case where the schema says so", func(c *client) {
			external := unique("ExTernal")
			one := c.create(`"externalId":"` + external + `"`).id()
			other := c.create(`"externalId":"` + strings.ToLower(external) + `"`).id()
			c.finds(`externalId eq "`+external+`"`, one)
			c.finds(`externalId eq "`+strings.ToLower(external)+`"`, other)
			c.finds(`id eq "` + strings.ToUpper(one) + `"`)
			c.get("/Users/"+strings.ToUpper(one)).fails(404, "")
		})
	})
}

func TestUserName(t *testing.T) {
	each(t, custom, func(c *client) {
		name := "Grace." + address("Hopper")
		made := c.post("/Users", person(name, `"id":"mine"`, `"externalId":"`+unique("ext")+`"`)).is(201)
		id := made.id()
		c.sub("is required", func(c *client) {
			c.post("/Users", `{"schemas":["`+userURN+`"]}`).fails(400, "invalidValue", "userName is required")
			c.post("/Users", person("")).fails(400, "invalidValue", "userName is required")
			c.post("/Users", person("  ")).fails(400, "invalidValue", "userName is required")
			c.post("/Users", `{"userName":null}`).fails(400, "invalidValue", "userName is required")
			c.post("/Users", `{"userName":7}`).fails(400, "invalidValue", "userName must be a string")
		})
		c.sub("is kept as it was sent", func(c *client) {
			c.get("/Users/"+id).is(200).has("userName", name)
		})
		c.sub("is compared without regard to case", func(c *client) {
			c.finds(`userName eq "`+strings.ToUpper(name)+`"`, id)
			c.finds(`userName sw "`+strings.ToUpper(name[:len(name)-10])+`"`, id)
		})
		c.sub("is unique without regard to case", func(c *client) {
			c.post("/Users", person(strings.ToLower(name))).fails(409, "uniqueness", name, id)
		})
		c.sub("the id is the server's, stays, and has no bulkId in it", func(c *client) {
			if id == "mine" || strings.Contains(id, "bulkId") {
				c.Errorf("the id is %q", id)
			}
			c.put("/Users/"+id, person(name, `"id":"other"`)).is(200).has("id", id)
			c.patch("/Users/"+id, `{"op":"replace","path":"userName","value":"`+address("renamed")+`"}`).is(200).has("id", id)
		})
		c.sub("the externalId is the client's: it may change and go", func(c *client) {
			ext := unique("ext")
			c.patch("/Users/"+id, `{"op":"replace","path":"externalId","value":"`+ext+`"}`).is(200).has("externalId", ext)
			c.patch("/Users/"+id, `{"op":"remove","path":"externalId"}`).is(200).lacks("externalId")
			c.finds(`externalId eq "` + ext + `"`)
		})
		c.sub("a group needs a displayName, which is unique without regard to case", func(c *client) {
			c.post("/Groups", `{"schemas":["`+groupURN+`"]}`).fails(400, "invalidValue", "displayName is required")
			c.post("/Groups", `{"displayName":"  "}`).fails(400, "invalidValue", "displayName is required")
			title := unique("Engineering")
			group := c.group(title).id()
			c.post("/Groups", `{"displayName":"`+strings.ToUpper(title)+`"}`).fails(409, "uniqueness", group)
			c.find("/Groups", `displayName eq "`+strings.ToLower(title)+`"`).is(200).has("totalResults", 1).has("Resources/0/displayName", title)
		})
	})
}

func TestNull(t *testing.T) {
	each(t, custom, func(c *client) {
		full := []string{`"title":"Countess"`, `"nickName":"Ada"`, `"name":{"givenName":"Ada","familyName":"King"}`, `"emails":[{"value":"ada@acme.test"}]`, `"` + enterpriseURN + `":{"department":"Engines"}`}
		empty := []string{`"title":null`, `"nickName":""`, `"name":null`, `"emails":[]`, `"phoneNumbers":null`, `"` + enterpriseURN + `":null`}
		gone := []string{"title", "nickName", "name", "emails", "phoneNumbers", enterpriseURN}
		c.sub("null, empty and absent are one state in a POST, and stay out of the answer", func(c *client) {
			a := c.create(empty...).lacks(gone...)
			c.get("/Users/" + a.id()).is(200).lacks(gone...)
		})
		c.sub("a PUT with null clears", func(c *client) {
			a := c.create(full...)
			name := a.at("userName").(string)
			c.put("/Users/"+a.id(), person(name, empty...)).is(200).lacks(gone...)
			c.get("/Users/" + a.id()).is(200).lacks(gone...)
		})
		c.sub("a PUT with null, or without, clears the externalId of a group", func(c *client) {
			name := unique("group")
			g := c.post("/Groups", `{"displayName":"`+name+`","externalId":"G1"}`).is(201).has("externalId", "G1")
			c.put("/Groups/"+g.id(), `{"displayName":"`+name+`","externalId":null}`).is(200).lacks("externalId")
			c.patch("/Groups/"+g.id(), `{"op":"add","path":"externalId","value":"G2"}`).is(204)
			c.put("/Groups/"+g.id(), `{"displayName":"`+name+`"}`).is(200).lacks("externalId")
		})
		c.sub("a PATCH with null clears", func(c *client) {
			id := c.create(full...).id()
			c.patch("/Users/"+id, `{"op":"replace","path":"title","value":null}`, `{"op":"replace","value":{"nickName":"","name":null,"emails":[]}}`,
				`{"op":"replace","path":"`+enterpriseURN+`:department","value":""}`).is(200).lacks(gone...)
		})
		c.sub("what is unassigned is not present", func(c *client) {
			a := c.create(empty...)
			scope := `id eq "` + a.id() + `" and `
			c.finds(scope + `title pr`)
			c.finds(scope + `emails pr`)
			c.finds(scope+`not (title pr) and title eq null`, a.id())
		})
		c.sub("active as null leaves access as it is", func(c *client) {
			a := c.create(`"active":null`).has("active", true)
			name := a.at("userName").(string)
			c.put("/Users/"+a.id(), person(name, `"active":false`)).is(200).has("active", false)
			c.put("/Users/"+a.id(), person(name, `"active":null`)).is(200).has("active", false)
		})
	})
}

func TestReadOnly(t *testing.T) {
	each(t, custom, func(c *client) {
		a := c.create()
		id, name := a.id(), a.at("userName").(string)
		group := c.group(unique("readonly"), id).id()
		body := []string{`"id":"other"`, `"meta":{"resourceType":"Device","created":"1999-01-01T00:00:00Z","location":"http://nowhere"}`, `"groups":[{"value":"none"}]`}
		c.sub("a POST ignores it", func(c *client) {
			b := c.create(body...).lacks("groups")
			if b.id() == "other" || strings.HasPrefix(b.at("meta/created").(string), "1999") {
				b.errorf("the client wrote what is the server's")
			}
		})
		c.sub("a PUT ignores it, and an empty list of groups takes nobody out of a group", func(c *client) {
			c.put("/Users/"+id, person(name, body...)).is(200).has("id", id).has("groups/0/value", group)
			c.put("/Users/"+id, person(name, `"groups":[]`)).is(200).has("groups/0/value", group).has("groups/0/type", "direct").has("groups/0/$ref", c.URL+"/Groups/"+group)
			c.members(group, id)
		})
		for _, path := range []string{"id", "meta", "meta.created", "groups", `groups[value eq "` + group + `"]`} {
			c.sub("a PATCH of "+strings.SplitN(path, "[", 2)[0]+" is refused", func(c *client) {
				quoted := strings.ReplaceAll(path, `"`, `\"`)
				c.patch("/Users/"+id, `{"op":"replace","path":"`+quoted+`","value":"x"}`).fails(400, "mutability")
				c.patch("/Users/"+id, `{"op":"remove","path":"`+quoted+`"}`).fails(400, "mutability")
			})
		}
		c.sub("a PATCH without path is refused too", func(c *client) {
			c.patch("/Users/"+id, `{"op":"add","value":{"groups":[{"value":"`+group+`"}]}}`).fails(400, "mutability", "change the members of the group")
			c.patch("/Users/"+id, `{"op":"replace","value":{"id":"other"}}`).fails(400, "mutability")
		})
		c.sub("but for the echo of the id", func(c *client) {
			c.patch("/Users/"+id, `{"op":"replace","value":{"id":"`+id+`","displayName":"Echo"}}`).is(200).has("displayName", "Echo")
			c.patch("/Groups/"+group, `{"op":"replace","value":{"id":"`+group+`","displayName":"`+unique("Echo")+`"}}`).is(204)
		})
		c.sub("the value of a member is immutable", func(c *client) {
			c.patch("/Groups/"+group, `{"op":"replace","path":"members.value","value":"x"}`).fails(400, "mutability")
			c.patch("/Groups/"+group, `{"op":"replace","path":"members[value eq \"`+id+`\"].value","value":"x"}`).fails(400, "mutability")
		})
	})
}

func TestExtension(t *testing.T) {
	each(t, custom, func(c *client) {
		a := c.create(`"`+enterpriseURN+`":{"department":"Engines","employeeNumber":"701984","manager":{"value":"26118915","displayName":"John Smith"}}`).
			has("schemas", raw(`["`+userURN+`","`+enterpriseURN+`"]`))
		id, name := a.id(), a.at("userName").(string)
		c.sub("it is listed in schemas where there is one, whether the client lists it or not", func(c *client) {
			c.get("/Users/"+id).is(200).has("schemas", raw(`["`+userURN+`","`+enterpriseURN+`"]`)).has(enterpriseURN+"/manager/displayName", "John Smith")
			c.create().has("schemas", raw(`["`+userURN+`"]`))
		})
		c.sub("a PATCH names its attributes after a colon", func(c *client) {
			c.patch("/Users/"+id, `{"op":"replace","path":"`+enterpriseURN+`:department","value":"Looms"}`).is(200).has(enterpriseURN+"/department", "Looms")
			c.patch("/Users/"+id, `{"op":"replace","path":"`+enterpriseURN+`:manager.value","value":"7"}`).is(200).has(enterpriseURN+"/manager/value", "7")
			c.patch("/Users/"+id, `{"op":"replace","path":"`+enterpriseURN+`.department","value":"Dots"}`).fails(400, "invalidPath")
		})
		c.sub("a PATCH takes it whole", func(c *client) {
			c.patch("/Users/"+id, `{"op":"add","value":{"`+enterpriseURN+`":{"division":"North"}}}`).is(200).has(enterpriseURN+"/division", "North").has(enterpriseURN+"/employeeNumber", "701984")
			c.patch("/Users/"+id, `{"op":"replace","path":"`+enterpriseURN+`","value":{"costCenter":"4130"}}`).is(200).has(enterpriseURN+"/costCenter", "4130")
		})
		c.sub("filters, sort orders and projections name its attributes", func(c *client) {
			scope := `id eq "` + id + `" and `
			c.finds(scope+enterpriseURN+`:costCenter eq "4130"`, id)
			c.finds(scope+enterpriseURN+`:manager.value pr`, id)
			c.get("/Users/"+id+"?attributes="+enterpriseURN+":costCenter").is(200).has(enterpriseURN, raw(`{"costCenter":"4130"}`)).lacks("userName")
			c.get("/Users/"+id+"?excludedAttributes="+enterpriseURN).is(200).lacks(enterpriseURN).has("schemas", raw(`["`+userURN+`"]`))
			c.get("/Users?filter=id+eq+%22"+id+"%22&sortBy="+enterpriseURN+":costCenter").is(200).has("totalResults", 1)
		})
		c.sub("when its last attribute goes it is not listed any more", func(c *client) {
			c.patch("/Users/"+id, `{"op":"remove","path":"`+enterpriseURN+`"}`).is(200).lacks(enterpriseURN).has("schemas", raw(`["`+userURN+`"]`))
			b := c.put("/Users/"+id, person(name, `"`+enterpriseURN+`":{"department":"Back"}`)).is(200).has(enterpriseURN+"/department", "Back")
			c.patch("/Users/"+b.id(), `{"op":"remove","path":"`+enterpriseURN+`:department"}`).is(200).lacks(enterpriseURN)
		})
		c.sub("a schema that is not known is ignored", func(c *client) {
			c.post("/Users", `{"schemas":["`+userURN+`","urn:example:2.0:User"],"userName":"`+address("foreign")+`","urn:example:2.0:User":{"shoe":44}}`).is(201).lacks("urn:example:2.0:User")
		})
	})
}
