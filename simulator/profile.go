package simulator

const (
	coreUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	enterpriseUser = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchOp        = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

type userName struct {
	GivenName  string `json:"givenName"`
	FamilyName string `json:"familyName"`
}

type userEmail struct {
	Primary bool   `json:"primary"`
	Value   string `json:"value"`
	Type    string `json:"type"`
}

type enterprise struct {
	Department string `json:"department"`
}

type patchBody struct {
	Schemas    []string    `json:"schemas"`
	Operations []operation `json:"Operations"`
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

func patchOf(operations ...operation) patchBody {
	return patchBody{Schemas: []string{patchOp}, Operations: operations}
}

// plainUser is a user as RFC 7643 writes it, for providers whose own bodies are not on record.
type plainUser struct {
	Schemas     []string    `json:"schemas"`
	ExternalID  string      `json:"externalId,omitempty"`
	UserName    string      `json:"userName"`
	Name        userName    `json:"name"`
	DisplayName string      `json:"displayName"`
	Title       string      `json:"title,omitempty"`
	Emails      []userEmail `json:"emails"`
	Active      bool        `json:"active"`
	Enterprise  *enterprise `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,omitempty"`
}

func plain(p *Person, active bool) plainUser {
	return plainUser{
		Schemas:     []string{coreUser},
		ExternalID:  p.ExternalID,
		UserName:    p.UserName,
		Name:        userName{GivenName: p.GivenName, FamilyName: p.FamilyName},
		DisplayName: p.displayName(),
		Title:       p.Title,
		Emails:      []userEmail{{Primary: true, Value: p.Email, Type: "work"}},
		Active:      active,
	}
}

type plainGroup struct {
	Schemas     []string            `json:"schemas"`
	DisplayName string              `json:"displayName"`
	Members     []map[string]string `json:"members,omitempty"`
}
