// Package chaos is the trial of the promise that nothing acknowledged is lost or applied twice: real processes of the
// built program, real Postgres, Redis and SMTP, and faults while a provider pushes people.
// It never looks at the product's own counters: it asks the database, the mail server and the client.
package chaos
