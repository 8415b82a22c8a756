# `make` lists the targets. Each may be called on its own; what it needs is made first.
PYTHON ?=
ARGS ?=
BASE ?=
IMAGE ?= connbeat

VENV := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: docs golden help setup run test unit system testsuite lint format type \
        bench bench-overhead bench-profile soak soak-outputs site image package release clean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with connbeat, every extra and the tools (PYTHON=python3.13 to choose)

# A Python asked for by name is compared with the one in .venv every time.
$(READY): pyproject.toml constraints.txt scripts/setup $(if $(PYTHON),FORCE)
	@PYTHON="$(PYTHON)" scripts/setup
	@touch $@

run: setup ## print the connections of this host and its containers (as root: everybody's); ARGS="..."
	@$(VENV)/connbeat run $(ARGS)

test: setup ## every test, with all that the tests need installed and started (as root on Debian)
	@scripts/test $(ARGS)

unit: setup ## the pure tests: quick, no root, no network, no Linux
	@$(VENV)/python -m pytest tests/unit $(ARGS)

system: setup ## the tests against real namespaces and a real dockerd, nothing installed or started
	@$(VENV)/python -m pytest tests/system $(ARGS)

testsuite: ## every test, nothing made, installed or started before
	@$(VENV)/python -m pytest $(ARGS)

lint: setup ## ruff, its formatter, and the import contracts
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/lint-imports

format: setup ## put the code into shape
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .

type: setup ## mypy, strict
	@$(VENV)/mypy --explicit-package-bases

bench: setup ## every case at every rung, beside tcplife, in one table (bench/README.md); ARGS="--quick"
	@scripts/bench bench $(ARGS)

bench-overhead: setup ## what a program and nginx pay for being watched; ARGS="--pairs 2"
	@scripts/bench bench.overhead $(ARGS)

bench-profile: setup ## where the agent's CPU goes, by room, module and function
	@PATH="$(CURDIR)/$(VENV):$$PATH" scripts/bench bench.profile $(ARGS)

soak: setup ## 15 minutes at 1,000 connections a second: is it flat? (ARGS="--minutes 2")
	@scripts/bench bench.soak $(ARGS)

soak-outputs: setup ## every output under 20 kills at random, and an outage of a minute (CONNBEAT_ORACLE_SEED=n)
	@scripts/test-setup
	@CONNBEAT_ORACLE_KILLS=20 CONNBEAT_ORACLE_OUTAGE=60 $(VENV)/python -m pytest tests/system/test_oracle.py $(ARGS)

golden: setup ## write the golden files of the configuration's messages anew, to be read as a diff
	@UPDATE_GOLDEN=1 $(VENV)/python -m pytest tests/unit/config tests/unit/cli -q
	@git status --short tests/data docs

docs: setup ## write what is made from code: docs/{events,metrics}.md, tables of options, connbeat.reference.yml
	scripts/docs

site: setup ## the documentation as a site, in build/site; every warning is an error
	@NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

image: setup ## the Docker image connbeat:latest (BASE=... to choose its base, IMAGE=... its name)
	@BASE="$(BASE)" IMAGE="$(IMAGE)" scripts/image

package: setup ## deb, rpm, tar.gz, wheel and sdist into dist/, the same for the same commit
	@scripts/package

release: setup ## all checks, every test, the packages twice, compared (ARGS="--tested" without the tests)
	@scripts/release $(ARGS)

clean: ## remove everything the targets made, .venv as well
	rm -rf .venv .cache build dist .coverage* htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
