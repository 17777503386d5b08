// Package conformance holds the built program against the RFCs and against its clients: every request goes over HTTP to
// the api role as an operator starts it, on both databases. It never imports a package of the product.
//
// What an RFC says is asked through a connection of the provider custom, which keeps to it. What a client sends is asked
// through a connection of its own provider, for a provider decides where its client contradicts the RFC.
//
//	attributes_test.go   names, userName, null, readOnly, extension        RFC 7643 sections 2.1 to 2.5, 3.1, 3.3, 4.1
//	resources_test.go    POST, DELETE, conflicts, people who return        RFC 7644 sections 3.3, 3.6
//	put_test.go          PUT                                               RFC 7644 section 3.5.1
//	patch_test.go        PATCH: add, replace, remove, primary              RFC 7644 section 3.5.2
//	filter_test.go       filters                                           RFC 7644 section 3.4.2.2
//	list_test.go         sorting, pages, projection, searches              RFC 7644 sections 3.4.2.3 to 3.4.3, 3.9
//	cursor_test.go       cursors                                           RFC 9865
//	bulk_test.go         bulk                                              RFC 7644 section 3.7
//	versions_test.go     ETag, If-Match, If-None-Match                     RFC 7644 section 3.14
//	discovery_test.go    ServiceProviderConfig, ResourceTypes, Schemas, Me RFC 7643 sections 5 to 7, RFC 7644 sections 3.11, 4
//	media_test.go        types, charsets, tokens                           RFC 7644 sections 2, 3.1, 3.8
//	errors_test.go       errors                                            RFC 7644 section 3.12
//	details_test.go      every error as the admin of a provider reads it
//	facts_test.go        what decides whether a provider works the first time
//	okta_test.go, entra_test.go, validator_test.go, clients_test.go        whole sequences of the clients
//
// kit_test.go is the client, answer_test.go what it asks of an answer. look_test.go looks at every answer, whatever the
// test is about: its media type, its error, its list, its resource. servers_test.go starts the servers.
//
// go test runs it. make conformance runs it alone. The environment sends it to another server:
//
//	CONFORMANCE_URL       SCIM base URL
//	CONFORMANCE_TOKEN     bearer token
//	CONFORMANCE_PROVIDER  the provider of that connection (custom); the tests of other providers are skipped
//
// What it makes there it deletes again. What that server's ServiceProviderConfig does not declare is skipped.
package conformance
