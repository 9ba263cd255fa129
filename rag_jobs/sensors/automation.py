"""The sensor ``automation``: assets that say themselves when they are to be renewed."""

import dagster as dg

SECONDS = 30


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """The sensor that evaluates automation conditions; Dagster's own starts stopped."""
    return dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=SECONDS,
        description="Renews what says itself when it is to be renewed: the dashboard.",
    )
