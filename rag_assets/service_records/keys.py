"""API keys in the platform database: made, listed, revoked, looked up. No secret is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from rag_assets.platform.errors import StorageError

from .tables import api_keys


@dataclass(frozen=True)
class ApiKey:
    """One key.

    Attributes:
        key_id: names it; no secret.
        name: what it is for.
        key_sha256: of its secret.
        groups: whose documents it may read.
        scopes: what it may do.
        created_at, expires_at, revoked_at, last_used_at: UTC; None where that never is or was.
    """

    key_id: str
    name: str
    key_sha256: str
    groups: tuple[str, ...]
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """``active``, ``revoked`` or ``expired``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class ApiKeys:
    """Reads and writes the keys.

    Args:
        engine: the platform database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, key: ApiKey) -> None:
        """Store a new key.

        Raises:
            StorageError: it could not be stored.
        """
        values = {name: getattr(key, name) for name in api_keys.c.keys()}  # noqa: SIM118
        values |= {"groups": list(key.groups), "scopes": list(key.scopes)}
        self._run(sa.insert(api_keys).values(**values), "written")

    def get(self, key_id: str) -> ApiKey | None:
        """One key by its id.

        Raises:
            StorageError: the database cannot be read.
        """
        found = self._read(sa.select(api_keys).where(api_keys.c.key_id == key_id))
        return found[0] if found else None

    def all(self) -> list[ApiKey]:
        """Every key, newest first."""
        order = (api_keys.c.created_at.desc(), api_keys.c.key_id)
        return self._read(sa.select(api_keys).order_by(*order))

    def named(self, text: str) -> list[ApiKey]:
        """The keys that a person means by an id or a name."""
        either = (api_keys.c.key_id == text) | (api_keys.c.name == text)
        return self._read(sa.select(api_keys).where(either))

    def revoke(self, key_id: str) -> bool:
        """End a key for ever; whether it was not revoked before."""
        query = (
            sa.update(api_keys)
            .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=datetime.now(UTC))
        )
        return self._run(query, "written") > 0

    def used(self, key_id: str, at: datetime) -> None:
        """Note when a key was used last."""
        query = sa.update(api_keys).where(api_keys.c.key_id == key_id).values(last_used_at=at)
        self._run(query, "written")

    def _run(self, query: sa.Insert | sa.Update, doing: str) -> int:
        try:
            with self._engine.begin() as connection:
                return connection.execute(query).rowcount
        except SQLAlchemyError as error:
            raise _unusable(doing, error) from error

    def _read(self, query: sa.Select[Any]) -> list[ApiKey]:
        try:
            with self._engine.connect() as connection:
                return [_key(row) for row in connection.execute(query)]
        except SQLAlchemyError as error:
            raise _unusable("read", error) from error


def _key(row: sa.Row[Any]) -> ApiKey:
    values = dict(row._mapping)
    for name in ("created_at", "expires_at", "revoked_at", "last_used_at"):
        moment = values[name]
        if moment is not None:  # SQLite keeps no time zone
            values[name] = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    names: Sequence[str] = ("groups", "scopes")
    return ApiKey(**{**values, **{name: tuple(values[name]) for name in names}})


def _unusable(doing: str, error: SQLAlchemyError) -> StorageError:
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    return StorageError(
        f"The API keys cannot be {doing}: {reason}.", "Check the platform database."
    )
