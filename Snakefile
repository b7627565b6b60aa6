"""The grid as a graph of the scripts: which artifact is made from which, and by what command.

    snakemake --cores 2 --config model=demo

Keys of --config: model, a folder of recipes/; launch, what runs a script that trains or predicts, such as
"accelerate launch --config_file accelerate_configs/single_gpu.yaml"; threads, CPU threads of one such job.
"""

import sys

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))
from blindspots.grid import cells, check_axes, starts
from blindspots.parsing import read_yaml
from blindspots.recipes import GridRecipe

MODEL = config.get("model", "demo")
LAUNCH = config.get("launch", "python")
THREADS = int(config.get("threads", 1))
RECIPES, OUT = f"recipes/{MODEL}", f"outputs/{MODEL}"
GRID = GridRecipe(**read_yaml(f"{RECIPES}/grid.yaml"))
check_axes(GRID)


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


wildcard_constraints:
    kind="|".join(GRID.kinds),
    start=r"\d+",
    size=r"\d+",
    seed=r"\d+",


rule all:
    input:
        f"{OUT}/report/index.html",


rule demo_input:
    output:
        "outputs/demo/corpus/{part}/lineage.json",
    params:
        recipe=lambda _: values("inputs"),
    shell:
        "python scripts/make_demo_inputs.py recipes/demo/inputs.yaml --part {wildcards.part}"
        " --output_dir outputs/demo/corpus/{wildcards.part} --wait_for_lock true"


rule demo_base:
    input:
        "outputs/demo/corpus/mnli/lineage.json",
    output:
        "outputs/demo/base/lineage.json",
    params:
        recipe=lambda _: values("inputs"),
    shell:
        "python scripts/make_demo_inputs.py recipes/demo/inputs.yaml --part base --corpus outputs/demo/corpus/mnli"
        " --output_dir outputs/demo/base --wait_for_lock true"


rule prepare:
    input:
        inputs("prepare", "mnli"),
    output:
        f"{OUT}/mnli/lineage.json",
    params:
        recipe=values("prepare"),
        sizes=[size for size in GRID.starts if size],
    shell:
        "python scripts/prepare_mnli.py {RECIPES}/prepare.yaml --start_sizes {params.sizes}"
        " --output_dir {OUT}/mnli --wait_for_lock true"


rule start:
    input:
        inputs("start", "model_name_or_path", "mnli", "hans"),
        f"{OUT}/mnli/lineage.json",
    output:
        f"{OUT}/models/n{{start}}-s{{seed}}/lineage.json",
    params:
        recipe=values("start"),
        rows=lambda w: f"--train_dataset {OUT}/mnli --train_config n{w.start}" if int(w.start) else "--train_dataset null",
    threads: THREADS
    shell:
        "OMP_NUM_THREADS={threads} {LAUNCH} scripts/finetune_task.py {RECIPES}/start.yaml {params.rows}"
        " --seed {wildcards.seed} --output_dir {OUT}/models/n{wildcards.start}-s{wildcards.seed} --wait_for_lock true"


rule generator:
    input:
        inputs("generator", "model_name_or_path"),
        f"{OUT}/mnli/lineage.json",
    output:
        f"{OUT}/generator/lineage.json",
    params:
        recipe=values("generator"),
    threads: THREADS
    shell:
        "OMP_NUM_THREADS={threads} {LAUNCH} scripts/finetune_generator.py {RECIPES}/generator.yaml"
        " --train_dataset {OUT}/mnli --output_dir {OUT}/generator --wait_for_lock true"


rule synthesize:
    input:
        f"{OUT}/generator/lineage.json",
    output:
        f"{OUT}/synthetic/lineage.json",
    params:
        recipe=values("synthesize"),
    threads: THREADS
    shell:
        "OMP_NUM_THREADS={threads} {LAUNCH} scripts/generate_synthetic.py {RECIPES}/synthesize.yaml"
        " --generator {OUT}/generator --output_dir {OUT}/synthetic --wait_for_lock true"


rule variant:
    input:
        lambda w: f"{OUT}/mnli/lineage.json" if w.kind == "original" else f"{OUT}/synthetic/lineage.json",
    output:
        f"{OUT}/variants/{{kind}}/lineage.json",
    params:
        recipe=values("variants"),
        sizes=GRID.sizes,
    shell:
        "python scripts/build_variants.py {RECIPES}/variants.yaml --kind {wildcards.kind} --sizes {params.sizes}"
        " --original {OUT}/mnli --synthetic {OUT}/synthetic --output_dir {OUT}/variants/{wildcards.kind}"
        " --wait_for_lock true"


rule cell:
    input:
        inputs("augment", "mnli", "hans"),
        f"{OUT}/models/n{{start}}-s{{seed}}/lineage.json",
        f"{OUT}/variants/{{kind}}/lineage.json",
    output:
        f"{OUT}/models/n{{start}}-{{kind}}-n{{size}}-s{{seed}}/lineage.json",
    params:
        recipe=values("augment"),
    threads: THREADS
    shell:
        "OMP_NUM_THREADS={threads} {LAUNCH} scripts/finetune_task.py {RECIPES}/augment.yaml"
        " --model_name_or_path {OUT}/models/n{wildcards.start}-s{wildcards.seed}"
        " --train_dataset {OUT}/variants/{wildcards.kind} --train_config n{wildcards.size} --seed {wildcards.seed}"
        " --output_dir {OUT}/models/n{wildcards.start}-{wildcards.kind}-n{wildcards.size}-s{wildcards.seed}"
        " --wait_for_lock true"


rule report:
    input:
        [f"{OUT}/models/{cell.name}/lineage.json" for cell in starts(GRID) + cells(GRID)],
    output:
        f"{OUT}/report/index.html",
    params:
        axes=vars(GRID),
    shell:
        "python scripts/report.py {RECIPES}/grid.yaml --models {OUT}/models --original {OUT}/mnli"
        " --synthetic {OUT}/synthetic --output_dir {OUT}/report"
