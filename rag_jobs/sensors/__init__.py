"""Sensors: what is looked at all the time; one file a sensor."""

import dagster as dg

from rag_assets.platform.settings import Settings

from .automation import automation_sensor
from .freshness import freshness_sensor
from .run_failure import run_failure_sensor
from .source_changes import source_changes_sensor

__all__ = ["sensors"]


def sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Every sensor of a deployment; all of them run unless somebody stops them."""
    return [
        source_changes_sensor(settings),
        automation_sensor(),
        run_failure_sensor(settings),
        freshness_sensor(settings),
    ]
