"""Erasing a document from every release: the registry follows, the rest stays, nothing is pending."""

import shutil
from pathlib import Path

import pytest

from rag_assets.erasure.base import Subject
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.releases import erasure as erasure_module
from rag_assets.releases.candidate import expected_partitions, manifest_sha256
from rag_assets.releases.erasure import IndexEraser, manifest_source
from rag_assets.releases.history import History
from rag_assets.releases.opening import require_readable
from rag_assets.releases.registry import Registry
from rag_assets.vector_index import retention
from rag_assets.vector_index.manifest import contents_of
from tests.jobs.harness import build_index
from tests.releases.releases_for_tests import copied, with_history
from tests.vector_index.test_erasure import decoded

SECRET = "docs/walrus.md"
SUBJECT = Subject(SECRET, phrases=("The walrus sleeps in the harbour basin",))
FIRST = "# Walrus\n\nThe walrus sleeps in the harbour basin at noon."
LIGHTHOUSE = {"lighthouse.md": "The lighthouse was built in 1871 by its keepers."}
HISTORY = [
    LIGHTHOUSE,
    {**LIGHTHOUSE, "walrus.md": FIRST},
    {**LIGHTHOUSE, "walrus.md": f"{FIRST}\n\n# Zanzibar\n\nIt snores."},
    {**LIGHTHOUSE, "tide.md": "High tide comes to the pier at seven in the morning."},
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    """Four releases; the document is in the second and third, an edit of it in the third."""
    folder = tmp_path_factory.mktemp("erasure") / "deployment"
    return with_history(folder, model_cache, HISTORY, shards=2)


@pytest.fixture
def platform(original: Platform, tmp_path: Path) -> Platform:
    """A copy of it that a test may change."""
    return copied(original, tmp_path / "deployment")


def found_by(platform: Platform, release_id: int) -> list[tuple[str, str]]:
    hits = QueryEngine(platform, release_id).search("harbour walrus lighthouse tide", Caller())
    return sorted((hit.document_id, hit.text) for hit in hits if hit.document_id != SECRET)


def assert_consistent(platform: Platform) -> None:
    """Every release has the rows, tags and hashes that the registry says it has."""
    for release in Registry(platform.database).all():
        assert require_readable(platform, release).count() == release.chunks
        tags = retention.tags(platform.lancedb_uri, release.table_name)
        assert tags[release.tag] == release.lance_version
        rows = manifest_source(platform, release.table_name, release.lance_version)
        contents = contents_of(rows, release.partitions, release.fingerprints)
        assert contents.partitions == release.partitions
        assert contents.manifest_sha256 == release.manifest_sha256
        assert contents.documents == release.documents


def test_the_registry_says_what_versions_hold(platform: Platform) -> None:
    """The hashes that are made of a version's rows are those that the stages made of their tables."""
    assert_consistent(platform)
    live = Registry(platform.database).live()
    assert live is not None
    assert live.partitions == expected_partitions(platform)
    names = list(live.partitions)
    assert live.manifest_sha256 == manifest_sha256(platform, names, live.fingerprints)


def test_every_release_loses_it_and_nothing_else(platform: Platform) -> None:
    registry = Registry(platform.database)
    before = {release.id: found_by(platform, release.id) for release in registry.all()}
    versions = {release.id: release.lance_version for release in registry.all()}
    eraser = IndexEraser()
    traces = eraser.find(platform, SUBJECT).traces
    assert traces >= 2
    assert "zanzibar" in decoded(Path(platform.lancedb_uri)).lower()

    erased = eraser.erase(platform, SUBJECT)

    assert erased.removed == traces
    assert eraser.find(platform, SUBJECT).traces == 0
    assert_consistent(platform)
    text = decoded(Path(platform.lancedb_uri)).lower()
    assert "lighthouse" in text
    assert SECRET not in text
    assert "zanzibar" not in text
    after = {release.id: release for release in registry.all()}
    assert {number: found_by(platform, number) for number in after} == before
    assert after[1].lance_version == versions[1]
    assert set(after[2].partitions) == set(after[3].partitions)
    assert (after[3].documents, after[3].chunks) == (1, 1)
    amended = {item.release_id for item in History(platform.database).events()}
    assert {2, 3} <= amended
    assert registry.live() == after[4]
    assert eraser.erase(platform, SUBJECT).removed == 0
    assert {release.id: release for release in registry.all()} == after


def test_the_newest_state_loses_it_where_nothing_is_released(
    tmp_path: Path, model_cache: Path
) -> None:
    documents = HISTORY[1] | HISTORY[3]
    platform = with_history(tmp_path / "deployment", model_cache, [documents], run=build_index)
    IndexEraser().erase(platform, SUBJECT)
    text = decoded(Path(platform.lancedb_uri)).lower()
    assert "walrus" not in text
    assert "high tide" in text


def test_a_table_without_releases_goes_whole(platform: Platform) -> None:
    live = Registry(platform.database).live()
    assert live is not None
    index = Path(platform.lancedb_uri)
    shutil.copytree(index / f"{live.table_name}.lance", index / "chunks_former.lance")
    IndexEraser().erase(platform, SUBJECT)
    assert retention.tables(platform.lancedb_uri) == [live.table_name]


@pytest.mark.parametrize("step", ["erase_documents", "move_tag", "_amend", "sleep", "purge"])
def test_a_crash_is_repaired_by_running_it_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    places = {"sleep": erasure_module.time, "move_tag": retention, "purge": retention}
    where = places.get(step, erasure_module)
    original = getattr(where, step)

    def crash(*arguments: object) -> None:
        original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, step, crash)
        with pytest.raises(KeyboardInterrupt):
            IndexEraser().erase(platform, SUBJECT)
    for release in Registry(platform.database).all():
        assert QueryEngine(platform, release.id).search("lighthouse", Caller())
    IndexEraser().erase(platform, SUBJECT)
    assert IndexEraser().find(platform, SUBJECT).traces == 0
    assert "zanzibar" not in decoded(Path(platform.lancedb_uri)).lower()
    assert_consistent(platform)
