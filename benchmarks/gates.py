"""How often the retrieval gate stops what it should not, and what it lets through.

With real scores: the nDCG@10 of every question of a set under the weights .45 and .55 (two releases
that differ by a small change), from the searches of a released deployment. Everything is simulated
from these and judged by the gate itself.

* unchanged: the candidate differs by the small change with its sign drawn at random for every
  question, or with its mean taken away: nothing is lost on average. A block is a false alarm.
* loss: the same, and a share of the answerable questions lose their document (nDCG 0). A block is
  what the gate is for.

Run in the folder of a deployment with its question set:
``python -m benchmarks.gates --dataset ../shared/data/retrieval/scifact_train --source scifact_train``.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from evals.gates.margins import ROUNDING, corrected
from evals.golden_questions.questions import load_questions
from evals.retrieval_evaluation.metrics import score_rankings
from evals.retrieval_evaluation.retrieve import callers_of
from evals.retrieval_evaluation.run import search_questions
from evals.statistics import RESAMPLES, mean_interval
from rag_assets.platform.platform import Platform
from rag_assets.query.pinned import pinned_engine, without_groups

SIZES = (10, 20, 50, 100, 400)
MARGINS = (0.0, 0.01, 0.02, 0.05)
LOSSES = (0.05, 0.1, 0.2)
CONFIDENCE = 0.95
BATCH = 100  # draws at a time, as ``mean_interval`` has them
CHECKED = 3
COUNTED = 10  # cutoff of nDCG


class Scores(NamedTuple):
    """nDCG of the answerable questions, shape (questions,), before and after a small change."""

    before: np.ndarray
    after: np.ndarray


class Scenario(NamedTuple):
    """Simulated candidates: differences to the live release, shape (candidates, questions)."""

    name: str
    differences: np.ndarray


def main() -> None:
    """Print how often the gate blocks, by scenario, number of questions, tests and margin."""
    parser = argparse.ArgumentParser(description="False alarms and power of the retrieval gate.")
    parser.add_argument("--dataset", required=True, help="a BEIR folder or a .jsonl file")
    parser.add_argument("--source", default="", help="source whose documents a BEIR folder means")
    parser.add_argument("--weights", default="0.45,0.55", help="fusion weights of the two releases")
    parser.add_argument("--candidates", type=int, default=2000, help="simulated, per row")
    parser.add_argument("--tests", default="1,4", help="tests that share the confidence")
    arguments = parser.parse_args()
    first, second = map(float, arguments.weights.split(","))
    scores = measure(Path(arguments.dataset), arguments.source, (first, second))
    changed = float(np.mean(scores.before != scores.after))
    table = Table(
        title=f"Blocked of {arguments.candidates} candidates, %. {len(scores.before)} questions, "
        f"nDCG@{COUNTED} {scores.before.mean():.3f} at weight {first:g}, "
        f"{scores.after.mean():.3f} at {second:g}; {changed:.0%} of the questions differ"
    )
    for name in ("candidates are", "questions", "mean difference", "tests"):
        table.add_column(name, justify="right" if table.columns else "left")
    for margin in MARGINS:
        table.add_column(f"margin {margin:g}", justify="right")
    for size in SIZES:
        for scenario in scenarios(scores, size, arguments.candidates):
            for tests in map(int, arguments.tests.split(",")):
                means, upper = intervals(scenario.differences, corrected(CONFIDENCE, tests))
                blocked = [(means < -margin - ROUNDING) & (upper < 0) for margin in MARGINS]
                table.add_row(
                    scenario.name,
                    str(size),
                    f"{means.mean():+.3f}",
                    str(tests),
                    *(f"{100 * found.mean():.1f}" for found in blocked),
                )
    Console(width=130).print(table)


def measure(dataset: Path, source: str, weights: tuple[float, float]) -> Scores:
    """Search for every answerable question once, and fuse with both weights."""
    platform = Platform.load()
    questions = load_questions(dataset, source)
    engine = pinned_engine(platform)
    callers = callers_of(questions, without_groups(platform))
    run = search_questions(engine, questions, callers, None, COUNTED, lambda *_: None)
    relevant = run.relevant(resolved=True)
    metric = f"ndcg@{COUNTED}"
    found = [
        score_rankings(run.rankings(list(relevant), "weighted", weight), relevant, [metric])[metric]
        for weight in weights
    ]
    return Scores(*found)


def scenarios(scores: Scores, size: int, candidates: int) -> Iterator[Scenario]:
    """Candidates on question sets of one size, drawn with replacement from the real one."""
    random = np.random.default_rng(size)
    drawn = random.integers(0, len(scores.before), (candidates, size))
    real = scores.after - scores.before
    flipped = real[drawn] * random.choice((-1.0, 1.0), drawn.shape)
    yield Scenario("unchanged, signs drawn", flipped)
    yield Scenario("unchanged, mean removed", (real - real.mean())[drawn])
    for share in LOSSES:
        lost = random.random(drawn.shape) < share
        losses = np.where(lost, -scores.before[drawn], flipped)
        yield Scenario(f"without the document of {share:.0%}", losses)


def intervals(differences: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and upper end of the paired bootstrap interval of every candidate, as the gate has them.

    The draws depend on the number of questions only, so that all candidates are one product of
    matrices; the first ones are compared with the gate's own function.
    """
    candidates, size = differences.shape
    random = np.random.default_rng(0)
    batches = [random.integers(0, size, (BATCH, size)) for _ in range(RESAMPLES // BATCH)]
    drawn = np.concatenate(batches)
    counts = np.stack([np.bincount(row, minlength=size) for row in drawn]) / size
    upper = np.quantile(counts @ differences.T, (1 + confidence) / 2, axis=0)
    for candidate in range(min(CHECKED, candidates)):
        own = mean_interval(differences[candidate], confidence)
        assert np.isclose(own.high, upper[candidate]), (
            "the gate draws otherwise than this benchmark"
        )
    return differences.mean(axis=1), upper


if __name__ == "__main__":
    main()
