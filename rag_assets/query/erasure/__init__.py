"""Erasure from what was asked and answered, and the means that other rooms erase their texts with."""

from .answers import QueryLogEraser
from .redaction import FORGOTTEN, Redaction

__all__ = ["FORGOTTEN", "QueryLogEraser", "Redaction"]
