"""Runs scripts one after another in one group of processes: `run_cases.py script:recipe.yaml ...`.

Beside each recipe, <its name>.json then holds the losses and gradient norms of the run's steps, and the line in which
it was refused, and <its name>-<process>.json the token ids of the rows that each process trained on, in order.
"""

import gc
import importlib
import json
import os
import sys
import traceback
from pathlib import Path

from fsdp_on_cpu import shard_on_cpu
from transformers import Trainer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from blindspots.config.errors import UserError
from blindspots.config.processes import is_main_process, run_script

train, training_step = Trainer.train, Trainer.training_step
steps, rows = [], []


def train_and_watch(trainer: Trainer, *args, **kwargs):
    done = train(trainer, *args, **kwargs)
    steps.extend(entry for entry in trainer.state.log_history if "loss" in entry)
    return done


def step_and_watch(trainer: Trainer, model, inputs, *args, **kwargs):
    batch = zip(inputs["input_ids"].tolist(), inputs["attention_mask"].tolist())
    rows.extend([token for token, shown in zip(ids, mask) if shown] for ids, mask in batch)
    return training_step(trainer, model, inputs, *args, **kwargs)


def run(script: str, recipe: Path) -> str | None:
    """Run a script; returns the line in which it was refused, or the traceback with which it failed."""
    sys.argv = [script, str(recipe)]
    try:
        importlib.import_module(script).main()
    except UserError as error:
        return str(error)
    except Exception:
        return traceback.format_exc()


def main() -> None:
    cases = [word.split(":") for word in sys.argv[1:]]
    Trainer.train, Trainer.training_step = train_and_watch, step_and_watch
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        shard_on_cpu()
    environment = dict(os.environ)
    for script, recipe in cases:
        gc.collect()
        gc.freeze()  # the libraries, which a script's own collections would look through each time
        os.environ.clear()
        os.environ.update(environment)  # a script leaves settings there for the libraries
        steps.clear()
        rows.clear()
        refused = run(script, Path(recipe))
        result = {"losses": [step["loss"] for step in steps], "norms": [step["grad_norm"] for step in steps]}
        stem = recipe.removesuffix(".yaml")
        Path(f"{stem}-{os.environ.get('RANK', '0')}.json").write_text(json.dumps(rows))
        if is_main_process():
            Path(f"{stem}.json").write_text(json.dumps(result | {"refused": refused}))


if __name__ == "__main__":
    run_script(main)
