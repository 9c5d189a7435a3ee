# Two commands do all the set-up: `make run` and `make test`.

CARGO ?= cargo
export CARGO_INCREMENTAL ?= 0
# Specs wait more than they work: one that watches for ten minutes is not to hold up the others.
export RUST_TEST_THREADS ?= 3
SOAK_MINUTES ?= 30
FUZZ_SECONDS ?= 3600
FUZZ_CI_SECONDS ?= 60

.PHONY: help run test lint specs peers faults soak bench deb tools peer-tools fmt clean-peers simulate fuzz fuzz-ci

help:
	@echo "make run     build readyd, serve with the embedded default, print what to try"
	@echo "make test    install what the tests need where it can, then lint and run every spec"
	@echo "make lint    rustfmt, clippy -D warnings, cargo deny"
	@echo "make specs   the specs that need nothing but this repository"
	@echo "make peers   the specs with real peers: OpenClaw, Prometheus, HAProxy"
	@echo "make faults  the fault matrix with all its rounds: tried and survived (FAULT=kill: rows by name)"
	@echo "make soak    half an hour of load and trouble, and a verdict (SOAK_MINUTES)"
	@echo "make bench   one table of ratios beside real peers (BENCH=ready,ingest: parts of it; BENCH_ROUNDS=5)"
	@echo "make deb     a Debian package, in target/debian"
	@echo "make simulate SEED=7        tell one history of the decider step by step"
	@echo "make simulate HISTORIES=N   look for a history that breaks a rule; RULE=... for one rule alone"
	@echo "make fuzz    an hour of fuzzing for each target (FUZZ_SECONDS, FUZZ_TARGETS); make fuzz-ci: a minute"
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

faults: tools
	FAULTS=full $(CARGO) test --locked --test faults -- --test-threads 2 $(FAULT)

soak:
	SOAK_MINUTES=$(SOAK_MINUTES) $(CARGO) test --locked --release --test soak -- --nocapture

bench:
	scripts/tools.sh bench
	$(CARGO) bench --locked --bench table

deb:
	$(CARGO) build --locked --release --bin readyd
	scripts/deb.sh target/release/readyd target/debian

# The tests of the library are the place of the histories: nothing else is built.
simulate:
	@$(if $(SEED),SEED=$(SEED)) $(if $(HISTORIES),HISTORIES=$(HISTORIES)) $(if $(RULE),RULE="$(RULE)") RUST_BACKTRACE=0 \
		$(CARGO) test --locked --lib simulation::whatever -- --nocapture

fuzz:
	scripts/fuzz.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS)

fuzz-ci:
	scripts/fuzz.sh $(FUZZ_CI_SECONDS)

tools:
	scripts/tools.sh

fmt:
	$(CARGO) fmt --all
