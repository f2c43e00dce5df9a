# `make check` judges the reference servers, `make test` tests this project. Both make the environment they need first.
#
#   make check                 the verdicts, and where the report lies
#   make test                  the harness's own tests, then the suites
#   make lint                  formatting, lint and types, as CI asks for them
#   make format                formats the code
#   make constraints.txt       renews the pinned versions (make -B when nothing has changed)
#   make clean                 removes the environment, caches and reports of runs
#
#   PYTHON=python3.12 make …   another interpreter, 3.11 or later, for a fresh environment

PYTHON ?= python3
ENVIRONMENT := .venv
RUN := $(ENVIRONMENT)/bin/python -m
INSTALLED := $(ENVIRONMENT)/installed
PIP := $(RUN) pip --disable-pip-version-check --no-input --quiet

.PHONY: check test harness-test suites-test lint format environment clean
.DELETE_ON_ERROR:

check: $(INSTALLED)
	$(RUN) harness check

test: harness-test suites-test

# The number of workers is measured (docs/dependencies.md, pytest-xdist).
harness-test: $(INSTALLED)
	$(RUN) pytest harness/tests -q -n 2 --dist worksteal

suites-test: $(INSTALLED) harness-test
	$(RUN) pytest suites -q -n 4 --dist worksteal

lint: $(INSTALLED)
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

format: $(INSTALLED)
	$(RUN) ruff format .

environment: $(INSTALLED)

# The build backend is installed first, pinned as all the rest, and used as it is: an isolated build would download its
# own. Debian has Python without ensurepip (package python3-venv); there its pip, if there is one, lends a hand.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("sockspec needs Python 3.11 or later" if sys.version_info < (3, 11) else 0)'
	@echo "making the environment in $(ENVIRONMENT) …"
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  && $(PYTHON) -m venv $(ENVIRONMENT) \
	  || { $(PYTHON) -m venv --without-pip $(ENVIRONMENT) && $(PYTHON) -m pip --python $(ENVIRONMENT) install --quiet pip; } \
	  || { echo "$(PYTHON) can install nothing: it needs ensurepip or pip (Debian: python3-venv)"; exit 1; }
	@$(PIP) install --constraint constraints.txt hatchling editables
	@$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@

constraints.txt:
	@true

clean:
	rm -rf $(ENVIRONMENT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist reports/runs
