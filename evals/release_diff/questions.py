"""Questions that two releases answer otherwise: what comes first, and where the right document is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evals.golden_questions.schema import KNOWN_ITEMS

from .pairs import Pairs

_GONE = ("deleted", "unknown")


@dataclass(frozen=True)
class QuestionChange:
    """A question whose top results changed.

    Attributes:
        question: its words; of a known item its place, because its words are the document's.
        top_before, top_after: the document that came first; None where nothing was found.
        rank_before, rank_after: of the first relevant document, from 1; None where it was not found.
        score_before, score_after: see ``score``.
        abstained_before, abstained_after: whether the release would rather not answer.
        evidence_after: what became of the evidence in the later release.
    """

    dataset: str
    question_id: str
    question: str
    top_before: str | None
    top_after: str | None
    rank_before: int | None
    rank_after: int | None
    score_before: float | None
    score_after: float | None
    abstained_before: bool | None
    abstained_after: bool | None
    evidence_after: str | None

    @property
    def damage(self) -> float:
        """How much worse the later release serves it, from -1 to 1; 0 where that is not known."""
        if self.score_before is None or self.score_after is None:
            return 0.0
        return self.score_before - self.score_after

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "damage": self.damage}


def question_changes(pairs: Pairs) -> list[QuestionChange]:
    """The questions with another first document, another rank of the right one, or that one release
    would answer and the other not; in the order of the evaluation."""
    asked = [row for row in pairs.rows.iter_rows(named=True) if row["baseline_evidence"]]
    changes = (_change(pairs.dataset, row) for row in asked)
    return [change for change in changes if _differs(change)]


def by_damage(changes: Sequence[QuestionChange]) -> list[QuestionChange]:
    """The worst first; those of no effect on the score before those that got better."""
    return sorted(
        changes, key=lambda item: (-item.damage, _fall(item), item.dataset, item.question_id)
    )


def score(row: Mapping[str, Any], prefix: str = "") -> float | None:
    """What a question was worth to the reader who asked it, from 0 to 1; None where it is not known.

    The nDCG of what was found, 0 where the release would rather not answer or the evidence is gone;
    of a question without an answer: whether the release said so.

    Args:
        row: of ``RETRIEVAL_RESULTS``.
        prefix: ``baseline_`` for the earlier release.
    """
    abstained, ndcg = row[f"{prefix}abstained"], row[f"{prefix}ndcg"]
    if not row["answerable"]:
        return None if abstained is None else float(abstained)
    if abstained or row[f"{prefix}evidence"] in _GONE:
        return 0.0
    if row["origin"] == "known_item" and row[f"{prefix}evidence"] == "changed":
        return None  # it was the quote and nothing else
    return None if ndcg is None else float(ndcg)


def _change(dataset: str, row: Mapping[str, Any]) -> QuestionChange:
    relevant = row["relevant"] or []
    known_item = dataset == KNOWN_ITEMS or row["origin"] == "known_item"
    return QuestionChange(
        dataset=dataset,
        question_id=row["question_id"],
        question=f"known item in {', '.join(relevant)}" if known_item else row["question"],
        top_before=_first(row["baseline_ranking"]),
        top_after=_first(row["ranking"]),
        rank_before=_rank(row["baseline_ranking"], relevant),
        rank_after=_rank(row["ranking"], relevant),
        score_before=score(row, "baseline_"),
        score_after=score(row),
        abstained_before=row["baseline_abstained"],
        abstained_after=row["abstained"],
        evidence_after=row["evidence"],
    )


def _differs(change: QuestionChange) -> bool:
    before = change.top_before, change.rank_before, change.abstained_before
    return before != (change.top_after, change.rank_after, change.abstained_after)


def _fall(change: QuestionChange) -> int:
    """Ranks gained, so that the deepest fall comes first; not found is after all ranks."""
    last = 1_000_000
    return (change.rank_before or last) - (change.rank_after or last)


def _first(ranking: Sequence[str] | None) -> str | None:
    return ranking[0] if ranking else None


def _rank(ranking: Sequence[str] | None, relevant: Sequence[str]) -> int | None:
    wanted = set(relevant)
    ranks = (rank for rank, document in enumerate(ranking or [], start=1) if document in wanted)
    return next(ranks, None)
