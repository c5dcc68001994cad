# Two commands are enough on a fresh machine: `make up` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready-
# What is imported is compiled once, not by each of the hundreds of processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE
LOCKED := --quiet --disable-pip-version-check --require-hashes --no-deps

.PHONY: help up test laws check contract bench results edge clean packages

help:  ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is needed; install it or set PYTHON"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# setuptools builds the editable package; it is locked in dev.txt and comes with the venv otherwise.
$(READY)up: $(VENV)/bin/pip requirements/up.txt pyproject.toml
	@echo "Installing what Raceway runs on (a few minutes the first time) ..."
	$(BIN)/pip install $(LOCKED) -r requirements/up.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Python compiles what it imports and keeps that; compiling all that is installed takes a minute more.
$(READY)dev: $(VENV)/bin/pip requirements/dev.txt pyproject.toml
	@echo "Installing what the tests need (a few minutes the first time) ..."
	$(BIN)/pip install $(LOCKED) --no-compile -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(READY)up

up: $(READY)up  ## Start everything; the console is on http://127.0.0.1:8501
	@exec $(BIN)/raceway up

packages:  ## Install the Debian packages the service tests use (as root), or name them
	@sh tests/packages.sh

check: $(READY)dev  ## Format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --num-workers auto
	$(BIN)/lint-imports --no-cache

# Each core has a worker: what a test calls keeps to one thread, since threads without a core wait for each other, busily.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1

# By files in their order, so that the small ones come last and no core waits for a long one at the end. Services have the
# machine for themselves: most of their time is waiting for each other.
test: packages check  ## Set everything up; run all checks and tests
	$(ONE_THREAD) $(BIN)/pytest -m "not service" --numprocesses auto --dist loadfile --no-loadscope-reorder --durations 25
	$(BIN)/pytest tests/service -m service --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 25

laws: packages $(READY)dev  ## Hold every kernel to TFLite Micro on thousands of drawn networks, for half an hour
	RACEWAY_LAWS=thorough $(BIN)/pytest tests/laws/test_product_laws.py tests/laws/test_kernel_laws.py \
	  tests/unit/test_kernels_on_m4.py

contract: $(READY)dev  ## Write what the node's C code takes from the feature contract
	$(BIN)/python -m edge.node.contract

bench: $(READY)dev packages  ## Measure speed into docs/results
	$(BIN)/raceway bench features --output docs/results/features.json
	$(BIN)/raceway bench ingest --output docs/results/ingest.json
	$(BIN)/raceway bench fleet --output docs/results/fleet.json
	$(BIN)/raceway bench console --output docs/results/console.json --pictures docs/console
	$(BIN)/raceway bench page --output docs/CONSOLE.md
	$(BIN)/raceway results --output docs/RESULTS.md

results: $(READY)dev  ## Measure the models on public data into docs/results
	$(BIN)/raceway --data-dir build/results train diagnosis
	$(BIN)/raceway evaluate cwru-anomaly --output docs/results/cwru-anomaly.json
	$(BIN)/raceway evaluate cwru-envelope --output docs/results/cwru-envelope.json
	$(BIN)/raceway --data-dir build/results evaluate cwru-kind --output docs/results/cwru-kind.json
	$(BIN)/raceway evaluate femto --output docs/results/femto.json
	$(BIN)/raceway evaluate degradation --output docs/results/degradation.json
	$(BIN)/raceway evaluate false-alarms --output docs/results/false-alarms.json
	$(BIN)/raceway evaluate gearbox --output docs/results/gearbox.json
	$(BIN)/raceway evaluate cmapss --output docs/results/cmapss.json
	$(BIN)/raceway evaluate cmapss-int8 --output docs/results/cmapss-int8.json
	$(BIN)/raceway evaluate cwru --protocol size --protocol noise --protocol load --protocol random \
	  --protocol random-noise --jobs 2 --output docs/results/cwru.json
	$(BIN)/raceway evaluate cwru-unknown --output docs/results/cwru-unknown.json
	$(BIN)/raceway results --output docs/RESULTS.md

edge: $(READY)dev packages  ## Measure networks on an emulated Cortex-M4 into docs/results
	$(BIN)/raceway edge bench --output docs/results/edge.json
	$(BIN)/raceway edge page --output docs/EDGE.md

clean:  ## Remove the environment and everything built; measured data stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis test-artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
