# her2pyramid: set-up, the demo, and the tests. Every target may be repeated safely.
PYTHON ?= python3
CORES  ?= all
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup run what-if status test test-cluster check format real-slide lock schemas clean-runs

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The stamp is older than the lock file or the package's metadata: install again.
$(VENV)/.installed: envs/dev.lock.txt pyproject.toml
	@echo "Setting up $(VENV) with $$($(PYTHON) --version): pinned packages, 2 to 4 minutes, 6 GB"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.12 setup")'
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/dev.lock.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.installed ## install everything into .venv
	@echo "Ready: source $(BIN)/activate, then snakemake --cores all"

run: $(VENV)/.installed ## run the demo cohort to the report
	@echo "Running the demo cohort; results go to results/ (several minutes)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES)

what-if: $(VENV)/.installed ## tell what an edit will cost: make what-if ARGS="--configfile my.yaml"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python workflow/what_if.py $(ARGS)

status: $(VENV)/.installed ## tell what is stale, and the room it takes: make status ARGS=…
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python workflow/status.py $(ARGS)

test: $(VENV)/.installed ## run all tests but those of the cluster
	@echo "Running the tests (several minutes)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist loadgroup --durations 25 --ignore tests/cluster

test-cluster: $(VENV)/.installed ## run the tests on a Slurm of two nodes (needs its programs)
	@echo "Running the tests on a Slurm of two nodes (several minutes)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest --durations 8 tests/cluster

check: $(VENV)/.installed ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --lint

format: $(VENV)/.installed ## format all code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile workflow

real-slide: $(VENV)/.installed ## run HER2-A, a real slide: make real-slide DATA=folder/of/her2_tma
	@test -f "$(DATA)/HER2-A.tif" || { echo "DATA must be the folder that holds HER2-A.tif"; exit 1; }
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES) \
		--configfile config/her2a.yaml --config data_dir="$(DATA)" votes="$(DATA)/HER2-A.votes.csv" \
		splits="$(DATA)/HER2-A.splits.csv"

lock: ## resolve the lock files and conda files anew (needs uv)
	uv pip compile --quiet --no-header --universal --generate-hashes --python-version 3.11 \
		--group build --group dev pyproject.toml -o envs/dev.lock.txt
	uv pip compile --quiet --no-header --universal --generate-hashes --python-version 3.11 \
		--constraint envs/dev.lock.txt --group build pyproject.toml -o envs/run.lock.txt
	$(PYTHON) envs/write_conda.py

schemas: $(VENV)/.installed ## generate workflow/schemas and docs/tables.md from the types
	$(BIN)/python -m her2pyramid.config
	$(BIN)/python -m her2pyramid.provenance.dictionary docs/tables.md

clean-runs: $(VENV)/.installed ## remove what a run can make again: make clean-runs ARGS=… YES=1
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python workflow/clean_runs.py $(if $(YES),--yes) $(ARGS)
