"""A candidate: it can be read before it is released, and nobody else sees it."""

import lance
import pytest

from rag_assets.platform.errors import NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import pinned_engine
from rag_assets.releases.candidate import open_candidate, release_candidate
from rag_assets.releases.gates import FurtherGates, Gate, not_judged
from rag_assets.releases.registry import Registry, Release
from tests.conftest import Deploy
from tests.jobs.harness import build_index, run_stages

ANYONE = Caller()


@pytest.fixture
def platform(deploy: Deploy) -> Platform:
    """A deployment whose first release is live, with a second document that waits in the index."""
    folder = deploy()
    (folder / "documents" / "lighthouse.md").write_text("The lighthouse was built in 1871.")
    platform = Platform.load()
    run_stages(platform)
    (folder / "documents" / "ferry.md").write_text("The ferry leaves the harbour at dawn.")
    build_index(platform)
    return platform


def tags(platform: Platform, release: Release) -> set[str]:
    dataset = lance.dataset(f"{platform.lancedb_uri}/{release.table_name}.lance")
    return set(dataset.tags.list())


def documents(engine: QueryEngine) -> list[str]:
    return [hit.document_id for hit in engine.search("When does the ferry leave?", ANYONE)]


def test_it_is_read_by_those_who_name_it_and_nobody_else(platform: Platform) -> None:
    candidate = open_candidate(platform, "run-2")

    assert candidate.live is not None
    assert candidate.release.status == "candidate"
    assert documents(pinned_engine(platform, candidate.release.id))[0] == "docs/ferry.md"
    assert documents(QueryEngine(platform)) == ["docs/lighthouse.md"]
    with pytest.raises(NoRelease):
        documents(QueryEngine(platform, candidate.release.id))


def test_opened_again_it_is_the_same_and_it_is_what_is_released(platform: Platform) -> None:
    first = open_candidate(platform, "run-2")
    Registry(platform.database).set_parameters(first.release.id, {"fusion_weight": 0.25})

    second = open_candidate(platform, "run-3")
    promotion = release_candidate(platform, "run-4")

    assert second.release.id == first.release.id == promotion.release.id
    assert promotion.promoted
    assert promotion.release.parameters == {"fusion_weight": 0.25}
    assert open_candidate(platform, "run-5").unchanged


def test_one_that_the_documents_have_left_behind_is_given_up(platform: Platform) -> None:
    old = open_candidate(platform, "run-2").release
    (platform.state_path.parent / "documents" / "tide.md").write_text("High tide comes at noon.")
    build_index(platform)

    new = open_candidate(platform, "run-3").release

    assert new.id != old.id
    given_up = Registry(platform.database).get(old.id)
    assert given_up is not None
    assert given_up.status == "rejected"
    assert old.tag not in tags(platform, new)
    assert new.tag in tags(platform, new)


def verdicts(*gates: Gate) -> FurtherGates:
    return FurtherGates({gate.name: gate.name for gate in gates}, (), lambda *_: list(gates))


def test_a_further_gate_blocks_it(platform: Platform) -> None:
    promotion = release_candidate(platform, "run-2", verdicts(Gate("quality", False, "worse")))

    assert promotion.release.status == "rejected"
    assert "quality: worse" in promotion.release.reason
    assert documents(QueryEngine(platform)) == ["docs/lighthouse.md"]


def test_a_warning_and_a_gate_that_judged_nothing_let_it_pass_and_are_recorded(
    platform: Platform,
) -> None:
    warning = Gate("access", False, "two documents are wider", {"documents": 2}, "warn")

    promotion = release_candidate(
        platform, "run-2", verdicts(warning, not_judged("quality", "there are no questions"))
    )

    assert promotion.promoted
    access, quality = (promotion.release.metrics[name] for name in ("access", "quality"))
    assert (access["verdict"], access["documents"]) == ("warned", 2)
    assert quality["verdict"] == "not_judged"
    assert "there are no questions" in quality["explanation"]
