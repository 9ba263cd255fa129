"""What went wrong with an LLM server, in our own errors: pure functions from errors to errors."""

import email.utils
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .base import AnswererError, AnswererRefused, AnswererUnavailable

if TYPE_CHECKING:
    import openai

MESSAGE_CHARS = 300
PASSING_STATUS = (408, 429, 502, 503, 504)
KIND_OF_STATUS = {401: "bad_key", 403: "bad_key", 404: "unknown_model", 413: "prompt_too_long"}
TOO_LONG = re.compile(
    r"context[ _](length|window|size)|maximum (model|input|prompt) length|max_model_len"
    r"|(prompt|input|request) (is|was) too (long|large)|too many (input )?tokens"
    r"|exceeds? the (available )?context",
    re.IGNORECASE,
)
HINTS = {
    "unreachable": "Check that the server runs and that llm.base_url is right.",
    "timeout": "Check the server's load, or raise llm.timeout_seconds or llm.total_seconds.",
    "overloaded": "Try again later, or give the server more capacity.",
    "server_error": "Look into the log of the LLM server.",
    "broken_off": "Ask again; look into the log of the LLM server if it goes on.",
    "invalid_response": "Check that llm.base_url is an OpenAI-compatible API (it usually ends in /v1).",
    "unknown_model": "Check llm.model and llm.base_url (it usually ends in /v1).",
    "bad_key": "Set llm.api_key (the variable RAG_LLM__API_KEY) to a key with access.",
    "prompt_too_long": "Lower query.context_tokens, or set llm.context_window to what the model can read.",
    "refused": "Check llm.model, llm.temperature and llm.structured against what the server supports.",
}
REFUSALS = ("unknown_model", "bad_key", "prompt_too_long", "refused")


@dataclass(frozen=True)
class Server:
    """Who is spoken of: ``url`` without a password, and the key that no message may repeat."""

    url: str
    key: str = ""

    def clean(self, text: str) -> str:
        """The server's own words on one line, shortened, without the key should it repeat it."""
        text = text.replace(self.key, "***") if self.key else text
        return " ".join(text.split())[:MESSAGE_CHARS]


class AttemptFailed(Exception):
    """One attempt failed; ``passing`` says whether another one may succeed."""

    def __init__(
        self, error: AnswererError, *, passing: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.passing = passing
        self.retry_after = retry_after


def make_error(kind: str, server: Server, what: str) -> AnswererError:
    """The error of a kind: ``what`` continues the sentence "The LLM server <url> …"."""
    make = AnswererRefused if kind in REFUSALS else AnswererUnavailable
    return make(f"The LLM server {server.url} {what}.", HINTS[kind], kind=kind)


def explain(error: Exception, server: Server) -> AttemptFailed:
    """Tell what an error of the openai client, of its HTTP library or of the JSON in it means.

    Args:
        error: what was raised while a request was made or its answer read.
        server: who was asked.

    Returns:
        The failure; unknown errors of the client count as invalid answers.
    """
    import httpx2
    import openai

    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, error.status_code, server)
    if isinstance(error, (UnicodeEncodeError, httpx2.LocalProtocolError)) or isinstance(
        cause, (UnicodeEncodeError, httpx2.LocalProtocolError)
    ):
        # what these say may quote the key
        return AttemptFailed(make_error("bad_key", server, "cannot be sent this llm.api_key"))
    if isinstance(cause, (httpx2.ConnectTimeout, httpx2.ConnectError, httpx2.ProxyError)):
        what = f"cannot be reached ({type(cause).__name__})"
        return AttemptFailed(make_error("unreachable", server, what), passing=True)
    if isinstance(cause, (httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
        what = f"cannot be asked ({type(cause).__name__})"
        return AttemptFailed(make_error("unreachable", server, what))
    if isinstance(error, openai.APITimeoutError) or isinstance(cause, httpx2.TimeoutException):
        return AttemptFailed(
            make_error("timeout", server, "said nothing for too long"), passing=True
        )
    if isinstance(error, openai.APIConnectionError) or isinstance(cause, httpx2.TransportError):
        what = f"closed the connection in the middle ({type(cause or error).__name__})"
        return AttemptFailed(make_error("broken_off", server, what), passing=True)
    if isinstance(error, openai.APIError) and isinstance(error.body, (dict, str)):
        return _of_status(error, _status_in(error.body), server)
    what = f"answered with something that is not a chat completion ({type(error).__name__})"
    return AttemptFailed(make_error("invalid_response", server, what))


def _of_status(error: "openai.APIError", status: int, server: Server) -> AttemptFailed:
    said = server.clean(_words(error.body) or error.message)
    what = f"answered with status {status}: {said!r}"
    retry_after = None
    response = getattr(error, "response", None)
    if response is not None:
        retry_after = retry_after_seconds(response.headers.get("Retry-After", ""))
    return AttemptFailed(
        make_error(_kind_of_status(error, status, said), server, what),
        passing=status in PASSING_STATUS,
        retry_after=retry_after,
    )


def _kind_of_status(error: "openai.APIError", status: int, said: str) -> str:
    if status in (429, 503):
        return "overloaded"
    if status == 408:
        return "timeout"
    if status >= 500:
        return "server_error"
    if status in KIND_OF_STATUS:
        return KIND_OF_STATUS[status]
    named = error.code == "context_length_exceeded" or error.param == "input_tokens"
    if status in (400, 422) and (named or TOO_LONG.search(said)):
        return "prompt_too_long"
    return "refused"


def _words(body: Any) -> str:
    """The message in the body of an error, which servers put in several places."""
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(name):
            return _words(body[name])
    return body if isinstance(body, str) else json.dumps(body, default=str) if body else ""


def _status_in(body: dict[str, Any] | str) -> int:
    """The status that an error inside a stream stands for; 500 when it names none."""
    code = body.get("code") if isinstance(body, dict) else None
    try:
        status = int(code or 0)
    except (TypeError, ValueError):
        return 400 if code == "context_length_exceeded" else 500
    return status if 400 <= status < 600 else 500


def retry_after_seconds(value: str) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date; None when it is neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        seconds = (until - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
