"""The registry of test sets: one file each in recipes/test_sets. Adding a test set is adding a file there."""

import dataclasses
import functools
import inspect
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from blindspots.config.errors import RecipeError
from blindspots.config.paths import TEST_SETS
from blindspots.config.test_set_keys import TestSetSources, test_set_keys
from blindspots.config.yaml_files import read_yaml
from blindspots.data.nli import ENTAILMENT, LABELS, NON_ENTAILMENT

ACCURACY, PROBABILITY, AUROC, D_PRIME, CRITERION = "accuracy", "mean_probability", "auroc", "d_prime", "criterion"
# Columns that the predictions of every test set have, empty where a set has no such column.
SLICES = ("heuristic", "subcase", "genre")
# What else predictions, the metric's results and reports call a column; no slice may be called so.
OUR_COLUMNS = frozenset(
    "id premise hypothesis text gold label prediction right score right_probability entailment entailment_score "
    "test_set cluster model n accuracy low high logit_entailment logit_neutral logit_contradiction".split()
)
# The same of a headline: it is a key of the metric's results and a column of a report.
OUR_RESULTS = frozenset("start kind size seed replicate slices scores headlines name".split())


@dataclasses.dataclass(frozen=True)
class Headline:
    """A number that tables, figures and claims show: of a whole test set or of a slice of it.

    slice: values of slice columns and of `label`; empty for the whole set.
    measure: ACCURACY, the only one that cards show; PROBABILITY, the mean probability of the right class of entailment
        and the rest; AUROC or D_PRIME, the ability to tell the two apart; CRITERION, below 0 for a model that is quick
        to say entailment.
    """

    name: str
    title: str
    test_set: str
    slice: Mapping[str, str] = dataclasses.field(default_factory=dict)
    measure: str = ACCURACY

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1, as all but d' and the criterion do."""
        return self.measure not in (D_PRIME, CRITERION)


@dataclasses.dataclass(frozen=True)
class TestSet:
    """What recipes/test_sets/<name>.yaml says of a test set.

    key: first part of its keys on the command line (`mnli` for mnli_matched).
    order: where it stands in tables and figures; sets of one number stand by name.
    dataset, revision, config, split: where its rows are on the Hub.
    rows: rows with a label that the split has; sha256: of their texts and labels, see `test_set_rows.rows_sha256`.
    strict_rows: whether another source must have as many rows, unless <key>_expected_rows says otherwise.
    columns: our name -> the dataset's, of premise, hypothesis, label and id.
    id_prefix: put before the row number where there is no id column.
    label_names: the dataset's label -> ours, where it has other names.
    folding: the set's own label -> which of the three predicted labels count as it; empty for a three-way set.
    unlabelled: `drop` where rows whose label is missing are left out, else they are an error. A label that is `-`, as
        the writers have no agreed label in SNLI and MNLI, is always left out.
    slices: columns by which accuracy is split; allowed: the values that such a column may have.
    cluster: column of what rows share, or several, of which the first that is there counts; None: rows stand alone.
    stratify: column whose shares a part keeps.
    headlines: name -> slice, shown beside the whole set; titles: name -> how tables call it.
    both_sides: name -> slice of a two-way set, without label, of which accuracy and mean probability are shown for
        entailed and for other rows, with what tells ability from a readiness to say entailment.
    """

    name: str
    title: str
    dataset: str
    split: str
    rows: int
    citation: str = ""
    key: str = ""
    order: int = 100
    revision: str | None = None
    config: str | None = None
    sha256: str | None = None
    strict_rows: bool = False
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    id_prefix: str = ""
    label_names: Mapping[Any, str] = dataclasses.field(default_factory=dict)
    folding: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    unlabelled: str = "refuse"
    slices: Sequence[str] = ()
    allowed: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
    cluster: str | Sequence[str] | None = None
    stratify: str = "gold"
    headlines: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    both_sides: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    titles: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The gold labels that its rows may have."""
        folded = {label for labels in self.folding.values() for label in labels}
        return (*(label for label in LABELS if label not in folded), *self.folding)

    @property
    def shown(self) -> list[Headline]:
        """Its accuracies: of the whole set, then of its headline slices and of both sides of others."""
        whole = Headline(self.name, self.title, self.name)
        slices = [Headline(name, self._title(name), self.name, part) for name, part in self.headlines.items()]
        return [whole, *slices, *(side for name in self.both_sides for side in self._sides(name))]

    @property
    def measured(self) -> list[Headline]:
        """Of each slice of `both_sides`: the mean probability on either side, AUROC, d' and criterion."""
        found = []
        for name, part in self.both_sides.items():
            for side in self._sides(name):
                title = f"{side.title}, probability"
                found.append(Headline(f"{side.name}_probability", title, self.name, side.slice, PROBABILITY))
            for measure, title in ((AUROC, "AUROC"), (D_PRIME, "d'"), (CRITERION, "criterion")):
                found.append(Headline(f"{name}_{measure}", f"{self._title(name)} {title}", self.name, part, measure))
        return found

    def _sides(self, name: str) -> list[Headline]:
        """The accuracies of a slice of `both_sides`: of the rows that are not entailed, then of those that are."""
        other = next(label for label in self.labels if label != ENTAILMENT)
        sides = {NON_ENTAILMENT: other, ENTAILMENT: ENTAILMENT}
        return [
            Headline(
                f"{name}_{side.replace('-', '_')}",
                f"{self._title(name)}-{side}",
                self.name,
                {**self.both_sides[name], "label": label},
            )
            for side, label in sides.items()
        ]

    def _title(self, name: str) -> str:
        return self.titles.get(name, name.replace("_", " "))

    def fold(self, label: str) -> str:
        """A predicted or gold label as one of the set's own. Raises ValueError for one that is not an NLI label."""
        for own, labels in self.folding.items():
            if label == own or label in labels:
                return own
        if label in self.labels:
            return label
        raise ValueError(f"{label!r} is not a label of {self.name}; it has {', '.join(self.labels)}.")

    def metric_entry(self) -> dict[str, Any]:
        """What the metric module needs to score the set."""
        return {
            "labels": list(self.labels),
            "folding": {own: list(labels) for own, labels in self.folding.items()},
            "rows": self.rows,
            "allowed": dict(self.allowed),
            "headlines": {headline.name: dict(headline.slice) for headline in self.shown},
            "both_sides": {name: dict(part) for name, part in self.both_sides.items()},
        }


@functools.cache
def test_set(name: str) -> TestSet:
    """The test set of a file in recipes/test_sets. Raises RecipeError for another name and for a broken file."""
    names = test_set_keys()
    if name not in names:
        raise RecipeError(f"There is no test set {name}; recipes/test_sets has {', '.join(names)}.")
    file = TEST_SETS / f"{name}.yaml"
    values = read_yaml(file)
    fields = {field.name: field for field in dataclasses.fields(TestSet) if field.name != "name"}
    unknown = sorted(values.keys() - fields.keys())
    if unknown:
        raise RecipeError(f"{file}: {unknown[0]} is not a key of a test set; there are {', '.join(fields)}.")
    required = [key for key, field in fields.items() if _required(field) and key not in values]
    if required:
        raise RecipeError(f"{file}: {required[0]} is required.")
    for key, value in values.items():
        if not _fits(value, fields[key].type):
            wanted = inspect.formatannotation(fields[key].type).replace("collections.abc.", "")
            raise RecipeError(f"{file}: {key} wants {wanted}, got {reprlib.repr(value)}.")
    allowed = {column: list(map(str, texts)) for column, texts in values.get("allowed", {}).items()}
    found = TestSet(name, **{"key": names[name], **values, "allowed": allowed})
    _check(found, str(file))
    return found


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value of YAML is of a type such as `Mapping[str, Sequence[str]]` or `str | None`."""
    arguments = typing.get_args(wanted)
    if isinstance(wanted, types.UnionType):
        return any(_fits(value, one) for one in arguments)
    kind = typing.get_origin(wanted) or wanted
    if kind is Mapping:
        return isinstance(value, dict) and all(_fits(item, arguments[1]) for item in value.values())
    if kind is Sequence:
        return isinstance(value, list) and all(_fits(item, arguments[0]) for item in value)
    return kind is Any or type(value) is kind


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _check(found: TestSet, where: str) -> None:
    """Raise RecipeError for values that contradict one another, and for names that are taken."""
    for column in found.slices:
        if not column.strip() or not column.isprintable():
            raise RecipeError(f"{where}: slices names the column {column!r}, which has no name in letters.")
        if column in OUR_COLUMNS:
            raise RecipeError(f"{where}: slices names {column}, which is a column of ours; give it another name.")
    for headline in found.shown:
        if headline.name in OUR_RESULTS or headline.name.startswith("auroc_"):
            raise RecipeError(f"{where}: {headline.name} is a name of ours; call the headline otherwise.")
    for name, part in found.both_sides.items():
        if "label" in part:
            raise RecipeError(f"{where}: both_sides {name} names a label; it is about both.")
        if len(found.labels) != 2 or ENTAILMENT not in found.labels:
            raise RecipeError(f"{where}: both_sides is for the labels entailment and one other, not {found.labels}.")
    for headline in found.shown[1:]:
        if headline.name in test_set_keys():
            raise RecipeError(f"{where}: headline {headline.name} has the name of a test set; give it another one.")
        for column, value in headline.slice.items():
            if column not in (*found.slices, "label"):
                raise RecipeError(f"{where}: headline {headline.name} names {column}, which is not in slices.")
            if column == "label" and value not in found.labels:
                raise RecipeError(f"{where}: headline {headline.name} names label {value}, which the set has not.")
    for column in found.allowed:
        if column not in found.slices:
            raise RecipeError(f"{where}: allowed names {column}, which is not in slices.")
    for label in (*found.label_names.values(), *(name for names in found.folding.values() for name in names)):
        if label not in (*LABELS, *found.labels):
            raise RecipeError(f"{where}: {label!r} is not an NLI label.")


def test_set_of(dataset: str) -> TestSet | None:
    """The first test set whose rows are read from a dataset of the Hub, None where there is none."""
    return next((found for found in map(test_set, test_set_keys()) if found.dataset == dataset), None)


def named_test_sets(recipe: TestSetSources) -> list[TestSet]:
    """The test sets of a recipe: those in `test_sets`, else those whose dataset one of its keys names.

    Raises RecipeError for a name without a file, a name given twice, and a key of a set that is not evaluated.
    """
    given = {name for name, key in test_set_keys().items() if getattr(recipe, key) is not None}
    names = recipe.test_sets
    if names is None:
        names = [name for name in test_set_keys() if name in given]
    for name in names:
        if names.count(name) > 1:
            raise RecipeError(f"test_sets holds {name} twice.")
    found = [test_set(name) for name in names]
    for name, key in test_set_keys().items():
        endings = ("", "_revision", "_rows", "_expected_rows")
        without_effect = [key + ending for ending in endings if getattr(recipe, key + ending) is not None]
        if name not in names and without_effect:
            raise RecipeError(f"{without_effect[0]} has no effect: {name} is not in test_sets.")
    return found
