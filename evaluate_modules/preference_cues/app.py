"""The Space of this module: a CSV of choices and cues in, the effects out."""

from pathlib import Path

import evaluate
import gradio as gr
import pandas as pd

HERE = Path(__file__).parent
COLUMNS = "human, model; optional units; every other column is a cue"
preference_cues = evaluate.load(str(HERE / "preference_cues.py"))


def measure(file: str, position: bool) -> dict:
    """The effects of an uploaded CSV."""
    try:
        columns = pd.read_csv(file, keep_default_na=False).to_dict("list")
        return preference_cues.compute(**columns, position=position)
    except (ValueError, KeyError) as error:
        raise gr.Error(str(error)) from error


demo = gr.Interface(
    fn=measure,
    inputs=[
        gr.File(label=f"CSV with the columns {COLUMNS}", type="filepath"),
        gr.Checkbox(label="The order of the texts is the one that was shown", value=True),
    ],
    outputs=gr.JSON(label="Effects"),
    title="preference_cues",
    description=preference_cues.description,
)

if __name__ == "__main__":
    demo.launch()
