# `make demo` and `make test` do all the set-up they need. uv is used where present, brought into .venv where not.
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv || echo $(BIN)/uv)
DEMO := .cupel/demo

.PHONY: demo test soak lint types imports dev report lock clean

demo: .venv/.ready  ## twelve speeches end to end, with no key: a baseline run live, a language model's answers replayed
	@mkdir -p $(DEMO)
	@$(BIN)/cupel run evals/datasets/speeches-demo.jsonl --profile demo --task arguments --out $(DEMO)/speeches.jsonl
	@$(BIN)/python evals/demo.py $(DEMO)/speeches.jsonl

test: .venv/.ready  ## everything but soak and live tests
	$(BIN)/python -m pytest -q -n 2 -m "not soak and not live"

soak: .venv/.ready  ## large fault, load and kill runs
	$(BIN)/python -m pytest -q -m soak

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: .venv/.ready
	$(BIN)/mypy

imports: .venv/.ready
	$(BIN)/lint-imports

dev: .venv/.ready  ## LangGraph Studio's server; it asks for its own worker count
	LANGGRAPH_CLI_NO_ANALYTICS=1 $(BIN)/langgraph dev --n-jobs-per-worker 10 --port 2024

lock:  ## pin every dependency with hashes, without addresses
	$(UV) pip compile -q --generate-hashes --no-emit-index-url --all-extras --universal --python-version 3.11 \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock

.venv/.ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Cupel needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@test -x "$(UV)" || $(BIN)/python -m pip install -q uv
	$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

clean:
	rm -rf .venv .cupel .mypy_cache .ruff_cache .pytest_cache
