"""Pools: how many steps that want the same scarce thing run at the same time, over all runs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random

if TYPE_CHECKING:
    from dagster import DagsterInstance

ATTEMPTS = 5


# two processes may give a new instance its pools at the same time: whoever is second looks again
@retry(
    retry=retry_if_exception_type(IntegrityError),
    stop=stop_after_attempt(ATTEMPTS),
    wait=wait_random(0.05, 0.5),
    reraise=True,
)
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
