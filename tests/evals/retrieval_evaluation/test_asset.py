"""The asset stores rows, then records, and tells Dagster numbers worth plotting."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from evals.evaluations import Evaluations
from evals.retrieval_evaluation.asset import retrieval_evaluation_asset
from evals.retrieval_evaluation.results import read_results
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings
from rag_assets.platform.tables import Stamp
from rag_assets.query.resource import rag_query_resource
from rag_assets.releases.registry import Registry
from tests.jobs.harness import build_index

from .evaluated import corpus, golden, released, settings_of, table, write_corpus


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A deployment with one release, a candidate, and its questions."""
    made = released(tmp_path_factory.mktemp("asset") / "deployment", model_cache)
    write_corpus(made, {**corpus(), "notice": "A kite."})
    platform = Platform(settings_of(made))
    build_index(platform)
    platform.tables.write("golden_questions", "", table(*golden()), Stamp("", "", ""))
    return made


def materialized(platform: Platform) -> dg.ExecuteInProcessResult:
    asset = retrieval_evaluation_asset(platform.settings)
    resources: dict[str, Any] = {"platform": platform, "rag_query": rag_query_resource(platform)}
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([asset], instance=instance, resources=resources, raise_on_error=False)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = result.get_asset_materialization_events()
    return {name: item.value for name, item in event.materialization.metadata.items()}


def test_a_crash_before_the_records_leaves_no_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(settings_of(folder))

    def crash(*arguments: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(Evaluations, "record", crash)
    assert not materialized(platform).success
    assert Evaluations(platform.database).all() == []
    assert platform.tables.partitions("retrieval_evaluation")


def test_the_candidate_is_evaluated_and_described(folder: Path) -> None:
    platform = Platform(settings_of(folder))
    found = metadata(materialized(platform))
    [record] = Evaluations(platform.database).of_release(2, "retrieval")
    rows = read_results(platform, record)
    assert record.run_id
    assert found["golden/questions"] == rows.height
    assert found["golden/ndcg"] == pytest.approx(rows["ndcg"].mean())
    difference = (rows["ndcg"] - rows["baseline_ndcg"]).mean()
    assert found["golden/ndcg_difference"] == pytest.approx(difference)
    assert 0 < found["golden/latency_p50_ms"] <= found["golden/latency_p99_ms"]
    release = Registry(platform.database).get(2)
    assert release is not None
    assert release.parameters is not None
    assert found["golden/fusion_weight"] == release.parameters["fusion_weight"]
    assert "| golden |" in found["results"]
    assert "release 1 was asked the same" in found["results"]


def test_without_questions_it_says_so(folder: Path) -> None:
    platform = Platform(settings_of(folder))
    kept = platform.tables.read("golden_questions", "", table().schema)
    platform.tables.write("golden_questions", "", table(), Stamp("", "", ""))
    try:
        found = metadata(materialized(platform))
    finally:
        platform.tables.write("golden_questions", "", kept, Stamp("", "", ""))
    assert found["sets"] == 0
    assert "there are no questions" in found["outcome"]


def test_a_shard_that_is_pending_is_explained(folder: Path) -> None:
    platform = Platform(settings_of(folder, chunking=ChunkingSettings(max_tokens=33)))
    result = materialized(platform)
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert "has not been built with the present configuration" in str(data.description)
