"""The Dagster resource ``rag_query``: the query engine for assets, with explicit rights."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr

from rag_assets.platform.platform import Platform

from .access import Caller

if TYPE_CHECKING:
    from .answer import Answer, Hit
    from .engine import QueryEngine

RAG_QUERY = "rag_query"


class RagQuery(dg.ConfigurableResource):
    """Searches and answers from a release, as the command line and the service do.

    Evaluation assets take it as ``rag_query: RagQuery``. The engine is made when it is first used
    in a run, and searches with the rights that are configured here unless a call names others.
    """

    platform: dg.ResourceDependency[Platform]
    release: int = Field(default=0, description="Ask this release; 0: the live one.")
    groups: list[str] = Field(default=[], description="Groups whose rights the searches have.")
    admin: bool = Field(default=False, description="Search with the rights of an administrator.")

    _engine: "QueryEngine | None" = PrivateAttr(default=None)

    @property
    def engine(self) -> "QueryEngine":
        """The engine itself, for searches with other rights or many questions."""
        if self._engine is None:
            from .engine import QueryEngine

            self._engine = QueryEngine(self.platform, self.release or None)
        return self._engine

    @property
    def caller(self) -> Caller:
        """The configured rights."""
        authenticated = self.platform.settings.auth.enabled
        return Caller(frozenset(self.groups), self.admin, authenticated)

    def pinned(self, release_id: int | None = None) -> "QueryEngine":
        """An engine for evaluations: of one release, candidates included, silent in the query log."""
        from .pinned import pinned_engine

        return pinned_engine(self.platform, release_id)

    def search(
        self,
        question: str,
        limit: int | None = None,
        *,
        filter: str = "",
        caller: Caller | None = None,
    ) -> "list[Hit]":
        """See ``QueryEngine.search``."""
        return self.engine.search(question, caller or self.caller, limit, filter=filter)

    def ask(
        self,
        question: str,
        limit: int | None = None,
        *,
        filter: str = "",
        caller: Caller | None = None,
    ) -> "Answer":
        """See ``QueryEngine.ask``."""
        return self.engine.ask(question, caller or self.caller, limit, filter=filter)


def rag_query_resource(platform: Platform) -> RagQuery:
    """The resource for one configured platform."""
    return RagQuery(platform=dg.ResourceDefinition.hardcoded_resource(platform))
