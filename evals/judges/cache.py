"""Reads and writes judgements by content in the platform database; see ``judgements``."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from rag_assets.platform.fingerprint import fingerprint

from .base import JudgedMetric, Judgement, Sample
from .judgements import judgement_documents, judgements

BATCH = 500  # keys of one query
STORED = (
    *("key", "metric", "version", "judge", "score", "reason", "verdicts", "calls"),
    *("prompt_tokens", "completion_tokens", "cost_usd", "seconds"),
)


def judgement_key(metric: JudgedMetric, judge: str, sample: Sample) -> str:
    """What determines a judgement, hashed: metric, version, judge, and what the metric looks at.

    The reference counts only where the metric needs it; ``sample_id`` and ``documents`` never.
    """
    reference = sample.reference if metric.needs_reference else None
    content = [sample.question, sample.answer, list(sample.contexts), reference]
    return fingerprint([metric.name, metric.version, judge, content])


class JudgementCache:
    """Judgements that are ``ok``, by key. Every write is one transaction; the first of two wins.

    Args:
        engine: the platform database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def find(self, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The rows of ``judgements`` there are, by key."""
        found: dict[str, Mapping[str, Any]] = {}
        with self._engine.connect() as connection:
            for batch in _batches(keys):
                rows = connection.execute(sa.select(judgements).where(judgements.c.key.in_(batch)))
                found.update({row.key: dict(row._mapping) for row in rows})
        return found

    def add(self, judgement: Judgement, documents: Sequence[str]) -> None:
        """Keep a judgement that is ``ok``, with the documents that its reason may repeat."""
        row = {name: getattr(judgement, name) for name in STORED}
        with self._engine.begin() as connection:
            _insert_new(connection, judgements, [{**row, "judged_at": datetime.now(UTC)}])
            _insert_new(connection, judgement_documents, _links({judgement.key: documents}))

    def link(self, documents: Mapping[str, Sequence[str]]) -> None:
        """Note for some keys that these documents have the judged text too."""
        links = _links(documents)
        with self._engine.begin() as connection:
            for start in range(0, len(links), BATCH):
                _insert_new(connection, judgement_documents, links[start : start + BATCH])


def _links(documents: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    return [
        {"key": key, "document_id": document_id}
        for key, document_ids in documents.items()
        for document_id in sorted(set(document_ids))
    ]


def _insert_new(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows; those that another process has inserted already stay as they are."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(postgresql.insert(table).on_conflict_do_nothing(), rows)
    else:
        connection.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]
