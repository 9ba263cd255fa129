"""Which files count as still being written: those that changed a moment ago.

A file that is copied into a folder can be seen before it is whole. Whoever looks without being asked
(a sensor, the runs that it starts) therefore reads a file only when it has been left alone for a
while; until then its document stays as it was, and every other document goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .base import Listed

# a clock that is further ahead than this was set wrongly: its times say nothing
SKEW = timedelta(minutes=1)


@dataclass(frozen=True)
class SettleRule:
    """How long a file must have been left alone.

    Attributes:
        seconds: 0 reads everything at once.
        now: UTC; taken before the source is listed.
    """

    seconds: float = 0.0
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def waits(self, changed_at: datetime | None) -> bool:
        """Whether something that was last changed then has to be left alone for now."""
        if self.seconds <= 0 or changed_at is None:
            return False
        return -SKEW <= self.now - changed_at < timedelta(seconds=self.seconds)


AT_ONCE = SettleRule(0.0, datetime(1970, 1, 1, tzinfo=UTC))


def sizes_to_come(settling: Iterable[Listed], known: Iterable[str]) -> frozenset[int]:
    """Sizes of new documents that are not settled.

    A document that is gone while one of its size is still to come may have been renamed: its row
    is kept until that is known, so that a rename is never a gap.
    """
    present = set(known)
    return frozenset(item.size_bytes for item in settling if item.document_id not in present)
