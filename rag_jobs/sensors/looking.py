"""Looking again within a tick: more often than Dagster's daemon goes round the sensors.

The daemon asks every sensor at most once in five seconds, which would be a third of the way from a
dropped file to an answer. A look that finds nothing is cheap, so a tick looks several times.
"""

import time
from collections.abc import Callable

import dagster as dg

# a tick must be over when the daemon comes round after five seconds: it would pass this sensor by
LAST_LOOK_SECONDS = 3.5
# of the time between two looks; a look that takes longer finds too much to be repeated
COST = 0.2


def look_repeatedly(
    look: Callable[[], dg.SensorResult],
    every_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dg.SensorResult:
    """Look until something is asked for, or the tick has lasted long enough.

    Args:
        look: one look; it may have effects of its own, and must bear being repeated.
        every_seconds: from the beginning of one look to that of the next.
        clock: seconds.
        sleep: waits for so many seconds.

    Returns:
        What the last look found.
    """
    began = clock()
    while True:
        at = clock()
        found = look()
        spent = clock() - at
        following = at + every_seconds
        if (
            found.run_requests
            or found.dynamic_partitions_requests
            or spent > every_seconds * COST
            or following - began > LAST_LOOK_SECONDS
        ):
            return found
        sleep(following - clock())
