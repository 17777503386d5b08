package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// names are the userNames or displayNames of a list, in its order.
func (a answer) names() []string {
	var list struct {
		Resources []struct{ UserName, DisplayName string }
	}
	a.must(json.Unmarshal([]byte(a.body), &list))
	names := []string{}
	for _, r := range list.Resources {
		name := r.UserName
		if name == "" {
			name = r.DisplayName
		}
		name, _, _ = strings.Cut(name, "@")
		names = append(names, name)
	}
	return names
}

func (a answer) shows(names ...string) answer {
	a.Helper()
	if got := a.names(); !slices.Equal(got, names) {
		a.Errorf("%s: %v, want %v", a.asked, got, names)
	}
	return a
}

func TestListsAreSorted(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		for _, u := range []struct{ name, rest string }{
			{"cy", `"title":"b","emails":[{"value":"z@a.test"},{"value":"a@a.test","primary":true}]`},
			{"Ada", `"title":"Ä","emails":[{"value":"m@a.test"}]`},
			{"ben", `"title":"B","active":false`},
		} {
			k.send("POST", "/Users", `{"userName":"`+u.name+`@acme.test",`+u.rest+`}`).is(201)
		}
		k.group("Ops")
		k.group("eng")
		for query, want := range map[string][]string{
			"":                                     {"owner", "cy", "Ada", "ben"},
			"sortBy=userName":                      {"Ada", "ben", "cy", "owner"},
			"sortBy=USERNAME&sortOrder=Descending": {"owner", "cy", "ben", "Ada"},
			"sortBy=title":                         {"cy", "ben", "Ada", "owner"}, // who has none comes last
			"sortBy=title&sortOrder=descending":    {"owner", "Ada", "cy", "ben"}, // and first
			"sortBy=emails":                        {"cy", "Ada", "owner", "ben"}, // by the primary one
			"sortBy=active&sortOrder=ascending":    {"ben", "owner", "cy", "Ada"},
			"sortBy=meta.created&sortOrder=descending&filter=" + q(`userName ne "owner@larkfield.test"`): {"ben", "Ada", "cy"},
			"sortBy=urn:ietf:params:scim:schemas:core:2.0:User:userName&startIndex=2&count=2":            {"ben", "cy"},
			"sortOrder=descending": {"owner", "cy", "Ada", "ben"}, // nothing to sort by
		} {
			k.send("GET", "/Users?"+query, "").is(200).shows(want...)
		}
		k.send("GET", "/Groups?sortBy=displayName", "").is(200).shows("eng", "Ops")
		k.send("POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"sortBy":"userName","sortOrder":"descending","startIndex":2,"count":"1","attributes":["userName"]}`).is(200).shows("cy")
		k.send("POST", "/Groups/.search", `{"filter":"displayName sw \"o\""}`).is(200).shows("Ops")
	})
}

func TestTheRootSearchesPeopleAndGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		ada := k.user("ada")
		k.group("Zoo", ada)
		k.user("ben")
		k.send("GET", "", "").is(200).shows("owner", "ada", "Zoo", "ben")
		k.send("GET", "/", "").is(200).shows("owner", "ada", "Zoo", "ben")
		for body, want := range map[string][]string{
			`{}`:                         {"owner", "ada", "Zoo", "ben"},
			`{"startIndex":2,"count":2}`: {"ada", "Zoo"},
			`{"filter":"displayName pr","sortBy":"displayName","sortOrder":"descending"}`:    {"Zoo", "ada", "ben"},
			`{"filter":"userName sw \"a\" or meta.resourceType eq \"Group\""}`:               {"ada", "Zoo"},
			`{"filter":"not (userName pr)"}`:                                                 {"Zoo"},
			`{"filter":"members.value eq \"` + ada + `\" or userName eq \"ben@acme.test\""}`: {"Zoo", "ben"},
			`{"filter":"userName ne \"ben@acme.test\""}`:                                     {"owner", "ada", "Zoo"},
			`{"sortBy":"userName"}`:                                                          {"ada", "ben", "owner", "Zoo"},
		} {
			a := k.send("POST", "/.search", body).is(200).shows(want...)
			if body == `{"startIndex":2,"count":2}` && (a.at("totalResults") != 4.0 || a.at("startIndex") != 2.0 || a.at("itemsPerPage") != 2.0) {
				t.Error(a.body)
			}
		}
		k.send("POST", "/.search", `{"filter":"shoeSize eq 1"}`).fails(400, "invalidFilter", "shoeSize")
		k.send("POST", "/.search", `{"sortBy":"shoeSize"}`).fails(400, "invalidValue", "shoeSize")
		k.send("POST", "/.search", `{"count":"many"}`).fails(400, "invalidValue", "count")
	})
}

// walk follows the cursors of a list to its end, and calls between after each page.
func walk(k *kit, path, query string, between func(page int)) (names []string) {
	k.Helper()
	cursor, total := "", 0.0
	for page := 0; ; page++ {
		a := k.send("GET", path+"?"+query+"&cursor="+cursor, "").is(200)
		names = append(names, a.names()...)
		if page == 0 {
			total = a.at("totalResults").(float64)
		} else if a.at("totalResults") != total {
			k.Errorf("the total changed on the way: %s", a.body)
		}
		if a.at("startIndex") != nil {
			k.Errorf("a page by cursor has a startIndex: %s", a.body)
		}
		next, more := a.at("nextCursor").(string)
		if !more {
			return names
		}
		if strings.ContainsFunc(next, func(c rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", c)
		}) {
			k.Errorf("the cursor %q needs escaping", next)
		}
		cursor = next
		between(page)
	}
}

func TestCursorsSeeEachOnceWhileOthersComeAndGo(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		ids := map[string]string{}
		for i := range 9 {
			name := fmt.Sprintf("p%d", 8-i) // made in the opposite order of their names
			ids[name] = k.user(name)
		}
		for _, test := range []struct{ path, query, order string }{
			{"/Users", "count=2", "p8 p7 p6 p5 p4 p3 p2 p1 p0"},
			{"/Users", "count=2&sortBy=userName", "p0 p1 p2 p3 p4 p5 p6 p7 p8"},
			{"/Users", "count=3&sortBy=userName&sortOrder=descending", "p8 p7 p6 p5 p4 p3 p2 p1 p0"},
			{"/Users", "count=2&sortBy=title", "p8 p7 p6 p5 p4 p3 p2 p1 p0"},
			{"/Users", "count=2&sortBy=title&sortOrder=descending", "p8 p7 p6 p5 p4 p3 p2 p1 p0"},
			{"/Users", "count=2&sortBy=active&filter=" + q(`userName sw "p"`), "p8 p7 p6 p5 p4 p3 p2 p1 p0"},
			{"/Users", "count=4&sortBy=meta.lastModified&filter=" + q(`userName sw "p"`), "p8 p7 p6 p5 p4 p3 p2 p1 p0"},
			{"", "count=2&sortBy=userName&filter=" + q(`userName sw "p"`), "p0 p1 p2 p3 p4 p5 p6 p7 p8"},
			{"", "count=2", "p8 p7 p6 p5 p4 p3 p2 p1 p0"},
		} {
			came := 0
			got := walk(k, test.path, test.query, func(page int) {
				if page == 0 && came == 0 { // one before and one after the place, of every order
					came++
					for _, name := range []string{"a-new", "z-new"} {
						id := k.user(name)
						defer k.send("DELETE", "/Users/"+id, "").is(204)
					}
				}
			})
			got = slices.DeleteFunc(got, func(n string) bool { return n == "owner" || strings.HasSuffix(n, "-new") })
			if strings.Join(got, " ") != test.order {
				t.Errorf("%s?%s: %v, want %s", test.path, test.query, got, test.order)
			}
		}

		first := k.send("GET", "/Users?count=2&sortBy=userName&cursor=", "").is(200)
		next := first.at("nextCursor").(string)
		k.send("GET", "/Users?count=2&sortBy=title&cursor="+next, "").fails(400, "invalidCursor", "same filter")
		k.send("GET", "/Groups?count=2&cursor="+next, "").fails(400, "invalidCursor", "another list")
		k.send("GET", "/Users?count=5&sortBy=userName&cursor="+next, "").is(200) // another size of page is fine
		last := first.at("Resources", 1, "id").(string)
		k.send("DELETE", "/Users/"+last, "").is(204)
		k.send("GET", "/Users?count=2&sortBy=userName&cursor="+next, "").is(200).shows("p1", "p2") // the place is known still
		if a := k.send("GET", "/Users?count=0&cursor=", "").is(200); a.at("nextCursor") != nil || a.at("itemsPerPage") != 0.0 {
			t.Error(a.body)
		}
		if a := k.send("POST", "/Users/.search", `{"cursor":"","count":1}`).is(200); a.at("nextCursor") == nil || a.at("startIndex") != nil {
			t.Error(a.body)
		}
	})
}
