"""Coverage, false verdicts and power of the report's intervals, by simulation: results/statistics.md.

PYTHONPATH=scripts python tests/simulations/simulate.py

Every line of a table has a seed of its own, so that a test can make any line again.
"""

import dataclasses
import zlib
from collections.abc import Callable

import numpy as np

from blindspots.artifacts.files import markdown_table
from blindspots.config.paths import PAPER_POINTS, ROOT
from blindspots.data.kinds import BIASED, ORIGINAL, SYNTHETIC
from blindspots.evaluation.statistics import Effect, crossed_interval, power_of_t
from blindspots.report.collect import HANS, MNLI, PAPER_METRICS
from blindspots.report.contrasts import (
    ABOVE_ZERO,
    CONTRADICTED,
    PUBLISHED_SD,
    Reading,
    read,
    same_cells,
    verdict_of,
)
from blindspots.report.points import read_points
from blindspots.report.verdicts import Claim, combined, judged

RESULTS = ROOT / "results"
GRIDS = 1_000
ROWS = 300
# Share of rows that two models of one start predict differently.
DISAGREE = 0.2


@dataclasses.dataclass(frozen=True)
class World:
    """Where a difference of two models' accuracies comes from; its mean over all generators, seeds and rows is 0.

    generators, replicates: how many, and how many of each. generator_sd, seed_sd, row_sd: of what each adds.
    """

    generators: int
    replicates: int
    generator_sd: float
    seed_sd: float
    row_sd: float

    def rng(self) -> np.random.Generator:
        """A generator of random numbers of this world's own."""
        return np.random.default_rng(zlib.crc32(repr(self).encode()))

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Differences (-1, 0, 1) of one grid, shape [generators, replicates, ROWS], and these generators' own mean."""
        shape = self.generators, self.replicates
        own = rng.normal(0, self.generator_sd, (self.generators, 1))
        effects = own + rng.normal(0, self.seed_sd, shape)
        chance = np.clip(effects[..., None] + rng.normal(0, self.row_sd, ROWS), -DISAGREE, DISAGREE)
        drawn = rng.random((*shape, ROWS))
        values = (drawn < (DISAGREE + chance) / 2).astype(float) - (drawn > 1 - (DISAGREE - chance) / 2)
        return values, float(own.mean())


def over_seeds(values: np.ndarray) -> Effect:
    """Replicates crossed with rows, whatever generator they are of: what the report shows of one generator."""
    flat = values.reshape(-1, ROWS)
    return crossed_interval(flat, np.zeros_like(flat), np.arange(ROWS))


def over_seeds_alone(values: np.ndarray) -> Effect:
    """Student's t over replicates, the rows taken as they are."""
    means = values.mean(axis=2).ravel()
    return crossed_interval(means, np.zeros_like(means))


def over_generators(values: np.ndarray) -> Effect:
    """Student's t over generators: what decides a claim about synthetic data."""
    means = values.mean(axis=(1, 2))
    return crossed_interval(means, np.zeros_like(means))


def these_generators(values: np.ndarray) -> Effect:
    """Replicates crossed with rows, each generator's about its own mean: what stands beside."""
    flat = values.reshape(-1, ROWS)
    groups = np.repeat(np.arange(len(values)), values.shape[1])
    return crossed_interval(flat, np.zeros_like(flat), np.arange(ROWS), groups=groups)


# An interval, and whether it is about these generators' own mean; else about that of all generators, which is 0.
Interval = tuple[Callable[[np.ndarray], Effect], bool]


def coverage(world: World, *intervals: Interval) -> list[tuple[float, float]]:
    """Share of grids in which each interval holds its mean, and its mean width."""
    rng, held, widths = world.rng(), [], []
    for _ in range(GRIDS):
        values, own = world.draw(rng)
        effects = [interval(values) for interval, _ in intervals]
        truths = [own if is_own else 0.0 for _, is_own in intervals]
        held.append([effect.low <= truth <= effect.high for effect, truth in zip(effects, truths)])
        widths.append([effect.high - effect.low for effect in effects])
    return list(zip(np.mean(held, axis=0).tolist(), np.mean(widths, axis=0).tolist()))


def _cells(held: float, width: float) -> dict[str, str]:
    return {"coverage": f"{held:.3f}", "type I": f"{1 - held:.3f}", "width": f"{width:.3f}"}


SEED_WORLDS = [
    World(1, seeds, 0, seed_sd, row_sd)
    for seed_sd, row_sd in ((0.002, 0.15), (0.02, 0.1), (0.1, 0.05))
    for seeds in (2, 3, 5, 10)
]
GENERATOR_WORLDS = [
    World(generators, replicates, generator_sd, 0.02, 0.1)
    for generator_sd in (0, 0.011, 0.034)
    for generators, replicates in ((2, 3), (3, 1), (3, 3), (5, 1), (5, 3))
]
ONE_GENERATOR = [World(1, 5, sd, 0.008, 0.1) for sd in (0, 0.011, 0.034)]


def seeds_line(world: World) -> dict[str, str]:
    """One line of the table of seeds."""
    used, alone = coverage(world, (over_seeds, False), (over_seeds_alone, False))
    where = {"seeds": str(world.replicates), "sd of seeds": f"{world.seed_sd:g}", "sd of rows": f"{world.row_sd:g}"}
    return where | _cells(*used) | {"seeds alone, by t": f"{alone[0]:.3f}", "its width": f"{alone[1]:.3f}"}


def generators_line(world: World) -> dict[str, str]:
    """One line of the table of generators."""
    intervals = [(over_generators, False), (over_seeds, False)]
    found = coverage(world, *intervals, *([(these_generators, True)] if world.replicates > 1 else []))
    where = {"generators": str(world.generators), "replicates of each": str(world.replicates)}
    return (
        where
        | {"sd of generators": f"{world.generator_sd:g}"}
        | _cells(*found[0])
        | {"generators ignored": f"{found[1][0]:.3f}"}
        | {"these generators' own mean": f"{found[2][0]:.3f}" if len(found) > 2 else ""}
    )


def one_generator_line(world: World) -> dict[str, str]:
    """One line of the table of one generator with five seeds."""
    ((held, _),) = coverage(world, (over_seeds, False))
    return {"sd of generators": f"{world.generator_sd:g}", "false verdicts on generators": f"{1 - held:.3f}"}


def claim_line(readings: int, correlation: float) -> dict[str, str]:
    """How often a claim of so many readings, none of which is true or false (all are 0), is contradicted."""
    rng = np.random.default_rng(zlib.crc32(repr((readings, correlation)).encode()))
    plain = corrected = 0
    for _ in range(5 * GRIDS):
        shared = rng.normal(size=(5, 1))
        units = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=(5, readings))
        made = [_reading(unit) for unit in units.T]
        plain += combined(made) == CONTRADICTED
        corrected += judged(Claim("", "", "", made)).verdict == CONTRADICTED
    total = 5 * GRIDS
    return {
        "readings": str(readings),
        "correlation": f"{correlation:g}",
        "contradicted, uncorrected": f"{plain / total:.3f}",
        "contradicted, Holm": f"{corrected / total:.3f}",
    }


def _reading(units: np.ndarray) -> Reading:
    effect = crossed_interval(units, np.zeros_like(units))
    made = Reading("", "", "", "", "generators", len(units), estimate=effect.estimate)
    made.p_supported, made.p_contradicted = ABOVE_ZERO.p_values(effect)
    made.verdict = verdict_of(made.p_supported, made.p_contradicted)
    return made


def paper_effects() -> dict[tuple[str, str, str], float]:
    """The paper's mean differences over starts and sizes, by (first kind, second kind, metric)."""
    paper = read_points(PAPER_POINTS)
    return {
        (first, second, metric): read(paper, metric, "", same_cells(paper, first, second), ABOVE_ZERO).estimate
        for first, second in ((ORIGINAL, SYNTHETIC), (ORIGINAL, BIASED), (SYNTHETIC, BIASED))
        for metric in PAPER_METRICS
    }


def power(effect: float, metric: str, generator_sd: float, generators: int, replicates: int) -> float:
    """Of the t-test over generators; two runs of a replicate vary as those of McCoy et al.'s BERTs."""
    sd = np.sqrt(generator_sd**2 + 2 * PUBLISHED_SD[metric] ** 2 / replicates)
    return power_of_t(effect, float(sd), generators)


def power_lines() -> list[dict[str, str]]:
    """Power of C5's superiority and of C6's six differences, all of them found, at the paper's effects and at half."""
    effects, lines = paper_effects(), []
    for share in (1.0, 0.5):
        for generator_sd in (0.011, 0.034):
            for generators, replicates in ((3, 1), (3, 3), (5, 1), (5, 3), (10, 1)):
                design = generator_sd, generators, replicates
                hans = power(share * effects[ORIGINAL, SYNTHETIC, HANS], HANS, *design)
                worst = [
                    # MNLI varies less than HANS over generators as it does over seeds.
                    power(
                        share * effect, metric, generator_sd * (0.1 if metric == MNLI else 1), generators, replicates
                    )
                    for (_, second, metric), effect in effects.items()
                    if second == BIASED
                ]
                lines.append(
                    {"effects": "the paper's" if share == 1 else "half", "sd of generators": f"{generator_sd:g}"}
                    | {"generators": str(generators), "replicates of each": str(replicates)}
                    | {"C5, HANS": f"{hans:.2f}", "C6, six differences": f"{np.prod(worst):.2f}"}
                )
    return lines


TABLES: dict[str, Callable[[], list[dict[str, str]]]] = {
    "seeds": lambda: [seeds_line(world) for world in SEED_WORLDS],
    "generators": lambda: [generators_line(world) for world in GENERATOR_WORLDS],
    "one generator": lambda: [one_generator_line(world) for world in ONE_GENERATOR],
    "claims": lambda: [claim_line(readings, correlation) for readings in (1, 2, 7) for correlation in (0, 0.5)],
    "power": power_lines,
}
ABOUT = {
    "seeds": f"""\
**Seeds of one generator, crossed with test rows.** {ROWS} rows, two models that differ on {DISAGREE:.0%} of them,
{GRIDS:,} grids per line. The interval of the report beside Student's t over seeds alone, which leaves test rows out.
With two seeds the report's has one degree of freedom and is wide on purpose.""",
    "generators": """\
**Several generators.** Over generators by Student's t, which decides a claim about synthetic data; the same replicates
with their generators ignored, which is what must not be done; and the interval for these generators alone, against
their own mean.""",
    "one generator": """\
**One generator, five seeds.** How often an interval over its seeds excludes the mean of all generators: why a claim
from one generator holds for that generator only.""",
    "claims": """\
**A claim of several readings, all of them exactly 0**, over five generators: how often one of them contradicts it. The
correction is Holm's over its readings.""",
    "power": """\
**Power** at the paper's mean differences (read off its figure) and at half of them, by Student's t over generators.
Two runs vary as 100 runs of one BERT did (McCoy et al. 2020), and MNLI matched over generators by a tenth of the sd
given, which is that of HANS; C6 is the product over its six differences, as if these were independent.""",
}


def main() -> None:
    made = {name: table() for name, table in TABLES.items()}
    parts = [part for name, lines in made.items() for part in (ABOUT[name], markdown_table(lines).rstrip())]
    (RESULTS / "statistics.md").write_text("\n\n".join(parts) + "\n", "utf-8")


if __name__ == "__main__":
    main()
