# The two commands of the README, `make demo` and `make test`, and what keeps the code in shape.
# Each one sets up .venv first, from requirements.lock; a second call does not.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CORES ?= all
BIN := .venv/bin
LOCKED := $(shell cat requirements.lock requirements-detector.lock workflow/scripts/*.sh | cksum | cut -d' ' -f1)
READY := .venv/ready-$(LOCKED)
REPORT := from digit.config import load_config as load; from digit.run.layout import Layout; \
    print((Layout.of(load('config.yaml')).report() / 'index.html').resolve())
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help demo test test-fast test-cluster bench lint format

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## Make data, train, evaluate and report on the embedded default
	@$(BIN)/snakemake --cores $(CORES) --quiet host reason
	@echo "The report is ready; open it in a browser:"
	@echo "  $$($(BIN)/python -c "$(REPORT)")"

# Test files run side by side, one thread each: more would only get in each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

test: $(READY)  ## Run all tests
	$(PYTEST) -n auto --maxprocesses 4

test-fast: $(READY)  ## Run the tests that take no longer than a minute together
	$(PYTEST) -n auto --maxprocesses 4 -m 'not slow'

test-cluster: $(READY)  ## Run the workflow on a Slurm of its own (installs Debian's packages, if run as root)
	$(BIN)/python -m pytest tests/cluster

bench: $(READY)  ## Time the data stages and rewrite the table in docs/benchmarks.md
	$(BIN)/python -m bench

lint: $(READY)  ## Check style, spelling, types and the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/codespell
	$(BIN)/mypy digit examples
	$(BIN)/snakemake --lint

format: $(READY)  ## Format Python and Snakemake files
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# The name of this file holds the checksum of what it was set up from, so a new lock file sets up again.
$(READY):
	@PYTHON='$(PYTHON)' bash workflow/scripts/setup.sh
	@rm -f .venv/ready-*
	@touch $@
