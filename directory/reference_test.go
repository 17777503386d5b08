package directory_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// The reference is SCIM once more, over plain JSON values, written from RFC 7643 and 7644 and what INTEROP asks beside
// them: slow, simple, and without a line of scim. Tests hold the product against it.

const (
	coreUser   = "urn:ietf:params:scim:schemas:core:2.0:User"
	coreGroup  = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// refAttr is an attribute as the reference knows it.
type refAttr struct {
	kind   refKind
	exact  bool // caseExact
	trim   bool // compared without the blanks around it: the name of a resource
	strict bool // a number is no text
	line   bool // no control characters
	most   int  // runes
	fixed  string
	sub    refAttrs
}

type refAttrs map[string]refAttr

type refKind uint8

const (
	refText refKind = iota
	refTruth
	refMoment
	refComplex
	refList
	refDropped // accepted and never kept
)

// find looks a name up in any case.
func (as refAttrs) find(name string) (string, refAttr, bool) {
	for n, a := range as {
		if strings.EqualFold(n, name) {
			return n, a, true
		}
	}
	return "", refAttr{}, false
}

var (
	refPlain = refAttr{most: 4096}
	refName  = refAttr{most: 256, strict: true, line: true}
	refKey   = refAttr{most: 256, strict: true, line: true, trim: true}
	refID    = refAttr{most: 512, strict: true, line: true, exact: true}
	refOwnID = refAttr{most: 512, line: true, exact: true}
)

func refListOf(value refAttr) refAttr {
	return refAttr{kind: refList, sub: refAttrs{"value": value, "display": refPlain, "type": refPlain, "primary": {kind: refTruth}}}
}

var refMeta = refAttr{kind: refComplex, sub: refAttrs{"resourceType": {exact: true}, "created": {kind: refMoment}, "lastModified": {kind: refMoment}}}

// refUsers, refEnterprise and refGroups are the schemas. What the server owns is in refServer by its name.
var (
	refUsers = refAttrs{
		"id": refID, "meta": refMeta, "schemas": {kind: refDropped}, "password": {kind: refDropped},
		"groups":     {kind: refList, sub: refAttrs{"value": refID, "display": refKey, "type": {fixed: "direct"}}},
		"externalId": refOwnID, "userName": refKey, "displayName": refName, "active": {kind: refTruth},
		"name":     {kind: refComplex, sub: refAttrs{"formatted": refName, "familyName": refName, "givenName": refName, "middleName": refName, "honorificPrefix": refName, "honorificSuffix": refName}},
		"nickName": refPlain, "profileUrl": refPlain, "title": refPlain, "userType": refPlain, "preferredLanguage": refPlain, "locale": refPlain, "timezone": refPlain,
		"emails":       refListOf(refAttr{most: 254, strict: true, line: true}),
		"phoneNumbers": refListOf(refPlain), "ims": refListOf(refPlain), "entitlements": refListOf(refPlain), "roles": refListOf(refPlain),
		"photos": refListOf(refAttr{most: 65536}), "x509Certificates": refListOf(refAttr{most: 65536, exact: true}),
		"addresses": {kind: refList, sub: refAttrs{"formatted": refPlain, "streetAddress": refPlain, "locality": refPlain, "region": refPlain, "postalCode": refPlain, "country": refPlain, "type": refPlain, "primary": {kind: refTruth}}},
	}
	refEnterprise = refAttrs{
		"employeeNumber": refPlain, "costCenter": refPlain, "organization": refPlain, "division": refPlain, "department": refPlain,
		"manager": {kind: refComplex, sub: refAttrs{"value": refPlain, "$ref": refPlain, "displayName": refPlain}},
	}
	refGroups = refAttrs{
		"id": refID, "meta": refMeta, "schemas": {kind: refDropped}, "externalId": refOwnID, "displayName": refKey,
		"members": {kind: refList, sub: refAttrs{"value": refID, "display": refKey, "type": {fixed: "User"}}},
	}
	refServer = []string{"id", "meta", "groups"}
)

// refFold is a name as it is compared where case does not matter.
func refFold(s string) string { return refFolded(s, strings.TrimSpace) }

// refFoldCase is any other text.
func refFoldCase(s string) string { return refFolded(s, func(s string) string { return s }) }

func refFolded(s string, trim func(string) string) string {
	for {
		t := trim(norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))))
		if t == s {
			return s
		}
		s = t
	}
}

// folded is a value of the attribute as it is compared.
func (a refAttr) folded(s string) string {
	switch {
	case a.exact:
		return s
	case a.trim:
		return refFold(s)
	}
	return refFoldCase(s)
}

// refUnassigned tells null, "", [] and {}, which all say that there is no value.
func refUnassigned(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// refClone copies a JSON value.
func refClone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := map[string]any{}
		for k, e := range v {
			c[k] = refClone(e)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = refClone(e)
		}
		return c
	}
	return v
}

func refJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func refParse(text []byte) map[string]any {
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		panic(err)
	}
	return m
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
