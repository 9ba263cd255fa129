"""The query engine: one object for the command line, the service, the evaluations and Dagster."""

import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from rag_assets.encoders import make_encoder
from rag_assets.platform.errors import ConfigurationError, NoRelease, RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Registry, Release
from rag_assets.vector_index.reader import IndexReader

from .access import Caller, acl_condition
from .answer import Answer, Hit
from .extractive import answer_by_quoting
from .fusion import fuse

NOTHING_FOUND = "Nothing in the released documents supports an answer."


class QueryEngine:
    """Searches and answers from the released index.

    Args:
        platform: settings, database and the place of the index.
        release_id: pin this release instead of the live one.
    """

    def __init__(self, platform: Platform, release_id: int | None = None) -> None:
        self._platform = platform
        self._settings = platform.settings.query
        self._encoder = make_encoder(platform.settings.encoder, platform.state_path)
        self._release_id = release_id
        self._opened: tuple[Release, IndexReader] | None = None

    def warm_up(self) -> None:
        """Load the encoder while the index is being opened: both take a part of a second."""
        failures: list[RaglineError] = []

        def load() -> None:
            try:
                self._encoder.warm_up()
            except RaglineError as error:
                failures.append(error)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            self._open()
        finally:
            thread.join()
        if failures:
            raise failures[0]

    def search(self, question: str, caller: Caller, limit: int | None = None) -> list[Hit]:
        """The passages that fit a question best and that the caller may read.

        Args:
            question: a question or a few words.
            caller: whose rights the search runs with.
            limit: most passages to return.

        Raises:
            NoRelease: nothing has been released yet.
            ConfigurationError: the question is empty or too long.
        """
        return self._search(question, caller, limit)[0]

    def ask(self, question: str, caller: Caller, limit: int | None = None) -> Answer:
        """Answer a question with citations, or say that nothing supports an answer."""
        started = time.perf_counter()
        hits, vector = self._search(question, caller, limit)
        searched = time.perf_counter()
        text, citations = answer_by_quoting(question, vector, hits, self._encoder)
        answered = time.perf_counter()
        return Answer(
            answer_id=uuid.uuid4().hex,
            answer=text or NOTHING_FOUND,
            abstained=not citations,
            citations=citations,
            release=self.release_info(),
            timings_ms={
                "search": round((searched - started) * 1000, 2),
                "answer": round((answered - searched) * 1000, 2),
                "total": round((answered - started) * 1000, 2),
            },
        )

    def release_info(self) -> dict[str, Any]:
        """Which release answers, and how far it may lie behind its sources."""
        release, _ = self._open()
        lag = (datetime.now(UTC) - release.created_at).total_seconds()
        return {
            "id": release.id,
            "created_at": release.created_at.isoformat(),
            "source_lag_seconds": round(max(lag, 0.0), 1),
        }

    def _search(self, question: str, caller: Caller, limit: int | None) -> tuple[list[Hit], Any]:
        question = question.strip()
        if not question:
            raise ConfigurationError("The question is empty.", "Ask something.")
        if len(question) > self._settings.max_question_chars:
            raise ConfigurationError(
                f"The question has {len(question)} characters; at most "
                f"{self._settings.max_question_chars} are allowed.",
                "Shorten it, or raise query.max_question_chars.",
            )
        _, reader = self._open()
        vector = self._encoder.encode([question])[0]
        condition = acl_condition(caller)
        wanted = limit or self._settings.limit
        candidates = max(self._settings.candidates, wanted)
        found = fuse(
            reader.dense(vector, candidates, condition),
            reader.full_text(question, candidates, condition),
            self._settings.fusion_weight,
        )
        return [_hit(row) for row in found.head(wanted).iter_rows(named=True)], vector

    def _open(self) -> tuple[Release, IndexReader]:
        if self._opened is None:
            registry = Registry(self._platform.database)
            release = registry.get(self._release_id) if self._release_id else registry.live()
            if release is None:
                raise NoRelease(
                    f"There is no release {self._release_id}."
                    if self._release_id
                    else "Nothing has been released yet.",
                    "Run 'ragline ingest' first.",
                )
            reader = IndexReader(
                self._platform.lancedb_uri,
                release.table_name,
                release.tag,
                self._platform.storage_options,
            )
            self._opened = (release, reader)
        return self._opened


def _hit(row: dict[str, Any]) -> Hit:
    values: dict[str, Any] = {name: row.get(name) for name in Hit.__dataclass_fields__}
    return Hit(**values)
