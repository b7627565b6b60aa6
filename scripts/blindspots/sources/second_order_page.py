"""What became of models that were trained on models' data, in Markdown, from what trained.json holds."""

from typing import Any

from blindspots.artifacts.files import markdown_table
from blindspots.artifacts.markdown import Markdown, code, inline
from blindspots.audit.render import interval
from blindspots.sources.render import claim_row

PREFACE = """# Models that are trained on data that models made

Second order (Das et al. 2024, [arXiv 2401.14698](https://arxiv.org/abs/2401.14698)): one model is trained on people's
data, one on a model's, and both are tested on people's. Unless a set says otherwise, train sets have equal rows and
units (of instructions equal tokens), no unit of theirs is in the test set, and a seed draws the train rows, one label
of each and the order of training. Accuracy is against one person's label. Intervals (95%) are over seeds and units of
the test set, differences paired by seed and row."""
HOW_JUDGED = (
    "Corrected: what decides; a claim is supported or contradicted where the whole interval lies on one side of 0. It "
    "is uninterpretable where neither of its models significantly beats one that learned nothing: that always gives "
    "the commonest answer, or guesses between two texts. As published, here: the same difference under the published "
    "coding, split or choice of units, on these models. Published: of the paper's own models, which are others than "
    "these."
)


def page(report: dict[str, Any]) -> str:
    """The page of a report."""
    claims = [claim_table_row(claim, title(report, claim["set"])) for claim in report["claims"]]
    parts = [PREFACE, "## Claims", HOW_JUDGED, markdown_table(claims) or "None."]
    for one in report["sets"]:
        parts += [f"## {inline(one['title'])}{' (split by row)' if one['split_by'] == 'row' else ''}", conditions(one)]
        parts.append(markdown_table([kind_row(one, kind) for kind in one["score"]]))
        parts.append("\n".join(f"- {inline(limit)}" for limit in one["limits"]))
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def title(report: dict[str, Any], name: str) -> str:
    """The title of a set by its name."""
    return next(one["title"] for one in report["sets"] if one["name"] == name)


def claim_table_row(claim: dict[str, Any], data: str | Markdown) -> dict[str, Any]:
    """A claim as a row of a table."""
    return {"data": data, **claim_row(claim)}


def overview(report: dict[str, Any], folder: str) -> str:
    """The claims in one table whose rows link to the folder of the report."""
    rows = []
    for claim in report["claims"]:
        link = Markdown(f"[{inline(title(report, claim['set']))}]({folder})")
        rows.append(claim_table_row(claim, link))
    return markdown_table(rows)


def conditions(one: dict[str, Any]) -> str:
    """What was trained and tested, how, where and when, in a few lines."""
    seeds, machine = one["seeds"], one["hardware"]
    where = "no unit of the train sets" if one["split_by"] == "unit" else "units of the train sets, as published"
    share = one["commonest"]
    commonest = "" if share is None else f" Always the commonest answer: {100 * share:.1f}%."
    devices = ", ".join(machine["gpus"]) or f"{machine['cores']} cores of {machine['cpu']}"
    missing = ", ".join(map(code, one["missing"]))
    without = f" Left out with their seeds, since a model is missing: {missing}." if missing else ""
    return (
        f"{code(one['model'])}, {one['trained_for']} on {one['train_size']:,} {one['trained_by']}, {len(seeds)} "
        f"seeds; tested on {one['test_rows']:,} rows of {one['test_units']:,} units of people, {where}.{commonest} "
        f"{one['finished']}, {inline(devices)}, {one['minutes']:g} minutes for all models, "
        f"code {code((one['code_commit'] or 'unknown')[:12])}.{without}"
    )


def kind_row(one: dict[str, Any], kind: str) -> dict[str, str]:
    """How the models of one kind of train set do."""
    used, of_answers = one["trained_on"][kind], one["commonest"] is None
    return {
        "trained on": kind,
        "units": f"{one['train_units'][kind]:,}",
        "rows used": f"{min(used):,}" if min(used) == max(used) else f"{min(used):,}-{max(used):,}",
        "ROUGE-L" if of_answers else "accuracy": interval(one["score"][kind], "number" if of_answers else "share"),
        "nats per token" if of_answers else "log-loss (nats)": interval(one["loss"][kind], "number"),
    }
