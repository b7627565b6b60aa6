"""The Space of this module: a CSV of two models' predictions in, the comparison out."""

from pathlib import Path

import evaluate
import gradio as gr
import pandas as pd

HERE = Path(__file__).parent
COLUMNS = "predictions1, predictions2, references; optional clusters, seeds"
paired_accuracy = evaluate.load(str(HERE / "paired_accuracy.py"))


def compare(file: str, paired_seeds: bool) -> dict:
    """The comparison of an uploaded CSV."""
    try:
        columns = pd.read_csv(file, keep_default_na=False).to_dict("list")
        return paired_accuracy.compute(**columns, paired_seeds=paired_seeds)
    except (ValueError, KeyError) as error:
        raise gr.Error(str(error)) from error


demo = gr.Interface(
    fn=compare,
    inputs=[
        gr.File(label=f"CSV with the columns {COLUMNS}", type="filepath"),
        gr.Checkbox(label="A seed means the same start or data for both models", value=True),
    ],
    outputs=gr.JSON(label="Comparison"),
    title="paired_accuracy",
    description=paired_accuracy.description,
)

if __name__ == "__main__":
    demo.launch()
