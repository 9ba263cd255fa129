"""Erasure from what was asked and answered."""

from .answers import QueryLogEraser

__all__ = ["QueryLogEraser"]
