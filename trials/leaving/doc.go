// Package leaving is the trial of the promise that a leaver's access ends inside the request that says so, and that a
// workspace always keeps an active owner. Fifty clients try everything the leaver could while the request runs; whatever
// begins after its answer and still succeeds is a violation. It runs on both databases, with all well, with Redis
// stopped and with every worker stopped.
//
// go test runs it short. LEAVING_ROUNDS=200 go test -v ./trials/leaving (make leaving) runs 200 departures on each
// database in each of the three states of the installation, and 200 rounds of each pair of requests that could take a
// workspace's last two owners, and prints the figures.
package leaving
