package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// jargon is what no admin of a provider should have to read: words of Go, of SQL, of our inside.
var jargon = regexp.MustCompile(`(?i)json: |unmarshal|invalid character|looking for|unexpected end|strconv|\bEOF\b|\bnil\b|%!|goroutine|panic|runtime|interface \{|struct\b|\bmap\[|\*scim|\bsql|sqlite|postgres|pgx|gorm|constraint|\bindex\b|\btransaction\b|\bmirror\b|\boutbox\b|\brow\b|deadline|context|http: |parse error|undefined`)

// faultOf says what is wrong with the detail of an error as a sentence for people, "" where nothing is.
func faultOf(detail string) string {
	switch {
	case len(strings.Fields(detail)) < 4:
		return "is no sentence: " + detail
	case jargon.MatchString(detail):
		return fmt.Sprintf("has %q in it: %s", jargon.FindString(detail), detail)
	case strings.ContainsAny(detail, "\n\t\x00"):
		return "is not one line: " + detail
	case len(detail) > 500:
		return "is too long: " + detail
	}
	return ""
}

// advice is a word by which a sentence says what to do.
var advice = regexp.MustCompile(`(?i)\b(send|correct|leave out|see|use|add|remove|give|map|write|copy|choose|look|update|read|link|unlink|replace|ask|split|shorten|try|percent-encode|compare|join|sort|begin|resume|upgrade|rotate|push|assign|name|say|lists|are User and Group|must be|must follow|needs?|is missing|can be|is expected|can follow|compares with|one of)\b`)

// TestDetails provokes every error that a client can, and reads what is told to the admin of the provider. With -v it
// prints them all.
func TestDetails(t *testing.T) {
	alone(t, custom, func(c *client) {
		user := c.create(`"displayName":"Ada King"`, `"externalId":"00u1"`, `"emails":[{"value":"a@acme.test"},{"value":"b@acme.test"}]`)
		other, gone := c.create(), c.create(`"externalId":"00u2"`)
		c.patch("/Users/"+gone.id(), `{"op":"replace","path":"active","value":false}`).is(200)
		group := c.group("Engineering", user.id())
		second := c.group("Sales").id()
		at, of, name := "/Users/"+user.id(), "/Groups/"+group.id(), user.at("userName").(string)
		post := func(body string) answer { return c.post("/Users", body) }
		change := func(operation string) answer { return c.patch(at, operation) }
		filter := func(f string) answer { return c.find("/Users", f) }
		long := func(n int) string { return strings.Repeat("x", n) }
		answers := []answer{
			c.get("/Users", "Authorization", ""),
			c.get("/Users/none"), c.get("/Groups/none"), c.get("/Nothing"), c.get("/Schemas/x"), c.get("/ResourceTypes/x"),
			c.send("DELETE", "/Users", ""), c.get("/Me"), c.get("/Schemas?filter=id+pr"),
			c.send("POST", "/Users", "x", "Content-Type", "text/plain"), c.send("POST", "/Users", "x", "Content-Encoding", "gzip"),
			c.send("DELETE", at, "", "If-Match", `W/"0"`),
			post(""), post("{"), post("[]"), post(`"x"`), post(`{"userName":}`), post(`{"userName":"x",}`), post(`{'userName':'x'}`), post(`{"userName":"x"} {}`), post("{\"userName\":\"\xe9\"}"),
			post(strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)),
			post(`{}`), post(`{"userName":"a","username":"b"}`), post(`{"userName":["a","b"]}`), post(`{"userName":{"a":1}}`), post(person(long(300))), post(person("a\u202eb")),
			post(person("x", `"title":true`)), post(person("x", `"active":"perhaps"`)), post(person("x", `"name":true`)), post(person("x", `"emails":true`)), post(person("x", `"emails":[true]`)),
			post(person("x", `"emails":[{"value":"`+long(300)+`@acme.test"}]`)), post(person("x", `"title":"`+long(5000)+`"`)), post(person("x", `"title":"a\u0000b"`)), post(person("x", `"title":"`+long(2<<20)+`"`)),
			post(person("x", `"phoneNumbers":[`+strings.TrimSuffix(strings.Repeat(`{"value":"1"},`, 501), ",")+`]`)),
			post(person(name)), post(person("x", `"externalId":"00u1"`)), post(person(gone.at("userName").(string), `"externalId":"00u3"`)), post(person(gone.at("userName").(string), `"active":false`)),
			c.put("/Users/"+other.id(), person(name)), c.patch("/Users/"+other.id(), `{"op":"add","path":"externalId","value":"00u1"}`),
			c.post("/Groups", `{}`), c.post("/Groups", `{"displayName":"Engineering"}`), c.patch("/Groups/"+second, `{"op":"replace","path":"displayName","value":"engineering"}`),
			c.post("/Groups", `{"displayName":"x","members":7}`), c.post("/Groups", `{"displayName":"x","members":[7]}`), c.post("/Groups", `{"displayName":"x","members":[{}]}`), c.post("/Groups", `{"displayName":"x","members":[{"value":7}]}`),
			c.post("/Groups", `{"displayName":"x","members":[{"value":"g","type":"Group"}]}`), c.post("/Groups", `{"displayName":"x"`), c.post("/Groups", `{"displayName":}`), c.post("/Groups", `[]`), c.post("/Groups", `{"displayName":"x"} 7`), c.post("/Groups", ""),
			c.send("PATCH", at, "{}"), c.send("PATCH", at, patchOp(strings.Split(strings.Repeat(`{"op":"remove","path":"title"}|`, 1001), "|")[:1001]...)), change(`7`), change(`{}`), change(`{"op":"move"}`), change(`{"op":"add","path":7}`), change(`{"op":"add","op":"add"}`),
			change(`{"op":"remove"}`), change(`{"op":"add"}`), change(`{"op":"add","value":"x"}`), change(`{"op":"add","path":"title"}`), change(`{"op":"add","path":"shoe","value":1}`), change(`{"op":"add","path":"urn:x:y:shoe","value":1}`), change(`{"op":"add","path":"emails[","value":1}`),
			change(`{"op":"add","path":"title[value eq \"x\"]","value":1}`), change(`{"op":"add","path":"emails[shoe eq \"x\"].value","value":"x"}`), change(`{"op":"replace","path":"emails.value","value":"x"}`), change(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}`),
			change(`{"op":"add","path":"emails[type eq \"work\"].value.x","value":"x"}`), change(`{"op":"add","path":"emails[type gt true].value","value":"x"}`), change(`{"op":"replace","path":"id","value":"x"}`), change(`{"op":"replace","path":"meta","value":{}}`), change(`{"op":"remove","path":"groups"}`),
			change(`{"op":"remove","path":"userName"}`), change(`{"op":"remove","path":"active"}`), change(`{"op":"replace","path":"userName","value":""}`), change(`{"op":"remove","path":"` + userURN + `"}`), change(`{"op":"add","path":"` + enterpriseURN + `","value":7}`),
			change(`{"op":"replace","path":"active","value":[true,false]}`), change(`{"op":"replace","path":"name","value":7}`),
			c.patch(of, `{"op":"replace","path":"shoe","value":1}`), c.patch(of, `{"op":"remove","path":"displayName"}`), c.patch(of, `{"op":"replace","path":"displayName.x","value":"x"}`), c.patch(of, `{"op":"replace","path":"members","value":null}`), c.patch(of, `{"op":"replace","path":"members"}`),
			c.patch(of, `{"op":"replace","path":"members","value":{}}`), c.patch(of, `{"op":"replace","path":"members","value":7}`), c.patch(of, `{"op":"replace","path":"members[value eq \"x\"]","value":{}}`), c.patch(of, `{"op":"remove","path":"members[display eq \"x\"]"}`),
			c.patch(of, `{"op":"replace","path":"members.value","value":"x"}`), c.patch(of, `{"op":"replace","path":"members[value eq \"x\"].value","value":"y"}`), c.patch(of, `{"op":"replace","path":"members.shoe","value":"x"}`), c.patch(of, `{"op":"replace","path":"displayName","value":""}`),
			filter(``), filter(`userName`), filter(`userName is "x"`), filter(`userName eq`), filter(`userName eq x`), filter(`userName eq 'x'`), filter(`userName eq "x`), filter(`userName eq "\q"`), filter(`(userName pr`), filter(`userName pr)`), filter(`not userName pr`), filter(`emails[type pr`), filter(`emails[type pr].x.y pr`),
			filter(`emails[phone[x pr]]`), filter(`active gt true`), filter(`active eq "x"`), filter(`userName co 7`), filter(`userName eq true`), filter(`userName gt null`), filter(`meta.created gt "x"`), filter(`meta.created co "2026"`), filter(`meta.version eq "x"`), filter(`name eq "x"`), filter(`addresses eq "x"`), filter(`title[x pr]`),
			filter(`shoe pr`), filter(`email Co "x"`), filter(`emails[shoe pr]`), filter(`urn:x:y:shoe pr`), filter(strings.Repeat("(", 20)), filter(long(3000)), filter("title pr" + strings.Repeat(" or title pr", 20)), c.get("/Users?filter=%zz"), c.get("/Users?filter=title+pr&filter=title+pr"), c.find("/Groups", `userName pr`),
			c.get("/Users?startIndex=x"), c.get("/Users?count=x"), c.get("/Users?sortBy=shoe"), c.get("/Users?sortBy=name"), c.get("/Users?sortBy=userName&sortOrder=up"), c.get("/Users?sortBy=a+b"), c.get("/Users?cursor=x"), c.get("/Users?cursor=&startIndex=2"), c.get("/Users?count=1&count=2"),
			c.get("/Users?cursor=" + c.get("/Users?count=1&cursor=").at("nextCursor").(string) + "&filter=title+pr"),
			c.post("/.search", ""), c.post("/.search", `{"filter":7}`), c.post("/.search", `{"attributes":7}`), c.post("/.search", `{"attributes":[7]}`), c.post("/.search", `{"count":"x"}`),
			c.post("/Bulk", `{}`), c.post("/Bulk", `{"failOnErrors":-1}`), c.bulk(slices.Repeat([]string{`7`}, 1001)...), c.post("/Bulk", `{"Operations":[]`+strings.Repeat(" ", 4<<20)+`}`),
		}
		each := c.bulk(`7`, `{}`, `{"method":7}`, `{"method":"GET","path":"/Users"}`, `{"method":"POST","path":"/Users"}`, `{"method":"POST","path":"/Users/x","data":{}}`, `{"method":"DELETE","path":"/Users"}`, `{"method":"POST","path":"/Devices","data":{}}`,
			`{"method":"PATCH","path":"/Users/bulkId:x","data":{}}`, `{"method":"POST","path":"/Users","bulkId":"u","data":{}}`, `{"method":"PATCH","path":"/Users/bulkId:u","data":{}}`).is(200)
		for _, op := range each.list("Operations") {
			a := answer{c: c, method: "bulk", path: "", sent: "", status: 0, body: each.body, json: step(op, "response")}
			a.status = map[any]int{"400": 400, "409": 409, "404": 404}[step(op, "status")]
			answers = append(answers, a)
		}
		c.server.command(c.T, nil, "connection", "pause", c.ID)
		answers = append(answers, c.get("/Users"))
		var said []string
		for _, a := range answers {
			if a.status < 400 {
				a.errorf("this is no error")
				continue
			}
			if fault := faultOf(a.detail()); fault != "" {
				a.errorf("the detail %s", fault)
			}
			if !advice.MatchString(a.detail()) {
				a.errorf("the detail does not say what to change: %s", a.detail())
			}
			kind, _ := a.at("scimType").(string)
			said = append(said, fmt.Sprintf("%d %-13s %s", a.status, kind, a.detail()))
		}
		slices.Sort(said)
		c.Logf("%d details\n%s", len(said), strings.Join(slices.Compact(said), "\n"))
	})
}
