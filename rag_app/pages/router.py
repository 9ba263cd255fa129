"""``/``, ``/static/*``, ``/page/reader`` and ``/evals``."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from rag_app.access.principal import RELEASES
from rag_app.service.services import Services

from .dashboard import COOKIE, SESSION_SECONDS, dashboard_file, may_see
from .reader import reader_of

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).with_name("static")
FILES = StaticFiles(directory=STATIC)
# what every page forbids: scripts and styles of its own writing, other places, frames, forms
CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"{CLOSED}; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
DASHBOARD_POLICY = f"{CLOSED}; script-src 'self'; style-src 'self'; img-src 'self' data:"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # asked again at every load, and not sent again when it is the same
    "Cache-Control": "no-cache",
}


def under(policy: str, response: Response, **headers: str) -> Response:
    """The response with a content security policy and the headers of every page."""
    response.headers.update({**HEADERS, "Content-Security-Policy": policy, **headers})
    return response


def services_of(request: Request) -> Services:
    """The services of this process."""
    found: Services = request.app.state.services
    return found


async def static(name: str, request: Request, policy: str = PAGE_POLICY) -> Response:
    """A file of the pages."""
    return under(policy, await FILES.get_response(name, request.scope))


@router.get("/")
async def chat(request: Request) -> Response:
    """The chat page."""
    return await static("index.html", request)


@router.get("/static/{name}")
async def static_file(name: str, request: Request) -> Response:
    """A style, a module or a picture of the pages."""
    return await static(name, request)


@router.get("/page/reader")
async def reader(request: Request) -> dict[str, Any]:
    """What the one who has opened the page may do; nothing about others."""
    services, authorization = services_of(request), request.headers.get("authorization")
    return await services.workers.run(reader_of, services, authorization)


@router.get("/evals")
async def evals() -> Response:
    """The dashboard names its parts relative to its own address."""
    return RedirectResponse("evals/", status_code=308)


@router.post("/evals/session", status_code=204)
async def open_session(request: Request) -> Response:
    """Let a browser that has a key open the dashboard.

    A browser sends no ``Authorization`` header when it loads a page: the key comes along in a cookie
    that no script can read and that is sent to the dashboard alone.
    """
    services, authorization = services_of(request), request.headers.get("authorization")
    principal = await services.workers.run(services.authenticator.principal, authorization)
    principal.require(RELEASES)
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE,
        (authorization or "").partition(" ")[2].strip(),
        max_age=SESSION_SECONDS,
        path="/evals",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.get("/evals/{name}")
@router.get("/evals/")
async def dashboard(request: Request, name: str = "index.html") -> Response:
    """A file of the dashboard, for those who may decide about releases."""
    services, key = services_of(request), request.cookies.get(COOKIE, "")
    if not await services.workers.run(may_see, services, key):
        return await static("evals-key.html", request)
    folder = services.platform.state_path / "dashboard"
    found = await services.workers.run(dashboard_file, folder, name)
    if found is None:
        page = await static("evals-none.html", request)
        page.status_code = 404
        return page
    headers = {"Cache-Control": "private, no-cache"}
    return under(DASHBOARD_POLICY, Response(found.content, media_type=found.media_type), **headers)
