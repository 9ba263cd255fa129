"""The sensor ``freshness``: what is late becomes an alert, and a release that is in step is not late.

Dagster calls an asset fresh that was made a short while ago. A release of sources that nobody edits
is not made again, and is as fresh as can be: that is confirmed here, as Dagster understands it. In the
same way Dagster is told of a release that a person has made live, by whatever way: what is made from
the live release is renewed then.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterInstance
from dagster._core.definitions.freshness import FreshnessState

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.releases.registry import Registry
from rag_jobs.alerts import late_asset, send_alert
from rag_jobs.pending import find_pending

from .flight import in_flight

WATCHED = ("release", "query_log", "query_costs", "answer_evaluation", "evaluation_dashboard")
RELEASE = dg.AssetKey("release")
LOOK_SECONDS = 60
# a release is confirmed so often within the time after which it would be late
CONFIRMATIONS = 4
# rejected candidates are materializations too: so many may lie behind the last release that went live
LOOKED_AT = 50


def freshness_sensor(settings: Settings) -> dg.SensorDefinition:
    """Build the sensor for a deployment's settings."""

    @dg.sensor(
        name="freshness",
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Confirms that the release is in step with the sources; tells what is late.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> dg.SensorResult | dg.SkipReason:
        confirmed, reason = other_release(platform, context.instance)
        if confirmed is None:
            confirmed, reason = confirm_release(platform, context.instance, datetime.now(UTC))
        late = tell_late(platform, context.instance)
        told = f"late: {', '.join(late)}" if late else "nothing is late"
        if confirmed is not None:
            return dg.SensorResult(
                asset_events=[confirmed], skip_reason=dg.SkipReason(f"{reason}; {told}")
            )
        return dg.SkipReason(f"{reason}; {told}")

    return sensor


def other_release(
    platform: Platform, instance: DagsterInstance
) -> tuple[dg.AssetMaterialization | None, str]:
    """Say which release is live when it is not the one that Dagster saw go live: a person chose it.

    Returns:
        The event to report, with the data version of the live release, and why.
    """
    if in_flight(instance).release:
        return None, "a run is about to release something"
    live = Registry(platform.database).live()
    records = instance.fetch_materializations(RELEASE, limit=LOOKED_AT).records
    seen = [made for record in records if (made := record.asset_materialization) is not None]
    went_live = [
        made
        for made in seen
        if "status" in made.metadata and made.metadata["status"].value == "live"
    ]
    if live is None or not went_live or went_live[0].metadata["release"].value == live.id:
        return None, "Dagster knows the live release"
    event = dg.AssetMaterialization(
        "release",
        description=f"Release {live.id} was made live by hand.",
        metadata={"release": live.id, "status": live.status, "created": False, "promoted": True},
        tags={"dagster/data_version": live.manifest_sha256[:32]},
    )
    return event, f"release {live.id} was made live by hand"


def confirm_release(
    platform: Platform, instance: DagsterInstance, now: datetime
) -> tuple[dg.AssetMaterialization | None, str]:
    """Say that the live release is in step with the sources, when that is so and was not just said.

    Returns:
        The event to report, with the data version and provenance that the release has, and why.
    """
    live = Registry(platform.database).live()
    last = instance.get_latest_materialization_event(RELEASE)
    made = last.asset_materialization if last is not None else None
    if live is None or last is None or made is None:
        return None, "there is no release yet"
    window = timedelta(hours=platform.settings.orchestration.fresh_within_hours)
    if now - datetime.fromtimestamp(last.timestamp, UTC) < window / CONFIRMATIONS:
        return None, "the release was made or confirmed a short while ago"
    try:
        pending = find_pending(platform)
    except RaglineError as error:
        return None, f"not confirmed: {error}"
    if not pending.nothing or pending.unavailable or pending.release_reason:
        return None, "not confirmed: the release is behind the sources, or they are out of reach"
    event = dg.AssetMaterialization(
        "release",
        description="Confirmed: it is in step with the sources.",
        metadata={"release": live.id, "status": live.status, "created": False, "promoted": False},
        # the same data, made from the same: nothing downstream becomes stale
        tags={key: value for key, value in (made.tags or {}).items() if key.startswith("dagster/")},
    )
    return event, f"release {live.id} is in step with the sources"


def tell_late(platform: Platform, instance: DagsterInstance) -> Sequence[str]:
    """Send an alert for every asset that Dagster's daemon has found late; their names."""
    keys = [dg.AssetKey(name) for name in WATCHED]
    states: Mapping[dg.AssetKey, object] = instance.get_freshness_state_records(keys)
    late = [
        key
        for key in keys
        if getattr(states.get(key), "freshness_state", None) == FreshnessState.FAIL
    ]
    for key in late:
        last = instance.get_latest_materialization_event(key)
        since = datetime.fromtimestamp(last.timestamp, UTC) if last else None
        told = f"{since:%Y-%m-%d %H:%M} UTC" if since else ""
        send_alert(platform, late_asset(platform.settings, key.to_user_string(), told))
    return [key.to_user_string() for key in late]
