"""Who asks, and the condition that keeps everything else out of the search itself."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from rag_assets.vector_index.schema import NO_ACL
from rag_assets.vector_index.sql import quoted

PUBLIC = "public"
MAX_GROUPS = 200


@dataclass(frozen=True)
class Caller:
    """The rights a query runs with.

    Attributes:
        groups: the caller's groups; everyone is in ``public`` besides.
        admin: sees everything.
        authenticated: whether authentication is on; when it is, a document without an ACL is
            readable by admins only, otherwise by everyone.
    """

    groups: frozenset[str] = frozenset()
    admin: bool = False
    authenticated: bool = False

    @classmethod
    def of(cls, groups: Iterable[str], *, authenticated: bool = False) -> "Caller":
        """A caller who is in these groups."""
        names = frozenset(name.strip() for name in groups if name.strip())
        return cls(groups=names, authenticated=authenticated)


def acl_condition(caller: Caller) -> str | None:
    """The SQL prefilter that a caller's searches carry; ``None`` only for an admin.

    The condition is part of the retrieval query: what it excludes is never scored, counted,
    expanded or cached.
    """
    if caller.admin:
        return None
    groups = _groups(caller)
    if not caller.authenticated:
        groups.append(NO_ACL)
    listed = ", ".join(quoted(name) for name in groups)
    return f"array_has_any(readers, [{listed}])"


def readable(caller: Caller) -> pl.Expr:
    """The same rule for tables at rest: whether the caller may read a row with column ``acl``."""
    if caller.admin:
        return pl.lit(True)
    groups = pl.Series(_groups(caller), dtype=pl.String).implode()
    allowed = pl.col("acl").list.set_intersection(groups).list.len() > 0
    if not caller.authenticated:
        allowed = allowed | pl.col("acl").is_null() | (pl.col("acl").list.len() == 0)
    return allowed.fill_null(False)


def _groups(caller: Caller) -> list[str]:
    return sorted({PUBLIC, *caller.groups} - {NO_ACL})[:MAX_GROUPS]
