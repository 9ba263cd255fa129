"""What the service's own operations may run into."""

from rag_assets.platform.errors import RaglineError


class NotFound(RaglineError):
    """There is no such thing, or nothing of it for this caller; which of the two is not told."""


class Conflict(RaglineError):
    """The state of things does not allow it."""


class Invalid(RaglineError):
    """What was asked cannot be done as it was asked; the caller's to correct."""
