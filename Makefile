# Each target makes .venv when it is missing and installs what it needs, once.
PYTHON ?= python3
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.PHONY: help run test check bench gallery docs build clean

help:
	@echo "make run     train a network on handwritten digits (some seconds)"
	@echo "make test    run the tests"
	@echo "make check   lint, types, import directions, budgets"
	@echo "make bench   measure against raw JAX, raw PyTorch and Keras"
	@echo "make gallery run every example in full, and print what each reached"
	@echo "make docs    build the documentation into site/"
	@echo "make build   build the wheel and the source archive into dist/"

run: .venv/.run
	@$(BIN)/keraunos demo

# One thread for each of the workers, or they wait for each other. Each has groups of tests that share what is made for them.
test: .venv/.test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadgroup --no-loadscope-reorder $(ARGS)

check: .venv/.dev .venv/.test
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@$(BIN)/python tools/lint_errors.py
	@$(BIN)/python tools/budgets.py
	@$(BIN)/python tools/check_js.py

bench: .venv/.bench
	@$(BIN)/python -m benchmarks $(ARGS)

gallery: .venv/.test
	@$(BIN)/python tools/gallery.py $(ARGS)

docs: .venv/.docs
	@OMP_NUM_THREADS=1 $(BIN)/sphinx-build -W --keep-going -q -j auto -b html docs site
	@echo "site/index.html"

build: .venv/.dev
	@$(BIN)/python -m build --outdir dist

clean:
	rm -rf .venv site jupyter_execute dist build .pytest_cache .ruff_cache .import_linter_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing Keraunos into .venv …"
	@$(INSTALL) --editable .
	@touch $@

.venv/.test .venv/.dev .venv/.bench .venv/.docs: .venv/.%: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing what 'make $*' needs into .venv …"
	@$(INSTALL) --editable '.[$*]'
	@touch $@
