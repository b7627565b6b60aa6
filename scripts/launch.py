"""Run a script on free GPUs of this machine, a process on each; it sees no others.

python scripts/launch.py --gpus 1 scripts/finetune_task.py recipes/smollm2-135m/start.yaml
"""

import argparse
import os
import sys

from blindspots.config.errors import RecipeError
from blindspots.config.gpus import take_gpus
from blindspots.config.parser import CommandLine
from blindspots.config.paths import ACCELERATE_CONFIGS
from blindspots.config.processes import run_script

ONE_GPU = ACCELERATE_CONFIGS / "single_gpu.yaml"
SEVERAL_GPUS = ACCELERATE_CONFIGS / "multi_gpu.yaml"


def parse() -> argparse.Namespace:
    parser = CommandLine(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--gpus", type=int, default=1, help="how many; 0 runs the script on the CPU (%(default)s)")
    parser.add_argument("--multi_gpu_config", default=SEVERAL_GPUS, help="accelerate's settings for several GPUs")
    parser.add_argument("--threads", type=int, help="CPU threads of the whole job, shared out among its processes")
    parser.add_argument("script", help="a script that trains or predicts")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its recipe and keys")
    return parser.parse_args()


def launch_command(options: argparse.Namespace) -> list[str]:
    """What starts the script: Python without GPUs, else accelerate with one process per GPU."""
    script = [options.script, *options.arguments]
    if options.gpus == 0:
        return [sys.executable, *script]
    config_file = ONE_GPU if options.gpus == 1 else options.multi_gpu_config
    accelerate = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config_file)]
    return [*accelerate, "--num_processes", str(options.gpus), *script]


def main() -> None:
    options = parse()
    if options.gpus < 0:
        raise RecipeError(f"--gpus {options.gpus}: a number of GPUs is 0 or more.")
    if options.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(max(1, options.threads // max(1, options.gpus)))
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(take_gpus(options.gpus))
    command = launch_command(options)
    os.execv(command[0], command)


if __name__ == "__main__":
    run_script(main)
