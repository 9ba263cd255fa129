"""Which version answers: what is committed is seen in time, and a version that vanishes is no failure."""

import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import lance
import pytest

from rag_assets.platform.errors import IndexUnavailable, NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import LLMSettings, QuerySettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import pinned_engine
from rag_assets.query.retrieval import snapshot as snapshot_module
from rag_assets.query.retrieval.snapshot import Snapshots
from rag_assets.releases.operations import promote_release, roll_back
from rag_assets.releases.registry import Registry, Release
from tests.query.editions import copied, deployment, editions, live, question_of, release_edition
from tests.query.openai_server import OpenAIServer, Reply
from tests.query.restricted import changed

ANYONE = Caller()
FERRY = question_of("ferry")
FOREVER = 1e9


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    platform = deployment(tmp_path_factory.mktemp("snapshot"), model_cache)
    for edition in (1, 2, 3):
        release_edition(platform, edition)
    return platform


@pytest.fixture
def platform(template: Platform, tmp_path: Path) -> Platform:
    """Three releases, the newest live; of a test alone."""
    return copied(template, tmp_path / "copy")


def refreshing(platform: Platform, seconds: float, **query: object) -> Platform:
    settings = QuerySettings.model_validate({"refresh_seconds": seconds, **query})
    return changed(platform, query=settings)


def said(engine: QueryEngine, topic: str = "ferry") -> list[int]:
    """The editions of everything that a search shows."""
    return editions(*(hit.text for hit in engine.search(question_of(topic), ANYONE)))


def documents(engine: QueryEngine) -> set[str]:
    return {hit.document_id for hit in engine.search(FERRY, ANYONE, 50)}


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        fake = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(snapshot_module, "time", fake)


def test_a_commit_during_a_long_look_is_seen_by_the_next_query(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    snapshots = Snapshots(refreshing(platform, 1.0))
    really_live = Registry.live

    def slow(registry: Registry) -> Release | None:
        found = really_live(registry)
        if clock.now == 100.0:
            clock.now = 105.0  # and right after the registry was read:
            roll_back(platform, 2)
        return found

    monkeypatch.setattr(Registry, "live", slow)
    assert snapshots.current().release.id == 3
    assert snapshots.current().release.id == 2


def test_a_query_that_waits_for_the_look_of_another_looks_again_itself(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    snapshots = Snapshots(refreshing(platform, 1.0))
    really_live, reading, go_on = Registry.live, threading.Event(), threading.Event()

    def held(registry: Registry) -> Release | None:
        found = really_live(registry)
        if threading.current_thread().name == "first":
            reading.set()
            assert go_on.wait(60)
        return found

    monkeypatch.setattr(Registry, "live", held)
    first = threading.Thread(target=snapshots.current, name="first")
    first.start()
    assert reading.wait(60)
    roll_back(platform, 2)
    clock.now += 2.0
    seen: list[int] = []
    second = threading.Thread(target=lambda: seen.append(snapshots.current().release.id))
    second.start()
    go_on.set()
    first.join()
    second.join()
    assert seen == [2]


def test_it_looks_no_more_often_than_is_set(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    snapshots = Snapshots(refreshing(platform, 1.0))
    assert snapshots.current().release.id == 3
    roll_back(platform, 1)
    clock.now += 0.99
    assert snapshots.current().release.id == 3
    clock.now += 0.01
    assert snapshots.current().release.id == 1


def test_one_query_is_of_one_release_from_its_search_to_its_answer(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = QueryEngine(refreshing(platform, 0.0))
    search = engine.retrieve

    def interrupted(*arguments: object, **named: object):  # type: ignore[no-untyped-def]
        retrieval = search(*arguments, **named)  # type: ignore[arg-type]
        roll_back(platform, 1)
        return retrieval

    monkeypatch.setattr(engine, "retrieve", interrupted)
    answer = engine.ask(FERRY, ANYONE)
    assert answer.release["id"] == 3
    assert editions(answer.answer, *(item.quote for item in answer.citations)) == [3]
    assert engine.release_info()["id"] == 1


def forget(platform: Platform, release: Release, document: str, *, clean_up: bool) -> Release:
    """A new version of a release without a document, as an erasure makes one."""
    uri = f"{platform.lancedb_uri}/{release.table_name}.lance"
    dataset = lance.dataset(uri)
    head = dataset.version
    lance.dataset(uri, version=release.lance_version).restore()
    dataset = lance.dataset(uri)
    dataset.delete(f"document_id = '{document}'")
    dataset.optimize.compact_files(materialize_deletions=True, materialize_deletions_threshold=0.0)
    dataset.optimize.optimize_indices()
    version = lance.dataset(uri).latest_version
    assert version > head
    amended = Registry(platform.database).amend(
        release.id, "amended", reason="test", lance_version=version
    )
    dataset = lance.dataset(uri)
    dataset.tags.update(release.tag, version)
    if clean_up:
        for other in (1, 2, 3):
            if other != release.id:
                dataset.tags.delete(f"release-{other}")
        dataset.cleanup_old_versions(
            older_than=timedelta(0), delete_unverified=True, error_if_tagged_old_versions=False
        )
    return amended


@pytest.mark.parametrize("pinned", [False, True])
def test_the_same_release_in_another_version_is_opened_again(
    platform: Platform, pinned: bool
) -> None:
    engine = QueryEngine(refreshing(platform, 0.0), 3 if pinned else None)
    assert "docs/ferry.md" in documents(engine)
    forget(platform, live(platform), "docs/ferry.md", clean_up=False)
    left = documents(engine)
    assert "docs/market.md" in left
    assert "docs/ferry.md" not in left


def test_a_version_that_is_cleaned_up_in_mid_query_is_no_failure(platform: Platform) -> None:
    engine = QueryEngine(refreshing(platform, FOREVER))
    assert "docs/ferry.md" in documents(engine)
    forget(platform, live(platform), "docs/ferry.md", clean_up=True)
    retrieval = engine.retrieve(FERRY, ANYONE)
    assert retrieval.snapshot.release.id == 3
    assert retrieval.degraded == []
    assert retrieval.hits
    assert "docs/ferry.md" not in {hit.document_id for hit in retrieval.hits}
    many = list(engine.retrieve_many([FERRY, FERRY], ANYONE))
    assert {hit.document_id for one in many for hit in one.hits} == {
        hit.document_id for hit in retrieval.hits
    }


def test_of_many_questions_those_after_a_clean_up_are_asked_again(platform: Platform) -> None:
    engine = QueryEngine(refreshing(platform, FOREVER))
    found = engine.retrieve_many([FERRY, FERRY], ANYONE)
    assert "docs/ferry.md" in {hit.document_id for hit in next(found).hits}
    forget(platform, live(platform), "docs/ferry.md", clean_up=True)
    after = next(found)
    assert after.hits
    assert "docs/ferry.md" not in {hit.document_id for hit in after.hits}


def test_a_clean_up_between_search_and_answer_is_no_failure(
    platform: Platform, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.default = Reply(("Cats are allowed ", "[1]."))
    llm = LLMSettings(base_url=server.url, model="tiny", retries=0)
    # one hit, so that its neighbours have to be read
    engine = QueryEngine(changed(refreshing(platform, FOREVER, neighbours=2), llm=llm))
    search, searches = engine.retrieve, []

    def interrupted(*arguments: object, **named: object):  # type: ignore[no-untyped-def]
        searches.append(search(*arguments, **named))  # type: ignore[arg-type]
        if len(searches) == 1:
            forget(platform, live(platform), "docs/ferry.md", clean_up=True)
        return searches[-1]

    monkeypatch.setattr(engine, "retrieve", interrupted)
    answer = engine.ask(FERRY, ANYONE, 1)
    assert len(searches) == 2
    assert answer.degraded == []
    assert answer.citations[0].document_id != "docs/ferry.md"


def test_when_the_version_is_gone_for_good_the_error_says_so(platform: Platform) -> None:
    engine = QueryEngine(refreshing(platform, 0.0), 3)
    assert said(engine) == [3]
    forget(platform, live(platform), "docs/ferry.md", clean_up=True)
    Registry(platform.database).amend(3, "amended", reason="test", lance_version=1)
    with pytest.raises(IndexUnavailable, match="cannot be opened"):
        said(engine)


def test_a_pinned_release_that_is_removed_says_which_others_there_are(platform: Platform) -> None:
    for engine in (
        QueryEngine(refreshing(platform, 0.0), 1),
        pinned_engine(refreshing(platform, 0.0), 1),
    ):
        assert said(engine) == [1]
        Registry(platform.database).mark_removed(1, "test")
        with pytest.raises(NoRelease, match=r"Release 1 has been removed.*asked: 3, 2;"):
            said(engine)
        with platform.database.begin() as connection:
            connection.exec_driver_sql("UPDATE releases SET removed_at = NULL")


def test_a_rejected_release_is_asked_by_evaluations_only(platform: Platform) -> None:
    registry = Registry(platform.database)
    facts = live(platform)
    again = registry.add_candidate(
        table_name=facts.table_name,
        lance_version=facts.lance_version,
        fingerprints=facts.fingerprints,
        partitions=facts.partitions,
        documents=facts.documents,
        chunks=facts.chunks,
        manifest_sha256=facts.manifest_sha256,
        run_id="test",
        configuration=facts.configuration,
    )
    for status in ("candidate", "rejected"):
        with pytest.raises(NoRelease, match=rf"Release {again.id} is {status}.*asked: 3, 2, 1;"):
            said(QueryEngine(platform, again.id))
        assert said(pinned_engine(platform, again.id)) == [3]
        registry.reject(again.id, "test", {}) if status == "candidate" else None
    assert said(QueryEngine(platform)) == [3]


def test_a_removed_release_does_not_stand_in_for_the_live_one(platform: Platform) -> None:
    Registry(platform.database).amend(3, "repaired", reason="test", lance_version=10_000)
    engine = QueryEngine(refreshing(platform, 0.0))
    assert engine.retrieve(FERRY, ANYONE).snapshot.release.id == 2
    Registry(platform.database).mark_removed(2, "test")
    assert engine.retrieve(FERRY, ANYONE).snapshot.release.id == 1
    Registry(platform.database).mark_removed(1, "test")
    with pytest.raises(IndexUnavailable):
        engine.retrieve(FERRY, ANYONE)


def test_a_repaired_release_is_read_at_once(platform: Platform) -> None:
    version = live(platform).lance_version
    registry = Registry(platform.database)
    registry.amend(3, "repaired", reason="test", lance_version=10_000)
    engine = QueryEngine(refreshing(platform, 0.0))
    assert engine.retrieve(FERRY, ANYONE).degraded == ["release_fallback"]
    registry.amend(3, "repaired", reason="test", lance_version=version)
    retrieval = engine.retrieve(FERRY, ANYONE)
    assert (retrieval.snapshot.release.id, retrieval.degraded) == (3, [])


def test_forward_and_back_in_one_engine(platform: Platform) -> None:
    engine = QueryEngine(refreshing(platform, 0.0))
    roll_back(platform, 1)
    assert said(engine, "market") == [1]
    promote_release(platform, 2)
    assert said(engine, "market") == [2]
