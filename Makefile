# make demo    install, ingest the sample handbook through Dagster, evaluate, release, ask
# make test    install, run the whole suite
# The rest:    install vllm llamaindex browser axe check bench up ui lock clean
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VLLM_VENV := .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.installed
LLAMAINDEX_VENV := .venv-llamaindex
LLAMAINDEX_STAMP := $(LLAMAINDEX_VENV)/.installed
DEMO := .ragline/demo
AXE := .node/node_modules/axe-core/axe.min.js
TEST_WORKERS ?= 2

export PYTHONUNBUFFERED := 1
export DAGSTER_DISABLE_TELEMETRY := 1
export HF_HUB_OFFLINE := 1

.PHONY: help install demo vllm llamaindex browser axe prometheus test check bench up ui lock clean

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

install: $(STAMP) ## Install Ragline and everything it needs into .venv

# uv installs in seconds; it is used when present and otherwise fetched into .venv by pip.
# It does not read pip's find-links setting by itself, so that is handed on when set.
# Compiled bytecode halves the start of every command, and some machines forbid writing it later.
$(STAMP): requirements.lock pyproject.toml
	@uv=$$(command -v uv || true); \
	if [ ! -x $(BIN)/python ]; then \
	  if [ -n "$$uv" ]; then "$$uv" venv --quiet --python $(PYTHON) $(VENV); \
	  else $(PYTHON) -m venv $(VENV); fi; \
	fi; \
	if [ -z "$$uv" ]; then \
	  [ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; \
	  uv=$(BIN)/uv; \
	fi; \
	"$$uv" pip install --quiet --python $(BIN)/python --compile-bytecode \
	  $${PIP_FIND_LINKS:+--find-links "$$PIP_FIND_LINKS"} -r requirements.lock; \
	"$$uv" pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(STAMP)

demo: install ## Ingest the sample handbook, release it, evaluate it, ask questions
	@echo "== The sample handbook becomes a released index, through Dagster"
	RAG_HOME=$(DEMO) $(BIN)/ragline ingest
	@echo "== What became of every document"
	RAG_HOME=$(DEMO) $(BIN)/ragline status
	@echo "== Why it was released: what every gate said"
	RAG_HOME=$(DEMO) $(BIN)/ragline releases show 1
	@echo "== How well it finds and answers the golden questions"
	RAG_HOME=$(DEMO) $(BIN)/ragline evaluate --answers
	@echo "== Questions, answered with citations"
	RAG_HOME=$(DEMO) $(BIN)/ragline ask "How much may a room in London cost me per night on a trip in May 2026?"
	RAG_HOME=$(DEMO) $(BIN)/ragline ask "What should I do when my laptop is stolen?"
	@echo "== Quality over releases and days, as a page"
	RAG_HOME=$(DEMO) $(BIN)/ragline dashboard
	@echo "== Next: 'make up' opens the chat page and the Dagster UI; README.md tells how to ingest your own folder"

vllm: $(VLLM_STAMP) ## Install the vLLM server of the tests into .venv-vllm (2.3 GB)

# A real vLLM for the tests, built for CPUs. Its dependencies clash with Ragline's, hence an
# environment of its own. The overrides leave out what only exists for GPUs.
$(VLLM_STAMP): tests/vllm/requirements.lock tests/vllm/overrides.txt | $(STAMP)
	@uv=$$(command -v uv || echo $(BIN)/uv); \
	[ -x $(VLLM_VENV)/bin/python ] || "$$uv" venv --quiet --python $(BIN)/python $(VLLM_VENV); \
	"$$uv" pip install --quiet --python $(VLLM_VENV)/bin/python --compile-bytecode \
	  $${PIP_FIND_LINKS:+--find-links "$$PIP_FIND_LINKS"} \
	  --overrides tests/vllm/overrides.txt -r tests/vllm/requirements.lock
	@touch $(VLLM_STAMP)

llamaindex: $(LLAMAINDEX_STAMP) ## Install the LlamaIndex client of the tests into .venv-llamaindex

# LlamaIndex's client for OpenAI-like servers needs an older openai package than Ragline.
$(LLAMAINDEX_STAMP): tests/app/api/llamaindex/requirements.lock | $(STAMP)
	@uv=$$(command -v uv || echo $(BIN)/uv); \
	[ -x $(LLAMAINDEX_VENV)/bin/python ] || "$$uv" venv --quiet --python $(BIN)/python $(LLAMAINDEX_VENV); \
	"$$uv" pip install --quiet --python $(LLAMAINDEX_VENV)/bin/python --compile-bytecode \
	  $${PIP_FIND_LINKS:+--find-links "$$PIP_FIND_LINKS"} -r tests/app/api/llamaindex/requirements.lock
	@touch $(LLAMAINDEX_STAMP)

# The tests open the pages in a real browser. Debian's Chromium needs no download but the package.
browser: ## Install the Chromium of the tests, where there is none
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends chromium >/dev/null \
	  || { echo "The tests need Chromium: install it, then run 'make test' again."; exit 1; }; }

# What the browser tests look for barriers with.
axe: $(AXE) ## Install the accessibility checker of the tests into .node

$(AXE):
	npm install --prefix .node --no-save --no-audit --no-fund --silent axe-core@4.14.1

# Alert rules and scraping are tested with the real Prometheus: Debian's package, unpacked beside the
# other programs and not installed, so that no service is started.
prometheus: $(BIN)/prometheus ## Put Prometheus and promtool into .venv, for the tests

$(BIN)/prometheus: | $(STAMP)
	@if command -v prometheus promtool >/dev/null; then \
	  ln -sf "$$(command -v promtool)" $(BIN)/promtool; ln -sf "$$(command -v prometheus)" $@; exit 0; \
	fi; \
	place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; \
	sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	(cd "$$place" && { apt-get download -qq prometheus 2>/dev/null \
	  || { $$sudo apt-get update -qq && apt-get download -qq prometheus 2>/dev/null; }; }) \
	&& dpkg-deb -x "$$place"/prometheus_*.deb "$$place" \
	&& cp "$$place/usr/bin/promtool" $(BIN)/promtool && cp "$$place/usr/bin/prometheus" $@ \
	|| { echo "The tests need Prometheus: install it, then run 'make test' again."; exit 1; }

test: install vllm llamaindex browser axe prometheus ## Run the whole test suite
	$(BIN)/python -m pytest -q -n $(TEST_WORKERS) --dist loadgroup

check: install ## Lint, types, import layers, dead links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/lychee --offline --no-progress README.md 'docs/**/*.md' 'sample/*.md'

bench: install ## Measure, and print the tables
	$(BIN)/python -m benchmarks

ui: install ## Open the Dagster UI of the demo (http://127.0.0.1:3000)
	RAG_HOME=$(DEMO) $(BIN)/ragline ui

up: install ## Everything that serves, on this machine: API, chat page, Dagster UI, daemon
	RAG_HOME=$(DEMO) $(BIN)/ragline up

# The lock is for CPUs: what a CUDA build of torch asks for besides is left to that build.
lock: ## Pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile pyproject.toml --all-extras --python-version 3.11 --quiet --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock
	uv pip compile tests/vllm/requirements.in --overrides tests/vllm/overrides.txt \
	  --python-version 3.11 --quiet --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links --output-file tests/vllm/requirements.lock
	uv pip compile tests/app/api/llamaindex/requirements.in --python-version 3.11 --quiet --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links \
	  --output-file tests/app/api/llamaindex/requirements.lock
	sed -i -E 's/\+cpu$$//; /^(nvidia|cuda)-|^triton=/d' requirements.lock tests/vllm/requirements.lock

clean: ## Remove the installation and all state
	rm -rf $(VENV) $(VLLM_VENV) $(LLAMAINDEX_VENV) .node .ragline .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
