package simulator

import (
	"fmt"
	"strings"
)

// entraUser is the body of POST /Users, its attributes in the order in which Entra writes them. The manager never is
// part of it: references follow in a PATCH, once both people are there.
type entraUser struct {
	Schemas     []string          `json:"schemas"`
	ExternalID  string            `json:"externalId,omitempty"`
	UserName    string            `json:"userName"`
	Active      bool              `json:"active"`
	DisplayName string            `json:"displayName"`
	Title       string            `json:"title,omitempty"`
	Emails      []userEmail       `json:"emails"`
	Meta        map[string]string `json:"meta"`
	Name        entraName         `json:"name"`
	Roles       []string          `json:"roles"`
	Enterprise  *enterprise       `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,omitempty"`
}

type entraName struct {
	Formatted  string `json:"formatted"`
	FamilyName string `json:"familyName"`
	GivenName  string `json:"givenName"`
}

func newEntraUser(p *Person) entraUser {
	user := entraUser{
		Schemas:     []string{coreUser, enterpriseUser},
		ExternalID:  p.ExternalID,
		UserName:    p.UserName,
		Active:      true,
		DisplayName: p.displayName(),
		Title:       p.Title,
		Emails:      []userEmail{{Primary: true, Value: p.Email, Type: "work"}},
		Meta:        map[string]string{"resourceType": "User"},
		Name:        entraName{Formatted: p.displayName(), FamilyName: p.FamilyName, GivenName: p.GivenName},
		Roles:       []string{},
	}
	if p.Department != "" {
		user.Enterprise = &enterprise{Department: p.Department}
	}
	return user
}

const (
	workEmail   = `emails[type eq "work"].value`
	managerPath = enterpriseUser + ":manager"
)

// An attribute is one that Entra maps: what the server has, and what the tenant wants.
type attribute struct {
	path       string
	have, want any
}

// differences are the mapped attributes in which the server's user is not what the tenant has. What the tenant has no value
// for is not mapped, except the manager.
func differences(user resource, p *Person) []attribute {
	name, _ := user["name"].(map[string]any)
	extension, _ := user[enterpriseUser].(map[string]any)
	work := ""
	emails, _ := user.list("emails")
	for _, email := range emails {
		if strings.EqualFold(email.text("type"), "work") {
			work = email.text("value")
			break
		}
	}
	manager := resource(extension).text("manager") // a plain string is fine, too
	if object, ok := extension["manager"].(map[string]any); ok {
		manager = resource(object).text("value")
	}
	var changes []attribute
	for _, a := range []attribute{
		{"active", user["active"], true},
		{"displayName", user.text("displayName"), p.displayName()},
		{"title", user.text("title"), p.Title},
		{workEmail, work, p.Email},
		{"name.givenName", resource(name).text("givenName"), p.GivenName},
		{"name.familyName", resource(name).text("familyName"), p.FamilyName},
		{"externalId", user.text("externalId"), p.ExternalID},
		{enterpriseUser + ":department", resource(extension).text("department"), p.Department},
		{managerPath, manager, p.Manager},
	} {
		if a.have != a.want && (a.want != "" || a.path == managerPath) {
			changes = append(changes, a)
		}
	}
	return changes
}

// agrees checks that an answer shows what was written. Where it does not, Entra would find the same difference in each
// cycle, and write it again.
func agrees(p *Person) func(resource) error {
	return func(user resource) error {
		if !sameName(user.text("userName"), p.UserName) {
			return fmt.Errorf("userName was written as %s and answered as %s", p.UserName, user.text("userName"))
		}
		for _, a := range differences(user, p) {
			return fmt.Errorf("%s was written as %v and answered as %v: Entra would write it again in each cycle", a.path, a.want, a.have)
		}
		return nil
	}
}

// operations write differences.
func (e *Entra) operations(changes []attribute) []operation {
	if e.Compliant {
		return compliant(changes)
	}
	var all []operation
	for _, a := range changes {
		op := operation{Op: "Replace", Path: a.path, Value: a.want}
		switch {
		case a.want == true:
			op.Value = "True"
		case a.want == false:
			op.Value = "False"
		case a.want == "":
			op.Value = map[string]string{"value": ""} // the manager is cleared
		case a.have == "":
			op.Op = "Add"
		}
		all = append(all, op)
	}
	return all
}

// compliant writes differences as the flag in the tenant URL asks for: additions one by one; active, the manager and the
// e-mail address by their path; everything else that is replaced in one value.
func compliant(changes []attribute) []operation {
	var all []operation
	rest := map[string]any{}
	for _, a := range changes {
		switch {
		case a.want == "":
			all = append(all, operation{Op: "replace", Path: a.path, Value: map[string]string{"value": ""}})
		case a.have == "":
			all = append(all, operation{Op: "add", Path: a.path, Value: a.want})
		case a.path == "active" || a.path == workEmail || a.path == managerPath:
			all = append(all, operation{Op: "replace", Path: a.path, Value: a.want})
		default:
			rest[a.path] = a.want
		}
	}
	if len(rest) > 0 {
		all = append(all, operation{Op: "replace", Value: rest})
	}
	return all
}
