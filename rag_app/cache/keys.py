"""What an answer depends on, as a key: two questions with the same key have the same answer.

- the release, at the version of the index that the registry names now, with what it has learned;
- the caller's rights as the search itself would apply them: the groups, and what the present
  manifests forbid since the release was made;
- the question, the filter, the limit, the prompt, the answerer, and the settings of both;
- the requests to forget documents: any change of them voids everything.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.retrieval.retrieve import Retriever
from rag_assets.query.retrieval.snapshot import Snapshot


@dataclass(frozen=True)
class Key:
    """Of one question.

    Attributes:
        generation: changes with every request to forget a document and with its completion.
        scope: everything but the question.
        question: as it is searched.
        snapshot: the release.
    """

    generation: str
    scope: str
    question: str
    snapshot: Snapshot

    @cached_property
    def text(self) -> str:
        """The key."""
        hashed = hashlib.sha256(f"{self.scope}\n{self.question}".encode("utf-8", "replace"))
        return f"answer:{self.generation}:{hashed.hexdigest()}"


class Keys:
    """Makes keys for one deployment.

    Args:
        platform: the deployment.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        query, llm = platform.settings.query, platform.settings.llm
        self._shape = fingerprint(
            {
                "version": version("ragline"),
                "query": query.model_dump(mode="json"),
                "llm": llm.model_dump(mode="json", exclude={"api_key"}),
                "cost": platform.settings.cost.model_dump(mode="json"),
            }
        )

    def of(
        self,
        snapshot: Snapshot,
        question: str,
        caller: Caller,
        limit: int | None,
        generation: str = "",
        **wishes: str,
    ) -> Key:
        """The key of a question asked of a release now.

        Args:
            generation: see ``Key``; looked up unless it is given.

        Raises:
            SQLAlchemyError: the database cannot be asked.
        """
        query, release = self._platform.settings.query, snapshot.release
        scope: dict[str, Any] = {
            "shape": self._shape,
            "prompts": self._prompts(),
            "release": [release.id, release.table_name, release.lance_version],
            "parameters": snapshot.parameters.to_dict(),
            "encoder": snapshot.encoder.fingerprint,
            "rights": Retriever.condition(snapshot, caller, None),
            "admin": caller.admin,
            "limit": query.limit if limit is None else limit,
            "filter": wishes.get("filter", ""),
            "task": wishes.get("task") or query.task,
            "answerer": wishes.get("answerer") or query.answerer,
        }
        return Key(generation or self.generation(), fingerprint(scope), question.strip(), snapshot)

    def generation(self) -> str:
        """See ``Key``."""
        return ErasureRequests(self._platform.database).generation()

    def _prompts(self) -> list[tuple[str, int, int]]:
        """Own templates may be edited while the service runs."""
        folder = self._platform.settings.query.prompts_path
        if not folder:
            return []
        files = ((path.name, path.stat()) for path in sorted(Path(folder).glob("*.jinja")))
        return [(name, state.st_mtime_ns, state.st_size) for name, state in files]
