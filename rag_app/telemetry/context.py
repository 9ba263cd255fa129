"""What is known of the request that a piece of code works for; it goes along into worker threads."""

from contextvars import ContextVar
from dataclasses import dataclass, field

_current: ContextVar["RequestContext | None"] = ContextVar("ragline_request", default=None)


@dataclass
class RequestContext:
    """One request, filled in as it is understood.

    Attributes:
        request_id: the caller's ``X-Request-ID`` where it is a plain one, else ours.
        route: the template of its path, never the path itself.
        principal: who asks, once that is known.
        answer_id: of the answer that was given.
        facts: further fields of its log line; no texts.
    """

    request_id: str
    method: str = ""
    route: str = ""
    principal: str = ""
    answer_id: str = ""
    facts: dict[str, object] = field(default_factory=dict)


def current_request() -> RequestContext | None:
    """The request that this code works for, or None outside of one."""
    return _current.get()


def enter(request: RequestContext) -> None:
    """Work for this request from now on, in this task and the threads that it starts."""
    _current.set(request)


def note(*, principal: str = "", answer_id: str = "") -> None:
    """Say who asks, or which answer was given; the request's log lines have it from then on."""
    request = _current.get()
    if request is not None:
        request.principal = principal or request.principal
        request.answer_id = answer_id or request.answer_id
