package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit"
)

// TestErrors is about each status there is. That a panic is answered alike is tested in api: no client can bring one about.
func TestErrors(t *testing.T) {
	each(t, custom, func(c *client) {
		elsewhere := func(url string) *client {
			other := c.in(c.T)
			other.URL = url
			return other
		}
		origin := c.URL[:strings.Index(c.URL, "/scim/")]
		c.sub("400 has a scimType", func(c *client) {
			c.post("/Users", `{`).fails(400, "invalidSyntax")
			c.post("/Users", `{}`).fails(400, "invalidValue")
			c.find("/Users", `userName`).fails(400, "invalidFilter")
			id := c.create().id()
			c.patch("/Users/"+id, `{"op":"add","path":"[","value":1}`).fails(400, "invalidPath")
			c.patch("/Users/"+id, `{"op":"remove"}`).fails(400, "noTarget")
			c.patch("/Users/"+id, `{"op":"replace","path":"id","value":"x"}`).fails(400, "mutability")
			c.patch("/Users/"+id, strings.Split(strings.Repeat(`{"op":"remove","path":"title"}|`, 1001), "|")[:1001]...).fails(400, "tooMany", "1000")
		})
		c.sub("401", func(c *client) { c.get("/Users", "Authorization", "").fails(401, "") })
		c.sub("401 is what a connection of somebody else answers, and one that is none", func(c *client) {
			elsewhere(origin+"/scim/v2/01234567-89ab-7cde-8f01-23456789abcd").in(c.T).get("/Users").fails(401, "")
		})
		c.sub("404 for a resource, an endpoint and an address", func(c *client) {
			c.get("/Users/none").fails(404, "")
			c.get("/Devices").fails(404, "")
			c.get("/Users/none/name").fails(404, "")
			elsewhere(origin+"/scim").in(c.T).get("").fails(404, "", "/scim/v2/")
			elsewhere(origin+"/scim/v2").in(c.T).get("/Users").fails(404, "", "/scim/v2/")
		})
		c.sub("405 says what is possible", func(c *client) {
			for path, allowed := range map[string]string{"/Users": "GET POST", "/Groups": "GET POST", "/Users/x": "GET PUT PATCH DELETE", "/Bulk": "POST", "/Schemas": "GET"} {
				a := c.send(map[bool]string{true: "GET", false: "POST"}[path == "/Bulk"], path, "")
				if path == "/Users" || path == "/Groups" {
					a = c.send("DELETE", path, "")
				}
				a.fails(405, "")
				for method := range strings.FieldsSeq(allowed) {
					if !strings.Contains(a.header.Get("Allow"), method) || !strings.Contains(a.detail(), method) {
						a.errorf("Allow is %q without %s", a.header.Get("Allow"), method)
					}
				}
			}
			c.send("BREW", "/Users", "").fails(405, "")
		})
		c.sub("409", func(c *client) {
			c.post("/Users", person(c.create().at("userName").(string))).fails(409, "uniqueness")
		})
		c.sub("412", func(c *client) {
			c.supports("etag")
			c.send("DELETE", "/Users/"+c.create().id(), "", "If-Match", `W/"0"`).fails(412, "")
		})
		c.sub("413 says how much is possible", func(c *client) {
			c.post("/Users", person(address("large"), `"title":"`+strings.Repeat("x", 2<<20)+`"`)).fails(413, "", "1 MiB")
		})
		c.sub("415", func(c *client) { c.send("POST", "/Users", "<user/>", "Content-Type", "text/xml").fails(415, "") })
		c.sub("501", func(c *client) { c.get("/Me").fails(501, "") })
	})
}

func TestDeniedConnection(t *testing.T) {
	alone(t, custom, func(c *client) {
		c.get("/Users?count=0").is(200)
		c.server.command(c.T, nil, "connection", "pause", c.ID)
		for _, method := range []string{"GET", "POST"} {
			c.send(method, "/Users", "").fails(403, "", "paused", "resume")
		}
		c.server.command(c.T, nil, "connection", "resume", c.ID)
		c.get("/Users?count=0").is(200)
		c.server.command(c.T, nil, "connection", "delete", c.ID)
		c.get("/Users").fails(401, "", "bearer token")
	})
}

// TestTooManyRequests holds as many requests open as a connection may have, by bodies that do not come. They are large, for net/http
// reads a small one before it answers.
func TestTooManyRequests(t *testing.T) {
	alone(t, custom, func(c *client) {
		address, err := url.Parse(c.URL)
		if err != nil {
			c.Fatal(err)
		}
		answered := make(chan answer, 400)
		for range 400 {
			conn, err := net.Dial("tcp", address.Host)
			if err != nil {
				c.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s/Users HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/scim+json\r\nContent-Length: 900000\r\n\r\n", address.Path, address.Host, c.Token)
			go func() {
				got, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					return
				}
				a := answer{c: c, method: "POST", path: "/Users", status: got.StatusCode, header: got.Header}
				a.body, _ = io.ReadAll(got.Body)
				answered <- a
			}()
		}
		select {
		case a := <-answered:
			a.look()
			a.fails(429, "", "too many requests", "Retry-After")
			if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 {
				a.errorf("Retry-After is %q", a.header.Get("Retry-After"))
			}
		case <-time.After(20 * time.Second):
			c.Error("nobody of 400 was refused")
		}
	})
}

// TestDatabaseAway takes the database away from a server of its own.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	if os.Getenv("CONFORMANCE_URL") != "" {
		t.Skip("this needs a server of its own")
	}
	database := testkit.NewPostgres(t)
	s, err := start(t, "postgres", database.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{T: t, whole: t, server: s, connection: s.connect(t, okta), header: http.Header{}}
	at := "/Users/" + c.create().id()
	database.Kill()
	for method, body := range map[string]string{"GET": "", "PATCH": patchOp(`{"op":"replace","value":{"active":false}}`), "PUT": person(address("away")), "DELETE": ""} {
		a := c.send(method, at, body).fails(503, "", "nothing is lost", "Retry-After")
		if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 {
			a.errorf("Retry-After is %q", a.header.Get("Retry-After"))
		}
	}
	database.Restart()
	testkit.Eventually(t, 20*time.Second, "the server is back", func() bool { return c.get(at).status == 200 })
	c.get(at).is(200).has("active", true)
}
