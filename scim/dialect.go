package scim

// Dialect is what a provider needs where it contradicts the RFC. Whatever does not is the same for all of them.
type Dialect struct {
	// CreateOnAbsent lets a replace whose filter matches no value make that value (RFC 7644 section 3.5.2.3: noTarget).
	// Providers map attributes to paths such as emails[type eq "work"].value and expect the value to be there afterwards.
	CreateOnAbsent bool
	// IgnoreUnknownPaths drops a change of an attribute that is not in the schema (RFC 7644 section 3.12: invalidPath):
	// one mapping too many must not fail every update of a person.
	IgnoreUnknownPaths bool
	// QuietGroups answers the change of a group with the group but for its members (RFC 7644 sections 3.5.1 and 3.5.2: all
	// of it, or 204). Okta reads the answer and has no use for the members.
	QuietGroups bool
}

// DialectOf is the dialect of a connection's provider. Custom, and what is not known, keep to the RFC.
func DialectOf(provider string) Dialect {
	switch provider {
	case "okta":
		return Dialect{CreateOnAbsent: true, IgnoreUnknownPaths: true, QuietGroups: true}
	case "entra", "onelogin", "jumpcloud", "ping", "google", "rippling":
		return Dialect{CreateOnAbsent: true, IgnoreUnknownPaths: true}
	}
	return Dialect{}
}
