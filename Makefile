# Equibook. `make help` lists the targets. The first target on a fresh machine makes .venv; later
# ones start at once, until pyproject.toml or constraints.txt changes.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV     := .venv
BIN      := $(VENV)/bin
PY       := $(BIN)/python
COLAB    := .venv-colab
HTML     := _build/html
PORT     ?= 8000
JOBS     ?= 2
CHAPTERS ?= $(wildcard book/*/*.ipynb)
# Set PYTHON to choose the interpreter. Otherwise: the first that works of these.
PYTHON   ?=
PYTHONS  := $(or $(PYTHON),python3.12 python3.11 python3 python3.13 python3.14 python)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore
export PYTHONUTF8 := 1
# no debugger warnings from kernels, no bytecode beside the sources
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export JUPYTER_PLATFORM_DIRS := 1

.PHONY: help book test serve chapters lint unit notebooks pages colab bench picture clean install

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1|\2/' | while IFS='|' read -r t d; do printf '  make %-10s %s\n' "$$t" "$$d"; done

# ---- environments --------------------------------------------------------------------------

install: $(VENV)/.stamp ## make the environment .venv (every other target does it when needed)

$(VENV)/.stamp: pyproject.toml constraints.txt
	@if ! $(PY) -c 'import pip' >/dev/null 2>&1; then \
	  python=""; for p in $(PYTHONS); do \
	    if "$$p" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python="$$p"; break; fi; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo "No Python 3.11 or later, with its module venv, among: $(PYTHONS)." >&2; \
	    echo "Install one (on Debian: apt-get install python3 python3-venv) or say: make PYTHON=/path/to/python ..." >&2; exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$("$$python" --version); this takes a few minutes, once"; \
	  "$$python" -m venv --clear $(VENV) || exit 1; \
	fi
	@$(PY) -m pip install -qq "$$(grep '^pip==' constraints.txt)"
	@$(PY) -m pip install -qq -c constraints.txt -e '.[book,build,test,lint,baselines]'
	@# escnn, the baseline: without its dependencies, one of which needs a Fortran compiler
	@if $(PY) -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then \
	  $(PY) -m pip install -qq --no-deps "$$(sed -nE 's/^(escnn==[^; ]+).*/\1/p' constraints.txt)"; \
	else \
	  echo "Python 3.13 or later: escnn cannot be installed, the comparisons with it are skipped. Use Python 3.11 or 3.12 for them."; \
	fi
	@touch $@

$(COLAB)/.stamp: tests/colab/requirements.txt $(VENV)/.stamp
	@echo "Making $(COLAB), the rehearsal of Colab"
	@$(PY) -m venv --clear $(COLAB)
	@$(COLAB)/bin/python -m pip install -qq "$$(grep '^pip==' constraints.txt)"
	@$(COLAB)/bin/python -m pip install -qq --no-deps -r tests/colab/requirements.txt
	@touch $@

# ---- the book ------------------------------------------------------------------------------

book: $(VENV)/.stamp ## build the HTML book, warnings are errors
	@rm -f $(HTML)/index.html $(HTML)/book/index.html
	@# --all: with no page changed, Sphinx would not copy a changed style sheet
	@$(BIN)/jupyter-book build . -W -n --keep-going -q --all >/dev/null || { echo "The book has problems: see above" >&2; exit 1; }
	@# a build that published nothing has gone unnoticed elsewhere for months
	@for page in index.html book/index.html; do \
	  test -s "$(HTML)/$$page" || { echo "The build left no $(HTML)/$$page" >&2; exit 1; }; done
	@echo "The book is built. Open file://$(abspath $(HTML))/book/index.html or say: make serve"

serve: book ## build, then serve on localhost (PORT=8000)
	@echo "The book is at http://localhost:$(PORT)/ (Ctrl+C stops)"
	@$(PY) -m http.server --bind 127.0.0.1 --directory $(HTML) $(PORT)

chapters: $(VENV)/.stamp ## execute the notebooks in place and save their outputs (CHAPTERS=book/…/x.ipynb)
	@EQUIBOOK_EXPLORE=static CUDA_VISIBLE_DEVICES= $(PY) tools/execute_chapters.py $(CHAPTERS)

picture: $(VENV)/.stamp ## draw the picture of the landing page again
	@$(PY) tools/draw_subspace.py

# ---- the checks ----------------------------------------------------------------------------

test: $(VENV)/.stamp $(COLAB)/.stamp ## every check: lint, unit, notebooks, book, pages, colab
	@start=$$SECONDS; for check in lint unit notebooks book pages colab; do \
	  echo "== $$check"; $(MAKE) $$check || exit 1; done; echo "All checks passed in $$((SECONDS - start)) s"

lint: $(VENV)/.stamp ## ruff on code and notebooks, mypy on the package
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy

# one thread a worker: two workers share two cores
unit: $(VENV)/.stamp ## the package's tests and the examples in its docstrings
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q -n $(JOBS) --ignore=tests/test_pages.py --ignore=tests/test_colab.py

notebooks: $(VENV)/.stamp ## run every chapter and compare its outputs with the saved ones
	@OMP_NUM_THREADS=1 EQUIBOOK_EXPLORE=static CUDA_VISIBLE_DEVICES= $(PY) -m pytest -q --nbval book -n $(JOBS) --dist loadscope \
	  --nbval-sanitize-with tests/nbval_sanitize.cfg --nbval-cell-timeout 120 -o addopts= -o norecursedirs=.ipynb_checkpoints

pages: $(VENV)/.stamp ## open every page of the built book in Chromium
	@test -s $(HTML)/book/index.html || $(MAKE) book
	@$(PY) -m pytest -q -n $(JOBS) tests/test_pages.py

colab: $(VENV)/.stamp $(COLAB)/.stamp ## run every chapter alone with the versions of Colab
	@$(PY) -m pytest -q -n $(JOBS) tests/test_colab.py

bench: $(VENV)/.stamp ## time the layers against plain ones and escnn (BENCH="--only building")
	@$(PY) -m tests.benchmarks $(BENCH)

clean: ## remove what was built, and the environments
	@rm -rf _build build dist *.egg-info .venv .venv-colab .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
