"""A candidate is held to the live release on the questions that both could answer, in pairs."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.retrieval_evaluation.compare import compare
from evals.retrieval_evaluation.schema import RETRIEVAL_RESULTS

SCORES = st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
STATES = st.sampled_from(["current", "changed", "deleted", "unknown", "none"])


def row(number: int, now: float | None, before: float | None, **more: Any) -> dict[str, Any]:
    values = {
        "question_id": f"q{number:03}",
        "question_sha256": f"{number:064}",
        "origin": "golden",
        "evidence": "current",
        "baseline_evidence": "current",
        "ndcg": now,
        "baseline_ndcg": before,
        "evidence_recall": now,
        "baseline_evidence_recall": before,
    }
    return {**values, **more}


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=RETRIEVAL_RESULTS, orient="row")


def test_means_and_the_questions_that_moved() -> None:
    rows = table(row(0, 0.5, 1.0), row(1, 1.0, 0.25), row(2, 0.0, 1.0), row(3, 0.5, 0.5))
    found = compare(rows, "ndcg", 0.9)
    assert (found.n, found.candidate, found.baseline) == (4, 0.5, 0.6875)
    assert found.difference.mean == pytest.approx(-0.1875)
    assert found.worse["question_id"].to_list() == ["q002", "q000"]
    assert found.worse["difference"].to_list() == [-1.0, -0.5]
    assert found.better["question_id"].to_list() == ["q001"]


def test_what_the_live_release_did_not_hold_is_not_compared() -> None:
    others = [
        row(1, 0.0, 1.0, baseline_evidence=state)
        for state in ("deleted", "changed", "unknown", None)
    ]
    others += [row(2, 0.0, None), row(3, None, None, evidence="none", baseline_evidence="none")]
    found = compare(table(row(0, 1.0, 1.0), *others), "ndcg")
    assert (found.n, found.worse.height) == (1, 0)


def test_five_questions_about_one_lost_document_are_one_loss() -> None:
    lost = [0.0] * 5 + [1.0] * 55
    about = [[f"docs/{number // 5:02}"] for number in range(60)]
    together = table(
        *(row(number, lost[number], 1.0, relevant=about[number]) for number in range(60))
    )
    apart = table(
        *(row(number, lost[number], 1.0, relevant=[f"docs/{number}"]) for number in range(60))
    )
    unknown = together.drop("relevant")

    assert compare(together, "ndcg").difference.high == 0
    assert compare(apart, "ndcg").difference.high < 0
    assert compare(unknown, "ndcg").difference == compare(apart, "ndcg").difference


def test_a_document_that_is_gone_is_a_miss() -> None:
    rows = table(row(0, 0.0, 1.0, evidence="deleted", evidence_recall=None))
    for metric in ("ndcg", "evidence_recall"):
        found = compare(rows, metric)
        assert (found.n, found.candidate, found.difference.mean) == (1, 0.0, -1.0)


def test_a_quote_that_changed_counts_by_its_document_only_and_a_known_item_not_at_all() -> None:
    changed = {"evidence": "changed", "evidence_recall": None}
    rows = table(row(0, 0.5, 1.0, **changed), row(1, 0.0, 1.0, origin="known_item", **changed))
    assert compare(rows, "ndcg").worse["question_id"].to_list() == ["q000"]
    assert compare(rows, "evidence_recall").n == 0


def test_nothing_to_compare_is_no_number() -> None:
    found = compare(table(), "ndcg")
    assert found.n == 0
    assert all(value != value for value in (found.candidate, found.baseline, *found.difference))


def test_the_interval_does_not_depend_on_the_order() -> None:
    rows = [row(number, (number * 37 % 100) / 100, 0.5) for number in range(60)]
    assert (
        compare(table(*rows), "ndcg").difference == compare(table(*rows[::-1]), "ndcg").difference
    )


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(SCORES, SCORES, STATES, STATES, st.sampled_from(["golden", "known_item"])),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_every_question_is_in_one_place_whatever_the_order(drawn: list[Any], shuffler: Any) -> None:
    rows = [
        row(number, now, before, evidence=state, baseline_evidence=earlier, origin=origin)
        for number, (now, before, state, earlier, origin) in enumerate(drawn)
    ]
    found = compare(table(*rows), "ndcg")
    assert found.worse.height + found.better.height <= found.n <= len(rows)
    assert set(found.worse["question_id"]).isdisjoint(found.better["question_id"])
    total = sum(found.worse["difference"]) + sum(found.better["difference"])
    if found.n:
        assert found.difference.mean == pytest.approx(total / found.n)
        assert found.difference.low <= found.difference.mean + 1e-12
        assert found.difference.mean <= found.difference.high + 1e-12
    mixed = list(rows)
    shuffler.shuffle(mixed)
    again = compare(table(*mixed), "ndcg")
    assert again.worse.equals(found.worse)
    assert again.better.equals(found.better)
    assert str(again.difference) == str(found.difference)
