"""Who gets in: identified, allowed, within their limits; refusals are recorded."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rag_app.access.errors import Forbidden, TooManyRequests, Unauthorized
from rag_app.access.principal import ANONYMOUS, Principal

from .services import Services


@dataclass(frozen=True)
class Wanted:
    """What a request is about to do.

    Attributes:
        scope: that it needs.
        action: as the audit log names it.
        target: on what: the id in the request; "": see ``Visitor.path``.
        question: whether it counts against the questions of a day.
        cost: against the rate limit; 0 is not counted.
    """

    scope: str
    action: str
    target: str = ""
    question: bool = False
    cost: int = 1


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from.

    Attributes:
        authorization: the header, None without one.
        client: the address.
        request_id: of the request.
        path: gives the path of the request; asked only when it is recorded.
    """

    authorization: str | None = None
    client: str = ""
    request_id: str = ""
    path: Callable[[], str] = str


@dataclass(frozen=True)
class Admitted:
    """A principal who may go on, and the headers that tell what is left of their limits."""

    principal: Principal
    headers: dict[str, str] = field(default_factory=dict)


def admit(services: Services, visitor: Visitor, wanted: Wanted) -> Admitted:
    """Let a request in. Blocks, but where ``services.admits_at_once``: call it in a thread.

    Raises:
        Unauthorized: credentials are missing or do not hold.
        IdentityUnavailable: they cannot be checked now.
        Forbidden: the principal lacks the scope.
        TooManyRequests: a limit is used up.
    """
    principal: Principal | None = None
    try:
        principal = services.authenticator.principal(visitor.authorization)
        principal.require(wanted.scope)
        headers: dict[str, str] = {}
        if wanted.cost:
            limits, client = services.limits, visitor.client
            headers = limits.check(principal, wanted.cost, client=client).headers
            if wanted.question:
                limits.check_quota(principal, client=client)
    except (Unauthorized, Forbidden, TooManyRequests):
        services.audit.record(
            principal or ANONYMOUS,
            wanted.action,
            wanted.target or visitor.path(),
            "denied",
            request_id=visitor.request_id,
        )
        raise
    return Admitted(principal, headers)


def require_also(services: Services, principal: Principal, wanted: Wanted, request_id: str) -> None:
    """A further scope that only shows once the request is read.

    Raises:
        Forbidden: the principal lacks it.
    """
    try:
        principal.require(wanted.scope)
    except Forbidden:
        services.audit.record(
            principal, wanted.action, wanted.target, "denied", request_id=request_id
        )
        raise
