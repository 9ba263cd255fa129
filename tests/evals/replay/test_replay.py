"""Real questions notice what goes wrong, and do not mind what is harmless."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from evals.evaluations import Evaluations
from evals.gates.gates import evaluation_gates, judge_evaluations
from evals.replay.asset import replay_and_store, replay_asset
from evals.replay.questions import RealQuestion, real_questions
from evals.replay.replay import replay
from evals.replay.results import KIND, TABLE, newest_replay, read_rows
from evals.replay.schema import REPLAYED, STORED
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, GateSettings, QuerySettings
from rag_assets.query.access import Caller
from rag_assets.query.log import AnswerLog
from rag_assets.query.resource import rag_query_resource
from rag_assets.releases.candidate import open_candidate
from rag_assets.releases.gates import Gate
from tests.evals.regressions import plants
from tests.evals.regressions.deployments import Deployment
from tests.evals.regressions.test_encoders import RESIZED, shuffled_embeddings
from tests.jobs.harness import RUNNERS, build_index
from tests.query import restricted

from .conftest import QUESTIONS

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def verdict(deployment: Deployment) -> Gate:
    """Build the index, replay, and ask the gates."""
    platform = deployment.platform
    build_index(platform)
    found, _, why = replay_and_store(platform, "run")
    assert found is not None, why
    candidate = open_candidate(platform, "run")
    gates = judge_evaluations(platform, candidate)
    assert [gate.name for gate in gates] == list(evaluation_gates(platform.settings).descriptions)
    return gates[-1]


def harmless(documents: Path) -> None:
    for change in (plants.edit, plants.add, plants.rename):
        change(documents)


def test_harmless_changes_pass(handbook: Deployment) -> None:
    harmless(handbook.documents)
    before = len(AnswerLog(handbook.platform.database).between(BEGINNING, datetime.now(UTC)))
    gate = verdict(handbook)
    assert gate.verdict == "passed", gate.explanation
    assert gate.metadata["compared"] == QUESTIONS
    assert gate.metadata["overlap"] > 0.9
    after = len(AnswerLog(handbook.platform.database).between(BEGINNING, datetime.now(UTC)))
    assert before == after == QUESTIONS, "a replay is no question of anybody's"


def test_half_of_the_documents_gone(handbook: Deployment) -> None:
    plants.drop_half(handbook.documents)
    gate = verdict(handbook)
    assert gate.verdict == "warned", gate.explanation
    assert "mean overlap" in gate.explanation
    assert gate.metadata["overlap"] < 0.5
    stored = newest_replay(handbook.platform, 2, 1)
    assert stored is not None
    rows = read_rows(handbook.platform, stored)
    worst = rows.sort("overlap")["question"][0]
    assert worst.split()[0] in gate.report


def test_shreds_instead_of_passages(handbook: Deployment) -> None:
    shreds = ChunkingSettings(splitter="fixed", max_tokens=16, heading_context=False)
    changed = handbook.changed(chunking=shreds, gates=GateSettings(replay="block"))
    gate = verdict(changed)
    assert gate.verdict == "failed"
    assert gate.metadata["overlap"] < 0.3


def test_vectors_of_other_texts(handbook: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNNERS, "embeddings", shuffled_embeddings)
    gate = verdict(handbook.changed(chunking=RESIZED))
    assert gate.verdict == "warned"
    assert gate.metadata["overlap"] < 0.4


def test_another_size_is_not_everything_changed(handbook: Deployment) -> None:
    changed = handbook.changed(chunking=RESIZED)
    gate = verdict(changed)
    assert gate.verdict == "passed", gate.explanation
    assert 0.6 < gate.metadata["overlap"] < 1


def materialized(platform: Platform) -> dict[str, Any]:
    resources: dict[str, Any] = {"platform": platform, "rag_query": rag_query_resource(platform)}
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            [replay_asset(platform.settings)], instance=instance, resources=resources
        )
    [event] = done.get_asset_materialization_events()
    return {name: item.value for name, item in event.materialization.metadata.items()}


def test_the_asset_stores_rows_without_any_passage(handbook: Deployment) -> None:
    (handbook.documents / "finance" / "travel-policy-2026.md").unlink()
    platform = handbook.platform
    build_index(platform)
    metadata = materialized(platform)
    assert metadata["outcome"] == "replayed"
    assert metadata["questions"] == metadata["compared"] == QUESTIONS
    assert metadata["release"] == 2
    assert metadata["against"] == 1
    assert 0 < metadata["top_changed"] < QUESTIONS
    assert metadata["most_changed"].records
    [evaluation] = Evaluations(platform.database).all(KIND)
    assert evaluation.run_id
    assert evaluation.summary["overlap"] == metadata["overlap"]
    rows = read_rows(platform, evaluation)
    assert rows.schema == REPLAYED
    assert rows["answer"].null_count() == rows.height
    kept = platform.tables.read(TABLE, evaluation.evaluation_id, STORED)
    stored = json.dumps(evaluation.summary) + str(kept.to_dicts())
    assert "handbook/finance/" in stored
    log = AnswerLog(platform.database)
    said = [item.answer for item in log.between(BEGINNING, datetime.now(UTC))]
    assert not [text for text in said if text and text[:40] in stored]


def test_it_skips_where_there_is_nothing_to_ask(handbook: Deployment) -> None:
    assert "unchanged" in materialized(handbook.platform)["outcome"]
    plants.add(handbook.documents)
    build_index(handbook.platform)
    for sections, why in (
        ({"gates": GateSettings(replay="off")}, "gates.replay is off"),
        ({"query": QuerySettings(log="hashed")}, "query.log is 'hashed'"),
    ):
        platform = handbook.changed(**sections).platform
        metadata = materialized(platform)
        assert metadata == {"outcome": metadata["outcome"], "questions": 0}
        assert why in metadata["outcome"]
        gate = judge_evaluations(platform, open_candidate(platform, "run"))[-1]
        assert gate.verdict == "not_judged"
        assert why in gate.explanation
    assert Evaluations(handbook.platform.database).all(KIND) == []


def test_a_replay_that_is_missing_blocks_where_it_is_asked_for(handbook: Deployment) -> None:
    plants.add(handbook.documents)
    build_index(handbook.platform)
    for setting, expected in (("warn", "not_judged"), ("block", "failed")):
        gates = GateSettings(replay=setting)  # type: ignore[arg-type]
        platform = handbook.changed(gates=gates).platform
        gate = judge_evaluations(platform, open_candidate(platform, "run"))[-1]
        assert gate.verdict == expected
        assert "materialize replay first" in gate.explanation


def question(text: str, caller: Caller, filter: str = "") -> RealQuestion:
    return RealQuestion(f"{text} {caller} {filter}", text, caller, filter, BEGINNING)


def test_rights_and_filters_are_those_of_the_question(tmp_path: Path, model_cache: Path) -> None:
    """Nobody's question finds more than its asker may see; a filter holds."""
    platform = restricted.released(tmp_path, model_cache)
    (tmp_path / "documents" / "late.md").write_text("# Late\n\nThe ferry leaves at nine.\n")
    build_index(platform)
    candidate = open_candidate(platform, "run")
    assert candidate.live is not None
    word = restricted.canary("merger")
    everyone = Caller(authenticated=True)
    board = Caller(frozenset({"board"}), authenticated=True)
    asked = [
        question(f"What is the policy {word}?", everyone),
        question(f"What is the policy {word}?", board),
        question(
            f"What is the policy {word}?", board, f'path = "{restricted.canary("welcome")}.md"'
        ),
        question("What is asked here?", board, "this is no filter"),
    ]
    rows = replay(platform, candidate.release, candidate.live, asked).rows
    secret = f"docs/{word}.md"
    for side in ("documents", "baseline_documents"):
        seen = rows[side].to_list()
        assert secret not in seen[0]
        assert secret in seen[1]
        assert set(seen[2]) == {f"docs/{restricted.canary('welcome')}.md"}
    assert rows["error"].str.starts_with("InvalidQuestion").to_list() == [False, False, False, True]
    assert rows["overlap"].is_null().to_list() == [False, False, False, True]


def test_the_same_release_twice_is_the_same(asked: Deployment) -> None:
    live = asked.live
    questions = real_questions(asked.platform, days=7, limit=5)
    found = replay(asked.platform, dataclasses.replace(live), live, questions.questions)
    assert found.rows["overlap"].to_list() == pytest.approx([1.0] * 5)
    assert found.summary["answer_changed"] == 0
    assert found.rows.select(pl.col("top_changed").any()).item() is False
