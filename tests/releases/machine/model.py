"""What every release must hold, as plain Python: the model that a real deployment is compared with."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

# document → what it says, as the index must serve it
Content = dict[str, str]


@dataclass
class Model:
    """The state that a deployment must be in.

    Attributes:
        files: what the source holds; None is a file that cannot be read.
        indexed: what the head of the index must hold.
        configured: max_tokens.
        indexed_with: max_tokens of the head.
        releases: what every release holds.
        made_with: max_tokens of every release.
        rejected: releases that quality stands in the way of, until they have been live.
        removed: releases that can no longer be read.
        went_live: releases in the order in which they went live.
        moments: times and what was live then.
        held: whether promotions are held back.
        forgotten: documents that must not be read again.
    """

    files: dict[str, str | None] = field(default_factory=dict)
    indexed: Content = field(default_factory=dict)
    configured: int = 40
    indexed_with: int = 0
    releases: dict[int, Content] = field(default_factory=dict)
    made_with: dict[int, int] = field(default_factory=dict)
    rejected: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    went_live: list[int] = field(default_factory=list)
    moments: list[tuple[datetime, int]] = field(default_factory=list)
    held: bool = False
    forgotten: set[str] = field(default_factory=set)

    @property
    def live(self) -> int | None:
        return self.went_live[-1] if self.went_live else None

    @property
    def readable(self) -> set[int]:
        return set(self.releases) - self.removed

    @property
    def listed(self) -> dict[str, str | None]:
        """The files that may be read."""
        return {name: text for name, text in self.files.items() if name not in self.forgotten}

    def index(self) -> None:
        """An ingest's stages: what cannot be read keeps its last good version."""
        after: Content = {}
        for name, text in self.listed.items():
            if text is not None:
                after[name] = text
            elif name in self.indexed:
                after[name] = self.indexed[name]
        self.indexed = after
        self.indexed_with = self.configured

    def is_present(self, release: int) -> bool:
        """Whether a release is what the head of the index holds."""
        content = self.releases[release]
        return (content, self.made_with[release]) == (self.indexed, self.indexed_with)

    def too_many_unreadable(self, limit: float) -> bool:
        listed = self.listed
        unreadable = sum(text is None for text in listed.values())
        return bool(listed) and unreadable / len(listed) > limit

    def rollback_target(self) -> int | None:
        """The readable release that was live most recently, of those made before the live one."""
        if self.live is None:
            return None
        for release in reversed(self.went_live):
            if release < self.live and release in self.readable:
                return release
        return None

    def forget(self, name: str) -> None:
        """Nothing holds the document any more."""
        self.forgotten.add(name)
        for content in [self.indexed, *self.releases.values()]:
            content.pop(name, None)

    def let_pass(self, days: float) -> None:
        self.moments = [(moment - timedelta(days=days), live) for moment, live in self.moments]
