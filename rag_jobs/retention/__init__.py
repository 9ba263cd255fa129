"""What Dagster recorded long ago and nobody needs any more: runs, events, ticks, and their space."""

from .expire import Expired, expire_records
from .kept import runs_to_keep

__all__ = ["Expired", "expire_records", "runs_to_keep"]
