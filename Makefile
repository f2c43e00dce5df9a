# `make check` judges the reference servers, `make test` tests this project. Both make the environment they need first.
#
#   make check         the verdicts, and where the report lies
#   make test          the harness's own tests, then the suites
#   make proof         shows that the suites can fail: every mutant must be rejected, and no correct server; fetches some
#   make docs          builds the site into build/site
#   make lint          formatting, lint and types, as CI asks for them
#   make format        formats the code
#   make constraints   renews the pinned versions
#   make clean         removes the environment, caches, builds and the reports of runs
#
#   make PYTHON=python3.12 …   takes another interpreter, 3.11 or later, for a fresh environment

PYTHON ?= python3
ENVIRONMENT := .venv
INSTALLED := $(ENVIRONMENT)/installed
RUN := $(ENVIRONMENT)/bin/python -m
PIP_QUIETLY := pip --disable-pip-version-check --no-input --quiet
PYTEST := $(RUN) pytest -q --dist load --maxschedchunk 1 --durations=20 --durations-min=0.5

# pytest rewrites assertions when it imports a test; who forbids it to keep that pays a second in each worker.
export PYTHONDONTWRITEBYTECODE :=

# The suites mostly wait, the harness's own tests compute (docs/dependencies.md has the figures, under pytest-xdist).
PROCESSORS := $(shell nproc)

.NOTPARALLEL:
.PHONY: check proof test docs test-harness test-suites lint lint-format lint-code lint-types format environment constraints clean

check: $(INSTALLED)
	$(RUN) harness check

proof: $(INSTALLED)
	$(RUN) harness proof --install

test: test-harness test-suites

test-harness: $(INSTALLED)
	$(PYTEST) -n $$((3 * $(PROCESSORS) / 2)) harness/tests

# scapy reads a sample of every capture too (docs/scapy.md; bench/README.md has what that costs).
test-suites: $(INSTALLED)
	$(PYTEST) -n $$((5 * $(PROCESSORS))) --cross-check-sample 12 suites

docs: $(INSTALLED)
	$(RUN) mkdocs --quiet build --strict

lint: lint-format lint-code lint-types

lint-format: $(INSTALLED)
	$(RUN) ruff format --check .

lint-code: $(INSTALLED)
	$(RUN) ruff check --quiet .

lint-types: $(INSTALLED)
	$(RUN) mypy

format: $(INSTALLED)
	$(RUN) ruff format .

environment: $(INSTALLED)

# A Python without ensurepip (Debian keeps it in python3-venv) may still have a pip that lends a hand.
define new_environment
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv $(1) \
	|| { $(PYTHON) -m venv --without-pip $(1) && $(PYTHON) -m $(PIP_QUIETLY) --python $(1) install pip; } \
	|| { echo "$(PYTHON) has neither ensurepip nor pip, so nothing can be installed (Debian: python3-venv)"; exit 1; }
endef

# The build backend comes first, pinned as all the rest, and is used as it is: an isolated build would download its own.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "making the environment in $(ENVIRONMENT)"
	@$(call new_environment,$(ENVIRONMENT))
	@$(RUN) $(PIP_QUIETLY) install --constraint constraints.txt hatchling editables
	@$(RUN) $(PIP_QUIETLY) install --constraint constraints.txt --no-build-isolation --editable '.[dev,docs]'
	@touch $@

constraints:
	rm -rf build/fresh
	@$(call new_environment,build/fresh)
	build/fresh/bin/python -m $(PIP_QUIETLY) install --editable '.[dev,docs]'
	{ grep '^#' constraints.txt; build/fresh/bin/python -m pip freeze --exclude-editable; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/fresh

clean:
	rm -rf $(ENVIRONMENT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist reports/runs
