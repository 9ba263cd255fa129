"""Retention: what may go, what never goes, and that what goes is gone while the rest answers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.platform.errors import NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, ReleaseSettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.releases import retention as retention_module
from rag_assets.releases.opening import require_readable
from rag_assets.releases.operations import roll_back
from rag_assets.releases.registry import Registry, Release
from rag_assets.releases.retention import Retired, retire_releases, to_remove
from rag_assets.vector_index import retention as index_retention
from tests.jobs.harness import run_stages
from tests.query.restricted import changed
from tests.releases.releases_for_tests import copied, with_history

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MUCH_LATER = datetime.now(UTC) + timedelta(days=400)


def days(least: int, most: int) -> st.SearchStrategy[datetime]:
    return st.integers(least, most).map(lambda number: NOW - timedelta(days=number))


@st.composite
def registries(draw: st.DrawFn) -> list[Release]:
    """Registries that can exist: at most one live release, times in order."""
    live = draw(st.integers(0, 9))
    found = []
    for number in range(1, draw(st.integers(1, 9)) + 1):
        statuses = ["retired", "rejected", "candidate"]
        status = "live" if number == live else draw(st.sampled_from(statuses))
        created = draw(days(40, 90))
        was_live = status in ("retired", "live")
        found.append(
            Release(
                id=number,
                created_at=created,
                promoted_at=draw(days(30, 40)) if was_live else None,
                retired_at=draw(days(0, 30)) if status == "retired" else None,
                status=status,
                reason="",
                table_name="chunks_x",
                lance_version=number,
                fingerprints={},
                partitions={},
                documents=1,
                chunks=1,
                manifest_sha256="",
                metrics={},
                run_id="",
                judged_with=draw(st.sampled_from(["", "gates"])),
                removed_at=NOW if status != "live" and draw(st.booleans()) else None,
            )
        )
    return found


@given(registries(), st.sampled_from([0, 5, 20, 60]), st.integers(0, 3), st.randoms())
@settings(max_examples=500)
def test_what_goes_is_exactly_what_nobody_may_still_want(
    releases: list[Release], keep_days: int, keep_last: int, random: Random
) -> None:
    keep = ReleaseSettings(keep_days=keep_days, keep_last=keep_last)
    removed = to_remove(releases, keep, NOW)
    shuffled = list(releases)
    random.shuffle(shuffled)
    assert to_remove(shuffled, keep, NOW) == removed

    gone = {release.id for release in removed}
    readable = [release for release in releases if release.readable]
    retired = [release for release in readable if release.status == "retired"]
    live = next((release for release in readable if release.status == "live"), None)
    back = [
        release
        for release in readable
        if live is not None and release.id < live.id and release.promoted_at is not None
    ]
    assert gone <= {release.id for release in readable}
    for release in readable:
        ended = release.retired_at or release.created_at
        young = ended >= NOW - timedelta(days=keep_days)
        later = [item for item in retired if (item.retired_at, item.id) > (ended, release.id)]
        newest = release.status == "retired" and len(later) < keep_last
        target = bool(back) and release.id == max(back, key=_promoted).id
        decided = release.status in ("live", "candidate")
        assert (release.id not in gone) == (young or newest or target or decided)


def _promoted(release: Release) -> tuple[datetime, int]:
    assert release.promoted_at is not None
    return release.promoted_at, release.id


TEXT = "# Lighthouse {0}\n\nLighthouse {0} was built in 18{0}1 by its crew."
ALL = {f"lighthouse{number}.md": TEXT.format(number) for number in range(1, 6)}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    """Five releases; each has a document more than the one before."""
    names = sorted(ALL)
    history = [{name: ALL[name] for name in names[:number]} for number in range(1, 6)]
    return with_history(tmp_path_factory.mktemp("retention") / "deployment", model_cache, history)


@pytest.fixture
def platform(original: Platform, tmp_path: Path) -> Platform:
    """A copy of it, which keeps one retired release however old."""
    keep = ReleaseSettings(keep_days=0, keep_last=1)
    return changed(copied(original, tmp_path / "deployment"), releases=keep)


def ask(platform: Platform, release_id: int) -> list[tuple[str, float]]:
    """What a release finds."""
    engine = QueryEngine(platform, release_id)
    return [(hit.document_id, hit.score) for hit in engine.search("When was it built?", Caller())]


def index_size(platform: Platform) -> int:
    files = Path(platform.lancedb_uri).rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file())


def test_old_releases_go_and_the_others_answer_as_before(platform: Platform) -> None:
    answers = {number: ask(platform, number) for number in (4, 5)}
    size = index_size(platform)

    retired = retire_releases(platform, MUCH_LATER)

    assert retired.releases == (1, 2, 3)
    assert retired.versions > 0
    # the tags themselves are files too, of some hundred bytes
    assert 0 < retired.bytes <= size - index_size(platform) < retired.bytes + 1000
    assert {number: ask(platform, number) for number in (4, 5)} == answers
    for number in (1, 2, 3):
        with pytest.raises(NoRelease, match=f"{number}"):
            ask(platform, number)
    registry = Registry(platform.database)
    kept = [release for release in registry.all() if release.readable]
    assert [release.id for release in kept] == [5, 4]
    tags = index_retention.tags(platform.lancedb_uri, kept[0].table_name)
    assert set(tags) == {"release-4", "release-5"}
    assert retire_releases(platform, MUCH_LATER) == Retired()
    assert roll_back(platform).id == 4


def test_young_ones_stay(platform: Platform) -> None:
    keep = ReleaseSettings(keep_days=1, keep_last=0)
    assert retire_releases(changed(platform, releases=keep), datetime.now(UTC)).releases == ()
    for release in Registry(platform.database).all():
        assert require_readable(platform, release).count() == release.chunks


def test_a_stray_tag_and_a_table_of_another_configuration_go(platform: Platform) -> None:
    registry = Registry(platform.database)
    live = registry.live()
    assert live is not None
    former = live.table_name
    retire_releases(platform, MUCH_LATER)
    uri = platform.lancedb_uri
    tags = index_retention.tags(uri, former)
    dataset = index_retention._dataset(uri, former, None)
    dataset.tags.create("release-99", tags[live.tag])
    dataset.tags.create("of-a-person", tags[live.tag])
    retire_releases(platform, MUCH_LATER)
    assert set(index_retention.tags(uri, former)) == {"release-4", "release-5", "of-a-person"}

    platform = changed(
        platform,
        chunking=ChunkingSettings(max_tokens=60),
        releases=ReleaseSettings(keep_days=0, keep_last=0),
    )
    for _ in range(2):  # two releases later nothing goes back to the former table
        next((platform.state_path.parent / "documents").glob("*.md")).unlink()
        run_stages(platform)
    retired = retire_releases(platform, MUCH_LATER)
    assert retired.tables == (former,)
    assert former not in index_retention.tables(uri)


@pytest.mark.parametrize("step", ["sleep", "remove_tag", "purge"])
def test_interrupted_it_is_finished_by_the_next_one(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    where = retention_module.time if step == "sleep" else index_retention
    with monkeypatch.context() as patch:
        patch.setattr(where, step, crash)
        with pytest.raises(KeyboardInterrupt):
            retire_releases(platform, MUCH_LATER)
    with pytest.raises(NoRelease, match="1"):
        ask(platform, 1)
    retired = retire_releases(platform, MUCH_LATER)
    assert retired.versions > 0
    live = Registry(platform.database).live()
    assert live is not None
    tags = index_retention.tags(platform.lancedb_uri, live.table_name)
    assert set(tags) == {"release-4", "release-5"}
    assert retire_releases(platform, MUCH_LATER) == Retired()
