SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(shell find protos -name '*.proto' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help run test lint typecheck protos docs bench bench-firewall bench-anomaly bench-analytics up down doctor

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Orca needs Python >= 3.11 (PYTHON=…)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml hatch_build.py $(PROTOS) | $(BIN)/python
	@echo "installing Orca into $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@echo "installing the test tools into $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

run: $(VENV)/.runtime ## start the embedded profile in the foreground (state in ./.orca)
	@exec $(BIN)/orca up

test: $(VENV)/.dev ## run the whole test suite
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## ruff, import contracts, protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf breaking --against released.binpb

typecheck: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

protos: $(BIN)/python ## generate the protobuf stubs
	$(BIN)/python hatch_build.py

docs: $(VENV)/.runtime ## write .env.example, docs/configure.md, docs/events.md, the tables of docs/guardrail*.md
	$(BIN)/python -m services.allinone.reference
	$(BIN)/python -m services.analytics.event_reference
	$(BIN)/python -m services.guardrail.entity_reference
	$(BIN)/python -m services.guardrail.secret_reference

bench: $(VENV)/.dev ## measure overhead and throughput on this machine
	$(BIN)/python -m tests.bench.relay

bench-guardrail: $(VENV)/.dev ## measure finding personal data and secrets; ARGS="--peers PYTHON" compares
	PYTHONPATH=.:protos $(BIN)/python -m tests.bench.guardrail $(ARGS)

bench-firewall: $(VENV)/.dev ## measure what the firewall's levels refuse, and how fast; ARGS="SEED -v"
	PYTHONPATH=.:protos $(BIN)/python -m tests.bench.firewall $(ARGS)

bench-anomaly: $(VENV)/.dev ## measure the anomaly scorer on simulated tenants
	PYTHONPATH=.:protos $(BIN)/python -m tests.bench.anomaly $(ARGS)
	PYTHONPATH=.:protos $(BIN)/python -m tests.bench.anomaly_shapes

bench-analytics: $(VENV)/.dev ## measure ingestion and feeds of analytics
	PYTHONPATH=.:protos $(BIN)/python -m tests.bench.analytics $(ARGS)

up: ## start the distributed profile with Docker
	docker compose -f deploy/compose/compose.yaml up -d --wait

down: ## stop the distributed profile
	docker compose -f deploy/compose/compose.yaml down

doctor: $(VENV)/.runtime ## check a running instance
	$(BIN)/orca doctor
