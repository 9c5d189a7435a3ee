# Two commands do all the set-up: `make run` and `make test`.

CARGO ?= cargo
export CARGO_INCREMENTAL ?= 0
# Specs wait more than they work: one that watches for ten minutes is not to hold up the others.
export RUST_TEST_THREADS ?= 3

.PHONY: help run test lint specs peers bench tools peer-tools fmt clean-peers

help:
	@echo "make run     build readyd, serve with the embedded default, print what to try"
	@echo "make test    install what the tests need where it can, then lint and run every spec"
	@echo "make lint    rustfmt, clippy -D warnings, cargo deny"
	@echo "make specs   the specs that need nothing but this repository"
	@echo "make peers   the specs with real peers: OpenClaw, Prometheus, HAProxy"
	@echo "make bench   one table of ratios beside real peers (BENCH=ready,ingest: parts of it; BENCH_ROUNDS=5)"
	@echo "make fmt     format the tree"

run:
	$(CARGO) build --locked --bin readyd
	@scripts/try.sh target/debug/readyd

test: tools lint
	$(CARGO) test --locked --no-fail-fast

lint: tools
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	scripts/deny.sh

specs:
	$(CARGO) test --locked --lib --test specs

peers: tools
	$(CARGO) test --locked --test peers

bench:
	scripts/tools.sh bench
	$(CARGO) bench --locked --bench table

tools:
	scripts/tools.sh

fmt:
	$(CARGO) fmt --all
