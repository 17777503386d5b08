.PHONY: help dev test check lint build bench leaving conformance fuzz screenshots clean

# The program is built static. What looks at it and what tests it compile it in the same way, so that it is compiled once.
static := CGO_ENABLED=0 GOFLAGS='-trimpath -tags=timetzdata'

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 14

dev: ## run the whole product in one process, with a demo workspace
	go run ./cmd/outpost dev --demo

test: ## bring what the tests need, then run every test with the race detector
	@scripts/test

check: lint test ## what CI runs: gofmt, go vet, staticcheck, the tests

lint: ## gofmt, go vet, staticcheck
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt -w needed:"; echo "$$files"; exit 1; fi
	$(static) go vet ./...
	$(static) go tool staticcheck ./...

build: ## build the static program bin/outpost
	$(static) go build -o bin/outpost ./cmd/outpost

bench: ## measure the speed beside a bare server (sizes: see trials/bench/doc.go)
	go test -tags bench -count=1 -run '^$$|TestBench' -v -timeout 30m ./trials/bench

leaving: ## let LEAVING_ROUNDS=200 people leave while 50 clients try every way in, and owners be removed at once
	LEAVING_ROUNDS=$${LEAVING_ROUNDS:-200} go test -count=1 -v -timeout 90m ./trials/leaving

conformance: ## hold the built program, or the server at CONFORMANCE_URL, against the RFCs and the requests of the clients
	$(static) go test -count=1 ./trials/conformance

fuzz: ## run every fuzz target, or those that match FUZZ, FUZZTIME=30s each
	@scripts/fuzz

screenshots: ## take a picture of every page, in light, dark and at phone width, into screenshots/
	@mkdir -p screenshots
	SCREENSHOTS=$(CURDIR)/screenshots go test -count=1 -run EveryPage ./dashboard

clean: ## remove what build made
	rm -rf bin screenshots
