"""The grid as a graph of the scripts: which artifact is made from which, and by what command.

    snakemake --cores 2 --config model=demo

Keys of --config:
    model              folder of recipes/ (demo)
    grid               its file of axes (grid)
    base               a folder or Hub id in place of the recipes' base model
    axes               the axes themselves, as a mapping, in place of a file: best in a file, given by --configfile
    cells              folder of the sets and cells of a grid that shares only starts with the others (outputs/<model>);
                       with axes or cells there is no report, so that targets have to be named
    local              folders or files in place of Hub ids, as a mapping: best in a file, given by --configfile
    threads            CPU threads of a job that trains or predicts (1; with GPUs at least 4 for each)
    accelerate_config  accelerate's settings for jobs with several GPUs (accelerate_configs/multi_gpu.yaml)
How many GPUs a job takes, with a process on each, is set by recipes/<model>/resources.yaml and, over it, by
--set-resources RULE:gpu=N, also in a profile. As many run at a time as there are GPUs, or --resources gpu=N.
Each step prints one line with its time; its whole output is below outputs/<model>/logs.
"""

import dataclasses
import functools
import hashlib
import math
import os
import re
import shlex
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))
from blindspots.artifacts.files import hash_json
from blindspots.artifacts.names import LINEAGE, NAME
from blindspots.config.analysis_recipes import GridRecipe
from blindspots.config.errors import UserError
from blindspots.config.gpus import visible_gpus
from blindspots.config.parser import parse_recipe
from blindspots.config.paths import TEST_SETS
from blindspots.config.test_set_keys import TestSetSources, test_set_keys
from blindspots.config.yaml_files import read_yaml
from blindspots.data.test_sets import named_test_sets, test_set
from blindspots.grid import (
    Cell,
    cells,
    check_axes,
    grid_of,
    parent_of,
    raw_dataset,
    raw_sets,
    sets_of,
    start_config,
    start_of,
    starts,
)

KEYS = ("model", "grid", "axes", "cells", "base", "local", "threads", "accelerate_config")
if unknown := sorted(set(config) - set(KEYS)):
    raise UserError(f"--config has no {', '.join(unknown)}; its keys are {', '.join(KEYS)}.")
MODEL, AXES = str(config.get("model", "demo")), str(config.get("grid", "grid"))
for key, name in {"model": MODEL, "grid": AXES}.items():
    if not NAME.fullmatch(name):
        raise UserError(f"--config {key}={name}: a name of letters, digits, _, - and . is needed, as of the recipes.")
THREADS, THREADS_PER_GPU = int(config.get("threads", 1)), 4
RECIPES, OUT = f"recipes/{MODEL}", f"outputs/{MODEL}"
CELLS = config.get("cells", OUT)
LOGS = f"{OUT}/logs"
REPORT = f"{OUT}/report" if AXES == "grid" else f"{OUT}/report_{AXES}"
if "axes" in config:
    GRID = grid_of(config["axes"], "--config axes")
else:
    (GRID,) = parse_recipe(GridRecipe, argv=[f"{RECIPES}/{AXES}.yaml"])
LOCAL = config.get("local", {})
GRID.external = {name: LOCAL.get(dataset, dataset) for name, dataset in GRID.external.items()}
check_axes(GRID)
JUDGE = f"{OUT}/models/{start_of(GRID, Cell(max(GRID.starts), GRID.seeds[0])).name}"
SETS = {sets.name: sets for sets in (sets_of(GRID, cell) for cell in cells(GRID))}
# The raw synthetic datasets that sets are drawn from, without those of others.
WRITTEN = {pool for sets in SETS.values() for pool in sets.parents(GRID.external)} - {"mnli"}
# Who wrote them; one generator writes at several temperatures.
GENERATORS = {re.sub(r"_t\d+", "", pool).replace("synthetic", "generator") for pool in WRITTEN}

# step LOG NAME COMMAND ...: run a command with its output in a log, and say in one line how it went. On a terminal the
# last line of the log, such as a progress bar, is shown meanwhile, of one step at a time.
shell.prefix(
    """set -euo pipefail
    watch_log() {{
        exec 9> "$1.lock"; flock 9
        while kill -0 $$ 2> /dev/null; do
            printf '\\r\\033[K%s  %s' "$3" "$(tail -c 400 "$2" | tr '\\r' '\\n' | tail -n 1 | cut -c 1-90)" >&2
            sleep 1
        done
    }}
    step() {{
        local log=$1 name=$2 begun=$SECONDS code=0 watcher=; shift 2
        if [ -t 2 ]; then watch_log "$(dirname "$log")/watched" "$log" "$name" & watcher=$!; fi
        "$@" > "$log" 2>&1 || code=$?
        if [ -n "$watcher" ]; then kill $watcher || true; printf '\\r\\033[K' >&2; fi
        if [ $code -eq 0 ]; then echo "$(date +%T)  $name  $((SECONDS - begun)) s"
        else echo "$name failed after $((SECONDS - begun)) s, see $log: $(tail -n 1 "$log")" >&2; fi
        return $code
    }}; """
)


# The keys of a recipe that name what its rule reads, but for those that the workflow sets.
READ = {
    "prepare": ["mnli", "also"],
    "start": ["model_name_or_path", "dev_dataset"],
    "generator": ["model_name_or_path", "dev_dataset"],
    "augment": ["dev_dataset"],
    "audit": ["mnli", "hans"],
}
TESTED = ("start", "augment")


def base_keys(base):
    """The base model in place of the recipes': a folder, `org/name` or `org/name@commit`."""
    if not base or Path(base).is_dir() or base.startswith("outputs/"):
        return {"model_name_or_path": base} if base else {}
    name, _, revision = base.partition("@")
    return {"model_name_or_path": name, "model_revision": revision or "main"}


def flags_of(keys):
    """Keys as flags of a script, each after a space."""
    words = []
    for key, value in keys.items():
        words += [f"--{key}", *(value if isinstance(value, list) else [value or "null"])]
    return "".join(f" {shlex.quote(word)}" for word in words)


BASE_KEYS = base_keys(config.get("base"))
BASE = flags_of(BASE_KEYS).strip()


@functools.cache
def values(name):
    """A recipe's keys, local folders in place, and the files of the test sets that it names."""
    recipe = read_yaml(f"{RECIPES}/{name}.yaml")
    recipe |= local_keys(recipe) | (BASE_KEYS if name in ("start", "generator") else {})
    tests = {found.name: read_yaml(TEST_SETS / f"{found.name}.yaml") for found in tests_of(name, recipe)}
    return recipe | ({"test set files": tests} if tests else {})


def tests_of(name, recipe):
    """The test sets that a recipe names, where its models are evaluated."""
    keys = {field.name for field in dataclasses.fields(TestSetSources)} & recipe.keys()
    return named_test_sets(TestSetSources(**{key: recipe[key] for key in keys})) if name in TESTED else []


def local_keys(recipe):
    """The keys of a recipe that name a dataset or model of which there is a folder here."""
    keys = {}
    for key, value in recipe.items():
        if isinstance(value, list) and not LOCAL.keys().isdisjoint(value):
            keys[key] = [LOCAL.get(name, name) for name in value]
        elif isinstance(value, str) and value in LOCAL:
            keys |= {key: LOCAL[value], f"{key}_revision": None}
    if "model_name_or_path" in keys:
        del keys["model_name_or_path_revision"]
        keys["model_revision"] = "main"
    for found in map(test_set, recipe.get("test_sets") or []):
        if found.dataset in LOCAL and found.key not in recipe:
            keys[found.key] = LOCAL[found.dataset]
    return keys


def local_flags(name):
    """The same as flags of a script, which reads the recipe itself."""
    return flags_of(local_keys(read_yaml(f"{RECIPES}/{name}.yaml")))


@functools.cache
def read_by(name):
    """The datasets and models that a recipe's rule reads."""
    recipe = values(name)
    found = [recipe.get(key) for key in READ[name]]
    found += [recipe.get(test.key) or test.dataset for test in tests_of(name, recipe)]
    return [one for value in found for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


@functools.cache
def is_made(name):
    """Whether a rule makes the artifact of that name; asked of a job, when all rules are known."""
    return any(rule.is_producer(f"{os.path.relpath(name)}/{LINEAGE}") for rule in workflow.rules)


def files_of(*names):
    """What must be there before a rule reads these names: an artifact's lineage, or a file. A Hub id has neither."""
    found = []
    for name in map(os.path.relpath, names):
        missing = name.startswith("outputs/") and not Path(name).exists()
        if Path(name).is_file():
            found.append(name)
        elif missing or is_made(name) or Path(name, LINEAGE).is_file():
            found.append(f"{name}/{LINEAGE}")
    return found


@functools.cache
def state_of(*names):
    """Something that an edit of the local files and folders among these names changes, but for what a rule makes.

    It is a hash of paths, sizes and times: reading gigabytes of weights at every call would be slow, and by the times
    of inputs alone an older file in place of a newer one would be overlooked.
    """
    files = [Path(name) for name in names if Path(name).is_file()]
    for name in names:
        if Path(name).is_dir() and not is_made(name):
            for folder, inner, inside in os.walk(name, followlinks=True):
                inner[:] = [other for other in inner if not other.startswith(".")]  # caches and the like
                files += [Path(folder, file) for file in inside]
    stats = {str(file): file.stat() for file in files if file.is_file()}
    state = {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}
    return {"local files": hash_json(state)} if state else {}


def inputs(name):
    """The files that a recipe's rule reads."""
    return files_of(*read_by(name))


def content(name):
    """What a recipe and the local folders and files that it names hold: a rule's param, so that a change re-runs what
    depends on it."""
    return values(name) | state_of(*read_by(name))


def model_folder(cell):
    """Where a start or a cell is."""
    return f"{CELLS if cell.kind else OUT}/models/{cell.name}"


def sizes(name, key, axis):
    """The sizes of a recipe and of the grid: where the recipe names those of all its grids, going from one to another
    makes nothing again."""
    return sorted({*values(name).get(key, []), *filter(None, axis)})


NEEDS = values("resources")


def gpus(rule):
    """How many GPUs a job of a rule takes."""
    given = workflow.resource_settings.overwrite_resources.get(rule, {})
    return given["gpu"].value if "gpu" in given else NEEDS[rule]["gpus"]


def limit_gpus():
    """Without --resources gpu=N, run as many jobs at a time as this machine has GPUs for.

    The limit is never below what one job takes, to which snakemake would cut the job without a word; launch.py says
    what is missing. Raises UserError for a limit below it, and for a job of one process with several GPUs.
    """
    most, limit = max(map(gpus, NEEDS)), workflow.global_resources.get("gpu").value
    if limit is None and most and workflow.local_exec:
        workflow.register_resource("gpu", max(most, len(visible_gpus())))
    elif limit is not None and limit < most:
        raise UserError(
            f"--resources gpu={limit} is less than the {most} GPUs of one job; raise it, or lower the gpus in "
            f"{RECIPES}/resources.yaml or by --set-resources RULE:gpu=N."
        )
    if gpus("audit") > 1:
        raise UserError("An audit runs in one process; give it 1 GPU or none.")


limit_gpus()
LAUNCH = "python scripts/launch.py"
if "accelerate_config" in config:
    LAUNCH += f" --multi_gpu_config {shlex.quote(config['accelerate_config'])}"


def cpus(rule):
    """CPU threads of a job that trains or predicts."""
    return max(THREADS, THREADS_PER_GPU * gpus(rule))


def minutes(rule, rows=0):
    """Estimated minutes of one job that trains on `rows` rows."""
    return math.ceil(NEEDS[rule]["minutes"] + NEEDS[rule]["minutes_per_10000_rows"] * int(rows) / 10_000)


def needs(rule, rows=lambda wildcards: 0):
    """A rule's resources, as executors such as slurm and kubernetes take them."""
    need = NEEDS[rule]
    return {
        "gpu": need["gpus"],
        "mem_mb": need["mem_mb"],
        "disk_mb": need["disk_mb"],
        "runtime": lambda wildcards: minutes(rule, rows(wildcards)),
    }


def show_plan():
    """Models, device hours and disk of the whole grid, by recipes/<model>/resources.yaml; printed by a dry run."""
    models = [("start", cell.start) for cell in starts(GRID)] + [("cell", cell.size) for cell in cells(GRID)]
    whole = [*models, *[("generator", 0)] * len(GENERATORS), *[("synthesize", 0)] * len(WRITTEN)]
    hours = sum(minutes(rule, rows) * max(1, gpus(rule)) for rule, rows in whole) / 60
    disk = sum(NEEDS[rule]["disk_mb"] for rule, _ in whole) / 1000
    device = "GPU" if NEEDS["cell"]["gpus"] else "CPU"
    what = f"{len(models)} models, about {hours:.1f} {device} hours, {disk:.1f} GB of disk"
    print(f"{MODEL}: {what}", file=sys.stderr)


if {"-n", "--dry-run", "--dryrun"} & set(sys.argv):
    show_plan()


def start_rows(wildcards):
    """The rows that a start is tuned on, none for start 0."""
    start = Cell(int(wildcards.start), int(wildcards.seed))
    return f"{OUT}/mnli --train_config {start_config(GRID, start)}" if start.start else "null --train_config null"


def cell_of(wildcards):
    return Cell(int(wildcards.start), int(wildcards.seed), wildcards.kind, int(wildcards.size))


def raw_name(generation):
    """Folder of the raw synthetic data of a generation of G; the first has no number."""
    return f"synthetic_g{generation}" if generation > 1 else "synthetic"


def writer_of(wildcards):
    """The generator that writes outputs/<model>/synthetic<suffix><own>."""
    return f"{OUT}/generator{wildcards.suffix if wildcards.suffix.startswith('_g') else ''}{wildcards.own}"


def generator_rows(wildcards):
    """The rows that a generator is tuned on, and its seed where it is one of several."""
    if not wildcards.own:
        return f"{OUT}/mnli"
    number = GRID.generators.index(wildcards.own[1:])
    config = f"--train_config g{GRID.generator_rows}-d{number} " if GRID.generator_rows else ""
    return f"{OUT}/mnli {config}--seed {number}"


def subset_flags():
    """The flags of prepare_mnli.py for starts and generators with rows of their own."""
    flags = {"start_draws": GRID.start_draws, "generator_rows": GRID.generator_rows}
    if GRID.generator_rows:
        flags["generator_draws"] = len(GRID.generators)
    return " ".join(f"--{key} {value}" for key, value in flags.items() if value)


def artifacts():
    """Every artifact of the grid: one that was deleted is made again, though the report would not need it."""
    made = [f"{OUT}/{folder}/lineage.json" for folder in sorted({"mnli"} | WRITTEN | GENERATORS)]
    made += [f"{CELLS}/variants/{name}/lineage.json" for name in SETS]
    made += [f"{model_folder(cell)}/lineage.json" for cell in starts(GRID) + cells(GRID)]
    made += [f"{OUT}/{pool}/audit/audit.json" for pool in sorted(WRITTEN)]
    return made + inputs("prepare") + inputs("start")


def table1_datasets():
    """What Table 1 compares: prepared MNLI and the raw synthetic data, where it has such data."""
    raw = [raw_dataset(name, OUT, GRID.external) for name in raw_sets(GRID)]
    return [f"{OUT}/mnli", *raw] if raw else []


def table1_flags():
    """The same as flags of report.py."""
    found = table1_datasets()
    return f"--original {found[0]} --synthetic {' '.join(map(shlex.quote, found[1:]))}" if found else ""


def report_inputs():
    """Every model of the grid, and the datasets of Table 1.

    Raises UserError for axes or cells of --config: report.py would take the axes of the file, and the cells beside the
    starts.
    """
    if "axes" in config or CELLS != OUT:
        raise UserError(
            "There is no report on the axes and cells that --config names; name what is to be made, such as "
            f"{model_folder(cells(GRID)[0])}/{LINEAGE}."
        )
    return [f"{model_folder(cell)}/{LINEAGE}" for cell in starts(GRID) + cells(GRID)] + files_of(*table1_datasets())


def test_set_flags(recipe):
    """The test sets, so that the report can show the texts of rows that changed."""
    keys = [key + ending for key in test_set_keys().values() for ending in ("", "_revision", "_expected_rows")]
    words = [f"--{key} {shlex.quote(str(recipe[key]))}" for key in keys if recipe.get(key) is not None]
    if recipe.get("test_sets"):
        words.insert(0, f"--test_sets {' '.join(recipe['test_sets'])}")
    return " ".join(words)


def demo_code():
    """The hash of the code that the demo's corpus is made of: no recipe or input says that it has changed."""
    files = sorted(Path(workflow.basedir, "scripts/blindspots/demo").glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


wildcard_constraints:
    kind=r"\w+",
    variant="|".join(SETS),  # what belongs to another grid is an input like any other
    start=r"\d+",
    size=r"\d+",
    suffix=r"(_[tg]\d+)?",
    own=f"({'|'.join(['', *(f'-{name}' for name in GRID.generators)])})",
    generation=r"\d+",
    seed=r"\d+",


onstart:
    # Each job that has ended leaves a timer of snakemake's limit of jobs per second, which wakes the scheduler (9.27):
    # after a hundred jobs it takes a fifth of a core. On one machine the limit is of no use.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


rule all:
    input:
        f"{REPORT}/index.html",
        lambda _: artifacts(),


rule demo_input:
    output:
        "outputs/demo/corpus/{part}/lineage.json",
    log:
        "outputs/demo/logs/corpus-{part}.log",
    params:
        recipe=lambda _: read_yaml("recipes/demo/inputs.yaml"),
        code=lambda _: demo_code(),
    shell:
        "step {log} corpus/{wildcards.part} python scripts/make_demo_inputs.py recipes/demo/inputs.yaml"
        " --part {wildcards.part} --output_dir outputs/demo/corpus/{wildcards.part} --wait_for_lock true"


rule demo_base:
    input:
        "outputs/demo/corpus/mnli/lineage.json",
    output:
        "outputs/demo/base/lineage.json",
    log:
        "outputs/demo/logs/base.log",
    params:
        recipe=lambda _: read_yaml("recipes/demo/inputs.yaml"),
    shell:
        "step {log} base python scripts/make_demo_inputs.py recipes/demo/inputs.yaml --part base"
        " --corpus outputs/demo/corpus/mnli --output_dir outputs/demo/base --wait_for_lock true"


rule prepare:
    input:
        lambda _: inputs("prepare"),
    output:
        f"{OUT}/mnli/lineage.json",
    log:
        f"{LOGS}/mnli.log",
    params:
        recipe=lambda _: content("prepare"),
        sizes=sizes("prepare", "start_sizes", GRID.starts),
        subsets=subset_flags(),
        local=local_flags("prepare"),
    resources:
        **needs("prepare"),
    shell:
        "step {log} mnli python scripts/prepare_mnli.py {RECIPES}/prepare.yaml{params.local}"
        " --start_sizes {params.sizes} {params.subsets} --output_dir {OUT}/mnli --wait_for_lock true"


rule start:
    input:
        lambda _: inputs("start"),
        f"{OUT}/mnli/lineage.json",
    output:
        f"{OUT}/models/n{{start}}-s{{seed}}/lineage.json",
    log:
        f"{LOGS}/n{{start}}-s{{seed}}.log",
    params:
        recipe=lambda _: content("start"),
        rows=lambda w: start_rows(w),
        local=local_flags("start"),
    threads: cpus("start")
    resources:
        **needs("start", lambda w: w.start),
    shell:
        "step {log} n{wildcards.start}-s{wildcards.seed} {LAUNCH} --gpus {resources.gpu} --threads {threads}"
        " scripts/finetune_task.py {RECIPES}/start.yaml{params.local} {BASE}"
        " --train_dataset {params.rows} --seed {wildcards.seed}"
        " --output_dir {OUT}/models/n{wildcards.start}-s{wildcards.seed} --wait_for_lock true"


rule generator:
    input:
        lambda _: inputs("generator"),
        f"{OUT}/mnli/lineage.json",
    output:
        f"{OUT}/generator{{own}}/lineage.json",
    log:
        f"{LOGS}/generator{{own}}.log",
    params:
        recipe=lambda _: content("generator"),
        rows=generator_rows,
        local=lambda _: local_flags("generator"),
    threads: cpus("generator")
    resources:
        **needs("generator"),
    shell:
        "step {log} generator{wildcards.own} {LAUNCH} --gpus {resources.gpu} --threads {threads}"
        " scripts/finetune_generator.py {RECIPES}/generator.yaml{params.local} {BASE}"
        " --train_dataset {params.rows} --output_dir {OUT}/generator{wildcards.own} --wait_for_lock true"


rule next_generator:
    """G trained on what the generator before it wrote: recursive generations."""
    input:
        lambda _: inputs("generator"),
        lambda w: f"{OUT}/{raw_name(int(w.generation) - 1)}{w.own}/lineage.json",
    output:
        f"{OUT}/generator_g{{generation}}{{own}}/lineage.json",
    log:
        f"{LOGS}/generator_g{{generation}}{{own}}.log",
    params:
        recipe=lambda _: content("generator"),
        rows=lambda w: f"{OUT}/{raw_name(int(w.generation) - 1)}{w.own}",
        local=lambda _: local_flags("generator"),
    threads: cpus("generator")
    resources:
        **needs("generator"),
    shell:
        "step {log} generator_g{wildcards.generation}{wildcards.own} {LAUNCH} --gpus {resources.gpu} --threads {threads}"
        " scripts/finetune_generator.py {RECIPES}/generator.yaml{params.local}"
        " {BASE} --train_dataset {params.rows} --train_config full"
        " --output_dir {OUT}/generator_g{wildcards.generation}{wildcards.own} --wait_for_lock true"


rule synthesize:
    input:
        lambda w: f"{writer_of(w)}/lineage.json",
    output:
        f"{OUT}/synthetic{{suffix}}{{own}}/lineage.json",
    log:
        f"{LOGS}/synthetic{{suffix}}{{own}}.log",
    params:
        recipe=lambda _: values("synthesize"),
        generator=writer_of,
        heat=lambda w: f"--temperature {int(w.suffix[2:]) / 100}" if w.suffix.startswith("_t") else "",
    threads: cpus("synthesize")
    resources:
        **needs("synthesize"),
    shell:
        "step {log} synthetic{wildcards.suffix}{wildcards.own} {LAUNCH} --gpus {resources.gpu} --threads {threads}"
        " scripts/generate_synthetic.py {RECIPES}/synthesize.yaml"
        " {params.heat} --generator {params.generator} --output_dir {OUT}/synthetic{wildcards.suffix}{wildcards.own}"
        " --wait_for_lock true"


rule audit:
    """Raw synthetic data beside MNLI, labels judged by the largest start; the text goes into the dataset's card."""
    input:
        lambda _: inputs("audit"),
        f"{JUDGE}/lineage.json",
        f"{OUT}/mnli/lineage.json",
        f"{OUT}/synthetic{{suffix}}{{own}}/lineage.json",
    output:
        f"{OUT}/synthetic{{suffix}}{{own}}/audit/audit.json",
    log:
        f"{LOGS}/audit-synthetic{{suffix}}{{own}}.log",
    params:
        recipe=lambda _: content("audit"),
        local=lambda _: local_flags("audit"),
    threads: cpus("audit")
    resources:
        **needs("audit"),
    shell:
        "step {log} audit-synthetic{wildcards.suffix}{wildcards.own} {LAUNCH} --gpus {resources.gpu}"
        " scripts/audit_dataset.py {RECIPES}/audit.yaml{params.local}"
        " --dataset {OUT}/synthetic{wildcards.suffix}{wildcards.own} --reference {OUT}/mnli --label_model {JUDGE}"
        " --output_dir {OUT}/synthetic{wildcards.suffix}{wildcards.own}/audit"


rule variant:
    input:
        lambda w: files_of(*SETS[w.variant].datasets(OUT, GRID.external)),
    output:
        f"{CELLS}/variants/{{variant}}/lineage.json",
    log:
        f"{CELLS}/logs/variants-{{variant}}.log",
    params:
        recipe=lambda w: values("variants") | state_of(*SETS[w.variant].datasets(OUT, GRID.external)),
        sizes=sizes("variants", "sizes", GRID.sizes) if CELLS == OUT else GRID.sizes,
        flags=lambda w: SETS[w.variant].flags(OUT, GRID.external),
    resources:
        **needs("variant"),
    shell:
        "step {log} variants/{wildcards.variant} python scripts/build_variants.py {RECIPES}/variants.yaml"
        " {params.flags} --sizes {params.sizes} --original {OUT}/mnli"
        " --output_dir {CELLS}/variants/{wildcards.variant} --wait_for_lock true"


rule cell:
    input:
        lambda _: inputs("augment"),
        lambda w: f"{model_folder(parent_of(GRID, cell_of(w)))}/lineage.json",
        lambda w: f"{CELLS}/variants/{sets_of(GRID, cell_of(w)).name}/lineage.json",
    output:
        f"{CELLS}/models/n{{start}}-{{kind}}-n{{size}}-s{{seed}}/lineage.json",
    log:
        f"{CELLS}/logs/n{{start}}-{{kind}}-n{{size}}-s{{seed}}.log",
    params:
        recipe=lambda _: content("augment"),
        parent=lambda w: model_folder(parent_of(GRID, cell_of(w))),
        rows=lambda w: f"{CELLS}/variants/{sets_of(GRID, cell_of(w)).name} --train_config n{w.size}",
        name=lambda w: cell_of(w).name,
        local=local_flags("augment"),
    threads: cpus("cell")
    resources:
        **needs("cell", lambda w: w.size),
    shell:
        "step {log} {params.name} {LAUNCH} --gpus {resources.gpu} --threads {threads}"
        " scripts/finetune_task.py {RECIPES}/augment.yaml{params.local}"
        " --model_name_or_path {params.parent} --train_dataset {params.rows} --seed {wildcards.seed}"
        " --output_dir {CELLS}/models/{params.name} --wait_for_lock true"


rule report:
    input:
        lambda _: report_inputs(),
    output:
        f"{REPORT}/index.html",
    log:
        f"{LOGS}/report-{AXES}.log",
    params:
        axes=vars(GRID),
        tests=test_set_flags(values("augment")),
        test_set_files=values("augment").get("test set files"),
        table1=table1_flags(),
        raw=lambda _: state_of(*table1_datasets()),
    resources:
        **needs("report"),
    shell:
        "step {log} report python scripts/report.py {RECIPES}/{AXES}.yaml --models {OUT}/models {params.table1}"
        " {params.tests} --output_dir {REPORT}"
