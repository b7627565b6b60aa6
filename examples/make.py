"""Write the example files of this folder again.

PYTHONPATH=scripts python examples/make.py
"""

from pathlib import Path

from blindspots.demo.examples import write_examples

if __name__ == "__main__":
    write_examples(Path(__file__).parent)
