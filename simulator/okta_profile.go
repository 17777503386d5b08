package simulator

import (
	"maps"
	"slices"
	"strings"
)

// newUser is the body of POST /Users, its attributes in the order in which Okta writes them.
type newUser struct {
	Schemas     []string    `json:"schemas"`
	UserName    string      `json:"userName"`
	Name        userName    `json:"name"`
	Emails      []userEmail `json:"emails"`
	Title       string      `json:"title,omitempty"`
	DisplayName string      `json:"displayName"`
	Locale      string      `json:"locale"`
	ExternalID  string      `json:"externalId,omitempty"`
	Groups      []string    `json:"groups"`
	Password    string      `json:"password"`
	Active      bool        `json:"active"`
	Enterprise  *enterprise `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,omitempty"`
}

func (o *Okta) newUser(p *Person) newUser {
	user := newUser{
		Schemas:     []string{coreUser},
		UserName:    p.UserName,
		Name:        userName{GivenName: p.GivenName, FamilyName: p.FamilyName},
		Emails:      []userEmail{{Primary: true, Value: p.Email, Type: "work"}},
		Title:       p.Title,
		DisplayName: p.displayName(),
		Locale:      "en-US",
		ExternalID:  p.ExternalID,
		Groups:      []string{},
		Password:    "placeholder",
		Active:      true,
	}
	if p.Department != "" {
		user.Enterprise = &enterprise{Department: p.Department}
		// No traffic log shows whether schemas lists the extension, so a server must take both: each style sends one.
		if o.Style == Patch {
			user.Schemas = append(user.Schemas, enterpriseUser)
		}
	}
	return user
}

// merged is the body of PUT /Users/{id}: what the server said about the person, with the mapped attributes over it.
func merged(user resource, p *Person, active bool) resource {
	body := maps.Clone(user)
	body["schemas"] = withSchema(body["schemas"], coreUser)
	body["userName"] = p.UserName
	body["name"] = over(body["name"], map[string]any{"givenName": p.GivenName, "familyName": p.FamilyName})
	body["emails"] = mergedEmails(user, p.Email)
	body["displayName"] = p.displayName()
	body["locale"] = "en-US"
	body["active"] = active
	if p.ExternalID != "" {
		body["externalId"] = p.ExternalID
	}
	if p.Title != "" {
		body["title"] = p.Title
	}
	if p.Department != "" {
		body[enterpriseUser] = over(body[enterpriseUser], map[string]any{"department": p.Department})
	}
	if body["groups"] == nil {
		body["groups"] = []any{}
	}
	return body
}

// mergedEmails puts the mapped address first, as the only primary one, and keeps the others.
func mergedEmails(user resource, address string) []any {
	emails := []any{map[string]any{"primary": true, "value": address, "type": "work"}}
	others, _ := user.list("emails") // checked when it was read
	for _, other := range others {
		if other["primary"] != true && !strings.EqualFold(other.text("type"), "work") && !strings.EqualFold(other.text("value"), address) {
			emails = append(emails, other)
		}
	}
	return emails
}

func withSchema(schemas any, urn string) []any {
	list, _ := schemas.([]any)
	if !slices.Contains(list, any(urn)) {
		list = append([]any{urn}, list...)
	}
	return list
}

func over(value any, mapped map[string]any) map[string]any {
	object, _ := value.(map[string]any)
	object = maps.Clone(object)
	if object == nil {
		object = map[string]any{}
	}
	maps.Copy(object, mapped)
	return object
}
