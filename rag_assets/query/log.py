"""The query log: what was asked, what was read and what was answered, in the platform database.

``answers`` has one row an answer. ``answer_documents`` names the documents that an answer read,
cites or mentions as copies, so that every trace of a document can be found through an index.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from rag_assets.erasure.requests import GENERATION
from rag_assets.platform.errors import StorageError
from rag_assets.platform.fingerprint import sha256_text
from rag_assets.platform.storable import storable

from .access import Caller
from .answer import Answer, Passage

LogMode = Literal["full", "hashed", "off"]
# beside the parameters of an answer that was given again: the id of the answer it repeats
CACHED_FROM = "cached_from"

metadata = sa.MetaData()
answers = sa.Table(
    "answers",
    metadata,
    sa.Column("answer_id", sa.String(64), primary_key=True),
    sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("release_id", sa.Integer, nullable=False),
    sa.Column("question", sa.Text),
    sa.Column("question_sha256", sa.String(64), nullable=False),
    sa.Column("groups", sa.JSON, nullable=False),
    sa.Column("authenticated", sa.Boolean, nullable=False),
    sa.Column("admin", sa.Boolean, nullable=False),
    sa.Column("filter", sa.JSON(none_as_null=True)),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("answer_sha256", sa.String(64), nullable=False),
    sa.Column("abstained", sa.Boolean, nullable=False),
    sa.Column("confidence", sa.Float),
    sa.Column("citations", sa.JSON, nullable=False),
    sa.Column("support", sa.JSON, nullable=False),
    sa.Column("passages", sa.JSON, nullable=False),
    sa.Column("answerer", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("completion_tokens", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Float, nullable=False),
    sa.Column("timings_ms", sa.JSON, nullable=False),
    sa.Column("degraded", sa.JSON, nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Index("answers_by_time", "asked_at"),
)
answer_documents = sa.Table(
    "answer_documents",
    metadata,
    sa.Column(
        "answer_id",
        sa.String(64),
        sa.ForeignKey("answers.answer_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("document_id", sa.Text, primary_key=True),
    sa.Index("answers_by_document", "document_id"),
)
_INSERT_ANSWER = sa.insert(answers)
_INSERT_DOCUMENTS = sa.insert(answer_documents)

# what is not as it was in the entry of an answer that is given again
_OF_A_REPETITION = (
    "answer_id", "asked_at", "question", "question_sha256", "groups", "authenticated", "admin",
    "prompt_tokens", "completion_tokens", "cost_usd", "timings_ms", "parameters",
)  # fmt: skip
_ORIGINAL, _EXPECTED = "original", "expected_generation"


def _copying(
    table: sa.Table, changed: Sequence[str], *conditions: sa.ColumnElement[bool]
) -> sa.Insert:
    """Copy the rows of the original inside the database, with other values in some columns."""
    columns = [
        sa.bindparam(column.name, type_=column.type).label(column.name)
        if column.name in changed
        else column
        for column in table.c
    ]
    original = table.c.answer_id == sa.bindparam(_ORIGINAL)
    rows = sa.select(*columns).where(original, *conditions)
    return sa.insert(table).from_select([column.name for column in table.c], rows)


_STILL_SO = sa.bindparam(_EXPECTED, type_=sa.String()) == GENERATION
_REPEAT_ANSWER = _copying(answers, _OF_A_REPETITION, _STILL_SO)
_REPEAT_DOCUMENTS = _copying(answer_documents, ("answer_id",))


@dataclass(frozen=True)
class AnswerRecord:
    """One row of the log.

    Attributes:
        asked_at: when the question came, with a time zone; UTC when it is read back.
        question, answer: None where only hashes are kept.
        question_sha256, answer_sha256: of the texts in UTF-8. A hash hides a text only from those
            who cannot guess it.
        groups, authenticated, admin: the rights the search ran with.
        filter: the caller's filter in its JSON form, None without one.
        task: the prompt.
        citations, support: as in ``Answer.to_dict``; hashed: ``quote_sha256`` for a quote, title
            and headings, ``sentence_sha256`` for a sentence.
        passages: everything that was read, see ``passages_read``.
        model: the model that answered; empty without an LLM.
        parameters: ``QueryParameters.to_dict()`` as they were used, and ``CACHED_FROM``.
        error: ``Kind: message`` of what ended the answer; hashed: only the kind.
    """

    answer_id: str
    asked_at: datetime
    release_id: int
    question: str | None
    groups: tuple[str, ...] = ()
    authenticated: bool = False
    admin: bool = False
    filter: Any = None
    task: str = ""
    answer: str | None = ""
    abstained: bool = False
    confidence: float | None = None
    citations: list[dict[str, Any]] = field(default_factory=list)
    support: list[dict[str, Any]] = field(default_factory=list)
    passages: list[dict[str, Any]] = field(default_factory=list)
    answerer: str = ""
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    timings_ms: dict[str, float] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    question_sha256: str = ""
    answer_sha256: str = ""

    def __post_init__(self) -> None:
        for name in ("question", "answer"):
            text = getattr(self, name)
            if text is not None and not getattr(self, f"{name}_sha256"):
                object.__setattr__(self, f"{name}_sha256", sha256_text(text))
        object.__setattr__(self, "groups", tuple(sorted(self.groups)))

    @classmethod
    def of(
        cls,
        answer: Answer,
        *,
        question: str,
        caller: Caller,
        passages: Sequence[Passage],
        asked_at: datetime,
        filter: Any = None,
        task: str = "",
        model: str = "",
        parameters: dict[str, Any] | None = None,
        error: str = "",
    ) -> "AnswerRecord":
        """The record of an answer and of what it was made from."""
        values = answer.to_dict()
        kept = ("answer_id", "answer", "abstained", "confidence", "citations", "support")
        return cls(
            asked_at=asked_at,
            release_id=answer.release["id"],
            question=question,
            groups=tuple(caller.groups),
            authenticated=caller.authenticated,
            admin=caller.admin,
            filter=filter,
            task=task,
            passages=passages_read(passages),
            answerer=answer.answerer,
            model=model,
            timings_ms=answer.timings_ms,
            degraded=answer.degraded,
            parameters=parameters or {},
            error=error,
            **asdict(answer.usage),
            **{name: values[name] for name in kept},
        )

    @property
    def documents(self) -> set[str]:
        """The documents that this record names anywhere."""
        named = {item["document_id"] for item in (*self.passages, *self.citations)}
        return named.union(*(item.get("copies", []) for item in self.citations))


def passages_read(passages: Sequence[Passage]) -> list[dict[str, Any]]:
    """What was read, chunk by chunk in reading order: where it stands, not what it says.

    Returns:
        number (of the passage, what a marker points to), chunk_id, document_id, content_sha256,
        char_start, char_end, page, score (of the chunk that was found; None for a neighbour).
    """
    return [
        {
            "number": passage.number,
            "chunk_id": part.chunk_id,
            "document_id": part.document_id,
            "content_sha256": part.content_sha256,
            "char_start": part.char_start,
            "char_end": part.char_end,
            "page": part.page_first,
            "score": passage.hit.score if part.chunk_id == passage.hit.chunk_id else None,
        }
        for passage in passages
        for part in passage.parts
    ]


class AnswerLog:
    """Writes and reads the query log.

    Args:
        engine: the platform database.
        mode: ``query.log``: full, hashed (no texts) or off (nothing is written).
        writer: the same database as it is to be written; see ``Platform.log_database``.
    """

    def __init__(
        self, engine: sa.Engine, mode: LogMode = "full", writer: sa.Engine | None = None
    ) -> None:
        self._engine = engine
        self._writer = writer or engine
        self._mode = mode

    def record(self, record: AnswerRecord) -> None:
        """Write one answer, in one transaction.

        Raises:
            StorageError: it could not be written; nothing else is raised.
        """
        if self._mode == "off":
            return
        record = _hashed(record) if self._mode == "hashed" else record
        named = [
            {"answer_id": record.answer_id, "document_id": name}
            for name in sorted({storable(name) for name in record.documents})
        ]
        with _database_errors("written"), self._writer.begin() as connection:
            # values beside the statement: SQLAlchemy then knows it from the time before
            connection.execute(_INSERT_ANSWER, [_row(record)])
            if named:
                connection.execute(_INSERT_DOCUMENTS, named)

    def repeat(
        self,
        original: str,
        answer_id: str,
        *,
        question: str,
        caller: Caller,
        timings_ms: dict[str, float],
        parameters: dict[str, Any],
        generation: str,
    ) -> bool:
        """Write the entry of an answer that is given again, from that of the answer it repeats.

        That nothing has been asked to be forgotten since is looked at in the same transaction: what
        has an entry may be given.

        Args:
            original: the id of the answer that is repeated.
            answer_id: the id under which it is given now.
            question: as it was asked now.
            caller: who asks now.
            timings_ms: of the repetition.
            parameters: of the original; ``CACHED_FROM`` is added.
            generation: of the requests to forget documents, when the original was made.

        Returns:
            Whether the original still has an entry and no document was asked to be forgotten since;
            else nothing is written.

        Raises:
            StorageError: it could not be written; nothing else is raised.
        """
        values = {
            "answer_id": answer_id,
            "asked_at": datetime.now(UTC),
            "question": question if self._mode == "full" else None,
            "question_sha256": sha256_text(question),
            "groups": sorted(caller.groups),
            "authenticated": caller.authenticated,
            "admin": caller.admin,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "cost_usd": 0.0,
            "timings_ms": timings_ms,
            "parameters": parameters | {CACHED_FROM: original},
        }
        row = {name: storable(value) for name, value in values.items()}
        row |= {"asked_at": values["asked_at"], _ORIGINAL: original, _EXPECTED: generation}
        with _database_errors("written"), self._writer.begin() as connection:
            if not connection.execute(_REPEAT_ANSWER, row).rowcount:
                return False
            connection.execute(_REPEAT_DOCUMENTS, {"answer_id": answer_id, _ORIGINAL: original})
        return True

    def get(self, answer_id: str) -> AnswerRecord | None:
        """One answer by its id."""
        found = self._select(answers.c.answer_id == storable(answer_id))
        return found[0] if found else None

    def between(self, start: datetime, end: datetime) -> list[AnswerRecord]:
        """The answers to what was asked from ``start`` (included) to ``end`` (not), in order."""
        return self._select(answers.c.asked_at >= _utc(start), answers.c.asked_at < _utc(end))

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[AnswerRecord]:
        query = sa.select(answers).where(*conditions)
        with _database_errors("read"), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(answers.c.asked_at, answers.c.answer_id))
            return [_record(row) for row in rows]


def _hashed(record: AnswerRecord) -> AnswerRecord:
    """The record without what was asked, answered or quoted."""
    citations = [
        {
            **{key: item[key] for key in item if key not in ("quote", "title", "heading_path")},
            "quote_sha256": sha256_text(item.get("quote") or ""),
        }
        for item in record.citations
    ]
    support = [
        {
            **{key: item[key] for key in item if key != "sentence"},
            "sentence_sha256": sha256_text(item.get("sentence") or ""),
        }
        for item in record.support
    ]
    kind = record.error.partition(":")[0]
    return replace(
        record,
        question=None,
        answer=None,
        citations=citations,
        support=support,
        # a message may repeat the question; a name cannot
        error=kind if kind.isidentifier() or not kind else "error",
    )


def _row(record: AnswerRecord) -> dict[str, Any]:
    values = {item.name: getattr(record, item.name) for item in fields(record)}
    values["groups"] = list(record.groups)
    stored = {name: storable(value) for name, value in values.items()}
    return {**stored, "asked_at": _utc(record.asked_at)}


def _record(row: sa.Row[Any]) -> AnswerRecord:
    values = dict(row._mapping)
    values["asked_at"] = _utc(values["asked_at"])
    values["groups"] = tuple(values["groups"])
    return AnswerRecord(**values)


def _utc(moment: datetime) -> datetime:
    """The moment in UTC; one without a time zone is UTC (SQLite keeps none)."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@contextmanager
def _database_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StorageError(
            f"The query log cannot be {doing}: {reason}.",
            "Check the platform database; answers go on without the log.",
        ) from error
