package api

import "testing"

func TestVersionsGuardChangesAndSpareReads(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		ada := k.send("POST", "/Users", userBody("ada")).is(201)
		path, tag := "/Users/"+ada.id(), ada.header.Get("ETag")
		if tag != `W/"1"` || ada.at("meta", "version") != tag {
			t.Fatalf("ETag %s, %s", tag, ada.body)
		}
		if a := k.send("GET", path, "", "If-None-Match", tag).is(304); a.body != "" || a.header.Get("ETag") != tag {
			t.Errorf("304 with %q %v", a.body, a.header)
		}
		k.send("GET", path, "", "If-None-Match", `W/"7", `+tag).is(304)
		k.send("GET", path, "", "If-None-Match", `W/"7"`).is(200)
		k.send("GET", path, "", "If-Match", `W/"999"`, "If-None-Match", `W/"998"`).fails(412, "", "has changed")
		for _, nothing := range []string{`""`, `W/""`, ","} { // names no version, so that anything would match
			k.send("PATCH", path, patchBody(`{"op":"replace","path":"title","value":"y"}`), "If-Match", nothing).fails(400, "invalidValue", "If-Match")
		}
		if a := k.send("GET", path+"?attributes=userName", "").is(200); a.header.Get("ETag") != tag {
			t.Errorf("a part of the user has the ETag %q", a.header.Get("ETag"))
		}
		k.send("GET", path+"?attributes=userName", "", "If-None-Match", tag).is(304)
		changed := k.send("PATCH", path, patchBody(`{"op":"replace","path":"title","value":"x"}`), "If-Match", tag).is(200)
		if changed.header.Get("ETag") != `W/"2"` || changed.at("meta", "version") != `W/"2"` {
			t.Errorf("%v %s", changed.header, changed.body)
		}
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			body := map[string]string{"PUT": userBody("ada"), "PATCH": patchBody(`{"op":"replace","path":"title","value":"y"}`)}[method]
			k.send(method, path, body, "If-Match", tag).fails(412, "", `W/"2"`)
			k.send(method, path, body, "If-None-Match", `W/"2"`).fails(412, "", "asks not to change it")
		}
		if a := k.send("GET", path, "").is(200); a.at("title") != "x" {
			t.Errorf("a change went through: %s", a.body)
		}

		// The groups are a part of what is shown.
		eng := k.send("POST", "/Groups", groupBody("Eng")).is(201)
		groupPath, groupTag := "/Groups/"+eng.id(), eng.header.Get("ETag")
		k.send("PATCH", groupPath, patchBody(`{"op":"add","path":"members","value":[{"value":"`+ada.id()+`"}]}`), "If-Match", groupTag).is(200)
		k.send("PATCH", groupPath, patchBody(`{"op":"replace","path":"displayName","value":"E"}`), "If-Match", groupTag).fails(412, "", "group has changed")
		k.send("PUT", groupPath, groupBody("E"), "If-Match", groupTag).is(412)
		k.send("DELETE", groupPath, "", "If-Match", groupTag).is(412)
		inGroup := k.send("GET", path, "", "If-None-Match", `W/"2"`).is(200).header.Get("ETag")
		k.send("GET", path, "", "If-None-Match", inGroup).is(304)
		if a := k.send("GET", "/Users?filter="+q(`id eq "`+ada.id()+`"`)+"&excludedAttributes=groups", "").is(200); a.at("Resources", 0, "meta", "version") != inGroup {
			t.Errorf("the list has another version than %s: %s", inGroup, a.body)
		}
		k.send("PUT", path, userBody("ada"), "If-Match", `W/"2"`).is(412)
		k.send("PUT", path, userBody("ada"), "If-Match", "*").is(200)

		// Who is deleted leaves the group, and the group is another.
		before := k.send("GET", groupPath, "").is(200).header.Get("ETag")
		k.send("GET", groupPath, "", "If-None-Match", before).is(304)
		k.send("DELETE", path, "").is(204)
		if a := k.send("GET", groupPath, "", "If-None-Match", before).is(200); len(k.members(eng.id())) != 0 {
			t.Error(a.body)
		}
		k.send("DELETE", groupPath, "", "If-Match", "*").is(204)
	})
}
