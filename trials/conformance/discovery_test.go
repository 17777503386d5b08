package conformance

import (
	"net/url"
	"strings"
	"testing"
)

func TestMe(t *testing.T) {
	each(t, custom, func(c *client) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			c.sub(method+" is not offered", func(c *client) { c.send(method, "/Me", "").fails(501, "", "/Me", "/Users") })
		}
	})
}

func TestDiscovery(t *testing.T) {
	each(t, custom, func(c *client) {
		c.sub("ServiceProviderConfig says what is offered", func(c *client) {
			a := c.get("/ServiceProviderConfig").is(200).has("schemas", raw(`["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]`)).
				has("patch/supported", true).has("filter/supported", true).has("changePassword/supported", false).has("authenticationSchemes/0/type", "oauthbearertoken").
				has("meta/resourceType", "ServiceProviderConfig").has("meta/location", c.URL+"/ServiceProviderConfig")
			for _, whole := range []string{"filter/maxResults", "bulk/maxOperations", "bulk/maxPayloadSize"} {
				if n, ok := a.at(whole).(float64); !ok || n != float64(int(n)) {
					a.errorf("%s is no whole number", whole)
				}
			}
			for _, flag := range []string{"bulk/supported", "sort/supported", "etag/supported"} {
				if _, ok := a.at(flag).(bool); !ok {
					a.errorf("%s is not true or false", flag)
				}
			}
			for _, text := range []string{"name", "description"} {
				if s, _ := a.at("authenticationSchemes/0/" + text).(string); s == "" {
					a.errorf("the authentication scheme has no %s", text)
				}
			}
		})
		c.sub("ResourceTypes are User and Group", func(c *client) {
			a := c.get("/ResourceTypes").is(200).has("totalResults", 2)
			for i, want := range []struct{ name, schema string }{{"User", userURN}, {"Group", groupURN}} {
				r := a.list("Resources")[i]
				one := c.get("/ResourceTypes/"+want.name).is(200).has("", r).has("id", want.name).has("name", want.name).has("endpoint", "/"+want.name+"s").has("schema", want.schema).
					has("schemas", raw(`["urn:ietf:params:scim:schemas:core:2.0:ResourceType"]`)).has("meta/resourceType", "ResourceType")
				one.has("meta/location", c.URL+"/ResourceTypes/"+want.name)
			}
			a.has("Resources/0/schemaExtensions", raw(`[{"schema":"`+enterpriseURN+`","required":false}]`))
		})
		c.sub("Schemas are those of users, groups and the enterprise extension", func(c *client) {
			a := c.get("/Schemas").is(200).has("totalResults", 3)
			if strings.Contains(string(a.body), ":null") {
				a.errorf("there is a null")
			}
			for i, urn := range []string{userURN, groupURN, enterpriseURN} {
				c.get("/Schemas/"+urn).is(200).has("", a.list("Resources")[i]).has("id", urn).has("schemas", raw(`["urn:ietf:params:scim:schemas:core:2.0:Schema"]`)).has("meta/resourceType", "Schema").has("meta/location", c.URL+"/Schemas/"+urn)
			}
			a.has("Resources/0/attributes/0/name", "userName").has("Resources/0/attributes/0/required", true).has("Resources/0/attributes/0/uniqueness", "server").has("Resources/0/attributes/0/caseExact", false)
		})
		c.sub("each attribute has all that RFC 7643 section 7 asks for", func(c *client) {
			for _, s := range c.get("/Schemas").is(200).list("Resources") {
				lookAtAttributes(c, step(s, "id").(string), step(s, "attributes").([]any))
			}
		})
		c.sub("what the schemas declare writable is kept, and nothing else", func(c *client) {
			a := c.get("/Schemas").is(200)
			user := sample(a.at("Resources/0/attributes").([]any))
			user["userName"], user["active"] = address("schema"), false
			user["schemas"] = []any{userURN, enterpriseURN}
			user[enterpriseURN] = sample(a.at("Resources/2/attributes").([]any))
			made := c.post("/Users", marshal(c, user)).is(201)
			read := c.get("/Users/" + made.id()).is(200)
			for name, want := range user {
				read.has(name, want)
			}
			for name := range read.json.(map[string]any) {
				if _, known := user[name]; !known && name != "id" && name != "meta" {
					read.errorf("%s is not in the schema", name)
				}
			}
		})
		for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/Schemas"} {
			c.sub("of "+path+" there is nothing to change or to filter", func(c *client) {
				for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
					a := c.send(method, path, "{}").fails(405, "")
					if allow := a.header.Get("Allow"); !strings.Contains(allow, "GET") {
						a.errorf("Allow is %q", allow)
					}
				}
				c.get(path+"?filter="+url.QueryEscape(`id pr`)).fails(403, "")
				c.get(path + "?attributes=id&startIndex=1&count=5").is(200)
			})
		}
		c.sub("what is not there is 404", func(c *client) {
			c.get("/ResourceTypes/Device").fails(404, "", "Device")
			c.get("/Schemas/urn:example:2.0:Device").fails(404, "", "urn:example")
			c.get("/ServiceProviderConfigs").fails(404, "")
		})
	})
}

// lookAtAttributes checks the descriptions of attributes.
func lookAtAttributes(c *client, of string, attributes []any) {
	c.Helper()
	for _, a := range attributes {
		name, _ := step(a, "name").(string)
		known := map[string]string{"type": " string boolean decimal integer dateTime reference binary complex ", "mutability": " readOnly readWrite immutable writeOnly ", "returned": " always never default request ", "uniqueness": " none server global "}
		for key, values := range known {
			if v, _ := step(a, key).(string); !strings.Contains(values, " "+v+" ") {
				c.Errorf("%s %s: %s is %q", of, name, key, v)
			}
		}
		if text, _ := step(a, "description").(string); text == "" {
			c.Errorf("%s %s has no description", of, name)
		}
		for _, flag := range []string{"multiValued", "required"} {
			if _, ok := step(a, flag).(bool); !ok {
				c.Errorf("%s %s: %s is not true or false", of, name, flag)
			}
		}
		switch kind := step(a, "type"); kind {
		case "complex":
			sub, _ := step(a, "subAttributes").([]any)
			if len(sub) == 0 {
				c.Errorf("%s %s has no subAttributes", of, name)
			}
			lookAtAttributes(c, of+" "+name, sub)
		case "reference":
			if len(step(a, "referenceTypes").([]any)) == 0 {
				c.Errorf("%s %s has no referenceTypes", of, name)
			}
		case "string":
			if _, ok := step(a, "caseExact").(bool); !ok {
				c.Errorf("%s %s: caseExact is not true or false", of, name)
			}
		}
	}
}

// sample is a resource with a value for each attribute that may be written.
func sample(attributes []any) map[string]any {
	all := map[string]any{}
	for _, a := range attributes {
		name := step(a, "name").(string)
		if step(a, "mutability") == "readOnly" {
			continue
		}
		var v any
		switch step(a, "type") {
		case "complex":
			v = sample(step(a, "subAttributes").([]any))
		case "boolean":
			v = true
		case "binary":
			v = "MIIDQzCCAqygAwIBAgICEAAwDQYJ"
		default:
			v = name + " äß"
		}
		if step(a, "multiValued") == true {
			v = []any{v}
		}
		all[name] = v
	}
	return all
}
