package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
)

// A resource is a SCIM resource as the server gave it, every attribute kept: Okta sends back what it was told.
type resource map[string]any

func (r resource) text(name string) string {
	text, _ := r[name].(string)
	return text
}

func (r resource) id() string { return r.text("id") }

// list is an attribute with many values; null and absence are an empty list.
func (r resource) list(name string) ([]resource, error) {
	switch values := r[name].(type) {
	case nil:
		return nil, nil
	case []any:
		all := make([]resource, 0, len(values))
		for _, value := range values {
			object, ok := value.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%q must be a list of objects", name)
			}
			all = append(all, object)
		}
		return all, nil
	}
	return nil, fmt.Errorf("%q must be a list", name)
}

func (a *answer) html() bool {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(bytes.ToLower(a.body[:min(len(a.body), 512)])), []byte("<!doctype html"))
}

// object reads an answer that must be one JSON object.
func (a *answer) object() (resource, error) {
	if len(bytes.TrimSpace(a.body)) == 0 {
		return nil, fmt.Errorf("the %d answer is empty where %s expects the resource", a.status, a.asked)
	}
	if a.html() {
		return nil, errors.New("the answer is a web page, not JSON")
	}
	kind, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	switch {
	case err != nil, kind != mediaType && kind != "application/json" && kind != "text/json":
		return nil, fmt.Errorf("the answer's content type is %q where %s expects %s", a.header.Get("Content-Type"), a.asked, mediaType)
	case params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8"):
		return nil, fmt.Errorf("the answer's charset is %q where %s expects utf-8", params["charset"], a.asked)
	}
	var object resource
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("the answer is not a JSON object: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the answer has something after its JSON object")
	}
	if object == nil {
		return nil, fmt.Errorf("the answer is null where %s expects an object", a.asked)
	}
	return object, nil
}

// A listing is a ListResponse.
type listing struct {
	total     int
	resources []resource
}

func (a *answer) listing() (listing, error) {
	object, err := a.object()
	if err != nil {
		return listing{}, err
	}
	for _, name := range []string{"startIndex", "itemsPerPage"} {
		if object[name] != nil {
			if _, err := whole(object, name); err != nil {
				return listing{}, err
			}
		}
	}
	total, err := whole(object, "totalResults")
	if err != nil {
		return listing{}, err
	}
	resources, err := object.list("Resources")
	if err != nil {
		return listing{}, err
	}
	if len(resources) > total {
		return listing{}, fmt.Errorf("the list has %d resources but its totalResults is %d", len(resources), total)
	}
	if total > 0 && len(resources) == 0 {
		return listing{}, fmt.Errorf("the first page is empty but its totalResults is %d", total)
	}
	return listing{total: total, resources: resources}, nil
}

func whole(object resource, name string) (int, error) {
	number, ok := object[name].(json.Number)
	if !ok {
		return 0, fmt.Errorf("%q must be an integer, it is %s", name, describe(object[name]))
	}
	n, err := number.Int64()
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q must be a whole number that is not negative, it is %s", name, number)
	}
	return int(n), nil
}

func describe(value any) string {
	switch value.(type) {
	case nil:
		return "missing"
	case string:
		return "a string"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case []any:
		return "a list"
	}
	return "an object"
}

// checkUser holds a user against the attributes Okta demands of every user it is shown.
func checkUser(user resource) error {
	if err := checkID(user); err != nil {
		return err
	}
	if user.text("userName") == "" {
		return fmt.Errorf("user %s has no userName", user.id())
	}
	name, _ := user["name"].(map[string]any)
	if resource(name).text("givenName") == "" || resource(name).text("familyName") == "" {
		return fmt.Errorf("user %s has no name.givenName or no name.familyName", user.id())
	}
	emails, err := user.list("emails")
	if err != nil {
		return fmt.Errorf("user %s: %w", user.id(), err)
	}
	primary := 0
	for _, email := range emails {
		if email["primary"] == true {
			primary++
		}
	}
	switch {
	case len(emails) == 0 || emails[0].text("value") == "":
		return fmt.Errorf("user %s has no emails[0].value", user.id())
	case primary > 1:
		return fmt.Errorf("user %s has %d primary e-mails", user.id(), primary)
	}
	if _, ok := user["active"].(bool); !ok {
		return fmt.Errorf("user %s: \"active\" must be true or false, it is %s", user.id(), describe(user["active"]))
	}
	return nil
}

func checkID(r resource) error {
	switch id, ok := r["id"].(string); {
	case !ok:
		return fmt.Errorf("\"id\" must be a string, it is %s", describe(r["id"]))
	case id == "":
		return errors.New("\"id\" is empty")
	case strings.Contains(id, "bulkId"):
		return fmt.Errorf("\"id\" must not contain bulkId, it is %q", id)
	}
	return nil
}

// checkPlainUser holds a user against what no client can do without.
func checkPlainUser(user resource) error {
	if err := checkID(user); err != nil {
		return err
	}
	if user.text("userName") == "" {
		return fmt.Errorf("user %s has no userName", user.id())
	}
	if _, ok := user["active"].(bool); !ok && user["active"] != nil {
		return fmt.Errorf("user %s: \"active\" must be true or false, it is %s", user.id(), describe(user["active"]))
	}
	return nil
}

// checkGroup holds a group against what every provider demands; members may be absent.
func checkGroup(group resource) error {
	if err := checkID(group); err != nil {
		return err
	}
	if group.text("displayName") == "" {
		return fmt.Errorf("group %s has no displayName", group.id())
	}
	members, err := group.list("members")
	if err != nil {
		return fmt.Errorf("group %s: %w", group.id(), err)
	}
	for _, member := range members {
		if member.text("value") == "" {
			return fmt.Errorf("group %s has a member without a value", group.id())
		}
	}
	return nil
}

func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}
