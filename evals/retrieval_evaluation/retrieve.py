"""Asking an engine every question of a set, with the rights each question is asked with."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from rag_assets.platform.errors import RaglineError
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine, Retrieval
from rag_assets.query.parameters import QueryParameters
from rag_assets.query.retrieval.fusion import best_first, fuse

# told what is being done, how many are done, and of how many
Progress = Callable[[str, int, int], None]

LATENCY_SAMPLE = 50


class ReleaseChanged(RaglineError):
    """A newer release went live while questions were asked: their results do not belong together."""


def callers_of(questions: pl.DataFrame, caller: Caller) -> dict[str, Caller]:
    """Who asks each question: the groups that it names, else the evaluation's own caller."""
    return {
        question_id: replace(caller, groups=frozenset(groups), admin=False) if groups else caller
        for question_id, groups in questions.select("question_id", "groups").rows()
    }


def retrieve_all(
    engine: QueryEngine,
    questions: pl.DataFrame,
    callers: dict[str, Caller],
    limit: int | None,
    progress: Progress,
) -> dict[str, Retrieval]:
    """Search for every question; encoded in batches.

    Args:
        questions: ``GOLDEN_QUESTIONS``.
        callers: question → who asks it.
        limit: most hits of one question; None: as the settings say.

    Raises:
        ReleaseChanged: the questions were answered by more than one release.
    """
    texts = dict(questions.select("question_id", "question").rows())
    by_caller: dict[Caller, list[str]] = {}
    for question_id in texts:
        by_caller.setdefault(callers[question_id], []).append(question_id)
    found: dict[str, Retrieval] = {}
    for caller, ids in by_caller.items():
        answers = engine.retrieve_many([texts[item] for item in ids], caller, limit=limit)
        for question_id, retrieval in zip(ids, answers, strict=True):
            found[question_id] = retrieval
            progress("searching", len(found), len(texts))
    releases = {retrieval.snapshot.release.id for retrieval in found.values()}
    if len(releases) > 1:
        raise ReleaseChanged(
            "A newer release went live during the evaluation.",
            f"Run it again, or name one release with --release, e.g. {max(releases)}.",
        )
    return {question_id: found[question_id] for question_id in texts}


def fused_with(retrieval: Retrieval, parameters: QueryParameters) -> Retrieval:
    """The same search as if it had been fused with other parameters; its hits are not read yet."""
    found = retrieval.found
    scores = fuse(found.candidates, parameters.fusion, parameters.fusion_weight)
    fused = replace(found, scores=scores, order=best_first(found.candidates, scores))
    return replace(retrieval, found=fused, hits=[], parameters=parameters)


def measure_latency(
    engine: QueryEngine,
    questions: pl.DataFrame,
    callers: dict[str, Caller],
    limit: int,
    progress: Progress,
) -> dict[str, float]:
    """Milliseconds of single searches, one after the other, encoding and reading the hits included.

    Of ``LATENCY_SAMPLE`` questions at most, evenly spread over the set.

    Returns:
        p50, p99 and questions.
    """
    rows = questions.select("question_id", "question").rows()
    sample: Sequence[tuple[str, str]] = rows[:: -(-len(rows) // LATENCY_SAMPLE)]
    milliseconds = []
    for done, (question_id, text) in enumerate(sample, start=1):
        started = time.perf_counter()
        engine.search(text, callers[question_id], limit)
        milliseconds.append(1000 * (time.perf_counter() - started))
        progress("timing", done, len(sample))
    values = pl.Series(milliseconds)
    return {
        "p50": round(float(values.quantile(0.50, "linear") or 0.0), 2),
        "p99": round(float(values.quantile(0.99, "linear") or 0.0), 2),
        "questions": len(sample),
    }
