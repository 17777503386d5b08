package scim

import "strings"

// The URNs of the schemas and messages that this server speaks (RFC 7643 section 10, RFC 7644 section 8).
const (
	UserURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

	ErrorURN  = "urn:ietf:params:scim:api:messages:2.0:Error"
	ListURN   = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	PatchURN  = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	SearchURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

	schemaURN         = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	resourceTypeURN   = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	providerConfigURN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
)

// kind is the JSON type of an attribute (RFC 7643 section 2.3).
type kind string

const (
	stringKind    kind = "string"
	booleanKind   kind = "boolean"
	complexKind   kind = "complex"
	referenceKind kind = "reference"
	binaryKind    kind = "binary"
	dateTimeKind  kind = "dateTime"
)

// owner says who writes an attribute.
type owner uint8

const (
	client owner = iota // the identity provider; kept
	server              // we do: ignored in POST and PUT, 400 mutability in PATCH (RFC 7644 section 3.5)
	nobody              // accepted and dropped: password and schemas
)

// attribute is one row of the schema table. The same row drives decoding, PATCH, projection
// and /Schemas, so that what is declared is what is kept.
type attribute struct {
	name      string
	kind      kind
	multi     bool // always of complex values
	owner     owner
	required  bool
	caseExact bool
	immutable bool
	common    bool // of RFC 7643 section 3.1: not listed in /Schemas
	unique    bool
	text      textClass
	onRequest bool // shown only where the client asks for it by name (returned: request)
	canonical []string
	fixed     string // the only value that we ever give it
	refersTo  []string
	sub       []attribute
	about     string
}

type schema struct {
	urn, name, about string
	attrs            []attribute
}

var (
	userSchema       = schema{UserURN, "User", "User Account", userAttributes}
	groupSchema      = schema{GroupURN, "Group", "Group", groupAttributes}
	enterpriseSchema = schema{EnterpriseURN, "EnterpriseUser", "Enterprise User", enterpriseAttributes}
)

// find returns the index of the attribute of that name, in any case (RFC 7643 section 2.1), or -1.
func find(attrs []attribute, name string) int {
	for i := range attrs {
		if len(attrs[i].name) == len(name) && strings.EqualFold(attrs[i].name, name) {
			return i
		}
	}
	return -1
}

func text(name string, class textClass, about string) attribute {
	return attribute{name: name, kind: stringKind, text: class, about: about}
}

func complexOf(name, about string, sub ...attribute) attribute {
	return attribute{name: name, kind: complexKind, sub: sub, about: about}
}

// listOf is a multi-valued attribute with the usual sub-attributes (RFC 7643 section 2.4).
func listOf(name, about string, value attribute, types ...string) attribute {
	value.name = "value"
	return attribute{name: name, kind: complexKind, multi: true, about: about, sub: []attribute{
		value,
		text("display", plainText, "A name for the value, for people."),
		{name: "type", kind: stringKind, canonical: types, about: "A label for what the value is used for."},
		primaryFlag,
	}}
}

var primaryFlag = attribute{name: "primary", kind: booleanKind, about: "Whether this value is the preferred one. At most one is."}

// common attributes of RFC 7643 section 3.1 and the schemas attribute of section 3.
func common(a attribute) attribute {
	a.common = true
	return a
}

var (
	externalIDAttribute = common(attribute{name: "externalId", kind: stringKind, text: idText, caseExact: true})
	idAttribute         = common(attribute{name: "id", kind: stringKind, owner: server, caseExact: true})
	metaAttribute       = common(attribute{name: "meta", kind: complexKind, owner: server, sub: []attribute{
		{name: "resourceType", kind: stringKind, caseExact: true},
		{name: "created", kind: dateTimeKind},
		{name: "lastModified", kind: dateTimeKind},
		{name: "location", kind: referenceKind, caseExact: true},
		{name: "version", kind: stringKind, caseExact: true},
	}})
	schemasAttribute  = common(attribute{name: "schemas", kind: stringKind, owner: nobody})
	passwordAttribute = common(attribute{name: "password", kind: stringKind, owner: nobody})
)

// userAttributes is the core User schema (RFC 7643 section 4.1), in the order of our answers.
var userAttributes = []attribute{
	externalIDAttribute,
	{name: "userName", kind: stringKind, text: nameText, required: true, unique: true,
		about: "The name by which the person is known to the identity provider. Compared without regard to case."},
	complexOf("name", "The parts of the person's name.",
		text("formatted", nameText, "The whole name, as shown."),
		text("familyName", nameText, "The family name."),
		text("givenName", nameText, "The given name."),
		text("middleName", nameText, "The middle names."),
		text("honorificPrefix", nameText, "Titles before the name."),
		text("honorificSuffix", nameText, "Suffixes after the name.")),
	text("displayName", nameText, "The name shown to other people."),
	text("nickName", plainText, "How the person is called casually."),
	{name: "profileUrl", kind: referenceKind, refersTo: []string{"external"}, about: "The address of the person's profile page."},
	text("title", plainText, "The job title."),
	text("userType", plainText, "The relation to the organization. Grants nothing."),
	text("preferredLanguage", plainText, "The preferred language, as in Accept-Language."),
	text("locale", plainText, "The locale for dates, numbers and currency."),
	text("timezone", plainText, "The time zone, such as Europe/Berlin."),
	{name: "active", kind: booleanKind, about: "Whether the person may use the workspace."},
	listOf("emails", "E-mail addresses.", text("", emailText, "The address."), "work", "home", "other"),
	listOf("phoneNumbers", "Telephone numbers.", text("", plainText, "The number."), "work", "home", "mobile", "fax", "pager", "other"),
	listOf("ims", "Instant messaging addresses.", text("", plainText, "The address."), "aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
	listOf("photos", "Pictures of the person.", attribute{kind: referenceKind, text: longText, refersTo: []string{"external"}, about: "The address of the picture."}, "photo", "thumbnail"),
	{name: "addresses", kind: complexKind, multi: true, about: "Postal addresses.", sub: []attribute{
		text("formatted", linesText, "The whole address, as on a letter; may have several lines."),
		text("streetAddress", linesText, "Street, house number and the like; may have several lines."),
		text("locality", plainText, "The city."),
		text("region", plainText, "The state or region."),
		text("postalCode", plainText, "The postal code."),
		text("country", plainText, "The country, as an ISO 3166-1 alpha-2 code."),
		{name: "type", kind: stringKind, canonical: []string{"work", "home", "other"}, about: "A label for what the address is used for."},
		primaryFlag,
	}},
	{name: "groups", kind: complexKind, multi: true, owner: server, about: "The groups of the person. Changed through the groups.", sub: []attribute{
		{name: "value", kind: stringKind, owner: server, caseExact: true, about: "The id of the group."},
		{name: "$ref", kind: referenceKind, owner: server, caseExact: true, refersTo: []string{"Group"}, about: "The address of the group."},
		{name: "display", kind: stringKind, owner: server, about: "The name of the group."},
		{name: "type", kind: stringKind, owner: server, canonical: []string{"direct", "indirect"}, fixed: "direct", about: "Always direct: groups hold people and no groups."},
	}},
	listOf("entitlements", "Entitlements. They grant nothing by themselves.", text("", plainText, "The entitlement.")),
	listOf("roles", "Roles. They grant nothing by themselves.", text("", plainText, "The role.")),
	listOf("x509Certificates", "Certificates of the person.", attribute{kind: binaryKind, text: longText, caseExact: true, about: "The certificate: DER in base64."}),
	idAttribute, metaAttribute, schemasAttribute, passwordAttribute,
}

// enterpriseAttributes is the enterprise extension (RFC 7643 section 4.3). manager.displayName
// is kept as the client sends it, so it is declared writable.
var enterpriseAttributes = []attribute{
	text("employeeNumber", plainText, "The number or code of the person in the organization."),
	text("costCenter", plainText, "The cost center."),
	text("organization", plainText, "The organization."),
	text("division", plainText, "The division."),
	text("department", plainText, "The department."),
	complexOf("manager", "The manager of the person.",
		text("value", plainText, "The id of the manager."),
		attribute{name: "$ref", kind: referenceKind, refersTo: []string{"User"}, about: "The address of the manager's resource."},
		text("displayName", plainText, "The name of the manager.")),
}

// groupAttributes is the Group schema (RFC 7643 section 4.2). The RFC's text requires
// displayName though its table does not; it is required here.
var groupAttributes = []attribute{
	externalIDAttribute,
	{name: "displayName", kind: stringKind, text: nameText, required: true, unique: true,
		about: "The name of the group. Compared without regard to case."},
	{name: "members", kind: complexKind, multi: true, about: "The members of the group: users, never other groups.", sub: []attribute{
		{name: "value", kind: stringKind, text: idText, caseExact: true, immutable: true, about: "The id of the user."},
		{name: "$ref", kind: referenceKind, owner: server, caseExact: true, onRequest: true, refersTo: []string{"User"}, about: "The address of the user."},
		{name: "display", kind: stringKind, owner: server, about: "The userName of the user."},
		{name: "type", kind: stringKind, owner: server, onRequest: true, canonical: []string{"User"}, fixed: "User", about: "Always User."},
	}},
	idAttribute, metaAttribute, schemasAttribute,
}
