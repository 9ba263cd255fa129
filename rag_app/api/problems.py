"""Errors on the wire: RFC 9457 problem documents, and OpenAI's shape on the routes that speak it.

A problem says what happened and what to do next, with the id of the request, and nothing of what is
inside: an error that is nobody's to correct says only that it happened.
"""

import http
import logging
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rag_app.access.errors import Refused
from rag_app.service.workers import Busy, whole_seconds
from rag_assets.platform import errors
from rag_assets.platform.errors import RaglineError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:ragline:problem:"
OPENAI_ROUTES = ("/v1/chat/", "/v1/models")
RETRY_SECONDS = 5.0
INTERNAL = "internal-error"

# the most specific class comes first
STATUS: tuple[tuple[type[RaglineError], int], ...] = (
    (errors.InvalidQuestion, 422),
    (errors.NoRelease, 404),
    (errors.ReleaseConflict, 409),
    (errors.AlreadyRunning, 409),
    (errors.StorageFull, 507),
    (errors.SourceUnavailable, 503),
    (errors.SourceChanged, 503),
    (errors.StorageError, 503),
    (errors.EncoderError, 503),
    (errors.IndexUnavailable, 503),
)
# what a caller may be told in the words of the error itself; others may name paths and addresses
TOLD = (
    errors.InvalidQuestion,
    errors.NoRelease,
    errors.ReleaseConflict,
    errors.AlreadyRunning,
    Refused,
    Busy,
)
OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}


class NotFound(RaglineError):
    """There is no such thing, or nothing of it for this caller; which of the two is not told."""


def install(app: FastAPI) -> None:
    """Let every error of an application leave as a problem document."""
    app.add_exception_handler(RaglineError, _on_known)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_unknown)


def problem_of(error: Exception, request_id: str) -> dict[str, Any]:
    """The problem document of an error, for those that come after a response has begun."""
    if isinstance(error, RaglineError):
        return _known(error, request_id)[1]
    logger.error("Request %s failed", request_id, exc_info=error)
    return _internal(request_id)


def status_of(error: RaglineError) -> int:
    """The HTTP status that says what an error of the platform means."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, Busy):
        return 503
    if isinstance(error, NotFound):
        return 404
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def respond(
    request: Request,
    status: int,
    document: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A response with a problem, in the shape that the route speaks."""
    if request.url.path.startswith(OPENAI_ROUTES):
        return JSONResponse(openai_error(document), status, headers)
    document = {**document, "instance": request.url.path}
    return JSONResponse(document, status, headers, media_type=MEDIA_TYPE)


def openai_error(document: Mapping[str, Any]) -> dict[str, Any]:
    """A problem in the shape that clients of OpenAI know."""
    status = int(document["status"])
    kind = OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    invalid = document.get("errors") or [{}]
    words = [document.get("detail", document["title"]), document.get("hint", "")]
    return {
        "error": {
            "message": " ".join(word for word in words if word),
            "type": kind,
            "param": invalid[0].get("field"),
            "code": str(document["type"]).removeprefix(TYPE_PREFIX),
            "request_id": document["request_id"],
        }
    }


def document(
    kind: str, title: str, status: int, detail: str, request_id: str, **more: Any
) -> dict[str, Any]:
    """The members of a problem; empty ones are left out."""
    members = {"detail": detail, **more}
    return {
        "type": TYPE_PREFIX + kind,
        "title": title,
        "status": status,
        **{name: value for name, value in members.items() if value},
        "request_id": request_id,
    }


def request_id_of(request: Request) -> str:
    """The id of a request, as its response and the logs name it."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def _known(error: RaglineError, request_id: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    status = status_of(error)
    name = type(error).__name__
    if status == 500:
        logger.error("Request %s failed", request_id, exc_info=error)
        return status, _internal(request_id), {}
    headers = dict(error.headers) if isinstance(error, Refused) else {}
    if status == 503 and "Retry-After" not in headers:
        headers["Retry-After"] = whole_seconds(getattr(error, "retry_after", RETRY_SECONDS))
    if isinstance(error, (*TOLD, NotFound)):
        detail, hint = error.message, error.hint
    else:
        logger.error("Request %s: %s: %s", request_id, name, error)
        detail, hint = _untold(error), "The operator finds the reason in the logs."
    found = document(_kebab(name), _words(name), status, detail, request_id, hint=hint)
    return status, found, headers


def _untold(error: RaglineError) -> str:
    """What is said where the error's own words may speak of what is inside: what its kind means."""
    return str(type(error).__doc__ or "").partition("\n")[0]


def _internal(request_id: str) -> dict[str, Any]:
    return document(
        INTERNAL,
        "Internal error",
        500,
        "Something went wrong that is not the request's fault.",
        request_id,
        hint="Tell the operator the id of the request: the reason is in the logs.",
    )


async def _on_known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RaglineError)
    status, found, headers = _known(error, request_id_of(request))
    return respond(request, status, found, headers)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = http.HTTPStatus(error.status_code).phrase
    details: dict[int, Callable[[], str]] = {
        404: lambda: f"There is nothing at {request.url.path}.",
        405: lambda: f"{request.url.path} does not take {request.method}.",
    }
    told = error.detail if error.detail != phrase else ""
    detail = details.get(error.status_code, lambda: told)() or told
    kind = phrase.lower().replace(" ", "-")
    found = document(kind, phrase, error.status_code, detail, request_id_of(request))
    return respond(request, error.status_code, found, error.headers)


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    """What in a request does not fit its schema: where, and why; never the value itself."""
    assert isinstance(error, RequestValidationError)
    invalid = [
        {
            "field": ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]),
            "in": str(item["loc"][0]),
            "message": item["msg"],
        }
        for item in error.errors()
    ]
    said = "; ".join(f"{item['field']}: {item['message']}" for item in invalid[:3])
    found = document(
        "invalid-request",
        "Invalid request",
        422,
        f"The request does not fit what is expected: {said}.",
        request_id_of(request),
        hint="See /docs for the form that is expected.",
        errors=invalid,
    )
    return respond(request, 422, found)


async def _on_unknown(request: Request, error: Exception) -> JSONResponse:
    """The traceback is logged by the server, which sees the error too."""
    return respond(request, 500, _internal(request_id_of(request)))


def _words(name: str) -> str:
    return _kebab(name).replace("-", " ").capitalize()


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]
