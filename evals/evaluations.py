"""The record of every evaluation in the platform database: what was measured of which release, when.

An evaluation is of one release and one question set. Its rows, one a question, lie in the Parquet
table ``<kind>_evaluation/<evaluation_id>``; here is what was made of them.
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import polars as pl
import sqlalchemy as sa

from rag_assets.platform.platform import Platform
from rag_assets.platform.tables import Stamp

Kind = Literal["retrieval", "answer", "replay"]

metadata = sa.MetaData()
evaluations = sa.Table(
    "evaluations",
    metadata,
    sa.Column("evaluation_id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("release_id", sa.Integer, nullable=False),
    sa.Column("baseline_release_id", sa.Integer),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("questions_version", sa.String(64), nullable=False),
    sa.Column("summary", sa.JSON, nullable=False),
    sa.Index("evaluations_by_release", "release_id", "kind"),
)


@dataclass(frozen=True)
class Evaluation:
    """One evaluation.

    Attributes:
        kind: ``retrieval``, ``answer`` or ``replay``.
        dataset: name of the question set.
        release_id: what was evaluated.
        baseline_release_id: the release that was live then and that it was compared with, or None.
        questions_version: hash of the questions that were asked.
        summary: JSON; see ``retrieval_evaluation.summary`` and ``answer_evaluation.summary``.
    """

    kind: Kind
    dataset: str
    release_id: int
    summary: dict[str, Any]
    baseline_release_id: int | None = None
    questions_version: str = ""
    run_id: str = ""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    evaluation_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def table(self) -> str:
        """The asset whose table, partition ``evaluation_id``, has the rows."""
        return "replay" if self.kind == "replay" else f"{self.kind}_evaluation"


class Evaluations:
    """Writes and reads the records; every change is one transaction.

    Args:
        engine: the platform database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(self, found: Sequence[Evaluation]) -> None:
        """Add some evaluations, all or none."""
        if found:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(evaluations), [asdict(item) for item in found])

    def of_release(self, release_id: int, kind: Kind | None = None) -> list[Evaluation]:
        """The newest evaluation of every question set for one release, by dataset."""
        newest: dict[tuple[str, str], Evaluation] = {}
        for item in self.all(kind):
            if item.release_id == release_id:
                newest[item.kind, item.dataset] = item
        return [newest[key] for key in sorted(newest)]

    def all(self, kind: Kind | None = None) -> list[Evaluation]:
        """Every evaluation, oldest first."""
        query = sa.select(evaluations).order_by(
            evaluations.c.created_at, evaluations.c.evaluation_id
        )
        if kind is not None:
            query = query.where(evaluations.c.kind == kind)
        with self._engine.connect() as connection:
            return [_evaluation(row) for row in connection.execute(query)]


def write_rows(
    platform: Platform, evaluation: Evaluation, frame: pl.DataFrame, table: str = ""
) -> int:
    """Store rows of an evaluation, before its record says that there are any.

    Args:
        table: the asset whose table it is; default that of the evaluation's kind.

    Returns:
        the bytes written.
    """
    stamp = Stamp(
        digest=evaluation.evaluation_id,
        upstream=evaluation.questions_version,
        fingerprint="",
        run_id=evaluation.run_id,
        written_at=evaluation.created_at.isoformat(),
        facts={"rows": frame.height, "release": evaluation.release_id},
    )
    return platform.tables.write(table or evaluation.table, evaluation.evaluation_id, frame, stamp)


def _evaluation(row: sa.Row[Any]) -> Evaluation:
    values = dict(row._mapping)
    if values["created_at"].tzinfo is None:  # SQLite keeps no time zone
        values["created_at"] = values["created_at"].replace(tzinfo=UTC)
    return Evaluation(**values)
