"""The Space of this module: one CSV of pairs in, or two to compare, the rates of the heuristics out."""

from pathlib import Path

import evaluate
import gradio as gr
import pandas as pd

HERE = Path(__file__).parent
COLUMNS = "premise, hypothesis, label; optional premise_parse"
heuristic_audit = evaluate.load(str(HERE / "heuristic_audit.py"))


def audit(file: str, reference: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rates of an uploaded CSV and, with a second one, the ratios of the two."""
    try:
        # evaluate itself does not say which column is not there.
        columns = pd.read_csv(file, keep_default_na=False).to_dict("list")
        missing = {"premise", "hypothesis", "label"} - columns.keys()
        if missing:
            raise ValueError(f"The CSV has no column {', '.join(sorted(missing))}.")
        if reference:
            second = pd.read_csv(reference, keep_default_na=False).to_dict("list")
            columns |= {f"reference_{name}": column for name, column in second.items()}
        results = heuristic_audit.compute(**columns)
    except (ValueError, KeyError) as error:
        raise gr.Error(str(error)) from error
    return pd.DataFrame(results["rates"]), pd.DataFrame(results.get("ratios", []))


demo = gr.Interface(
    fn=audit,
    inputs=[
        gr.File(label=f"CSV with the columns {COLUMNS}", type="filepath"),
        gr.File(label="A second one to compare with (optional)", type="filepath"),
    ],
    outputs=[gr.Dataframe(label="Rates"), gr.Dataframe(label="Ratios")],
    title="heuristic_audit",
    description=heuristic_audit.description,
)

if __name__ == "__main__":
    demo.launch()
