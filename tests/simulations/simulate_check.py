"""False verdicts and power of checks of a dataset, by simulation: results/check.md.

PYTHONPATH=scripts python tests/simulations/simulate_check.py

Every line has a seed of its own, so that a test can make any line again.
"""

import dataclasses
import zlib

import numpy as np

from blindspots.artifacts.files import markdown_table
from blindspots.check.sequential import HARMS, NO_HARM, UNDECIDED, SequentialTest, overall
from blindspots.config.paths import ROOT

FILE = ROOT / "results/check.md"
CHECKS = 2_000
LOOKS, ALPHA, MARGIN = (3, 5, 8, 12), 0.05, 1.0
# The score on original rows, in margins: far enough from 0 for any harm.
ROOM = 100.0


@dataclasses.dataclass(frozen=True)
class World:
    """Where the differences of a check come from, in margins.

    truths: of each headline. sd: over seeds. correlation: of any two headlines within a seed.
    tails: degrees of freedom of Student's t, of which the differences are drawn; None for normal ones.
    """

    truths: tuple[float, ...]
    sd: float = 1.0
    correlation: float = 0.5
    tails: int | None = None

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Differences of one check, shape [headlines, seeds]."""
        shape = len(self.truths), LOOKS[-1]
        shared = rng.normal(size=(1, shape[1]))
        noise = np.sqrt(self.correlation) * shared + np.sqrt(1 - self.correlation) * rng.normal(size=shape)
        if self.tails:
            noise *= np.sqrt((self.tails - 2) / rng.chisquare(self.tails, size=(1, shape[1])))
        return np.array(self.truths)[:, None] + self.sd * noise


def check(differences: np.ndarray) -> tuple[str, int, set[str]]:
    """The verdict of a check that stops once it has one, its seeds, and the headlines' verdicts at the last look."""
    test = SequentialTest(LOOKS, {str(number): MARGIN for number in range(len(differences))}, ALPHA)
    verdict, used = UNDECIDED, LOOKS[-1]
    for seeds in LOOKS:
        original = np.full(seeds, ROOM)
        found = test.look({str(number): (ROOM + row[:seeds], original) for number, row in enumerate(differences)})
        if verdict == UNDECIDED:
            verdict, used = overall(one.verdict for one in found), seeds
    return verdict, used, {one.verdict for one in found}


def simulated(world: World, checks: int = CHECKS) -> dict[str, float]:
    """Shares of checks with each verdict, and with some headline's; mean seeds."""
    rng = np.random.default_rng(zlib.crc32(repr(world).encode()))
    found = [check(world.draw(rng)) for _ in range(checks)]
    shares = {verdict: np.mean([one[0] == verdict for one in found]) for verdict in (HARMS, NO_HARM, UNDECIDED)}
    some = {f"some {verdict}": np.mean([verdict in one[2] for one in found]) for verdict in (HARMS, NO_HARM)}
    return {name: float(share) for name, share in (shares | some).items()} | {
        "seeds": float(np.mean([one[1] for one in found]))
    }


# All headlines lie exactly at the margin: a verdict of harm, and one of no harm, is as likely false as it can be.
AT_THE_EDGE = [
    World((-1.0,) * headlines, correlation=correlation, tails=tails)
    for headlines, correlation, tails in ((1, 0, None), (3, 0, None), (3, 0.5, None), (7, 0.5, None), (3, 0.5, 3))
]
PLANTED = [World((harm, 0.0, 0.0), sd) for harm in (0.0, -2.0, -3.0, -4.0) for sd in (0.25, 0.5, 1.0)]


def edge_line(world: World) -> dict[str, str]:
    """One line of the table of false verdicts."""
    found = simulated(world)
    return {
        "headlines": str(len(world.truths)),
        "correlation": f"{world.correlation:g}",
        "differences": f"t with {world.tails} degrees of freedom" if world.tails else "normal",
        "false harm": f"{found[f'some {HARMS}']:.3f}",
        "false no harm of a headline": f"{found[f'some {NO_HARM}']:.3f}",
        "false no harm of the set": f"{found[NO_HARM]:.3f}",
    }


def planted_line(world: World) -> dict[str, str]:
    """One line of the table of power."""
    found = simulated(world)
    return {
        "difference of one headline": f"{world.truths[0]:g}",
        "sd over seeds": f"{world.sd:g}",
        **{verdict: f"{found[verdict]:.3f}" for verdict in (HARMS, NO_HARM, UNDECIDED)},
        "mean seeds": f"{found['seeds']:.1f}",
    }


ABOUT_EDGE = f"""\
**False verdicts.** Looks after {", ".join(map(str, LOOKS))} seeds, alpha {ALPHA}, {CHECKS:,} checks per line. All
headlines lie exactly at minus the margin, where either verdict is as likely false as it can be; counted
up to the last look."""
ABOUT_PLANTED = """\
**Power.** One headline of three has the difference given, the others 0; differences and standard deviations (of the
difference within a seed) are in margins, the headlines correlate by .5. A check stops at its verdict."""


def main() -> None:
    edge, planted = [edge_line(world) for world in AT_THE_EDGE], [planted_line(world) for world in PLANTED]
    parts = [ABOUT_EDGE, markdown_table(edge).rstrip(), ABOUT_PLANTED, markdown_table(planted).rstrip()]
    FILE.write_text("\n\n".join(parts) + "\n", "utf-8")


if __name__ == "__main__":
    main()
