# Everything a person or a machine runs here. `make demo`, `make run` and `make test` install what they need.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Outside the clone, so that a fresh clone on the same machine reuses what was built.
CACHE ?= $(HOME)/.cache/backstop
export CARGO_TARGET_DIR ?= $(CACHE)/target
export BACKSTOP_TEST_VENV ?= $(CACHE)/venv
export BACKSTOP_BIN := $(CARGO_TARGET_DIR)/debug/backstop

# `make test` runs those that need a cluster only where `.ci/kubernetes` was run before, and says when it leaves them out.
.PHONY: help demo run test test-crash test-kubernetes test-prometheus test-push check fmt web binary bench bench-logs bench-metrics bench-data bench-fleet bench-growth bench-metrics-growth bench-binaries bench-loki bench-micro bench-loop bench-million tools-build tools-test docs fuzz

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -ts "$$(printf '\t')"

demo: binary ## build, then run the closed loop on a simulated shop and leave the UI up
	$(BACKSTOP_BIN) demo

run: binary ## build, then run a server
	$(BACKSTOP_BIN) serve

test: tools-build tools-test web ## install what is needed and run every test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cd web && npm run lint && npm run typecheck && npm test
	cargo build --workspace --bins
	cargo test --workspace --lib --bins --test conformance --test semantics --test store --test duckdb --test accuracy --test miner --test programs --test cluster --test helm
	@.ci/kubernetes check || echo "skipped: the tests against a Kubernetes API server; make test-kubernetes builds one and runs them"
	cd web && npm run e2e
	cargo test --workspace --test it

test-crash: tools-build web ## kill the server at 500 points of the loop (RUNS=500), ten minutes, and 100 times under metrics (KILLS=100); `make test` takes a sample
	cargo build --workspace --bins
	BACKSTOP_CRASH_RUNS=$(or $(RUNS),500) BACKSTOP_METRIC_KILLS=$(or $(KILLS),100) cargo test --workspace --test it -- crash_points metrics::crash --nocapture

test-kubernetes: tools-build ## build a Kubernetes API server once (six minutes), and run the tests against it
	.ci/kubernetes
	cargo test --workspace --test cluster --test helm

test-prometheus: tools-build tools-test ## build the newest Prometheus once (four minutes), and hold Backstop's answers against its own
	RIVALS=$(CACHE)/rivals benches/rivals.sh prometheus
	cargo build --workspace --bins
	cargo test --workspace --test it -- prometheus:: --nocapture

test-push: tools-build tools-test ## build Telegraf and k6 once (five minutes), and let the clients that push metrics write to Backstop
	RIVALS=$(CACHE)/rivals benches/rivals.sh telegraf k6
	cargo build --workspace --bins
	cargo test --workspace --test it -- clients::push --nocapture

check: web ## formatting, lints and types, without running tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cd web && npm run lint && npm run typecheck

fmt: ## format everything
	cargo fmt --all

web: web/dist/index.html ## build the UI

web/dist/index.html: $(shell find web/src web/public -type f 2>/dev/null) web/index.html web/package-lock.json web/vite.config.ts | tools-build
	cd web && npm ci --no-audit --no-fund && npm run build

binary: tools-build web
	cargo build --bin backstop

# What `make bench` measures: so many generated lines, from real ones when there is a folder of them.
LINES ?= 2000000
CORPUS ?= ../shared/data/logs
BENCH ?= $(CACHE)/bench
RELEASE := $(CARGO_TARGET_DIR)/release
SIDEBYSIDE = $(RELEASE)/sidebyside $(1) --backstop $(RELEASE)/backstop --rivals $(CACHE)/rivals --out $(BENCH)/results

bench: bench-logs bench-metrics ## both of the next two

bench-logs: bench-data ## measure Backstop beside VictoriaLogs (LINES=2000000) and hold it to benches/budgets.toml
	RIVALS=$(CACHE)/rivals benches/rivals.sh victorialogs
	$(call SIDEBYSIDE,logs) --engine victorialogs,backstop --input $(BENCH)/$(LINES) --name bench-$(LINES) --budgets benches/budgets.toml $(ARGS)

bench-metrics: bench-fleet ## measure Backstop beside VictoriaMetrics and Prometheus (HOSTS=20) and hold it to the budgets
	RIVALS=$(CACHE)/rivals benches/rivals.sh victoriametrics prometheus
	$(call SIDEBYSIDE,metrics) --engine victoriametrics,prometheus,backstop --connections 2 --input $(BENCH)/fleet-$(HOSTS) \
		--name metrics-$(HOSTS) --budgets benches/budgets.toml $(ARGS)

bench-loki: bench-data ## logs beside Loki, without budgets; building Loki takes a while
	RIVALS=$(CACHE)/rivals benches/rivals.sh loki
	$(call SIDEBYSIDE,logs) --input $(BENCH)/$(LINES) --name loki-$(LINES) --engine loki,backstop --repeats 3 $(ARGS)

bench-growth: ## measure Backstop alone at 2 and at 20 million lines and hold the growth to the budgets
	$(MAKE) bench-data LINES=2000000
	$(MAKE) bench-data LINES=20000000
	for lines in 2000000 20000000; do \
		$(call SIDEBYSIDE,logs) --input $(BENCH)/$$lines --name growth-$$lines --engine backstop; \
	done
	$(RELEASE)/sidebyside growth $(BENCH)/results/growth-2000000.json $(BENCH)/results/growth-20000000.json --budgets benches/budgets.toml

bench-metrics-growth: ## the same of metrics: 20 and 1,316 hosts (15,200 and a million series), half an hour of them
	for hosts in 20 1316; do $(MAKE) bench-fleet HOSTS=$$hosts SCRAPES=30 FLEET=growth-$$hosts || exit 1; \
		$(call SIDEBYSIDE,metrics) --connections 2 --input $(BENCH)/growth-$$hosts --name growth-$$hosts --engine backstop || exit 1; \
	done
	$(RELEASE)/sidebyside metrics-growth $(BENCH)/results/growth-20.json $(BENCH)/results/growth-1316.json --budgets benches/budgets.toml

# Kept for a week, so that runs of the same days are of the same data.
bench-data: bench-binaries
	@find $(BENCH)/$(LINES)/manifest.json -mtime -7 2>/dev/null | grep -q . || \
		$(RELEASE)/loadgen logs --corpus $(CORPUS) --lines $(LINES) --out $(BENCH)/$(LINES)

# A fleet of so many hosts, scraped so often.
HOSTS ?= 20
SCRAPES ?= 480
FLEET ?= fleet-$(HOSTS)

bench-fleet: bench-binaries
	@find $(BENCH)/$(FLEET)/manifest.json -mtime -7 2>/dev/null | grep -q . || \
		$(RELEASE)/loadgen metrics --hosts $(HOSTS) --scrapes $(SCRAPES) --out $(BENCH)/$(FLEET)

bench-binaries: tools-build web
	cargo build --release --bin backstop --bin loadgen --bin sidebyside

bench-loop: ## the loop on simulated releases, beside the policies of other tools (SETS=1)
	cargo build --release --bin loopbench
	$(RELEASE)/loopbench --sets $(or $(SETS),1) --out $(BENCH)/results $(ARGS)

bench-million: tools-build web ## hold a million active series for ten minutes (SERIES=1000000 MINUTES=10)
	cargo build --release --bin backstop --bin million
	$(RELEASE)/million --backstop $(RELEASE)/backstop --series $(or $(SERIES),1000000) --minutes $(or $(MINUTES),10) --out $(BENCH)/results/million.json $(ARGS)

bench-micro: ## micro benches, with criterion
	cargo bench -p benches

fuzz: ## many more damaged texts and random trees for every parser than `make test` tries (CASES=100000)
	BACKSTOP_FUZZ_CASES=$(or $(CASES),100000) cargo test --workspace --lib -- fuzz:: properties::

docs: binary ## write the generated manuals
	$(BACKSTOP_BIN) config reference > docs/configuration.md
	$(BACKSTOP_BIN) config language > docs/query-language.md

tools-build:
	@.ci/tools build

tools-test:
	@.ci/tools test
