# `make help` lists the targets.

.DEFAULT_GOAL := help
.PHONY: help setup build run test check-tree fixture test-tsan faults hostile format format-check bench fuzz

SOURCES = Package.swift Sources Tests sql Benchmarks Examples Fuzz

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## Install the system packages that building and testing need
	@.ci/setup

build: ## Build the collector for release
	@.ci/setup build
	swift build -c release --product whorl

run: build ## Build and start the collector; Ctrl-C stops it
	@exec .build/release/whorl serve

test: setup check-tree ## Run every test
	@.ci/test

check-tree: ## Check that no large binary, machine path or overlong file is tracked
	@.ci/check-tree

fixture: ## Print a fixture, NAME=hostile/auth/key-form-60-kb or a part of it
	@.ci/fixture "$(NAME)"

test-tsan: setup ## Run the tests under ThreadSanitizer (slow)
	@.ci/test-tsan

faults: setup ## Inject every fault, in all rounds (ten minutes)
	swift build --build-tests
	WHORL_FAULTS=full swift test --skip-build --no-parallel --filter WhorlFaultTests

hostile: setup build ## Send hostile requests to the release build (five minutes)
	swift build --build-tests
	WHORL_TEST_EXECUTABLE="$(CURDIR)/.build/release/whorl" swift test --skip-build --no-parallel \
		--filter 'HostileTests|AmplificationTests|IsolationTests|APICostTests|WhorlServerTests.ConnectionTests'

format: ## Format the sources in place
	swift format --in-place --recursive --parallel $(SOURCES)

format-check: ## Check the format
	swift format lint --strict --recursive --parallel $(SOURCES)

bench: build ## Measure the whole collector and its steps (some minutes)
	swift run -c release --package-path Benchmarks micro
	swift run -c release --package-path Benchmarks load "$(CURDIR)/.build/release/whorl"

fuzz: ## Fuzz the parsers of untrusted input, SECONDS=60 each
	@.ci/setup build
	@Fuzz/run $(or $(SECONDS),60)
