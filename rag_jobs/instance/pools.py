"""Pools: how many steps that want the same scarce thing run at the same time, over all runs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance


def set_pool_limits(instance: "DagsterInstance", limits: Mapping[str, int]) -> None:
    """Give the pools of the settings their limits; those that are right are left alone.

    Args:
        instance: keeps the limits, where the UI shows them too.
        limits: steps at the same time, by pool.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    present = {pool.name: pool.limit for pool in storage.get_pool_limits()}
    for name, limit in limits.items():
        if present.get(name) != limit:
            storage.set_concurrency_slots(name, limit)
