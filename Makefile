# `make demo` and `make test` work from a fresh checkout with Python 3.11 or later, pip, venv and make.
PYTHON ?= python3
BIN := .venv/bin

# Compiled modules are kept, whatever the caller's environment says: every process compiles all of them anew otherwise,
# and pytest rewrites all assertions again, which is a third of `make check`.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test check style types fast format bench bench-readme accuracy train torture torture-hour fuzz lock clean

demo: .venv/ready
	@$(BIN)/python -m demo

# First what only computes, as fast as the processors go; then what runs gateways, brokers, readers and browsers in
# real time, two at a time, so that they have the processors that they would have.
test: .venv/ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 4 tests/unit tests/property tests/vectors tests/fuzz
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist worksteal tests/integration tests/e2e tests/torture

# Under a minute on two processors, beside each other: the type check has one thread.
check: .venv/ready
	@$(MAKE) --no-print-directory --jobs 3 --output-sync=target style types fast

style: .venv/ready
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .

types: .venv/ready
	@$(BIN)/mypy

fast: .venv/ready
	@$(BIN)/python -m pytest -q -n 2 -m "not slow" tests/unit tests/vectors

format: .venv/ready
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/ready
	@$(BIN)/python -m benchmarks

# The table in the README. `BENCH_AGAINST=../other make bench-readme` compares with another checkout, in turn.
bench-readme: .venv/ready
	@$(BIN)/python -m benchmarks --readme

# How right the floor is, on simulated scenes with known truth: docs/accuracy.md. `ACCURACY=--quick make accuracy`
# plays a small sample. Then recordings of real readers, where there are any in ../shared/recordings.
accuracy: .venv/ready
	@$(BIN)/python -m benchmarks.accuracy $(ACCURACY)
	@$(BIN)/python -m benchmarks.recordings

# Fits the learned layer of the portals to simulated doors, from seeds, and writes gateway/floor/portals/learned.json:
# some ten minutes of a processor. One thread does the sums, so that they come out the same.
train: .venv/ready
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.learn $(TRAIN)

# What holds under faults, on the real daemon, twenty minutes at most: docs/reliability.md.
torture: .venv/ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" TORTURE=long timeout --foreground --signal=INT 1200 $(BIN)/python -m pytest -q tests/torture

# An hour of flood in the unit's own memory, a third of a processor, and one with a bad broker: docs/reliability.md.
torture-hour: .venv/ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" TORTURE=hour $(BIN)/python -m pytest -q tests/torture/test_memory.py \
	  tests/torture/test_bad_broker.py

fuzz: .venv/ready
	@$(BIN)/python -m tests.fuzz

# Everything in the environment comes from the lock file, hashes checked, and then the project itself.
.venv/ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Making the environment in .venv (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

lock:
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	  --group dev --extra demo --no-header --output-file requirements.lock pyproject.toml

clean:
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis artefacts
