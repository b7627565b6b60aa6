"""How many strange inputs each script refused and accepted, and on how many it failed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

# The name of a test's counts among the properties of its report.
PROPERTY = "strange inputs"
Line = tuple[str, str, int, int, int]


@dataclass
class Counts:
    """Inputs by (script, kind of input), and how many of them were refused and accepted."""

    inputs: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    accepted: Counter = field(default_factory=Counter)

    def clear(self) -> None:
        """Start from nothing."""
        for counter in (self.inputs, self.refused, self.accepted):
            counter.clear()

    def add(self, lines: Iterable[Line]) -> None:
        """Add the counts of a test."""
        for script, kind, *numbers in lines:
            for counter, number in zip((self.inputs, self.refused, self.accepted), numbers):
                counter[script, kind] += number

    def lines(self) -> list[Line]:
        """Script, kind, inputs, refused and accepted of each kind of input."""
        return [(*key, count, self.refused[key], self.accepted[key]) for key, count in sorted(self.inputs.items())]

    def table(self) -> list[str]:
        """The lines as text, with those that are neither refused nor accepted, and a last line of all together."""
        total = [counter.total() for counter in (self.inputs, self.refused, self.accepted)]
        rows = [*self.lines(), ("all", "", *total)]
        heads = f"{'script':20}{'kind of input':42}{'inputs':>8}{'refused':>9}{'accepted':>10}{'failed':>8}"
        shown = [f"{s:20}{kind:42}{n:8}{no:9}{yes:10}{n - no - yes:8}" for s, kind, n, no, yes in rows]
        return [heads, *shown] if self.inputs else []


# Of the test that is running.
COUNTS = Counts()
