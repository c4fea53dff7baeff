# make build     bin/supervisor, with the extension for each PHP found inside
# make test      installs what is missing and runs everything
# make demo      DokuWiki and a Symfony application behind nginx; Ctrl-C stops it
# The other targets are listed by: make help

SHELL := /bin/bash
# A Go of our own (test/install-deps.sh) only exists where the machine has none that is new enough.
GO := $(firstword $(wildcard build/go/bin/go) $(shell command -v go) /usr/local/go/bin/go)
GOFMT = $(dir $(shell readlink -f "$$(command -v $(GO))"))gofmt
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

UNIT_PACKAGES = $$($(GO) list ./... | grep -v '^php-supervisor/test/\|^php-supervisor/test$$')
E2E_PACKAGES = $$($(GO) list ./... | grep '^php-supervisor/test/\|^php-supervisor/test$$')
# Not by git, which refuses to work for root in somebody else's clone.
SHELL_SCRIPTS = .ci/run $$(find . \( -name .git -o -path ./build -o -path ./.demo \) -prune -o -name '*.sh' -print)
GO_TEST_FLAGS ?= -race -timeout 10m
# One package at a time: they measure, and share the machine's web servers.
E2E_FLAGS ?= -race -count=1 -p 1 -timeout 15m -v

# The parts of a test run come one after the other and the first failure ends it.
.NOTPARALLEL:
.PHONY: help build ext supervisor docs deps install-deps deps-test deps-demo test test-quick lint check-format \
	test-wire test-phpt test-go test-e2e test-php84 demo bench clean

build: ext supervisor

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## ext            the extension, for each php-config found (PHP_CONFIG=... for others)
ext:
	@php-runtime/ext/build.sh

## supervisor     the Go program alone
supervisor:
	$(GO) build -buildvcs=false -o bin/supervisor ./cmd/supervisor

## docs           docs/CONFIGURATION.md, from the table of settings
docs:
	$(GO) generate ./internal/config

## deps           apt-get install what building needs; deps-demo, deps-test: what those need
deps install-deps:
	@test/install-deps.sh build

deps-test:
	@test/install-deps.sh test

deps-demo:
	@test/install-deps.sh demo

## test           everything: test-quick, test-e2e, test-php84
test: deps-test test-quick test-e2e test-php84

## test-quick     format, vet, staticcheck, shellcheck, C tests, phpt, Go tests with -race
test-quick: build lint test-wire test-phpt test-go

## lint           gofmt, go vet, staticcheck, shellcheck
lint: check-format
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	shellcheck $(SHELL_SCRIPTS)

check-format:
	@files=$$($(GOFMT) -l $$($(GO) list -f '{{.Dir}}' ./...)) || exit 1; \
	if [[ -n $$files ]]; then printf 'not gofmt-ed:\n%s\n' "$$files" >&2; exit 1; fi

## test-wire      the worker's protocol code alone: under ASAN and UBSAN, under valgrind, and fuzzed for a few seconds
test-wire:
	$(MAKE) -C php-runtime/ext/tests-wire check check-valgrind fuzz FUZZ_SECONDS=10

## test-phpt      the extension's phpt, plain and with OPcache, for each PHP it was built for
test-phpt: ext
	@php-runtime/ext/phpt.sh

## test-go        the Go tests that need no web server
test-go:
	$(GO) test $(GO_TEST_FLAGS) $(UNIT_PACKAGES)

## test-e2e       real nginx, real PHP, real applications
test-e2e: build
	@packages="$(E2E_PACKAGES)"; if [[ -n $$packages ]]; then set -x; $(GO) test $(E2E_FLAGS) $$packages; fi

## test-php84     the extension and its answers with Debian 13's PHP 8.4, in a chroot; as root
test-php84:
	@GO=$(GO) test/php84.sh

## demo           DokuWiki in classic mode, Symfony in worker mode, behind nginx
demo: deps-demo build
	@$(GO) build -buildvcs=false -o build/demo ./test/demo && exec build/demo $(DEMO_FLAGS)

## bench          ours beside php-fpm, one interleaved run (BENCH_FLAGS=-help)
bench: deps-test build
	@$(GO) build -buildvcs=false -o build/bench ./test/bench && exec build/bench $(BENCH_FLAGS)

## clean          removes what was built
clean:
	rm -rf bin build internal/phpext/lib/*.so
	$(MAKE) -C php-runtime/ext/tests-wire clean
