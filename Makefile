# The two commands of the README: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Tests start their own gateways on free ports, so they run side by side.
PYTEST_WORKERS ?= 3
FUZZ_EFFORT ?= 100
SOURCES := pyproject.toml hatch_build.py $(wildcard proto/*.proto)

.PHONY: help demo demo-stop check test prometheus fuzz conformance faults chaos image-check format docs bench bench-public \
	reload-check soak install clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

demo: $(VENV)/.installed ## start the gateway in front of a mock provider and send a first chat through it
	@$(BIN)/planoctl demo

demo-stop: $(VENV)/.installed ## stop what `make demo` started
	@$(BIN)/planoctl down --instance demo

check: $(VENV)/.installed-dev ## lint, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.installed-dev ## all tests
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

fuzz: $(VENV)/.installed-dev ## the property tests of everything that parses, long (FUZZ_EFFORT=100: times what `make test` does)
	FUZZ_EFFORT=$(FUZZ_EFFORT) $(BIN)/pytest -n $(PYTEST_WORKERS) --dist worksteal --timeout 3600 tests/fuzz $(PYTEST_ARGS)

conformance: $(VENV)/.installed-dev ## every client format × provider format through a real gateway, case by case
	@$(BIN)/python -m tests.conformance.with_plano $(CONFORMANCE_ARGS)

image-check: $(VENV)/.installed-dev ## run the Dockerfile's build without Docker, and then what it built
	$(BIN)/python tests/image_check.py
faults: $(VENV)/.installed-dev ## try every fault that can hit a gateway and write docs/faults.md (some minutes; as root also a full disk)
	@$(BIN)/python -m tests.faults --write $(FAULTS_ARGS)

chaos: $(VENV)/.installed-dev ## kill -9 of every process under load, twenty times (two minutes)
	@$(BIN)/python -m tests.faults.chaos --write $(CHAOS_ARGS)

prometheus: $(VENV)/bin/python ## put Debian's Prometheus into .venv, for the test of dashboards and alerts (needs apt-get)
	@test -x $(VENV)/prometheus/usr/bin/prometheus || { apt-get update --quiet=2 && \
	  cd $(VENV) && apt-get download --quiet=2 prometheus && dpkg -x prometheus_*.deb prometheus && rm prometheus_*.deb; }

format: $(VENV)/.installed-dev ## write the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-dev ## renew the generated parts of the documentation
	$(BIN)/python docs/build.py

bench: $(VENV)/.installed-dev ## measure the gateway beside a bare Envoy (needs a C compiler)
	$(BIN)/python tests/bench/run.py $(BENCH_ARGS)

bench-public: $(VENV)/.installed-dev ## compare with LiteLLM's proxy and others, and write docs/benchmarks/ (20 minutes)
	$(BIN)/python -m tests.bench.public $(BENCH_ARGS)
	$(BIN)/python docs/build.py

reload-check: $(VENV)/.installed-dev ## reload each second for a minute under load, and count what clients notice
	@$(BIN)/python -m tests.reload $(RELOAD_ARGS)

soak: $(VENV)/.installed-dev ## mixed traffic for SOAK_MINUTES (30): nothing may grow, nothing may fail (needs a C compiler)
	@$(BIN)/python -m tests.soak $(SOAK_ARGS)

install: $(VENV)/.installed ## make .venv and install planoctl into it

$(VENV)/bin/python:
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'

$(VENV)/.installed: $(SOURCES) | $(VENV)/bin/python
	@echo "installing planoctl into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: $(SOURCES) | $(VENV)/bin/python
	@echo "installing planoctl and its development tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@ $(VENV)/.installed

clean: ## remove what was built
	rm -rf $(VENV) plano_pb build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache tests/bench/llmbench
