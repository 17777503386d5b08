package api

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestACreatedGroupShowsTheMembersAsUnderstood(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		ada, ben := k.user("ada"), k.user("ben")
		a := k.send("POST", "/Groups", groupBody(" Eng ", ada, "00uben", "nobody-yet", ada)).is(201)
		if a.at("displayName") != "Eng" || a.header.Get("Location") != k.base+"/Groups/"+a.id() || a.at("meta", "resourceType") != "Group" {
			t.Error(a.body)
		}
		if a.at("members", 0, "value") != ada || a.at("members", 0, "display") != "ada@acme.test" || a.at("members", 1, "value") != ben || a.at("members", 2) != nil {
			t.Error(a.body)
		}
		if got := k.send("GET", "/Groups/"+a.id(), "").is(200); got.body != a.body {
			t.Errorf("GET %s\nPOST %s", got.body, a.body)
		}
		if a := k.send("POST", "/Groups", groupBody("Empty")).is(201); !strings.Contains(a.body, `"members":[]`) {
			t.Error(a.body)
		}
		waiting, err := k.store.WaitingMembers(t.Context(), a.id())
		k.must(err)
		if len(waiting) != 1 || waiting[0].Value != "nobody-yet" {
			t.Errorf("waiting: %+v", waiting)
		}
		k.send("PATCH", "/Groups/"+a.id(), patchBody(`{"op":"add","path":"members","value":[{"value":"somebody-later"}]}`)).is(200)
	})
}

func TestAnswersToGroupChangesLeaveTheMembersOutUnlessAsked(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		ada := k.user("ada")
		eng := k.group("Eng", ada)
		rename := patchBody(fmt.Sprintf(`{"op":"replace","value":{"id":%q,"displayName":"Engineering"}}`, eng))
		for _, r := range []struct{ method, path, body string }{
			{"PATCH", "/Groups/" + eng, rename}, {"PUT", "/Groups/" + eng, groupBody("Engineering", ada)},
			{"PATCH", "/Groups/" + eng + "?excludedAttributes=externalId", rename}, {"PATCH", "/Groups/" + eng + "?attributes=displayName", rename},
			{"GET", "/Groups/" + eng + "?excludedAttributes=members", ""},
		} {
			if a := k.send(r.method, r.path, r.body).is(200); strings.Contains(a.body, "members") || a.at("displayName") != "Engineering" || a.at("id") != eng {
				t.Errorf("%s %s: %s", r.method, r.path, a.body)
			}
		}
		if a := k.send("PATCH", "/Groups/"+eng+"?attributes=members", rename).is(200); a.at("members", 0, "value") != ada {
			t.Error(a.body)
		}
		for query, members := range map[string]bool{"": true, "?excludedAttributes=members": false, "?attributes=displayName": false, "?attributes=members.value": true} {
			a := k.send("GET", "/Groups"+query, "").is(200)
			if got := a.at("Resources", 0, "members", 0, "value") == ada; got != members {
				t.Errorf("%q: %s", query, a.body)
			}
		}
	})
}

func TestARenamedGroupFreesItsNameAndKeepsItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		eng, ops := k.group("Eng"), k.group("Ops")
		k.send("PUT", "/Groups/"+eng, groupBody("Eng")).is(200)
		k.send("PUT", "/Groups/"+eng, groupBody("ENG")).is(200)
		k.send("POST", "/Groups", groupBody("eng")).fails(409, "uniqueness", eng)
		k.send("PUT", "/Groups/"+ops, groupBody("eNg")).fails(409, "uniqueness", eng)
		k.send("PATCH", "/Groups/"+ops, patchBody(`{"op":"replace","path":"displayName","value":"Eng"}`)).fails(409, "uniqueness", eng)
		k.send("PATCH", "/Groups/"+eng, patchBody(`{"op":"replace","value":{"displayName":"Engineering"}}`)).is(200)
		k.send("PATCH", "/Groups/"+ops, patchBody(`{"op":"replace","path":"displayName","value":"Eng"}`)).is(200)
		if a := k.send("GET", "/Groups?filter="+q(`displayName eq "ENG"`), "").is(200); a.at("Resources", 0, "id") != ops || a.at("totalResults") != 1.0 {
			t.Error(a.body)
		}
		k.send("DELETE", "/Groups/"+ops, "").is(204)
		k.send("GET", "/Groups/"+ops, "").fails(404, "", ops)
		k.send("DELETE", "/Groups/"+ops, "").is(404)
		k.group("Eng")
	})
}

func TestMembersChangeOnlyAsNamed(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		ada, ben, cy := k.user("ada"), k.user("ben"), k.user("cy")
		eng := k.group("Eng", ada, ben)
		check := func(body string, want ...string) {
			t.Helper()
			k.send("PATCH", "/Groups/"+eng, patchBody(body)).is(200)
			got := k.members(eng)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s: members %v, want %v", body, got, want)
			}
		}
		check(`{"op":"Add","path":"members","value":[{"value":"`+cy+`","display":"x"}]}`, ada, ben, cy)
		check(`{"op":"Add","path":"members","value":[{"value":"`+cy+`"}]}`, ada, ben, cy)
		check(`{"op":"Remove","path":"members","value":[{"value":"`+ben+`","$ref":null}]}`, ada, cy)
		check(`{"op":"remove","path":"members[value eq \"`+ada+`\"]"},{"op":"add","path":"members","value":[{"value":"`+ben+`"}]}`, ben, cy)
		check(`{"op":"remove","path":"members[value eq \"`+ada+`\"]"}`, ben, cy)
		check(`{"op":"replace","value":{"displayName":"Eng 2"}}`, ben, cy)
		check(`{"op":"replace","value":{"members":[{"value":"`+ada+`"}]}}`, ada)
		check(`{"op":"replace","path":"members","value":[]}`)
		k.send("PUT", "/Groups/"+eng, groupBody("Eng", ada, ben)).is(200)
		k.send("PUT", "/Groups/"+eng, `{"displayName":"Eng"}`).is(200)
		if got := k.members(eng); len(got) != 2 {
			t.Errorf("a PUT that does not name members changed them: %v", got)
		}
		k.send("PUT", "/Groups/"+eng, groupBody("Eng")).is(200)
		if got := k.members(eng); len(got) != 0 {
			t.Errorf("members %v", got)
		}
		// All operations or none.
		k.send("PATCH", "/Groups/"+eng, patchBody(`{"op":"add","path":"members","value":[{"value":"`+ada+`"}]},{"op":"sing"}`)).is(400)
		if got := k.members(eng); len(got) != 0 {
			t.Errorf("members %v", got)
		}
	})
}

func TestGroupChangesNeverChangeAPerson(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		ada := k.user("ada")
		k.send("PATCH", "/Users/"+ada, patchBody(`{"op":"replace","value":{"active":false}}`)).is(200)
		eng := k.group("Eng", ada)
		k.send("PATCH", "/Groups/"+eng, patchBody(`{"op":"replace","path":"members","value":[]}`)).is(200)
		k.send("DELETE", "/Groups/"+eng, "").is(204)
		if a := k.send("GET", "/Users/"+ada, "").is(200); a.at("active") != false || a.at("groups") != nil {
			t.Error(a.body)
		}
	})
}

func TestParallelPatchesOfAGroupLoseNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		const n = 200
		ids := make([]string, n)
		each(n, func(i int) { ids[i] = k.send("POST", "/Users", userBody(fmt.Sprint("p", i))).id() })
		eng := k.group("Eng")
		status := make([]int, n)
		each(n, func(i int) {
			status[i] = k.send("PATCH", "/Groups/"+eng, patchBody(`{"op":"add","path":"members","value":[{"value":"`+ids[i]+`"}]}`)).status
		})
		for i, s := range status {
			if s != 200 {
				t.Errorf("PATCH %d: %d", i, s)
			}
		}
		got := k.members(eng)
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(got, ids) {
			t.Errorf("%d members, want %d", len(got), n)
		}
	})
}

// each runs n things at once.
func each(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}
