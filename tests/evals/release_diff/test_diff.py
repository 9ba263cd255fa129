"""Two releases of a real deployment: what is stored of both, what is asked of both, what is shown."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from evals.evaluations import Evaluations
from evals.golden_questions.collect import ASSET
from evals.golden_questions.schema import KNOWN_ITEMS
from evals.release_diff.diff import ReleaseDiff, diff_releases
from evals.release_diff.markdown import diff_markdown
from evals.release_diff.words import summary
from evals.retrieval_evaluation.compare import compare
from evals.retrieval_evaluation.results import read_results
from rag_assets.platform.errors import IndexUnavailable, ReleaseConflict
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, EvaluationSettings
from rag_assets.platform.tables import Stamp
from rag_assets.query.pinned import pinned_engine, without_groups
from rag_assets.releases.registry import Registry, Release
from tests.evals.retrieval_evaluation.evaluated import (
    SECRET,
    corpus,
    evaluate_next,
    golden,
    known_items,
    merger,
    promote,
    released,
    settings_of,
    table,
    write_corpus,
)

GONE = ("amber-kitchen", "olive-mill")
NEVER_EVALUATED = "later"


def later() -> list[dict[str, Any]]:
    """Questions of a set that nobody evaluated: two of documents that go, one that stays."""
    rows = golden([*GONE, "ivory-chapel"])
    return [{**row, "dataset": NEVER_EVALUATED} for row in rows]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Platform]:
    """Release 1; release 2, evaluated beside it, lacks two documents; release 3 divides otherwise."""
    folder = released(tmp_path_factory.mktemp("release_diff") / "deployment", model_cache)
    write_corpus(folder, {name: text for name, text in corpus().items() if name not in GONE})
    platform = Platform(settings_of(folder, evaluation=EvaluationSettings(learn=False)))
    asked = table(*golden(), *known_items())
    evaluate_next(platform, asked)
    assert promote(platform) == 2
    kept = pl.concat([asked, table(*later(), merger("board", ["board"]), merger("all", []))])
    stamp = Stamp("digest", "upstream", "", "run", datetime.now(UTC).isoformat(), {})
    platform.tables.write(ASSET, "", kept, stamp)
    divided = settings_of(
        folder, evaluation=EvaluationSettings(learn=False), chunking=ChunkingSettings(max_tokens=40)
    )
    platform = Platform(divided)
    evaluate_next(platform, table(*golden()))
    assert promote(platform) == 3
    yield platform
    platform.close()


def release(platform: Platform, number: int) -> Release:
    found = Registry(platform.database).get(number)
    assert found is not None
    return found


def between(platform: Platform, before: int, after: int, **options: Any) -> ReleaseDiff:
    return diff_releases(platform, release(platform, before), release(platform, after), **options)


def test_dropped_documents_are_the_damage(platform: Platform) -> None:
    diff = between(platform, 1, 2)
    removed = diff.index.content.changes.select("document_id", "changes").rows()
    assert removed == [(f"docs/{name}", ["removed"]) for name in sorted(GONE)]
    worst = [change for change in diff.questions if change.rank_before == 1][: 2 * len(GONE)]
    assert {change.evidence_after for change in worst} == {"deleted"}
    assert {change.damage for change in worst} == {1.0}
    assert {change.rank_after for change in worst} == {None}
    assert diff.compared == len(golden()) + len(known_items())
    damages = [change.damage for change in diff.questions]
    assert damages == sorted(damages, reverse=True)


def test_the_numbers_are_those_of_the_evaluation(platform: Platform) -> None:
    diff = between(platform, 1, 2)
    stored = {item.dataset: item for item in Evaluations(platform.database).of_release(2)}
    for dataset in ("golden", KNOWN_ITEMS):
        told = {item.metric: item for item in diff.metrics if item.dataset == dataset}
        rows = read_results(platform, stored[dataset])
        gain = compare(rows, "ndcg")
        ndcg = told["ndcg@10"]
        assert (ndcg.before, ndcg.after) == (gain.baseline, gain.candidate)
        assert (ndcg.difference, ndcg.low, ndcg.high) == tuple(gain.difference)
        assert ndcg.questions == gain.n == rows.height
        assert ndcg.difference < 0
        assert "recall@10" in told


def test_the_other_way_round_gains_what_was_lost(platform: Platform) -> None:
    there, back = between(platform, 1, 2), between(platform, 2, 1)
    assert {change.question_id: -change.damage for change in there.questions} == {
        change.question_id: change.damage for change in back.questions
    }
    assert back.index.content.counts()["added"] == len(GONE)
    assert back.index.content.changes.equals(there.index.content.mirrored().changes)


def test_releases_of_two_evaluations_and_two_tables(platform: Platform) -> None:
    diff = between(platform, 1, 3)
    assert [str(change) for change in diff.index.configuration] == ["chunking.max_tokens: 200 → 40"]
    # release 1 was asked beside release 2 only, and never evaluated itself
    assert not diff.metrics
    assert "golden: only release 3 was evaluated on it" in diff.notes
    assert not diff.compared


def test_a_release_and_itself(platform: Platform) -> None:
    diff = between(platform, 3, 3)
    assert diff.index.empty
    assert not diff.questions
    assert summary(diff) == "Release 3 → 3: the same documents, made and searched alike."
    assert "###" not in diff_markdown(diff)


def test_what_was_not_evaluated_is_asked_of_both(platform: Platform) -> None:
    seen: list[str] = []
    plain = between(platform, 1, 2)
    diff = between(platform, 1, 2, ask=True, progress=lambda doing, done, total: seen.append(doing))
    asked = {item.metric: item for item in diff.metrics if item.dataset == NEVER_EVALUATED}
    assert asked["ndcg@10"].questions == len(later())
    lost = [item for item in diff.questions if item.dataset == NEVER_EVALUATED and item.damage > 0]
    assert {item.question_id for item in lost} == set(GONE)
    assert all(item.rank_before and item.rank_after is None for item in lost)
    assert {item.evidence_after for item in lost} == {"deleted"}
    # what the stored evaluations say stays as it was
    assert set(plain.metrics) <= set(diff.metrics)
    assert {"searching (release 1)", "searching (release 2)"} <= set(seen)


def test_what_is_asked_is_what_a_search_finds(platform: Platform) -> None:
    diff = between(platform, 1, 2, ask=True)
    (change,) = (
        item
        for item in diff.questions
        if item.dataset == NEVER_EVALUATED and item.question_id == GONE[0]
    )
    for number, top in ((1, change.top_before), (2, change.top_after)):
        engine = pinned_engine(platform, number)
        _, hits = engine.retrieve_documents(change.question, without_groups(platform))
        assert hits[0].document_id == top


def test_a_question_is_asked_with_its_own_rights(platform: Platform) -> None:
    opened = []

    def open_engine(number: int) -> Any:
        opened.append(number)
        return pinned_engine(platform, number)

    diff = between(platform, 1, 3, ask=True, open_engine=open_engine)
    assert opened == [1, 3]
    rights = {item.metric: item for item in diff.metrics if item.dataset == "rights"}
    # the board finds it, everybody else does not, in both
    assert (rights["ndcg@10"].before, rights["ndcg@10"].after) == (0.5, 0.5)
    assert rights["ndcg@10"].questions == 2
    golden_set = [item for item in diff.metrics if item.dataset == "golden"]
    assert golden_set
    assert not [note for note in diff.notes if note.startswith("golden:")]


def test_a_release_that_cannot_be_asked_is_said(platform: Platform) -> None:
    def broken(number: int) -> Any:
        raise IndexUnavailable(f"Release {number} is out of reach.")

    diff = between(platform, 1, 2, ask=True, open_engine=broken)
    assert diff.notes[-1] == "not asked: Release 1 is out of reach."
    assert diff.metrics == between(platform, 1, 2).metrics


def test_a_removed_release_is_an_error(platform: Platform) -> None:
    gone = replace(release(platform, 1), removed_at=datetime.now(UTC))
    with pytest.raises(ReleaseConflict, match="has been removed"):
        diff_releases(platform, gone, release(platform, 2))


def test_json_counts_everything_and_lists_a_part(platform: Platform) -> None:
    diff = between(platform, 1, 2)
    told = json.loads(json.dumps(diff.to_dict(1), allow_nan=False))
    assert (told["before"]["release"], told["after"]["release"]) == (1, 2)
    assert told["documents"]["removed"] == len(GONE)
    assert len(told["changes"]) == 1
    assert len(told["questions"]["changes"]) == 1
    assert told["questions"]["changed"] == len(diff.questions) > 1
    assert told["questions"]["worse"] >= 2 * len(GONE)
    assert len(diff.to_dict()["changes"]) == len(GONE)


def test_markdown_says_it_without_any_text_of_a_document(platform: Platform) -> None:
    diff = between(platform, 1, 2, ask=True)
    shown = diff_markdown(diff, limit=100)
    assert shown.startswith("Release 1 → 2: documents: 2 removed, 47 unchanged; chunks +0 −2")
    for heading in ("### Documents", "### Quality", "### Questions"):
        assert heading in shown
    assert "docs/amber-kitchen | removed | −1" in shown
    assert "known item in docs/amber-kitchen" in shown
    # known items are made of the words of the documents
    told = json.dumps(diff.to_dict()) + shown
    texts = [SECRET, *(row["question"] for row in known_items()), *corpus().values()]
    assert not [text for text in texts if text in told]


def test_markdown_is_cut_and_escaped(platform: Platform) -> None:
    diff = between(platform, 1, 2)
    cut = diff_markdown(diff, limit=1)
    assert cut.count("and 1 more") == 1
    first, *rest = diff.questions
    hostile = replace(first, question="a | b\n# <script>")
    escaped = diff_markdown(replace(diff, questions=(hostile, *rest)), limit=1)
    assert "<script>" not in escaped
    assert "a &#124; b &#35; &#60;script&#62;" in escaped
