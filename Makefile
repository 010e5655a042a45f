# Everything happens in $(VENV), which is made on first use and again only when pyproject.toml changes.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python -m
PIP := $(RUN) pip --disable-pip-version-check --quiet
# pip would compile on one core, and the tests of packages too.
INSTALL := $(PIP) install --no-compile
COMPILE := $(RUN) compileall -qq --workers 0 -x '/tests?/' $(VENV)/lib
# One process more than there are cores, since many tests wait for servers and for other processes.
PYTEST := $(RUN) pytest --numprocesses $(shell expr $$(nproc 2>/dev/null || echo 2) + 1) --dist worksteal
unexport PYTHONDONTWRITEBYTECODE  # or each of the many processes of the tests would compile the package anew, which is done once
APT := DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends

TWO := $(MAKE) --no-print-directory --jobs 2 --output-sync=target

.PHONY: demo test coverage lint style types docs promises bench soak screenshots clean servers installed mariadb chromium
.DELETE_ON_ERROR:

demo: $(VENV)/.demo  ## the example on real data: lineage, rows and bytes, and an answer
	@$(RUN) examples.nyc_flights

test: $(VENV)/.dev servers  ## every test
	@$(RUN) compileall -qq --workers 0 warehouse_assets io_managers examples
	@$(PYTEST)

coverage: $(VENV)/.dev servers  ## every test, and which lines and branches they reach; it takes half as long again
	@$(PYTEST) --cov --cov-report term:skip-covered

lint: $(VENV)/.dev  ## style, types and the direction of imports; whether the documentation can be built is one of the tests
	@$(TWO) types style

style: $(VENV)/.dev
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@$(VENV)/bin/lint-imports

types: $(VENV)/.dev
	@$(RUN) mypy

docs: $(VENV)/.dev  ## the documentation as a site, from the pages in docs/ and the docstrings
	@$(RUN) sphinx --quiet --fresh-env --fail-on-warning --keep-going docs build/docs
	@echo "The documentation is in build/docs/index.html"

promises: $(VENV)/.dev servers  ## the table of promises and stores in the documentation, from the results of all tests
	@$(PYTEST) --promises

bench: $(VENV)/.dev  ## every benchmark, on stores that are files and on PostgreSQL
	@$(RUN) benchmarks all

screenshots: $(VENV)/.dev chromium  ## each page of the web UI on the example, into build/screenshots; those that are shown into docs/images
	@$(RUN) tests.web.browser.screenshots

soak: $(VENV)/.dev  ## kill daemons, runs and the server of their record a hundred times, and look that no run is lost or doubled
	@$(RUN) tests.soak

clean:
	rm -rf build dist .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.demo: pyproject.toml | $(VENV)/.made
	@echo "Installing what the demo needs into $(VENV)"
	@$(INSTALL) --editable '.[duckdb,parquet]' --group demo
	@$(COMPILE) || true  # some packages ship templates that are no Python
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.made
	@echo "Installing what the tests need into $(VENV)"
	@$(INSTALL) --editable '.[all]' --group test --group lint
	@$(COMPILE) || true
	@touch $@

servers: $(VENV)/.dev
	@$(TWO) installed $(VENV)/.swift

installed:  # by the system and by npm, one after the other
	@$(MAKE) --no-print-directory mariadb
	@$(MAKE) --no-print-directory chromium
	@$(MAKE) --no-print-directory $(VENV)/.azurite

# The packages without the service: the tests start a server of their own, and nothing runs beside them.
mariadb:
	@(PATH="$$PATH:/usr/sbin"; command -v mariadbd && command -v mariadb-install-db && command -v my_print_defaults) >/dev/null \
		|| { test "$$(id -u)" = 0 && apt-get update -qq && $(APT) mariadb-server-core mariadb-client-core; } \
		|| { echo "MariaDB is missing: sudo apt-get install --no-install-recommends mariadb-server-core mariadb-client-core"; exit 1; }

chromium:
	@(command -v chromium || command -v chromium-browser || command -v google-chrome || command -v google-chrome-stable) >/dev/null \
		|| { test "$$(id -u)" = 0 && apt-get update -qq && $(APT) chromium; } \
		|| { echo "Chromium is missing: sudo apt-get install --no-install-recommends chromium"; exit 1; }

# Swift wants releases of its own, so it lives apart.
$(VENV)/.swift: | $(VENV)/.made
	@echo "Installing the object store of the tests into $(VENV)/swift"
	@$(PYTHON) -m venv --clear $(VENV)/swift
	@$(VENV)/swift/bin/python -m pip --disable-pip-version-check --quiet install 'swift>=2.38' 'pyeclib>=1.7' 'setuptools<81'
	@touch $@

$(VENV)/.azurite: | $(VENV)/.made
	@command -v npm >/dev/null \
		|| { test "$$(id -u)" = 0 && apt-get update -qq && $(APT) nodejs npm; } \
		|| { echo "npm is missing: sudo apt-get install --no-install-recommends nodejs npm"; exit 1; }
	@echo "Installing what stands in for Azure in the tests into $(VENV)/node"
	@mkdir -p $(VENV)/node
	@npm install --prefix $(VENV)/node --no-audit --no-fund --loglevel error azurite@^3.35
	@touch $@

# Debian and Ubuntu ship Python without its venv module; pip older than 25.1 knows no dependency groups.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -qq -y python3-venv; } \
		|| { echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@
