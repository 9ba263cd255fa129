"""Which questions are served otherwise, how much damage that is, and what is shown of them."""

from typing import Any

import polars as pl
import pytest

from evals.release_diff.pairs import Pairs, mirrored
from evals.release_diff.questions import QuestionChange, by_damage, question_changes
from evals.release_diff.words import place
from evals.retrieval_evaluation.schema import RETRIEVAL_RESULTS
from tests.evals.gates.rows import frame, results


def row(number: int = 0, **values: Any) -> dict[str, Any]:
    """A question that both releases serve alike: the right document comes first."""
    (common,) = results("golden", [1.0], [1.0]).to_dicts()
    ranking = ["docs/0", "docs/1", "docs/2"]
    served = {"ranking": ranking, "baseline_ranking": ranking}
    answered = {"abstained": False, "baseline_abstained": False}
    return {**common, **served, **answered, "question_id": f"q{number}", **values}


def changes(*rows: dict[str, Any], dataset: str = "golden") -> list[QuestionChange]:
    found = question_changes(Pairs(dataset, 10, frame(RETRIEVAL_RESULTS, rows), "together"))
    return by_damage(found)


def test_a_question_that_is_served_alike_is_not_listed() -> None:
    assert changes(row(), row(1, ranking=["docs/0", "docs/2", "docs/1"])) == []


def test_the_right_document_fell() -> None:
    (change,) = changes(row(ranking=["docs/1", "docs/2", "docs/0"], ndcg=0.5))
    assert (change.top_before, change.top_after) == ("docs/0", "docs/1")
    assert (change.rank_before, change.rank_after) == (1, 3)
    assert change.damage == 0.5
    assert place(change, "before") == "docs/0"
    assert place(change, "after") == "docs/1; right one at 3"
    assert change.to_dict()["damage"] == 0.5


def test_the_right_document_is_lost() -> None:
    (change,) = changes(row(ranking=["docs/1"], ndcg=0.0))
    assert (change.rank_after, change.damage) == (None, 1.0)
    assert place(change, "after") == "docs/1; right one not found"
    (change,) = changes(row(ranking=[], ndcg=0.0))
    assert place(change, "after") == "nothing found; right one not found"


@pytest.mark.parametrize("evidence", ["deleted", "unknown"])
def test_a_deleted_document_is_damage_whatever_was_found(evidence: str) -> None:
    (change,) = changes(row(ranking=["docs/1"], ndcg=None, evidence=evidence))
    assert (change.damage, change.evidence_after) == (1.0, evidence)


def test_a_refusal_is_damage_where_there_is_an_answer() -> None:
    (change,) = changes(row(abstained=True))
    assert (change.damage, change.rank_after) == (1.0, 1)
    assert place(change, "after") == "docs/0; abstained"
    unanswerable: dict[str, Any] = {
        "answerable": False,
        "ndcg": None,
        "baseline_ndcg": None,
        "relevant": [],
    }
    (right,) = changes(row(abstained=True, **unanswerable))
    assert right.damage == -1.0
    (wrong,) = changes(row(baseline_abstained=True, **unanswerable))
    assert wrong.damage == 1.0


def test_the_worst_come_first_and_the_better_ones_last() -> None:
    found = changes(
        row(1, ranking=["docs/1", "docs/0"], ndcg=0.6),
        row(2, ranking=["docs/1"], ndcg=0.0),
        row(3, baseline_ranking=["docs/1", "docs/0"], baseline_ndcg=0.6),
        row(4, ranking=["docs/9"], relevant=[], ndcg=None, baseline_ndcg=None),
        row(5, ranking=["docs/1", "docs/2", "docs/0"], ndcg=0.6),
    )
    # of the same score, the deeper fall is worse
    assert [change.question_id for change in found] == ["q2", "q5", "q1", "q4", "q3"]


def test_seen_from_the_other_release_damage_is_gain() -> None:
    rows = frame(
        RETRIEVAL_RESULTS,
        [
            row(1, ranking=["docs/1", "docs/0"], ndcg=0.6),
            row(2, abstained=True),
            row(3, evidence="deleted", ndcg=None, ranking=["docs/7"]),
        ],
    )

    def damages(some: pl.DataFrame) -> dict[str, float]:
        found = question_changes(Pairs("golden", 10, some, "together"))
        return {change.question_id: change.damage for change in found}

    there = damages(rows)
    assert len(there) == 3
    assert damages(mirrored(rows)) == {name: -damage for name, damage in there.items()}


def test_a_question_that_was_not_asked_before_is_not_compared() -> None:
    assert changes(row(baseline_evidence=None, baseline_ranking=None, ranking=["docs/5"])) == []


def test_a_known_item_is_named_by_its_place() -> None:
    sentence = "every other word of a confidential sentence"
    moved: dict[str, Any] = {"ranking": ["docs/1", "docs/0"], "ndcg": 0.6, "question": sentence}
    for dataset, origin in (("known_items", "known_item"), ("mine", "known_item")):
        (change,) = changes(row(origin=origin, **moved), dataset=dataset)
        assert change.question == "known item in docs/0"
        assert "confidential" not in str(change.to_dict())
    (change,) = changes(row(**moved))
    assert change.question == sentence


def test_a_known_item_whose_sentence_is_gone_is_no_damage() -> None:
    (change,) = changes(row(origin="known_item", evidence="changed", ranking=["docs/1"], ndcg=0.0))
    assert (change.damage, change.score_after) == (0.0, None)
