"""Errors on the wire: RFC 9457 problem documents, and OpenAI's shape on the routes that speak it.

A problem says what happened and what to do next, with the id of the request, and nothing of what is
inside: an error that is nobody's to correct says only that it happened.
"""

import http
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from rag_app.access.errors import Refused
from rag_app.service.errors import NotFound
from rag_app.service.told import (
    INTERNAL_HINT,
    INTERNAL_WORDS,
    as_known,
    is_told,
    status_of,
    words_of,
)
from rag_app.service.workers import whole_seconds
from rag_assets.platform.errors import RaglineError, StorageError

from .request_ids import request_id_of
from .streaming import ClientGone

__all__ = ["NotFound", "install", "openai_error", "problem_of", "refuse", "respond"]

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:ragline:problem:"
OPENAI_ROUTES = ("/v1/chat/", "/v1/models")
RETRY_SECONDS = 5.0
OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CLIENT_GONE = 499  # nobody reads it; it is what access logs show by convention


def install(app: FastAPI) -> None:
    """Let every error of an application leave as a problem document."""
    app.add_exception_handler(RaglineError, _on_known)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(ClientGone, _on_gone)
    for kind in (SQLAlchemyError, OSError):
        app.add_exception_handler(kind, _on_library)
    app.add_exception_handler(Exception, _on_unknown)


def problem_of(error: Exception, request_id: str) -> dict[str, Any]:
    """The problem document of an error; what is not told is logged."""
    status = status_of(error)
    if status == 500:
        logger.error("Request %s failed", request_id, exc_info=error)
        return document(
            "internal-error",
            "Internal error",
            500,
            INTERNAL_WORDS,
            request_id,
            hint=INTERNAL_HINT,
        )
    name = type(error).__name__
    if not is_told(error):
        logger.error("Request %s: %s: %s", request_id, name, error)
    detail, hint = words_of(error)
    return document(_kebab(name), _words(name), status, detail, request_id, hint=hint)


def headers_of(error: Exception) -> dict[str, str]:
    """Response headers that belong to an error."""
    headers = dict(error.headers) if isinstance(error, Refused) else {}
    if status_of(error) == 503 and "Retry-After" not in headers:
        headers["Retry-After"] = whole_seconds(getattr(error, "retry_after", RETRY_SECONDS))
    return headers


def respond(
    request: Request, found: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A response with a problem, in the shape that the route speaks."""
    status, path = int(found["status"]), request.url.path
    if path.startswith(OPENAI_ROUTES):
        # clients of OpenAI know 400 for what does not fit
        return JSONResponse(openai_error(found), 400 if status == 422 else status, headers)
    return JSONResponse({**found, "instance": path}, status, headers, media_type=MEDIA_TYPE)


def openai_error(found: Mapping[str, Any]) -> dict[str, Any]:
    """A problem in the shape that clients of OpenAI know."""
    status = int(found["status"])
    kind = OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    invalid = found.get("errors") or [{}]
    words = [found.get("detail", found["title"]), found.get("hint", "")]
    return {
        "error": {
            "message": " ".join(word for word in words if word),
            "type": kind,
            "param": invalid[0].get("field"),
            "code": str(found["type"]).removeprefix(TYPE_PREFIX).replace("-", "_"),
            "request_id": found["request_id"],
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


async def refuse(scope: Scope, receive: Receive, send: Send, error: Refused) -> None:
    """Send the problem of a request that does not get as far as a route."""
    request = Request(scope)
    found = problem_of(error, request_id_of(scope))
    await respond(request, found, headers_of(error))(scope, receive, send)


async def _on_known(request: Request, error: Exception) -> JSONResponse:
    if type(error) is StorageError and isinstance(error.__cause__, Exception):
        # whoever could not read or write need not know that the disk is full or the database away
        known = as_known(error.__cause__, request.app.state.services.platform.state_path)
        if isinstance(known, RaglineError):
            logger.error("Request %s: %s", request_id_of(request.scope), error)
            error = known
    return respond(request, problem_of(error, request_id_of(request.scope)), headers_of(error))


async def _on_library(request: Request, error: Exception) -> JSONResponse:
    """A full disk or a database that is away shows as an error of a library."""
    known = as_known(error, request.app.state.services.platform.state_path)
    if known is error:
        raise error
    logger.error("Request %s: %s", request_id_of(request.scope), error)
    return await _on_known(request, known)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status, path = error.status_code, request.url.path
    phrase = http.HTTPStatus(status).phrase
    told = error.detail if error.detail != phrase else ""
    if status == 404:
        told = told or f"There is nothing at {path}."
    if status == 405:
        told = f"{path} does not take {request.method}."
    kind = phrase.lower().replace(" ", "-")
    found = document(kind, phrase, status, told, request_id_of(request.scope))
    return respond(request, found, error.headers)


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
        request_id_of(request.scope),
        hint="See /openapi.json for the form that is expected.",
        errors=invalid,
    )
    return respond(request, found)


async def _on_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _on_unknown(request: Request, error: Exception) -> JSONResponse:
    return respond(request, problem_of(error, request_id_of(request.scope)))


def _words(name: str) -> str:
    return _kebab(name).replace("-", " ").capitalize()


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]
