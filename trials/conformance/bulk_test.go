package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bulk sends operations, each a JSON object.
func (c *client) bulk(operations ...string) answer {
	c.Helper()
	a := c.post("/Bulk", `{"schemas":["`+messages+`BulkRequest"],"Operations":[`+strings.Join(operations, ",")+`]}`)
	for _, op := range a.list("Operations") {
		location, _ := step(op, "location").(string)
		if step(op, "method") == "POST" && step(op, "status") == "201" {
			c.made(strings.TrimPrefix(location, c.URL))
		}
	}
	return a
}

func TestBulk(t *testing.T) {
	each(t, custom, func(c *client) {
		c.supports("bulk")
		idOf := func(a answer, i int) string {
			location, _ := a.at(fmt.Sprintf("Operations/%d/location", i)).(string)
			return location[strings.LastIndexByte(location, '/')+1:]
		}
		post := func(bulkID, body string) string {
			return `{"method":"POST","path":"/Users","bulkId":"` + bulkID + `","data":` + body + `}`
		}
		c.sub("each operation has its method, bulkId, location, version and status, which is a string", func(c *client) {
			a := c.bulk(post("qwerty", person(address("bulk")))).is(200).has("schemas", raw(`["`+messages+`BulkResponse"]`)).
				has("Operations/0/method", "POST").has("Operations/0/bulkId", "qwerty").has("Operations/0/status", "201").lacks("Operations/0/response")
			id := idOf(a, 0)
			user := c.get("/Users/" + id).is(200)
			a.has("Operations/0/location", c.URL+"/Users/"+id).has("Operations/0/version", user.at("meta/version"))
		})
		c.sub("create, replace, change and delete, in their order", func(c *client) {
			user, name := c.create().id(), address("bulk")
			a := c.bulk(
				`{"method":"PUT","path":"/Users/`+user+`","data":`+person(name)+`}`,
				`{"method":"PATCH","path":"/Users/`+user+`","data":`+patchOp(`{"op":"replace","path":"title","value":"Dr"}`)+`}`,
				`{"method":"DELETE","path":"/Users/`+user+`"}`,
				post("again", person(name)),
			).is(200)
			for i, status := range []string{"200", "200", "204", "201"} {
				a.has(fmt.Sprintf("Operations/%d/status", i), status)
			}
			a.has("Operations/2/location", c.URL+"/Users/"+user).has("Operations/1/method", "PATCH")
		})
		c.sub("bulkId: in a value and in a path, whatever the order", func(c *client) {
			title := unique("bulk")
			a := c.bulk(
				`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"`+title+`","members":[{"value":"bulkId:u"}]}}`,
				post("u", person(address("bulk"))),
				`{"method":"PATCH","path":"/Users/bulkId:u","data":`+patchOp(`{"op":"add","path":"title","value":"Dr"}`)+`}`,
			).is(200).has("Operations/0/status", "201").has("Operations/1/status", "201").has("Operations/2/status", "200")
			c.members(idOf(a, 0), idOf(a, 1))
			c.get("/Users/"+idOf(a, 1)).is(200).has("title", "Dr").has("groups/0/value", idOf(a, 0))
		})
		c.sub("bulkIds that refer to each other", func(c *client) {
			manager := func(of string) string { return `"` + enterpriseURN + `":{"manager":{"value":"bulkId:` + of + `"}}` }
			a := c.bulk(post("a", person(address("bulk"), manager("b"))), post("b", person(address("bulk"), manager("a")))).is(200).has("Operations/0/status", "201").has("Operations/1/status", "201")
			c.get("/Users/"+idOf(a, 0)).is(200).has(enterpriseURN+"/manager/value", idOf(a, 1))
			c.get("/Users/"+idOf(a, 1)).is(200).has(enterpriseURN+"/manager/value", idOf(a, 0))
		})
		c.sub("an operation that fails has the error, and the others are done", func(c *client) {
			taken := c.create().at("userName").(string)
			a := c.bulk(post("1", person(taken)), post("2", `{}`), `{"method":"DELETE","path":"/Users/none"}`, post("3", person(address("bulk")))).is(200)
			a.has("Operations/0/status", "409").has("Operations/0/response/scimType", "uniqueness").has("Operations/0/response/status", "409").has("Operations/0/response/schemas/0", messages+"Error").lacks("Operations/0/location")
			a.has("Operations/1/status", "400").has("Operations/2/status", "404").has("Operations/2/location", c.URL+"/Users/none").has("Operations/3/status", "201")
		})
		c.sub("failOnErrors ends it", func(c *client) {
			name := address("bulk")
			a := c.post("/Bulk", `{"schemas":["`+messages+`BulkRequest"],"failOnErrors":1,"Operations":[`+post("1", `{}`)+`,`+post("2", person(name))+`]}`).is(200)
			if n := len(a.list("Operations")); n != 1 {
				a.errorf("%d operations are answered", n)
			}
			c.finds(`userName eq "` + name + `"`)
		})
		c.sub("a bulkId that nobody has is an error of its operation", func(c *client) {
			c.bulk(`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"`+unique("bulk")+`","members":[{"value":"bulkId:nobody"}]}}`).is(200).has("Operations/0/status", "400")
			c.bulk(post("u", `{}`), `{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"`+unique("bulk")+`","members":[{"value":"bulkId:u"}]}}`).is(200).has("Operations/1/status", "409")
		})
		c.sub("a version is a precondition", func(c *client) {
			a := c.create()
			change := `"data":` + patchOp(`{"op":"add","path":"title","value":"Dr"}`) + `}`
			c.bulk(`{"method":"PATCH","path":"/Users/`+a.id()+`","version":"W/\"0\"",`+change, `{"method":"PATCH","path":"/Users/`+a.id()+`","version":`+quote(a.at("meta/version").(string))+`,`+change).is(200).
				has("Operations/0/status", "412").has("Operations/1/status", "200")
		})
		c.sub("an operation that cannot be read fails alone", func(c *client) {
			a := c.bulk(`{"method":"GET","path":"/Users"}`, `{"method":"POST","path":"/Devices","bulkId":"1","data":{}}`, `{"method":"POST","path":"/Users","bulkId":"2"}`, `{"method":"DELETE","path":"/Users"}`, `7`).is(200)
			for i := range 5 {
				a.has(fmt.Sprintf("Operations/%d/status", i), "400")
				if text, _ := a.at(fmt.Sprintf("Operations/%d/response/detail", i)).(string); faultOf(text) != "" {
					a.errorf("the detail of %d %s", i, faultOf(text))
				}
			}
		})
		c.sub("a request that cannot be read fails", func(c *client) {
			c.post("/Bulk", `{"schemas":["`+messages+`BulkRequest"]}`).fails(400, "invalidSyntax", "Operations")
			c.bulk(post("same", person(address("bulk"))), post("same", person(address("bulk")))).fails(400, "invalidValue", "same")
			c.post("/Bulk", `{"failOnErrors":"x","Operations":[]}`).fails(400, "invalidValue", "failOnErrors")
			c.get("/Bulk").fails(405, "")
		})
		c.sub("too many operations, or too large a body: 413", func(c *client) {
			config := c.get("/ServiceProviderConfig").is(200)
			operations, bytes := int(config.at("bulk/maxOperations").(float64)), int(config.at("bulk/maxPayloadSize").(float64))
			c.bulk(slices.Repeat([]string{`{"method":"DELETE","path":"/Users/none"}`}, operations+1)...).fails(413, "", strconv.Itoa(operations))
			c.post("/Bulk", `{"Operations":[]`+strings.Repeat(" ", bytes)+`}`).fails(413, "")
		})
	})
}
