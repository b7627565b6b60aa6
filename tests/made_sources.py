"""Small sets of each type of data, made on the spot, and what a comparison of them holds."""

import numpy as np
import pandas as pd


def found(comparison: dict, section: str, what: str) -> dict:
    """A finding of a section by its name."""
    (finding,) = [one for one in comparison["sections"][section]["findings"] if one["what"] == what]
    return finding


def claim(comparison: dict, statement: str) -> dict:
    """A claim by its statement."""
    (one,) = [one for one in comparison["claims"] if one["statement"] == statement]
    return one


def labelled_rows(n: int = 200, people: int = 4, seed: int = 0) -> pd.DataFrame:
    """Texts with labels 0 to 2 of people, of a model that follows their majority, and of one that ignores the text."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=[0.5, 0.2, 0.3])

    def labels(right: float, each: int) -> list[list[int]]:
        drawn = np.where(rng.random((n, each)) < right, truth[:, None], rng.integers(0, 3, (n, each)))
        return drawn.tolist()

    return pd.DataFrame(
        {
            "text_id": range(n),
            "people": labels(0.6, people),
            "sharp": labels(1.0, 3),
            "random": rng.choice(3, (n, 3), p=[0.5, 0.2, 0.3]).tolist(),
        }
    )
