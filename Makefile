.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
ARGS ?=

BUILD := build
BOOT := $(BUILD)/boot
VENV := $(BUILD)/venv
MONGO := $(BUILD)/venv-mongo
BENCH := $(BUILD)/venv-bench
SCHEMACHANGE := $(BUILD)/venv-schemachange
CHECKOV := $(BUILD)/venv-checkov
AIRFLOW := $(BUILD)/venv-airflow
STAMPS := $(BUILD)/stamps
UV := $(BOOT)/bin/uv
PY := $(VENV)/bin/python
C360 := $(VENV)/bin/c360
PYTEST := $(PY) -m pytest
TWO := -n 2 --dist loadfile --no-loadscope-reorder
DAGTEST = $(AIRFLOW)/bin/python -m pytest tests/dags --confcutdir=tests/dags --durations=10

# Trust the machine's own certificate store where it has one (company proxies), else uv's list.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),1,0)
export UV_NO_CONFIG := 1

INSTALL = $(UV) pip install -q --require-hashes
LOCK = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
# For the Python of Databricks Runtime 18 LTS, which keeps its own Spark, what that is built with, and what its MLflow shares with us.
LOCK_DATABRICKS = $(subst --universal --python-version 3.11,--python-version 3.12 --python-platform x86_64-manylinux_2_28,$(LOCK)) \
	$(addprefix --no-emit-package ,numpy packaging pandas pyarrow)

.PHONY: help demo test test-fast test-spark test-stack test-long test-adls test-browser test-cloud test-docker test-airflow airflow schemachange bench bench-scd2 bench-connect bench-view bench-loader bench-replay check wheel docs fmt env dev setup lock lock-jars clean FORCE
help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

demo: setup ## Set up and run the whole platform; ARGS="--seconds 60 --rate 500" and the like
	@$(C360) demo $(ARGS)

test: dev setup $(STAMPS)/airflow ## All tests but the long ones: the fast ones, those with Spark, those on real servers, those of the page, those of the DAGs
	@$(PYTEST) tests -n auto -m "not spark and not stack and not browser and not adls and not docker"
	@$(PYTEST) tests -m spark $(TWO)
	@$(PYTEST) tests -m "(stack or browser) and not long" $(TWO) --durations=25
	@$(DAGTEST) -m "not long"

test-fast: dev ## Only the tests that need no server
	@$(PYTEST) tests -n auto -m "not spark and not stack and not browser and not adls and not docker"

test-spark: dev setup ## Only the Spark tests
	@$(PYTEST) tests -m spark $(TWO)

test-stack: dev setup ## Only the tests against real local servers
	@$(PYTEST) tests -m stack $(TWO) --durations=25

test-long: dev setup $(STAMPS)/airflow ## Only those that take minutes for a rare case, which `make test` leaves out
	@$(PYTEST) tests -m long --durations=25
	@$(DAGTEST) -m long

CLOUD := ACCOUNT HOST PORT PROTOCOL USER ROLE WAREHOUSE PRIVATE_KEY_FILE STREAMING_URL
test-cloud: dev setup ## Tests on the Snowflake account of C360_WAREHOUSE__*: they make scratch databases there, and drop them
	@for name in $(CLOUD); do eval "value=\$$C360_WAREHOUSE__$$name"; test -n "$$value" || { echo "error: C360_WAREHOUSE__$$name is not set" >&2; echo "hint: docs/warehouse.md, On an account" >&2; exit 2; }; done
	@$(PYTEST) tests -m cloud

test-adls: dev ## Only those of a lake on ADLS, as Azurite shows it (needs Node.js)
	@$(C360) setup --lake adls
	@$(PYTEST) tests -m adls --durations=10

test-docker: dev ## Tests that build and start docker-compose.yml: need a Docker engine, 12 GB of memory, a network
	@$(PYTEST) tests/docker -m docker

test-browser: dev ## Only the tests of the live page in a browser
	@$(PYTEST) tests -m browser

airflow: env $(STAMPS)/airflow ## Start Airflow for the running stack; ARGS="--state DIR --port N"
	@$(C360) airflow $(ARGS)

test-airflow: setup $(STAMPS)/airflow ## Only the tests of the DAGs, also on a real stack, with Airflow's own environment
	@$(DAGTEST)

bench: dev setup $(STAMPS)/bench ## Measure everything against a peer or a floor, one after the other; ARGS="--only commit,replay"
	@$(PY) benchmarks/bench.py $(ARGS)

bench-scd2: setup $(STAMPS)/bench ## Measure SCD2 batches, by table size, MERGE, dlt and dbt; ARGS=--quick for a try
	@$(PY) benchmarks/scd2.py $(ARGS)

bench-connect: env ## Time `c360 connect` against curl on the running stack; ARGS="--state DIR"
	@$(PY) benchmarks/connect.py $(ARGS)

bench-view: dev ## Measure the generator, and batches of the 360 view against its recomputation; ARGS=--quick for a try
	@$(PY) benchmarks/view360.py $(ARGS)

bench-loader: dev ## Measure the loader against the SDK on prebuilt rows, and its memory while the warehouse stands; ARGS=--quick for a try
	@$(PY) benchmarks/loader.py $(ARGS)

bench-replay: dev setup ## Measure a replay against Kafka's own perf-test on one broker, and how late it is when idle; ARGS=--quick for a try
	@$(PY) benchmarks/replay.py $(ARGS)

check: dev $(STAMPS)/checkov ## ruff, mypy strict, import-linter, and what looks at infra/ and docker-compose.yml
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(PY) -m infra.checks

wheel: env ## Build the wheel of this checkout, which `databricks bundle deploy` takes: infra/databricks/dist
	@rm -rf $(BUILD)/lib infra/databricks/dist
	@$(UV) build -q --wheel --no-build-isolation --python $(PY) -o infra/databricks/dist .

docs: env ## Make the pages that come from the code
	@$(PY) -m commerce360.cli.reference
	@$(PY) -m infra.checks.contracts

fmt: dev ## Format the code
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

schemachange: $(STAMPS)/schemachange ## schemachange in an environment of its own: build/venv-schemachange/bin/schemachange

env: $(STAMPS)/env ## The Python environment that the demo needs
dev: $(STAMPS)/dev ## The same with test and lint tools

setup: $(STAMPS)/env $(STAMPS)/mongo ## Everything that must be there before a start
	@$(C360) setup

# Looked at every time: another Python, or a checkout that was moved, makes every environment anew.
$(STAMPS)/python: FORCE
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "error: $(PYTHON) is not here" >&2; echo "hint: install Python 3.11 to 3.13, or set PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "error: $$($(PYTHON) --version) is not supported" >&2; echo "hint: install Python 3.11 to 3.13, or set PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) cannot make environments" >&2; echo "hint: install its venv package, such as python3-venv" >&2; exit 2; }
	@mkdir -p $(@D)
	@$(PYTHON) -c 'import os, sys; print(sys.executable, sys.version, os.getcwd())' > $@.new
	@cmp -s $@.new $@ && rm $@.new || { rm -rf $(BOOT) $(VENV) $(MONGO) $(BENCH) $(SCHEMACHANGE) $(CHECKOV) $(AIRFLOW); mv $@.new $@; }

FORCE:

$(STAMPS)/uv: requirements/uv.txt $(STAMPS)/python
	@echo "making the environment"
	@$(PYTHON) -m venv $(BOOT)
	@$(BOOT)/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

# pyspark comes as a source archive; a wheel without compression is built in half the time.
$(BUILD)/wheel.cfg:
	@mkdir -p $(@D) && printf '[bdist_wheel]\ncompression = stored\n' > $@

$(STAMPS)/env: requirements/runtime.txt setup.cfg pyproject.toml $(BUILD)/wheel.cfg $(STAMPS)/uv
	@echo "installing Python packages"
	@test -x $(PY) || $(UV) venv -q --python $(BOOT)/bin/python $(VENV)
	@DIST_EXTRA_CONFIG="$(CURDIR)/$(BUILD)/wheel.cfg" $(INSTALL) --python $(PY) -r requirements/runtime.txt
	@$(UV) pip install -q --python $(PY) --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/env
	@DIST_EXTRA_CONFIG="$(CURDIR)/$(BUILD)/wheel.cfg" $(INSTALL) --python $(PY) -r requirements/dev.txt
	@touch $@

# A program of its own (GPL), never imported: its own environment.
$(STAMPS)/mongo: requirements/mongo.txt $(STAMPS)/uv
	@test -x $(MONGO)/bin/python || $(UV) venv -q --python $(BOOT)/bin/python $(MONGO)
	@$(INSTALL) --python $(MONGO)/bin/python -r requirements/mongo.txt
	@touch $@

# What the benchmark compares with; its pins are not ours.
$(STAMPS)/bench: requirements/bench.txt $(STAMPS)/uv
	@test -x $(BENCH)/bin/python || $(UV) venv -q --python $(BOOT)/bin/python $(BENCH)
	@$(INSTALL) --python $(BENCH)/bin/python -r requirements/bench.txt
	@touch $@

# Looks at the Terraform files; heavy, and its pins are not ours.
$(STAMPS)/checkov: requirements/checkov.txt $(STAMPS)/uv
	@test -x $(CHECKOV)/bin/python || $(UV) venv -q --python $(BOOT)/bin/python $(CHECKOV)
	@$(INSTALL) --python $(CHECKOV)/bin/python -r requirements/checkov.txt
	@touch $@

# For those who migrate with schemachange; `c360 warehouse apply` does not need it.
$(STAMPS)/schemachange: requirements/schemachange.txt $(STAMPS)/uv
	@test -x $(SCHEMACHANGE)/bin/python || $(UV) venv -q --python $(BOOT)/bin/python $(SCHEMACHANGE)
	@$(INSTALL) --python $(SCHEMACHANGE)/bin/python -r requirements/schemachange.txt
	@touch $@

# Its pins are not ours; it never imports our code, but calls `c360`.
$(STAMPS)/airflow: requirements/airflow.txt $(STAMPS)/uv
	@echo "installing Airflow"
	@test -x $(AIRFLOW)/bin/python || $(UV) venv -q --python $(BOOT)/bin/python $(AIRFLOW)
	@$(INSTALL) --python $(AIRFLOW)/bin/python -r requirements/airflow.txt
	@touch $@

lock: $(STAMPS)/uv ## Maintainers: renew the hash-pinned requirements
	$(LOCK) setup.cfg --extra lake --extra calendar --extra warehouse --extra shop --extra page --extra local --extra sentiment --extra tableau --extra load --extra eventhubs -o requirements/runtime.txt
	$(LOCK) setup.cfg --all-extras -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) requirements/mongo.in -o requirements/mongo.txt
	$(LOCK) requirements/bench.in -o requirements/bench.txt
	$(LOCK) requirements/schemachange.in -o requirements/schemachange.txt
	$(LOCK) requirements/checkov.in -o requirements/checkov.txt
	$(LOCK) requirements/airflow.in -o requirements/airflow.txt
	$(LOCK_DATABRICKS) setup.cfg requirements/databricks.in -c requirements/runtime.txt -o infra/databricks/requirements.txt
	$(LOCK) requirements/uv.in -o requirements/uv.txt

lock-jars: $(STAMPS)/env ## Maintainers: renew the jar lock (needs Maven)
	$(PY) -m commerce360.local.bootstrap.lock_jars

clean: ## Remove everything that was made here (not the user's cache)
	rm -rf $(BUILD) infra/databricks/dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
