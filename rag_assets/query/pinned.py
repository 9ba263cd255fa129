"""Query engines for evaluations: pinned to one release, and silent in the query log."""

from rag_assets.platform.platform import Platform

from .access import Caller
from .engine import QueryEngine


def unlogged(platform: Platform) -> Platform:
    """The platform without its query log, which is for what people ask."""
    query = platform.settings.query.model_copy(update={"log": "off"})
    return Platform(platform.settings.model_copy(update={"query": query}))


def pinned_engine(platform: Platform, release_id: int | None = None) -> QueryEngine:
    """A loaded engine of one release, candidates and rejected ones included, with its own encoder.

    Without a release it follows the live one.

    Raises:
        NoRelease: there is no such release, or it has been removed.
        ConfigurationError: its encoder cannot be made any more.
        EncoderError: its encoder cannot be loaded or reached.
        IndexUnavailable: it cannot be read.
    """
    engine = QueryEngine(unlogged(platform), release_id, candidates=True)
    engine.warm_up()
    return engine


def without_groups(platform: Platform) -> Caller:
    """Who asks a question that names no groups: somebody who is in none."""
    return Caller(authenticated=platform.settings.auth.enabled)
