# Every target makes its own environment in .venv, once; a change of the lock or of pyproject.toml makes it anew.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: demo test slow check selftest serve

demo: $(READY)  ## the whole path on the bundled data: load, consents, train, serve, ask
	$(BIN)/sayso demo

test: $(READY)  ## all tests but those that need a browser or much time
	$(BIN)/python -m pytest

slow: $(READY)  ## the tests that need much time, but for those of the proofs, which `make selftest` runs themselves
	$(BIN)/python -m pytest -m slow --ignore-glob='*/test_selftests_*'

selftest: $(READY)  ## what Sayso promises, put to the test at a tenth of the size
	$(BIN)/sayso selftest withheld doors control durability races swaps chain erasure faults bad_data moving offline person

check: $(READY)  ## lint, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: $(READY)  ## the service on the workspace in ./workspace (or SAYSO_WORKSPACE)
	$(BIN)/sayso serve

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sayso needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	@echo "Installing into .venv, which takes a minute or two ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)
