# Targets for people; each is one or two commands that can be run by hand.
VENV := .venv
PYTHON ?= python3.11
MODEL ?= demo
CORES ?= 2
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export TOKENIZERS_PARALLELISM := false
export HF_HUB_DISABLE_TELEMETRY := 1
export TQDM_MININTERVAL := 2

.PHONY: help demo grid test lint bench clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /	/' | expand -t 12

$(VENV)/installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	touch $@

demo: $(VENV)/installed  ## the paper in miniature, no download: outputs/demo/report
	snakemake --quiet rules --cores $(CORES) --config model=demo
	@cat outputs/demo/report/grid.md

grid: $(VENV)/installed  ## the grid of recipes/$(MODEL), as in: make grid MODEL=smollm2-135m
	snakemake --cores $(CORES) --config model=$(MODEL)

test: $(VENV)/installed  ## the whole test suite, offline
	pytest

lint: $(VENV)/installed  ## ruff: rules and format
	ruff check .
	ruff format --check .

bench: $(VENV)/installed  ## our evaluation and Trainer.predict side by side
	python tests/benchmarks/bench_evaluation.py

clean:  ## remove what the demo made
	rm -rf outputs/demo .snakemake
