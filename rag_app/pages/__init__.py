"""The chat page and the evaluation dashboard: static files under policies of their own."""

from .router import router

__all__ = ["router"]
