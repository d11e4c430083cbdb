# Rehearse Helm rollbacks on a real control plane.
#
# Common uses:
# - rehearse everything in scenarios/:    make rehearse
# - rehearse some of them, one by one:    make rehearse ARGS='scenarios/ownership --parallel=1'
# - what CI runs:                         make test
#
# Go, git and a Go module proxy are all that is needed. The first run builds a Kubernetes control plane into the user's
# cache folder, which takes some minutes; set REHEARSE_KUBE_BIN to a binary built before to skip that.

################################################################################
# ============================== Options =======================================
# What `make rehearse` runs, and further flags of `rehearse run`.
ARGS ?= scenarios
# The packages that `make test` and `make lint` look at.
PKGS ?= ./...
# Benchmarks that `make bench` runs, and how many rounds of each it takes the medians of.
BENCH ?= .
BENCH_ROUNDS ?= 5
# The longest that the tests of one package may take.
TEST_TIMEOUT ?= 20m
# The version that `rehearse --version` tells; outside a git work tree there is none.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

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
	$(BIN) run $(ARGS)

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
test: prepare lint ## Lint, run all tests, with the race detector if there is a C compiler, and all scenarios.
	$(if $(RACE),,@echo "make test: no C compiler found, so the tests run without the race detector")
	$(GO) -C $(TOOLS) test ./...
	$(GO) test $(RACE) -timeout=$(TEST_TIMEOUT) -json $(PKGS) | $(GO) run -C $(TOOLS) ./testsum
	$(BIN) run scenarios

.PHONY: lint
lint: ## Check formatting, vet, staticcheck and dead code.
	@unformatted="$$($(TOOL) gofumpt -l . $(TOOLS))"; \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make format:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PKGS)
	$(GO) -C $(TOOLS) vet ./...
	$(TOOL) staticcheck -checks=$(STATICCHECK) $(PKGS)
	@dead="$$($(TOOL) deadcode -test $(PKGS))" || exit 1; \
	if [ -n "$$dead" ]; then echo "dead code:"; echo "$$dead"; exit 1; fi

# All checks but one: a package's comment may stand in any of its files.
STATICCHECK := all,-ST1000

.PHONY: format
format: ## Format all Go files.
	$(TOOL) gofumpt -w . $(TOOLS)

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
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
