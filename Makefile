# Everything that a newcomer needs: `make demo` to see it work, `make test` to trust it.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
SETUP = pyproject.toml constraints.txt
PEERS = .cache/peers

.PHONY: help demo lint check test proof bench frontend clean

help:
	@echo "make demo   install what the service needs, and see it flag synthetic studies"
	@echo "make test   install everything, then style, types, layers and every test"
	@echo "make check  the fast part of it, for every change"
	@echo "make bench  speed and memory beside other tools (FIGURES=... for some of them)"
	@echo "make proof  the long form of the property-based tests"
	@echo "make frontend  rebuild the reading station's pages (node 20 or newer)"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(SETUP) | $(BIN)/python
	$(PIP) -e .
	@touch $@

# All extras, so that the licence check sees every dependency that could ship.
$(VENV)/.full: $(SETUP) | $(BIN)/python
	$(PIP) -e '.[all,dev]'
	@touch $@ $(VENV)/.base $(VENV)/.station

# The service and its station, without torch.
$(VENV)/.station: $(SETUP) | $(BIN)/python
	$(PIP) -e '.[station]'
	@touch $@ $(VENV)/.base

demo: $(VENV)/.station
	@BIN=$(BIN) ./demo.sh

lint: $(VENV)/.full
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

check: lint
	$(BIN)/pytest -q -n 2 -m 'not slow'

test: lint
	$(BIN)/pytest -q -n 2 --durations=10

proof: $(VENV)/.full
	$(BIN)/pytest -q -n 2 --timeout=0 --hypothesis-profile=proof

# The peers see the torch that is here already; what they bring themselves comes first.
$(PEERS)/.done: benchmarks/peers.txt | $(VENV)/.full
	$(PYTHON) -m venv $(PEERS)
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > \
		"$$($(PEERS)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/torch.pth"
	$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet -r benchmarks/peers.txt
	@touch $@

bench: $(VENV)/.full $(PEERS)/.done
	$(BIN)/python benchmarks/run.py --peers $(PEERS)/bin/python $(FIGURES)

# The build is committed: only who changes the pages needs node.
frontend:
	cd frontend && npm ci && npm run build

clean:
	rm -rf demo build dist .cache
