"""Spans of OpenTelemetry around what a question goes through; nothing where nobody listens.

The program that serves sets the tracer provider (``rag_app/telemetry/tracing.py``). Without one, a step
costs a look into ``sys.modules``. Only names, numbers and kinds of errors get into a span; texts of
questions, prompts and answers only where the provider asks for them (``shows_content``).
"""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

Attribute = str | bool | int | float | list[str]
Attributes = Mapping[str, Attribute]
E = TypeVar("E")
R = TypeVar("R")
P = ParamSpec("P")

INSTRUMENTATION = "ragline"
# an attribute of our tracer provider: whether texts may be in spans
CONTENT_WANTED = "ragline_content"
# where it keeps its tracer
TRACER = "ragline_tracer"


class Step:
    """One step of a question: a span, or nothing.

    Args:
        span: of OpenTelemetry; None where nobody listens.
    """

    __slots__ = ("_span",)

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        if self._span is not None:
            self._span.set_attributes(attributes)

    def rename(self, name: str) -> None:
        """Give it a better name than it began with."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, kind: str) -> None:
        """Mark it as failed; the message of an error stays out, because it may repeat texts."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_attribute("error.type", kind)
            self._span.set_status(StatusCode.ERROR)


NO_STEP = Step()


@contextmanager
def step(name: str, attributes: Attributes | None = None) -> Iterator[Step]:
    """A step that does not yield in the middle; those that begin inside are its parts."""
    tracer = _tracer()
    if tracer is None:
        yield NO_STEP
        return
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        made = Step(span)
        try:
            yield made
        except BaseException as error:
            made.fail(_kind(error))
            raise


@contextmanager
def server_step(name: str, headers: Mapping[str, str]) -> Iterator[Step]:
    """A request that this process answers, as a part of the trace that its headers name."""
    tracer = _tracer()
    if tracer is None:
        yield NO_STEP
        return
    from opentelemetry import propagate, trace

    with tracer.start_as_current_span(
        name,
        context=propagate.extract(headers),
        kind=trace.SpanKind.SERVER,
        attributes={"http.request.method": name},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield Step(span)


def traced(
    name: str,
    make: Callable[[Step], Generator[E, None, R]],
    attributes: Attributes | None = None,
    *,
    calls: bool = False,
) -> Generator[E, None, R]:
    """A generator as one step.

    Its span is the current one only while the generator works, never while its reader does: the next
    piece may be asked for in another thread, or never.

    Args:
        name: of the span.
        make: makes the generator; it gets the step.
        attributes: known at the beginning.
        calls: whether another service is called.
    """
    tracer = _tracer()
    if tracer is None:
        return (yield from make(NO_STEP))
    from opentelemetry import trace

    kind = trace.SpanKind.CLIENT if calls else trace.SpanKind.INTERNAL
    span = tracer.start_span(name, kind=kind, attributes=attributes)
    made = Step(span)
    generator = make(made)

    def current() -> Any:
        return trace.use_span(span, record_exception=False, set_status_on_exception=False)

    try:
        while True:
            with current():
                try:
                    piece = next(generator)
                except StopIteration as end:
                    return end.value
            yield piece
    except GeneratorExit:
        made.set({"ragline.cancelled": True})
        with current():
            generator.close()
        raise
    except BaseException as error:
        made.fail(_kind(error))
        raise
    finally:
        span.end()


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """The function, for another thread, as a part of the present step."""
    if _tracer() is None:
        return function
    import contextvars

    context = contextvars.copy_context()

    def run(*arguments: P.args, **options: P.kwargs) -> R:
        return context.run(function, *arguments, **options)

    return run


def trace_headers() -> dict[str, str]:
    """``traceparent`` and what belongs to it, for a call to another service."""
    headers: dict[str, str] = {}
    if _tracer() is not None:
        from opentelemetry import propagate

        propagate.inject(headers)
    return headers


def trace_ids() -> tuple[str, str]:
    """The ids of the present trace and span in hexadecimal digits; empty without one."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return "", ""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return "", ""
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


def shows_content() -> bool:
    """Whether questions, prompts and answers may be put into spans."""
    trace = sys.modules.get("opentelemetry.trace")
    return trace is not None and bool(getattr(trace.get_tracer_provider(), CONTENT_WANTED, False))


def _tracer() -> Any:
    """The tracer, or None while no provider has been set: nobody would see the spans."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    # ours keeps its tracer at hand: to ask for one costs more than a span
    return getattr(provider, TRACER, None) or provider.get_tracer(INSTRUMENTATION)


def _kind(error: BaseException) -> str:
    return str(getattr(error, "kind", "")) or type(error).__name__
