"""The Space of this module: a CSV of labels in, the measures out."""

from pathlib import Path

import evaluate
import gradio as gr
import pandas as pd

HERE = Path(__file__).parent
COLUMNS = "item, source, label; optional units"
label_agreement = evaluate.load(str(HERE / "label_agreement.py"))


def compare(file: str) -> pd.DataFrame:
    """The measures of an uploaded CSV."""
    try:
        columns = pd.read_csv(file, keep_default_na=False, dtype=str).to_dict("list")
        return pd.DataFrame(label_agreement.compute(**columns)["measures"])
    except (ValueError, KeyError) as error:
        raise gr.Error(str(error)) from error


demo = gr.Interface(
    fn=compare,
    inputs=gr.File(label=f"CSV with the columns {COLUMNS}; people's source is human", type="filepath"),
    outputs=gr.Dataframe(label="Measures"),
    title="label_agreement",
    description=label_agreement.description,
)

if __name__ == "__main__":
    demo.launch()
