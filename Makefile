# Rehearse Helm rollbacks on a real control plane.
#
# Common uses:
# - rehearse everything in scenarios/:    make rehearse
# - rehearse some of them, one by one:    make rehearse ARGS='scenarios/ownership --parallel=1'
# - on kind, where Docker runs:           make rehearse PROVIDER=kind
# - what CI runs:                         make test
#
# Go, git and a Go module proxy are all that is needed. The first run builds a Kubernetes control plane into the user's
# cache folder, which takes some minutes; set REHEARSE_KUBE_BIN to a binary built before to skip that.

################################################################################
# ============================== Options =======================================
# What `make rehearse` runs, and further flags of `rehearse run`.
ARGS ?= scenarios
# Who makes the clusters, instead of what the scenarios say: embedded or kind.
PROVIDER ?=
# The packages that `make test` and `make lint` look at.
PKGS ?= ./...
# Benchmarks that `make bench` runs, and how many rounds of each it takes the medians of.
BENCH ?= .
BENCH_ROUNDS ?= 5
# How long `make fuzz` takes for each target.
FUZZ_TIME ?= 10m
# The longest that the tests of one package may take.
TEST_TIMEOUT ?= 40m
# How many packages are tested at once.
PARALLEL ?= $(shell getconf _NPROCESSORS_ONLN)
# The version that `rehearse --version` tells; outside a git work tree there is none.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
# What the runs of one `make` are called, so that they can be compared.
RUN := $(shell date -u +%Y%m%d-%H%M%S)

################################################################################
# ============================== Environment ===================================
GO ?= go
BIN := $(CURDIR)/bin/rehearse
TOOLS := .ci/tools
# Lint tools are pinned in a module of their own, so that they never move the versions that the product is built with.
TOOL := $(GO) tool -modfile=$(TOOLS)/go.mod
# The same source gives the same binary: no machine paths, no C library.
BUILD_FLAGS := -trimpath -ldflags='-X=main.version=$(VERSION)'
# The race detector needs a C compiler. Go turns cgo off by itself where there is none.
RACE = $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)
BENCHED = $(shell grep -rl --include='*_test.go' '^func Benchmark' cmd/rehearse harness reports | sed 's|/[^/]*$$||;s|^|./|' | sort -u)

.DEFAULT_GOAL := help

################################################################################
# ============================== Using it ======================================
.PHONY: rehearse
rehearse: build ## Run the scenarios; evidence, report.html and junit.xml go to reports/runs/. ARGS='PATH... FLAGS...'
	$(BIN) run $(ARGS) $(if $(PROVIDER),--provider=$(PROVIDER))

.PHONY: parity
parity: build ## Run the scenarios on the embedded cluster and on kind, and compare the verdicts. ARGS='PATH... FLAGS...'
	-$(BIN) run $(ARGS) --run-id $(RUN)-embedded --provider=embedded
	-$(BIN) run $(ARGS) --run-id $(RUN)-kind --provider=kind
	$(BIN) compare reports/runs/$(RUN)-embedded reports/runs/$(RUN)-kind

.PHONY: track-record
track-record: build ## Run the scenarios on known defects, and write the README's track record anew.
	-$(BIN) run scenarios --label pitfall --run-id $(RUN)-record
	$(BIN) track-record reports/runs/$(RUN)-record --write

.PHONY: node-image
node-image: build ## Build the node image of kind clusters, if it is not there yet: as root, with debootstrap and Docker.
	$(BIN) kind-image build

.PHONY: build
build: ## Build bin/rehearse.
	CGO_ENABLED=0 $(GO) build $(BUILD_FLAGS) -o $(BIN) ./cmd/rehearse

# The control plane is built once, into the user's cache folder, with its progress shown.
.PHONY: prepare
prepare: build ## Build the embedded control plane, if it is not in the cache yet.
	$(BIN) cluster prepare

################################################################################
# ============================== Checking it ===================================
.PHONY: test
test: prepare lint ## Lint, run all tests, with the race detector if there is a C compiler, and all scenarios; the smoke ones on kind too, if that can run.
	$(if $(RACE),,@echo "make test: no C compiler found, so the tests run without the race detector")
	$(GO) -C $(TOOLS) test ./...
	{ for packages in "-p=$(PARALLEL) $(filter-out $(ALONE),$(TESTED))" "-p=1 $(filter $(ALONE),$(TESTED))"; do \
	    if [ "$${packages#* }" != "" ]; then $(GO) test $(RACE) -timeout=$(TEST_TIMEOUT) -json $$packages; fi; \
	  done; } | \
	  $(GO) run -C $(TOOLS) ./testsum
	$(BIN) run scenarios --run-id $(RUN)-embedded $(NO_SKIPS)
	$(BIN) track-record reports/runs/$(RUN)-embedded
	@if $(KIND_RUNS); then $(MAKE) kind-lane RUN=$(RUN); \
	else echo "make test: skipped the scenarios on kind: no Docker engine answers that has the node image (make node-image)"; $(KIND_MAY_REST); fi

TESTED = $(shell $(GO) list $(PKGS))
# Tests that boot kind clusters have the machine for themselves, or others would run out of time.
ALONE := rehearse.dev/rehearse/harness/cluster/kind rehearse.dev/rehearse/harness/rehearsetest rehearse.dev/rehearse/cmd/rehearse/keptkind

# What of the scenarios runs on kind with each check. All of them would take two slow cores most of an hour, and many
# would miss their deadlines there (decision 0170); make parity runs them all.
KIND_LANE ?= --label=tier=smoke --parallel=2

# The verdicts on kind have to be those of this make's run on the embedded cluster, and what runs on kind alone has to
# pass there.
.PHONY: kind-lane
kind-lane: build
	@status=0; $(BIN) run scenarios $(KIND_LANE) --run-id $(RUN)-kind --provider=kind $(NO_SKIPS) || status=$$?; \
	$(BIN) compare --common reports/runs/$(RUN)-embedded reports/runs/$(RUN)-kind && exit $$status

KIND_RUNS = docker image inspect rehearse.dev/node:v1.36.3 >/dev/null 2>&1
# Where no test may be skipped (.ci/run), no scenario may either, but for what it says itself in notOn.
NO_SKIPS = $(if $(filter 1,$(REHEARSE_NO_SKIPS)),--no-skips)
KIND_MAY_REST = $(if $(filter 1,$(REHEARSE_NO_SKIPS)),test -n "$$REHEARSE_MAY_SKIP",true)

.PHONY: lint
lint: ## Check formatting, what golangci-lint knows (.golangci.yml), and dead code.
	$(TOOL) golangci-lint run $(PKGS)
	$(TOOL) golangci-lint fmt --diff cmd
	$(GO) -C $(TOOLS) vet ./...
	@dead="$$($(TOOL) deadcode -test $(PKGS))" || exit 1; \
	if [ -n "$$dead" ]; then echo "dead code:"; echo "$$dead"; exit 1; fi

# Minutes each, which is too long for every change.
.PHONY: lint-all
lint-all: lint ## Lint, and check what that leaves out: the nested modules, and macOS and Linux on arm64.
	@for module in cmd/kube cmd/node cmd/coredns; do echo "$(GO) -C $$module vet ./..."; $(GO) -C $$module vet ./... || exit 1; done
	@for system in darwin/arm64 linux/arm64; do echo "go vet for $$system"; \
	  GOOS=$${system%/*} GOARCH=$${system#*/} CGO_ENABLED=0 $(GO) vet $(PKGS) || exit 1; done

.PHONY: format
format: ## Format all Go files.
	$(TOOL) golangci-lint fmt

# Every fuzz target: go fuzzes one of one package at a time.
FUZZED := ./harness/scenario:FuzzLoad ./harness/ownership:FuzzParsePath

.PHONY: fuzz
fuzz: ## Fuzz each target; an input that breaks one is kept in its package's testdata/fuzz, for make test. FUZZ_TIME=10m
	@status=0; for target in $(FUZZED); do \
	  echo "$(GO) test -run='^$$' -fuzz='^$${target#*:}$$' -fuzztime=$(FUZZ_TIME) $${target%:*}"; \
	  $(GO) test -run='^$$' -fuzz="^$${target#*:}$$" -fuzztime=$(FUZZ_TIME) "$${target%:*}" || status=1; \
	done; exit $$status

.PHONY: bench
bench: prepare ## Run the benchmarks, one package after the other. BENCH=REGEXP BENCH_ROUNDS=N
	$(GO) test -p=1 -run='^$$' -bench='$(BENCH)' -benchtime=$(BENCH_ROUNDS)x -timeout=120m $(BENCHED)

################################################################################
# ============================== Housekeeping ==================================
.PHONY: clean
clean: ## Remove the binary and the runs. The control plane in the user's cache stays.
	rm -rf bin reports/runs

.PHONY: help
help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
