# Everything a person or a machine runs here. `make demo`, `make run` and `make test` install what they need.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Outside the clone, so that a fresh clone on the same machine reuses what was built.
CACHE ?= $(HOME)/.cache/backstop
export CARGO_TARGET_DIR ?= $(CACHE)/target
export BACKSTOP_TEST_VENV ?= $(CACHE)/venv
export BACKSTOP_BIN := $(CARGO_TARGET_DIR)/debug/backstop

.PHONY: help demo run test check fmt web binary bench tools-build tools-test docs

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
	cargo test --workspace --lib --bins --test conformance --test semantics --test store
	cd web && npm run e2e
	cargo test --workspace --test it

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

bench: ## micro benches
	cargo bench -p benches

docs: binary ## write the generated manuals
	$(BACKSTOP_BIN) config reference > docs/configuration.md

tools-build:
	@.ci/tools build

tools-test:
	@.ci/tools test
