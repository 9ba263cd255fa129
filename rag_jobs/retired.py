"""Shards that are no longer configured: emptied by a run, then dropped."""

from rag_assets.platform.platform import Platform

from .pending import STAGES

WAIT_SECONDS = 5.0


def drop_shard(platform: Platform, partition: str) -> None:
    """Remove the empty tables of a shard that is no longer configured.

    The manifest goes last: as long as it is there, whoever looks finds the shard and goes on.

    Args:
        platform: the deployment.
        partition: the shard's key.

    Raises:
        AlreadyRunning: a run is at work on the shard.
    """
    doing = f"dropping '{partition}'"
    with platform.lock(f"shard-{partition}", doing=doing, timeout=WAIT_SECONDS):
        for stage in reversed(STAGES):
            platform.tables.drop(stage, partition)
