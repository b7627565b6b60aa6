# Targets for people; each is one or two commands that can be run by hand.
VENV := .venv
PYTHON ?= python3.11
MODEL ?= demo
GRID ?= grid
CORES ?= 2
# What is installed: requirements.lock, or requirements-gpu.lock with torch's CUDA build.
LOCK ?= requirements.lock
# results/<model> is of its main grid, results/<model>-<grid> of any other.
MAIN := $(if $(filter demo,$(MODEL)),replicates,grid)
KEPT := results/$(MODEL)$(if $(filter-out $(MAIN),$(GRID)),-$(GRID))
REPORT := outputs/$(MODEL)/$(if $(filter grid,$(GRID)),report,report_$(GRID))
SNAKEMAKE := snakemake --quiet all --cores $(CORES)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export TOKENIZERS_PARALLELISM := false
export HF_HUB_DISABLE_TELEMETRY := 1
export TQDM_MININTERVAL := 2

# The packages of pyproject.toml with all extras, on Linux. pip adds CUDA's to requirements.lock where it finds no CPU
# build of torch.
COMPILE = uv pip compile pyproject.toml --extra dev --python-version 3.11 --python-platform linux --no-annotate \
	--custom-compile-command "make lock" --quiet $(UPGRADE) --output-file
WITHOUT_CUDA := grep --extended-regexp --invert-match '^(cuda|nvidia|triton)'

.PHONY: another-lock help demo grid check results statistics test test-slow test-distributed lint lock check-lock bench bench-gpu clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /	/' | expand -t 18

# It holds the name of the lock file that was installed; an empty one is of requirements.lock.
INSTALLED := $(or $(shell cat $(VENV)/installed 2> /dev/null),requirements.lock)
$(VENV)/installed: $(LOCK) $(if $(filter-out $(INSTALLED),$(LOCK)),another-lock)
	$(PYTHON) -m venv $(if $(filter another-lock,$?),--clear) $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $(LOCK)
	echo $(LOCK) > $@

another-lock:

demo: $(VENV)/installed  ## the paper in miniature, no download: outputs/demo/report
	@echo "The paper in miniature: 26 steps, about 9 minutes on two cores; logs in outputs/demo/logs"
	@$(SNAKEMAKE) --config model=demo
	@echo && cat outputs/demo/report/findings.md && echo && echo "page: outputs/demo/report/index.html"

grid: $(VENV)/installed  ## the axes of recipes/$(MODEL)/$(GRID).yaml, as in: make grid MODEL=demo GRID=replicates
	@$(SNAKEMAKE) --config model=$(MODEL) grid=$(GRID)
	@echo && cat $(REPORT)/findings.md && echo && echo "page: $(REPORT)/index.html"

check: $(VENV)/installed  ## does tuning on a file harm a model: make check DATA=examples/biased.jsonl MODEL=demo
	@python scripts/check_dataset.py recipes/check/$(MODEL).yaml $(DATA) --cores $(CORES)

results: $(VENV)/installed  ## keep a grid's report under results/, and refresh the READMEs
	python scripts/report.py $(REPORT)/report.yaml --kept $(REPORT) --output_dir $(KEPT) > /dev/null
	python scripts/fill_readmes.py

test: $(VENV)/installed  ## the test suite, offline; test-slow and test-distributed have the rest
	pytest -n $(CORES) --dist loadfile --no-loadscope-reorder --durations 25

test-slow: $(VENV)/installed  ## simulations, fuzzing, and every property test on newly drawn examples
	HYPOTHESIS_PROFILE=random pytest -n $(CORES) --timeout 0 -m "not distributed and (slow or hypothesis)"

test-distributed: $(VENV)/installed  ## two processes under each engine, on the CPU (CASES="not slow": those of .ci/run)
	pytest -m "distributed and $(or $(CASES),distributed)"

statistics: $(VENV)/installed  ## coverage, false verdicts and power of the intervals, by simulation: results/statistics.md
	PYTHONPATH=scripts python tests/simulations/simulate.py
	PYTHONPATH=scripts python tests/simulations/simulate_check.py
	python scripts/fill_readmes.py

lint: $(VENV)/installed  ## ruff: rules and format
	ruff check .
	ruff format --check .

lock: $(VENV)/installed  ## lock files from pyproject.toml; versions that fit stay (UPGRADE="--upgrade-package trl")
	$(COMPILE) requirements-gpu.lock > /dev/null
	$(WITHOUT_CUDA) requirements-gpu.lock > requirements.lock

check-lock: $(VENV)/installed  ## whether make lock would change a lock file
	cp requirements-gpu.lock $(VENV)/checked.lock
	$(COMPILE) $(VENV)/checked.lock > /dev/null
	diff requirements-gpu.lock $(VENV)/checked.lock
	$(WITHOUT_CUDA) requirements-gpu.lock | diff requirements.lock -

bench: $(VENV)/installed  ## ours beside what it replaces, on the CPU: results/benchmarks (BASE=folder: real weights)
	python -W ignore tests/benchmarks/bench.py $(if $(BASE),--model $(BASE))

bench-gpu: $(VENV)/installed  ## tokens/s, MFU and memory on a CUDA device, within 10 minutes: results/benchmarks
	python -W ignore tests/benchmarks/bench_gpu.py

clean:  ## remove what the demo made
	rm -rf outputs/demo outputs/demo-check-n*
