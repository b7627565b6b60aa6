"""The demo's grid at its smallest, made by the scripts: one start, one kind, one size, every kind of artifact."""

import importlib
import shutil
import sys
from pathlib import Path
from unittest.mock import patch

from datasets import Dataset

from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
from blindspots.artifacts.inputs import Source
from blindspots.config.recipes import GeneratorRecipe, SynthesisRecipe
from blindspots.data.nli_datasets import PAIR_FEATURES, write_configs

REPO_ROOT = Path(__file__).resolve().parents[2]
START, KIND, SIZE = 100, "synthetic", 30
CELL = f"n{START}-{KIND}-n{SIZE}-s0"
TRAINING = (
    "dtype: float32\nuse_cpu: true\nsave_strategy: 'no'\nreport_to: none\ndisable_tqdm: true\nlearning_rate: 1e-3\n"
)


def script(name: str, *words: object, **keys: object) -> None:
    """Run a script's main in this process; `keys` as --key=value."""
    flags = [f"--{key}={value}" for key, value in keys.items()]
    with patch.object(sys, "argv", [name, *map(str, words), *flags]):
        importlib.import_module(name).main()


def source(folder: Path, repo_type: str) -> Source:
    return Source(str(folder), folder, None, repo_type)


def generator(out: Path, made: Path) -> None:
    """A generator without training: the one in `made`."""
    recipe = GeneratorRecipe(output_dir=str(out / "generator"))
    with output_folder(recipe, "generator") as folder:
        shutil.copytree(made, folder.staging, dirs_exist_ok=True)
        parents = {"base": source(out / "base", "model"), "train": source(out / "mnli", "dataset")}
        save_artifact(folder, resolved_recipe(recipe), parents, {"trained on": 0})


def raw_synthetic(out: Path) -> None:
    """What that generator might have written: 20 pairs per label."""
    recipe = SynthesisRecipe(generator="unused", output_dir=str(out / "synthetic"))
    rows = [
        (f"{label}-{row}", f"A cat saw {row} dogs.", f"{row} dogs saw {label}.", label)
        for label in range(3)
        for row in range(20)
    ]
    pairs = Dataset.from_dict(dict(zip(PAIR_FEATURES, map(list, zip(*rows)))), features=PAIR_FEATURES)
    with output_folder(recipe, "raw_synthetic") as folder:
        counts = write_configs(folder.staging, {"full": {"train": pairs}})
        save_artifact(folder, resolved_recipe(recipe), {"generator": source(out / "generator", "model")}, counts)


def make_tiny_grid(root: Path, made_generator: Path) -> Path:
    """Write root/outputs/demo and root/recipes/demo, with links to scripts and modules; returns outputs/demo."""
    for name in ("scripts", "evaluate_modules", "results", "model_cards", "data_cards"):
        (root / name).symlink_to(REPO_ROOT / name)
    recipes, out = root / "recipes/demo", root / "outputs/demo"
    recipes.mkdir(parents=True)
    (recipes / "grid.yaml").write_text(f"starts: [{START}]\nkinds: [{KIND}]\nsizes: [{SIZE}]\nseeds: [0]\n")
    (recipes / "task.yaml").write_text(TRAINING)
    rows = {"train_rows": 150, "matched_rows": 60, "hans_rows": 60}
    mnli, hans = out / "corpus/mnli", out / "corpus/hans"
    for part, folder in (("mnli", mnli), ("hans", hans)):
        script("make_demo_inputs", part=part, output_dir=folder, **rows)
    script("make_demo_inputs", part="base", corpus=mnli, output_dir=out / "base")
    script("prepare_mnli", mnli=mnli, dev_rows_per_label=5, start_sizes=[START], output_dir=out / "mnli")
    generator(out, made_generator)
    raw_synthetic(out)
    sets, start = out / "variants" / KIND, out / "models" / f"n{START}-s0"
    script("build_variants", kind=KIND, synthetic=out / "synthetic", sizes=[SIZE], output_dir=sets)
    tests = {"test_sets": "[mnli_matched, hans]", "mnli": mnli, "hans": hans, "hans_expected_rows": 60}
    for name, model, data, config in (
        (start.name, out / "base", out / "mnli", f"n{START}"),
        (CELL, start, sets, f"n{SIZE}"),
    ):
        keys = {"model_name_or_path": model, "train_dataset": data, "train_config": config, "seed": 0}
        script("finetune_task", recipes / "task.yaml", **keys, **tests, output_dir=out / "models" / name)
    script("evaluate_task", model=start, **tests, output_dir=out / "predictions" / start.name)
    return out
