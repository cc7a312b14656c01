# Everything is done by cargo and the scripts; this file only names it.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup build demo up test chaos bench generate lint deny clean-local

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Fetch what cargo does not: DuckDB, a NATS server and its command line, an AWS emulator (all into .local/)
	@scripts/setup

build: setup ## Build every binary
	cargo build --workspace --bins --locked

demo: ## Play a day of operations against an AWS emulator (KEEP=1 goes on watching)
	@scripts/demo

up: build ## Watch your own AWS account
	@. scripts/env.sh && exec $${CARGO_TARGET_DIR:-target}/debug/elava up

# The end-to-end tests run the binaries, so these are built first.
test: build ## Run every test
	@. scripts/env.sh && exec cargo test --workspace --locked

chaos: build ## Run every stage under 200 random faults, some ten minutes (ARGS='--seed 7' repeats a run)
	@. scripts/env.sh && exec $${CARGO_TARGET_DIR:-target}/debug/elava-chaos $(ARGS)

bench: setup ## Measure (release build; NDJSON on standard output)
	cargo build --release --workspace --bins --locked
	@. scripts/env.sh && exec $${CARGO_TARGET_DIR:-target}/release/elava-bench

generate: ## Rewrite generated files (JSON Schemas)
	ELAVA_BLESS=1 cargo test --workspace --locked --test schemas json_schemas

lint: setup ## Formatting and lints, as CI checks them
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

deny: ## Licences, duplicate and banned crates, sources (cargo install cargo-deny --locked)
	cargo deny check bans licenses sources

clean-local: ## Remove what setup and the demo put into .local/
	rm -rf .local
