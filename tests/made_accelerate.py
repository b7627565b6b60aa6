"""A program in accelerate's place, so that launching can be seen without a GPU."""

from pathlib import Path


def made_accelerate(folder: Path, program: str) -> None:
    """Write a package in which `python -m accelerate.commands.launch` is a program of ours, for PYTHONPATH=folder."""
    commands = folder / "accelerate" / "commands"
    commands.mkdir(parents=True)
    for package in (commands.parent, commands):
        (package / "__init__.py").touch()
    (commands / "launch.py").write_text(program)
