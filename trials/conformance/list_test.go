package conformance

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"testing"
)

// class makes users of one userType, so that a list can be of them alone. Each text is what one of them has.
func (c *client) class(each ...string) (filter string, ids []string) {
	c.Helper()
	name := unique("class")
	for _, more := range each {
		ids = append(ids, c.create(`"userType":"`+name+`"`, more).id())
	}
	return "filter=" + url.QueryEscape(`userType eq "`+name+`"`), ids
}

func (c *client) lists(query string, ids []string, at ...int) {
	c.Helper()
	var want []string
	for _, i := range at {
		want = append(want, ids[i])
	}
	if a := c.get("/Users?" + query).is(200); !slices.Equal(a.ids(), want) {
		a.errorf("the order is not %v", at)
	}
}

func TestSort(t *testing.T) {
	each(t, custom, func(c *client) {
		c.supports("sort")
		c.sub("ascending by default, without regard to case, who has no value last", func(c *client) {
			filter, ids := c.class(`"nickName":"b"`, `"displayName":"x"`, `"nickName":"C"`, `"nickName":"A"`)
			c.lists(filter+"&sortBy=nickName", ids, 3, 0, 2, 1)
			c.lists(filter+"&sortBy=NICKNAME&sortOrder=Ascending", ids, 3, 0, 2, 1)
		})
		c.sub("descending, who has no value first", func(c *client) {
			filter, ids := c.class(`"nickName":"b"`, `"displayName":"x"`, `"nickName":"C"`, `"nickName":"A"`)
			c.lists(filter+"&sortBy=nickName&sortOrder=descending", ids, 1, 2, 0, 3)
		})
		c.sub("with regard to case where the schema says so", func(c *client) {
			n := unique("")
			filter, ids := c.class(`"externalId":"b`+n+`"`, `"externalId":"B`+n+`"`, `"externalId":"a`+n+`"`)
			c.lists(filter+"&sortBy=externalId", ids, 1, 2, 0)
		})
		c.sub("by a part, by an attribute with its URN, by a time", func(c *client) {
			filter, ids := c.class(`"name":{"familyName":"B"},"`+enterpriseURN+`":{"department":"1"}`, `"name":{"familyName":"A"},"`+enterpriseURN+`":{"department":"2"}`)
			c.lists(filter+"&sortBy=name.familyName", ids, 1, 0)
			c.lists(filter+"&sortBy="+enterpriseURN+":department&sortOrder=descending", ids, 1, 0)
			c.lists(filter+"&sortBy="+userURN+":name.familyName", ids, 1, 0)
			c.lists(filter+"&sortBy=meta.created", ids, 0, 1)
		})
		c.sub("by the primary value of a list, else by its first", func(c *client) {
			filter, ids := c.class(`"emails":[{"value":"a@a.test"},{"value":"z@a.test","primary":true}]`, `"emails":[{"value":"b@a.test"}]`)
			c.lists(filter+"&sortBy=emails", ids, 1, 0)
			c.lists(filter+"&sortBy=emails.value", ids, 1, 0)
		})
		c.sub("page by page", func(c *client) {
			filter, ids := c.class(`"nickName":"c"`, `"nickName":"a"`, `"nickName":"b"`)
			c.lists(filter+"&sortBy=nickName&startIndex=1&count=2", ids, 1, 2)
			c.lists(filter+"&sortBy=nickName&startIndex=3&count=2", ids, 0)
		})
		c.sub("groups", func(c *client) {
			name := unique("sorted")
			b, a := c.group(name+" b").id(), c.group(name+" A").id()
			if got := c.find("/Groups", `displayName sw "`+name+`"`, "sortBy=displayName").is(200).ids(); !slices.Equal(got, []string{a, b}) {
				c.Errorf("groups are in the order %q", got)
			}
		})
		c.sub("what cannot be sorted by is refused", func(c *client) {
			c.get("/Users?sortBy=shoeSize").fails(400, "invalidValue", "shoeSize", "sorted")
			c.get("/Users?sortBy=name").fails(400, "invalidValue", "name.")
			c.get("/Users?sortBy=userName&sortOrder=sideways").fails(400, "invalidValue", "ascending or descending")
		})
	})
}

func TestPaging(t *testing.T) {
	each(t, custom, func(c *client) {
		filter, ids := c.class(slices.Repeat([]string{`"title":"x"`}, 5)...)
		list := func(c *client, more string) answer { c.Helper(); return c.get("/Users?" + filter + more).is(200) }
		c.sub("in a stable order: that in which they were made", func(c *client) {
			for range 2 {
				c.lists(filter, ids, 0, 1, 2, 3, 4)
			}
		})
		c.sub("page by page, each once", func(c *client) {
			c.lists(filter+"&startIndex=1&count=2", ids, 0, 1)
			c.lists(filter+"&startIndex=3&count=2", ids, 2, 3)
			c.lists(filter+"&startIndex=5&count=2", ids, 4)
			list(c, "&startIndex=3&count=2").has("totalResults", 5).has("startIndex", 3).has("itemsPerPage", 2)
		})
		c.sub("a startIndex below 1 is 1", func(c *client) {
			for _, n := range []string{"0", "-7"} {
				list(c, "&startIndex="+n+"&count=1").has("startIndex", 1).has("Resources/0/id", ids[0])
			}
		})
		c.sub("a count of 0, or below, is the total alone", func(c *client) {
			for _, n := range []string{"0", "-1"} {
				list(c, "&count="+n).has("totalResults", 5).has("itemsPerPage", 0).has("Resources", []any{})
			}
		})
		c.sub("beyond the end there is nothing, but for the total", func(c *client) {
			list(c, "&startIndex=6").has("totalResults", 5).has("itemsPerPage", 0).has("Resources", []any{})
			list(c, "&startIndex=999999999999999999999").has("totalResults", 5).has("itemsPerPage", 0)
		})
		c.sub("what is no number is refused", func(c *client) {
			c.get("/Users?startIndex=one").fails(400, "invalidValue", "startIndex")
			c.get("/Users?count=1.5").fails(400, "invalidValue", "count")
		})
		c.sub("a count above the most is answered with the most", func(c *client) {
			most := int(c.get("/ServiceProviderConfig").is(200).at("filter/maxResults").(float64))
			name := unique("many")
			var operations []string
			for i := range most + 5 {
				operations = append(operations, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"%d","data":%s}`, i, person(fmt.Sprintf("%s-%d@acme.test", name, i), `"userType":"`+name+`"`)))
			}
			c.supports("bulk")
			c.bulk(operations...).is(200)
			of := "filter=" + url.QueryEscape(`userType eq "`+name+`"`)
			c.get("/Users?"+of+"&count=100").is(200).has("itemsPerPage", 100).has("totalResults", most+5)
			c.get("/Users?"+of+"&count="+strconv.Itoa(most+5)).is(200).has("itemsPerPage", most).has("totalResults", most+5)
			seen := map[string]bool{}
			for start := 1; start <= most+5; start += 100 { // as Okta imports
				for _, id := range c.get(fmt.Sprintf("/Users?%s&startIndex=%d&count=100", of, start)).is(200).ids() {
					seen[id] = true
				}
			}
			if len(seen) != most+5 {
				c.Errorf("page by page there are %d of %d", len(seen), most+5)
			}
		})
	})
}

func TestProjection(t *testing.T) {
	each(t, custom, func(c *client) {
		a := c.create(`"title":"Dr"`, `"password":"secret"`, `"name":{"givenName":"Ada","familyName":"King"}`, `"emails":[{"value":"a@acme.test","type":"work"}]`, `"`+enterpriseURN+`":{"department":"E","division":"N"}`)
		id, name := a.id(), a.at("userName").(string)
		at := "/Users/" + id
		keys := func(a answer, want ...string) {
			a.c.Helper()
			var got []string
			for key := range a.json.(map[string]any) {
				got = append(got, key)
			}
			slices.Sort(got)
			want = append(want, "id", "schemas")
			slices.Sort(want)
			if !slices.Equal(got, want) {
				a.errorf("the answer has %q, not %q", got, want)
			}
		}
		c.sub("attributes: those, id and schemas", func(c *client) {
			keys(c.get(at+"?attributes=userName,title").is(200), "userName", "title")
			keys(c.get(at+"?attributes=USERNAME").is(200), "userName")
			keys(c.get(at+"?attributes="+userURN+":userName").is(200), "userName")
			keys(c.get(at + "?attributes=shoeSize").is(200))
			keys(c.get(at+"?attributes="+enterpriseURN+":department").is(200).has(enterpriseURN, raw(`{"department":"E"}`)), enterpriseURN)
			keys(c.get(at+"?attributes="+enterpriseURN).is(200).has(enterpriseURN+"/division", "N"), enterpriseURN)
			keys(c.get(at+"?attributes=emails").is(200).has("emails/0/type", "work"), "emails")
		})
		c.sub("attributes with dots: the part alone", func(c *client) {
			keys(c.get(at+"?attributes=name.givenName,emails.value,meta.location").is(200).has("name", raw(`{"givenName":"Ada"}`)).has("emails", raw(`[{"value":"a@acme.test"}]`)).
				has("meta", raw(`{"location":"`+c.URL+at+`"}`)), "name", "emails", "meta")
		})
		c.sub("excludedAttributes: all but those, never id and schemas", func(c *client) {
			c.get(at+"?excludedAttributes=name,emails.type,id,schemas,meta").is(200).lacks("name", "meta", "emails/0/type").has("emails/0/value", "a@acme.test").has("title", "Dr").has("id", id).has("schemas/0", userURN)
		})
		c.sub("password never", func(c *client) {
			keys(c.get(at + "?attributes=password").is(200))
			c.get(at).is(200).lacks("password")
		})
		c.sub("in lists and searches", func(c *client) {
			c.find("/Users", `id eq "`+id+`"`, "attributes=userName").is(200).has("Resources/0", raw(`{"schemas":["`+userURN+`"],"id":"`+id+`","userName":"`+name+`"}`))
			c.post("/Users/.search", `{"schemas":["`+messages+`SearchRequest"],"filter":"id eq \"`+id+`\"","excludedAttributes":["name","emails"]}`).is(200).has("Resources/0/title", "Dr").lacks("Resources/0/name", "Resources/0/emails")
		})
		c.sub("in the answers of POST, PUT and PATCH", func(c *client) {
			b := c.post("/Users?attributes=userName", person(address("projected"), `"title":"Dr"`)).is(201)
			keys(b, "userName")
			keys(c.put("/Users/"+b.id()+"?attributes=title", person(b.at("userName").(string), `"title":"Prof"`)).is(200).has("title", "Prof"), "title")
			c.put("/Users/"+b.id()+"?excludedAttributes=title", person(b.at("userName").(string), `"title":"Dr"`)).is(200).lacks("title").has("userName", b.at("userName"))
			keys(c.patch("/Users/"+b.id()+"?attributes=title", `{"op":"replace","path":"title","value":"Miss"}`).is(200), "title")
			g := c.post("/Groups?excludedAttributes=members", `{"displayName":"`+unique("projected")+`","members":[{"value":"`+id+`"}]}`).is(201).lacks("members")
			c.members(g.id(), id)
		})
		c.sub("of groups, members by part, and what is returned on request", func(c *client) {
			a := c.create()
			id, name := a.id(), a.at("userName").(string)
			at := "/Users/" + id
			g := c.group(unique("projected"), id).id()
			c.get("/Groups/" + g + "?excludedAttributes=members").is(200).lacks("members")
			c.get("/Groups/"+g+"?attributes=members.value").is(200).has("members", raw(`[{"value":"`+id+`"}]`)).lacks("displayName")
			c.get("/Groups/"+g).is(200).has("members/0", raw(`{"value":"`+id+`","display":"`+name+`"}`))
			c.get("/Groups/"+g+"?attributes=members.value,members.type,members.$ref").is(200).has("members/0/type", "User").has("members/0/$ref", c.URL+at)
			c.get(at+"?attributes=groups").is(200).has("groups/0/value", g)
			c.get(at + "?excludedAttributes=groups").is(200).lacks("groups")
		})
	})
}

func TestSearch(t *testing.T) {
	each(t, custom, func(c *client) {
		name := unique("searched")
		one, two := c.create(`"userType":"`+name+`"`, `"displayName":"`+name+` b"`).id(), c.create(`"userType":"`+name+`"`, `"displayName":"`+name+` a"`).id()
		group := c.group(name + " c").id()
		search := func(more string) string { return `{"schemas":["` + messages + `SearchRequest"],` + more + `}` }
		c.sub("of users", func(c *client) {
			c.post("/Users/.search", search(`"filter":"userType eq \"`+name+`\"","startIndex":1,"count":10`)).is(200).has("totalResults", 2).has("startIndex", 1).has("Resources/0/id", one).has("Resources/1/id", two)
			c.post("/Users/.search", search(`"filter":"userType eq \"`+name+`\"","sortBy":"displayName","sortOrder":"ascending","count":1`)).is(200).has("itemsPerPage", 1).has("totalResults", 2).has("Resources/0/id", two)
			c.post("/Users/.search", search(`"filter":"userType eq \"`+name+`\"","attributes":["displayName"]`)).is(200).has("Resources/0/displayName", name+" b").lacks("Resources/0/userName")
		})
		c.sub("of groups", func(c *client) {
			c.post("/Groups/.search", search(`"filter":"displayName sw \"`+name+`\""`)).is(200).has("totalResults", 1).has("Resources/0/id", group)
		})
		c.sub("of everything, by POST and by GET", func(c *client) {
			a := c.post("/.search", search(`"filter":"displayName sw \"`+name+`\"","sortBy":"displayName"`)).is(200)
			if !slices.Equal(a.ids(), []string{two, one, group}) {
				a.errorf("not the two users and the group")
			}
			filter := url.QueryEscape(`displayName sw "` + name + `"`)
			c.get("?filter="+filter).is(200).has("totalResults", 3)
			c.get("/?filter="+filter+"&count=0").is(200).has("totalResults", 3)
			c.post("/.search", search(`"filter":"displayName sw \"`+name+`\" and meta.resourceType eq \"Group\""`)).is(200).has("totalResults", 1).has("Resources/0/id", group)
		})
		c.sub("who has nothing to filter for has everybody, page by page", func(c *client) {
			c.post("/Users/.search", search(`"count":1`)).is(200).has("itemsPerPage", 1)
		})
		c.sub("what cannot be read is refused as in a query", func(c *client) {
			c.post("/Users/.search", search(`"filter":"userType"`)).fails(400, "invalidFilter")
			c.post("/Users/.search", search(`"filter":7`)).fails(400, "invalidValue", "filter must be a string")
			c.post("/Users/.search", search(`"attributes":{"a":1}`)).fails(400, "invalidValue", "array of names")
			c.post("/.search", `[]`).fails(400, "invalidSyntax")
		})
	})
}
