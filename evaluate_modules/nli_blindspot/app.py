"""The Space of this module: a CSV of predictions in, accuracies and slices out."""

from pathlib import Path

import evaluate
import gradio as gr
import pandas as pd

HERE = Path(__file__).parent
COLUMNS = "predictions, references, test_set, heuristic, subcase; optional genre, entailment_score"
blindspot = evaluate.load(str(HERE / "nli_blindspot.py"))


def score(file: str) -> tuple[dict, pd.DataFrame]:
    """The three accuracies and the table of slices of an uploaded CSV."""
    try:
        results = blindspot.compute(**pd.read_csv(file, keep_default_na=False).to_dict("list"))
    except (ValueError, KeyError) as error:
        raise gr.Error(str(error)) from error
    slices = pd.DataFrame(results.pop("slices"))
    return results, slices


demo = gr.Interface(
    fn=score,
    inputs=gr.File(label=f"CSV with the columns {COLUMNS}", type="filepath"),
    outputs=[gr.JSON(label="Accuracies"), gr.Dataframe(label="Slices")],
    title="nli_blindspot",
    description=blindspot.description,
)

if __name__ == "__main__":
    demo.launch()
