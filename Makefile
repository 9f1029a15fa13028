# make demo   set up a virtual environment and run the first experiment
# make test   the same with the test extras, then the test suite
# make lint   linters and the type checker
# make audit  ask PyPI about known vulnerabilities of the pinned packages (needs the network)
# make torture   the cache under processes that die and bits that flip (minutes)
PYTHON ?= python3
BIN := .venv/bin
DEBIAN := apertium-eng-spa wordnet-base
RUN := $(BIN)/python train.py
# torch goes first and by its exact version: a range would let pip take the newest build there is.
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

.PHONY: demo test lint audit torture install debian clean

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

audit: .venv/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9'
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

install: .venv/.demo

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON): Python 3.11 or newer is needed. fix: make PYTHON=python3.11 demo" >&2; exit 2; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "error: $(PYTHON): cannot make a virtual environment. fix: sudo apt-get install python3-venv" >&2; exit 2; }
	@touch $@

.venv/.demo: .venv/.python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/.test: .venv/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
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
