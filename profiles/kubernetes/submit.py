"""Submit a jobscript of Snakemake as a Kubernetes Job in this folder, and print the Job's name.

python profiles/kubernetes/submit.py --gpus 1 --cpus 4 --mem_mb 16000 --minutes 30 JOBSCRIPT
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import yaml


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("gpus", "cpus", "mem_mb", "minutes"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("jobscript")
    return parser.parse_args()


def manifest(options: argparse.Namespace) -> dict:
    """The Job of job.yaml with what this step runs and takes."""
    job = yaml.safe_load(Path(__file__).with_name("job.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    pod["activeDeadlineSeconds"] = 60 * options.minutes
    limits = {"memory": f"{options.mem_mb}M"} | ({"nvidia.com/gpu": options.gpus} if options.gpus else {})
    pod["containers"][0] |= {
        "command": ["/bin/sh", options.jobscript],
        "workingDir": os.getcwd(),
        "resources": {"limits": limits, "requests": {"cpu": options.cpus}},
    }
    return job


def main() -> None:
    command = ["kubectl", "create", "--filename", "-", "--output", "name"]
    sys.exit(subprocess.run(command, input=yaml.safe_dump(manifest(parse())), text=True).returncode)


if __name__ == "__main__":
    main()
