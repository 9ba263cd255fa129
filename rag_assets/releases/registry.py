"""The release registry in the platform database.

A release is ``candidate`` until its gates have spoken, then ``live`` or ``rejected``; the release
that was live before becomes ``retired``. At most one release is live; the database enforces it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from rag_assets.platform.errors import NoRelease

# what learned query parameters hold for: the scores they weigh come from these two
LEARNED_FOR = ("chunker", "encoder")

metadata = sa.MetaData()
releases = sa.Table(
    "releases",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("promoted_at", sa.DateTime(timezone=True)),
    sa.Column("retired_at", sa.DateTime(timezone=True)),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("table_name", sa.String(128), nullable=False),
    sa.Column("lance_version", sa.Integer, nullable=False),
    sa.Column("fingerprints", sa.JSON, nullable=False),
    sa.Column("partitions", sa.JSON, nullable=False),
    sa.Column("documents", sa.Integer, nullable=False),
    sa.Column("chunks", sa.Integer, nullable=False),
    sa.Column("manifest_sha256", sa.String(64), nullable=False),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False, server_default=""),
    sa.Column("parameters", sa.JSON(none_as_null=True)),
)


@dataclass(frozen=True)
class Release:
    """One row of the registry.

    Attributes:
        id: counts up from 1.
        status: candidate, live, retired or rejected.
        reason: why it was rejected or retired.
        table_name, lance_version: where its rows are; also tagged ``release-<id>`` in Lance.
        fingerprints: of parser, chunker and encoder.
        partitions: digest of every shard's part of the index.
        documents, chunks: how many are in the index.
        manifest_sha256: the same for the same documents and configuration on every machine.
        metrics: gate → verdict, passed, explanation and its numbers.
        run_id: the Dagster run that made it.
        parameters: how it is searched, as learned from golden questions (``QueryParameters``); None
            where nothing was learned.
    """

    id: int
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None
    status: str
    reason: str
    table_name: str
    lance_version: int
    fingerprints: dict[str, str]
    partitions: dict[str, str]
    documents: int
    chunks: int
    manifest_sha256: str
    metrics: dict[str, Any]
    run_id: str
    parameters: dict[str, Any] | None = None

    @property
    def tag(self) -> str:
        """The Lance tag of the release."""
        return f"release-{self.id}"


@dataclass(frozen=True)
class Candidate:
    """What is about to be released.

    Attributes:
        release: the candidate; the live release where nothing has changed since.
        live: the release that readers use now, if there is one.
    """

    release: Release
    live: Release | None

    @property
    def unchanged(self) -> bool:
        """Whether the live release already is what the tables say."""
        return self.release.status == "live"


class Registry:
    """Reads and writes the registry; every change is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def live(self) -> Release | None:
        """The release that readers use now, if there is one."""
        return self._first(releases.c.status == "live")

    def get(self, release_id: int) -> Release | None:
        """One release by its id."""
        return self._first(releases.c.id == release_id)

    def candidate(self) -> Release | None:
        """The newest release whose gates have not spoken yet."""
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(releases)
                .where(releases.c.status == "candidate")
                .order_by(releases.c.id.desc())
            ).first()
        return _release(row) if row else None

    def all(self) -> list[Release]:
        """Every release, newest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(releases).order_by(releases.c.id.desc()))
            return [_release(row) for row in rows]

    def _first(self, condition: sa.ColumnElement[bool]) -> Release | None:
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(releases).where(condition)).first()
        return _release(row) if row else None

    def add_candidate(
        self,
        *,
        table_name: str,
        lance_version: int,
        fingerprints: dict[str, str],
        partitions: dict[str, str],
        documents: int,
        chunks: int,
        manifest_sha256: str,
        run_id: str,
    ) -> Release:
        """Record a candidate; one that an earlier crash left behind is rejected first."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(releases)
                .where(releases.c.status == "candidate")
                .values(status="rejected", reason="abandoned: its run ended before its gates")
            )
            inserted = connection.execute(
                sa.insert(releases).values(
                    created_at=datetime.now(UTC),
                    status="candidate",
                    reason="",
                    table_name=table_name,
                    lance_version=lance_version,
                    fingerprints=fingerprints,
                    partitions=partitions,
                    documents=documents,
                    chunks=chunks,
                    manifest_sha256=manifest_sha256,
                    metrics={},
                    run_id=run_id,
                )
            )
            key = inserted.inserted_primary_key
            assert key is not None
        release = self.get(int(key[0]))
        assert release is not None
        return release

    def promote(self, release_id: int, metrics: dict[str, Any]) -> Release:
        """Make a candidate live and retire the release before it, in one transaction.

        A candidate without parameters of its own takes over those of the release before it, when
        both have the same chunker and encoder: fusion weights and abstention thresholds are about
        the scores that these two give, and mean nothing for others.
        """
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            # a write first: it takes the lock, so that what is read next stays true
            connection.execute(
                sa.update(releases).where(releases.c.id == release_id).values(metrics=metrics)
            )
            others = releases.c.id != release_id
            before = connection.execute(
                sa.select(releases).where(releases.c.status == "live", others)
            ).first()
            candidate = connection.execute(
                sa.select(releases).where(releases.c.id == release_id)
            ).first()
            connection.execute(
                sa.update(releases)
                .where(releases.c.status == "live", others)
                .values(
                    status="retired", retired_at=now, reason=f"replaced by release {release_id}"
                )
            )
            connection.execute(
                sa.update(releases)
                .where(releases.c.id == release_id)
                .values(
                    status="live",
                    promoted_at=now,
                    retired_at=None,
                    reason="",
                    parameters=_parameters(candidate, before),
                )
            )
        release = self.get(release_id)
        assert release is not None
        return release

    def set_parameters(self, release_id: int, parameters: dict[str, Any]) -> Release:
        """Record what was learned for a release; it replaces what was there.

        Args:
            release_id: of a candidate or any other release.
            parameters: ``QueryParameters.to_dict()``.

        Raises:
            NoRelease: there is no such release.
        """
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(releases).where(releases.c.id == release_id).values(parameters=parameters)
            )
        release = self.get(release_id)
        if release is None:
            raise NoRelease(f"There is no release {release_id}.", "See 'ragline releases list'.")
        return release

    def reject(self, release_id: int, reason: str, metrics: dict[str, Any]) -> None:
        """Record why a candidate was not promoted."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(releases)
                .where(releases.c.id == release_id)
                .values(status="rejected", reason=reason, metrics=metrics)
            )


def _parameters(candidate: sa.Row[Any] | None, before: sa.Row[Any] | None) -> dict[str, Any] | None:
    """The parameters a promoted candidate has: its own, else those of before that still hold."""
    if candidate is None or before is None or candidate.parameters is not None:
        return candidate.parameters if candidate else None
    old, new = before.fingerprints, candidate.fingerprints
    same = all(name in new and new[name] == old.get(name) for name in LEARNED_FOR)
    return before.parameters if same else None


def _release(row: sa.Row[Any]) -> Release:
    values = dict(row._mapping)
    for name in ("created_at", "promoted_at", "retired_at"):
        moment = values[name]
        if moment is not None and moment.tzinfo is None:  # SQLite keeps no time zone
            values[name] = moment.replace(tzinfo=UTC)
    return Release(**values)
