# Targets for people; each is one or two commands that can be run by hand.
VENV := .venv
PYTHON ?= python3.11
MODEL ?= demo
GRID ?= grid
CORES ?= 2
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export TOKENIZERS_PARALLELISM := false
export HF_HUB_DISABLE_TELEMETRY := 1
export TQDM_MININTERVAL := 2

.PHONY: help demo grid test test-distributed lint bench bench-gpu results clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /	/' | expand -t 18

$(VENV)/installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	touch $@

demo: $(VENV)/installed  ## the paper in miniature, no download: outputs/demo/report
	snakemake --quiet rules --cores $(CORES) --config model=demo
	@cat outputs/demo/report/grid.md

grid: $(VENV)/installed  ## the axes of recipes/$(MODEL)/$(GRID).yaml, as in: make grid MODEL=demo GRID=seeds
	snakemake --quiet rules --cores $(CORES) --config model=$(MODEL) grid=$(GRID)

test: $(VENV)/installed  ## the test suite, offline; test-distributed has the rest
	pytest -n $(CORES) --dist loadfile

test-distributed: $(VENV)/installed  ## two processes under each engine, on the CPU
	pytest -m distributed

lint: $(VENV)/installed  ## ruff: rules and format
	ruff check .
	ruff format --check .

bench: $(VENV)/installed  ## ours beside what it replaces, on the CPU: results/benchmarks (BASE=folder: real weights)
	python -W ignore tests/benchmarks/bench.py $(if $(BASE),--model $(BASE))

bench-gpu: $(VENV)/installed  ## tokens/s, MFU and memory on a CUDA device, within 10 minutes: results/benchmarks
	python -W ignore tests/benchmarks/bench_gpu.py

results: $(VENV)/installed  ## keep a grid's report and lineage under results/$(MODEL), and refresh the READMEs
	python scripts/keep_results.py --model $(MODEL) --grid $(GRID)
	python scripts/fill_readmes.py

clean:  ## remove what the demo made
	rm -rf outputs/demo .snakemake
