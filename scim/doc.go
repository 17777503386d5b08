// Package scim is the SCIM 2.0 protocol (RFC 7643 and RFC 7644) as values: resources, PATCH, filters, lists, schemas and errors.
// It never opens a connection, never reads a database and never decides what a change means for the workspace.
package scim
