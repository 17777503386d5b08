package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	each(t, custom, func(c *client) {
		crew := unique("crew")
		people := map[string]string{}
		for name, more := range map[string]string{
			"ada":   `"nickName":"Countess","name":{"givenName":"Ada","familyName":"Lovelace"},"emails":[{"value":"ada@work.test","type":"work","primary":true},{"value":"ada@home.test","type":"home"}],"` + enterpriseURN + `":{"department":"Engines","employeeNumber":"5"}`,
			"grace": `"nickName":"Amazing","name":{"givenName":"Grace","familyName":"Hopper"},"emails":[{"value":"grace@work.test","type":"work"}],"` + enterpriseURN + `":{"department":"Navy"},"active":false`,
			"alan":  `"nickName":"Prof \"\\ 100%_","name":{"givenName":"Alan"},"emails":[{"value":"alan@home.test","type":"home"}],"phoneNumbers":[{"value":"1"}]`,
			"none":  `"displayName":"No name"`,
		} {
			people[name] = c.create(`"userType":"`+crew+`"`, more).id()
		}
		check := func(c *client, filter string, names ...string) {
			c.Helper()
			var ids []string
			for _, n := range names {
				ids = append(ids, people[n])
			}
			c.finds(`userType eq "`+crew+`" and (`+filter+`)`, ids...)
		}
		for _, group := range []struct {
			sentence string
			filters  []found
		}{
			{"eq and ne", cases(
				`nickName eq "countess"`, "ada",
				`nickName eq "count"`, "",
				`nickName eq "%" or nickName eq "*" or nickName eq "count%"`, "",
				`nickName ne "countess"`, "grace alan none",
				`name.givenName eq "ADA"`, "ada",
				`active eq true`, "ada alan none",
				`active eq false`, "grace",
				`active ne true`, "grace",
			)},
			{"co, sw and ew", cases(
				`nickName co "OUNT"`, "ada",
				`nickName sw "am"`, "grace",
				`nickName ew "ING"`, "grace",
				`nickName co "%_"`, "alan",
				`nickName co "_"`, "alan",
			)},
			{"pr", cases(
				`nickName pr`, "ada grace alan",
				`name pr`, "ada grace alan",
				`name.familyName pr`, "ada grace",
				`phoneNumbers pr`, "alan",
				`emails[type eq "home"].value pr`, "ada alan",
			)},
			{"gt, ge, lt and le", cases(
				`name.givenName gt "Alan"`, "grace",
				`name.givenName ge "Alan"`, "alan grace",
				`name.givenName lt "alan"`, "ada",
				`name.givenName le "alan"`, "ada alan",
				enterpriseURN+`:employeeNumber le "5"`, "ada",
			)},
			{"times", cases(
				`meta.created gt "2000-01-01T00:00:00Z"`, "ada grace alan none",
				`meta.lastModified lt "2000-01-01T00:00:00Z"`, "",
				`meta.created ge "2000-01-01T00:00:00+02:00" and meta.created lt "9000-01-01T00:00:00.000Z"`, "ada grace alan none",
				`meta.resourceType eq "User"`, "ada grace alan none",
				`meta.resourceType eq "Group"`, "",
			)},
			{"and, or, not, and their precedence", cases(
				`nickName sw "C" or nickName sw "A" and active eq true`, "ada",
				`(nickName sw "C" or nickName sw "A") and active eq false`, "grace",
				`not (nickName pr)`, "none",
				`not (nickName sw "C") and nickName pr`, "grace alan",
				`not (nickName sw "C" or nickName sw "A") and nickName pr`, "alan",
				`active eq true and not (emails pr) or nickName eq "amazing"`, "none grace",
			)},
			{"values are JSON, with escapes", cases(
				`nickName eq "Prof \"\\ 100%_"`, "alan",
				`nickName eq "\u0043ountess"`, "ada",
				`nickName eq null`, "none",
				`nickName ne null`, "ada grace alan",
			)},
			{"values of a list", cases(
				`emails co "@work"`, "ada grace",
				`emails eq "ADA@home.test"`, "ada",
				`emails.value ew "home.test"`, "ada alan",
				`emails.type eq "home"`, "ada alan",
				`emails[type eq "work" and value co "@home"]`, "",
				`emails[type eq "work" and value co "@work"]`, "ada grace",
				`emails[type eq "home" or primary eq true]`, "ada alan",
				`emails[not (type eq "work")]`, "ada alan",
				`emails[type eq "work"].value eq "grace@work.test"`, "grace",
				`emails.primary eq true`, "ada",
			)},
			{"attributes with their URN", cases(
				userURN+`:nickName eq "countess"`, "ada",
				userURN+`:name.familyName sw "hop"`, "grace",
				userURN+`:emails[type eq "work"]`, "ada grace",
				enterpriseURN+`:department eq "engines"`, "ada",
				enterpriseURN+`:department pr`, "ada grace",
				`schemas eq "`+enterpriseURN+`"`, "ada grace",
			)},
		} {
			c.sub(group.sentence, func(c *client) {
				for _, f := range group.filters {
					check(c, f.filter, f.names...)
				}
			})
		}
		c.sub("groups by name, by member and by id", func(c *client) {
			title := unique("Filtered")
			g := c.group(title, people["ada"]).id()
			for _, filter := range []string{
				`displayName eq "` + title + `"`, `displayName sw "` + title + `" and members eq "` + people["ada"] + `"`, `id eq "` + g + `" and members[value eq "` + people["ada"] + `"]`,
				`members.value eq "` + people["ada"] + `"`, groupURN + `:displayName co "` + title + `"`, `id eq "` + g + `" and members.display co "user-"`,
			} {
				if ids := c.find("/Groups", filter).is(200).ids(); len(ids) != 1 || ids[0] != g {
					c.Errorf("%s finds %q", filter, ids)
				}
			}
			c.find("/Groups", `id eq "`+g+`" and members eq "`+people["alan"]+`"`).is(200).has("totalResults", 0)
			c.finds(`groups eq "`+g+`"`, people["ada"])
			c.finds(`groups.display eq "`+title+`"`, people["ada"])
		})
		for sentence, filters := range map[string][]string{
			"what cannot be read is refused": {``, ` `, `userName`, `userName eq`, `userName eq ada`, `userName eq 'ada'`, `userName = "ada"`, `userName eq "ada`, `(userName eq "ada"`, `userName eq "ada")`,
				`userName eq "ada" and`, `not userName eq "ada"`, `userName eq "a" userName eq "b"`, `emails[type eq "work"`, `emails[type eq "work"].value`, `"ada" eq userName`, `userName eq "\x"`, `1`, `and`},
			"what has no meaning is refused": {`active gt true`, `active lt false`, `active co "tr"`, `active eq "perhaps"`, `userName gt true`, `userName co 7`, `userName eq true`, `meta.created gt "yesterday"`, `meta.created co "2026"`,
				`name eq "Ada"`, `addresses eq "London"`, `title[value eq "x"]`, `userName gt null`},
			"what nobody has is refused, lest everybody is found": {`shoeSize eq 44`, `name.shoe eq "x"`, `emails.shoe eq "x"`, `emails[shoe eq "x"]`, `urn:example:2.0:User:shoe eq "x"`, `email eq "x"`, `password eq "x"`, `displayName.x pr`},
		} {
			c.sub(sentence, func(c *client) {
				for _, filter := range filters {
					c.find("/Users", filter).fails(400, "invalidFilter")
				}
			})
		}
		c.sub("what is too much is refused", func(c *client) {
			deep, long := "", `title eq "x"`
			for range 40 {
				deep += "("
				long += ` or title eq "x"`
			}
			c.find("/Users", deep+`title pr`).fails(400, "invalidFilter", "parentheses")
			c.find("/Users", long).fails(400, "invalidFilter", "comparisons")
			c.find("/Users", fmt.Sprintf(`title eq "%3000d"`, 1)).fails(400, "invalidFilter", "shorten")
		})
		c.sub("what a client sent twice or wrongly encoded is refused", func(c *client) {
			c.get("/Users?filter=title+pr&filter=title+pr").fails(400, "invalidFilter", "twice")
			c.get("/Users?filter=%zz").fails(400, "invalidFilter", "percent-encoded")
		})
		c.sub("the look-ups of the providers: nobody is 200 and empty", func(c *client) {
			for _, filter := range []string{`userName eq "%s"`, `externalId eq "%s"`, `emails.value eq "%s"`, `emails[type eq "work"].value eq "%s"`, `id eq "%s"`} {
				c.find("/Users", fmt.Sprintf(filter, unique("nobody")), "startIndex=1", "count=100").is(200).
					has("totalResults", 0).has("startIndex", 1).has("itemsPerPage", 0).has("Resources", []any{})
			}
			c.find("/Groups", `displayName eq "`+unique("nothing")+`"`).is(200).has("totalResults", 0).has("Resources", []any{})
		})
	})
}

// found is a filter with the names of whom it finds.
type found struct {
	filter string
	names  []string
}

// cases pairs each filter with the names of whom it finds, separated by spaces.
func cases(texts ...string) (all []found) {
	for pair := range slices.Chunk(texts, 2) {
		all = append(all, found{pair[0], strings.Fields(pair[1])})
	}
	return all
}
