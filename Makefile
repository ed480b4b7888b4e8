# The two commands of the README, `make demo` and `make test`, and what keeps the code in shape.
# Each one sets up .venv first, from requirements.lock; a second call does not.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CORES ?= all
BIN := .venv/bin
# TORCH=cpu INDEX=address, given once, holds until TORCH= takes it back.
TORCH ?= $(if $(wildcard .venv/cpu-index),cpu)
INDEX ?= $(if $(TORCH),$(shell cat .venv/cpu-index 2>/dev/null))
LOCKED := $(shell cat requirements.lock requirements-detector.lock workflow/scripts/*.sh | cksum | cut -d' ' -f1)
READY := .venv/ready-$(LOCKED)$(TORCH:%=-%)
DOCS := .venv/docs-$(shell cksum < docs/requirements.lock | cut -d' ' -f1)
REPORT := from digit.config import load_config as load; from digit.run.layout import Layout; \
    print((Layout.of(load('config.yaml')).report() / 'index.html').resolve())
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help setup demo test test-fast test-cluster bench docs lint format

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Install everything into .venv

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

docs: $(DOCS)  ## Build the documentation into build/docs, to be read without a server; warnings are errors
	@$(BIN)/python docs/site/build.py

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

$(DOCS): $(READY) docs/requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r docs/requirements.lock
	@rm -f .venv/docs-*
	@touch $@

# The name of this file holds the checksum of what it was set up from, so a new lock file sets up again.
$(READY):
	@PYTHON='$(PYTHON)' TORCH='$(TORCH)' INDEX='$(INDEX)' bash workflow/scripts/setup.sh
	@rm -f .venv/ready-*
	@touch $@
