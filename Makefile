# `make demo` and `make test` need Python 3.11, pip, make and a compiler; everything else they install.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := out/demo

.PHONY: demo test check simulate bench bench-guard lock dist clean

# The main job on the embedded emulator: throttles, transient faults, latency; no AWS account.
demo: $(VENV)/.runtime
	@rm -rf $(DEMO)
	@mkdir -p $(DEMO)
	@$(BIN)/provisioner run jobs/campaign.csv --campaign demo --ledger $(DEMO)/demo.db --out $(DEMO) \
	  --emulate --faults 'throttle=1%,unavailable=1%,latency=30ms~20ms' --rate 250

# Every check: tests with branch coverage, lint, format, types, layers, documentation, the wheel.
test: $(VENV)/.dev
	@BIN=$(BIN) .ci/check

check: test

# Simulated nights, as many as asked for, on every core; ABLATIONS=1 adds the other kinds of nights
# and takes each safeguard away, PUBLISH=1 puts the figures into docs/guarantees.md. Cut short, or
# ended by SECONDS (exit code 75), it goes on where it was: out/simulation.json.
SEEDS ?= 1000
simulate: $(VENV)/.dev
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(ABLATIONS),--every-step 80 --losses 1000 --ablations) \
	  $(if $(PUBLISH),--publish docs/guarantees.md)

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

# Is the working tree slower than BASE? By CPU time in turns, and by instructions where valgrind is.
BASE ?= main
bench-guard: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.guard --base $(BASE)
	@$(BIN)/python -m benchmarks.instructions

$(VENV)/.runtime: .ci/runtime.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .ci/runtime.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: .ci/requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .ci/requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Pins and hashes of everything installed above, without naming an index.
lock: $(VENV)/.dev
	@$(BIN)/pip install --quiet --disable-pip-version-check pip-tools
	@.ci/lock $(BIN)

dist: $(VENV)/.dev
	@$(BIN)/python -m build --outdir dist

clean:
	rm -rf $(VENV) out dist build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
