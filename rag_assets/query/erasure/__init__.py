"""Erasure from what was asked and answered."""

from .answers import QueryLogEraser
from .cached import CachedAnswersEraser

__all__ = ["CachedAnswersEraser", "QueryLogEraser"]
