package conformance

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The facts that decide whether a provider works the first time, each in its test. They are about Okta, and asked
// through a connection of it.

func TestFact01PutAndPatchDoTheSameForUsersAndGroups(t *testing.T) {
	each(t, okta, func(c *client) {
		a, title := c.create(), unique("fact")
		name, at := a.at("userName").(string), "/Users/"+a.id()
		g := c.group(title).id()
		for _, style := range []struct {
			name           string
			active         func(active string) answer
			rename, member func(to string) answer
		}{
			{"PUT", func(active string) answer { return c.put(at, person(name, `"active":`+active)) },
				func(to string) answer { return c.put("/Groups/"+g, `{"displayName":"`+to+`"}`) },
				func(to string) answer {
					return c.put("/Groups/"+g, `{"displayName":"`+title+`","members":[`+to+`]}`)
				}},
			{"PATCH", func(active string) answer { return c.patch(at, `{"op":"replace","value":{"active":`+active+`}}`) },
				func(to string) answer {
					return c.patch("/Groups/"+g, `{"op":"replace","value":{"displayName":"`+to+`"}}`)
				},
				func(to string) answer {
					return c.patch("/Groups/"+g, `{"op":"replace","path":"members","value":[`+to+`]}`)
				}},
		} {
			style.active("false").is(200).has("active", false)
			c.get(at).is(200).has("active", false)
			style.active("true").is(200).has("active", true)
			other := unique("renamed")
			style.rename(other).is(200).has("displayName", other)
			style.member(`{"value":"` + a.id() + `","display":"` + name + `"}`).is(200)
			c.members(g, a.id())
			style.member(``).is(200)
			c.members(g)
		}
	})
}

func TestFact02WhatIsWrittenIsReadAtOnce(t *testing.T) {
	each(t, okta, func(c *client) {
		for range 20 {
			a := c.create()
			c.finds(`userName eq "`+a.at("userName").(string)+`"`, a.id())
			title := unique("fact")
			g := c.group(title, a.id()).id()
			c.members(g, a.id())
			c.put("/Groups/"+g, `{"displayName":"`+title+`","members":[]}`).is(200)
			c.members(g)
			c.patch("/Users/"+a.id(), `{"op":"replace","value":{"active":false}}`).is(200)
			c.get("/Users/"+a.id()).is(200).has("active", false)
		}
	})
}

func TestFact03APersonWhoIsOnlyInvitedIsActive(t *testing.T) {
	each(t, okta, func(c *client) {
		a := c.create().has("active", true)
		c.get("/Users/"+a.id()).is(200).has("active", true)
		c.find("/Users", `userName eq "`+a.at("userName").(string)+`"`).is(200).has("Resources/0/active", true)
		c.put("/Users/"+a.id(), person(a.at("userName").(string), `"active":true`)).is(200).has("active", true)
	})
}

func TestFact04ContentThatCanBeToleratedFailsNoWrite(t *testing.T) {
	each(t, okta, func(c *client) {
		odd := []string{`"shoeSize":44`, `"urn:okta:custom:1.0:user":{"x":1}`, `"locale":"xx_ZZ-odd"`, `"timezone":"Mars/Olympus"`, `"title":null`, `"nickName":""`, `"emails":[{"value":"not an address","type":"work"}]`,
			`"phoneNumbers":[{"value":"ask me"}]`, `"profileUrl":"none"`, `"preferredLanguage":7`, `"x":{"y":[null,{}]}`, `"` + enterpriseURN + `":{"employeeNumber":7,"shoe":1}`, `"entitlements":[]`, `"addresses":[{"country":"Nowhere"}]`}
		a := c.create(odd...)
		c.put("/Users/"+a.id(), person(a.at("userName").(string), odd...)).is(200)
		for _, attribute := range odd {
			c.patch("/Users/"+a.id(), `{"op":"replace","value":{`+attribute+`}}`).is(200)
		}
		c.patch("/Users/"+a.id(), `{"op":"replace","path":"shoeSize","value":44}`, `{"op":"add","path":"urn:okta:custom:1.0:user:x","value":1}`).is(200)
		c.post("/Groups", `{"schemas":["`+groupURN+`","urn:x"],"displayName":"`+unique("fact")+`","description":"unknown"}`).is(201)
	})
}

func TestFact05WhoIsDeactivatedStaysReadable(t *testing.T) {
	each(t, okta, func(c *client) {
		a := c.create()
		c.patch("/Users/"+a.id(), `{"op":"replace","value":{"active":false}}`).is(200)
		c.get("/Users/"+a.id()).is(200).has("active", false)
		c.finds(`userName eq "`+a.at("userName").(string)+`"`, a.id())
		c.finds(`id eq "`+a.id()+`" and active eq false`, a.id())
	})
}

func TestFact06TheListHasThePeopleWhoWereThereBefore(t *testing.T) {
	alone(t, okta, func(c *client) {
		c.get("/Users?startIndex=1&count=2").is(200).has("totalResults", 1).has("Resources/0/userName", "owner@acme.test").has("Resources/0/active", true)
		c.finds(`userName eq "OWNER@acme.test"`, c.get("/Users").ids()...)
	})
}

func TestFact07TheFirstUserOfTheListHasAllThatOktaLooksFor(t *testing.T) {
	alone(t, okta, func(c *client) {
		for range 3 {
			c.create()
		}
		first := c.get("/Users?startIndex=1&count=2").is(200)
		for _, path := range []string{"id", "userName", "name/givenName", "name/familyName", "emails/0/value"} {
			if text, _ := first.at("Resources/0/" + path).(string); text == "" {
				first.errorf("the first user has no %s", path)
			}
		}
		first.has("Resources/0/active", true)
		c.patch("/Users/"+first.ids()[0], `{"op":"replace","value":{"title":"Owner"}}`).is(200)
		if again := c.get("/Users?startIndex=1&count=2").is(200); !slices.Equal(again.ids(), first.ids()) {
			again.errorf("the order has changed")
		}
	})
}

func TestFact08GroupsIdAndMetaAreIgnoredAndThePasswordIsDropped(t *testing.T) {
	each(t, okta, func(c *client) {
		body := []string{`"id":"00u1"`, `"meta":{"resourceType":"User"}`, `"password":"Wh4t-a-secret"`, `"groups":[]`}
		a := c.create(body...).lacks("password", "groups")
		g := c.group(unique("fact"), a.id()).id()
		c.put("/Users/"+a.id(), person(a.at("userName").(string), body...)).is(200).has("id", a.id()).has("groups/0/value", g)
		c.patch("/Users/"+a.id(), `{"op":"replace","value":{"password":"An0ther"}}`, `{"op":"replace","path":"password","value":"An0ther"}`, `{"op":"replace","value":{"groups":[]}}`).is(200).has("meta/version", c.get("/Users/"+a.id()).at("meta/version"))
		c.members(g, a.id())
	})
}

func TestFact09TheNumbersOfAListAreIntegers(t *testing.T) {
	each(t, okta, func(c *client) {
		a := c.get("/Users?startIndex=1&count=1").is(200)
		for _, name := range []string{"totalResults", "startIndex", "itemsPerPage"} {
			if n, ok := a.at(name).(float64); !ok || n != float64(int(n)) || strings.Contains(string(a.body), `"`+name+`":"`) {
				a.errorf("%s is no integer", name)
			}
		}
	})
}

func TestFact10MembersComeManyAtOnceFromManySidesWithoutType(t *testing.T) {
	each(t, okta, func(c *client) {
		var users, operations []string
		for i := range 256 {
			operations = append(operations, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"%d","data":%s}`, i, person(address("fact"))))
		}
		a := c.bulk(operations...).is(200)
		for _, location := range a.values("Operations", "location") {
			users = append(users, location[strings.LastIndexByte(location, '/')+1:])
		}
		member := func(id string) string { return `{"value":"` + id + `","display":"x@acme.test"}` }
		all := func(ids []string) string {
			var m []string
			for _, id := range ids {
				m = append(m, member(id))
			}
			return `[` + strings.Join(m, ",") + `]`
		}
		c.sub("256 in one PATCH, and again", func(c *client) {
			g := c.group(unique("fact")).id()
			for range 2 {
				c.patch("/Groups/"+g, `{"op":"add","path":"members","value":`+all(users)+`}`).is(200).lacks("members")
				c.members(g, users...)
			}
			c.patch("/Groups/"+g, `{"op":"replace","path":"members","value":[]}`).is(200)
			c.members(g)
		})
		c.sub("PATCHes side by side lose nobody", func(c *client) {
			g := c.group(unique("fact")).id()
			var side sync.WaitGroup
			for part := range slices.Chunk(users, 32) {
				side.Go(func() {
					c.patch("/Groups/"+g, `{"op":"add","path":"members","value":`+all(part)+`}`)
				})
			}
			side.Wait()
			c.members(g, users...)
		})
		c.sub("a change of a large group leaves the others", func(c *client) {
			g := c.group(unique("fact"), users...).id()
			c.patch("/Groups/"+g, `{"op":"remove","path":"members[value eq \"`+users[0]+`\"]"}`).is(200)
			c.members(g, users[1:]...)
		})
	})
}

func TestFact11AnswersComeInTime(t *testing.T) {
	each(t, okta, func(c *client) {
		c.group(unique("fact"))
		best := time.Hour
		for range 10 { // the machine may be busy, but not for all of them
			begun := time.Now()
			c.get("/Groups?startIndex=1&count=100").is(200)
			best = min(best, time.Since(begun))
		}
		if best > 600*time.Millisecond {
			c.Errorf("/Groups takes %v", best)
		}
	})
}

func TestFact12OktaNeedsNoneOfTheRest(t *testing.T) {
	each(t, okta, func(c *client) {
		for path, status := range map[string]int{"/Schemas": 200, "/ServiceProviderConfig": 200, "/ResourceTypes": 200, "/Me": 501} {
			c.get(path).is(status)
		}
		c.post("/Bulk", `{"Operations":[]}`).is(200)
		c.post("/.search", `{"count":0}`).is(200)
	})
}

func TestFact13TheTokenComesAsBearerOrBare(t *testing.T) {
	each(t, okta, func(c *client) {
		for _, sent := range []string{"Bearer " + c.Token, "bearer " + c.Token, c.Token, "Bearer  " + c.Token + " "} {
			c.get("/Users?filter="+url.QueryEscape(`userName eq "x"`), "Authorization", sent).is(200)
		}
		c.get("/Users", "Authorization", "Bearer Bearer "+c.Token).fails(401, "")
	})
}
