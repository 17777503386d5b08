package scim

import (
	"bytes"
	"encoding/json"
	"strings"
)

// doc is an object of a discovery document; a slice of pairs keeps their order.
type doc []field

type field struct {
	name  string
	value any
}

// MarshalJSON writes the fields in order. A value is a doc, a list, a string, a bool or a number.
func (d doc) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range d {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, f.name), ':')
		b = append(b, encode(f.value)...)
	}
	return append(b, '}'), nil
}

// encode writes one of our own documents, which cannot fail, without HTML escaping.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("scim: encode discovery document: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func listOfDocs(documents []doc) []byte {
	raw := make([][]byte, len(documents))
	for i, d := range documents {
		raw[i] = encode(d)
	}
	return AppendList(nil, List{Total: len(raw), StartIndex: 1}, raw)
}

// ServiceProviderConfig returns what this server supports (RFC 7643 section 5). base is the
// SCIM base URL, without a slash at its end.
func ServiceProviderConfig(base string) []byte {
	yes := doc{{"supported", true}}
	return encode(doc{
		{"schemas", []string{providerConfigURN}},
		{"patch", yes},
		{"bulk", doc{{"supported", true}, {"maxOperations", MaxBulk}, {"maxPayloadSize", MaxBulkBytes}}},
		{"filter", doc{{"supported", true}, {"maxResults", MaxCount}}},
		{"changePassword", doc{{"supported", false}}},
		{"sort", yes},
		{"etag", yes},
		{"pagination", doc{
			{"cursor", true}, {"index", true}, {"defaultPaginationMethod", "index"}, {"defaultPageSize", DefaultCount}, {"maxPageSize", MaxCount},
		}},
		{"authenticationSchemes", []doc{{
			{"type", "oauthbearertoken"},
			{"name", "OAuth Bearer Token"},
			{"description", "The bearer token shown when the connection was made."},
			{"specUri", "https://www.rfc-editor.org/info/rfc6750"},
			{"primary", true},
		}}},
		{"meta", doc{{"resourceType", "ServiceProviderConfig"}, {"location", base + "/ServiceProviderConfig"}}},
	})
}

func resourceType(base string, s schema, endpoint string, extensions []doc) doc {
	return doc{
		{"schemas", []string{resourceTypeURN}},
		{"id", s.name},
		{"name", s.name},
		{"endpoint", endpoint},
		{"description", s.about},
		{"schema", s.urn},
		{"schemaExtensions", extensions},
		{"meta", doc{{"resourceType", "ResourceType"}, {"location", base + "/ResourceTypes/" + s.name}}},
	}
}

func resourceTypes(base string) []doc {
	return []doc{
		resourceType(base, userSchema, "/Users", []doc{{{"schema", EnterpriseURN}, {"required", false}}}),
		resourceType(base, groupSchema, "/Groups", []doc{}),
	}
}

// ResourceTypes returns the ListResponse of /ResourceTypes (RFC 7643 section 6).
func ResourceTypes(base string) []byte { return listOfDocs(resourceTypes(base)) }

// ResourceType returns one resource type by its id, "User" or "Group".
func ResourceType(base, id string) ([]byte, bool) {
	for _, d := range resourceTypes(base) {
		if d[1].value == id {
			return encode(d), true
		}
	}
	return nil, false
}

var schemas = []schema{userSchema, groupSchema, enterpriseSchema}

// Schemas returns the ListResponse of /Schemas (RFC 7643 section 7): exactly what is kept.
func Schemas(base string) []byte {
	docs := make([]doc, len(schemas))
	for i, s := range schemas {
		docs[i] = s.doc(base)
	}
	return listOfDocs(docs)
}

// Schema returns one schema by its URN, in any case.
func Schema(base, urn string) ([]byte, bool) {
	for _, s := range schemas {
		if strings.EqualFold(s.urn, urn) {
			return encode(s.doc(base)), true
		}
	}
	return nil, false
}

func (s schema) doc(base string) doc {
	return doc{
		{"schemas", []string{schemaURN}},
		{"id", s.urn},
		{"name", s.name},
		{"description", s.about},
		{"attributes", attributeDocs(s.attrs)},
		{"meta", doc{{"resourceType", "Schema"}, {"location", base + "/Schemas/" + s.urn}}},
	}
}

func attributeDocs(attrs []attribute) []doc {
	docs := []doc{}
	for i := range attrs {
		if !attrs[i].common {
			docs = append(docs, attrs[i].doc())
		}
	}
	return docs
}

func (a *attribute) doc() doc {
	mutability, uniqueness := "readWrite", "none"
	switch {
	case a.owner == server:
		mutability = "readOnly"
	case a.immutable:
		mutability = "immutable"
	}
	if a.unique {
		uniqueness = "server"
	}
	d := doc{
		{"name", a.name},
		{"type", string(a.kind)},
		{"multiValued", a.multi},
		{"description", a.about},
		{"required", a.required},
	}
	switch a.kind {
	case stringKind, referenceKind, binaryKind:
		d = append(d, field{"caseExact", a.caseExact})
	}
	if len(a.canonical) > 0 {
		d = append(d, field{"canonicalValues", a.canonical})
	}
	returned := "default"
	if a.onRequest {
		returned = "request"
	}
	d = append(d, field{"mutability", mutability}, field{"returned", returned}, field{"uniqueness", uniqueness})
	if len(a.refersTo) > 0 {
		d = append(d, field{"referenceTypes", a.refersTo})
	}
	if a.kind == complexKind {
		d = append(d, field{"subAttributes", attributeDocs(a.sub)})
	}
	return d
}
