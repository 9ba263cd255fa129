"""Context: which passages an answerer reads, in which order, within which budget."""

from .build import Context, build_context

__all__ = ["Context", "build_context"]
