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


def preference_rows(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """Pairs of three a question; people choose by quality, the model by length and quality, one in ten a tie.

    Codes: 0 first, 1 second, 2 tie; `turned` holds people's with 0 and 1 exchanged.
    """
    rng = np.random.default_rng(seed)
    words = rng.integers(3, 30, (2, n))
    good = rng.normal(size=n)
    people = np.where(good + rng.normal(size=n) > 0, 0, 1)
    model = np.where(good + 0.2 * (words[0] - words[1]) + rng.normal(size=n) > 0, 0, 1)
    people[rng.random(n) < 0.1] = 2
    return pd.DataFrame(
        {
            "question": np.arange(n) // 3,
            "text_1": [" ".join(["word"] * size) for size in words[0]],
            "text_2": [" ".join(["word"] * size) for size in words[1]],
            "people": people,
            "turned": np.select([people == 0, people == 1], [1, 0], 2),
            "model": model,
            "good_1": good,
            "good_2": 0.0,
        }
    )


def instruction_rows(n: int = 120, faults: int = 0, seed: int = 0, words: int = 12) -> pd.DataFrame:
    """Tasks of made-up words; the answers of the first `faults` rows are refusals."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array(["".join(letters) for letters in rng.choice(list("bcdfglmnprstvaeiou"), (400, 6))])

    def text(size: int) -> str:
        return " ".join(rng.choice(vocabulary, size)).capitalize() + "."

    outputs = ["I'm sorry, but I cannot do that."] * faults
    outputs += [" ".join(text(6) for _ in range(rng.integers(1, words))) for _ in range(n - faults)]
    return pd.DataFrame(
        {
            "row": range(n),
            "instruction": [text(8) for _ in range(n)],
            "input": ["" if one % 2 else text(4) for one in range(n)],
            "output": outputs,
        }
    )


def dialogue_rows(n: int = 80, seed: int = 0) -> pd.DataFrame:
    """Dialogues of four turns about tasks of two or five steps, two a task; large tasks succeed less often."""
    rng = np.random.default_rng(seed)
    letters = rng.choice(list("bcdfglmnprstvaeiou"), (n // 2, 8, 6))
    topics = [["".join(word) for word in task] for task in letters]
    rows = []
    for row in range(n):
        task = row // 2
        words = [" ".join(rng.choice(topics[task], 6, replace=False)) for _ in range(4)]
        turns = [
            f"Could you please look for my {words[0]}?",
            f"I have certainly seen your {words[1]}.",
            f"Would you please carry my {words[2]}?",
            f"We certainly carried your {words[3]}.",
        ]
        size = 2 if task % 2 else 5
        rows.append(
            {
                "task": task,
                "prompt": f"Carry {' '.join(topics[task])} in {size} steps.",
                "roles": ["user", "assistant"] * 2,
                "turns": turns,
                "success": int(rng.random() < (0.9 if size == 2 else 0.4)),
            }
        )
    return pd.DataFrame(rows)


def text_rows(n: int = 120, seed: int = 0) -> pd.DataFrame:
    """Texts of people and of two models on the same prompts: `formal` writes as officials do, `alike` as people do."""
    rng = np.random.default_rng(seed)
    plain = "I you can't it's nice dog cat home went saw liked red big tree my friend today fun was very".split()
    formal = "government information statement assessment of the which importance clarity was regarding".split()

    def text(words: list[str]) -> str:
        sentences = [" ".join(rng.choice(words, rng.integers(4, 9))) for _ in range(rng.integers(2, 6))]
        return " ".join(f"{sentence.capitalize()}." for sentence in sentences)

    models = ["formal", "alike"] * (n // 2)
    return pd.DataFrame(
        {
            "prompt": [row // 2 for row in range(n)],
            "model": models,
            "people": [text(plain) for _ in range(n)],
            "machine": [text(formal if model == "formal" else plain) for model in models],
        }
    )
