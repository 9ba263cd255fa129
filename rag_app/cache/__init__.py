"""Answers and query vectors that are kept for the next caller with the same rights."""

from .cached_engine import CachedEngine
from .shared import Caches

__all__ = ["CachedEngine", "Caches"]
