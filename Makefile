# make demo   set up a virtual environment and run the first experiment
# make test   the same with the test extras, then the test suite
# make lint   linters and the type checker
# make torture   the cache under processes that die and bits that flip (minutes)
# make fuzz   the readers on whatever a fuzzer makes up, an hour each (FUZZ_SECONDS=60 for a minute)
# make newest   unit and contract tests on the newest versions of everything but torch, in an environment of their own
# make lock   constraints.lock anew, the pins with their hashes, after constraints.txt changed
# make locked   set up as make test does, but each package checked against its hash
# make audit  ask PyPI about known vulnerabilities of the pinned packages (needs the network)
# make sbom   dist/sbom.json, a CycloneDX list of what is installed, for a release
PYTHON ?= python3
FUZZ_SECONDS ?= 3600
BIN := .venv/bin
TOOLS := .venv/tools/bin
PIP := -m pip --disable-pip-version-check --quiet
DEBIAN := apertium-eng-spa wordnet-base
RUN := $(BIN)/python train.py
# torch goes first and by its exact version: a range would let pip take the newest build there is.
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

.PHONY: demo test lint torture fuzz newest lock locked audit sbom install debian clean

demo: install debian
	@if command -v apertium >/dev/null; then set -- augment=backtranslate; else set -- augment=duplicate; fi; \
	echo "$(RUN) $$1 balance=oversample"; $(RUN) $$1 balance=oversample

test: .venv/.test debian
	$(BIN)/python -m pytest -n 2

torture: .venv/.test
	$(BIN)/python -m tests.torture

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: .venv/.test
	$(BIN)/python $(PIP) install --no-deps 'atheris>=3.0'
	@for target in read_csv read_jsonl read_parquet check_yaml; do \
		mkdir -p build/fuzz/$$target/corpus && cd build/fuzz/$$target && echo "== $$target, in build/fuzz/$$target" && \
		$(CURDIR)/$(BIN)/python $(CURDIR)/fuzz/$$target.py -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=4096 corpus && \
		cd $(CURDIR) || exit 1; done

newest:
	rm -rf .venv/newest && $(PYTHON) -m venv .venv/newest
	.venv/newest/bin/python $(PIP) install $(TORCH)
	.venv/newest/bin/python $(PIP) install -e '.[test]'
	@echo "other versions than those of constraints.txt:"; .venv/newest/bin/python $(PIP) freeze --exclude-editable | grep -vixFf constraints.txt || true
	.venv/newest/bin/python -m pytest -n 2 tests/unit tests/contract

# Not torch: which of its builds is installed (processor, CUDA, ROCm) is the machine's choice, and each has a hash of its own.
lock: .venv/.tools
	@{ echo "# The packages of constraints.txt with the hashes of their files on PyPI: written by make lock, installed by make locked."; \
	   echo "# The files of every platform; the set was tested on Linux, x86_64, Python 3.11. torch is left out: see Makefile."; \
	   $(TOOLS)/uv pip compile --quiet --no-config --no-deps --generate-hashes --no-annotate --no-header --python-version 3.11 \
		--no-emit-package torch constraints.txt; } >constraints.lock.new && mv constraints.lock.new constraints.lock || { rm -f constraints.lock.new; exit 1; }

locked: .venv/.python
	$(BIN)/python $(PIP) install $(TORCH)
	$(BIN)/python $(PIP) install --no-deps --require-hashes -r constraints.lock
	$(BIN)/python $(PIP) install --no-deps -e .
	$(BIN)/python -m pip check
	@touch .venv/.demo .venv/.test

# --strict: a package that the database does not know is a failure, else an audit that reached nothing would pass.
audit: .venv/.tools
	$(TOOLS)/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

sbom: .venv/.tools .venv/.demo
	@mkdir -p dist
	$(TOOLS)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json $(BIN)/python

install: .venv/.demo

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON): Python 3.11 or newer is needed. fix: make PYTHON=python3.11 demo" >&2; exit 2; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "error: $(PYTHON): cannot make a virtual environment. fix: sudo apt-get install python3-venv" >&2; exit 2; }
	@touch $@

.venv/.demo: .venv/.python pyproject.toml constraints.txt
	$(BIN)/python $(PIP) install $(TORCH)
	$(BIN)/python $(PIP) install -c constraints.txt -e .
	@touch $@

.venv/.test: .venv/.demo
	$(BIN)/python $(PIP) install -c constraints.txt -e '.[test]'
	@touch $@

# In an environment of their own, so that they move no pin of ours.
.venv/.tools: .venv/.python
	@$(BIN)/python -m venv .venv/tools
	$(TOOLS)/python $(PIP) install 'pip-audit>=2.9' 'cyclonedx-bom>=7' 'uv>=0.9'
	@touch $@

# Apertium and WordNet: installed where apt may be used, else named together with what works without them.
debian:
	@missing=""; for package in $(DEBIAN); do dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as=""; elif sudo -n true 2>/dev/null; then as="sudo -n"; else as="no"; fi; \
	if [ "$$as" != no ] && command -v apt-get >/dev/null && \
		$$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; then exit 0; fi; \
	echo "missing:$$missing (sudo apt-get install$$missing); until then augment=backtranslate needs Apertium, augment=synonym and augment=eda need WordNet; everything else works" >&2

clean:
	rm -rf .venv build dist
