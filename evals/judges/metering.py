"""Counting the calls and tokens of a judgement, wherever inside a library they are made."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Optional

from .base import Usage

# tasks that a library starts inherit it, so that their calls count too
_METER: ContextVar[Optional["Meter"]] = ContextVar("meter", default=None)


@dataclass
class Meter:
    """Calls and tokens since it was opened.

    Attributes:
        running: tasks that wait for a reply just now.
        parent: the meter around this one; counts everything too.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    running: set["asyncio.Task[Any]"] = field(default_factory=set)
    parent: Optional["Meter"] = None

    @property
    def usage(self) -> Usage:
        """What was counted so far."""
        return Usage(self.calls, self.prompt_tokens, self.completion_tokens)

    async def stop(self) -> None:
        """Cancel calls whose reply nobody waits for: a library may fail while others are made."""
        left = [task for task in self.running if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@contextmanager
def metered() -> Iterator[Meter]:
    """Count what the calls made inside use; meters may lie within each other."""
    meter = Meter(parent=_METER.get())
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


@contextmanager
def counted_call() -> Iterator[None]:
    """One call to a judge; it counts from its beginning, for a failed one may be paid for too."""
    task = asyncio.current_task()
    meters = list(_open_meters())
    for meter in meters:
        meter.calls += 1
        if task is not None:
            meter.running.add(task)
    try:
        yield
    finally:
        for meter in meters:
            if task is not None:
                meter.running.discard(task)


def count_tokens(prompt: int, completion: int) -> None:
    """Add the tokens of a reply, whether it is of use or not."""
    for meter in _open_meters():
        meter.prompt_tokens += prompt
        meter.completion_tokens += completion


def _open_meters() -> Iterator[Meter]:
    meter = _METER.get()
    while meter is not None:
        yield meter
        meter = meter.parent
