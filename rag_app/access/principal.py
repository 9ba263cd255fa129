"""Who a request comes from, and what it may do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rag_assets.platform.errors import ConfigurationError
from rag_assets.query.access import Caller

from .errors import Forbidden

READ, FEEDBACK, UPLOAD = "read", "feedback", "upload"
RELEASES, FORGET, ADMIN = "releases", "forget", "admin"
SCOPES = (READ, FEEDBACK, UPLOAD, RELEASES, FORGET, ADMIN)
ANONYMOUS = "anonymous"

Kind = Literal["anonymous", "key", "token"]


@dataclass(frozen=True)
class Principal:
    """Somebody who uses the service.

    Attributes:
        name: as the audit log and the limits know them: ``key:<id>``, ``user:<subject>`` or
            ``anonymous``.
        caller: the rights that searches run with.
        scopes: what they may do; ``admin`` stands for all.
        kind: how they were identified.
    """

    name: str
    caller: Caller
    scopes: frozenset[str]
    kind: Kind = "anonymous"

    def allows(self, scope: str) -> bool:
        """Whether they may do what needs a scope."""
        return ADMIN in self.scopes or scope in self.scopes

    def require(self, scope: str) -> None:
        """Go on only when they may.

        Raises:
            Forbidden: they may not.
        """
        if not self.allows(scope):
            raise Forbidden(scope)


def known_scopes(names: Iterable[str]) -> frozenset[str]:
    """Scopes by their names.

    Raises:
        ConfigurationError: one of them does not exist.
    """
    wanted = frozenset(name.strip() for name in names if name.strip())
    unknown = sorted(wanted - set(SCOPES))
    if unknown:
        raise ConfigurationError(
            f"There is no scope '{unknown[0]}'.", f"Scopes are {', '.join(SCOPES)}."
        )
    return wanted
