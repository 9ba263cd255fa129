"""The same questions, measured of two releases: what the stored evaluations have of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

import polars as pl

from evals.evaluations import Evaluation, Evaluations
from evals.retrieval_evaluation.results import read_results
from evals.retrieval_evaluation.schema import MEASURED, RETRIEVAL_RESULTS
from rag_assets.platform.platform import Platform

_OF_RELEASE = (*MEASURED, "evidence")


@dataclass(frozen=True)
class Pairs:
    """One set's questions, as both releases were searched for them.

    Attributes:
        dataset: name of the set.
        k: cutoff of the metrics.
        rows: ``RETRIEVAL_RESULTS``: the later release, and the earlier one as its baseline.
        origin: measured ``together`` by one evaluation, ``apart`` by two, or ``asked`` for the diff.
        same_questions: whether both were evaluated on the same version of the set.
    """

    dataset: str
    k: int
    rows: pl.DataFrame
    origin: Literal["together", "apart", "asked"]
    same_questions: bool = True


def stored_pairs(platform: Platform, before: int, after: int) -> tuple[list[Pairs], list[str]]:
    """What is stored of the questions that two releases were evaluated on.

    The newest evaluation that measured both counts: of the later release beside the earlier one, the
    other way round, or the newest of each, paired by question.

    Args:
        before, after: release ids.

    Returns:
        a pair for each set, by name; and in words, why there is none of others.
    """
    found = Evaluations(platform.database).all("retrieval")
    datasets = {item.dataset for item in found if item.release_id in (before, after)}
    pairs, notes = [], []
    for dataset in sorted(datasets):
        some = [item for item in found if item.dataset == dataset]
        pair = _pair(platform, some, before, after)
        if isinstance(pair, Pairs):
            pairs.append(pair)
        else:
            notes.append(f"{dataset}: {pair}")
    return pairs, notes


def mirrored(rows: pl.DataFrame) -> pl.DataFrame:
    """The same evaluation, seen from the release that it was compared with.

    Args:
        rows: ``RETRIEVAL_RESULTS``.
    """
    swapped = {name: f"baseline_{name}" for name in _OF_RELEASE}
    names = {**swapped, **{new: old for old, new in swapped.items()}}
    return rows.rename(names).select(RETRIEVAL_RESULTS.names())


def joined(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Two evaluations as one, of the questions that both have.

    Args:
        before, after: ``RETRIEVAL_RESULTS`` of either release.

    Returns:
        ``RETRIEVAL_RESULTS`` of the later one; its baseline is the earlier one.
    """
    renamed = {name: f"baseline_{name}" for name in _OF_RELEASE}
    old = before.unique("question_sha256", keep="first", maintain_order=True)
    return (
        after.drop(list(renamed.values()))
        .join(
            old.select("question_sha256", *renamed).rename(renamed),
            on="question_sha256",
            how="inner",
            maintain_order="left",
        )
        .select(RETRIEVAL_RESULTS.names())
    )


def _pair(platform: Platform, found: Sequence[Evaluation], before: int, after: int) -> Pairs | str:
    """The pair of one set, or why there is none."""
    newest = {item.release_id: item for item in found}
    beside = {(item.release_id, item.baseline_release_id): item for item in found}
    forward, backward = beside.get((after, before)), beside.get((before, after))
    old, new = newest.get(before), newest.get(after)
    # in the order in which they are preferred when equally new
    ways: list[tuple[datetime, Callable[[], Pairs | str]]] = []
    if forward:
        ways.append((forward.created_at, partial(_together, platform, forward)))
    if backward:
        ways.append((backward.created_at, partial(_together, platform, backward, mirror=True)))
    if old and new:
        ways.append((min(old.created_at, new.created_at), partial(_apart, platform, old, new)))
    if not ways:
        return f"only release {after if new else before} was evaluated on it"
    _, read = max(ways, key=lambda way: way[0])
    return read()


def _together(platform: Platform, item: Evaluation, *, mirror: bool = False) -> Pairs | str:
    rows = read_results(platform, item)
    if rows.is_empty():
        return "the rows of its evaluation have been cleaned up"
    return Pairs(item.dataset, _cutoff(item), mirrored(rows) if mirror else rows, "together")


def _apart(platform: Platform, old: Evaluation, new: Evaluation) -> Pairs | str:
    if _cutoff(old) != _cutoff(new):
        return f"measured at {_cutoff(old)} and at {_cutoff(new)} documents: not comparable"
    rows = joined(read_results(platform, old), read_results(platform, new))
    if rows.is_empty():
        return "no question was asked of both, or the rows have been cleaned up"
    same = old.questions_version == new.questions_version
    return Pairs(new.dataset, _cutoff(new), rows, "apart", same)


def _cutoff(item: Evaluation) -> int:
    return int(item.summary.get("k") or 0)
