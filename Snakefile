"""The grid as a graph of the scripts: which artifact is made from which, and by what command.

    snakemake --cores 2 --config model=demo

Keys of --config:
    model    folder of recipes/ (demo)
    grid     its file of axes (grid)
    base     a folder or Hub id in place of the recipes' base model
    launch   what runs a script that trains or predicts, such as
             "accelerate launch --config_file accelerate_configs/single_gpu.yaml"
    threads  CPU threads of one such job
Each step prints one line with its time; its whole output is below outputs/<model>/logs.
"""

import math
import shlex
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))
from blindspots.config.recipes import GridRecipe, test_set_keys
from blindspots.config.yaml_files import read_yaml
from blindspots.grid import Cell, cells, check_axes, raw_dataset, starts, variant_flags, variant_parents

MODEL = config.get("model", "demo")
AXES = config.get("grid", "grid")
LAUNCH = config.get("launch", "python")
THREADS = int(config.get("threads", 1))
RECIPES, OUT = f"recipes/{MODEL}", f"outputs/{MODEL}"
LOGS = f"{OUT}/logs"
REPORT = f"{OUT}/report" if AXES == "grid" else f"{OUT}/report_{AXES}"
GRID = GridRecipe(**read_yaml(f"{RECIPES}/{AXES}.yaml"))
check_axes(GRID)
JUDGE = f"{OUT}/models/{Cell(max(GRID.starts), GRID.seeds[0]).name}"
VARIANTS = sorted({cell.variant for cell in cells(GRID)})

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


def base_flags(base):
    """The base model in place of the recipes': a folder, `org/name` or `org/name@commit`."""
    if not base or Path(base).is_dir():
        return f"--model_name_or_path {shlex.quote(base)}" if base else ""
    name, _, revision = base.partition("@")
    return f"--model_name_or_path {shlex.quote(name)} --model_revision {shlex.quote(revision or 'main')}"


BASE = base_flags(config.get("base"))


def values(name):
    """A recipe's keys: a rule's param, so that a changed key re-runs what depends on it and a comment does not."""
    return read_yaml(f"{RECIPES}/{name}.yaml")


def made_here(*names):
    """The lineage files of those inputs that this workflow makes; a Hub id has none."""
    return [f"{name}/lineage.json" for name in names if name and str(name).startswith("outputs/")]


def inputs(name, *keys):
    """What a recipe's keys name, as inputs of its rule."""
    recipe = values(name)
    return made_here(*(recipe.get(key) for key in keys))


def test_inputs(name):
    """The test sets that a recipe names by folder."""
    return inputs(name, *test_set_keys().values())


def sizes(name, key, axis):
    """The sizes of a recipe and of the grid: where the recipe names those of all its grids, going from one to another
    makes nothing again."""
    return sorted({*values(name).get(key, []), *filter(None, axis)})


NEEDS = values("resources")


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
    whole = [("start", cell.start) for cell in starts(GRID)] + [("cell", cell.size) for cell in cells(GRID)]
    whole += [("generator", 0), ("synthesize", 0)]
    hours = sum(minutes(rule, rows) for rule, rows in whole) / 60
    disk = sum(NEEDS[rule]["disk_mb"] for rule, _ in whole) / 1000
    device = "GPU" if NEEDS["cell"]["gpus"] else "CPU"
    what = f"{len(whole) - 2} models, about {hours:.1f} {device} hours, {disk:.1f} GB of disk"
    print(f"{MODEL}: {what}", file=sys.stderr)


if {"-n", "--dry-run", "--dryrun"} & set(sys.argv):
    show_plan()


def cell_of(wildcards):
    return Cell(int(wildcards.start), int(wildcards.seed), wildcards.kind, int(wildcards.size))


def raw_name(generation):
    """Folder of the raw synthetic data of a generation of G; the first has no number."""
    return f"synthetic_g{generation}" if generation > 1 else "synthetic"


def generator_of(wildcards):
    """The generator that writes outputs/<model>/synthetic<suffix>."""
    return f"{OUT}/generator{wildcards.suffix if wildcards.suffix.startswith('_g') else ''}"


def artifacts():
    """Every artifact of the grid: one that was deleted is made again, though the report would not need it."""
    pools = {"mnli"} | {pool for variant in VARIANTS for pool in variant_parents(variant, GRID.external)}
    folders = sorted(pools | ({"generator"} if "synthetic" in pools else set()))
    folders += [f"variants/{variant}" for variant in VARIANTS]
    folders += [f"models/{cell.name}" for cell in starts(GRID) + cells(GRID)]
    made = [f"{OUT}/{folder}/lineage.json" for folder in folders]
    made += [f"{OUT}/{pool}/audit/audit.json" for pool in sorted(pools - {"mnli"})]
    return made + inputs("start", "model_name_or_path") + test_inputs("start") + inputs("prepare", "mnli")


def table1_flags():
    """The two datasets of Table 1, where the grid has raw synthetic data."""
    if not any(variant_flags(variant, OUT, GRID.external).count("--synthetic") for variant in VARIANTS):
        return ""
    return f"--original {OUT}/mnli --synthetic {shlex.quote(raw_dataset('synthetic', OUT, GRID.external))}"


def test_set_flags(recipe):
    """The test sets, so that the report can show the texts of rows that changed."""
    keys = [key + ending for key in test_set_keys().values() for ending in ("", "_revision", "_expected_rows")]
    words = [f"--{key} {shlex.quote(str(recipe[key]))}" for key in keys if recipe.get(key) is not None]
    if recipe.get("test_sets"):
        words.insert(0, f"--test_sets {' '.join(recipe['test_sets'])}")
    return " ".join(words)


wildcard_constraints:
    kind=r"\w+",
    variant=r"\w+(-n\d+)?",
    start=r"\d+",
    size=r"\d+",
    suffix=r"(_[tg]\d+)?",
    generation=r"\d+",
    seed=r"\d+",


rule all:
    input:
        f"{REPORT}/index.html",
        artifacts(),


rule demo_input:
    output:
        "outputs/demo/corpus/{part}/lineage.json",
    log:
        "outputs/demo/logs/corpus-{part}.log",
    params:
        recipe=lambda _: values("inputs"),
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
        recipe=lambda _: values("inputs"),
    shell:
        "step {log} base python scripts/make_demo_inputs.py recipes/demo/inputs.yaml --part base"
        " --corpus outputs/demo/corpus/mnli --output_dir outputs/demo/base --wait_for_lock true"


rule prepare:
    input:
        inputs("prepare", "mnli"),
    output:
        f"{OUT}/mnli/lineage.json",
    log:
        f"{LOGS}/mnli.log",
    params:
        recipe=values("prepare"),
        sizes=sizes("prepare", "start_sizes", GRID.starts),
    resources:
        **needs("prepare"),
    shell:
        "step {log} mnli python scripts/prepare_mnli.py {RECIPES}/prepare.yaml --start_sizes {params.sizes}"
        " --output_dir {OUT}/mnli --wait_for_lock true"


rule start:
    input:
        inputs("start", "model_name_or_path"),
        test_inputs("start"),
        f"{OUT}/mnli/lineage.json",
    output:
        f"{OUT}/models/n{{start}}-s{{seed}}/lineage.json",
    log:
        f"{LOGS}/n{{start}}-s{{seed}}.log",
    params:
        recipe=values("start"),
        rows=lambda w: f"{OUT}/mnli --train_config n{w.start}" if int(w.start) else "null",
    threads: THREADS
    resources:
        **needs("start", lambda w: w.start),
    shell:
        "OMP_NUM_THREADS={threads} step {log} n{wildcards.start}-s{wildcards.seed}"
        " {LAUNCH} scripts/finetune_task.py {RECIPES}/start.yaml {BASE}"
        " --train_dataset {params.rows} --seed {wildcards.seed}"
        " --output_dir {OUT}/models/n{wildcards.start}-s{wildcards.seed} --wait_for_lock true"


rule generator:
    input:
        lambda _: inputs("generator", "model_name_or_path"),
        f"{OUT}/mnli/lineage.json",
    output:
        f"{OUT}/generator/lineage.json",
    log:
        f"{LOGS}/generator.log",
    params:
        recipe=lambda _: values("generator"),
    threads: THREADS
    resources:
        **needs("generator"),
    shell:
        "OMP_NUM_THREADS={threads} step {log} generator"
        " {LAUNCH} scripts/finetune_generator.py {RECIPES}/generator.yaml {BASE}"
        " --train_dataset {OUT}/mnli --output_dir {OUT}/generator --wait_for_lock true"


rule next_generator:
    """G trained on what the generator before it wrote: recursive generations."""
    input:
        lambda w: f"{OUT}/{raw_name(int(w.generation) - 1)}/lineage.json",
    output:
        f"{OUT}/generator_g{{generation}}/lineage.json",
    log:
        f"{LOGS}/generator_g{{generation}}.log",
    params:
        recipe=lambda _: values("generator"),
        rows=lambda w: f"{OUT}/{raw_name(int(w.generation) - 1)}",
    threads: THREADS
    resources:
        **needs("generator"),
    shell:
        "OMP_NUM_THREADS={threads} step {log} generator_g{wildcards.generation}"
        " {LAUNCH} scripts/finetune_generator.py {RECIPES}/generator.yaml"
        " {BASE} --train_dataset {params.rows} --train_config full"
        " --output_dir {OUT}/generator_g{wildcards.generation} --wait_for_lock true"


rule synthesize:
    input:
        lambda w: f"{generator_of(w)}/lineage.json",
    output:
        f"{OUT}/synthetic{{suffix}}/lineage.json",
    log:
        f"{LOGS}/synthetic{{suffix}}.log",
    params:
        recipe=lambda _: values("synthesize"),
        generator=generator_of,
        heat=lambda w: f"--temperature {int(w.suffix[2:]) / 100}" if w.suffix.startswith("_t") else "",
    threads: THREADS
    resources:
        **needs("synthesize"),
    shell:
        "OMP_NUM_THREADS={threads} step {log} synthetic{wildcards.suffix}"
        " {LAUNCH} scripts/generate_synthetic.py {RECIPES}/synthesize.yaml"
        " {params.heat} --generator {params.generator} --output_dir {OUT}/synthetic{wildcards.suffix}"
        " --wait_for_lock true"


rule audit:
    """Raw synthetic data beside MNLI, labels judged by the largest start; the text goes into the dataset's card."""
    input:
        lambda _: inputs("audit", "mnli", "hans"),
        f"{JUDGE}/lineage.json",
        f"{OUT}/mnli/lineage.json",
        f"{OUT}/synthetic{{suffix}}/lineage.json",
    output:
        f"{OUT}/synthetic{{suffix}}/audit/audit.json",
    log:
        f"{LOGS}/audit-synthetic{{suffix}}.log",
    params:
        recipe=lambda _: values("audit"),
    resources:
        **needs("audit"),
    shell:
        "step {log} audit-synthetic{wildcards.suffix} python scripts/audit_dataset.py {RECIPES}/audit.yaml"
        " --dataset {OUT}/synthetic{wildcards.suffix} --reference {OUT}/mnli --label_model {JUDGE}"
        " --output_dir {OUT}/synthetic{wildcards.suffix}/audit"


rule variant:
    input:
        lambda w: [f"{OUT}/{parent}/lineage.json" for parent in variant_parents(w.variant, GRID.external)],
    output:
        f"{OUT}/variants/{{variant}}/lineage.json",
    log:
        f"{LOGS}/variants-{{variant}}.log",
    params:
        recipe=values("variants"),
        sizes=sizes("variants", "sizes", GRID.sizes),
        flags=lambda w: variant_flags(w.variant, OUT, GRID.external),
    resources:
        **needs("variant"),
    shell:
        "step {log} variants/{wildcards.variant} python scripts/build_variants.py {RECIPES}/variants.yaml"
        " {params.flags} --sizes {params.sizes} --original {OUT}/mnli"
        " --output_dir {OUT}/variants/{wildcards.variant} --wait_for_lock true"


rule cell:
    input:
        test_inputs("augment"),
        lambda w: f"{OUT}/models/{cell_of(w).parent_name}/lineage.json",
        lambda w: f"{OUT}/variants/{cell_of(w).variant}/lineage.json",
    output:
        f"{OUT}/models/n{{start}}-{{kind}}-n{{size}}-s{{seed}}/lineage.json",
    log:
        f"{LOGS}/n{{start}}-{{kind}}-n{{size}}-s{{seed}}.log",
    params:
        recipe=values("augment"),
        parent=lambda w: f"{OUT}/models/{cell_of(w).parent_name}",
        rows=lambda w: f"{OUT}/variants/{cell_of(w).variant} --train_config n{w.size}",
        name=lambda w: cell_of(w).name,
    threads: THREADS
    resources:
        **needs("cell", lambda w: w.size),
    shell:
        "OMP_NUM_THREADS={threads} step {log} {params.name}"
        " {LAUNCH} scripts/finetune_task.py {RECIPES}/augment.yaml"
        " --model_name_or_path {params.parent} --train_dataset {params.rows} --seed {wildcards.seed}"
        " --output_dir {OUT}/models/{params.name} --wait_for_lock true"


rule report:
    input:
        [f"{OUT}/models/{cell.name}/lineage.json" for cell in starts(GRID) + cells(GRID)],
    output:
        f"{REPORT}/index.html",
    log:
        f"{LOGS}/report-{AXES}.log",
    params:
        axes=vars(GRID),
        tests=test_set_flags(values("augment")),
        table1=table1_flags(),
    resources:
        **needs("report"),
    shell:
        "step {log} report python scripts/report.py {RECIPES}/{AXES}.yaml --models {OUT}/models {params.table1}"
        " {params.tests} --output_dir {REPORT}"
