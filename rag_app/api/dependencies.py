"""What routes depend on: the services of the process, and who is calling."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from rag_app.access.principal import READ, Principal
from rag_app.service.admission import Visitor, Wanted, admit
from rag_app.service.services import Services

from .request_ids import add_headers, request_id_of

__all__ = [
    "Reader", "RequestId", "Services", "ServicesDep", "admitted_first", "principal", "require",
    "services", "services_of",
]  # fmt: skip

ADMITTED = "admitted"

BEARER = "An API key ('ragline keys create'), or a JWT of the identity provider."


def services_of(request: Request) -> Services:
    """The services of this process; every dependency more takes its time, so hot routes call this."""
    found: Services = request.app.state.services
    return found


async def services(request: Request) -> Services:
    """``services_of``, as a dependency."""
    return services_of(request)


ServicesDep = Annotated[Services, Depends(services)]


async def request_id(request: Request) -> str:
    """The id of the request."""
    return request_id_of(request.scope)


RequestId = Annotated[str, Depends(request_id)]


class Requirement(HTTPBearer):
    """A dependency: the caller, if they have a scope and are within their limits.

    It is the security scheme of the OpenAPI document itself: a dependency of its own for that would
    be looked into with every request.
    """

    def __init__(self, scope: str, action: str, cost: int, *, question: bool) -> None:
        super().__init__(auto_error=False, scheme_name="bearer", description=BEARER)
        self._wanted = Wanted(scope, action or scope, "", question, cost)

    async def __call__(self, request: Request) -> Principal:  # type: ignore[override]
        """Let the request in, or raise; see ``service.admission``."""
        before: Principal | None = getattr(request.state, ADMITTED, None)
        if before is not None:
            return before
        services = services_of(request)
        visitor = Visitor(
            authorization=request.headers.get("authorization"),
            client=request.client.host if request.client else "",
            request_id=request_id_of(request.scope),
            path=lambda: request.url.path,
        )
        if services.admits_at_once:
            admitted = admit(services, visitor, self._wanted)
        else:
            admitted = await run_in_threadpool(admit, services, visitor, self._wanted)
        add_headers(request.scope, admitted.headers)
        request.state.principal = admitted.principal
        return admitted.principal


def require(scope: str, action: str = "", *, cost: int = 1, question: bool = False) -> Requirement:
    """What a route requires of its caller.

    Args:
        scope: that is needed.
        action: as the audit log names what is about to be done; default the scope.
        cost: of the request, against the caller's limits; 0 for what is not counted.
        question: whether it is a question, of which a caller may have so many a day.
    """
    return Requirement(scope, action, cost, question=question)


def admitted_first(allowed: Requirement) -> type[APIRoute]:
    """A kind of route that reads a body only of callers who may send it.

    A body is read before a route's dependencies are asked, which is as it should be for small ones.

    Args:
        allowed: the dependency of the route that says who may; from ``require``.
    """

    class AdmittedFirst(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def admitted(request: Request) -> Response:
                setattr(request.state, ADMITTED, await allowed(request))
                return await handle(request)

            return admitted

    return AdmittedFirst


principal = require(READ, cost=0)
Reader = Annotated[Principal, Depends(require(READ))]
