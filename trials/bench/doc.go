// Package bench measures how fast the product is: its programs, run as an operator runs them, beside a bare server that
// does the least a durable SCIM API can do. The figures of one machine say nothing about another; the ratio of the two
// in the same run does. It never fails for being slow, only for a wrong answer.
//
// Everything but this comment has the build tag bench; `make bench` runs it. It starts a Postgres that forces every
// commit to disk and a Redis with an append-only file, both its own. The two servers take turns, phase by phase, under
// a client that costs little: it and both servers share the machine. The environment changes the size of the run:
//
//	BENCH_USERS    people of a round (2000)
//	BENCH_ROUNDS   rounds; the table shows medians (3)
//	BENCH_GROUP    members of the large group (10000)
//	BENCH_BACKLOG  user.upsert operations that wait when the worker starts (5000)
//
// While the SCIM phases run no worker does, so that they measure the API alone. The bare server lies in testdata: it is
// no part of the product.
package bench
