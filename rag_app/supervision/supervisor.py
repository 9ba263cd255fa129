"""Starts services in order, starts one again that died, and ends all of them together."""

import time
from collections.abc import Callable, Sequence
from threading import Event

from rag_assets.platform.errors import RaglineError

from .service import Running, Service

LOOK_SECONDS = 0.25
START_SECONDS = 180.0  # a slow disk and a cold cache are no error
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
# so many deaths within so long: it will not come back by being started again
MOST_DEATHS, WITHIN_SECONDS = 5, 600.0


class ServiceFailed(RaglineError):
    """A service cannot be kept running."""


class Supervisor:
    """Keeps services running until it is told to stop.

    Args:
        services: in any order; ``needs`` decides.
        tell: is given what people should know, line by line.
        stop: once it is set, everything is ended.
        patience: seconds in which services may finish what they do at the end.
    """

    def __init__(
        self,
        services: Sequence[Service],
        tell: Callable[[str], None],
        stop: Event,
        patience: float,
    ) -> None:
        self._services = services
        self._tell = tell
        self._stop = stop
        self._patience = patience
        self._running: dict[str, Running] = {}
        self._deaths: dict[str, list[float]] = {item.name: [] for item in services}
        self._not_before: dict[str, float] = {}

    def run(self, all_up: Callable[[], None]) -> None:
        """Start everything, keep it running, and end everything, whatever happens.

        Args:
            all_up: called once, when every service does its work for the first time.

        Raises:
            ServiceFailed: a service did not come up, or died again and again.
        """
        told = False
        try:
            while not self._stop.is_set():
                for service in self._services:
                    self._look_after(service)
                if not told and self._up() == {item.name for item in self._services}:
                    told = True
                    all_up()
                self._stop.wait(LOOK_SECONDS)
        finally:
            self._end_all()

    def _up(self) -> set[str]:
        return {name for name, running in self._running.items() if running.up}

    def _look_after(self, service: Service) -> None:
        running = self._running.get(service.name)
        if running is None:
            waited = time.monotonic() >= self._not_before.get(service.name, 0.0)
            if waited and set(service.needs) <= self._up():
                self._running[service.name] = Running(service)
            return
        running.bound_log()
        code = running.ended()
        if code is not None:
            self._died(running, code)
        elif not running.up and service.is_up():
            running.up = True
        elif not running.up and time.monotonic() - running.started_at > START_SECONDS:
            raise ServiceFailed(
                f"The {service.name} was not up after {START_SECONDS:.0f} s.",
                f"Its log is {service.log}; it ends with:\n{running.tail()}",
            )

    def _died(self, running: Running, code: int) -> None:
        """Start it again after a pause, unless that would not help."""
        service, now = running.service, time.monotonic()
        running.end(0.0)
        del self._running[service.name]
        last = f"Its log is {service.log}; it ends with:\n{running.tail()}"
        deaths = [*(at for at in self._deaths[service.name] if now - at < WITHIN_SECONDS), now]
        self._deaths[service.name] = deaths
        if not running.up and len(deaths) == 1:
            raise ServiceFailed(f"The {service.name} ended with {code} before it was up.", last)
        if len(deaths) >= MOST_DEATHS:
            raise ServiceFailed(f"The {service.name} died {len(deaths)} times.", last)
        pause = min(FIRST_PAUSE * 2 ** (len(deaths) - 1), LONGEST_PAUSE)
        self._not_before[service.name] = now + pause
        self._tell(
            f"The {service.name} ended with {code} and is started again in {pause:.0f} s; "
            f"its log is {service.log}."
        )

    def _end_all(self) -> None:
        """Ask everybody at once, so that all finish at the same time; then wait for each."""
        limit = time.monotonic() + self._patience
        for running in self._running.values():
            running.ask_to_end()
        killed = [
            name
            for name, running in self._running.items()
            if not running.end(limit - time.monotonic())
        ]
        for name in killed:
            self._tell(f"The {name} did not end in time and was killed.")
