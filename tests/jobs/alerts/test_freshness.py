"""A release that is in step with its sources is fresh; what is late is told once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import AlertSettings, OrchestrationSettings, Settings
from rag_assets.releases.operations import roll_back
from rag_jobs.ingest import ingest
from rag_jobs.instance import open_instance
from rag_jobs.sensors.freshness import RELEASE, confirm_release, other_release, tell_late
from tests.conftest import Deploy
from tests.jobs.alerts.receivers import http_receiver

SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]
[evaluation]
known_items = 0
[orchestration]
fresh_within_hours = 8
"""


def test_a_release_in_step_is_confirmed_and_nothing_becomes_stale(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deploy(SETTINGS)
    (folder / "documents" / "one.md").write_text("# Lighthouse\n\nIt was built in 1801.")
    # restored at the end: an instance that is opened sets it for its children
    monkeypatch.setenv("DAGSTER_HOME", str(folder / ".ragline" / "dagster"))
    platform = Platform.load()
    assert ingest(platform).ok
    now = datetime.now(UTC)
    with open_instance(platform.settings) as instance:
        before = instance.get_latest_data_version_record(RELEASE)
        assert before is not None
        event, reason = confirm_release(platform, instance, now + timedelta(hours=1))
        assert event is None
        assert "a short while ago" in reason

        event, reason = confirm_release(platform, instance, now + timedelta(hours=3))
        assert event is not None, reason
        instance.report_runless_asset_event(event)
        after = instance.get_latest_data_version_record(RELEASE)
        assert after is not None
        assert after.storage_id > before.storage_id
        assert tags_of(after) == tags_of(before)
        assert tags_of(after)["dagster/data_version"]

        (folder / "documents" / "two.md").write_text("The new lighthouse has no keeper.")
        event, reason = confirm_release(platform, instance, now + timedelta(hours=9))
        assert event is None
        assert "behind the sources" in reason


def test_what_a_person_makes_live_is_told_to_dagster(deploy: Deploy) -> None:
    """So that what is made from the live release, the dashboard, is renewed after a rollback."""
    folder = deploy(SETTINGS)
    document = folder / "documents" / "one.md"
    document.write_text("# Lighthouse\n\nIt was built in 1801.")
    platform = Platform.load()
    assert ingest(platform).ok
    document.write_text("# Lighthouse\n\nIt was built in 1802.")
    assert ingest(platform).ok
    with open_instance(platform.settings) as instance:
        event, reason = other_release(platform, instance)
        assert event is None, reason

        back = roll_back(platform, None, actor="ann", reason="the year is wrong")
        assert back.id == 1
        event, reason = other_release(platform, instance)
        assert event is not None, reason
        instance.report_runless_asset_event(event)
        record = instance.get_latest_data_version_record(RELEASE)
        assert record is not None
        assert tags_of(record)["dagster/data_version"] == back.manifest_sha256[:32]
        assert other_release(platform, instance)[0] is None, "told once"


def tags_of(record: dg.EventLogRecord) -> dict[str, str]:
    """Data version, code version and provenance."""
    made = record.asset_materialization
    assert made is not None
    return {key: item for key, item in (made.tags or {}).items() if key.startswith("dagster/")}


def test_what_is_late_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as received, DagsterInstance.local_temp(str(tmp_path)) as instance:
        platform = Platform(
            Settings(
                home=str(tmp_path / "home"),
                alerts=AlertSettings.model_validate({"webhook_url": received.url}),
                orchestration=OrchestrationSettings(fresh_within_hours=8),
            )
        )
        assert tell_late(platform, instance) == []
        become(instance, "query_costs", FreshnessState.FAIL)
        become(instance, "release", FreshnessState.WARN)
        assert tell_late(platform, instance) == ["query_costs"]
        assert tell_late(platform, instance) == ["query_costs"]
        (alert,) = received.alerts
        assert (alert["kind"], alert["severity"]) == ("late", "warning")
        assert alert["fields"] == {"asset": "query_costs", "last made": "never"}
        become(instance, "query_costs", FreshnessState.PASS)
        assert tell_late(platform, instance) == []


def become(instance: DagsterInstance, asset: str, state: FreshnessState) -> None:
    """What Dagster's daemon reports of an asset's freshness."""
    instance._report_runless_asset_event(
        FreshnessStateChange(
            key=dg.AssetKey(asset),
            previous_state=FreshnessState.UNKNOWN,
            new_state=state,
            state_change_timestamp=datetime.now(UTC).timestamp(),
        )
    )
