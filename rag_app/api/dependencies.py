"""What routes depend on: the services of the process, and who is calling."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from rag_app.access.principal import READ, Principal
from rag_app.service.services import Services

__all__ = ["Reader", "RequestId", "Services", "ServicesDep", "principal", "require", "services"]

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="An API key ('ragline keys create'), or a JWT of the identity provider.",
)


async def services(request: Request) -> Services:
    """The services of this process."""
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(services)]


async def request_id(request: Request) -> str:
    """The id of the request."""
    return str(request.state.request_id)


RequestId = Annotated[str, Depends(request_id)]


def principal(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
) -> Principal:
    """Who calls.

    Raises:
        Unauthorized: credentials are missing or do not hold.
    """
    found = services.authenticator.principal(request.headers.get("authorization"))
    request.state.principal = found
    return found


def require(scope: str, cost: int = 1) -> Callable[..., Principal]:
    """A dependency: the caller, if they have a scope and are within their limits.

    Args:
        scope: that is needed.
        cost: of the request, against the caller's limits; 0 for what is not counted.
    """

    def allowed(
        services: ServicesDep, caller: Annotated[Principal, Depends(principal)]
    ) -> Principal:
        caller.require(scope)
        if cost:
            services.limits.check(caller, cost)
        return caller

    return allowed


Reader = Annotated[Principal, Depends(require(READ))]
