"""Overdue deletions: from dates in the history, in plain data and on a real deployment."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.dagster_bridge import PLATFORM
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ReleaseSettings, Settings, SourceSettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.releases.history import History, ReleaseEvent
from rag_assets.releases.registry import Registry
from rag_assets.releases.release import Release
from rag_jobs.forgetting.deletions import (
    DELETED,
    FOUND_AGAIN,
    NOT_DONE,
    Holders,
    deleted_documents,
    deletions_check,
    overdue_deletions,
    overdue_table,
)
from tests.jobs.harness import run_stages

START = datetime(2026, 3, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def release(number: int, *, live: bool = False) -> Release:
    return Release(
        id=number,
        created_at=START + timedelta(days=number),
        promoted_at=None,
        retired_at=None,
        status="live" if live else "retired",
        reason="",
        table_name="t",
        lance_version=number,
        fingerprints={},
        partitions={},
        documents=1,
        chunks=1,
        manifest_sha256="",
        metrics={},
        run_id="",
    )


def event(day: int, release_id: int | None, kind: Any = "promoted") -> ReleaseEvent:
    return ReleaseEvent(day, START + timedelta(days=day), release_id, kind, "", "", {})


@given(held=st.lists(st.booleans(), min_size=1, max_size=8))
def test_the_clock_starts_with_the_first_release_after_the_last_that_had_it(
    held: list[bool],
) -> None:
    holders = Holders()
    holders.releases["d/x"] = {number for number, has in enumerate(held, 1) if has}
    retained = [release(number, live=number == len(held)) for number in range(1, len(held) + 1)]
    events = [event(number, number) for number in range(1, len(held) + 1)]
    rows = deleted_documents(retained, events, holders, MONTH)
    if held[-1]:
        assert rows == []
        return
    last = max((number for number, has in enumerate(held, 1) if has), default=0)
    [row] = rows
    assert row["since"] == START + timedelta(days=last + 1)
    assert row["due_at"] == row["since"] + MONTH
    assert row["kind"] == DELETED


def test_a_rollback_to_a_release_with_it_starts_the_clock_again() -> None:
    holders = Holders(releases=defaultdict(set, {"d/x": {1}}))
    events = [event(1, 1), event(2, 2), event(5, 1, "rolled_back"), event(6, None, "held")]
    retained = [release(1), release(2, live=True)]
    [row] = deleted_documents(retained, [*events, event(9, 2, "rolled_back")], holders, MONTH)
    assert row["since"] == START + timedelta(days=9)


def test_what_a_source_still_has_is_not_deleted_and_what_a_removed_release_had_counts() -> None:
    holders = Holders(
        manifest={"d/quarantined"},
        releases=defaultdict(set, {"d/quarantined": {1}}),
        answers={"d/asked": 2},
        known=defaultdict(set, {"d/asked": {3}}),
    )
    events = [event(1, 1), event(3, 3), event(7, 8)]
    retained = [release(1), release(8, live=True)]
    [row] = deleted_documents(retained, events, holders, MONTH)
    assert (row["document_id"], row["since"]) == ("d/asked", START + timedelta(days=7))
    assert row["where"] == "query log (2 answers)"
    assert deleted_documents([release(1)], events, holders, MONTH) == []


def test_a_candidate_that_was_never_live_counts_from_its_own_day() -> None:
    holders = Holders(releases=defaultdict(set, {"d/x": {9}}))
    retained = [release(1, live=True), release(9)]
    [row] = deleted_documents(retained, [event(1, 1)], holders, MONTH)
    assert row["since"] == START + timedelta(days=9)


@pytest.fixture
def platform(tmp_path: Path, model_cache: Path) -> Platform:
    home = tmp_path / "home"
    home.mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(model_cache, target_is_directory=True)
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "stays.md").write_text("# Leave\n\nEverybody has thirty days of leave a year.\n")
    (documents / "goes.md").write_text("# Lamps\n\nThe lamps are lit by the warden at dusk.\n")
    made = Platform(
        Settings(
            home=str(home),
            sources={"docs": SourceSettings(path=str(documents), acl=["public"])},
            releases=ReleaseSettings(erase_within_days=10),
        )
    )
    run_stages(made, "one")
    QueryEngine(made).ask("Who lights the lamps at dusk?", Caller(admin=True))
    (documents / "goes.md").unlink()
    run_stages(made, "two")
    return made


def check(platform: Platform) -> dg.AssetCheckEvaluation:
    @dg.asset(name="release")
    def release_asset() -> None: ...

    result = dg.materialize(
        [release_asset, deletions_check(platform.settings)],
        resources={PLATFORM: platform},
        instance=dg.DagsterInstance.ephemeral(),
    )
    assert result.success
    [evaluation] = result.get_asset_check_evaluations()
    return evaluation


def test_a_deleted_document_is_due_and_then_overdue(platform: Platform) -> None:
    promoted = [item for item in History(platform.database).events() if item.event == "promoted"]
    gone = promoted[-1].at
    assert overdue_deletions(platform, gone + timedelta(days=9.9)).is_empty()
    overdue = overdue_deletions(platform, gone + timedelta(days=10.1))
    [row] = overdue.to_dicts()
    assert (row["document_id"], row["kind"], row["since"]) == ("docs/goes.md", DELETED, gone)
    assert row["where"] == "release 1; query log (1 answer)"
    assert "docs/goes.md" in overdue_table(overdue)


def test_the_check_says_what_is_overdue_and_blocks_nothing(platform: Platform) -> None:
    passed = check(platform)
    assert passed.passed
    assert not passed.blocking
    assert passed.metadata["overdue"].value == 0
    within = ReleaseSettings(erase_within_days=0)
    failed = check(Platform(platform.settings.model_copy(update={"releases": within})))
    assert not failed.passed
    assert failed.severity == dg.AssetCheckSeverity.ERROR
    assert failed.metadata["overdue_deleted_documents"].value == 1
    assert "docs/goes.md" in str(failed.metadata["report"].value)


def test_requests_are_overdue_when_not_done_or_undone(platform: Platform) -> None:
    requests = ErasureRequests(platform.database)
    late = requests.open("docs/stays.md", within_days=5)
    now = late.requested_at
    assert overdue_deletions(platform, now + timedelta(days=4)).is_empty()
    [row] = overdue_deletions(platform, now + timedelta(days=6)).to_dicts()
    assert (row["document_id"], row["kind"], row["due_at"]) == (
        "docs/stays.md",
        NOT_DONE,
        late.due_at,
    )
    live = Registry(platform.database).live()
    assert live is not None
    assert row["where"].startswith(f"manifest; release 1, {live.id}")
    requests.finish(late.id, {}, completed=True)
    [again] = overdue_deletions(platform, now).to_dicts()
    assert again["kind"] == FOUND_AGAIN
    requests.lift("docs/stays.md")
    assert overdue_deletions(platform, now + timedelta(days=6)).is_empty()
